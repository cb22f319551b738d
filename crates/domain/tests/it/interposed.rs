//! A metadata database that watches the rules of transactions, lets a test change something between
//! two transactions of one operation or stop one in the middle, and remembers statements.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::task::Id;
use tonnage_domain::metadata::{Metadata, MetadataError, Mode, Row, Transaction, Value};

/// A statement with its parameters.
pub(crate) type Statement = (&'static str, Vec<Value>);

#[derive(Default)]
struct State {
    /// Open writing transactions by task; the test's own task has no id.
    writing: HashMap<Option<Id>, u32>,
    /// Writing transactions that were dropped, by task.
    dropped: HashMap<Option<Id>, u32>,
    /// How many more transactions begin before the statements run.
    countdown: u32,
    statements: Vec<Statement>,
    pause: Option<(&'static str, u32, Pause)>,
    recorded: Option<Vec<Statement>>,
}

/// Somebody who is held after a statement.
#[derive(Clone, Default)]
pub(crate) struct Pause {
    reached: Arc<Notify>,
    resumed: Arc<Notify>,
}

impl Pause {
    /// Waits until somebody is held.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) {
        self.resumed.notify_one();
    }
}

/// Remembers a statement that was run, and holds whoever ran it if a test asks for that.
async fn ran(state: &Mutex<State>, sql: &'static str, params: &[Value]) {
    let pause = {
        let mut state = state.lock().unwrap();
        if let Some(recorded) = &mut state.recorded {
            recorded.push((sql, params.to_vec()));
        }
        match &mut state.pause {
            Some((text, countdown, _)) if sql.contains(*text) => {
                *countdown -= 1;
                if *countdown == 0 { state.pause.take() } else { None }
            }
            _ => None,
        }
    };
    if let Some((_, _, pause)) = pause {
        pause.reached.notify_one();
        pause.resumed.notified().await;
    }
}

/// Wraps any metadata database.
pub(crate) struct Interposed {
    inner: Arc<dyn Metadata>,
    /// Where the test's statements run, past any injected faults.
    direct: Arc<dyn Metadata>,
    state: Arc<Mutex<State>>,
    /// Whether the registry is given remembered answers. Where it is not, transactions can be
    /// counted.
    recalls: AtomicBool,
}

impl Interposed {
    pub(crate) fn new(inner: Arc<dyn Metadata>, direct: Arc<dyn Metadata>) -> Self {
        Self { inner, direct, state: Arc::default(), recalls: AtomicBool::new(false) }
    }

    /// From now on the registry is given remembered answers.
    pub(crate) fn recall_answers(&self) {
        self.recalls.store(true, Ordering::Relaxed);
    }

    /// Runs `statements` in a transaction of their own just before the `nth` transaction from now
    /// on; 1 is the next one.
    pub(crate) fn before(&self, nth: u32, statements: Vec<Statement>) {
        let mut state = self.state.lock().unwrap();
        (state.countdown, state.statements) = (nth, statements);
    }

    /// Whether the statements of [`Interposed::before`] have run.
    pub(crate) fn has_run(&self) -> bool {
        self.state.lock().unwrap().countdown == 0
    }

    /// Holds whoever runs the `nth` statement from now on that contains `text`, after it has run.
    pub(crate) fn pause_after(&self, text: &'static str, nth: u32) -> Pause {
        let pause = Pause::default();
        self.state.lock().unwrap().pause = Some((text, nth, pause.clone()));
        pause
    }

    /// Begins to remember statements.
    pub(crate) fn record(&self) {
        self.state.lock().unwrap().recorded = Some(Vec::new());
    }

    /// The statements that ran since [`Interposed::record`].
    pub(crate) fn recorded(&self) -> Vec<Statement> {
        self.state.lock().unwrap().recorded.take().unwrap_or_default()
    }

    /// How many writing transactions of this task were dropped so far.
    pub(crate) fn dropped(&self) -> u32 {
        self.state.lock().unwrap().dropped.get(&tokio::task::try_id()).copied().unwrap_or(0)
    }
}

/// Runs statements in one transaction.
pub(crate) async fn write(metadata: &dyn Metadata, statements: &[Statement]) {
    let mut transaction = metadata.begin(Mode::Write).await.unwrap();
    for (sql, params) in statements {
        transaction.execute(sql, params).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

impl Metadata for Interposed {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        self.begin_as(mode, false)
    }

    fn begin_remembered(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        self.begin_as(Mode::Read, true)
    }

    fn recall(&self) -> Option<Box<dyn Transaction>> {
        self.recalls.load(Ordering::Relaxed).then(|| self.inner.recall())?
    }
}

/// What is remembered of a query must be what is stored, after every write of every test.
async fn compare(metadata: &dyn Metadata, sql: &'static str, params: &[Value]) {
    let recalled = async || metadata.recall()?.query(sql, params).await.ok();
    let Some(remembered) = recalled().await else { return };
    // Not when it would have to wait: whoever asks holds a snapshot.
    let Some(Ok(mut tx)) = metadata.begin(Mode::Read).now_or_never() else { return };
    let stored = tx.query(sql, params).await.unwrap();
    // Others may have written in between; then it is not given any more.
    if recalled().await.is_some() {
        assert_eq!(remembered, stored, "{sql} {params:?}");
    }
}

impl Interposed {
    fn begin_as(
        &self,
        mode: Mode,
        remembered: bool,
    ) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            let task = tokio::task::try_id();
            let statements = {
                let mut state = self.state.lock().unwrap();
                let writing = state.writing.get(&task).copied().unwrap_or(0);
                assert_eq!(writing, 0, "a transaction begins inside one that writes");
                state.countdown = state.countdown.saturating_sub(1);
                if state.countdown == 0 { std::mem::take(&mut state.statements) } else { vec![] }
            };
            if !statements.is_empty() {
                write(self.direct.as_ref(), &statements).await;
            }
            let inner = Some(if remembered {
                self.inner.begin_remembered().await?
            } else {
                self.inner.begin(mode).await?
            });
            let writes = mode == Mode::Write;
            if writes {
                *self.state.lock().unwrap().writing.entry(task).or_default() += 1;
            }
            let state = Arc::clone(&self.state);
            let direct = Arc::clone(&self.direct);
            Ok(Box::new(Watched { inner, direct, state, task, writes }) as Box<dyn Transaction>)
        })
    }
}

struct Watched {
    /// Absent when it was committed.
    inner: Option<Box<dyn Transaction>>,
    direct: Arc<dyn Metadata>,
    state: Arc<Mutex<State>>,
    task: Option<Id>,
    writes: bool,
}

impl Transaction for Watched {
    fn execute<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, MetadataError>> {
        Box::pin(async move {
            let changed = self.inner.as_mut().unwrap().execute(sql, params).await?;
            ran(&self.state, sql, params).await;
            Ok(changed)
        })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, MetadataError>> {
        Box::pin(async move {
            let rows = self.inner.as_mut().unwrap().query(sql, params).await?;
            if !self.writes {
                compare(self.direct.as_ref(), sql, params).await;
            }
            ran(&self.state, sql, params).await;
            Ok(rows)
        })
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), MetadataError>> {
        let inner = self.inner.take().unwrap();
        Box::pin(async move {
            // Keeps the transaction counted as open until it is committed.
            let _open = self;
            inner.commit().await
        })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.writes {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(open) = state.writing.get_mut(&self.task) {
            *open -= 1;
        }
        if self.inner.is_some() {
            *state.dropped.entry(self.task).or_default() += 1;
        }
    }
}
