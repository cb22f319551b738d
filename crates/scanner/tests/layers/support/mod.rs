//! Layers, and the files in them, made in the test that reads them.

pub(crate) mod elf;
pub(crate) mod rpm;
pub(crate) mod zip;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use tonnage_scanner::Package;
use tonnage_scanner::layers::{LayerError, LayerIndex, Limits, MemoryFiles, index_layer};

/// A layer being written.
pub(crate) struct Layer {
    builder: Builder<Vec<u8>>,
}

impl Layer {
    pub(crate) fn new() -> Self {
        Self { builder: Builder::new(Vec::new()) }
    }

    pub(crate) fn of(files: &[(&str, &[u8])]) -> Self {
        files.iter().fold(Self::new(), |layer, (path, content)| layer.file(path, content))
    }

    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        self.builder.append_data(&mut header, path, content).expect("an entry");
        self
    }

    pub(crate) fn directory(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, None)
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, Some(target))
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, Some(target))
    }

    fn entry(mut self, entry_type: EntryType, path: &str, target: Option<&str>) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(entry_type);
        header.set_size(0);
        match target {
            Some(target) => self.builder.append_link(&mut header, path, target),
            None => self.builder.append_data(&mut header, path, &[][..]),
        }
        .expect("an entry");
        self
    }

    pub(crate) fn tar(self) -> Vec<u8> {
        self.builder.into_inner().expect("an archive")
    }

    pub(crate) fn index(self) -> LayerIndex {
        index(&self.tar()).expect("an index")
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn index(layer: &[u8]) -> Result<LayerIndex, LayerError> {
    index_within(layer, &Limits::default())
}

pub(crate) fn index_within(layer: &[u8], limits: &Limits) -> Result<LayerIndex, LayerError> {
    index_layer(layer, None, limits, &MemoryFiles::new(64 << 20), &mut || true)
}

/// Every package in one line: package URL, path, and what the URL does not say.
pub(crate) fn lines(packages: impl IntoIterator<Item = Package>) -> Vec<String> {
    packages.into_iter().map(|package| line(&package)).collect()
}

fn line(package: &Package) -> String {
    let mut line = format!("{} {}", package.purl(None), package.path);
    for (name, value) in [("module", &package.module), ("licence", &package.licence)] {
        if let Some(value) = value {
            line = format!("{line} {name}={value}");
        }
    }
    match package.layer {
        Some(layer) => format!("{line} layer={layer}"),
        None => line,
    }
}

/// One file in a layer gives these packages, and these problems.
#[track_caller]
pub(crate) fn check(path: &str, content: &[u8], packages: &[&str], problems: &[&str]) {
    let index = Layer::new().file(path, content).index();
    assert_eq!(lines(index.packages()), packages, "packages of {path}");
    let found: Vec<_> = index.warnings().iter().map(|warning| warning.problem.as_str()).collect();
    assert_eq!(found, problems, "problems of {path}");
}
