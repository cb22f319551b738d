//! Names of entries, and what a layer takes away from those below it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::LayerError;
use super::limits::Limits;

/// A path inside the image as extraction makes it of an entry's name: no leading or double slashes,
/// no `.`, and `..` never leaves the root. Bytes that are not UTF-8 are replaced. Empty for the root
/// itself.
pub(super) fn normalise(name: &[u8], limits: &Limits) -> Result<String, LayerError> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
        if parts.len() > limits.path_depth_max {
            return Err(LayerError::limit("parts of a path", limits.path_depth_max as u64));
        }
    }
    let path = parts.join(&b'/');
    Ok(match String::from_utf8(path) {
        Ok(path) => path,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The part after the last slash.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The directory a path lies in; empty for the root.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What an entry says of lower layers (OCI image specification, "Whiteouts").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whiteout {
    /// The path and everything below it is gone.
    Path(String),
    /// Everything below the directory is gone.
    Opaque(String),
    /// A marker of the union file system that means nothing here.
    Nothing,
}

impl Whiteout {
    /// None if the entry is an entry.
    pub(super) fn read(path: &str) -> Option<Self> {
        let name = file_name(path).strip_prefix(".wh.")?;
        let parent = parent(path);
        Some(match name {
            ".wh..opq" => Self::Opaque(parent.to_owned()),
            // The union file system's own; and names that no file has.
            _ if name.starts_with(".wh.") => Self::Nothing,
            "" | "." | ".." => Self::Nothing,
            name if parent.is_empty() => Self::Path(name.to_owned()),
            name => Self::Path(format!("{parent}/{name}")),
        })
    }
}

/// A set of paths, kept as 48 bits of each: whether a path is in it can be told, what is in it
/// cannot. Sorted and by differences it takes four to five bytes a path once compressed.
///
/// With a million paths and a million questions, the chance of one wrong answer is one in three
/// hundred; both numbers are far above what images have.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct PathSet {
    // INVARIANT: sorted and without repetitions, except between `insert` and `finish`.
    hashes: Vec<u64>,
}

impl PathSet {
    /// Memory of one path.
    pub(super) const ENTRY_BYTES: usize = 8;

    pub(super) fn insert(&mut self, path: &str, suffix: &str) {
        self.hashes.push(hash(path, suffix));
    }

    /// To be called after the last `insert`.
    pub(super) fn finish(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.shrink_to_fit();
    }

    pub(super) fn contains(&self, path: &str, suffix: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.binary_search(&hash(path, suffix)).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.hashes.len() * Self::ENTRY_BYTES
    }

    /// What stands for each path; [`PathSet::key`] gives the same.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.hashes.iter().copied()
    }

    pub(super) fn key(path: &str) -> u64 {
        hash(path, "")
    }
}

impl fmt::Debug for PathSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PathSet of {}", self.hashes.len())
    }
}

impl Serialize for PathSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = 0;
        serializer.collect_seq(self.hashes.iter().map(|hash| {
            let difference = hash - before;
            before = *hash;
            difference
        }))
    }
}

impl<'de> Deserialize<'de> for PathSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut hashes = Vec::<u64>::deserialize(deserializer)?;
        let mut before = 0_u64;
        for hash in &mut hashes {
            before = before.wrapping_add(*hash);
            *hash = before;
        }
        let mut set = Self { hashes };
        set.finish();
        Ok(set)
    }
}

/// What a layer hides of the layers below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hidden {
    set: PathSet,
}

impl Hidden {
    /// Nothing of the path is left, nor of what is below it: a whiteout, or an entry that is no
    /// directory.
    pub(super) fn tree(&mut self, path: &str) {
        self.set.insert(path, "");
    }

    /// A file of that path is gone: a directory takes its place.
    pub(super) fn file(&mut self, path: &str) {
        self.set.insert(path, "/");
    }

    /// Everything below the directory is gone.
    pub(super) fn opaque(&mut self, path: &str) {
        self.set.insert(path, "/.");
    }

    pub(super) fn finish(&mut self) {
        self.set.finish();
    }

    /// Whether a file of a lower layer cannot be seen any more.
    pub(super) fn hides(&self, path: &str) -> bool {
        if self.set.is_empty() {
            return false;
        }
        if self.set.contains(path, "") || self.set.contains(path, "/") {
            return true;
        }
        let parents = path.match_indices('/').map(|(at, _)| &path[..at]);
        self.set.contains("", "/.")
            || parents
                .into_iter()
                .any(|parent| self.set.contains(parent, "") || self.set.contains(parent, "/."))
    }
}

/// FNV-1a, mixed once more because only some bits are kept. It is part of the stored form: a change
/// needs another `INDEXER_VERSION`.
fn hash(path: &str, suffix: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in path.bytes().chain(suffix.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths() {
        for (name, expected) in [
            ("etc/os-release", "etc/os-release"),
            ("./etc//os-release", "etc/os-release"),
            ("/etc/os-release", "etc/os-release"),
            ("./", ""),
            ("", ""),
            ("../../etc/passwd", "etc/passwd"),
            ("a/../../b", "b"),
            ("a/b/../c/./d/", "a/c/d"),
            ("..", ""),
        ] {
            let path = normalise(name.as_bytes(), &Limits::default()).expect(name);
            assert_eq!(path, expected, "{name}");
        }
        let path = normalise(b"a/\xff\xfe", &Limits::default()).expect("a path");
        assert_eq!(path, "a/\u{fffd}\u{fffd}");
        let deep = "a/".repeat(256);
        let error = normalise(deep.as_bytes(), &Limits::default()).expect_err("too deep");
        assert!(matches!(error, LayerError::LimitExceeded { maximum: 255, .. }), "{error}");
    }

    #[test]
    fn whiteouts() {
        let path = |path: &str| Some(Whiteout::Path(path.to_owned()));
        let opaque = |path: &str| Some(Whiteout::Opaque(path.to_owned()));
        for (name, expected) in [
            ("etc/os-release", None),
            ("etc/.wh.os-release", path("etc/os-release")),
            (".wh.etc", path("etc")),
            ("etc/.wh..wh..opq", opaque("etc")),
            (".wh..wh..opq", opaque("")),
            (".wh..wh.plnk", Some(Whiteout::Nothing)),
            ("a/.wh.", Some(Whiteout::Nothing)),
            ("a/.wh..", Some(Whiteout::Nothing)),
            ("a/.wh...", Some(Whiteout::Nothing)),
            ("a/.wh..hidden", path("a/.hidden")),
            ("a/.wh.b/c", None),
        ] {
            assert_eq!(Whiteout::read(name), expected, "{name}");
        }
    }

    #[test]
    fn hidden_paths() {
        let mut hidden = Hidden::default();
        hidden.tree("a/file");
        hidden.tree("gone");
        hidden.file("b");
        hidden.opaque("c/d");
        hidden.finish();
        let text = serde_json::to_string(&hidden).expect("JSON");
        let hidden: Hidden = serde_json::from_str(&text).expect("the same");
        for (path, expected) in [
            ("a/file", true),
            ("a/file/below", true),
            ("a", false),
            ("a/filed", false),
            ("gone/x/y", true),
            ("b", true),
            ("b/x", false),
            ("c/d", false),
            ("c/d/e", true),
            ("c/d/e/f", true),
            ("c/e", false),
            ("", false),
        ] {
            assert_eq!(hidden.hides(path), expected, "{path}");
        }
        let mut everything = Hidden::default();
        everything.opaque("");
        everything.finish();
        assert!(everything.hides("any/thing") && everything.hides("file"));
        assert!(!Hidden::default().hides("any/thing"));
    }
}
