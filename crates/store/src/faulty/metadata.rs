//! A metadata database that fails as planned.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tonnage_domain::metadata::{
    Metadata, MetadataError, MetadataErrorKind, Mode, Row, Transaction, Value,
};

use super::plan::{Call, FaultPlan};

/// Wraps any metadata database.
pub struct FaultyMetadata {
    inner: Arc<dyn Metadata>,
    plan: Arc<FaultPlan>,
}

impl FaultyMetadata {
    /// Lets `inner` fail by `plan`.
    pub fn new(inner: Arc<dyn Metadata>, plan: Arc<FaultPlan>) -> Self {
        Self { inner, plan }
    }
}

impl FaultyMetadata {
    fn wrap(&self, inner: Box<dyn Transaction>, mode: Mode) -> Box<dyn Transaction> {
        let plan = Arc::clone(&self.plan);
        Box::new(FaultyTransaction { inner, plan, mode, failed: false })
    }
}

impl Metadata for FaultyMetadata {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            let call = match mode {
                Mode::Read => Call::BeginRead,
                Mode::Write => Call::BeginWrite,
            };
            if let Some(fault) = self.plan.next(call) {
                return Err(fault.metadata_error(call));
            }
            let inner = self.inner.begin(mode).await?;
            Ok(self.wrap(inner, mode))
        })
    }

    fn begin_remembered(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            if let Some(fault) = self.plan.next(Call::BeginRead) {
                return Err(fault.metadata_error(Call::BeginRead));
            }
            Ok(self.wrap(self.inner.begin_remembered().await?, Mode::Read))
        })
    }

    /// What is in memory does not fail.
    fn recall(&self) -> Option<Box<dyn Transaction>> {
        self.inner.recall()
    }
}

struct FaultyTransaction {
    inner: Box<dyn Transaction>,
    plan: Arc<FaultPlan>,
    mode: Mode,
    failed: bool,
}

impl FaultyTransaction {
    fn check(&mut self, call: Call) -> Result<(), MetadataError> {
        if self.failed {
            return Err(finished());
        }
        match self.plan.next(call) {
            Some(fault) => {
                self.failed = true;
                Err(fault.metadata_error(call))
            }
            None => Ok(()),
        }
    }
}

fn finished() -> MetadataError {
    MetadataError::new(MetadataErrorKind::Other, "a statement of this transaction has failed")
}

impl Transaction for FaultyTransaction {
    fn execute<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, MetadataError>> {
        Box::pin(async move {
            self.check(Call::Execute)?;
            self.inner.execute(sql, params).await
        })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, MetadataError>> {
        Box::pin(async move {
            self.check(Call::Query)?;
            self.inner.query(sql, params).await
        })
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), MetadataError>> {
        Box::pin(async move {
            if self.mode == Mode::Read {
                return if self.failed { Err(finished()) } else { self.inner.commit().await };
            }
            self.check(Call::CommitBefore)?;
            let after = self.plan.next(Call::CommitAfterDurable);
            self.inner.commit().await?;
            match after {
                Some(fault) => Err(fault.metadata_error(Call::CommitAfterDurable)),
                None => Ok(()),
            }
        })
    }
}
