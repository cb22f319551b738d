//! A reader of tar archives that holds one header at a time.
//!
//! The usual readers collect what extends a header (long names, PAX records) without a limit, and
//! apply sizes of PAX records only where they also collect. Here every extension is bounded, and
//! what containers' runtimes do decides where writers of archives disagree: links and directories
//! have no data whatever their size says, and global records apply to nothing.

use std::io::{self, BufRead, BufReader, Read};

use super::error::LayerError;
use super::limits::Limits;

const BLOCK: usize = 512;

/// How much is decompressed at a time. After each time a decoder of gzip keeps its last 32 KiB,
/// which is a copy; the cache of a core still has room for this much.
const BUFFER_BYTES: usize = 256 * 1024;

/// What an entry is, as far as packages care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    /// Another name of an earlier file of the archive, as the archive spells that.
    HardLink(Vec<u8>),
    /// A symbolic link, a device, a pipe.
    Other,
}

/// An entry. Its data is what the archive reads until the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The name as the archive spells it; not empty, without NUL.
    pub name: Vec<u8>,
    pub kind: EntryKind,
    /// Bytes of data in the archive.
    pub size: u64,
    /// Whether the data is only the parts of a file that are not zeros.
    pub sparse: bool,
}

/// The archive; a reader of the data of the entry that [`Tar::next_entry`] gave last.
pub(super) struct Tar<'a, R> {
    reader: BufReader<R>,
    limits: &'a Limits,
    entries: u64,
    /// Bytes of data not yet read.
    data: u64,
    /// Zeros after the data.
    padding: u64,
    ended: bool,
}

/// What extensions say of the entry that follows them.
#[derive(Default)]
struct Extension {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax_name: Option<Vec<u8>>,
    pax_link: Option<Vec<u8>>,
    sparse_name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<'a, R: Read> Tar<'a, R> {
    pub(super) fn new(reader: R, limits: &'a Limits) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER_BYTES, reader),
            limits,
            entries: 0,
            data: 0,
            padding: 0,
            ended: false,
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut R {
        self.reader.get_mut()
    }

    /// What follows the archive.
    pub(super) fn rest(&mut self) -> &mut impl Read {
        &mut self.reader
    }

    /// Skips what is left of the entry before, and reads the next. None at the end of the archive:
    /// at a block of zeros, or where the data ends between two entries.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, LayerError> {
        let mut extension = Extension::default();
        loop {
            self.skip_data()?;
            let Some(header) = self.header()? else { return Ok(None) };
            self.entries += 1;
            if self.entries > self.limits.entries_max {
                return Err(LayerError::limit("entries of the archive", self.limits.entries_max));
            }
            let size = number(field(&header, 124, 12))
                .ok_or_else(|| failed("the size of an entry is not a number"))?;
            let type_flag = header[156];
            match type_flag {
                b'L' => {
                    self.begin_data(size)?;
                    extension.long_name = Some(self.long_text(size)?);
                }
                b'K' => {
                    self.begin_data(size)?;
                    extension.long_link = Some(self.long_text(size)?);
                }
                b'x' | b'X' => {
                    self.begin_data(size)?;
                    self.pax(size, &mut extension)?;
                }
                b'g' => self.begin_data(size)?,
                _ => return self.entry(&header, size, extension).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &[u8; BLOCK],
        size: u64,
        extension: Extension,
    ) -> Result<Entry, LayerError> {
        let type_flag = header[156];
        if type_flag == b'S' {
            self.skip_sparse_map(header)?;
        }
        let sparse = extension.sparse || type_flag == b'S';
        let name = extension
            .sparse_name
            .or(extension.pax_name)
            .or(extension.long_name)
            .unwrap_or_else(|| header_name(header));
        if name.is_empty() {
            return Err(failed("an entry has no name"));
        }
        let link = extension
            .pax_link
            .or(extension.long_link)
            .unwrap_or_else(|| text(field(header, 157, 100)).to_vec());
        if name.contains(&0) || link.contains(&0) {
            return Err(failed("a name contains NUL"));
        }
        if name.len().max(link.len()) > self.limits.path_bytes_max {
            let maximum = self.limits.path_bytes_max as u64;
            return Err(LayerError::limit("bytes of a path", maximum));
        }
        let kind = match type_flag {
            b'1' => EntryKind::HardLink(link),
            b'2' | b'3' | b'4' | b'6' => EntryKind::Other,
            b'5' => EntryKind::Directory,
            // The oldest writers know no directories.
            _ if name.ends_with(b"/") => EntryKind::Directory,
            _ => EntryKind::File,
        };
        let has_data = !matches!(type_flag, b'1'..=b'6');
        let size = if has_data { extension.size.unwrap_or(size) } else { 0 };
        self.begin_data(size)?;
        Ok(Entry { name, kind, size, sparse })
    }

    /// None at the end.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, LayerError> {
        if self.ended {
            return Ok(None);
        }
        let mut header = [0; BLOCK];
        let read = read_full(&mut self.reader, &mut header)?;
        if read == 0 {
            self.ended = true;
            return Ok(None);
        }
        if read < BLOCK {
            return Err(failed("the archive ends in the header of an entry"));
        }
        if header.iter().all(|byte| *byte == 0) {
            self.ended = true;
            return Ok(None);
        }
        if !checksum_fits(&header) {
            if self.entries == 0 {
                return Err(LayerError::Unsupported(
                    "its data is no tar archive, compressed or not".to_owned(),
                ));
            }
            return Err(failed("the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }

    fn begin_data(&mut self, size: u64) -> Result<(), LayerError> {
        // The padded size must be a number, too.
        if size > u64::MAX / 4 {
            return Err(failed("the size of an entry is larger than any archive"));
        }
        self.data = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        Ok(())
    }

    fn skip_data(&mut self) -> Result<(), LayerError> {
        let mut left = self.data.saturating_add(self.padding);
        while left > 0 {
            let buffered = fill(&mut self.reader)?;
            if buffered == 0 {
                return Err(failed("the archive ends in the data of an entry"));
            }
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(buffered);
            self.reader.consume(take);
            left -= take as u64;
        }
        self.data = 0;
        self.padding = 0;
        Ok(())
    }

    /// Extended maps follow the header; each says whether another does.
    fn skip_sparse_map(&mut self, header: &[u8; BLOCK]) -> Result<(), LayerError> {
        let mut continues = header[482] != 0;
        while continues {
            let mut block = [0; BLOCK];
            if read_full(&mut self.reader, &mut block)? < BLOCK {
                return Err(failed("the archive ends in the map of a sparse file"));
            }
            continues = block[504] != 0;
        }
        Ok(())
    }

    fn long_text(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let maximum = self.limits.path_bytes_max as u64;
        // The NUL at the end counts.
        if size > maximum.saturating_add(1) {
            return Err(LayerError::limit("bytes of a path", maximum));
        }
        let bytes = self.data_bytes(size)?;
        Ok(text(&bytes).to_vec())
    }

    fn pax(&mut self, size: u64, extension: &mut Extension) -> Result<(), LayerError> {
        if size > self.limits.extension_bytes_max {
            return Err(LayerError::limit("bytes of PAX records", self.limits.extension_bytes_max));
        }
        let bytes = self.data_bytes(size)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (key, value, after) =
                record(rest).ok_or_else(|| failed("a PAX record is malformed"))?;
            rest = after;
            match key {
                b"path" => extension.pax_name = Some(value.to_vec()),
                b"linkpath" => extension.pax_link = Some(value.to_vec()),
                b"GNU.sparse.name" => extension.sparse_name = Some(value.to_vec()),
                b"size" => {
                    let size = decimal(value)
                        .ok_or_else(|| failed("the size in a PAX record is not a number"))?;
                    extension.size = Some(size);
                }
                _ => extension.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
        Ok(())
    }

    fn data_bytes(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let mut bytes = Vec::new();
        self.by_ref().take(size).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Tar<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(buffer.len());
        buffer[..read].copy_from_slice(&available[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Tar<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.data == 0 {
            return Ok(&[]);
        }
        let left = usize::try_from(self.data).unwrap_or(usize::MAX);
        let buffered = self.reader.fill_buf()?;
        if buffered.is_empty() {
            return Err(failed("the archive ends in the data of an entry").into_io());
        }
        Ok(&buffered[..buffered.len().min(left)])
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
        self.data = self.data.saturating_sub(amount as u64);
    }
}

fn failed(problem: &str) -> LayerError {
    LayerError::Failed(format!("tar: {problem}"))
}

fn fill<R: Read>(reader: &mut BufReader<R>) -> io::Result<usize> {
    loop {
        match reader.fill_buf() {
            Ok(buffer) => return Ok(buffer.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads until `buffer` is full or the data ends.
pub(super) fn read_full(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn field(header: &[u8; BLOCK], start: usize, length: usize) -> &[u8] {
    header.get(start..start + length).unwrap_or_default()
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The name in the header; only POSIX archives have a prefix for it.
fn header_name(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(field(header, 0, 100));
    let prefix = text(field(header, 345, 155));
    if field(header, 257, 6) != b"ustar\0" || prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

/// Octal digits among spaces and NULs, or, with the highest bit set, a binary number. None if
/// negative or too large.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        if first & 0x40 != 0 {
            return None;
        }
        return rest.iter().try_fold(u64::from(first & 0x3f), |number, byte| {
            number.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0_u64, |number, byte| match byte {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Old writers added up signed bytes.
fn checksum_fits(header: &[u8; BLOCK]) -> bool {
    let Some(stated) = number(field(header, 148, 8)) else { return false };
    let (mut unsigned, mut signed) = (0_u64, 0_i64);
    for (at, byte) in header.iter().enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { *byte };
        unsigned += u64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    stated == unsigned || i64::try_from(stated) == Ok(signed)
}

/// One PAX record, `length key=value\n`, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let (whole, after) = bytes.split_at_checked(length)?;
    let content = whole.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=')?;
    Some((&content[..equals], &content[equals + 1..], after))
}
