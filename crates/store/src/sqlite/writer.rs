//! The one writing connection and the group of transactions that share its COMMIT.
//!
//! A *group* is one SQLite transaction, a *member* is one `Transaction` of the domain: a savepoint
//! inside it. Members run one after another. Who may use the connection is decided by possession
//! alone: the [`Writer`] lies in a [`Turn`], and a `Turn` that is dropped, for whatever reason,
//! hands the writer on. So a future cancelled at any point cannot wedge it:
//! - dropped while waiting: its place in the queue is skipped;
//! - dropped with the turn in its hands: the member rolls back alone, the next one goes on;
//! - dropped while COMMIT runs: COMMIT is a task of its own and does not notice.
//!
//! A group is committed when its turn is handed on and nobody waits for it, or when it has
//! [`GROUP_MEMBERS_MAX`] members. Nobody is told `Ok` before COMMIT succeeded.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind};

use super::SqliteOptions;
use super::answers::Answers;
use super::errors::{kind_of, metadata_error, unavailable};
use super::session::{Role, Session};
use crate::crash;

/// The most members of one group.
pub(crate) const GROUP_MEMBERS_MAX: usize = 512;

/// The queue for the writer.
pub(crate) struct Gate {
    state: Mutex<GateState>,
    options: SqliteOptions,
}

struct GateState {
    /// The writer while nobody holds or awaits it; its group is then empty.
    idle: Option<Box<Writer>>,
    waiting: VecDeque<Waiting>,
    closed: bool,
}

struct Waiting {
    sender: oneshot::Sender<Turn>,
    /// Whose blocking threads COMMIT may use if this one is the last of its group.
    runtime: Handle,
}

impl Gate {
    pub(crate) fn new(writer: Writer, options: SqliteOptions) -> Arc<Self> {
        let idle = Some(Box::new(writer));
        let state = GateState { idle, waiting: VecDeque::new(), closed: false };
        Arc::new(Self { state: Mutex::new(state), options })
    }

    /// Waits for the turn, first come, first served.
    pub(crate) async fn turn(self: &Arc<Self>) -> Result<Turn, MetadataError> {
        let receiver = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.closed {
                return Err(closed());
            }
            if let Some(writer) = state.idle.take() {
                return Ok(Turn::new(self, writer, &Handle::current()));
            }
            if state.waiting.len() >= self.options.writers_waiting_max {
                state.waiting.retain(|waiting| !waiting.sender.is_closed());
            }
            if state.waiting.len() >= self.options.writers_waiting_max {
                return Err(unavailable("too many transactions wait for the writer"));
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push_back(Waiting { sender, runtime: Handle::current() });
            receiver
        };
        match tokio::time::timeout(self.options.writer_wait, receiver).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(unavailable("the writer stayed in use")),
        }
    }

    /// Refuses everybody who comes from now on, and sends away those who wait.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        state.waiting.clear();
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting.len()
    }

    /// Gives the writer to the next in the queue, to COMMIT, or to rest.
    fn hand_on(self: &Arc<Self>, mut writer: Box<Writer>, runtime: &Handle) {
        loop {
            if writer.members.len() >= GROUP_MEMBERS_MAX {
                return self.commit_in_background(writer, runtime);
            }
            let next = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                match state.waiting.pop_front() {
                    Some(next) => next,
                    None if writer.members.is_empty() => {
                        // Members that rolled back may have left the group open, but empty.
                        writer.abandon_group(&Failure::none_was_made());
                        state.idle = Some(writer);
                        return;
                    }
                    None => break,
                }
            };
            match next.sender.send(Turn::new(self, writer, &next.runtime)) {
                Ok(()) => return,
                Err(mut refused) => match refused.writer.take() {
                    Some(returned) => writer = returned,
                    None => return,
                },
            }
        }
        self.commit_in_background(writer, runtime);
    }

    fn commit_in_background(self: &Arc<Self>, writer: Box<Writer>, runtime: &Handle) {
        let mut turn = Turn::new(self, writer, runtime);
        turn.committing = true;
        runtime.spawn_blocking(move || {
            if let Some(writer) = &mut turn.writer {
                writer.commit_group();
                writer.checkpoint_if_due();
            }
            drop(turn);
        });
    }
}

fn closed() -> MetadataError {
    unavailable("the metadata database is closed")
}

/// The right to use the writer, until dropped.
pub(crate) struct Turn {
    /// `None` only after it was handed on.
    writer: Option<Box<Writer>>,
    gate: Arc<Gate>,
    runtime: Handle,
    /// This turn belongs to the task that commits the group.
    committing: bool,
}

impl Turn {
    fn new(gate: &Arc<Gate>, writer: Box<Writer>, runtime: &Handle) -> Self {
        let (gate, runtime) = (Arc::clone(gate), runtime.clone());
        Self { writer: Some(writer), gate, runtime, committing: false }
    }

    pub(crate) fn writer(&mut self) -> Result<&mut Writer, MetadataError> {
        self.writer.as_deref_mut().ok_or_else(closed)
    }

    /// Takes the writer out of circulation.
    pub(crate) fn keep(mut self) -> Option<Box<Writer>> {
        self.writer.take()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        if self.committing {
            // Nothing is left to do after COMMIT. When the runtime shuts down before the task ran,
            // or the task panicked, nobody was told anything: the group is given up.
            writer.abandon_group(&Failure {
                kind: MetadataErrorKind::Unavailable,
                message: Arc::from("the process ended before COMMIT"),
            });
        }
        self.gate.hand_on(writer, &self.runtime);
    }
}

/// The writing connection and the group that is open on it.
pub(crate) struct Writer {
    path: PathBuf,
    options: SqliteOptions,
    answers: Arc<Answers>,
    /// `None` after a failure that only a new connection can cure.
    session: Option<Session>,
    /// Members that have released their savepoint and await COMMIT. The group itself is open
    /// whenever the session is not in autocommit.
    members: Vec<oneshot::Sender<Result<(), Failure>>>,
    /// Frames in the write-ahead log after the last commit, told by SQLite's hook.
    wal_frames: Arc<AtomicU32>,
    /// At how many frames the next checkpoint is tried.
    checkpoint_at: u32,
}

impl Writer {
    pub(crate) fn open(
        path: PathBuf,
        options: SqliteOptions,
        answers: Arc<Answers>,
    ) -> Result<Self, rusqlite::Error> {
        let wal_frames = Arc::new(AtomicU32::new(0));
        let checkpoint_at = options.checkpoint_frames;
        let mut writer = Self {
            path,
            options,
            answers,
            session: None,
            members: Vec::new(),
            wal_frames,
            checkpoint_at,
        };
        writer.session()?;
        Ok(writer)
    }

    /// The session, opened anew if it was lost.
    pub(crate) fn session(&mut self) -> Result<&mut Session, rusqlite::Error> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let mut session =
                    Session::open(&self.path, Role::Writer, &self.options, &self.answers)?;
                let frames = Arc::clone(&self.wal_frames);
                session.connection().wal_hook(Some(
                    move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
                        frames.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
                        Ok(())
                    },
                ))?;
                session
            }
        };
        Ok(self.session.insert(session))
    }

    #[cfg(test)]
    pub(crate) fn wal_frames(&self) -> u32 {
        self.wal_frames.load(Ordering::Relaxed)
    }

    /// Opens the group if there is none, and a member inside it.
    pub(crate) fn begin_member(&mut self) -> Result<(), MetadataError> {
        // Members of a group that is gone must never come under the next group's COMMIT.
        self.check_group();
        let session = self.session().map_err(metadata_error)?;
        if session.is_autocommit() {
            session.control("BEGIN IMMEDIATE").map_err(metadata_error)?;
        }
        session.control("SAVEPOINT member").map_err(|error| self.failed(error))
    }

    /// Makes the member part of the group. The receiver tells how COMMIT went.
    pub(crate) fn release_member(
        &mut self,
    ) -> Result<oneshot::Receiver<Result<(), Failure>>, MetadataError> {
        let session = self.session().map_err(metadata_error)?;
        session.control("RELEASE member").map_err(|error| self.failed(error))?;
        let (sender, receiver) = oneshot::channel();
        self.members.push(sender);
        Ok(receiver)
    }

    /// Undoes the member and nothing else. A group that cannot be brought back to where it was
    /// before the member is given up.
    pub(crate) fn roll_back_member(&mut self) {
        let Some(session) = &self.session else { return };
        if session.is_autocommit() {
            self.check_group();
            return;
        }
        let undone =
            session.control("ROLLBACK TO member").and_then(|()| session.control("RELEASE member"));
        if let Err(error) = undone {
            self.abandon_group(&Failure::from(&error));
        }
    }

    /// To be called after any failure: SQLite ends the whole transaction by itself on some (a full
    /// disk, an I/O error), and then no member of the group may be acknowledged.
    pub(crate) fn check_group(&mut self) {
        let lost = self.session.as_ref().is_none_or(Session::is_autocommit);
        if lost && !self.members.is_empty() {
            self.fail_members(&Failure {
                kind: MetadataErrorKind::Unavailable,
                message: Arc::from("SQLite rolled the shared transaction back after a failure"),
            });
        }
    }

    fn failed(&mut self, error: rusqlite::Error) -> MetadataError {
        self.check_group();
        metadata_error(error)
    }

    fn fail_members(&mut self, failure: &Failure) {
        for member in self.members.drain(..) {
            // A member whose future was dropped does not listen any more.
            let _ = member.send(Err(failure.clone()));
        }
    }

    /// Rolls the open group back, if there is one, and tells its members.
    fn abandon_group(&mut self, failure: &Failure) {
        let ended = self
            .session
            .as_ref()
            .is_none_or(|session| session.is_autocommit() || session.control("ROLLBACK").is_ok());
        if !ended {
            // Closing the connection is the strongest form of rolling back.
            self.session = None;
        }
        self.fail_members(failure);
    }

    /// COMMIT, which waits for the disk. Tells every member how it went.
    fn commit_group(&mut self) {
        let (changing, outcome) = match &mut self.session {
            Some(session) if !session.is_autocommit() => {
                let changing = self.answers.changing(session.take_changed());
                crash::reached("commit");
                let outcome = session.control("COMMIT");
                (changing, outcome.inspect(|()| crash::reached("tell of the commit")))
            }
            _ => {
                self.check_group();
                return;
            }
        };
        match outcome {
            Ok(()) => {
                // Nobody is told before what was remembered of the old state is worthless.
                drop(changing);
                for member in self.members.drain(..) {
                    let _ = member.send(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, members = self.members.len(), "COMMIT failed");
                self.abandon_in_log(&Failure::from(&error));
            }
        }
    }

    /// Rolls a group back whose COMMIT failed. When the failure came from syncing the log, the
    /// log's file may hold the whole group, and a crash now would bring it back to life although
    /// its members were told that it failed. Committing anything overwrites its first frame, and
    /// the checksums of all that follow no longer fit.
    fn abandon_in_log(&mut self, failure: &Failure) {
        let members = std::mem::take(&mut self.members);
        self.abandon_group(failure);
        if let Err(error) = self.overwrite_log() {
            // The next group that commits does the same.
            tracing::error!(%error, "the log keeps the failed group until the next commit");
        }
        self.members = members;
        self.fail_members(failure);
    }

    fn overwrite_log(&mut self) -> Result<(), rusqlite::Error> {
        let connection = self.session()?.connection();
        // The only number in the file that belongs to the application and to nothing else.
        let number: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        connection.pragma_update(None, "user_version", number.wrapping_add(1))
    }

    /// Moves the log into the database when it has grown. Commits never wait for it or fail by
    /// it: the members have their answer already.
    fn checkpoint_if_due(&mut self) {
        let frames = self.wal_frames.load(Ordering::Relaxed);
        if frames < self.checkpoint_at {
            // The log starts from the beginning again once all of it was moved.
            self.checkpoint_at =
                self.checkpoint_at.min(frames.saturating_add(self.options.checkpoint_frames));
            return;
        }
        if let Err(error) = self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)") {
            tracing::warn!(%error, "checkpoint of the metadata database failed");
        }
        // A reader with an old snapshot keeps the log from starting anew; trying again after each
        // commit would be in vain.
        self.checkpoint_at = frames.saturating_add(self.options.checkpoint_frames);
    }

    fn checkpoint(&mut self, sql: &'static str) -> Result<(), rusqlite::Error> {
        self.session()?.control(sql)
    }

    /// Commits what is pending, moves the whole log into the database and closes the connection.
    pub(crate) fn close(mut self) -> Result<(), MetadataError> {
        self.commit_group();
        self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)").map_err(metadata_error)
    }
}

/// Why a group failed, to be told to each of its members.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    kind: MetadataErrorKind,
    message: Arc<str>,
}

impl Failure {
    /// For a group without members: nobody hears it.
    fn none_was_made() -> Self {
        Self { kind: MetadataErrorKind::Other, message: Arc::from("") }
    }
}

impl From<&rusqlite::Error> for Failure {
    fn from(error: &rusqlite::Error) -> Self {
        Self { kind: kind_of(error), message: Arc::from(error.to_string()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the shared COMMIT failed: {}", self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for MetadataError {
    fn from(failure: Failure) -> Self {
        MetadataError::new(failure.kind, failure)
    }
}
