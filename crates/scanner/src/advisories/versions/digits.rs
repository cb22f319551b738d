//! Numbers of any length, as the digits they are written with.

use std::cmp::Ordering;

/// A run of decimal digits, compared as a number. Empty is zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits<'a>(&'a [u8]);

impl<'a> Digits<'a> {
    pub(super) const ZERO: Self = Self(b"");

    /// The number that a text of digits stands for; the caller has seen that it has nothing else.
    pub(super) fn new(digits: &'a [u8]) -> Self {
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        Self(digits.get(zeros..).unwrap_or_default())
    }

    /// The number of a text which is digits and nothing else.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        (!bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)).then(|| Self::new(bytes))
    }

    pub(super) fn is_zero(self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Digits<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Digits<'_> {}

impl PartialOrd for Digits<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Digits<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

/// Splits off the leading bytes that satisfy a condition.
pub(super) fn split_while(bytes: &[u8], accept: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let length = bytes.iter().take_while(|byte| accept(**byte)).count();
    bytes.split_at(length)
}
