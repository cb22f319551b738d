//! How fast layers are read, in bytes as they are stored. `cargo bench -p tonnage-scanner` prints a
//! table; nothing here passes or fails.
#![allow(clippy::expect_used, reason = "a benchmark without its input is worth nothing")]

use std::io::Write;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tonnage_scanner::layers::{LayerIndex, Limits, MemoryFiles, index_layer, squash};

/// Bytes of the archives.
const LAYER_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Gzip,
    Zstd,
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

fn layer(form: Form) -> Vec<u8> {
    let archive = archive();
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
    let scratch = MemoryFiles::new(64 << 20);
    index_layer(layer, None, &Limits::default(), &scratch, &mut || true).expect("an index")
}

/// One layer of 64 MiB, counted in the bytes that are stored.
#[divan::bench(args = [Form::Plain, Form::Gzip, Form::Zstd], sample_count = 20)]
fn stored_bytes(bencher: Bencher<'_, '_>, form: Form) {
    let layer = layer(form);
    bencher.counter(BytesCount::new(layer.len())).bench_local(|| index(black_box(&layer)));
}

/// The same, counted in the bytes of the archive.
#[divan::bench(args = [Form::Gzip, Form::Zstd], sample_count = 20)]
fn archive_bytes(bencher: Bencher<'_, '_>, form: Form) {
    let layer = layer(form);
    bencher.counter(BytesCount::new(LAYER_BYTES)).bench_local(|| index(black_box(&layer)));
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
