//! The HTTP `Range` header (RFC 9110, section 14).

/// A non-empty run of bytes; both ends are included, as HTTP counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    // INVARIANT: first <= last.
    first: u64,
    last: u64,
}

/// What a server does with a `Range` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeOutcome {
    /// As if the header were not there: 200 and the whole content.
    Ignore,
    /// 416 with `Content-Range: bytes */{size}`: no range selects a byte, or one ends before it
    /// begins, which RFC 9110 section 14.2 lets a server reject.
    Unsatisfiable,
    /// 206 with these ranges: 1 to 16, each inside the content, in the order asked, together no
    /// longer than the content.
    Ranges(Vec<ByteRange>),
}

impl ByteRange {
    /// Most ranges one header may ask for; a header with more is ignored.
    pub const MAXIMUM_RANGES: usize = 16;

    /// The bytes from `first` to `last`, both included; nothing when `first` comes after `last`.
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Offset of the first byte.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Offset of the last byte.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Number of bytes, at least 1; saturates at `u64::MAX`.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Resolves the value of a `Range` header against content of `size` bytes.
    ///
    /// Ignored, as RFC 9110 section 14.2 allows: other units than `bytes`, malformed values, more
    /// than [`Self::MAXIMUM_RANGES`] ranges, overlapping ranges that would send more bytes than the
    /// content has, and a suffix of empty content, which no `Content-Range` can express.
    pub fn resolve(header: &str, size: u64) -> RangeOutcome {
        Self::try_resolve(header, size).unwrap_or(RangeOutcome::Ignore)
    }

    /// Nothing means that the header is to be ignored.
    fn try_resolve(header: &str, size: u64) -> Option<RangeOutcome> {
        let (unit, set) = header.trim_matches(WHITESPACE).split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let mut ranges = Vec::new();
        let mut asked = 0;
        let mut backwards = false;
        // Empty list elements are allowed (RFC 9110, section 5.6.1), but not without end.
        for (index, spec) in set.split(',').enumerate() {
            if index >= 4 * Self::MAXIMUM_RANGES {
                return None;
            }
            let spec = spec.trim_matches(WHITESPACE);
            if spec.is_empty() {
                continue;
            }
            asked += 1;
            if asked > Self::MAXIMUM_RANGES {
                return None;
            }
            match resolve_one(spec, size)? {
                Resolved::Bytes(range) => ranges.push(range),
                Resolved::NoByte => {}
                Resolved::Backwards => backwards = true,
            }
        }
        if asked == 0 {
            return None;
        }
        if ranges.is_empty() || backwards {
            return Some(RangeOutcome::Unsatisfiable);
        }
        let total = ranges.iter().fold(0_u64, |total, range| total.saturating_add(range.len()));
        (total <= size).then_some(RangeOutcome::Ranges(ranges))
    }
}

const WHITESPACE: [char; 2] = [' ', '\t'];

/// What one well-formed range comes to.
enum Resolved {
    Bytes(ByteRange),
    NoByte,
    Backwards,
}

impl From<Option<ByteRange>> for Resolved {
    fn from(range: Option<ByteRange>) -> Self {
        range.map_or(Self::NoByte, Self::Bytes)
    }
}

/// Nothing when malformed.
fn resolve_one(spec: &str, size: u64) -> Option<Resolved> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        if size == 0 && suffix > 0 {
            return None;
        }
        let first = size.saturating_sub(suffix);
        return Some(size.checked_sub(1).and_then(|last| ByteRange::new(first, last)).into());
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if first > last {
        return Some(Resolved::Backwards);
    }
    Some(size.checked_sub(1).and_then(|end| ByteRange::new(first, last.min(end))).into())
}

/// One or more digits; numbers beyond `u64` lie behind the end of any content and saturate.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IGNORE: RangeOutcome = RangeOutcome::Ignore;
    const NONE: RangeOutcome = RangeOutcome::Unsatisfiable;

    fn ranges(pairs: &[(u64, u64)]) -> RangeOutcome {
        let range = |&(first, last)| ByteRange::new(first, last).unwrap();
        RangeOutcome::Ranges(pairs.iter().map(range).collect())
    }

    #[test]
    fn headers_resolve_against_ten_thousand_bytes() {
        let check = |header: &str, expected: RangeOutcome| {
            assert_eq!(ByteRange::resolve(header, 10_000), expected, "{header:?}");
        };
        // The examples of RFC 9110, section 14.1.2.
        check("bytes=0-499", ranges(&[(0, 499)]));
        check("bytes=500-999", ranges(&[(500, 999)]));
        check("bytes=-500", ranges(&[(9500, 9999)]));
        check("bytes=9500-", ranges(&[(9500, 9999)]));
        check("bytes=0-0,-1", ranges(&[(0, 0), (9999, 9999)]));
        check("bytes= 0-999, 4500-5499, -1000", ranges(&[(0, 999), (4500, 5499), (9000, 9999)]));
        check("bytes=500-700,601-999", ranges(&[(500, 700), (601, 999)]));

        check("bytes=0-", ranges(&[(0, 9999)]));
        check("bytes=0-99999", ranges(&[(0, 9999)]));
        check("bytes=-99999", ranges(&[(0, 9999)]));
        check("BYTES=1-2", ranges(&[(1, 2)]));
        check("bytes=,,1-2, ,", ranges(&[(1, 2)]));
        check("bytes=5-6,1-2", ranges(&[(5, 6), (1, 2)]));
        check("bytes=0-99999999999999999999999", ranges(&[(0, 9999)]));
        check("bytes=1-2,10000-", ranges(&[(1, 2)]));

        check("bytes=10000-", NONE);
        check("bytes=10000-10001,20000-", NONE);
        check("bytes=99999999999999999999999-", NONE);
        check("bytes=-0", NONE);
        check("bytes=5-4", NONE);
        check("bytes=0-1,5-4", NONE);

        check("", IGNORE);
        check("bytes", IGNORE);
        check("bytes=", IGNORE);
        check("bytes=,", IGNORE);
        check("bytes=-", IGNORE);
        check("bytes=a-b", IGNORE);
        check("bytes=1-2-3", IGNORE);
        check("bytes=--1", IGNORE);
        check("bytes=+1-2", IGNORE);
        check("bytes=1 - 2", IGNORE);
        check("bytes =1-2", IGNORE);
        check("bytes 1-2", IGNORE);
        check("items=1-2", IGNORE);
        check("bytes=1-2,x", IGNORE);
        check("bytes=1-2;3-4", IGNORE);
        check("bytes=0-,0-", IGNORE);
    }

    #[test]
    fn small_content() {
        let check = |header: &str, size: u64, expected: RangeOutcome| {
            assert_eq!(ByteRange::resolve(header, size), expected, "{header:?} of {size}");
        };
        check("bytes=0-", 0, NONE);
        check("bytes=0-0", 0, NONE);
        check("bytes=-1", 0, IGNORE);
        check("bytes=-0", 0, NONE);
        check("bytes=0-0", 1, ranges(&[(0, 0)]));
        check("bytes=1-", 1, NONE);
        check("bytes=0-", u64::MAX, ranges(&[(0, u64::MAX - 1)]));
    }

    #[test]
    fn sixteen_ranges_and_no_more() {
        let header = |count: u64| {
            let specs: Vec<String> = (0..count).map(|index| format!("{index}-{index}")).collect();
            format!("bytes={}", specs.join(","))
        };
        let sixteen: Vec<(u64, u64)> = (0..16).map(|index| (index, index)).collect();
        assert_eq!(ByteRange::resolve(&header(16), 100), ranges(&sixteen));
        assert_eq!(ByteRange::resolve(&header(17), 100), IGNORE);
        assert_eq!(ByteRange::resolve(&format!("bytes=1-1{}", ",".repeat(100)), 100), IGNORE);
    }

    proptest! {
        #[test]
        fn ranges_stay_inside_the_content(header in "bytes=([0-9]{0,3}-[0-9]{0,3}[, ]{0,2}){1,5}", size in 0_u64..500) {
            if let RangeOutcome::Ranges(ranges) = ByteRange::resolve(&header, size) {
                prop_assert!(!ranges.is_empty());
                let mut total = 0;
                for range in ranges {
                    prop_assert!(range.first() <= range.last());
                    prop_assert!(range.last() < size);
                    total += range.len();
                }
                prop_assert!(total <= size);
            }
        }

        #[test]
        fn one_range_selects_what_it_says(first in 0_u64..50, extra in 0_u64..50, size in 1_u64..60) {
            let header = format!("bytes={first}-{}", first + extra);
            let selected: Vec<u64> = (0..size).filter(|at| (first..=first + extra).contains(at)).collect();
            let resolved = match ByteRange::resolve(&header, size) {
                RangeOutcome::Ranges(ranges) => ranges.iter().flat_map(|range| range.first()..=range.last()).collect(),
                RangeOutcome::Unsatisfiable => vec![],
                RangeOutcome::Ignore => return Err(TestCaseError::fail("ignored")),
            };
            prop_assert_eq!(resolved, selected);
        }

        #[test]
        fn never_panics(header in any::<String>(), size in any::<u64>()) {
            let _ = ByteRange::resolve(&header, size);
        }
    }
}
