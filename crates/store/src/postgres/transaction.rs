//! One transaction on one connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, pin_mut};
use tokio::sync::OwnedSemaphorePermit;
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind, Row, Transaction, Value};

use super::pool::{Pool, Pooled};
use super::{PostgresOptions, errors, values};
use crate::crash;
use crate::dialect::{self, Engine};

/// The query takes the snapshot now, not at the first statement.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";

/// Statements after the lock see what its last holder committed, because every statement of READ
/// COMMITTED has its own snapshot. The lock belongs to the schema in use, so that deployments may
/// share a database. A server that does not wait for its disk is told to wait for this one.
fn begin_write_sql(wait: Duration) -> String {
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SET LOCAL lock_timeout = {}; \
         SELECT CASE WHEN current_setting('synchronous_commit') = 'off' \
         THEN set_config('synchronous_commit', 'on', true) END; \
         SELECT pg_advisory_xact_lock({WRITER_LOCK}, hashtext(current_schema()))",
        wait.as_millis()
    )
}

/// The first half of the writers' lock; the second is the schema.
pub(super) const WRITER_LOCK: i32 = 0x0074_6f6e;

pub(super) struct PostgresTransaction {
    connection: Option<Pooled>,
    turn: Option<OwnedSemaphorePermit>,
    failed: bool,
    statement_timeout: Duration,
}

impl PostgresTransaction {
    pub(super) async fn begin_read(
        pool: &Arc<Pool>,
        options: &PostgresOptions,
    ) -> Result<Self, MetadataError> {
        Self::begin(pool, options, BEGIN_READ, None).await
    }

    pub(super) async fn begin_write(
        pool: &Arc<Pool>,
        options: &PostgresOptions,
        turn: OwnedSemaphorePermit,
    ) -> Result<Self, MetadataError> {
        Self::begin(pool, options, &begin_write_sql(options.writer_wait), Some(turn)).await
    }

    async fn begin(
        pool: &Arc<Pool>,
        options: &PostgresOptions,
        sql: &str,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, MetadataError> {
        let mut transaction = Self {
            connection: Some(pool.take().await?),
            turn,
            failed: false,
            statement_timeout: options.statement_timeout,
        };
        let timeout = options.statement_timeout + options.writer_wait;
        let mut begun = transaction.batch(sql, timeout).await;
        if begun.is_err() && transaction.connection().is_ok_and(|it| it.client().is_closed()) {
            // A connection that rested may have died unnoticed; nothing has been done on it.
            transaction.connection = None;
            transaction.connection = Some(pool.take_new().await?);
            begun = transaction.batch(sql, timeout).await;
        }
        begun?;
        Ok(transaction)
    }

    fn connection(&mut self) -> Result<&mut Pooled, MetadataError> {
        self.connection.as_mut().ok_or_else(|| errors::unavailable("the connection was given up"))
    }

    async fn batch(&mut self, sql: &str, timeout: Duration) -> Result<(), MetadataError> {
        let connection = self.connection()?;
        match tokio::time::timeout(timeout, connection.client().batch_execute(sql)).await {
            Ok(result) => result.map_err(errors::metadata_error),
            Err(_) => {
                self.connection = None;
                Err(errors::unavailable("the server did not answer in time"))
            }
        }
    }

    /// The rows and the number of rows changed.
    async fn run(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<(Vec<Row>, u64), MetadataError> {
        if self.failed {
            return Err(errors::other("an earlier statement of this transaction failed"));
        }
        // Until the answer is whole: a future that is dropped in between leaves it so.
        self.failed = true;
        let timeout = self.statement_timeout;
        let answer = match tokio::time::timeout(timeout, self.exchange(sql, params)).await {
            Ok(answer) => answer?,
            Err(_) => {
                self.connection = None;
                return Err(errors::unavailable("a statement took too long"));
            }
        };
        self.failed = false;
        Ok(answer)
    }

    async fn exchange(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<(Vec<Row>, u64), MetadataError> {
        let statement = dialect::statement(Engine::Postgres, sql)
            .map_err(|error| MetadataError::new(MetadataErrorKind::Other, error))?;
        let parameters = values::parameters(params, &statement.lists)?;
        let client = self.connection()?.client();
        let stream = client
            .query_typed_raw(&statement.sql, parameters)
            .await
            .map_err(errors::metadata_error)?;
        pin_mut!(stream);
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await {
            rows.push(values::row(&row.map_err(errors::metadata_error)?)?);
        }
        Ok((rows, stream.rows_affected().unwrap_or(0)))
    }

    async fn end(mut self) -> Result<(), MetadataError> {
        if self.failed {
            return Err(errors::other("a statement of this transaction failed"));
        }
        let writes = self.turn.is_some();
        if writes {
            crash::reached("commit");
        }
        self.batch("COMMIT", self.statement_timeout).await?;
        if writes {
            crash::reached("tell of the commit");
        }
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
        Ok(())
    }
}

impl Transaction for PostgresTransaction {
    fn execute<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, MetadataError>> {
        Box::pin(async move { Ok(self.run(sql, params).await?.1) })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, MetadataError>> {
        Box::pin(async move { Ok(self.run(sql, params).await?.0) })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), MetadataError>> {
        Box::pin((*self).end())
    }
}

/// Rolls back what was not committed. A COMMIT that was sent goes first on the connection, and the
/// ROLLBACK after it finds nothing.
impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // The next writer's turn comes when this one has let go of the lock.
        let turn = self.turn.take();
        let timeout = self.statement_timeout;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let rollback = connection.client().batch_execute("ROLLBACK");
                if let Ok(Ok(())) = tokio::time::timeout(timeout, rollback).await {
                    connection.give_back();
                }
                drop(turn);
            });
        }
    }
}
