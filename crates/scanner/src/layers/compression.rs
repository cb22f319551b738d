//! From the stored bytes of a layer to those of its archive.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::LayerError;
use super::limits::{Budget, Limits};

const BUFFER_BYTES: usize = 128 * 1024;

/// The reader of the caller: it counts, and its failures are not the layer's.
pub(super) struct Source<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.reader.read(buffer) {
            Ok(read) => {
                self.bytes = self.bytes.saturating_add(read as u64);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(LayerError::Source(error).into_io()),
        }
    }
}

enum Decoder<R: Read> {
    Plain(BufReader<Source<R>>),
    Gzip(Box<MultiGzDecoder<BufReader<Source<R>>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Source<R>>>),
}

/// The decompressed layer. Everything that is read from it is paid for.
pub(super) struct Archive<'a, R: Read> {
    decoder: Decoder<R>,
    limits: &'a Limits,
    budget: Budget<'a>,
    bytes: u64,
}

impl<'a, R: Read> Archive<'a, R> {
    /// Looks at the first bytes, which say more than the media type does.
    pub(super) fn open(
        reader: R,
        media_type: Option<&str>,
        limits: &'a Limits,
        budget: Budget<'a>,
    ) -> Result<Self, LayerError> {
        if let Some(media_type) = media_type
            && media_type.contains("+encrypted")
        {
            return Err(LayerError::Unsupported(format!("it is encrypted ({media_type})")));
        }
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, Source { reader, bytes: 0 });
        let start = reader.fill_buf()?;
        let decoder = match start {
            [0x1f, 0x8b, ..] => Decoder::Gzip(Box::new(MultiGzDecoder::new(reader))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
                decoder.window_log_max(limits.zstd_window_log_max)?;
                Decoder::Zstd(decoder)
            }
            [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(unsupported("xz")),
            [b'B', b'Z', b'h', ..] => return Err(unsupported("bzip2")),
            [0x04, 0x22, 0x4d, 0x18, ..] => return Err(unsupported("lz4")),
            _ => Decoder::Plain(reader),
        };
        Ok(Self { decoder, limits, budget, bytes: 0 })
    }

    /// What the layer was compressed with, for messages.
    pub(super) fn compression(&self) -> &'static str {
        match self.decoder {
            Decoder::Plain(_) => "uncompressed",
            Decoder::Gzip(_) => "gzip",
            Decoder::Zstd(_) => "zstd",
        }
    }

    pub(super) fn budget(&mut self) -> &mut Budget<'a> {
        &mut self.budget
    }

    fn compressed_bytes(&self) -> u64 {
        match &self.decoder {
            Decoder::Plain(reader) => reader.get_ref().bytes,
            Decoder::Gzip(decoder) => decoder.get_ref().get_ref().bytes,
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref().bytes,
        }
    }

    fn account(&mut self, read: usize) -> Result<(), LayerError> {
        let read = read as u64;
        self.bytes = self.bytes.saturating_add(read);
        if self.bytes > self.limits.layer_bytes_max {
            return Err(LayerError::limit(
                "decompressed bytes of the layer",
                self.limits.layer_bytes_max,
            ));
        }
        let allowed = self.compressed_bytes().saturating_mul(self.limits.ratio_max);
        if self.bytes > allowed.max(self.limits.ratio_free_bytes) {
            return Err(LayerError::limit(
                "decompressed bytes for each compressed one",
                self.limits.ratio_max,
            ));
        }
        self.budget.spend(read)
    }
}

impl<R: Read> Read for Archive<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::Plain(reader) => reader.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        };
        let read = read.map_err(|error| self.explain(error))?;
        self.account(read).map_err(LayerError::into_io)?;
        Ok(read)
    }
}

impl<R: Read> Archive<'_, R> {
    /// Says which decoder complains, unless the error is ours already.
    fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        let error = match error.downcast::<LayerError>() {
            Ok(ours) => return ours.into_io(),
            Err(error) => error,
        };
        // The decoder has no kind of error for this.
        if error.to_string().contains("too much memory") {
            let maximum = 1_u64.checked_shl(self.limits.zstd_window_log_max).unwrap_or(u64::MAX);
            return LayerError::limit("bytes of the window of zstd", maximum).into_io();
        }
        LayerError::Failed(format!("{}: {error}", self.compression())).into_io()
    }
}

fn unsupported(compression: &str) -> LayerError {
    LayerError::Unsupported(format!(
        "it is compressed with {compression}; layers are uncompressed, gzip or zstd"
    ))
}
