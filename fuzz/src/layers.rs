//! Layers: whatever they are, an index or an error within limits, and what is found can be stored,
//! read again and put on top of itself.

use tonnage_scanner::layers::{LayerIndex, Limits, MemoryFiles, index_layer, squash};

/// Small enough for a fuzzer's patience.
pub fn limits() -> Limits {
    Limits {
        layer_bytes_max: 16 << 20,
        work_bytes_max: 64 << 20,
        entries_max: 10_000,
        index_bytes_max: 1 << 20,
        zstd_window_log_max: 20,
        archive_inflated_bytes_max: 4 << 20,
        ..Limits::default()
    }
}

/// The data is a layer.
pub fn target(data: &[u8]) {
    let scratch = MemoryFiles::new(32 << 20);
    let Ok(index) = index_layer(data, None, &limits(), &scratch, &mut || true) else { return };
    check(&index);
}

/// What holds for every index; how many packages it has.
pub fn check(index: &LayerIndex) -> usize {
    let bytes = index.to_bytes().expect("memory");
    assert_eq!(&LayerIndex::from_bytes(&bytes).expect("what was just written"), index);
    let found = index.packages().count();
    for package in index.packages() {
        assert!(!package.name.is_empty() && !package.version.is_empty(), "{package:?}");
        assert!(!package.path.is_empty() && package.layer.is_none(), "{package:?}");
        let purl = package.purl(None);
        assert!(purl.is_ascii() && !purl.contains([' ', '"', '<']), "{purl}");
    }
    let inventory = squash([index, index]);
    assert!(inventory.packages.len() <= found);
    for package in &inventory.packages {
        assert_eq!(package.layer, Some(0), "{package:?}");
    }
    found
}
