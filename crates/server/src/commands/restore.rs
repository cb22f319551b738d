//! `tonnage restore`: a registry from a backup, in an empty place.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tonnage_domain::accounts::bootstrap::{self, Parts};
use tonnage_domain::app::Settings;
use tonnage_domain::backup::{self, Manifest, Progress, Restored, Snapshot, Target};
use tonnage_domain::clock::SystemClock;
use tonnage_store::files::FileObjects;
use tonnage_store::vault::FileVault;

use super::backup::ProgressLine;
use crate::cli::RestoreArguments;
use crate::config::{Config, environment};
use crate::data_directory::restore::Pending;
use crate::data_directory::{DataDirectory, Layout, find_root_key};
use crate::stores::{self, Patience};

/// The pause between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(500);
const MIB: u64 = 1024 * 1024;

/// Restores.
///
/// # Errors
/// One sentence: the place is not empty, the root key is another, the backup is damaged.
pub(super) async fn run(arguments: RestoreArguments) -> Result<ExitCode> {
    let flags = arguments.place.flags();
    let config = Config::load(&flags, arguments.place.config.clone(), &environment())?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let vault = FileVault::open(&arguments.from)?;
    let layout = Layout::new(config.storage.data_dir.clone());
    let directory = DataDirectory::open_for_restore(layout)?;
    let layout = directory.layout();
    let pending = Pending::read(layout)?;
    let snapshot = choose(&vault, arguments.snapshot.as_deref(), pending.as_ref()).await?;
    let place = format!("the backup {}", arguments.from.display());
    let (root_key, _) = find_root_key(layout, &config.storage, &config.secrets, Some(&place))?;
    if !snapshot.fits(&root_key) {
        bail!(
            "the root key is not the one that the registry had when the snapshot {} was made; \
             nothing in it can be opened without that one",
            snapshot.id
        );
    }
    snapshot.check_schema()?;
    if let (None, Some(url)) = (&pending, &config.storage.metadata_url) {
        let (database, ..) = stores::open_database(layout, &config, Patience::None).await?;
        if bootstrap::exists(database.metadata().as_ref()).await? {
            bail!("the database {url} holds another registry; name an empty one");
        }
        database.close().await.context("the metadata database cannot be closed")?;
    }
    // From here on the directory is no registry until the end.
    let pending = match pending {
        Some(pending) => pending,
        None => Pending::write(layout, &snapshot.id)?,
    };
    let (database, root_key, _) = stores::open_database(layout, &config, Patience::None).await?;
    let objects = Arc::new(FileObjects::open_with(
        layout.objects(),
        config.storage.archive_directory.clone(),
    )?);
    let metadata = database.metadata();
    let target = Target {
        metadata: metadata.as_ref(),
        objects: objects.as_ref(),
        deployment_id: &pending.deployment_id,
    };
    let restored = watch(&vault, &snapshot, &target).await?;
    // It must open before anybody is told that it does.
    bootstrap::open(Parts {
        metadata: metadata.clone(),
        objects,
        clock: Arc::new(SystemClock),
        root_key,
        settings: Settings::default(),
        account: None,
        region: None,
        root_access_key: None,
    })
    .await?;
    drop(metadata);
    database.close().await.context("the metadata database cannot be closed")?;
    Pending::remove(layout)?;
    say!(
        "Restored the snapshot {}: {} rows and {} objects. Start the server with the same settings \
         and root key.",
        snapshot.id,
        restored.rows,
        restored.objects
    );
    if snapshot.lost > 0 {
        say!(
            "The registry had lost {} objects when it was backed up; `tonnage fsck` names the \
             images that need them.",
            snapshot.lost
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn choose(
    vault: &FileVault,
    wanted: Option<&str>,
    pending: Option<&Pending>,
) -> Result<Manifest> {
    if let (Some(wanted), Some(pending)) = (wanted, pending)
        && wanted != pending.snapshot
    {
        bail!(
            "a restore of the snapshot {} broke off here; repeat that one, or empty the directory \
             and the database first",
            pending.snapshot
        );
    }
    let wanted = wanted.or(pending.map(|pending| pending.snapshot.as_str()));
    let mut chosen = None;
    for snapshot in backup::snapshots(vault).await? {
        match (snapshot, wanted) {
            (Snapshot::Finished(manifest), None) => chosen = Some(manifest),
            (Snapshot::Finished(manifest), Some(id)) if manifest.id == id => {
                chosen = Some(manifest);
            }
            (Snapshot::Damaged(id, why), Some(wanted)) if id == wanted => bail!("{why}"),
            _ => {}
        }
    }
    match (chosen, wanted) {
        (Some(chosen), _) => Ok(chosen),
        (None, Some(id)) => {
            bail!("there is no finished snapshot {id}; `tonnage backup --list DIR` lists them")
        }
        (None, None) => bail!("there is no finished snapshot in the directory of backups"),
    }
}

async fn watch(vault: &FileVault, snapshot: &Manifest, target: &Target<'_>) -> Result<Restored> {
    let progress = Progress::default();
    let mut line = ProgressLine::default();
    let mut restore = std::pin::pin!(backup::restore(vault, snapshot, target, &progress));
    let restored = loop {
        tokio::select! {
            restored = restore.as_mut() => break restored,
            () = tokio::time::sleep(PAUSE) => line.show(&format!(
                "{} of {} objects, {} MiB, {} of {} rows",
                progress.objects_done.load(Ordering::Relaxed),
                snapshot.objects,
                progress.bytes.load(Ordering::Relaxed) / MIB,
                progress.rows.load(Ordering::Relaxed),
                snapshot.rows
            )),
        }
    };
    line.end();
    Ok(restored?)
}
