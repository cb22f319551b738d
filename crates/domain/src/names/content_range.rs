//! The `Content-Range` header of a chunk that is uploaded.

use std::fmt;
use std::str::FromStr;

use super::byte_range::ByteRange;
use super::error::{Constraint, NameError, NameKind};

/// Where a chunk lies in the blob that is being uploaded.
///
/// Two spellings are read: `first-last` (OCI distribution specification 1.1, "Pushing a blob in
/// chunks") and `bytes first-last/total` with a number or `*` (RFC 9110, section 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentRange {
    range: ByteRange,
    total: Option<u64>,
}

impl ContentRange {
    /// Reads the value of the header.
    ///
    /// # Errors
    /// When it is spelled otherwise, ends before it begins, or reaches past its own total; also
    /// when a number does not fit 63 bits, so that offsets can be added without overflow.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::read(text).ok_or_else(|| {
            let rule = Constraint::Rule("must be 'first-last' or 'bytes first-last/total'");
            NameError::new(NameKind::ContentRange, text, rule)
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (range, total) = match text.strip_prefix("bytes ") {
            Some(rest) => {
                let (range, total) = rest.split_once('/')?;
                (range, if total == "*" { None } else { Some(offset(total)?) })
            }
            None => (text, None),
        };
        let (first, last) = range.split_once('-')?;
        let range = ByteRange::new(offset(first)?, offset(last)?)?;
        if total.is_some_and(|total| range.last() >= total) {
            return None;
        }
        Some(Self { range, total })
    }

    /// The bytes the chunk holds.
    pub fn range(&self) -> ByteRange {
        self.range
    }

    /// The size of the whole blob in bytes, when the client said it.
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

fn offset(text: &str) -> Option<u64> {
    super::byte_range::number(text).filter(|number| i64::try_from(*number).is_ok())
}

impl fmt::Display for ContentRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.range.first(), self.range.last());
        match self.total {
            Some(total) => write!(formatter, "bytes {first}-{last}/{total}"),
            None => write!(formatter, "{first}-{last}"),
        }
    }
}

impl FromStr for ContentRange {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_spellings() {
        let check = |text: &str, expected: Option<(u64, u64, Option<u64>)>| {
            let read = ContentRange::parse(text).ok();
            let read = read.map(|read| (read.range().first(), read.range().last(), read.total()));
            assert_eq!(read, expected, "{text:?}");
        };
        check("0-0", Some((0, 0, None)));
        check("0-1023", Some((0, 1023, None)));
        check("bytes 5-9/*", Some((5, 9, None)));
        check("bytes 5-9/10", Some((5, 9, Some(10))));
        check(
            "9223372036854775806-9223372036854775807",
            Some((i64::MAX as u64 - 1, i64::MAX as u64, None)),
        );
        check("", None);
        check("-", None);
        check("0", None);
        check("0-", None);
        check("-5", None);
        check("5-4", None);
        check("0-1/2", None);
        check("bytes 0-1", None);
        check("bytes 0-1/1", None);
        check("bytes 0-1/", None);
        check("bytes */5", None);
        check("bytes=0-1/2", None);
        check(" 0-1", None);
        check("0-1 ", None);
        check("0 - 1", None);
        check("+0-1", None);
        check("a-b", None);
        check("0-9223372036854775808", None);
        check("0-99999999999999999999999", None);
    }

    proptest! {
        #[test]
        fn what_parses_prints_back(
            first in 0_u64..1 << 40,
            extra in 0_u64..1 << 40,
            more in proptest::option::of(1_u64..1 << 40),
        ) {
            let last = first + extra;
            let text = match more {
                Some(more) => format!("bytes {first}-{last}/{}", last + more),
                None => format!("{first}-{last}"),
            };
            prop_assert_eq!(ContentRange::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn never_panics(text in "(bytes )?[0-9*/ -]{0,30}") {
            let _ = ContentRange::parse(&text);
        }
    }
}
