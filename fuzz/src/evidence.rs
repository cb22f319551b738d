//! Files that speak of packages, each in a layer of its own.

use tonnage_scanner::layers::{MemoryFiles, index_layer};

use super::layers;

/// One path for every kind of file; the first byte of the data chooses.
pub const PATHS: &[&str] = &[
    "etc/os-release",
    "etc/apk/repositories",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a",
    "var/lib/dpkg/info/a.list",
    "var/lib/dpkg/status.d/a.md5sums",
    "lib/apk/db/installed",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "node_modules/a/package.json",
    "a.egg-info",
    "specifications/a.gemspec",
    "vendor/composer/installed.json",
    "composer.lock",
    "a.deps.json",
    "lib/a.jar",
    "bin/program",
];

/// The first byte is the number of a path, the rest is the file.
pub fn target(data: &[u8]) {
    replay(data);
}

/// How many packages were found.
pub fn replay(data: &[u8]) -> usize {
    let Some((number, content)) = data.split_first() else { return 0 };
    let path = PATHS[usize::from(*number) % PATHS.len()];
    let layer = archive(path, content);
    let scratch = MemoryFiles::new(32 << 20);
    let index = index_layer(&layer[..], None, &layers::limits(), &scratch, &mut || true);
    index.map_or(0, |index| layers::check(&index))
}

/// An archive with one file.
fn archive(path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..107].copy_from_slice(b"0000755");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = b'0';
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}
