//! Go's build information (Go's source, `debug/buildinfo` and `runtime/debug`): a block that starts
//! with a mark, in a section of its own or at the start of the data. Since Go 1.18 two texts follow
//! it, before that pointers to them.

use super::super::bytes::Order;
use super::super::collect::Findings;
use super::super::elf::{Elf, Extent};
use super::super::error::Fault;
use super::super::index::word;
use crate::package::{Package, PackageType};

const MARK: &[u8] = b"\xff Go buildinf:";
const BLOCK_BYTES: usize = 32;
const ALIGNMENT: usize = 16;

const FLAG_BIG_ENDIAN: u8 = 1;
const FLAG_INLINE: u8 = 2;

/// How much of the data is searched for the mark (Go: `searchChunkSize`).
const SEARCH_BYTES_MAX: u64 = 1 << 20;

/// Longest text: the modules of the largest programs take a tenth.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Before and after the list of modules stand 16 bytes, by which it can be found in memory.
const SENTINEL_BYTES: usize = 16;

pub(super) fn build_information(
    elf: &mut Elf<'_, '_>,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let Some((at, block)) = find(elf)? else { return Ok(()) };
    let flags = block.get(15).copied().unwrap_or_default();
    let (toolchain, modules) = if flags & FLAG_INLINE != 0 {
        let start = at + BLOCK_BYTES as u64;
        let (toolchain, end) = inline_text(elf, start)?;
        (toolchain, inline_text(elf, end)?.0)
    } else {
        let width = block.get(14).copied().unwrap_or_default().into();
        let order = if flags & FLAG_BIG_ENDIAN != 0 { Order::Big } else { Order::Little };
        if !matches!(width, 4 | 8) {
            return Err(Fault::file("Go's build information has pointers of an unknown size"));
        }
        let pointer = |number: usize| order.word(&block, 16 + number * width, width);
        (
            pointed_text(elf, pointer(0).unwrap_or_default(), order, width)?,
            pointed_text(elf, pointer(1).unwrap_or_default(), order, width)?,
        )
    };
    if let Some(version) = toolchain_version(&String::from_utf8_lossy(&toolchain)) {
        findings.package(Package::new(PackageType::Go, "stdlib", version))?;
    }
    for (path, version) in module_list(&String::from_utf8_lossy(without_sentinels(&modules))) {
        findings.package(Package::new(PackageType::Go, path, version))?;
    }
    Ok(())
}

fn find(elf: &mut Elf<'_, '_>) -> Result<Option<(u64, Vec<u8>)>, Fault> {
    let section = elf.section(".go.buildinfo")?;
    let Some(place) = section.or_else(|| elf.data_segment()) else { return Ok(None) };
    let Some(length) = elf.file().len().checked_sub(place.offset) else { return Ok(None) };
    let length = length.min(place.length).min(SEARCH_BYTES_MAX);
    // Bounded just now.
    let data = elf.file().bytes_at(place.offset, length as usize)?;
    let found = data
        .chunks(ALIGNMENT)
        .position(|chunk| chunk.starts_with(MARK))
        .map(|chunk| chunk * ALIGNMENT);
    Ok(found.and_then(|found| {
        let block = data.get(found..found + BLOCK_BYTES)?.to_vec();
        Some((place.offset + found as u64, block))
    }))
}

/// A length of up to ten bytes, then as much text; and where it ends.
fn inline_text(elf: &mut Elf<'_, '_>, at: u64) -> Result<(Vec<u8>, u64), Fault> {
    let broken = || Fault::file("Go's build information is cut short");
    let left = elf.file().len().checked_sub(at).ok_or_else(broken)?;
    let start = elf.file().bytes_at(at, left.min(10) as usize)?;
    let (mut length, mut used) = (0_u64, 0);
    loop {
        let byte = *start.get(used).ok_or_else(broken)?;
        length |= u64::from(byte & 0x7f).checked_shl(7 * used as u32).unwrap_or(u64::MAX);
        used += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let text_at = at + used as u64;
    let text = text(elf, Extent { offset: text_at, length })?;
    Ok((text, text_at + length))
}

/// A pointer to a pointer and a length.
fn pointed_text(
    elf: &mut Elf<'_, '_>,
    address: u64,
    order: Order,
    width: usize,
) -> Result<Vec<u8>, Fault> {
    if address == 0 {
        return Ok(Vec::new());
    }
    let lost = || Fault::file("Go's build information points outside of the program");
    let place = elf.at_address(address).ok_or_else(lost)?;
    let header = elf.file().bytes_at(place.offset, 2 * width)?;
    let data = order.word(&header, 0, width).unwrap_or_default();
    let length = order.word(&header, width, width).unwrap_or_default();
    if length == 0 {
        return Ok(Vec::new());
    }
    let place = elf.at_address(data).filter(|place| place.length >= length).ok_or_else(lost)?;
    text(elf, Extent { offset: place.offset, length })
}

fn text(elf: &mut Elf<'_, '_>, place: Extent) -> Result<Vec<u8>, Fault> {
    if place.length > TEXT_BYTES_MAX {
        return Err(Fault::file("Go's build information is too large"));
    }
    elf.file().bytes_at(place.offset, place.length as usize)
}

fn without_sentinels(modules: &[u8]) -> &[u8] {
    let inner = modules.len().checked_sub(SENTINEL_BYTES);
    inner.and_then(|end| modules.get(SENTINEL_BYTES..end)).unwrap_or_default()
}

/// `1.22.1` of `go1.22.1 X:experiment`; compilers between releases have no version.
fn toolchain_version(toolchain: &str) -> Option<String> {
    let version = toolchain.trim().strip_prefix("go")?.split([' ', '-']).next()?;
    word(version).filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

/// Path and version of the main module and its dependencies, each replaced by what stands for it.
/// Without a version are the main module of a build in its own directory, and replacements by
/// directories.
fn module_list(text: &str) -> Vec<(String, String)> {
    let mut modules: Vec<Option<(String, String)>> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or_default();
        if !matches!(kind, "mod" | "dep" | "=>") {
            continue;
        }
        let path = fields.next().and_then(word);
        let version = fields.next().and_then(word).filter(|version| version != "(devel)");
        let module = path.zip(version);
        match modules.last_mut() {
            Some(replaced) if kind == "=>" => *replaced = module,
            _ => modules.push(module),
        }
    }
    modules.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains() {
        for (text, expected) in [
            ("go1.22.1", Some("1.22.1")),
            ("go1.21", Some("1.21")),
            ("go1.20.3 X:boringcrypto", Some("1.20.3")),
            ("go1.22.1-custom", Some("1.22.1")),
            ("go1.23rc1", Some("1.23rc1")),
            ("devel go1.23-abc", None),
            ("devel +abc", None),
            ("", None),
        ] {
            assert_eq!(toolchain_version(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn modules() {
        let text = "path\texample.com/cmd\nmod\texample.com\t(devel)\t\ndep\ta.b/c\tv1.0.0\th1:x=\n\
            dep\td.e/f\tv2.0.0\n=>\tg.h/f\tv2.0.1\th1:y=\ndep\ti.j/k\tv3.0.0\n=>\t./local\t\n\
            build\t-compiler=gc\n";
        let modules = module_list(text);
        let modules: Vec<_> =
            modules.iter().map(|(path, version)| (path.as_str(), version.as_str())).collect();
        assert_eq!(modules, [("a.b/c", "v1.0.0"), ("g.h/f", "v2.0.1")]);
        assert_eq!(module_list("=>\tx\tv1\n"), [("x".to_owned(), "v1".to_owned())]);
    }
}
