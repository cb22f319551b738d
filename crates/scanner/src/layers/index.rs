//! What is kept of a layer.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::error::LayerError;
use super::limits::Limits;
use super::paths::{Hidden, PathSet};
use crate::package::{OsRelease, Package, TEXT_BYTES_MAX};

/// Which indexer made an index. It grows with every change of what is found or of how it is kept;
/// indexes of another version are made again.
pub const INDEXER_VERSION: u32 = 2;

/// Most problems that are kept of one layer; the others are only counted.
pub const WARNINGS_MAX: usize = 100;

/// Largest index that is read, decompressed.
const DECODED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Something that was not read, so that packages may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The file.
    pub path: String,
    /// What is wrong with it, in one line.
    pub problem: String,
}

/// What one layer holds and what it hides. It depends on nothing but the bytes of the layer and the
/// [`Limits`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerIndex {
    /// The files that say something, by path.
    pub(super) evidence: BTreeMap<String, Evidence>,
    pub(super) hidden: Hidden,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<Warning>,
    #[serde(default)]
    pub(super) warnings_dropped: u64,
}

/// What one file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Evidence {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) os_release: Option<OsRelease>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) apk_branch: Option<String>,
    /// Their paths are empty, unless they differ from the file's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) packages: Vec<Package>,
    /// Files that packages of the operating system brought.
    #[serde(default, skip_serializing_if = "PathSet::is_empty")]
    pub(super) owned: PathSet,
}

impl Evidence {
    pub(super) fn is_empty(&self) -> bool {
        self.os_release.is_none()
            && self.apk_branch.is_none()
            && self.packages.is_empty()
            && self.owned.is_empty()
    }
}

/// Why a stored index cannot be used. The layer must be indexed again.
#[derive(Debug, thiserror::Error)]
pub enum IndexDecodeError {
    /// Another indexer made it.
    #[error("the index was made by version {0} of the indexer, not {INDEXER_VERSION}")]
    Version(u32),
    /// It is not what [`LayerIndex::to_bytes`] gives.
    #[error("the index is damaged: {0}")]
    Damaged(String),
}

impl LayerIndex {
    /// Every package of the layer, whether a later layer hides it or not; in order of the paths,
    /// with path, without layer.
    pub fn packages(&self) -> impl Iterator<Item = Package> + '_ {
        self.evidence.iter().flat_map(|(path, evidence)| {
            evidence.packages.iter().map(|package| located(package, path))
        })
    }

    /// What could not be read, at most [`WARNINGS_MAX`] of it.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many problems there were beyond [`WARNINGS_MAX`].
    pub fn warnings_dropped(&self) -> u64 {
        self.warnings_dropped
    }

    /// The stored form: the version as four bytes, then JSON, compressed. Equal indexes have equal
    /// bytes.
    ///
    /// # Errors
    /// Only when memory for the compressor cannot be had.
    pub fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = INDEXER_VERSION.to_be_bytes().to_vec();
        let mut encoder = zstd::stream::write::Encoder::new(&mut bytes, 6)?;
        serde_json::to_writer(&mut encoder, self)?;
        encoder.flush()?;
        encoder.finish()?;
        Ok(bytes)
    }

    /// Which indexer made stored bytes, without reading further; none if they are no index.
    pub fn version_of(bytes: &[u8]) -> Option<u32> {
        bytes.first_chunk().map(|version| u32::from_be_bytes(*version))
    }

    /// Reads what [`LayerIndex::to_bytes`] gave.
    ///
    /// # Errors
    /// When another version of the indexer made the bytes, or they are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IndexDecodeError> {
        let damaged = |error: &dyn std::fmt::Display| IndexDecodeError::Damaged(error.to_string());
        let Some((version, content)) = bytes.split_first_chunk() else {
            return Err(damaged(&"it is too short"));
        };
        let version = u32::from_be_bytes(*version);
        if version != INDEXER_VERSION {
            return Err(IndexDecodeError::Version(version));
        }
        let decoder = zstd::stream::read::Decoder::with_buffer(content);
        let decoder = decoder.map_err(|error| damaged(&error))?.take(DECODED_BYTES_MAX);
        serde_json::from_reader(std::io::BufReader::new(decoder)).map_err(|error| damaged(&error))
    }
}

/// The package with the path of the file that speaks of it.
pub(super) fn located(package: &Package, path: &str) -> Package {
    let mut package = package.clone();
    if package.path.is_empty() {
        path.clone_into(&mut package.path);
    } else {
        package.path = format!("{path}{}", package.path);
    }
    package
}

/// Counts the memory of what is found.
pub(super) struct Room {
    left: usize,
    maximum: u64,
}

impl Room {
    pub(super) fn new(limits: &Limits) -> Self {
        let left = usize::try_from(limits.index_bytes_max).unwrap_or(usize::MAX);
        Self { left, maximum: limits.index_bytes_max }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), LayerError> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| LayerError::limit("bytes of what is found", self.maximum))?;
        Ok(())
    }

    pub(super) fn take_package(&mut self, package: &Package) -> Result<(), LayerError> {
        let texts = [
            Some(&package.name),
            Some(&package.version),
            Some(&package.path),
            package.namespace.as_ref(),
            package.architecture.as_ref(),
            package.source.as_ref().map(|source| &source.name),
            package.source.as_ref().map(|source| &source.version),
            package.module.as_ref(),
            package.licence.as_ref(),
        ];
        // Each text has an allocation of its own.
        let text = texts.into_iter().flatten().map(|text| text.len() + 16).sum::<usize>();
        self.take(size_of::<Package>() + text)
    }
}

/// A name or version: not empty, not longer than [`TEXT_BYTES_MAX`], without control characters.
pub(super) fn word(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES_MAX;
    (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
}
