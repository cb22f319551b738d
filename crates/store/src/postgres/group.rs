//! One PostgreSQL transaction whose savepoints are transactions of the domain.
//!
//! What ends a member and what begins the next one are not sent by themselves: they are owed, and
//! go ahead of the next statement in the same flight, so a member costs one round trip for each of
//! its statements and its share of the group's BEGIN and COMMIT.
//!
//! A failure fails everything that follows it: a transaction in which a control statement failed
//! is aborted, each savepoint has a name of its own, so that no later control can mean an earlier
//! member, and COMMIT goes in one message behind the controls that are owed, which fail in an
//! aborted transaction where COMMIT alone would quietly roll back.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use futures_util::{StreamExt, pin_mut};
use tokio::sync::oneshot;
use tokio_postgres::Client;
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind, Row, Value};

use super::pool::{Pool, Pooled};
use super::{PostgresOptions, errors, values};
use crate::crash;
use crate::dialect::{self, Engine, Statement};
use crate::group::{Failure, Member};

/// The first half of the writers' lock; the second is the schema.
pub(super) const WRITER_LOCK: i32 = 0x0074_6f6e;

/// How much longer than the server we wait before a connection is given up: the server's own bound
/// costs one statement, ours costs the group.
const GRACE: Duration = Duration::from_secs(5);

/// Statements after the lock see what its last holder committed, because every statement of READ
/// COMMITTED has its own snapshot. The lock belongs to the schema in use, so that deployments may
/// share a database. A server that does not wait for its disk is told to wait for this one.
fn begin_sql(options: &PostgresOptions) -> String {
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SET LOCAL lock_timeout = {}; \
         SELECT CASE WHEN current_setting('synchronous_commit') = 'off' \
         THEN set_config('synchronous_commit', 'on', true) END; \
         SELECT pg_advisory_xact_lock({WRITER_LOCK}, hashtext(current_schema())); \
         SET LOCAL statement_timeout = {}",
        options.writer_wait.as_millis(),
        options.statement_timeout.as_millis()
    )
}

/// An open group.
pub(super) struct Group {
    /// `None` when it was given up, which rolls everything back.
    connection: Option<Pooled>,
    /// Why nothing of this group will be committed.
    failure: Option<Failure>,
    /// Control statements that go ahead of the next statement.
    owed: String,
    /// The number of the member that runs, or ran last.
    number: u32,
    /// Whether that member's savepoint was asked for.
    begun: bool,
    /// Members that have released their savepoint and await COMMIT.
    members: Vec<Member>,
    patience: Duration,
}

impl Group {
    /// Takes a connection and waits for the lock.
    pub(super) async fn open(
        pool: &Arc<Pool>,
        options: &PostgresOptions,
    ) -> Result<Box<Self>, MetadataError> {
        let sql = begin_sql(options);
        let connection = pool.begin(&sql, options.statement_timeout + options.writer_wait).await?;
        Ok(Box::new(Self {
            connection: Some(connection),
            failure: None,
            owed: String::new(),
            number: 0,
            begun: false,
            members: Vec::new(),
            patience: options.statement_timeout + GRACE,
        }))
    }

    /// Whether a further member makes sense.
    pub(super) fn is_sound(&self) -> bool {
        self.failure.is_none() && self.connection.is_some()
    }

    /// How many members await COMMIT.
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    /// Prepares for the next member; its savepoint is made ahead of its first statement.
    pub(super) fn begin_member(&mut self) {
        self.number += 1;
        self.begun = false;
    }

    /// Makes the member part of the group. The receiver tells how COMMIT went.
    pub(super) fn release_member(&mut self) -> oneshot::Receiver<Result<(), Failure>> {
        if self.begun {
            let number = self.number;
            self.owe(format_args!("RELEASE SAVEPOINT member_{number}; "));
        }
        let (sender, receiver) = oneshot::channel();
        self.members.push(sender);
        receiver
    }

    /// Undoes the member and nothing else. A statement of it that is still under way comes first.
    pub(super) fn roll_back_member(&mut self) {
        if self.begun {
            let number = self.number;
            self.owe(format_args!(
                "ROLLBACK TO SAVEPOINT member_{number}; RELEASE SAVEPOINT member_{number}; "
            ));
        }
    }

    fn owe(&mut self, control: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.owed.write_fmt(control);
    }

    /// Runs a statement of the member: its rows, and how many it changed.
    pub(super) async fn run(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<(Vec<Row>, u64), MetadataError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        let statement = translated(sql)?;
        if !self.begun {
            self.begun = true;
            let number = self.number;
            self.owe(format_args!("SAVEPOINT member_{number}; "));
        }
        let owed = std::mem::take(&mut self.owed);
        let patience = self.patience;
        let Some(connection) = &mut self.connection else { return Err(given_up()) };
        let client = connection.client();
        // Both are sent at the first poll, in this order, and nobody can drop this in between.
        let flight = async {
            if owed.is_empty() {
                return (Ok(()), exchange(client, &statement, params).await);
            }
            join(client.batch_execute(&owed), exchange(client, &statement, params)).await
        };
        let (controls, answer) = match tokio::time::timeout(patience, flight).await {
            Ok(answered) => answered,
            Err(_) => {
                self.connection = None;
                let error = errors::unavailable("the server did not answer in time");
                self.failure = Some(Failure::from(&error));
                return Err(error);
            }
        };
        if let Err(error) = controls {
            let error = errors::metadata_error(error);
            self.failure = Some(Failure::from(&error));
            return Err(error);
        }
        if let Err(error) = &answer
            && errors::ends_connection(error)
        {
            self.failure = Some(Failure::from(error));
        }
        answer
    }

    /// COMMIT, which waits for the server's disk. Tells every member how it went.
    pub(super) async fn commit(mut self) {
        let outcome = match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.end().await.map_err(|error| Failure::from(&error)),
        };
        if let Err(failure) = &outcome
            && !self.members.is_empty()
        {
            tracing::error!(error = %failure, members = self.members.len(), "COMMIT failed");
        }
        for member in self.members.drain(..) {
            // A member whose future was dropped does not listen any more.
            let _ = member.send(outcome.clone());
        }
    }

    async fn end(&mut self) -> Result<(), MetadataError> {
        let Some(mut connection) = self.connection.take() else { return Err(given_up()) };
        let sql = if self.members.is_empty() {
            // Whatever the controls would say, there is nothing to keep.
            "ROLLBACK".to_owned()
        } else {
            format!("{}COMMIT", self.owed)
        };
        crash::reached("commit");
        // Dropping the connection rolls back what is not committed.
        connection.batch(&sql, self.patience).await?;
        crash::reached("tell of the commit");
        connection.give_back();
        Ok(())
    }
}

fn given_up() -> MetadataError {
    errors::unavailable("the connection was given up")
}

fn translated(sql: &'static str) -> Result<Statement, MetadataError> {
    dialect::statement(Engine::Postgres, sql)
        .map_err(|error| MetadataError::new(MetadataErrorKind::Other, error))
}

/// Sends one statement and reads its answer.
async fn exchange(
    client: &Client,
    statement: &Statement,
    params: &[Value],
) -> Result<(Vec<Row>, u64), MetadataError> {
    let parameters = values::parameters(params, &statement.lists)?;
    let stream =
        client.query_typed_raw(&statement.sql, parameters).await.map_err(errors::metadata_error)?;
    pin_mut!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.next().await {
        rows.push(values::row(&row.map_err(errors::metadata_error)?)?);
    }
    Ok((rows, stream.rows_affected().unwrap_or(0)))
}

/// As [`Group::run`] for a transaction that shares nothing.
pub(super) async fn run_alone(
    connection: &mut Pooled,
    sql: &'static str,
    params: &[Value],
    patience: Duration,
) -> Result<(Vec<Row>, u64), MetadataError> {
    let statement = translated(sql)?;
    tokio::time::timeout(patience, exchange(connection.client(), &statement, params))
        .await
        .map_err(|_| errors::unavailable("a statement took too long"))?
}
