//! `tonnage backup`: asks the running server for a backup, and looks after the backups there are.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::Method;
use tonnage_domain::backup::{self, Progress, Snapshot};
use tonnage_store::vault::FileVault;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::{Backup, BackupMade, NewBackup};
use crate::cli::BackupArguments;

/// The pause between two questions how far it is.
const PAUSE: Duration = Duration::from_millis(200);
const MIB: u64 = 1024 * 1024;

/// Does what the command line says.
///
/// # Errors
/// One sentence: no server runs, the directory cannot be used, the copy failed.
pub(super) async fn run(arguments: BackupArguments) -> Result<ExitCode> {
    if let Some(directory) = &arguments.list {
        return list(directory).await;
    }
    if let Some(directory) = &arguments.verify {
        return verify(directory).await;
    }
    let Some(to) = &arguments.to else { bail!("name a directory with `--to`") };
    let layout = Place::find(&arguments.place)?.layout;
    let directory = std::path::absolute(to)
        .with_context(|| format!("{} is no directory of backups", to.display()))?;
    let new = NewBackup { directory, keep: arguments.keep };
    let mut backup: Backup = call(&layout, Method::POST, "/backups", Some(&new)).await?;
    let number = backup.number;
    let mut line = ProgressLine::default();
    loop {
        line.show(&format!(
            "{} rows, {} of {} objects, {} MiB copied",
            backup.rows,
            backup.objects_done,
            backup.objects,
            backup.bytes / MIB
        ));
        if let Some(sentence) = backup.failed {
            line.end();
            bail!("no backup was made: {sentence}");
        }
        if let Some(made) = backup.made {
            line.end();
            return Ok(print(&made));
        }
        tokio::time::sleep(PAUSE).await;
        backup = call(&layout, Method::GET, "/backups", None::<&()>).await?;
        if backup.number != number {
            bail!(
                "the server has begun another backup; `tonnage backup --list` shows what is made"
            );
        }
    }
}

fn print(made: &BackupMade) -> ExitCode {
    say!("snapshot         {}", made.snapshot);
    say!("rows             {}", made.rows);
    say!("objects          {}", made.objects);
    say!("bytes of objects {}", made.object_bytes);
    say!("copied now       {} ({} bytes)", made.copied, made.copied_bytes);
    say!("removed          {} older snapshots", made.pruned);
    say!("The root key is not in it; keep that elsewhere, or nobody can restore this.");
    if let Some(sentence) = &made.not_pruned {
        eprintln!("tonnage: {sentence}");
    }
    if made.lost > 0 {
        eprintln!(
            "tonnage: {} objects are lost in the registry itself and not in the backup; stop the \
             server and run `tonnage fsck`",
            made.lost
        );
    }
    if made.lost > 0 || made.not_pruned.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn list(directory: &Path) -> Result<ExitCode> {
    let vault = FileVault::open(directory)?;
    let mut status = ExitCode::SUCCESS;
    for snapshot in backup::snapshots(&vault).await? {
        match snapshot {
            Snapshot::Finished(it) => say!(
                "{}  {}  release {}  {} rows  {} objects  {} bytes",
                it.id,
                it.at().timestamp(),
                it.release,
                it.rows,
                it.objects,
                it.object_bytes
            ),
            Snapshot::Unfinished(id) => say!("{id}  broke off; the next backup removes it"),
            Snapshot::Damaged(id, why) => {
                say!("{id}  damaged: {why}");
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

async fn verify(directory: &Path) -> Result<ExitCode> {
    let vault = FileVault::open(directory)?;
    let verified = backup::verify(&vault, &Progress::default()).await?;
    for sentence in &verified.damages {
        say!("{sentence}");
    }
    let damages = verified.damages.len() as u64 + verified.damages_omitted;
    say!("Read {} snapshots and {} objects.", verified.snapshots, verified.objects);
    if damages > 0 {
        say!(
            "Damaged: {damages}. Remove damaged objects and make a backup again: it copies what \
             is not there."
        );
        return Ok(ExitCode::FAILURE);
    }
    say!("Nothing is wrong.");
    Ok(ExitCode::SUCCESS)
}

/// A line on a terminal that is written over; nothing anywhere else.
#[derive(Debug, Default)]
pub(super) struct ProgressLine {
    shown: bool,
}

impl ProgressLine {
    /// Writes over what was shown last.
    pub(super) fn show(&mut self, text: &str) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\u{1b}[K{text}");
            self.shown = true;
        }
    }

    /// Leaves the line.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprintln!();
        }
    }
}
