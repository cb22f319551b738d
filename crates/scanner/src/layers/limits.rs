//! How much of everything a layer may have, and who stops what takes too long.

use super::error::LayerError;

/// How much a layer may cost. What is larger than a limit for the whole layer ends in
/// [`LayerError::LimitExceeded`]; a file that is larger than the limit for files of its kind is left
/// out, with a warning in the index.
///
/// With the defaults, indexing one layer takes less than 64 MiB of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of the layer once it is decompressed.
    pub layer_bytes_max: u64,
    /// Most decompressed bytes for each compressed one. Deflate cannot exceed 1032.
    pub ratio_max: u64,
    /// How many bytes the layer may be decompressed to whatever its ratio.
    pub ratio_free_bytes: u64,
    /// Most bytes read, decompressed and looked at together, those of archives in archives
    /// included.
    pub work_bytes_max: u64,
    /// Most entries of the archive, those that only extend others included.
    pub entries_max: u64,
    /// Longest path, in bytes. Linux opens none above 4096.
    pub path_bytes_max: usize,
    /// Most parts of a path.
    pub path_depth_max: usize,
    /// Most bytes of one extension of a tar header (PAX records).
    pub extension_bytes_max: u64,
    /// Most memory that what was found takes, in bytes, roughly.
    pub index_bytes_max: u64,
    /// Largest window of a zstd frame, as the power of two that it is in bytes.
    pub zstd_window_log_max: u32,
    /// Largest dpkg and apk database, in bytes. They are read line by line.
    pub database_bytes_max: u64,
    /// Largest RPM database, in bytes. It is copied to the scratch space.
    pub rpm_database_bytes_max: u64,
    /// Largest header of one RPM, in bytes.
    pub rpm_header_bytes_max: usize,
    /// Largest `package.json`, `METADATA`, `deps.json` and the like, in bytes.
    pub metadata_bytes_max: usize,
    /// Largest executable, in bytes. It is copied to the scratch space.
    pub executable_bytes_max: u64,
    /// Largest Java archive, in bytes. It is copied to the scratch space.
    pub archive_bytes_max: u64,
    /// How deep Java archives may lie in one another: 1 is an archive in the layer.
    pub archive_depth_max: u32,
    /// Most entries of one Java archive.
    pub archive_entries_max: u64,
    /// Most bytes that one Java archive of the layer may be decompressed to, those inside it
    /// included.
    pub archive_inflated_bytes_max: u64,
}

const MIB: u64 = 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            layer_bytes_max: 32 * 1024 * MIB,
            ratio_max: 2_000,
            ratio_free_bytes: 1024 * MIB,
            work_bytes_max: 96 * 1024 * MIB,
            entries_max: 1_000_000,
            path_bytes_max: 4096,
            path_depth_max: 255,
            extension_bytes_max: MIB,
            index_bytes_max: 12 * MIB,
            zstd_window_log_max: 25,
            database_bytes_max: 64 * MIB,
            rpm_database_bytes_max: 256 * MIB,
            rpm_header_bytes_max: 8 << 20,
            metadata_bytes_max: 4 << 20,
            executable_bytes_max: 1024 * MIB,
            archive_bytes_max: 1024 * MIB,
            archive_depth_max: 4,
            archive_entries_max: 50_000,
            archive_inflated_bytes_max: 1024 * MIB,
        }
    }
}

/// Counts work, and asks now and then whether to go on.
pub(super) struct Budget<'a> {
    spent: u64,
    maximum: u64,
    ask_at: u64,
    proceed: &'a mut dyn FnMut() -> bool,
}

impl<'a> Budget<'a> {
    /// Work between two questions.
    const STEP: u64 = 4 * MIB;

    pub(super) fn new(maximum: u64, proceed: &'a mut dyn FnMut() -> bool) -> Self {
        Self { spent: 0, maximum, ask_at: 0, proceed }
    }

    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), LayerError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.maximum {
            return Err(LayerError::limit("bytes of work", self.maximum));
        }
        if self.spent >= self.ask_at {
            self.ask_at = self.spent.saturating_add(Self::STEP);
            if !(self.proceed)() {
                return Err(LayerError::Interrupted);
            }
        }
        Ok(())
    }
}
