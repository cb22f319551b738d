//! Reads one object.
//!
//! What the page cache holds is read on the calling task (`preadv2` with `RWF_NOWAIT`, Linux 4.14);
//! only what is not there goes to a blocking thread.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rustix::io::{Errno, ReadWriteFlags};
use tonnage_domain::objects::{ObjectError, ObjectId, ObjectReader, SPAN_BYTES_MAX};

use super::on_blocking_thread;

/// An open object.
pub(crate) struct FileReader {
    id: ObjectId,
    file: Arc<File>,
    size: u64,
    /// Whether the file system can say that a read would block.
    nowait: AtomicBool,
}

impl FileReader {
    pub(crate) fn new(id: ObjectId, file: File, size: u64) -> Self {
        Self { id, file: Arc::new(file), size, nowait: AtomicBool::new(true) }
    }

    /// Reads what is cached, and returns how much that was.
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            if !self.nowait.load(Ordering::Relaxed) {
                break;
            }
            let mut spans = [IoSliceMut::new(rest)];
            let at = offset + done as u64;
            match rustix::io::preadv2(&self.file, &mut spans, at, ReadWriteFlags::NOWAIT) {
                Ok(0) => return Err(cut_short()),
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    self.nowait.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }
}

impl ObjectReader for FileReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> BoxFuture<'_, Result<Bytes, ObjectError>> {
        Box::pin(async move {
            let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
            let length = length.min(SPAN_BYTES_MAX).min(left);
            let mut buffer = vec![0; length];
            let done = self
                .read_cached(&mut buffer, offset)
                .map_err(|error| ObjectError::new(&self.id, error))?;
            if done == length {
                return Ok(Bytes::from(buffer));
            }
            let file = Arc::clone(&self.file);
            on_blocking_thread(&self.id, move || {
                if let Some(rest) = buffer.get_mut(done..) {
                    file.read_exact_at(rest, offset + done as u64).map_err(|error| match error
                        .kind()
                    {
                        io::ErrorKind::UnexpectedEof => cut_short(),
                        _ => error,
                    })?;
                }
                Ok(Bytes::from(buffer))
            })
            .await
        })
    }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the object became shorter while it was open")
}
