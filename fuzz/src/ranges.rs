//! Ranges: what is resolved lies in the blob, and all of it together has a length.

use tonnage_domain::names::{ByteRange, ContentRange, RangeOutcome};
use tonnage_domain::uploads::BLOB_BYTES_MAX;

/// The first eight bytes are the size of the blob, the rest is a header.
pub fn target(data: &[u8]) {
    let Some((size, text)) = data.split_first_chunk::<8>() else { return };
    let (size, Ok(text)) = (u64::from_be_bytes(*size), std::str::from_utf8(text)) else { return };
    if let RangeOutcome::Ranges(ranges) = ByteRange::resolve(text, size) {
        assert!(!ranges.is_empty() && ranges.len() <= ByteRange::MAXIMUM_RANGES, "{ranges:?}");
        let sum = ranges.iter().try_fold(0_u64, |sum, range| sum.checked_add(range.len()));
        assert!(sum.is_some() || size > BLOB_BYTES_MAX, "longer than any body: {ranges:?}");
        for range in ranges {
            assert!(range.first() <= range.last() && range.last() < size, "{range:?} of {size}");
        }
    }
    if let Ok(content) = ContentRange::parse(text) {
        let range = content.range();
        let again = ContentRange::parse(&format!("{}-{}", range.first(), range.last()));
        assert_eq!(again.map(|again| again.range()).ok(), Some(range), "{text}");
        assert!(content.total().is_none_or(|total| range.last() < total), "{text}");
    }
}
