//! A directory of backups that fails as planned.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tonnage_domain::backup::{Vault, VaultError, VaultReader, VaultWriter};

use super::plan::{Call, FaultPlan};

/// Wraps any directory of backups. Its calls count as those of objects: [`Call::Create`],
/// [`Call::Write`], [`Call::Sync`] (which is `finish`), [`Call::Open`], [`Call::Read`] and
/// [`Call::Delete`].
pub struct FaultyVault {
    inner: Arc<dyn Vault>,
    plan: Arc<FaultPlan>,
}

impl FaultyVault {
    /// Lets `inner` fail by `plan`.
    pub fn new(inner: Arc<dyn Vault>, plan: Arc<FaultPlan>) -> Self {
        Self { inner, plan }
    }
}

fn check(plan: &FaultPlan, call: Call, path: &str) -> Result<(), VaultError> {
    plan.next(call).map_or(Ok(()), |fault| Err(VaultError::new(path, fault.io_error(call))))
}

impl Vault for FaultyVault {
    fn names<'a>(&'a self, directory: &'a str) -> BoxFuture<'a, Result<Vec<String>, VaultError>> {
        self.inner.names(directory)
    }

    fn size<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u64>, VaultError>> {
        self.inner.size(path)
    }

    fn open<'a>(
        &'a self,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn VaultReader>, VaultError>> {
        Box::pin(async move {
            check(&self.plan, Call::Open, path)?;
            let inner = self.inner.open(path).await?;
            let (path, plan) = (path.to_owned(), Arc::clone(&self.plan));
            Ok(Box::new(FaultyReader { path, inner, plan }) as Box<dyn VaultReader>)
        })
    }

    fn create<'a>(
        &'a self,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn VaultWriter>, VaultError>> {
        Box::pin(async move {
            check(&self.plan, Call::Create, path)?;
            let inner = self.inner.create(path).await?;
            let (path, plan) = (path.to_owned(), Arc::clone(&self.plan));
            Ok(Box::new(FaultyWriter { path, inner, plan }) as Box<dyn VaultWriter>)
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), VaultError>> {
        Box::pin(async move {
            check(&self.plan, Call::Delete, path)?;
            self.inner.remove(path).await
        })
    }
}

struct FaultyReader {
    path: String,
    inner: Box<dyn VaultReader>,
    plan: Arc<FaultPlan>,
}

impl VaultReader for FaultyReader {
    fn read(&mut self, length: usize) -> BoxFuture<'_, Result<Bytes, VaultError>> {
        Box::pin(async move {
            check(&self.plan, Call::Read, &self.path)?;
            self.inner.read(length).await
        })
    }
}

struct FaultyWriter {
    path: String,
    inner: Box<dyn VaultWriter>,
    plan: Arc<FaultPlan>,
}

impl VaultWriter for FaultyWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), VaultError>> {
        Box::pin(async move {
            if let Some(fault) = self.plan.next(Call::Write) {
                // As a disk that fills up in the middle.
                self.inner.write(bytes.slice(..bytes.len() / 2)).await?;
                return Err(VaultError::new(self.path.clone(), fault.io_error(Call::Write)));
            }
            self.inner.write(bytes).await
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), VaultError>> {
        let Self { path, inner, plan } = *self;
        Box::pin(async move {
            check(&plan, Call::Sync, &path)?;
            inner.finish().await
        })
    }
}
