//! The one pass over a layer.

use std::io::Read;

use super::collect::{FileKind, Findings, Warnings, file_problem};
use super::compression::Archive;
use super::elf;
use super::error::{Fault, LayerError};
use super::index::{Evidence, LayerIndex, Room};
use super::languages::{self, Archives};
use super::limits::{Budget, Limits};
use super::lines::Lines;
use super::paths::{Whiteout, file_name, normalise};
use super::scratch::{Scratch, Spare, Spooled};
use super::tar::{Entry, EntryKind, Tar, read_full};
use super::{apk, dpkg, os_release, rpm};

/// How much of what follows the end of the archive is read, to see whether the compressed stream
/// is whole. Writers fill up to a few kilobytes.
const TRAILER_BYTES_MAX: u64 = 1 << 20;

/// What an entry costs beside its data.
const ENTRY_WORK_BYTES: u64 = 512;

/// Reads a layer once, from its stored bytes to an index of what matters in it.
///
/// `media_type` is the descriptor's; what the layer is compressed with is read from its first
/// bytes. `proceed` is asked every few megabytes of work; when it says no, the result is
/// [`LayerError::Interrupted`]. Equal layers and limits give equal indexes.
///
/// The function blocks, and computes for as long as a layer takes: about four seconds for a
/// gigabyte of gzip. Memory stays below 64 MiB with the default limits.
///
/// # Errors
/// A [`LayerError`] says whether another attempt could help. A single file that cannot be read is
/// no error but a warning in the index.
pub fn index_layer(
    reader: impl Read,
    media_type: Option<&str>,
    limits: &Limits,
    scratch: &dyn Scratch,
    proceed: &mut dyn FnMut() -> bool,
) -> Result<LayerIndex, LayerError> {
    let budget = Budget::new(limits.work_bytes_max, proceed);
    let archive = Archive::open(reader, media_type, limits, budget)?;
    let mut walk = Walk {
        tar: Tar::new(archive, limits),
        limits,
        scratch,
        room: Room::new(limits),
        index: LayerIndex::default(),
        warnings: Warnings::default(),
        spare: Spare::default(),
    };
    while let Some(entry) = walk.tar.next_entry()? {
        walk.entry(&entry)?;
    }
    std::io::copy(&mut walk.tar.get_mut().take(TRAILER_BYTES_MAX), &mut std::io::sink())?;

    let mut index = walk.index;
    index.hidden.finish();
    index.warnings = walk.warnings.kept;
    index.warnings_dropped = walk.warnings.dropped;
    Ok(index)
}

struct Walk<'a, R: Read> {
    tar: Tar<'a, Archive<'a, R>>,
    limits: &'a Limits,
    scratch: &'a dyn Scratch,
    room: Room,
    index: LayerIndex,
    warnings: Warnings,
    spare: Spare,
}

impl<R: Read> Walk<'_, R> {
    fn entry(&mut self, entry: &Entry) -> Result<(), LayerError> {
        self.tar.get_mut().budget().spend(ENTRY_WORK_BYTES)?;
        let path = normalise(&entry.name, self.limits)?;
        match Whiteout::read(&path) {
            Some(Whiteout::Path(path)) => self.index.hidden.tree(&path),
            Some(Whiteout::Opaque(path)) => self.index.hidden.opaque(&path),
            Some(Whiteout::Nothing) => {}
            None if path.is_empty() => {}
            None => self.content(&path, entry)?,
        }
        Ok(())
    }

    fn content(&mut self, path: &str, entry: &Entry) -> Result<(), LayerError> {
        if entry.kind == EntryKind::Directory {
            self.index.hidden.file(path);
            self.index.evidence.remove(path);
            return Ok(());
        }
        self.index.hidden.tree(path);
        let linked = match &entry.kind {
            EntryKind::HardLink(target) => self.linked(path, target)?,
            _ => None,
        };
        self.replace(path);
        match &entry.kind {
            EntryKind::HardLink(_) => {
                if let Some(evidence) = linked {
                    self.keep(path, evidence)?;
                } else if FileKind::of(path).is_some() {
                    self.warnings
                        .add(path, "it is another name of a file that was not read".into());
                }
            }
            EntryKind::File => self.file(path, entry)?,
            EntryKind::Directory | EntryKind::Other => {}
        }
        Ok(())
    }

    /// What an earlier entry of this layer put at the path or below it is gone.
    fn replace(&mut self, path: &str) {
        let evidence = &mut self.index.evidence;
        evidence.remove(path);
        let below = format!("{path}/");
        while let Some((found, _)) = evidence.range(below.clone()..).next()
            && found.starts_with(&below)
        {
            let found = found.clone();
            evidence.remove(&found);
        }
    }

    /// What the file says that a path is another name of, if a file of that path may say so.
    fn linked(&mut self, path: &str, target: &[u8]) -> Result<Option<Evidence>, LayerError> {
        let target = normalise(target, self.limits)?;
        if FileKind::of(path) != FileKind::of(&target) {
            return Ok(None);
        }
        let Some(evidence) = self.index.evidence.get(&target) else { return Ok(None) };
        for package in &evidence.packages {
            self.room.take_package(package)?;
        }
        self.room.take(evidence.owned.bytes())?;
        Ok(Some(evidence.clone()))
    }

    fn keep(&mut self, path: &str, evidence: Evidence) -> Result<(), LayerError> {
        self.room.take(path.len() + size_of::<Evidence>())?;
        self.index.evidence.insert(path.to_owned(), evidence);
        Ok(())
    }

    fn file(&mut self, path: &str, entry: &Entry) -> Result<(), LayerError> {
        let kind = FileKind::of(path);
        if entry.sparse {
            self.warnings.add(path, "it is stored as a sparse file, which is not read".to_owned());
            return Ok(());
        }
        let mut findings = Findings::new(&mut self.room);
        let read = match kind {
            Some(kind) => {
                let mut analysis = Analysis {
                    tar: &mut self.tar,
                    limits: self.limits,
                    scratch: self.scratch,
                    spare: &mut self.spare,
                };
                analysis.known(kind, path, entry.size, &mut findings)
            }
            None => {
                let mut analysis = Analysis {
                    tar: &mut self.tar,
                    limits: self.limits,
                    scratch: self.scratch,
                    spare: &mut self.spare,
                };
                analysis.unknown(entry.size, &mut findings)
            }
        };
        let (mut evidence, problems) = findings.finish();
        for problem in problems {
            self.warnings.add(path, problem);
        }
        if let Err(fault) = read {
            // Half a file is no evidence.
            evidence = Evidence::default();
            self.warnings.add(path, file_problem(fault)?);
        }
        if !evidence.is_empty() {
            self.keep(path, evidence)?;
        }
        Ok(())
    }
}

/// One file, and what it takes to read it.
struct Analysis<'x, 'a, R: Read> {
    tar: &'x mut Tar<'a, Archive<'a, R>>,
    limits: &'a Limits,
    scratch: &'a dyn Scratch,
    spare: &'x mut Spare,
}

impl<R: Read> Analysis<'_, '_, R> {
    fn known(
        &mut self,
        kind: FileKind,
        path: &str,
        size: u64,
        findings: &mut Findings<'_>,
    ) -> Result<(), Fault> {
        let limits = self.limits;
        match kind {
            FileKind::OsRelease => {
                let release = os_release::os_release(self.lines(limits.metadata_bytes_max as u64))?;
                findings.system().os_release = Some(release);
                Ok(())
            }
            FileKind::ApkRepositories => {
                let branch = os_release::apk_branch(self.lines(limits.metadata_bytes_max as u64))?;
                findings.system().apk_branch = branch;
                Ok(())
            }
            FileKind::DpkgStatus => {
                dpkg::status(self.database(), dpkg::StatusField::Required, findings)
            }
            FileKind::DpkgStatusPart => {
                dpkg::status(self.database(), dpkg::StatusField::Optional, findings)
            }
            FileKind::DpkgFileList => dpkg::file_list(self.database(), findings),
            FileKind::DpkgDigestList => dpkg::digest_list(self.database(), findings),
            FileKind::ApkInstalled => apk::installed(self.database(), findings),
            FileKind::RpmSqlite | FileKind::RpmNdb | FileKind::RpmBdb => {
                let header_bytes_max = limits.rpm_header_bytes_max;
                let mut file = self.spool(&[], size, limits.rpm_database_bytes_max)?;
                match kind {
                    FileKind::RpmSqlite => rpm::sqlite(&mut file, header_bytes_max, findings),
                    FileKind::RpmNdb => rpm::ndb(&mut file, header_bytes_max, findings),
                    _ => rpm::bdb(&mut file, header_bytes_max, findings),
                }
            }
            FileKind::RpmSqliteLog if size > 0 => Err(Fault::file(
                "it holds changes of RPM's database that are not part of that yet, and not read",
            )),
            FileKind::RpmSqliteLog => Ok(()),
            FileKind::PackageJson => languages::package_json(&self.bytes(size)?, findings),
            FileKind::PythonMetadata => {
                languages::python_metadata(self.lines(limits.metadata_bytes_max as u64), findings)
            }
            FileKind::Gemspec => {
                languages::gemspec(self.lines(limits.metadata_bytes_max as u64), findings)
            }
            FileKind::ComposerInstalled => {
                languages::composer_installed(&self.bytes(size)?, findings)
            }
            FileKind::ComposerLock => languages::composer_lock(&self.bytes(size)?, findings),
            FileKind::DotnetDeps => languages::deps_json(&self.bytes(size)?, findings),
            FileKind::JavaArchive => self.java_archive(path, size, findings),
        }
    }

    /// Whether a file of no particular name is an executable shows in its first bytes.
    fn unknown(&mut self, size: u64, findings: &mut Findings<'_>) -> Result<(), Fault> {
        let mut start = [0; elf::HEADER_BYTES];
        if size < start.len() as u64 || read_full(self.tar, &mut start)? < start.len() {
            return Ok(());
        }
        if !elf::is_executable(&start) {
            return Ok(());
        }
        let mut file = self.spool(&start, size, self.limits.executable_bytes_max)?;
        languages::executable(&mut file, findings)
    }

    fn java_archive(
        &mut self,
        path: &str,
        size: u64,
        findings: &mut Findings<'_>,
    ) -> Result<(), Fault> {
        let (limits, scratch) = (self.limits, self.scratch);
        check_size(size, limits.archive_bytes_max)?;
        let spare = self.spare.take(scratch, size)?;
        let mut file = Spooled::copy(spare, self.tar, limits.archive_bytes_max)?;
        let mut archives = Archives::new(limits, scratch, self.tar.get_mut().budget());
        languages::java_archive(&mut file, file_name(path), "", 1, &mut archives, findings)
    }

    fn lines(&mut self, maximum: u64) -> Lines<'_> {
        Lines::new(self.tar, maximum)
    }

    fn database(&mut self) -> Lines<'_> {
        let maximum = self.limits.database_bytes_max;
        self.lines(maximum)
    }

    fn bytes(&mut self, size: u64) -> Result<Vec<u8>, Fault> {
        check_size(size, self.limits.metadata_bytes_max as u64)?;
        // Checked just now.
        let mut bytes = Vec::with_capacity(size as usize);
        self.tar.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All of the file, of which `start` was read already.
    fn spool(&mut self, start: &[u8], size: u64, maximum: u64) -> Result<Spooled<'_>, Fault> {
        check_size(size, maximum)?;
        let spare = self.spare.take(self.scratch, size)?;
        Spooled::copy(spare, &mut start.chain(&mut *self.tar), maximum)
    }
}

/// Sizes are known before the data; nothing is copied in vain.
fn check_size(size: u64, maximum: u64) -> Result<(), Fault> {
    if size > maximum {
        return Err(Fault::File(format!("larger than {maximum} bytes")));
    }
    Ok(())
}
