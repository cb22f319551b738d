//! The files of an archive, one after the other, for whoever is no reader of layers: the same tar,
//! gzip and zstd under the same limits.

use std::io::Read;

use super::compression::Archive;
use super::error::LayerError;
use super::limits::{Budget, Limits};
use super::tar::{EntryKind, Tar};

/// Hands over each regular file with its name, in the order of the archive, until `each` says no.
/// What follows the archive is read too, since checksums of compressed data stand at the end.
pub(crate) fn read_files(
    reader: impl Read,
    limits: &Limits,
    each: &mut dyn FnMut(&[u8], &mut dyn Read) -> bool,
) -> Result<(), LayerError> {
    let mut proceed = || true;
    let budget = Budget::new(limits.work_bytes_max, &mut proceed);
    let mut tar = Tar::new(Archive::open(reader, None, limits, budget)?, limits);
    while let Some(entry) = tar.next_entry()? {
        if entry.kind == EntryKind::File && !entry.sparse && !each(&entry.name, &mut tar) {
            return Ok(());
        }
    }
    std::io::copy(tar.rest(), &mut std::io::sink())?;
    Ok(())
}
