//! Answers that are remembered, so that what is read again and again never reaches the database.
//!
//! SQLite tells while it compiles a statement which tables it reads and which it changes, those that
//! triggers and foreign keys change included. Each table has a number: odd while a COMMIT that
//! changes the table runs, and greater after it. A snapshot notes the numbers before it begins, and
//! its answers are remembered under those of the tables they were read from. An answer is given only
//! while these numbers are what they were, so no writer has to know what may be remembered of it:
//! - before COMMIT makes a change visible to anybody, the numbers are odd, and every reader goes to
//!   the database; so nobody sees the old state after somebody saw the new one;
//! - before the change is acknowledged, the numbers are greater, and the old answers are worthless;
//! - an answer from a snapshot that began while a COMMIT ran is not remembered.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use futures_util::future::BoxFuture;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind, Row, Transaction, Value};

use super::errors::other;

/// How many tables are told apart; any more share the last number.
const TABLES_MAX: usize = 128;

/// The part of the room that one answer may take.
const ANSWER_SHARE: usize = 32;

/// What an answer takes beside its values, in bytes; an estimate.
const ANSWER_OVERHEAD: usize = 256;
const VALUE_OVERHEAD: usize = size_of::<Value>();

/// A set of tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables(u128);

impl Tables {
    fn insert(&mut self, table: usize) {
        self.0 |= 1 << table;
    }

    pub(crate) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let table = rest.trailing_zeros() as usize;
            if rest == 0 {
                return None;
            }
            rest &= rest - 1;
            Some(table)
        })
    }
}

/// The tables of one statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) read: Tables,
    pub(crate) changed: Tables,
}

/// The numbers of all tables at one time.
pub(crate) struct Numbers([u64; TABLES_MAX]);

/// Tables and the numbers they had.
type Under = Vec<(usize, u64)>;

/// The statement, by its address and length, which live as long as the process.
type StatementKey = (usize, usize);

fn statement_key(sql: &'static str) -> StatementKey {
    (sql.as_ptr() as usize, sql.len())
}

struct Answer {
    statement: StatementKey,
    params: Vec<Value>,
    rows: Vec<Row>,
    under: Under,
    bytes: usize,
}

/// The younger half of what is remembered and the older one, which goes when the younger is full.
#[derive(Default)]
struct Halves {
    young: HashMap<u64, Arc<Answer>, RandomState>,
    young_bytes: usize,
    old: HashMap<u64, Arc<Answer>, RandomState>,
}

/// What is remembered of one database.
pub(crate) struct Answers {
    numbers: [AtomicU64; TABLES_MAX],
    names: Mutex<HashMap<String, usize>>,
    halves: Mutex<Halves>,
    hasher: RandomState,
    /// How much may be remembered, in bytes; 0 remembers nothing.
    bytes_max: usize,
}

impl Answers {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            numbers: std::array::from_fn(|_| AtomicU64::new(0)),
            names: Mutex::default(),
            halves: Mutex::default(),
            hasher: RandomState::default(),
            bytes_max,
        })
    }

    pub(crate) fn is_off(&self) -> bool {
        self.bytes_max == 0
    }

    fn table(&self, name: &str) -> usize {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&table) = names.get(name) {
            return table;
        }
        let table = names.len().min(TABLES_MAX - 1);
        names.insert(name.to_owned(), table);
        table
    }

    /// To be called with everything SQLite wants to know whether a statement may do it.
    pub(crate) fn observe(
        &self,
        context: &AuthContext<'_>,
        touched: &Mutex<Touched>,
    ) -> Authorization {
        let mut touched = touched.lock().unwrap_or_else(PoisonError::into_inner);
        match context.action {
            AuthAction::Read { table_name, .. } => touched.read.insert(self.table(table_name)),
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. } => {
                touched.changed.insert(self.table(table_name));
            }
            _ => {}
        }
        Authorization::Allow
    }

    /// The numbers, before a snapshot begins.
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers(std::array::from_fn(|table| self.number(table)))
    }

    fn number(&self, table: usize) -> u64 {
        self.numbers.get(table).map_or(1, |number| number.load(Ordering::SeqCst))
    }

    fn are_current(&self, under: &[(usize, u64)]) -> bool {
        under.iter().all(|&(table, number)| self.number(table) == number)
    }

    /// To be held while a COMMIT that changes these tables runs.
    pub(crate) fn changing(self: &Arc<Self>, tables: Tables) -> Changing {
        self.step(tables);
        Changing { answers: Arc::clone(self), tables }
    }

    fn step(&self, tables: Tables) {
        for number in tables.iter().filter_map(|table| self.numbers.get(table)) {
            number.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn hash(&self, statement: StatementKey, params: &[Value]) -> u64 {
        self.hasher.hash_one((statement, params))
    }

    fn find(&self, sql: &'static str, params: &[Value]) -> Option<Arc<Answer>> {
        let statement = statement_key(sql);
        let hash = self.hash(statement, params);
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, is_old) = match halves.young.get(&hash) {
            Some(answer) => (Arc::clone(answer), false),
            None => (Arc::clone(halves.old.get(&hash)?), true),
        };
        let is_it = answer.statement == statement && answer.params == params;
        if !is_it || !self.are_current(&answer.under) {
            return None;
        }
        if is_old {
            halves.old.remove(&hash);
            self.insert(&mut halves, hash, Arc::clone(&answer));
        }
        Some(answer)
    }

    /// Remembers what a snapshot answered that began under `numbers`.
    pub(crate) fn keep(
        &self,
        sql: &'static str,
        params: &[Value],
        rows: &[Row],
        (read, numbers): (Tables, &Numbers),
    ) {
        let under: Under = read
            .iter()
            .filter_map(|table| numbers.0.get(table).map(|&number| (table, number)))
            .collect();
        let bytes = bytes_of(params, rows);
        let changes = under.iter().any(|(_, number)| number % 2 == 1);
        if changes || bytes > self.bytes_max / ANSWER_SHARE || !self.are_current(&under) {
            return;
        }
        let statement = statement_key(sql);
        let hash = self.hash(statement, params);
        let (params, rows) = (params.to_vec(), rows.to_vec());
        let answer = Arc::new(Answer { statement, params, rows, under, bytes });
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        self.insert(&mut halves, hash, answer);
    }

    fn insert(&self, halves: &mut Halves, hash: u64, answer: Arc<Answer>) {
        if halves.young_bytes + answer.bytes > self.bytes_max / 2 {
            halves.old = std::mem::take(&mut halves.young);
            halves.young_bytes = 0;
        }
        halves.young_bytes += answer.bytes;
        if let Some(replaced) = halves.young.insert(hash, answer) {
            halves.young_bytes -= replaced.bytes;
        }
    }

    /// A snapshot that has only what is remembered.
    pub(crate) fn recall(self: &Arc<Self>) -> RecalledTransaction {
        RecalledTransaction { answers: Arc::clone(self), seen: Vec::new() }
    }
}

fn bytes_of(params: &[Value], rows: &[Row]) -> usize {
    let values = rows.iter().flat_map(Row::columns).chain(params);
    let bytes: usize = values
        .map(|value| {
            VALUE_OVERHEAD
                + match value {
                    Value::Null | Value::Int(_) => 0,
                    Value::Text(text) => text.len(),
                    Value::Bytes(bytes) => bytes.len(),
                    Value::List(items) => {
                        items.iter().map(|item| item.len() + VALUE_OVERHEAD).sum()
                    }
                }
        })
        .sum();
    ANSWER_OVERHEAD + size_of_val(rows) + bytes
}

/// A COMMIT under way; what it changed is new once this is dropped.
pub(crate) struct Changing {
    answers: Arc<Answers>,
    tables: Tables,
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.answers.step(self.tables);
    }
}

/// A snapshot out of memory. What it answers was true at one moment: the tables of earlier answers
/// must still be what they were when a later one is given.
pub(crate) struct RecalledTransaction {
    answers: Arc<Answers>,
    seen: Under,
}

impl RecalledTransaction {
    fn answer(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, MetadataError> {
        let answer = self.answers.find(sql, params).ok_or_else(not_remembered)?;
        if !self.answers.are_current(&self.seen) {
            return Err(not_remembered());
        }
        for &pair in &answer.under {
            if !self.seen.contains(&pair) {
                self.seen.push(pair);
            }
        }
        Ok(answer.rows.clone())
    }
}

fn not_remembered() -> MetadataError {
    MetadataError::new(MetadataErrorKind::NotRemembered, "the answer is not remembered")
}

impl Transaction for RecalledTransaction {
    fn execute<'a>(
        &'a mut self,
        _sql: &'static str,
        _params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, MetadataError>> {
        Box::pin(async { Err(other("a snapshot cannot be written to")) })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, MetadataError>> {
        let answer = self.answer(sql, params);
        Box::pin(std::future::ready(answer))
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), MetadataError>> {
        Box::pin(async { Ok(()) })
    }
}
