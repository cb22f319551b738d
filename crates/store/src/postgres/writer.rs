//! The writers of this process and the group of transactions that share a COMMIT.
//!
//! A *group* is one PostgreSQL transaction on one connection, under the advisory lock of the
//! schema; a *member* is one `Transaction` of the domain: a savepoint inside it. While a COMMIT is
//! under way, writers gather; then a task opens the next group, lends it to one member after the
//! other, and commits it. Members hold the group as a [`Turn`], and a `Turn` that is dropped, for
//! whatever reason, gives the group back. So a future cancelled at any point cannot wedge it:
//! - dropped while waiting: its place in the queue is skipped;
//! - dropped with the turn in its hands: the member rolls back alone, the next one goes on;
//! - dropped while COMMIT runs: COMMIT belongs to the task and does not notice.
//!
//! Nobody is told `Ok` before COMMIT succeeded. A group is bounded in members and in time, so that
//! other processes get the lock, which PostgreSQL hands out in the order of asking.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tonnage_domain::metadata::MetadataError;

use super::group::Group;
use super::pool::Pool;
use super::{PostgresOptions, errors};
use crate::group::Failure;

/// The most members of one group. PostgreSQL keeps the ids of as many subtransactions where every
/// snapshot finds them at once; of more it must ask a table on disk.
const GROUP_MEMBERS_MAX: usize = 64;
/// How long a group takes new members.
const GROUP_TIME_MAX: Duration = Duration::from_millis(100);

/// The queue of this process's writers.
pub(super) struct Gate {
    state: Mutex<State>,
    pool: Arc<Pool>,
    options: PostgresOptions,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<oneshot::Sender<Result<Turn, Failure>>>,
    /// Whether a task serves those who wait.
    served: bool,
    closed: bool,
}

impl Gate {
    pub(super) fn new(pool: Arc<Pool>, options: PostgresOptions) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), pool, options })
    }

    /// Waits for the turn, first come, first served.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Turn, MetadataError> {
        let receiver = self.enqueue()?;
        match tokio::time::timeout(self.options.writer_wait, receiver).await {
            Ok(Ok(turn)) => turn.map_err(MetadataError::from),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(errors::unavailable("no turn to write within the bound")),
        }
    }

    fn enqueue(
        self: &Arc<Self>,
    ) -> Result<oneshot::Receiver<Result<Turn, Failure>>, MetadataError> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.closed {
            return Err(closed());
        }
        let most = self.options.writers_waiting_max;
        if state.waiting.len() >= most {
            state.waiting.retain(|waiting| !waiting.is_closed());
        }
        if state.waiting.len() >= most {
            return Err(errors::unavailable("too many transactions wait to write"));
        }
        state.waiting.push_back(sender);
        if !state.served {
            state.served = true;
            let service = Service::new(self);
            drop(state);
            tokio::spawn(service.run());
        }
        Ok(receiver)
    }

    /// Refuses everybody who comes from now on, and sends away those who wait.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.clear();
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> MetadataError {
    errors::unavailable("the metadata database is closed")
}

/// The task that serves those who wait, until nobody does.
struct Service {
    gate: Arc<Gate>,
    /// Whether it has said that it serves no more; another one may serve since.
    has_ended: bool,
}

impl Service {
    fn new(gate: &Arc<Gate>) -> Self {
        Self { gate: Arc::clone(gate), has_ended: false }
    }

    async fn run(mut self) {
        while self.somebody_waits() {
            match Group::open(&self.gate.pool, &self.gate.options).await {
                Ok(group) => self.serve(group).await,
                Err(error) => {
                    let failure = Failure::from(&error);
                    while let Some(sender) = self.next() {
                        let _ = sender.send(Err(failure.clone()));
                    }
                }
            }
        }
    }

    /// Runs the members of one group, one after the other, and commits them.
    async fn serve(&self, mut group: Box<Group>) {
        let began = Instant::now();
        while group.is_sound()
            && group.members() < GROUP_MEMBERS_MAX
            && began.elapsed() < GROUP_TIME_MAX
        {
            let Some(sender) = self.next() else { break };
            group.begin_member();
            let (back, returned) = oneshot::channel();
            let turn = Turn { group: Some(group), back: Some(back) };
            // Whoever went away in the meantime drops the turn, which gives the group back.
            drop(sender.send(Ok(turn)));
            let Ok(given_back) = returned.await else { return };
            group = given_back;
        }
        group.commit().await;
    }

    /// Whether anybody does; if not, the service has ended.
    fn somebody_waits(&mut self) -> bool {
        let mut state = self.gate.state();
        state.waiting.retain(|waiting| !waiting.is_closed());
        state.served = !state.waiting.is_empty();
        self.has_ended = !state.served;
        state.served
    }

    fn next(&self) -> Option<oneshot::Sender<Result<Turn, Failure>>> {
        let mut state = self.gate.state();
        loop {
            let sender = state.waiting.pop_front()?;
            if !sender.is_closed() {
                return Some(sender);
            }
        }
    }
}

/// A service that ends before its time (its runtime shuts down) leaves nobody waiting for it.
impl Drop for Service {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut state = self.gate.state();
            state.served = false;
            state.waiting.clear();
        }
    }
}

/// The right to use the group, until dropped.
pub(super) struct Turn {
    /// `None` only after it was given back.
    group: Option<Box<Group>>,
    back: Option<oneshot::Sender<Box<Group>>>,
}

impl Turn {
    pub(super) fn group(&mut self) -> Result<&mut Group, MetadataError> {
        self.group.as_deref_mut().ok_or_else(closed)
    }

    /// Makes the member part of the group, and gives the group back.
    pub(super) async fn commit(mut self) -> Result<(), MetadataError> {
        let outcome = self.group()?.release_member();
        self.give_back();
        crate::group::committed(outcome).await
    }

    fn give_back(&mut self) {
        if let (Some(group), Some(back)) = (self.group.take(), self.back.take()) {
            // Without a service there is no COMMIT: the connection closes, the members hear of it.
            let _ = back.send(group);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(group) = &mut self.group {
            group.roll_back_member();
        }
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use tonnage_domain::metadata::MetadataErrorKind;

    use super::*;

    #[test]
    fn a_service_that_has_ended_sends_nobody_away_who_came_after_it() {
        let url = "postgres://u@h/d".parse().unwrap();
        let options = PostgresOptions::default();
        let pool = Arc::new(Pool::new(&url, &options).unwrap());
        let gate = Gate::new(pool, options);
        for (has_ended, left) in [(true, 1), (false, 0)] {
            let mut service = Service::new(&gate);
            assert!(!has_ended || !service.somebody_waits());
            let (sender, receiver) = oneshot::channel();
            gate.state().waiting.push_back(sender);
            gate.state().served = true;
            drop(service);
            assert_eq!((gate.waiting(), gate.state().served), (left, has_ended));
            gate.state().waiting.clear();
            drop(receiver);
        }
    }

    #[test]
    fn a_group_that_failed_says_why_to_each_member() {
        let error = errors::unavailable("the server went away");
        let told = MetadataError::from(Failure::from(&error));
        assert_eq!(told.kind(), MetadataErrorKind::Unavailable);
        let source = std::error::Error::source(&told).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("the shared transaction failed: the server went away"));
    }
}
