//! Every path of a store of files, spelled here and nowhere else.
//!
//! ```text
//! lock                     held by the process that has the store open; its process id
//! identity                 32 hexadecimal characters
//! objects/ab/cd/<id>       an object whose id begins with abcd
//! archived                 there once the archive was made; the path it had then
//! archive/                 the archive, unless it is elsewhere: lock, identity and objects as here
//! ```

use std::path::{Path, PathBuf};

use tonnage_domain::objects::ObjectId;

/// The paths below one directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.root.join("identity")
    }

    /// What a file in the root is written to before it takes its name.
    pub(crate) fn new_file(&self) -> PathBuf {
        self.root.join("identity.new")
    }

    /// Where the archive is unless the operator says otherwise.
    pub(crate) fn archive(&self) -> PathBuf {
        self.root.join("archive")
    }

    /// Says that there is an archive.
    pub(crate) fn archived(&self) -> PathBuf {
        self.root.join("archived")
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// A directory directly below `objects`, by its number below [`BRANCHES`].
    pub(crate) fn branch(&self, number: usize) -> PathBuf {
        self.objects().join(format!("{number:02x}"))
    }

    /// A directory that holds objects, by its number below [`LEAVES`].
    pub(crate) fn leaf(&self, number: usize) -> PathBuf {
        self.branch(number / 256).join(format!("{:02x}", number % 256))
    }

    pub(crate) fn object(&self, id: &ObjectId) -> ObjectPath {
        let (first, rest) = id.as_str().split_at(2);
        let (second, _) = rest.split_at(2);
        let branch = self.objects().join(first);
        let leaf = branch.join(second);
        let number = |text| usize::from_str_radix(text, 16).unwrap_or_default();
        ObjectPath {
            file: leaf.join(id.as_str()),
            branch_number: number(first),
            leaf_number: number(first) * 256 + number(second),
            branch,
            leaf,
        }
    }
}

/// Where one object lies.
#[derive(Debug, Clone)]
pub(crate) struct ObjectPath {
    pub(crate) file: PathBuf,
    /// `objects/ab`, and its number below [`BRANCHES`].
    pub(crate) branch: PathBuf,
    pub(crate) branch_number: usize,
    /// `objects/ab/cd`, and its number below [`LEAVES`].
    pub(crate) leaf: PathBuf,
    pub(crate) leaf_number: usize,
}

/// Directories directly below `objects`.
pub(crate) const BRANCHES: usize = 256;
/// Directories that hold objects.
pub(crate) const LEAVES: usize = 256 * 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_lies_two_directories_deep() {
        let id = ObjectId::parse("ff01a20b000000000000000000000000").unwrap();
        let path = Layout::new(PathBuf::from("/d")).object(&id);
        assert_eq!(path.branch, Path::new("/d/objects/ff"));
        assert_eq!(path.leaf, Path::new("/d/objects/ff/01"));
        let layout = Layout::new(PathBuf::from("/d"));
        assert_eq!(layout.branch(path.branch_number), path.branch);
        assert_eq!(layout.leaf(path.leaf_number), path.leaf);
        assert_eq!(path.file, Path::new("/d/objects/ff/01/ff01a20b000000000000000000000000"));
        assert_eq!((path.branch_number, path.leaf_number), (0xff, 0xff01));
    }
}
