//! How fast layers are read, in bytes as they are stored. `cargo bench -p tonnage-scanner` prints a
//! table; nothing here passes or fails.
//!
//! Two kinds of layers are read: one that is made here, the same everywhere, and one of a system:
//! programs, libraries, scripts and texts of this machine, or the stored layer that
//! `TONNAGE_BENCH_LAYER` names.
#![allow(clippy::expect_used, reason = "a benchmark without its input is worth nothing")]

use std::io::Write;
use std::path::Path;
use std::{env, fs};

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tonnage_scanner::layers::{LayerIndex, Limits, TemporaryFiles, index_layer, squash};

/// Bytes of the archives.
const LAYER_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Gzip,
    Zstd,
}

/// Regular files below `/usr`, in the order of their names, until the archive is full.
fn system() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::with_capacity(LAYER_BYTES + (1 << 20)));
    for directory in ["bin", "lib", "share"] {
        let full = LAYER_BYTES / 3 + builder.get_ref().len();
        add(&mut builder, &Path::new("/usr").join(directory), full);
    }
    builder.into_inner().expect("memory")
}

fn add(builder: &mut tar::Builder<Vec<u8>>, directory: &Path, full: usize) {
    let mut entries: Vec<_> = fs::read_dir(directory).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(metadata) = entry.path().symlink_metadata() else { continue };
        if metadata.is_dir() {
            add(builder, &entry.path(), full);
        }
        // One large program would be all of the layer.
        let fits = metadata.len() < 4 << 20 && builder.get_ref().len() < full;
        let content = (metadata.is_file() && fits).then(|| fs::read(entry.path()));
        if let Some(Ok(content)) = content {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            let path = entry.path();
            let name = path.strip_prefix("/").expect("an absolute path");
            builder.append_data(&mut header, name, &content[..]).expect("memory");
        }
    }
}

/// Files like those of programs: some that hardly compress, some that do.
fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::with_capacity(LAYER_BYTES + (1 << 20)));
    let mut state = 1_u64;
    let mut number = 0;
    while builder.get_ref().len() < LAYER_BYTES {
        number += 1;
        let size = 1 << (8 + number % 13);
        let mut content = Vec::with_capacity(size);
        while content.len() < size {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Two bytes of chance, then one of sixteen words.
            content.extend(&state.to_le_bytes()[5..7]);
            content.extend(&WORDS[(state >> 60) as usize % WORDS.len()]);
        }
        let module = format!(r#"{{"name":"m{number}","version":"1.{number}.0"}}"#);
        let (path, content) = match number % 20 {
            0 => (format!("app/node_modules/m{number}/package.json"), module.into_bytes()),
            _ => (format!("usr/lib/d{}/file{number}", number % 97), content),
        };
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, &content[..]).expect("memory");
    }
    builder.into_inner().expect("memory")
}

const WORDS: [[u8; 6]; 8] = [
    *b"return",
    *b"struct",
    *b"\0\0\0\0\0\0",
    *b"\x48\x89\xe5\x41\x57\x41",
    *b"import",
    *b"export",
    *b"public",
    *b"\xff\xff\xff\xff\0\0",
];

fn compress(archive: Vec<u8>, form: Form) -> Vec<u8> {
    match form {
        Form::Plain => archive,
        Form::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(&archive).expect("memory");
            encoder.finish().expect("memory")
        }
        Form::Zstd => zstd::encode_all(&archive[..], 3).expect("memory"),
    }
}

fn index(layer: &[u8]) -> LayerIndex {
    let scratch = TemporaryFiles::new(env::temp_dir(), 1 << 30);
    index_layer(layer, None, &Limits::default(), &scratch, &mut || true).expect("an index")
}

/// One layer of 64 MiB, counted in the bytes that are stored.
#[divan::bench(args = [Form::Plain, Form::Gzip, Form::Zstd], sample_count = 20)]
fn stored_bytes(bencher: Bencher<'_, '_>, form: Form) {
    let layer = compress(archive(), form);
    bencher.counter(BytesCount::new(layer.len())).bench_local(|| index(black_box(&layer)));
}

/// The same, counted in the bytes of the archive.
#[divan::bench(args = [Form::Gzip, Form::Zstd], sample_count = 20)]
fn archive_bytes(bencher: Bencher<'_, '_>, form: Form) {
    let layer = compress(archive(), form);
    bencher.counter(BytesCount::new(LAYER_BYTES)).bench_local(|| index(black_box(&layer)));
}

/// A layer of a system, counted in the bytes that are stored.
#[divan::bench(args = [Form::Gzip, Form::Zstd], sample_count = 20)]
fn system_stored_bytes(bencher: Bencher<'_, '_>, form: Form) {
    let layer = match env::var_os("TONNAGE_BENCH_LAYER") {
        Some(path) => fs::read(path).expect("TONNAGE_BENCH_LAYER names a layer"),
        None => compress(system(), form),
    };
    bencher.counter(BytesCount::new(layer.len())).bench_local(|| index(black_box(&layer)));
}

/// Stored indexes of an image of that many layers, to what is installed.
#[divan::bench(args = [1, 10, 40])]
fn image(bencher: Bencher<'_, '_>, layers: usize) {
    let stored = index(&archive()).to_bytes().expect("memory");
    bencher.bench_local(|| {
        let read = |_| LayerIndex::from_bytes(black_box(&stored)).expect("an index");
        squash(&(0..layers).map(read).collect::<Vec<_>>())
    });
}

fn main() {
    divan::main();
}
