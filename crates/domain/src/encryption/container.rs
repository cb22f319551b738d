//! The form of a blob's object: chunks of 64 KiB, each as it is or sealed.
//!
//! A sealed chunk is `nonce (12) | ciphertext | tag (16)` under the object's own random key. Its
//! additional data is the object's id, the number of the chunk and whether it is the last, so a
//! chunk that was cut off, moved, swapped or brought from elsewhere does not open. The wrapped key
//! is bound to the object's id, the digest and the encryption domain. Nonces are random rather than
//! counted, because an upload that is resumed seals a chunk again under the same key.

use bytes::Bytes;

use super::sealing_key::{SealingKey, overhead};
use crate::buffers::Buffer;
use crate::error::{Error, Result};
use crate::objects::{ObjectId, ObjectReader};

/// Plain bytes of a chunk; the last one may have fewer, but never none.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;
/// Plain bytes that are sealed and written at a time: as many chunks as fit a span when sealed.
pub(crate) const SPAN_PLAIN_BYTES: usize = 15 * CHUNK_BYTES;

/// Bytes as they are.
pub(crate) const CONTAINER_PLAIN: i64 = 0;
/// Sealed chunks.
pub(crate) const CONTAINER_SEALED: i64 = 1;

/// How the chunks of one object are kept.
pub(crate) enum Container {
    Plain,
    Sealed { key: SealingKey, object_id: ObjectId },
}

impl Container {
    /// Bytes of a whole chunk in the object.
    fn chunk_stored_bytes(&self) -> u64 {
        let overhead = match self {
            Self::Plain => 0,
            Self::Sealed { .. } => overhead(),
        };
        (CHUNK_BYTES + overhead) as u64
    }

    /// Bytes that `chunks` whole chunks take in the object.
    pub(crate) fn stored_bytes_of_chunks(&self, chunks: u64) -> u64 {
        chunks * self.chunk_stored_bytes()
    }

    /// Bytes that a finished blob of `size` bytes takes in its object.
    pub(crate) fn stored_bytes(&self, size: u64) -> u64 {
        match self {
            Self::Plain => size,
            Self::Sealed { .. } => sealed_bytes(size),
        }
    }

    /// The stored form of chunks that follow each other, the first of them number `first`. Every
    /// chunk is whole but for the last chunk of the object, which `ends` tells.
    pub(crate) fn store(&self, first: u64, plain: &Bytes, ends: bool) -> Result<Bytes> {
        let Self::Sealed { key, object_id } = self else { return Ok(plain.clone()) };
        let chunks = plain.len().div_ceil(CHUNK_BYTES);
        let mut sealed = Buffer::take(plain.len() + chunks * overhead());
        let slots = sealed.as_mut().chunks_mut(CHUNK_BYTES + overhead());
        for ((number, chunk), slot) in (first..).zip(plain.chunks(CHUNK_BYTES)).zip(slots) {
            let is_last = ends && number + 1 == first + chunks as u64;
            key.seal_into(slot, &additional_data(object_id, number, is_last), chunk)?;
        }
        Ok(sealed.freeze())
    }

    /// Reads up to `length` plain bytes from `offset` of a finished blob of `size` bytes; fewer
    /// only at its end, and no more than fit one read of the object.
    pub(crate) async fn read_at(
        &self,
        reader: &dyn ObjectReader,
        size: u64,
        offset: u64,
        length: usize,
    ) -> Result<Bytes> {
        let end = offset.saturating_add(length.min(SPAN_PLAIN_BYTES) as u64).min(size);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let Self::Sealed { key, object_id } = self else {
            let length = usize::try_from(end - offset).unwrap_or(SPAN_PLAIN_BYTES);
            return Ok(reader.read_at(offset, length).await?);
        };
        let chunk = CHUNK_BYTES as u64;
        let first = offset / chunk;
        // At most as many chunks as a span holds, even when the range begins inside one.
        let after = end.div_ceil(chunk).min(first + (SPAN_PLAIN_BYTES / CHUNK_BYTES) as u64);
        let end = end.min(after * chunk);
        let stored_start = self.stored_bytes_of_chunks(first);
        let stored_end = self.stored_bytes_of_chunks(after).min(self.stored_bytes(size));
        let stored_length = usize::try_from(stored_end - stored_start).unwrap_or(usize::MAX);
        let sealed = reader.read_at(stored_start, stored_length).await?;
        if sealed.len() != stored_length {
            return Err(Error::internal("encryption: an object is shorter than its blob"));
        }
        let last = size.div_ceil(chunk) - 1;
        let chunks = stored_length.div_ceil(CHUNK_BYTES + overhead());
        let mut plain = Buffer::take(stored_length - chunks * overhead());
        let slots = plain.as_mut().chunks_mut(CHUNK_BYTES);
        let stored = sealed.chunks(CHUNK_BYTES + overhead());
        for ((number, sealed), slot) in (first..).zip(stored).zip(slots) {
            key.open_into(slot, &additional_data(object_id, number, number == last), sealed)?;
        }
        let from = usize::try_from(offset - first * chunk).unwrap_or(usize::MAX);
        let to = usize::try_from(end - first * chunk).unwrap_or(usize::MAX);
        if plain.as_ref().len() < to {
            return Err(Error::internal("encryption: a chunk is shorter than its blob says"));
        }
        Ok(plain.freeze().slice(from..to))
    }
}

fn sealed_bytes(size: u64) -> u64 {
    let overhead = size.div_ceil(CHUNK_BYTES as u64).saturating_mul(overhead() as u64);
    size.saturating_add(overhead)
}

/// Bytes that a finished blob of `size` bytes takes in an object of this container version.
pub(crate) fn stored_bytes(version: i64, size: u64) -> Result<u64> {
    match version {
        CONTAINER_PLAIN => Ok(size),
        CONTAINER_SEALED => Ok(sealed_bytes(size)),
        other => Err(Error::internal(format!("stored container version {other}"))),
    }
}

fn additional_data(object_id: &ObjectId, number: u64, is_last: bool) -> [u8; 41] {
    let mut data = [0; 41];
    for (to, from) in data.iter_mut().zip(
        object_id
            .as_str()
            .bytes()
            .chain(number.to_be_bytes())
            .chain(std::iter::once(u8::from(is_last))),
    ) {
        *to = from;
    }
    data
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::BytesMut;
    use futures_util::future::BoxFuture;
    use proptest::prelude::*;

    use super::*;
    use crate::objects::ObjectError;

    #[derive(Clone)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl ObjectReader for Memory {
        fn size(&self) -> u64 {
            self.0.lock().unwrap().len() as u64
        }

        fn read_at(&self, offset: u64, length: usize) -> BoxFuture<'_, Result<Bytes, ObjectError>> {
            let bytes = self.0.lock().unwrap();
            let start = usize::try_from(offset).unwrap().min(bytes.len());
            let end = (start + length).min(bytes.len());
            let span = Bytes::copy_from_slice(&bytes[start..end]);
            Box::pin(async move { Ok(span) })
        }
    }

    fn sealed_container() -> Container {
        Container::Sealed {
            key: SealingKey::new(&[9; 32]).unwrap(),
            object_id: ObjectId::parse(&"ab".repeat(16)).unwrap(),
        }
    }

    fn blob(size: usize) -> Bytes {
        (0..size).map(|index| u8::try_from((index * 31 + index / 251) % 256).unwrap()).collect()
    }

    fn store(container: &Container, blob: &Bytes) -> Vec<u8> {
        let mut stored = Vec::new();
        let mut number = 0;
        let mut rest = blob.clone();
        while rest.len() > SPAN_PLAIN_BYTES {
            let span = rest.split_to(SPAN_PLAIN_BYTES);
            stored.extend_from_slice(&container.store(number, &span, false).unwrap());
            number += (SPAN_PLAIN_BYTES / CHUNK_BYTES) as u64;
        }
        stored.extend_from_slice(&container.store(number, &rest, true).unwrap());
        stored
    }

    async fn read(
        container: &Container,
        stored: &[u8],
        size: u64,
        at: u64,
        length: usize,
    ) -> Result<Bytes> {
        let memory = Memory(Arc::new(Mutex::new(stored.to_vec())));
        let mut out = BytesMut::new();
        let wanted = usize::try_from((at + length as u64).min(size).saturating_sub(at)).unwrap();
        while out.len() < wanted {
            let span =
                container.read_at(&memory, size, at + out.len() as u64, wanted - out.len()).await?;
            assert!(!span.is_empty());
            out.extend_from_slice(&span);
        }
        Ok(out.freeze())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_range_reads_back(
            size in prop_oneof![1_usize..300, 65_530_usize..65_545, 131_070_usize..131_075, 900_000_usize..2_200_000],
            at in 0.0_f64..1.0, length in 1_usize..1_500_000, sealed in any::<bool>(),
        ) {
            let container = if sealed { sealed_container() } else { Container::Plain };
            let blob = blob(size);
            let stored = store(&container, &blob);
            prop_assert_eq!(stored.len() as u64, container.stored_bytes(size as u64));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a fraction of a small number")]
            let at = (size as f64 * at) as usize;
            let end = (at + length).min(size);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let found = runtime.block_on(read(&container, &stored, size as u64, at as u64, length)).unwrap();
            prop_assert_eq!(&found[..], &blob[at..end]);
        }
    }

    #[tokio::test]
    async fn what_was_tampered_with_does_not_open() {
        const STORED_CHUNK: usize = CHUNK_BYTES + 28;
        let container = sealed_container();
        let size = 3 * CHUNK_BYTES + 100;
        let stored = store(&container, &blob(size));
        let swapped = {
            let mut bytes = stored.clone();
            bytes[..2 * STORED_CHUNK].rotate_left(STORED_CHUNK);
            bytes
        };
        let flipped = {
            let mut bytes = stored.clone();
            bytes[STORED_CHUNK + 50] ^= 1;
            bytes
        };
        let foreign = {
            let other = Container::Sealed {
                key: SealingKey::new(&[9; 32]).unwrap(),
                object_id: ObjectId::parse(&"cd".repeat(16)).unwrap(),
            };
            let mut bytes = store(&other, &blob(size));
            bytes[STORED_CHUNK..].copy_from_slice(&stored[STORED_CHUNK..]);
            bytes
        };
        for (what, bytes, size) in [
            ("swapped", swapped, size),
            ("flipped", flipped, size),
            ("foreign", foreign, size),
            ("cut", stored[..stored.len() - 1].to_vec(), size),
            ("cut at a chunk", stored[..3 * STORED_CHUNK].to_vec(), 3 * CHUNK_BYTES),
        ] {
            assert!(read(&container, &bytes, size as u64, 0, size).await.is_err(), "{what}");
        }
    }
}
