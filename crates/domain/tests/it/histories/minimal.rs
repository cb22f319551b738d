//! Delta debugging: the fewest items that still fail.

/// Leaves items out, in ever smaller runs, for as long as the rest fails. No item of what is left
/// can be left out alone.
pub(super) async fn minimal<T: Copy>(
    mut kept: Vec<T>,
    mut fails: impl AsyncFnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut length = kept.len().div_ceil(2);
    while length > 0 {
        let before = kept.len();
        // From the end: what comes after the failure goes first.
        let mut end = kept.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            let rest: Vec<T> = kept[..start].iter().chain(&kept[end..]).copied().collect();
            if fails(&rest).await {
                kept = rest;
            }
            end = start;
        }
        // At the end, once more for as long as that helps.
        if length > 1 {
            length = length.div_ceil(2);
        } else if kept.len() == before {
            length = 0;
        }
    }
    kept
}

#[tokio::test]
async fn what_is_not_needed_is_left_out() {
    for needed in [&[0][..], &[49], &[3, 17, 18, 40], &[]] {
        let fails = async |kept: &[u32]| needed.iter().all(|item| kept.contains(item));
        assert_eq!(minimal((0..50).collect(), fails).await, needed);
    }
    // One of two will do, but the second needs a third.
    let fails = async |kept: &[u32]| {
        kept.contains(&5) || (kept.contains(&1) && kept.contains(&9) && kept.len() < 20)
    };
    let left = minimal((0..50).collect(), fails).await;
    assert!(left == [5] || left == [1, 9], "{left:?}");
}
