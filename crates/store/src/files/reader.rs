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
use tonnage_domain::buffers::Buffer;
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
            let mut buffer = Buffer::take(length);
            let done = self
                .read_cached(buffer.as_mut(), offset)
                .map_err(|error| ObjectError::new(&self.id, error))?;
            if done == length {
                return Ok(buffer.freeze());
            }
            let file = Arc::clone(&self.file);
            on_blocking_thread(&self.id, move || {
                if let Some(rest) = buffer.as_mut().get_mut(done..) {
                    file.read_exact_at(rest, offset + done as u64).map_err(|error| match error
                        .kind()
                    {
                        io::ErrorKind::UnexpectedEof => cut_short(),
                        _ => error,
                    })?;
                }
                Ok(buffer.freeze())
            })
            .await
        })
    }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the object became shorter while it was open")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tonnage_domain::objects::ObjectErrorKind;

    use super::*;

    fn reader(bytes: &[u8], nowait: bool) -> FileReader {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let reader = FileReader::new(ObjectId::random(), file, bytes.len() as u64);
        reader.nowait.store(nowait, Ordering::Relaxed);
        reader
    }

    #[tokio::test]
    async fn the_page_cache_and_the_blocking_thread_read_the_same() {
        let bytes: Vec<u8> = (0..300_000u32).map(|number| number.to_le_bytes()[1]).collect();
        for nowait in [true, false] {
            let reader = reader(&bytes, nowait);
            for (from, to) in [(0, 300_000), (1, 2), (4095, 200_001), (299_999, 300_000)] {
                let read = reader.read_at(from as u64, to - from).await.unwrap();
                assert!(read == bytes[from..to], "{from}..{to}, nowait {nowait}");
            }
        }
    }

    #[tokio::test]
    async fn an_object_that_was_cut_is_an_error_and_never_short() {
        for nowait in [true, false] {
            let reader = reader(&[1; 10_000], nowait);
            reader.file.set_len(5000).unwrap();
            for (offset, length) in [(0, 10_000), (4999, 2), (5000, 1), (9999, 1)] {
                let error = reader.read_at(offset, length).await.unwrap_err();
                assert_eq!(error.kind(), ObjectErrorKind::Other, "{offset} {length}");
            }
            assert_eq!(reader.read_at(0, 5000).await.unwrap(), vec![1; 5000]);
        }
    }
}
