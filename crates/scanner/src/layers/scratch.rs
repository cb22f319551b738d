//! Where files go that can only be read from their end: databases, executables, archives.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::SpooledTempFile;

use super::error::{Fault, LayerError};

/// Longest file, in bytes, that stays in memory. Most executables are shorter, and a layer of a
/// system has hundreds. As many of them at a time as archives may lie in one another are part of
/// what a layer takes.
const MEMORY_BYTES_MAX: usize = 2 << 20;

/// A file of the scratch space. It is overwritten from its start when it is used again, and gone
/// when it is dropped.
pub trait ScratchFile: Read + Write + Seek {}

impl<F: Read + Write + Seek> ScratchFile for F {}

/// Where the indexer puts files that it must read out of order.
pub trait Scratch {
    /// Makes an empty file that nothing else can see.
    ///
    /// # Errors
    /// When there is no room, or the file cannot be made. Writing to the file fails with
    /// [`io::ErrorKind::StorageFull`] when there is no room for more.
    fn create(&self) -> io::Result<Box<dyn ScratchFile>>;
}

/// Scratch files without a name in a directory: the kernel frees them, whatever happens to the
/// process. Files of up to 2 MiB stay in memory. All files of one value and its clones share one
/// limit.
#[derive(Clone, Debug)]
pub struct TemporaryFiles {
    directory: PathBuf,
    room: Arc<Room>,
}

impl TemporaryFiles {
    /// Files in `directory`, which must exist, with at most `bytes_max` in all of them together.
    pub fn new(directory: impl Into<PathBuf>, bytes_max: u64) -> Self {
        Self { directory: directory.into(), room: Arc::new(Room::new(bytes_max)) }
    }
}

impl Scratch for TemporaryFiles {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        let file = SpooledTempFile::new_in(MEMORY_BYTES_MAX, &self.directory);
        Ok(Box::new(Limited::new(file, &self.room)))
    }
}

/// Scratch files in memory, for tests and for layers that are known to be small. The limit is that
/// of [`TemporaryFiles`].
#[derive(Clone, Debug)]
pub struct MemoryFiles {
    room: Arc<Room>,
}

impl MemoryFiles {
    /// Files of at most `bytes_max` together.
    pub fn new(bytes_max: u64) -> Self {
        Self { room: Arc::new(Room::new(bytes_max)) }
    }
}

impl Scratch for MemoryFiles {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(Limited::new(io::Cursor::new(Vec::new()), &self.room)))
    }
}

#[derive(Debug)]
struct Room {
    bytes_max: u64,
    taken: AtomicU64,
}

impl Room {
    fn new(bytes_max: u64) -> Self {
        Self { bytes_max, taken: AtomicU64::new(0) }
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let take = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.bytes_max);
        match self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("the scratch space of {} bytes is taken", self.bytes_max),
            )),
        }
    }
}

/// A file that takes room as it grows, and gives it back at its end.
struct Limited<F> {
    file: F,
    room: Arc<Room>,
    position: u64,
    length: u64,
}

impl<F> Limited<F> {
    fn new(file: F, room: &Arc<Room>) -> Self {
        Self { file, room: Arc::clone(room), position: 0, length: 0 }
    }
}

impl<F> Drop for Limited<F> {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.length, Ordering::Relaxed);
    }
}

impl<F: Read> Read for Limited<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.position = self.position.saturating_add(read as u64);
        Ok(read)
    }
}

impl<F: Write> Write for Limited<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.position.saturating_add(bytes.len() as u64);
        if end > self.length {
            self.room.take(end - self.length)?;
            self.length = end;
        }
        let written = self.file.write(bytes)?;
        self.position = self.position.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<F: Seek> Seek for Limited<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

/// The scratch file for one file of the layer after the other, made when the first needs it.
#[derive(Default)]
pub(super) struct Spare {
    file: Option<Box<dyn ScratchFile>>,
    on_disk: bool,
}

impl Spare {
    /// A file for `size` bytes, to be overwritten from its start.
    pub(super) fn take(
        &mut self,
        scratch: &dyn Scratch,
        size: u64,
    ) -> Result<&mut dyn ScratchFile, Fault> {
        // What outgrew memory stays on the disk; a new file begins in memory again.
        if std::mem::replace(&mut self.on_disk, size > MEMORY_BYTES_MAX as u64) {
            self.file = None;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(scratch.create().map_err(LayerError::Scratch)?),
        };
        Ok(file.as_mut())
    }
}

/// One file of the layer, copied to the scratch space.
pub(super) struct Spooled<'a> {
    file: &'a mut dyn ScratchFile,
    length: u64,
}

impl<'a> Spooled<'a> {
    /// Copies all of `reader`, at most `maximum` bytes.
    pub(super) fn copy(
        file: &'a mut dyn ScratchFile,
        reader: &mut dyn BufRead,
        maximum: u64,
    ) -> Result<Self, Fault> {
        file.seek(SeekFrom::Start(0)).map_err(LayerError::Scratch)?;
        let mut length = 0_u64;
        loop {
            let bytes = match reader.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let read = bytes.len();
            length = length.saturating_add(read as u64);
            if length > maximum {
                return Err(Fault::File(format!("larger than {maximum} bytes")));
            }
            file.write_all(bytes).map_err(LayerError::Scratch)?;
            reader.consume(read);
        }
        Ok(Self { file, length })
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Fills `buffer` with what is at `offset`.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(Fault::file("it refers to what is past its end"));
        }
        self.file.seek(SeekFrom::Start(offset)).map_err(LayerError::Scratch)?;
        self.file.read_exact(buffer).map_err(|error| LayerError::Scratch(error).into())
    }

    /// The `length` bytes at `offset`. The caller bounds `length`.
    pub(super) fn bytes_at(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, Fault> {
        // Nothing is allocated for what cannot be there.
        if offset.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(Fault::file("it refers to what is past its end"));
        }
        let mut buffer = vec![0; length];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }

    /// Reads `length` bytes from `offset` on, as a stream.
    pub(super) fn stream(&mut self, offset: u64, length: u64) -> Result<impl Read + '_, Fault> {
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(Fault::file("it refers to what is past its end"));
        }
        self.file.seek(SeekFrom::Start(offset)).map_err(LayerError::Scratch)?;
        Ok(ScratchReader(&mut *self.file).take(length))
    }
}

/// Marks failures of the scratch space, so that nobody takes them for a broken layer.
struct ScratchReader<'a>(&'a mut dyn ScratchFile);

impl Read for ScratchReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => LayerError::Scratch(error).into_io(),
        })
    }
}
