//! Zips of advisories: reading one ends within its limits.

use std::io::Cursor;

use tonnage_scanner::advisories::bundle::{self, Limits};

const LIMITS: Limits = Limits { file_bytes: 1 << 20, total_bytes: 4 << 20, files: 64, depth: 4 };

/// Reads `data` as a zip, and as a compressed feed.
pub fn target(data: &[u8]) {
    let mut bytes = 0;
    let read = bundle::read_zip(Cursor::new(data), LIMITS, |file| {
        bytes += file.bytes.map_or(0, |bytes| bytes.len() as u64);
        true
    });
    assert!(bytes <= LIMITS.total_bytes, "{bytes} bytes");
    if let Ok(files) = read {
        assert!(files <= LIMITS.files, "{files} files");
    }
    if let Ok(mut reader) = bundle::decompressed(data, 1 << 20) {
        let _ = bundle::sha256(&mut reader);
    }
    let _ = bundle::verify(data, "all.zip", &String::from_utf8_lossy(data));
}
