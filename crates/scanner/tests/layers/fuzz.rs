//! The fuzz targets themselves, and their corpora on the stable compiler.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/src/evidence.rs"]
#[allow(unreachable_pub, reason = "public to the fuzzer")]
pub(crate) mod evidence;
#[path = "../../../../fuzz/src/layers.rs"]
#[allow(unreachable_pub, reason = "public to the fuzzer")]
pub(crate) mod layers;

/// Every file below `directory` of the workspace, and each cut in many places.
fn replay(directory: &str, at_least: usize, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut replayed = 0;
    for entry in fs::read_dir(root.join(directory)).expect(directory) {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a readable seed");
        target(&bytes);
        for cut in 1..32 {
            target(&bytes[..bytes.len() * cut / 32]);
        }
        replayed += 1;
    }
    assert!(replayed >= at_least, "only {replayed} seeds found in {directory}");
}

#[test]
fn seeds_of_layers() {
    replay("fuzz/corpus/layers", 8, layers::target);
}

#[test]
fn seeds_of_evidence() {
    replay("fuzz/corpus/evidence", 15, evidence::target);
}
