//! Replays the corpora of the fuzz targets, with the very functions that the fuzzer calls.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic"
)]
#![allow(unreachable_pub, reason = "the targets are public to the fuzzer")]

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/src/manifests.rs"]
mod manifests;
#[path = "../../../fuzz/src/ranges.rs"]
mod ranges;
#[path = "../../../fuzz/src/references.rs"]
mod references;
#[path = "../../../fuzz/src/routes.rs"]
mod routes;

/// Every file below `directory` of the workspace, and each with its last byte cut off.
fn replay(directory: &str, at_least: usize, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut replayed = 0;
    for entry in fs::read_dir(root.join(directory)).expect(directory) {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a readable seed");
        target(&bytes);
        for end in (0..bytes.len()).rev().take(64) {
            target(&bytes[..end]);
        }
        replayed += 1;
    }
    assert!(replayed >= at_least, "only {replayed} seeds found in {directory}");
}

#[test]
fn seeds_of_routes() {
    replay("fuzz/corpus/routes", 15, routes::target);
}

#[test]
fn seeds_of_ranges() {
    replay("fuzz/corpus/ranges", 15, ranges::target);
}

#[test]
fn seeds_of_references() {
    replay("fuzz/corpus/references", 15, references::target);
}

#[test]
fn seeds_of_manifests() {
    replay("crates/domain/tests/seeds/manifests", 20, manifests::target);
}
