//! Versions: every scheme orders any three texts, and the order is one.

use std::cmp::Ordering;

use tonnage_scanner::advisories::versions::Scheme;

/// Reads `data` as versions, one a line.
pub fn target(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines().chain([""; 3]);
    let mut next = || lines.next().unwrap_or_default();
    let versions = [next(), next(), next()];
    for scheme in Scheme::ALL {
        let mut sorted = versions;
        sorted.sort_by(|left, right| scheme.compare_all(left, right));
        for (position, low) in sorted.iter().enumerate() {
            assert_eq!(scheme.compare_all(low, low), Ordering::Equal, "{scheme:?} {low:?}");
            for high in sorted.iter().skip(position + 1) {
                let ordering = scheme.compare_all(low, high);
                assert_ne!(ordering, Ordering::Greater, "{scheme:?} {sorted:?}");
                assert_eq!(ordering, scheme.compare_all(high, low).reverse(), "{scheme:?}");
            }
        }
    }
}
