//! What of an upload has arrived and is not under way to the store.

use bytes::Bytes;

use crate::buffers::Buffer;
use crate::encryption::container::{CHUNK_BYTES, SPAN_PLAIN_BYTES};

/// What is sent is followed by at least one byte, so that the last chunk is never empty.
pub(super) const PENDING_BYTES_MAX: usize = SPAN_PLAIN_BYTES + CHUNK_BYTES;

/// At most [`PENDING_BYTES_MAX`] bytes. Most uploads end within the first chunk and never have a
/// large buffer; what comes in spans of ours is not copied.
pub(super) enum Pending {
    Small(Vec<u8>),
    Large { buffer: Buffer, filled: usize },
    Span(Bytes),
}

impl Pending {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut pending = Self::Small(Vec::new());
        pending.append(bytes);
        pending
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large { buffer, filled } => buffer.as_ref().get(..*filled).unwrap_or_default(),
            Self::Span(bytes) => bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Appends what there is room for, and returns the rest. There is none before the first
    /// [`SPAN_PLAIN_BYTES`] are taken where they came as one.
    pub(super) fn extend(&mut self, mut bytes: Bytes) -> Bytes {
        if bytes.len() == SPAN_PLAIN_BYTES && self.len() == 0 {
            *self = Self::Span(bytes);
            return Bytes::new();
        }
        let appended = self.append(&bytes);
        bytes.split_off(appended)
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        if let Self::Small(small) = self {
            if small.len() + bytes.len() <= CHUNK_BYTES {
                small.extend_from_slice(bytes);
                return bytes.len();
            }
            let mut buffer = Buffer::take(PENDING_BYTES_MAX);
            let filled = small.len();
            if let Some(room) = buffer.as_mut().get_mut(..filled) {
                room.copy_from_slice(small);
            }
            *self = Self::Large { buffer, filled };
        }
        let Self::Large { buffer, filled } = self else { return 0 };
        let room = buffer.as_mut().get_mut(*filled..).unwrap_or_default();
        let (now, _) = bytes.split_at(room.len().min(bytes.len()));
        if let Some(room) = room.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        *filled += now.len();
        now.len()
    }

    /// Takes the first `length` bytes away.
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        let rest = Self::of(self.bytes().get(length..).unwrap_or_default());
        match std::mem::replace(self, rest) {
            Self::Small(mut bytes) => {
                bytes.truncate(length);
                Bytes::from(bytes)
            }
            Self::Large { mut buffer, filled } => {
                buffer.truncate(length.min(filled));
                buffer.freeze()
            }
            Self::Span(mut bytes) => {
                bytes.truncate(length);
                bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|number| number.to_le_bytes()[1]).collect();
        let steps = [1000, CHUNK_BYTES, CHUNK_BYTES + 1, SPAN_PLAIN_BYTES, PENDING_BYTES_MAX + 5];
        let rows =
            [0, 1, CHUNK_BYTES].into_iter().flat_map(|before| steps.map(|step| (before, step)));
        for (before, step) in rows {
            let (mut pending, mut out) = (Pending::of(&bytes[..before]), Vec::new());
            for part in bytes[before..].chunks(step) {
                let mut rest = pending.extend(Bytes::copy_from_slice(part));
                while !rest.is_empty() {
                    assert!(pending.len() >= SPAN_PLAIN_BYTES);
                    out.extend_from_slice(&pending.take(SPAN_PLAIN_BYTES));
                    assert!(pending.len() <= CHUNK_BYTES);
                    rest = pending.extend(rest);
                }
            }
            let left = pending.len();
            out.extend_from_slice(&pending.take(left / 2));
            out.extend_from_slice(&pending.take(left));
            assert!(out == bytes, "in steps of {step} after {before}");
        }
    }
}
