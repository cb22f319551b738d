//! The header of an installed package (rpm's documentation, "RPM v4 header format"): an index of
//! tags and a store that they point into, without the lead of a package file. All numbers are
//! big-endian.

use super::super::bytes::Order;
use super::super::collect::Findings;
use super::super::error::Fault;
use super::super::index::word;
use crate::package::{Package, PackageType, SourcePackage};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const LICENCE: u32 = 1014;
const ARCHITECTURE: u32 = 1022;
const OLD_FILE_NAMES: u32 = 1027;
const SOURCE_RPM: u32 = 1044;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
const MODULARITY_LABEL: u32 = 5096;

const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N_STRING: u32 = 9;

const ENTRY_BYTES: usize = 16;

/// Most directories of one package that are kept while its files are looked at.
const DIRECTORIES_MAX: usize = 100_000;

/// Most tags of one header (rpm: `hdrchkTags`).
const TAGS_MAX: usize = 0xffff;

struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
}

#[derive(Clone, Copy)]
struct Tag<'a> {
    data_type: u32,
    count: usize,
    /// From its start to the end of the store.
    data: &'a [u8],
}

/// Hands over the package and the files it brought. Keys that are kept as packages are none.
pub(super) fn package(bytes: &[u8], findings: &mut Findings<'_>) -> Result<(), Fault> {
    let header = Header::read(bytes).ok_or_else(|| Fault::file("its parts do not fit it"))?;
    let (Some(name), Some(version)) = (header.text(NAME), header.text(VERSION)) else {
        return Err(Fault::file("it has no name or no version"));
    };
    if name == "gpg-pubkey" {
        return Ok(());
    }
    let release = header.text(RELEASE);
    let mut full = version.clone();
    if let Some(release) = &release {
        full = format!("{full}-{release}");
    }
    if let Some(epoch) = header.number(EPOCH).filter(|epoch| *epoch != 0) {
        full = format!("{epoch}:{full}");
    }
    let source = header.text(SOURCE_RPM).and_then(|source| source_package(&source));
    findings.package(Package {
        architecture: header.text(ARCHITECTURE),
        source,
        module: header.text(MODULARITY_LABEL),
        licence: header.text(LICENCE),
        ..Package::new(PackageType::Rpm, name, full)
    })?;
    header.files(findings)
}

/// From `name-version-release.src.rpm`.
fn source_package(file: &str) -> Option<SourcePackage> {
    let stem = file.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage { name: name.to_owned(), version: format!("{version}-{release}") })
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let tags = usize::try_from(Order::Big.u32(bytes, 0)?).ok()?;
        let store_bytes = usize::try_from(Order::Big.u32(bytes, 4)?).ok()?;
        if tags > TAGS_MAX {
            return None;
        }
        let rest = bytes.get(8..)?;
        let (index, rest) = rest.split_at_checked(tags.checked_mul(ENTRY_BYTES)?)?;
        Some(Self { index, store: rest.get(..store_bytes)? })
    }

    fn tag(&self, wanted: u32) -> Option<Tag<'a>> {
        self.index.chunks_exact(ENTRY_BYTES).find_map(|entry| {
            if Order::Big.u32(entry, 0)? != wanted {
                return None;
            }
            Some(Tag {
                data_type: Order::Big.u32(entry, 4)?,
                data: self.store.get(usize::try_from(Order::Big.u32(entry, 8)?).ok()?..)?,
                count: usize::try_from(Order::Big.u32(entry, 12)?).ok()?,
            })
        })
    }

    fn text(&self, tag: u32) -> Option<String> {
        let text = self.strings(tag)?.next()?;
        word(&String::from_utf8_lossy(text))
    }

    fn number(&self, tag: u32) -> Option<u32> {
        let tag = self.tag(tag).filter(|tag| tag.data_type == TYPE_INT32 && tag.count > 0)?;
        Order::Big.u32(tag.data, 0)
    }

    fn strings(&self, tag: u32) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let tag = self.tag(tag)?;
        let is_text =
            matches!(tag.data_type, TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N_STRING);
        is_text.then(|| tag.data.split(|byte| *byte == 0).take(tag.count))
    }

    fn files(&self, findings: &mut Findings<'_>) -> Result<(), Fault> {
        let mut own = |path: &[u8]| match std::str::from_utf8(path) {
            Ok(path) => findings.owns(path.trim_start_matches('/')),
            Err(_) => Ok(()),
        };
        for path in self.strings(OLD_FILE_NAMES).into_iter().flatten() {
            own(path)?;
        }
        let (Some(names), Some(directories), Some(indexes)) = (
            self.strings(BASE_NAMES),
            self.strings(DIRECTORY_NAMES),
            self.tag(DIRECTORY_INDEXES).filter(|tag| tag.data_type == TYPE_INT32),
        ) else {
            return Ok(());
        };
        let directories: Vec<&[u8]> = directories.take(DIRECTORIES_MAX).collect();
        let mut path = Vec::new();
        for (name, index) in names.zip(indexes.data.chunks_exact(4).take(indexes.count)) {
            let index = Order::Big.u32(index, 0).and_then(|index| usize::try_from(index).ok());
            let Some(directory) = index.and_then(|index| directories.get(index)) else { continue };
            path.clear();
            path.extend_from_slice(directory);
            path.extend_from_slice(name);
            own(&path)?;
        }
        Ok(())
    }
}
