//! Replays the corpora of the fuzz targets, with the very functions that the fuzzer calls.

#![allow(unreachable_pub, reason = "the targets are public to the fuzzer")]

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/src/advisories.rs"]
mod advisories;
#[path = "../../../../fuzz/src/bundles.rs"]
mod bundles;
#[path = "../../../../fuzz/src/versions.rs"]
mod versions;
#[path = "../../../../fuzz/src/vex.rs"]
mod vex;

/// Every file of a corpus, whole and with its end cut off.
fn replay(corpus: &str, at_least: usize, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut replayed = 0;
    for entry in fs::read_dir(root.join(corpus)).expect(corpus) {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a readable seed");
        target(&bytes);
        for end in (0..bytes.len()).rev().take(64) {
            target(&bytes[..end]);
        }
        replayed += 1;
    }
    assert!(replayed >= at_least, "only {replayed} seeds found in {corpus}");
}

#[test]
fn seeds_of_advisories() {
    replay("advisories", 25, advisories::target);
}

#[test]
fn seeds_of_bundles() {
    replay("bundles", 10, bundles::target);
}

#[test]
fn seeds_of_versions() {
    replay("versions", 15, versions::target);
}

#[test]
fn seeds_of_vex() {
    replay("vex", 10, vex::target);
}
