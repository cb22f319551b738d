//! deb-version(7): an epoch, then the upstream version, then the revision after the last hyphen.

use std::cmp::Ordering;

use super::digits::{Digits, split_while};

#[derive(Clone, Debug)]
pub(super) struct Version<'a> {
    epoch: Digits<'a>,
    upstream: &'a [u8],
    revision: &'a [u8],
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (Digits::parse(epoch)?, rest),
            None => (Digits::ZERO, text),
        };
        // An absent revision is the same as `0`, which is the same as nothing.
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".+-~:".contains(byte);
        if upstream.is_empty() || !rest.as_bytes().iter().all(allowed) || revision.contains(':') {
            return None;
        }
        Some(Self { epoch, upstream: upstream.as_bytes(), revision: revision.as_bytes() })
    }

    pub(super) fn compare(&self, other: &Version<'_>) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(self.upstream, other.upstream))
            .then_with(|| compare_part(self.revision, other.revision))
    }
}

/// A tilde sorts before the end, the end before letters, letters before everything else.
fn weight(byte: Option<&u8>) -> u32 {
    match byte {
        Some(b'~') => 0,
        Some(digit) if digit.is_ascii_digit() => 1,
        None => 1,
        Some(letter) if letter.is_ascii_alphabetic() => 1 + u32::from(*letter),
        Some(other) => 256 + u32::from(*other),
    }
}

/// Alternates between text, compared by [`weight`], and digits, compared as numbers.
fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split_while(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split_while(right, |byte| !byte.is_ascii_digit());
        for position in 0..left_text.len().max(right_text.len()) {
            let ordering = weight(left_text.get(position)).cmp(&weight(right_text.get(position)));
            if ordering.is_ne() {
                return ordering;
            }
        }
        let (left_number, left_rest) = split_while(left_rest, |byte| byte.is_ascii_digit());
        let (right_number, right_rest) = split_while(right_rest, |byte| byte.is_ascii_digit());
        let ordering = Digits::new(left_number).cmp(&Digits::new(right_number));
        if ordering.is_ne() {
            return ordering;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}
