//! Large buffers that are used again. Fresh memory of this size comes from the kernel page by page,
//! zeroed, and goes back to it; for a large blob that costs as much as reading it.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Room for a span of an answer, sealed, in bytes.
const SMALL_BYTES: usize = 272 * 1024;
/// Room for a span of an upload with a chunk before it, in bytes.
const LARGE_BYTES: usize = 1088 * 1024;
/// Up to this length a buffer is made for its one use, in bytes.
const ONCE_BYTES_MAX: usize = 32 * 1024;
/// How many of each are kept while nobody uses them.
const SMALL_KEPT_MAX: usize = 32;
const LARGE_KEPT_MAX: usize = 16;

static SMALL: Shelf = Shelf::new(SMALL_BYTES, SMALL_KEPT_MAX);
static LARGE: Shelf = Shelf::new(LARGE_BYTES, LARGE_KEPT_MAX);

struct Shelf {
    bytes: usize,
    kept_max: usize,
    kept: Mutex<Vec<Vec<u8>>>,
}

impl Shelf {
    const fn new(bytes: usize, kept_max: usize) -> Self {
        Self { bytes, kept_max, kept: Mutex::new(Vec::new()) }
    }

    fn take(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; self.bytes])
    }

    fn put(&self, bytes: Vec<u8>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < self.kept_max {
            kept.push(bytes);
        }
    }
}

/// Bytes of a fixed length, to be written over: what is in them at first is what somebody else left.
pub struct Buffer {
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    /// A buffer of `length` bytes. A small one, or one that is larger than any span, is made for
    /// this once.
    pub fn take(length: usize) -> Self {
        let shelf = [&SMALL, &LARGE].into_iter().find(|shelf| length <= shelf.bytes);
        let bytes = match shelf.filter(|_| length > ONCE_BYTES_MAX) {
            Some(shelf) => shelf.take(),
            None => vec![0; length],
        };
        Self { bytes, length }
    }

    /// Its bytes as they are, without a copy.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// Its first `length` bytes; more than there are is all of them.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        match bytes.len() {
            SMALL_BYTES => SMALL.put(bytes),
            LARGE_BYTES => LARGE.put(bytes),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_the_length_that_was_asked_for() {
        for length in [
            0,
            1,
            ONCE_BYTES_MAX,
            ONCE_BYTES_MAX + 1,
            SMALL_BYTES,
            SMALL_BYTES + 1,
            LARGE_BYTES,
            2_000_000,
        ] {
            let mut buffer = Buffer::take(length);
            assert_eq!(buffer.as_mut().len(), length);
            buffer.as_mut().fill(7);
            let bytes = buffer.freeze();
            assert_eq!((bytes.len(), bytes.iter().all(|&byte| byte == 7)), (length, true));
            let part = bytes.slice(length / 2..);
            drop(bytes);
            assert!(part.iter().all(|&byte| byte == 7), "whoever has a part of it has it");
        }
        let mut buffer = Buffer::take(10);
        buffer.truncate(3);
        buffer.truncate(8);
        assert_eq!(buffer.as_ref().len(), 3);
    }
}
