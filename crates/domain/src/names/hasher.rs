//! Digests of content that arrives in parts, possibly on different nodes.

use std::fmt;

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

use super::digest::{Algorithm, Digest};
use super::error::{Constraint, NameError, NameKind};

/// First byte of a saved state. The state's own layout is stable within sha2 0.11, so a new minor
/// version of that crate needs a new number here.
const FORMAT: u8 = 1;
const SHA256: u8 = 1;
const SHA512: u8 = 2;
/// Format, algorithm, and the number of bytes hashed as a little-endian `u64`.
const HEADER: usize = 10;
/// No saved state has seen more bytes than this.
const MAXIMUM_LENGTH: u64 = 1 << 60;

/// A running digest that can be saved and continued elsewhere.
///
/// A saved state is as sensitive as the last 127 bytes of the content it has seen, which it holds.
#[derive(Clone)]
pub struct Hasher {
    running: Running,
    length: u64,
}

#[derive(Clone)]
enum Running {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// A digest over no bytes yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let running = match algorithm {
            Algorithm::Sha256 => Running::Sha256(Sha256::new()),
            Algorithm::Sha512 => Running::Sha512(Sha512::new()),
        };
        Self { running, length: 0 }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.running {
            Running::Sha256(_) => Algorithm::Sha256,
            Running::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// How many bytes have been hashed so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // 2^64 bytes cannot be sent; saturating keeps the count free of panics all the same.
        self.length = self.length.saturating_add(bytes.len() as u64);
        match &mut self.running {
            Running::Sha256(running) => running.update(bytes),
            Running::Sha512(running) => running.update(bytes),
        }
    }

    /// The digest of all bytes hashed.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.running {
            Running::Sha256(running) => Digest::from_raw(Algorithm::Sha256, &running.finalize()),
            Running::Sha512(running) => Digest::from_raw(Algorithm::Sha512, &running.finalize()),
        }
    }

    /// The running state as bytes (114 for SHA-256, 218 for SHA-512), for [`Self::restore`].
    pub fn save(&self) -> Vec<u8> {
        fn with_header(algorithm: u8, length: u64, state: &[u8]) -> Vec<u8> {
            let mut saved = Vec::with_capacity(HEADER + state.len());
            saved.extend([FORMAT, algorithm]);
            saved.extend(length.to_le_bytes());
            saved.extend(state);
            saved
        }
        match &self.running {
            Running::Sha256(running) => with_header(SHA256, self.length, &running.serialize()),
            Running::Sha512(running) => with_header(SHA512, self.length, &running.serialize()),
        }
    }

    /// Continues from a saved state.
    ///
    /// # Errors
    /// When `saved` was not written by [`Self::save`]: another format, a wrong length, or counters
    /// that contradict each other. Damage to the chaining value itself cannot be seen; it yields
    /// another digest.
    pub fn restore(saved: &[u8]) -> Result<Self, NameError> {
        let refused = |rule| NameError::new(NameKind::HasherState, "", Constraint::Rule(rule));
        let (header, state) =
            saved.split_first_chunk::<HEADER>().ok_or_else(|| refused("state is too short"))?;
        let [format, algorithm, length @ ..] = *header;
        if format != FORMAT {
            return Err(refused("state has an unknown format"));
        }
        let length = u64::from_le_bytes(length);
        let running = match algorithm {
            SHA256 => Running::Sha256(
                restore_state(state, 32, 8, 64, length)
                    .ok_or_else(|| refused("state is damaged"))?,
            ),
            SHA512 => Running::Sha512(
                restore_state(state, 64, 16, 128, length)
                    .ok_or_else(|| refused("state is damaged"))?,
            ),
            _ => return Err(refused("state has an unknown algorithm")),
        };
        Ok(Self { running, length })
    }
}

/// Restores a state after comparing its own counters with `length`: sha2 trusts them, and a huge
/// block count would overflow when the digest is finished.
fn restore_state<H: SerializableState>(
    state: &[u8],
    chaining_length: usize,
    counter_length: usize,
    block_length: u64,
    length: u64,
) -> Option<H> {
    let counter = state.get(chaining_length..chaining_length + counter_length)?;
    let mut blocks = [0_u8; 16];
    blocks.get_mut(..counter_length)?.copy_from_slice(counter);
    if u128::from_le_bytes(blocks) != u128::from(length / block_length) {
        return None;
    }
    let buffered = *state.get(chaining_length + counter_length)?;
    if u64::from(buffered) != length % block_length {
        return None;
    }
    // SHA-256 counts bits in 64 bits; far below that nothing yet to be hashed can overflow it.
    if length > MAXIMUM_LENGTH {
        return None;
    }
    let state = SerializedState::<H>::try_from(state).ok()?;
    H::deserialize(&state).ok()
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hasher")
            .field("algorithm", &self.algorithm())
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn algorithms() -> impl Strategy<Value = Algorithm> {
        prop_oneof![Just(Algorithm::Sha256), Just(Algorithm::Sha512)]
    }

    #[test]
    fn saved_sizes_are_fixed() {
        let check = |algorithm, expected| {
            let mut hasher = Hasher::new(algorithm);
            assert_eq!(hasher.save().len(), expected);
            hasher.update(&[7; 1000]);
            assert_eq!(hasher.save().len(), expected);
        };
        check(Algorithm::Sha256, 114);
        check(Algorithm::Sha512, 218);
    }

    #[test]
    fn damaged_states_are_refused() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&[1; 100]);
        let saved = hasher.save();
        let check = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut damaged = saved.clone();
            change(&mut damaged);
            assert!(Hasher::restore(&damaged).is_err(), "{what}");
        };
        assert!(Hasher::restore(&saved).is_ok());
        check("empty", &|bytes| bytes.clear());
        check("short", &|bytes| bytes.truncate(50));
        check("one byte missing", &|bytes| {
            bytes.pop();
        });
        check("one byte more", &|bytes| bytes.push(0));
        check("other format", &|bytes| bytes[0] = 2);
        check("other algorithm", &|bytes| bytes[1] = SHA512);
        check("unknown algorithm", &|bytes| bytes[1] = 9);
        check("other length", &|bytes| bytes[2] ^= 1);
        check("other block count", &|bytes| bytes[HEADER + 32] ^= 1);
        check("other buffer position", &|bytes| bytes[HEADER + 40] ^= 1);
        check("huge counters that agree", &|bytes| {
            let length: u64 = (1 << 60) + 37;
            bytes[2..10].copy_from_slice(&length.to_le_bytes());
            bytes[HEADER + 32..HEADER + 40].copy_from_slice(&(length / 64).to_le_bytes());
            bytes[HEADER + 40] = (length % 64) as u8;
        });
    }

    proptest! {
        #[test]
        fn a_restored_hasher_goes_on_where_it_stopped(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6),
            algorithm in algorithms(),
        ) {
            let mut hasher = Hasher::new(algorithm);
            for part in &parts {
                hasher = Hasher::restore(&hasher.save()).unwrap();
                hasher.update(part);
            }
            let whole = parts.concat();
            prop_assert_eq!(hasher.length(), whole.len() as u64);
            prop_assert_eq!(hasher.algorithm(), algorithm);
            prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &whole));
        }

        #[test]
        fn whatever_restores_can_be_used(
            position in 0_usize..218,
            value in any::<u8>(),
            algorithm in algorithms(),
            length in 0_usize..400,
        ) {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&vec![3; length]);
            let mut saved = hasher.save();
            if let Some(byte) = saved.get_mut(position) {
                *byte = value;
            }
            if let Ok(mut restored) = Hasher::restore(&saved) {
                restored.update(&[1; 200]);
                let _ = restored.finish();
            }
        }
    }
}
