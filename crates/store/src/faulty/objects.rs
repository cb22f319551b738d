//! An object store that fails as planned.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tonnage_domain::objects::{ObjectError, ObjectId, ObjectReader, ObjectWriter, Objects};

use super::plan::{Call, FaultPlan};

/// Wraps any object store.
pub struct FaultyObjects {
    inner: Arc<dyn Objects>,
    plan: Arc<FaultPlan>,
}

impl FaultyObjects {
    /// Lets `inner` fail by `plan`.
    pub fn new(inner: Arc<dyn Objects>, plan: Arc<FaultPlan>) -> Self {
        Self { inner, plan }
    }

    fn writer(&self, id: &ObjectId, inner: Box<dyn ObjectWriter>) -> Box<dyn ObjectWriter> {
        let (id, plan) = (id.clone(), Arc::clone(&self.plan));
        Box::new(FaultyWriter { id, inner, plan, failed: false })
    }
}

fn check(plan: &FaultPlan, call: Call, id: &ObjectId) -> Result<(), ObjectError> {
    plan.next(call).map_or(Ok(()), |fault| Err(fault.object_error(call, id)))
}

impl Objects for FaultyObjects {
    fn identity(&self) -> &str {
        self.inner.identity()
    }

    fn create(&self, id: &ObjectId) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            check(&self.plan, Call::Create, &id)?;
            Ok(self.writer(&id, self.inner.create(&id).await?))
        })
    }

    fn create_archived(
        &self,
        id: &ObjectId,
    ) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            check(&self.plan, Call::Create, &id)?;
            Ok(self.writer(&id, self.inner.create_archived(&id).await?))
        })
    }

    fn resume(
        &self,
        id: &ObjectId,
        length: u64,
    ) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            check(&self.plan, Call::Resume, &id)?;
            Ok(self.writer(&id, self.inner.resume(&id, length).await?))
        })
    }

    fn open(&self, id: &ObjectId) -> BoxFuture<'_, Result<Box<dyn ObjectReader>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            check(&self.plan, Call::Open, &id)?;
            let inner = self.inner.open(&id).await?;
            let plan = Arc::clone(&self.plan);
            Ok(Box::new(FaultyReader { id, inner, plan }) as Box<dyn ObjectReader>)
        })
    }

    fn delete(&self, id: &ObjectId) -> BoxFuture<'_, Result<(), ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            check(&self.plan, Call::Delete, &id)?;
            self.inner.delete(&id).await
        })
    }
}

struct FaultyWriter {
    id: ObjectId,
    inner: Box<dyn ObjectWriter>,
    plan: Arc<FaultPlan>,
    failed: bool,
}

impl FaultyWriter {
    fn refuse_after_failure(&self) -> Result<(), ObjectError> {
        if self.failed {
            let error = std::io::Error::other("an earlier write of this writer did not succeed");
            return Err(ObjectError::new(&self.id, error));
        }
        Ok(())
    }
}

impl ObjectWriter for FaultyWriter {
    fn write(&mut self, span: Bytes) -> BoxFuture<'_, Result<(), ObjectError>> {
        Box::pin(async move {
            self.refuse_after_failure()?;
            if let Some(fault) = self.plan.next(Call::Write) {
                self.failed = true;
                // As a disk that fills up in the middle of a span.
                self.inner.write(span.slice(..span.len() / 2)).await?;
                return Err(fault.object_error(Call::Write, &self.id));
            }
            self.inner.write(span).await
        })
    }

    fn sync(&mut self) -> BoxFuture<'_, Result<(), ObjectError>> {
        Box::pin(async move {
            self.refuse_after_failure()?;
            if let Some(fault) = self.plan.next(Call::Sync) {
                self.failed = true;
                return Err(fault.object_error(Call::Sync, &self.id));
            }
            self.inner.sync().await
        })
    }
}

struct FaultyReader {
    id: ObjectId,
    inner: Box<dyn ObjectReader>,
    plan: Arc<FaultPlan>,
}

impl ObjectReader for FaultyReader {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, offset: u64, length: usize) -> BoxFuture<'_, Result<Bytes, ObjectError>> {
        Box::pin(async move {
            check(&self.plan, Call::Read, &self.id)?;
            self.inner.read_at(offset, length).await
        })
    }
}
