//! How much memory a layer can make the indexer take: an allocator that counts.
#![allow(clippy::expect_used, clippy::panic, reason = "a failing test is meant to panic")]
#![allow(unsafe_code, reason = "an allocator cannot be had without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonnage_scanner::layers::{LayerError, Limits, TemporaryFiles, index_layer};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn add(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The window of zstd is memory of its library, which the allocator does not see.
const ZSTD_BYTES: usize = 33 << 20;

const MEMORY_BYTES_MAX: usize = 64 << 20;

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[track_caller]
fn check(name: &str, layer: impl Read) {
    let _alone = ALONE.lock().unwrap_or_else(|broken| broken.into_inner());
    let directory = tempfile::tempdir().expect("a directory");
    let scratch = TemporaryFiles::new(directory.path(), 2 << 30);
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = index_layer(layer, None, &Limits::default(), &scratch, &mut || true);
    let taken = PEAK.load(Ordering::Relaxed) - before;
    match result {
        Ok(_) | Err(LayerError::LimitExceeded { .. }) => {}
        Err(error) => panic!("{name}: {error}"),
    }
    assert!(taken + ZSTD_BYTES < MEMORY_BYTES_MAX, "{name} takes {taken} bytes");
}

fn header(path: &str, type_flag: u8, size: usize) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(path).expect("a path");
    header.set_entry_type(tar::EntryType::new(type_flag));
    header.set_size(size as u64);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A file that is one piece again and again, without ever being in memory.
fn file(path: &str, piece: &str, size: usize) -> impl Read {
    let padding = size.next_multiple_of(512) - size;
    io::Cursor::new(header(path, b'0', size))
        .chain(Endless::new(piece.as_bytes()).take(size as u64))
        .chain(io::repeat(0).take(padding as u64))
}

/// One piece again and again.
struct Endless {
    pieces: Vec<u8>,
    at: usize,
}

impl Endless {
    fn new(piece: &[u8]) -> Self {
        Self { pieces: piece.repeat((64 * 1024_usize).div_ceil(piece.len())), at: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = &self.pieces[self.at..];
        let read = rest.read(buffer)?;
        self.at = (self.at + read) % self.pieces.len();
        Ok(read)
    }
}

#[test]
fn evidence_of_the_largest_size() {
    let json = r#"{"name":"x","version":"1","a":[[[[1]]],"b"]},"#;
    for (path, piece, size) in [
        ("var/lib/dpkg/status", "Package: x\nVersion: 1\nStatus: a b installed\n\n", 60 << 20),
        ("var/lib/dpkg/info/x.list", "/usr/bin/x\n", 60 << 20),
        ("lib/apk/db/installed", "P:x\nV:1\nF:usr/bin\nR:x\n\n", 60 << 20),
        ("lib/apk/db/installed", "without a line's end", 60 << 20),
        ("var/lib/rpm/Packages", "x", 100 << 20),
        ("node_modules/x/package.json", json, 4 << 20),
        ("vendor/composer/installed.json", json, 4 << 20),
        ("x.deps.json", json, 4 << 20),
        ("x.egg-info", "x", 4 << 20),
        ("bin/x", "\x7fELF\u{2}\u{1}\u{1}\0\0\0\0\0\0\0\0\0\u{2}\0", 100 << 20),
        ("x.jar", "PK\x05\x06", 20 << 20),
    ] {
        check(path, file(path, piece, size));
    }
    let list = format!("[{}{{}}]", r#"{"name":"a/b","version":"1"},"#.repeat(140_000));
    check("many packages", file("vendor/composer/installed.json", &list, list.len()));
}

#[test]
fn entries_of_every_kind() {
    check("files", Endless::new(&header("x", b'0', 0)));
    check("whiteouts", Endless::new(&header(".wh.x", b'0', 0)));
    let long = "x/".repeat(2_000);
    let mut entry = header("x", b'L', long.len());
    entry.extend(long.as_bytes());
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry.extend(header("x", b'0', 0));
    let length = entry.len() as u64 * 10_000;
    check("names", Endless::new(&entry).take(length));
}

#[test]
fn bombs() {
    for kind in [b'L', b'K', b'x'] {
        check("metadata", io::Cursor::new(header("x", kind, 1 << 30)).chain(io::repeat(b'x')));
    }
    let size = 200 << 20;
    let zeros = io::Cursor::new(header("x", b'0', size)).chain(io::repeat(0).take(size as u64));
    let mut encoder = flate2::read::GzEncoder::new(zeros, flate2::Compression::fast());
    let mut compressed = Vec::new();
    encoder.read_to_end(&mut compressed).expect("memory");
    check("zeros", &compressed[..]);
}
