//! Where advisories come from: a directory of JSON files, a zip of them as osv.dev distributes one for
//! each ecosystem, a directory of such zips, or a tar archive, plain or compressed with gzip or zstd.
//! Also what compressed feeds and checksums need.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::layers::{self, LayerError};

/// What an entry of a tar archive takes beside its data: a header, extensions of it, and padding.
const TAR_ENTRY_BYTES: u64 = 4_096;

/// What is read of a bundle at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files together, uncompressed.
    pub total_bytes: u64,
    /// Files, those of other names included.
    pub files: usize,
    /// Directories within directories.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 32 << 20, total_bytes: 64 << 30, files: 4_000_000, depth: 8 }
    }
}

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// Its name within the bundle, with slashes.
    pub name: String,
    /// Its bytes, or why they cannot be had; other files may be good all the same.
    pub bytes: Result<Vec<u8>, String>,
}

/// Why a bundle cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file or directory cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no zip, or a damaged one.
    #[error("the bundle is no readable zip file: {0}")]
    Zip(String),
    /// The archive is damaged, or breaks off.
    #[error("the bundle is no readable archive: {0}")]
    Tar(String),
    /// There is more than is read.
    #[error("the bundle has more than {max} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The checksum is not the one that was promised.
    #[error("the file has the SHA-256 checksum {found}, but {expected} was promised")]
    Checksum {
        /// The checksum that was promised.
        expected: String,
        /// That of the file.
        found: String,
    },
    /// The file with the checksum does not have one.
    #[error("the checksum file names no SHA-256 checksum for {0}")]
    NoChecksum(String),
}

impl BundleError {
    /// The same of a zip in a directory.
    fn in_file(self, name: &str) -> Self {
        match self {
            Self::Zip(reason) => Self::Zip(format!("{name}: {reason}")),
            other => other,
        }
    }
}

/// Reads a bundle from a path: a directory, a tar archive (plain, gzip or zstd), or else a zip file.
/// `each` gets every file whose name ends in `.json`, in the order of names for a directory and of the
/// archive for others; it may stop early with `false`. Returns how many files it got. Of a directory
/// also the zip files are read, so that one may be a mirror of many ecosystems.
pub fn read(
    path: &Path,
    limits: Limits,
    each: impl FnMut(BundleFile) -> bool,
) -> Result<usize, BundleError> {
    let at = |source| BundleError::Io { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(at)?.is_dir() {
        return read_directory(path, limits, each);
    }
    let mut file = BufReader::new(File::open(path).map_err(at)?);
    if is_tar(file.fill_buf().map_err(at)?) {
        return read_tar(file, limits, each);
    }
    read_zip(file, limits, each)
}

/// Whether a file begins as compressed data or as an archive of tar (POSIX.1 pax, `magic`).
fn is_tar(start: &[u8]) -> bool {
    const MAGIC: std::ops::Range<usize> = 257..262;
    let is_compressed = start.starts_with(b"\x1f\x8b") || start.starts_with(b"\x28\xb5\x2f\xfd");
    is_compressed || start.get(MAGIC) == Some(b"ustar")
}

/// Reads the JSON files of a tar archive. See [`read`].
///
/// Other than in a zip, a damaged part spoils what follows it: the archive is refused as a whole, and
/// whoever stores what was read must not have done so before its end.
pub fn read_tar(
    reader: impl Read,
    limits: Limits,
    mut each: impl FnMut(BundleFile) -> bool,
) -> Result<usize, BundleError> {
    let total = limits.total_bytes.saturating_add(limits.files as u64 * TAR_ENTRY_BYTES);
    let archive_limits = layers::Limits {
        layer_bytes_max: total,
        work_bytes_max: total,
        entries_max: limits.files as u64,
        ..layers::Limits::default()
    };
    let mut budget = Budget::new(limits);
    let mut handed = 0;
    let mut failed = None;
    layers::read_files(reader, &archive_limits, &mut |name, data| {
        let name = String::from_utf8_lossy(name).into_owned();
        if !is_json(&name) {
            return true;
        }
        match budget.read(data) {
            Ok(bytes) => {
                handed += 1;
                each(BundleFile { name, bytes })
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        }
    })
    .map_err(|error| match error {
        LayerError::LimitExceeded { limit, maximum } => {
            BundleError::TooMuch { what: limit, max: maximum }
        }
        LayerError::Failed(reason) | LayerError::Unsupported(reason) => BundleError::Tar(reason),
        other => BundleError::Tar(other.to_string()),
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(handed),
    }
}

/// What is left of the limits.
struct Budget {
    limits: Limits,
    files: usize,
    bytes: u64,
}

impl Budget {
    fn new(limits: Limits) -> Self {
        Self { limits, files: 0, bytes: 0 }
    }

    fn count_file(&mut self) -> Result<(), BundleError> {
        self.files += 1;
        if self.files > self.limits.files {
            return Err(BundleError::TooMuch { what: "files", max: self.limits.files as u64 });
        }
        Ok(())
    }

    /// Reads a file to its end: the outer error is one of the bundle, the inner one of the file.
    fn read(&mut self, from: impl Read) -> Result<Result<Vec<u8>, String>, BundleError> {
        let left = self.limits.total_bytes.saturating_sub(self.bytes);
        let mut bytes = Vec::new();
        let read = from.take(self.limits.file_bytes.min(left) + 1).read_to_end(&mut bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes > self.limits.total_bytes {
            return Err(BundleError::TooMuch { what: "bytes", max: self.limits.total_bytes });
        }
        Ok(match read {
            Err(error) => Err(error.to_string()),
            Ok(_) if bytes.len() as u64 > self.limits.file_bytes => {
                Err(format!("the file has more than {} bytes", self.limits.file_bytes))
            }
            Ok(_) => Ok(bytes),
        })
    }
}

fn is_json(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".json")
}

fn is_zip(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".zip")
}

/// Reads the JSON files of a directory, of those in it, and of zips in them. Symbolic links are not
/// followed. A damaged zip spoils all of it: whoever stores what was read would take the records of
/// that zip for withdrawn.
fn read_directory(
    root: &Path,
    limits: Limits,
    mut each: impl FnMut(BundleFile) -> bool,
) -> Result<usize, BundleError> {
    let mut budget = Budget::new(limits);
    let mut handed = 0;
    let mut waiting = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = waiting.pop() {
        let at = |source| BundleError::Io { path: directory.clone(), source };
        let mut files = Vec::new();
        let mut directories = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(at)? {
            let entry = entry.map_err(at)?;
            let kind = entry.file_type().map_err(at)?;
            if kind.is_dir() && depth < limits.depth {
                budget.count_file()?;
                directories.push(entry.path());
            } else if kind.is_file() {
                budget.count_file()?;
                files.push(entry.path());
            }
        }
        files.sort();
        directories.sort();
        for path in files {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let name = relative.to_string_lossy().into_owned();
            if is_zip(&name) {
                let file = File::open(&path)
                    .map_err(|source| BundleError::Io { path: path.clone(), source })?;
                let hand = &mut |file: BundleFile| {
                    handed += 1;
                    each(BundleFile { name: format!("{name}/{}", file.name), ..file })
                };
                let more = zip_files(BufReader::new(file), &mut budget, hand);
                if !more.map_err(|error| error.in_file(&name))? {
                    return Ok(handed);
                }
                continue;
            }
            if !is_json(&name) {
                continue;
            }
            let bytes = match File::open(&path) {
                Ok(file) => budget.read(file)?,
                Err(error) => Err(error.to_string()),
            };
            handed += 1;
            if !each(BundleFile { name, bytes }) {
                return Ok(handed);
            }
        }
        // The last one in is the first one out.
        waiting.extend(directories.into_iter().rev().map(|path| (path, depth + 1)));
    }
    Ok(handed)
}

/// Reads the JSON files of a zip. See [`read`].
pub fn read_zip<R: Read + Seek>(
    reader: R,
    limits: Limits,
    mut each: impl FnMut(BundleFile) -> bool,
) -> Result<usize, BundleError> {
    let mut handed = 0;
    zip_files(reader, &mut Budget::new(limits), &mut |file| {
        handed += 1;
        each(file)
    })?;
    Ok(handed)
}

/// Hands on the JSON files of a zip; whether more are wanted after them.
fn zip_files<R: Read + Seek>(
    mut reader: R,
    budget: &mut Budget,
    each: &mut dyn FnMut(BundleFile) -> bool,
) -> Result<bool, BundleError> {
    let damaged = |error: &dyn std::fmt::Display| BundleError::Zip(error.to_string());
    // Before the directory of the archive is read into memory, it has to be small enough.
    let claimed = claimed_entries(&mut reader).map_err(|error| damaged(&error))?;
    let claimed = claimed.ok_or_else(|| damaged(&"it has no end of directory"))?;
    if claimed > budget.limits.files.saturating_sub(budget.files) as u64 {
        let max = budget.limits.files as u64;
        return Err(BundleError::TooMuch { what: "files", max });
    }
    let mut archive = zip::ZipArchive::new(reader).map_err(|error| damaged(&error))?;
    for index in 0..archive.len() {
        budget.count_file()?;
        let (name, bytes) = match archive.by_index(index) {
            Ok(file) if !file.is_file() => continue,
            Ok(file) => {
                let name = String::from_utf8_lossy(file.name_raw()).into_owned();
                if !is_json(&name) {
                    continue;
                }
                let bytes = budget.read(file)?;
                (name, bytes)
            }
            Err(error) => (format!("file {index}"), Err(error.to_string())),
        };
        if !each(BundleFile { name, bytes }) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many entries a zip says it has (APPNOTE 4.3.16, and 4.3.14 for more than 65,534). None when
/// it has no end of directory.
fn claimed_entries(reader: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    /// The record without its comment, and the longest comment.
    const END: usize = 22;
    const COMMENT_MAX: u64 = 65_535;
    let length = reader.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(COMMENT_MAX + END as u64);
    reader.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    reader.by_ref().take(COMMENT_MAX + END as u64).read_to_end(&mut tail)?;
    let mut most = None;
    // Whichever record a reader settles on, none may claim too much.
    for position in 0..tail.len().saturating_sub(END - 1) {
        let Some(record) = tail.get(position..position + END) else { break };
        if !record.starts_with(b"PK\x05\x06") {
            continue;
        }
        let mut entries = record
            .get(10..12)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, |bytes| u64::from(u16::from_le_bytes(bytes)));
        let locator = (start + position as u64).checked_sub(20);
        if entries == u64::from(u16::MAX)
            && let Some(locator) = locator
            && let Some(more) = zip64_entries(reader, locator)?
        {
            entries = more;
        }
        most = most.max(Some(entries));
    }
    reader.seek(SeekFrom::Start(0))?;
    Ok(most)
}

fn zip64_entries(reader: &mut (impl Read + Seek), locator: u64) -> io::Result<Option<u64>> {
    fn number(bytes: &[u8], at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
    }
    let mut read = |at: u64, length: u64| {
        let mut bytes = Vec::new();
        reader.seek(SeekFrom::Start(at))?;
        reader.by_ref().take(length).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let bytes = read(locator, 20)?;
    if !bytes.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let Some(record) = number(&bytes, 8) else { return Ok(None) };
    let bytes = read(record, 56)?;
    Ok(number(&bytes, 32).filter(|_| bytes.starts_with(b"PK\x06\x06")))
}

/// A reader that decompresses gzip, and hands anything else through. At most `bytes_max` bytes come
/// out of it; the next one is an error.
pub fn decompressed<'a>(
    mut reader: impl BufRead + 'a,
    bytes_max: u64,
) -> io::Result<Box<dyn BufRead + 'a>> {
    let is_gzip = reader.fill_buf()?.starts_with(b"\x1f\x8b");
    let inner: Box<dyn Read + 'a> =
        if is_gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
    Ok(Box::new(BufReader::new(AtMost { inner, left: bytes_max })))
}

struct AtMost<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for AtMost<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // One more than is left shows whether there is more.
        let most = usize::try_from(self.left.saturating_add(1)).unwrap_or(usize::MAX);
        let length = into.len().min(most);
        let read = self.inner.read(into.get_mut(..length).unwrap_or_default())?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other("the file is longer than is read"))?;
        Ok(read)
    }
}

/// The SHA-256 checksum of all that a reader gives, in lower-case hexadecimal.
pub fn sha256(mut reader: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            length => hash.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

/// Compares a file with its checksum: 64 hexadecimal digits, or lines as `sha256sum` writes them, of
/// which the one with the file's name counts.
pub fn verify(reader: impl Read, name: &str, checksums: &str) -> Result<(), BundleError> {
    let expected = promised(name, checksums)
        .ok_or_else(|| BundleError::NoChecksum(name.to_owned()))?
        .to_ascii_lowercase();
    let at = |source| BundleError::Io { path: name.into(), source };
    let found = sha256(reader).map_err(at)?;
    if found == expected { Ok(()) } else { Err(BundleError::Checksum { expected, found }) }
}

fn promised<'a>(name: &str, checksums: &'a str) -> Option<&'a str> {
    let is_digest = |text: &&str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let file_name = |path: &'a str| path.rsplit('/').next().unwrap_or(path);
    let lines = checksums.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut alone = None;
    let mut count = 0;
    for line in lines {
        count += 1;
        match line.split_once(char::is_whitespace) {
            // A star marks a file that was read as binary.
            Some((digest, rest))
                if is_digest(&digest) && file_name(rest.trim().trim_start_matches('*')) == name =>
            {
                return Some(digest);
            }
            None if is_digest(&line) => alone = Some(line),
            _ => {}
        }
    }
    alone.filter(|_| count == 1)
}

#[cfg(test)]
mod tests;
