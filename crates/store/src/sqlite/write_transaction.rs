//! A writing transaction of the domain: one member of a group.

use futures_util::future::BoxFuture;
use tonnage_domain::metadata::{MetadataError, Row, Transaction, Value};

use super::readers::finished;
use super::session::Session;
use super::writer::Turn;
use crate::group;

/// A member that is running.
pub(crate) struct WriteTransaction {
    /// `None` once the member has been released.
    turn: Option<Turn>,
    failed: bool,
}

impl WriteTransaction {
    pub(crate) fn begin(mut turn: Turn) -> Result<Self, MetadataError> {
        turn.writer()?.begin_member()?;
        Ok(Self { turn: Some(turn), failed: false })
    }

    fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, MetadataError>,
    ) -> Result<T, MetadataError> {
        if self.failed {
            return Err(finished());
        }
        let Some(turn) = &mut self.turn else { return Err(finished()) };
        let writer = turn.writer()?;
        let result = match writer.session() {
            // A connection that ended the transaction, or a new one, must not run anything
            // outside of it.
            Ok(session) if session.is_autocommit() => Err(finished()),
            Ok(session) => work(session),
            Err(error) => Err(super::errors::metadata_error(error)),
        };
        if result.is_err() {
            self.failed = true;
            writer.check_group();
        }
        result
    }
}

impl Drop for WriteTransaction {
    fn drop(&mut self) {
        if let Some(turn) = &mut self.turn
            && let Ok(writer) = turn.writer()
        {
            writer.roll_back_member();
        }
    }
}

impl Transaction for WriteTransaction {
    fn execute<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, MetadataError>> {
        Box::pin(async move { self.run(|session| session.execute(sql, params)) })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, MetadataError>> {
        Box::pin(async move { self.run(|session| session.query(sql, params)) })
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), MetadataError>> {
        Box::pin(async move {
            // A failed member rolls back by being dropped.
            if self.failed {
                return Err(finished());
            }
            let outcome = {
                let Some(turn) = &mut self.turn else { return Err(finished()) };
                turn.writer()?.release_member()?
            };
            // From here on the member belongs to the group, whoever listens.
            drop(self.turn.take());
            group::committed(outcome).await
        })
    }
}
