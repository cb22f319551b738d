//! Transactions of the domain: a snapshot on a connection of its own, or a member of a group.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tonnage_domain::metadata::{MetadataError, Row, Transaction, Value};

use super::pool::{Pool, Pooled};
use super::writer::Turn;
use super::{PostgresOptions, errors, group};

/// The query takes the snapshot now, not at the first statement.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";

type Answer = (Vec<Row>, u64);

fn finished() -> MetadataError {
    errors::other("an earlier statement of this transaction failed")
}

/// A snapshot.
pub(super) struct ReadTransaction {
    /// `None` when it was given up or given back.
    connection: Option<Pooled>,
    failed: bool,
    statement_timeout: Duration,
}

impl ReadTransaction {
    pub(super) async fn begin(
        pool: &Arc<Pool>,
        options: &PostgresOptions,
    ) -> Result<Self, MetadataError> {
        let statement_timeout = options.statement_timeout;
        let connection = pool.begin(BEGIN_READ, statement_timeout).await?;
        Ok(Self { connection: Some(connection), failed: false, statement_timeout })
    }

    async fn run(&mut self, sql: &'static str, params: &[Value]) -> Result<Answer, MetadataError> {
        if self.failed {
            return Err(finished());
        }
        // Until the answer is whole: a future that is dropped in between leaves it so.
        self.failed = true;
        let Some(connection) = &mut self.connection else { return Err(finished()) };
        let answer = group::run_alone(connection, sql, params, self.statement_timeout).await?;
        self.failed = false;
        Ok(answer)
    }

    async fn end(mut self) -> Result<(), MetadataError> {
        if self.failed {
            return Err(finished());
        }
        let Some(connection) = &mut self.connection else { return Err(finished()) };
        connection.batch("COMMIT", self.statement_timeout).await?;
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
        Ok(())
    }
}

impl Transaction for ReadTransaction {
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

/// Ends the snapshot behind whatever is still under way on its connection.
impl Drop for ReadTransaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let timeout = self.statement_timeout;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if connection.batch("ROLLBACK", timeout).await.is_ok() {
                    connection.give_back();
                }
            });
        }
    }
}

/// A member of a group; dropping it rolls it back and nothing else.
pub(super) struct WriteTransaction {
    turn: Turn,
    failed: bool,
}

impl WriteTransaction {
    pub(super) fn new(turn: Turn) -> Self {
        Self { turn, failed: false }
    }

    async fn run(&mut self, sql: &'static str, params: &[Value]) -> Result<Answer, MetadataError> {
        if self.failed {
            return Err(finished());
        }
        // Until the answer is whole: a future that is dropped in between leaves it so.
        self.failed = true;
        let answer = self.turn.group()?.run(sql, params).await?;
        self.failed = false;
        Ok(answer)
    }
}

impl Transaction for WriteTransaction {
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
        Box::pin(async move {
            if self.failed {
                return Err(finished());
            }
            self.turn.commit().await
        })
    }
}
