//! One connection: its settings, its translated statements, its parameters and rows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, ffi};
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind, Row, Value};

use super::SqliteOptions;
use super::answers::{Answers, Tables, Touched};
use super::errors::{metadata_error, other};
use crate::dialect::{self, Engine, Statement};

/// How many prepared statements a connection keeps. The domain's statements are constants, a few
/// hundred of them.
const PREPARED_STATEMENTS_MAX: usize = 512;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Reader,
    Writer,
    /// Changes neither the file nor what lies beside it.
    Onlooker,
    /// The same for a database that nobody uses and that has no write-ahead log: SQLite would make
    /// one to read it.
    LoneOnlooker,
}

/// The URI of a database that does not change while it is read
/// (<https://www.sqlite.org/uri.html>).
fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + "?immutable=1"
}

/// A connection with everything that makes its use cheap.
pub(crate) struct Session {
    connection: Connection,
    /// Keyed by the address and length of the statement, which live as long as the process.
    translated: HashMap<(usize, usize), Known>,
    /// What SQLite told of the statement it compiled last.
    compiled: Arc<Mutex<Touched>>,
    /// The tables of the statement that was prepared last.
    last: Touched,
    /// The tables that statements changed since [`Session::take_changed`].
    changed: Tables,
}

/// A statement that was compiled once.
struct Known {
    statement: Statement,
    touched: Touched,
}

impl Session {
    /// Opens the database at `path`, which must exist, for `role`.
    pub(crate) fn open(
        path: &Path,
        role: Role,
        options: &SqliteOptions,
        answers: &Arc<Answers>,
    ) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | flags;
        // Without SQLITE_OPEN_URI, so that no path is ever read as a URI with parameters.
        let mut connection = match role {
            Role::Reader | Role::Writer => {
                Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | flags)?
            }
            Role::Onlooker => Connection::open_with_flags(path, read_only)?,
            Role::LoneOnlooker => Connection::open_with_flags(
                immutable(path),
                read_only | OpenFlags::SQLITE_OPEN_URI,
            )?,
        };
        connection.busy_timeout(options.busy_timeout)?;
        if role == Role::Writer {
            // A change of mode is refused by answering with the old one.
            let mode: String =
                connection
                    .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            if mode != "wal" {
                return Err(rusqlite::Error::SqliteFailure(
                    ffi::Error::new(ffi::SQLITE_CANTOPEN),
                    Some(format!("the file system allows journal mode `{mode}`, but not WAL")),
                ));
            }
        }
        let synchronous = if options.durable { "FULL" } else { "OFF" };
        let cache_kib = match role {
            Role::Writer => options.writer_cache_kib,
            Role::Reader | Role::Onlooker | Role::LoneOnlooker => options.reader_cache_kib,
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.pragma_update(None, "cell_size_check", "ON")?;
        // A fault on a mapped page would be a signal, not an error.
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
        connection.pragma_update(None, "journal_size_limit", options.wal_bytes_kept)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "query_only", role != Role::Writer)?;
        // A plan that depends on what is bound would be made again for every new value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS_MAX);
        let compiled = Arc::new(Mutex::new(Touched::default()));
        let (answers, observed) = (Arc::clone(answers), Arc::clone(&compiled));
        connection.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| {
            answers.observe(&context, &observed)
        }))?;
        Ok(Self {
            connection,
            translated: HashMap::new(),
            compiled,
            last: Touched::default(),
            changed: Tables::default(),
        })
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The tables that the statement that ran last reads.
    pub(crate) fn read_last(&self) -> Tables {
        self.last.read
    }

    /// The tables that may have changed since this was called before.
    pub(crate) fn take_changed(&mut self) -> Tables {
        std::mem::take(&mut self.changed)
    }

    /// Whether no transaction is open; SQLite closes one by itself on some failures.
    pub(crate) fn is_autocommit(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Runs a statement of our own that has neither parameters nor rows that matter.
    pub(crate) fn control(&self, sql: &'static str) -> Result<(), rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Runs a statement of the domain and returns how many rows it changed.
    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, MetadataError> {
        let mut statement = self.prepare(sql, params)?;
        let changed = statement.raw_execute().map_err(metadata_error)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    /// Runs a query of the domain.
    pub(crate) fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, MetadataError> {
        let mut statement = self.prepare(sql, params)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut result = Vec::new();
        while let Some(row) = rows.next().map_err(metadata_error)? {
            let mut values = Vec::with_capacity(columns);
            for index in 0..columns {
                values.push(column(index, row.get_ref(index).map_err(metadata_error)?)?);
            }
            result.push(Row::new(values));
        }
        Ok(result)
    }

    fn prepare(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<CachedStatement<'_>, MetadataError> {
        let translated = match self.translated.entry((sql.as_ptr() as usize, sql.len())) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let statement = dialect::statement(Engine::Sqlite, sql)
                    .map_err(|error| other(format!("{error}: {sql}")))?;
                // Compiled here for what SQLite tells of it; the cache may have it already.
                *self.compiled.lock().unwrap_or_else(PoisonError::into_inner) = Touched::default();
                self.connection.prepare(&statement.sql).map_err(metadata_error)?;
                let touched = *self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
                entry.insert(Known { statement, touched })
            }
        };
        self.last = translated.touched;
        self.changed.add(translated.touched.changed);
        let translated = &translated.statement;
        let mut statement =
            self.connection.prepare_cached(&translated.sql).map_err(metadata_error)?;
        if statement.parameter_count() != params.len() {
            return Err(other(format!(
                "{} parameters given for {}: {sql}",
                params.len(),
                statement.parameter_count()
            )));
        }
        for (position, value) in params.iter().enumerate() {
            let number = position + 1;
            if matches!(value, Value::List(_)) != translated.lists.contains(&number) {
                return Err(other(format!("parameter {number} and IN_LIST do not agree: {sql}")));
            }
            statement.raw_bind_parameter(number, bound(value)?).map_err(metadata_error)?;
        }
        Ok(statement)
    }
}

fn bound(value: &Value) -> Result<ToSqlOutput<'_>, MetadataError> {
    Ok(match value {
        Value::Null => ToSqlOutput::Owned(Owned::Null),
        Value::Int(value) => ToSqlOutput::Owned(Owned::Integer(*value)),
        Value::Text(text) => {
            refuse_nul(text)?;
            ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
        }
        Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        Value::List(items) => {
            for item in items {
                refuse_nul(item)?;
            }
            let json = serde_json::to_string(items)
                .map_err(|error| MetadataError::new(MetadataErrorKind::Other, error))?;
            ToSqlOutput::Owned(Owned::Text(json))
        }
    })
}

/// PostgreSQL cannot store it, and SQLite's own functions stop at it.
fn refuse_nul(text: &str) -> Result<(), MetadataError> {
    if text.contains('\0') {
        return Err(MetadataError::new(
            MetadataErrorKind::Constraint,
            "a text parameter contains NUL",
        ));
    }
    Ok(())
}

fn column(index: usize, value: ValueRef<'_>) -> Result<Value, MetadataError> {
    let corrupt = |message: String| MetadataError::new(MetadataErrorKind::Corrupt, message);
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(bytes) => Value::Text(
            std::str::from_utf8(bytes)
                .map_err(|_| corrupt(format!("column {index} is not UTF-8")))?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(corrupt(format!("column {index} is a fraction"))),
    })
}
