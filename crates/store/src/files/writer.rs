//! Writes one object.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tonnage_domain::objects::{ObjectError, ObjectId, ObjectWriter, SPAN_BYTES_MAX};

use super::claims::Claim;
use super::layout::ObjectPath;
use super::{Shared, on_blocking_thread};
use crate::disk;

/// A writer at the end of its object.
pub(crate) struct FileWriter {
    id: ObjectId,
    target: Arc<Target>,
    length: u64,
    /// A write or sync has begun and not succeeded: what the file holds is unknown.
    unfinished: bool,
    /// The name of the object is durable.
    named: bool,
}

/// What a blocking thread needs; it keeps the claim for as long as it works.
struct Target {
    file: File,
    path: ObjectPath,
    shared: Arc<Shared>,
    _claim: Claim,
}

impl FileWriter {
    pub(crate) fn new(
        id: ObjectId,
        file: File,
        path: ObjectPath,
        shared: Arc<Shared>,
        claim: Claim,
        length: u64,
    ) -> Self {
        let target = Arc::new(Target { file, path, shared, _claim: claim });
        Self { id, target, length, unfinished: false, named: false }
    }

    async fn run(
        &mut self,
        work: impl FnOnce(&Target) -> io::Result<()> + Send + 'static,
    ) -> Result<(), ObjectError> {
        if self.unfinished {
            return Err(ObjectError::new(
                &self.id,
                io::Error::other("an earlier write of this writer did not succeed"),
            ));
        }
        self.unfinished = true;
        let target = Arc::clone(&self.target);
        on_blocking_thread(&self.id, move || work(&target)).await?;
        self.unfinished = false;
        Ok(())
    }
}

impl ObjectWriter for FileWriter {
    fn write(&mut self, span: Bytes) -> BoxFuture<'_, Result<(), ObjectError>> {
        Box::pin(async move {
            if span.len() > SPAN_BYTES_MAX {
                let error = io::Error::new(io::ErrorKind::InvalidInput, "the span is too long");
                return Err(ObjectError::new(&self.id, error));
            }
            let (offset, end) = (self.length, self.length + span.len() as u64);
            self.run(move |target| disk::write_all_at(&target.file, &span, offset)).await?;
            self.length = end;
            Ok(())
        })
    }

    fn sync(&mut self) -> BoxFuture<'_, Result<(), ObjectError>> {
        Box::pin(async move {
            let named = self.named;
            self.run(move |target| {
                disk::sync(&target.file, &target.path.file)?;
                if named {
                    return Ok(());
                }
                target.shared.directories.sync(&target.shared.layout, &target.path)
            })
            .await?;
            self.named = true;
            Ok(())
        })
    }
}
