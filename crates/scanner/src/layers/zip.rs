//! Zip archives, from their end (PKWARE's APPNOTE, sections 4.3 and 4.4): entries in the order of
//! the central directory, each of which can be read.

use std::io::Read;

use flate2::bufread::DeflateDecoder;

use super::bytes::Order;
use super::error::Fault;
use super::scratch::Spooled;

const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: u64 = 65_535;
const END64_BYTES: usize = 56;
const LOCATOR_BYTES: usize = 20;
const CENTRAL_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;

/// An entry of the central directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZipEntry {
    /// The name; not checked, and never used as the name of a file.
    pub name: String,
    flags: u16,
    method: u16,
    compressed: u64,
    local_header: u64,
}

/// An archive. What stands before its first entry is ignored, as in archives that start themselves.
pub(super) struct Zip<'a, 'b> {
    file: &'a mut Spooled<'b>,
    next: u64,
    end: u64,
    /// How far everything lies behind where the archive says it is.
    shift: u64,
}

impl<'a, 'b> Zip<'a, 'b> {
    pub(super) fn open(file: &'a mut Spooled<'b>) -> Result<Self, Fault> {
        let no_end = || Fault::file("not an archive: it has no directory at its end");
        let window = file.len().min(COMMENT_BYTES_MAX + END_BYTES as u64);
        let window_start = file.len() - window;
        let tail = file.bytes_at(window_start, window as usize)?;
        let at = tail
            .windows(END_BYTES)
            .rposition(|bytes| bytes.starts_with(b"PK\x05\x06"))
            .ok_or_else(no_end)?;
        let end = tail.get(at..).unwrap_or_default();
        let end_at = window_start + at as u64;
        let number = |place| Order::Little.u32(end, place).map(u64::from).ok_or_else(no_end);
        let (mut length, mut start) = (number(12)?, number(16)?);
        let mut directory_end = end_at;
        if let Some((length64, start64, end64)) = zip64(file, end_at)? {
            (length, start, directory_end) = (length64, start64, end64);
        }
        let next = directory_end
            .checked_sub(length)
            .filter(|actual| *actual >= start)
            .ok_or_else(|| Fault::file("its directory is not where it is said to be"))?;
        Ok(Self { file, next, end: directory_end, shift: next - start })
    }

    /// The next entry of the directory, or none after the last.
    pub(super) fn next_entry(&mut self) -> Result<Option<ZipEntry>, Fault> {
        if self.next == self.end {
            return Ok(None);
        }
        let broken = || Fault::file("its directory is broken");
        let header = self.file.bytes_at(self.next, CENTRAL_BYTES)?;
        if !header.starts_with(b"PK\x01\x02") {
            return Err(broken());
        }
        let half = |place| Order::Little.u16(&header, place).unwrap_or_default();
        let word = |place| Order::Little.u32(&header, place).unwrap_or_default();
        let (name, extra, comment) = (half(28), half(30), half(32));
        let name_at = self.next + CENTRAL_BYTES as u64;
        let extra_at = name_at + u64::from(name);
        self.next = extra_at + u64::from(extra) + u64::from(comment);
        if self.next > self.end {
            return Err(broken());
        }
        let name = self.file.bytes_at(name_at, name.into())?;
        let mut entry = ZipEntry {
            name: String::from_utf8_lossy(&name).into_owned(),
            flags: half(8),
            method: half(10),
            compressed: word(20).into(),
            local_header: word(42).into(),
        };
        if word(20) == u32::MAX || word(24) == u32::MAX || word(42) == u32::MAX {
            let extra = self.file.bytes_at(extra_at, extra.into())?;
            let inflated_is_wide = word(24) == u32::MAX;
            wide_fields(&extra, inflated_is_wide, &mut entry).ok_or_else(broken)?;
        }
        Ok(Some(entry))
    }

    /// The content of an entry. Its length is whatever comes; the caller bounds it.
    pub(super) fn content(&mut self, entry: &ZipEntry) -> Result<Box<dyn Read + '_>, Fault> {
        if entry.flags & ENCRYPTED != 0 {
            return Err(Fault::File(format!("{} is encrypted", entry.name)));
        }
        let at = entry.local_header.saturating_add(self.shift);
        let header = self.file.bytes_at(at, LOCAL_BYTES)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(Fault::file("an entry is not where it is said to be"));
        }
        let half = |place| u64::from(Order::Little.u16(&header, place).unwrap_or_default());
        let start = at + LOCAL_BYTES as u64 + half(26) + half(28);
        let stored = self.file.stream(start, entry.compressed)?;
        match entry.method {
            STORED => Ok(Box::new(stored)),
            DEFLATED => {
                let buffered = std::io::BufReader::with_capacity(16 * 1024, stored);
                Ok(Box::new(DeflateDecoder::new(buffered)))
            }
            method => Err(Fault::File(format!(
                "{} is compressed with method {method}, which is not read",
                entry.name
            ))),
        }
    }
}

/// Length, start and end of the directory where these need 64 bits.
fn zip64(file: &mut Spooled<'_>, end_at: u64) -> Result<Option<(u64, u64, u64)>, Fault> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_BYTES as u64) else { return Ok(None) };
    let locator = file.bytes_at(locator_at, LOCATOR_BYTES)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    // The record stands right before the locator, unless it has an extension; what stands before
    // the archive makes its stated position wrong.
    let stated = Order::Little.u64(&locator, 8).unwrap_or_default();
    for at in [locator_at.checked_sub(END64_BYTES as u64), Some(stated)].into_iter().flatten() {
        let Ok(record) = file.bytes_at(at, END64_BYTES) else { continue };
        if record.starts_with(b"PK\x06\x06") {
            let number = |place| Order::Little.u64(&record, place).unwrap_or_default();
            return Ok(Some((number(40), number(48), at)));
        }
    }
    Err(Fault::file("its directory is not where it is said to be"))
}

/// The extra field with what did not fit into 32 bits, in a fixed order.
fn wide_fields(extra: &[u8], inflated_is_wide: bool, entry: &mut ZipEntry) -> Option<()> {
    let mut rest = extra;
    loop {
        let id = Order::Little.u16(rest, 0)?;
        let length = usize::from(Order::Little.u16(rest, 2)?);
        let field = rest.get(4..4 + length)?;
        rest = rest.get(4 + length..)?;
        if id != 1 {
            continue;
        }
        let mut at = if inflated_is_wide { 8 } else { 0 };
        for value in [&mut entry.compressed, &mut entry.local_header] {
            if *value == u64::from(u32::MAX) {
                *value = Order::Little.u64(field, at)?;
                at += 8;
            }
        }
        return Some(());
    }
}
