//! The metadata executor: what a database must offer, and nothing of what is kept in it.
//!
//! Feature folders own their SQL as free functions over a [`Transaction`]; one text serves every
//! engine. The dialect is what SQLite and PostgreSQL share, with these rules:
//! - parameters are `$1`, `$2`, …; a parameter whose type the engine cannot infer is written
//!   `CAST($1 AS TEXT)` or `CAST($1 AS BIGINT)`;
//! - `IN_LIST($1)` stands for membership in a parameter built with [`Value::list`]; every engine
//!   replaces it by its own form;
//! - times are BIGINT milliseconds since 1970, truth values are BIGINT 0 and 1, documents are TEXT;
//! - text never contains NUL.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// Whether a transaction may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A consistent snapshot; writing fails.
    Read,
    /// May write. On engines with a single writer this waits for its turn, so nothing that takes
    /// time (a request body, a blob object, a network) may be awaited while it is open.
    Write,
}

/// A metadata database. Implemented by the store crate for each engine and by fault injectors.
pub trait Metadata: Send + Sync + 'static {
    /// Opens a transaction. Dropping it without [`Transaction::commit`] rolls it back.
    ///
    /// # Errors
    /// [`MetadataErrorKind::Unavailable`] when no connection can be had within the engine's bound.
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>>;

    /// Opens a snapshot in [`Mode::Read`] whose answers [`Metadata::recall`] may give again. For
    /// what is read over and over; what a listing or a job reads once would only take the room.
    ///
    /// # Errors
    /// As [`Metadata::begin`].
    fn begin_remembered(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        self.begin(Mode::Read)
    }

    /// A snapshot made of remembered answers only, which waits for nothing. It is one of a moment
    /// after this call: everything acknowledged before is in it. A query whose answer is not known
    /// to be part of that snapshot fails with [`MetadataErrorKind::NotRemembered`]; the reader then
    /// starts over with [`Metadata::begin_remembered`]. `None` from engines that remember nothing.
    fn recall(&self) -> Option<Box<dyn Transaction>> {
        None
    }
}

/// One open transaction.
///
/// Transactions that write may share a commit, and one may see what another of its group wrote
/// before that is committed. Whoever acknowledges anything from a [`Mode::Write`] transaction
/// therefore commits it first, even if it changed nothing; an answer from a dropped one may tell of
/// a state that never came to be. For the same reason nothing begins a second transaction while it
/// holds one that writes.
pub trait Transaction: Send {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// A failed statement leaves the transaction usable only for being dropped.
    fn execute<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, MetadataError>>;

    /// Runs a query and returns all its rows; the SQL bounds their number.
    ///
    /// # Errors
    /// As [`Transaction::execute`].
    fn query<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, MetadataError>>;

    /// Commits. When this returns `Ok`, the changes survive a power failure and every later
    /// transaction sees them; when it returns an error, nobody ever sees them.
    ///
    /// # Errors
    /// Any; the changes are then gone.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), MetadataError>>;
}

/// One column of a row, or one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BYTEA.
    Bytes(Vec<u8>),
    /// The parameter of `IN_LIST`; never a column.
    List(Vec<String>),
}

impl Value {
    /// A list of texts for `IN_LIST($n)`.
    pub fn list<I: IntoIterator<Item = S>, S: ToString>(items: I) -> Self {
        Self::List(items.into_iter().map(|item| item.to_string()).collect())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}
impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Builds the parameters of a statement: `params![name, size, Value::Null]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::metadata::Value::from($value)),*] };
}

/// One row of a result, columns in the order of the SELECT. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Arc<[Value]>);

impl Row {
    /// A row of these columns.
    pub fn new(columns: Vec<Value>) -> Self {
        Self(columns.into())
    }

    /// Its columns, borrowed.
    pub fn columns(&self) -> &[Value] {
        &self.0
    }

    /// Column `index` as `T`.
    ///
    /// # Errors
    /// When the column is absent or of another type: the SQL and the code disagree.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T, MetadataError> {
        self.0
            .get(index)
            .and_then(T::from_column)
            .ok_or_else(|| MetadataError::new(MetadataErrorKind::Corrupt, ColumnMismatch { index }))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("column {index} of a result is absent or of an unexpected type")]
struct ColumnMismatch {
    index: usize,
}

/// A Rust type that a column can become.
pub trait FromColumn: Sized {
    /// The value, or `None` when the column has another type.
    fn from_column(value: &Value) -> Option<Self>;
}

impl FromColumn for i64 {
    fn from_column(value: &Value) -> Option<Self> {
        match value {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }
}
impl FromColumn for u64 {
    fn from_column(value: &Value) -> Option<Self> {
        i64::from_column(value).and_then(|value| u64::try_from(value).ok())
    }
}
impl FromColumn for u32 {
    fn from_column(value: &Value) -> Option<Self> {
        i64::from_column(value).and_then(|value| u32::try_from(value).ok())
    }
}
impl FromColumn for bool {
    fn from_column(value: &Value) -> Option<Self> {
        i64::from_column(value).map(|value| value != 0)
    }
}
impl FromColumn for String {
    fn from_column(value: &Value) -> Option<Self> {
        match value {
            Value::Text(value) => Some(value.clone()),
            _ => None,
        }
    }
}
impl FromColumn for Vec<u8> {
    fn from_column(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(value) => Some(value.clone()),
            _ => None,
        }
    }
}
impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_column(other).map(Some),
        }
    }
}

/// What went wrong in the database, as far as the domain reacts to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataErrorKind {
    /// A unique or primary key exists already.
    Duplicate,
    /// A foreign key or a check does not hold.
    Constraint,
    /// The disk or the quota is full; nothing was changed.
    Full,
    /// Not reachable or too busy; trying again may help.
    Unavailable,
    /// Stored data does not have the expected form.
    Corrupt,
    /// A snapshot of remembered answers does not have this one. Nothing is wrong.
    NotRemembered,
    /// Anything else.
    Other,
}

/// A failure of the database. Its text is for the operator only.
#[derive(Debug)]
pub struct MetadataError {
    kind: MetadataErrorKind,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl MetadataError {
    /// A failure of this kind, caused by `source`.
    pub fn new(
        kind: MetadataErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, source: source.into() }
    }

    /// The kind.
    pub fn kind(&self) -> MetadataErrorKind {
        self.kind
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            MetadataErrorKind::Duplicate => "the row exists already",
            MetadataErrorKind::Constraint => "a constraint of the schema does not hold",
            MetadataErrorKind::Full => "no space left for metadata",
            MetadataErrorKind::Unavailable => "the metadata database is unavailable",
            MetadataErrorKind::Corrupt => "stored metadata has an unexpected form",
            MetadataErrorKind::NotRemembered => "the answer is not remembered",
            MetadataErrorKind::Other => "the metadata database failed",
        })
    }
}

impl std::error::Error for MetadataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}
