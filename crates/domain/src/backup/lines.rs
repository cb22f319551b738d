//! Files of lines, hashed while they are written and read.

use bytes::{Bytes, BytesMut};

use super::manifest::FileSum;
use super::vault::{Vault, VaultReader, VaultWriter};
use super::{BackupError, SPAN_BYTES, damaged};
use crate::names::{Algorithm, Hasher};

/// The longest line: a row with a sealed manifest of 4 MiB as Base64, and room to spare.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Writes lines.
pub(super) struct LineWriter {
    writer: Box<dyn VaultWriter>,
    hasher: Hasher,
    buffer: BytesMut,
}

impl LineWriter {
    pub(super) async fn create(vault: &dyn Vault, path: &str) -> Result<Self, BackupError> {
        let writer = vault.create(path).await?;
        Ok(Self { writer, hasher: Hasher::new(Algorithm::Sha256), buffer: BytesMut::new() })
    }

    /// Appends a line, which holds no line break.
    pub(super) async fn line(&mut self, line: &[u8]) -> Result<(), BackupError> {
        self.buffer.extend_from_slice(line);
        self.buffer.extend_from_slice(b"\n");
        if self.buffer.len() >= SPAN_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), BackupError> {
        let bytes = self.buffer.split().freeze();
        self.hasher.update(&bytes);
        Ok(self.writer.write(bytes).await?)
    }

    pub(super) async fn finish(mut self) -> Result<FileSum, BackupError> {
        self.flush().await?;
        self.writer.finish().await?;
        Ok(FileSum { size: self.hasher.length(), sha256: self.hasher.finish().hex().to_owned() })
    }
}

/// Reads lines, and knows at the end whether they are those that were written.
pub(super) struct LineReader {
    reader: Box<dyn VaultReader>,
    path: String,
    hasher: Hasher,
    buffer: BytesMut,
    /// How much of the buffer holds no line break.
    searched: usize,
}

impl LineReader {
    pub(super) async fn open(vault: &dyn Vault, path: &str) -> Result<Self, BackupError> {
        Ok(Self {
            reader: vault.open(path).await?,
            path: path.to_owned(),
            hasher: Hasher::new(Algorithm::Sha256),
            buffer: BytesMut::new(),
            searched: 0,
        })
    }

    /// The next line; `None` at the end.
    pub(super) async fn line(&mut self) -> Result<Option<Bytes>, BackupError> {
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
                let mut line = self.buffer.split_to(self.searched + at + 1);
                line.truncate(self.searched + at);
                self.searched = 0;
                return Ok(Some(line.freeze()));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_BYTES_MAX {
                return Err(damaged(&self.path, "it has a line that is too long"));
            }
            let bytes = self.reader.read(SPAN_BYTES).await?;
            if bytes.is_empty() {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                return Err(damaged(&self.path, "it ends in the middle of a line"));
            }
            self.hasher.update(&bytes);
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// After the last line: whether the file is `expected`.
    pub(super) fn check(self, expected: &FileSum) -> Result<(), BackupError> {
        if self.hasher.length() != expected.size {
            return Err(damaged(&self.path, "its size is another than its manifest says"));
        }
        if self.hasher.finish().hex() != expected.sha256 {
            return Err(damaged(&self.path, "its checksum is another than its manifest says"));
        }
        Ok(())
    }

    /// The file, for errors.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// Reads a whole file of lines and checks it.
pub(super) async fn check_file(
    vault: &dyn Vault,
    path: &str,
    expected: &FileSum,
) -> Result<(), BackupError> {
    let mut reader = vault.open(path).await?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    loop {
        let bytes = reader.read(SPAN_BYTES).await?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(&bytes);
    }
    if hasher.length() != expected.size {
        return Err(damaged(path, "its size is another than was written"));
    }
    if hasher.finish().hex() != expected.sha256 {
        return Err(damaged(path, "its checksum is another than was written"));
    }
    Ok(())
}
