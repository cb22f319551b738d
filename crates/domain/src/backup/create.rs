//! Making a snapshot of a registry that is being served.

use super::lines::{LineReader, LineWriter, check_file};
use super::manifest::{Contents, FileSum, Manifest, Snapshot, snapshots};
use super::rows::{self, Heading};
use super::union::{List, Listed};
use super::vault::Vault;
use super::{
    BackupError, LEFT_OUT, Progress, SPAN_BYTES, damaged, object_path, prune, snapshot_path,
};
use crate::app::App;
use crate::authorize::Permit;
use crate::error::Error;
use crate::execute::Tx;
use crate::gc::Pin;
use crate::metadata::Mode;
use crate::names::{Algorithm, Hasher};
use crate::objects::{ObjectErrorKind, ObjectId};
use crate::params;
use crate::transfer::{Pages, TABLES};

/// Names of objects read at a time.
const PAGE: usize = 500;
/// The file that holds the names of objects between the two halves of a backup.
const NAMES: &str = "names";

/// What a backup came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The snapshot.
    pub snapshot: Manifest,
    /// Objects that were copied; the others were there.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Older snapshots that were removed.
    pub pruned: u64,
    /// Why older snapshots stay that should have been removed.
    pub not_pruned: Option<String>,
}

/// Copies metadata, then the objects that they name and that are not there yet, and last of all
/// writes the manifest. Whatever breaks off leaves earlier snapshots whole; what it left behind goes
/// with the next backup. With `keep`, only so many snapshots stay, the new one included.
///
/// The vault must be this caller's alone.
///
/// # Errors
/// [`BackupError`]; there is no new snapshot then, unless only the removal of old ones failed.
pub async fn create(
    app: &App,
    vault: &dyn Vault,
    keep: Option<usize>,
    progress: &Progress,
) -> Result<Created, BackupError> {
    let before = snapshots(vault).await?;
    let latest = before.iter().rev().find_map(|snapshot| match snapshot {
        Snapshot::Finished(manifest) => Some(manifest),
        _ => None,
    });
    // Before the snapshot of the metadata: from now on no object goes that it may name.
    let mut keeper = Keeper { app, pin: app.collector.pins.pin(app.clock.now()), vault, progress };
    let created = keeper.create(latest).await;
    drop(keeper);
    app.garbage.wake();
    let (snapshot, copied, copied_bytes) = created?;
    let mut created = Created { snapshot, copied, copied_bytes, pruned: 0, not_pruned: None };
    match prune::prune(vault, keep, &created.snapshot).await {
        Ok(pruned) => created.pruned = pruned,
        Err(error) => created.not_pruned = Some(error.to_string()),
    }
    Ok(created)
}

struct Keeper<'a> {
    app: &'a App,
    pin: Pin,
    vault: &'a dyn Vault,
    progress: &'a Progress,
}

/// What the metadata said.
struct Dumped {
    deployment_id: String,
    root_key_check: Vec<u8>,
    rows: u64,
    metadata: FileSum,
}

impl Keeper<'_> {
    fn renew(&self) -> Result<(), BackupError> {
        if self.pin.renew(self.app.clock.now()) {
            return Ok(());
        }
        Err(BackupError::Refused(
            "the backup stood still for ten minutes, so objects that it needs may have been \
             removed; see that its directory can be written to, and make it again"
                .to_owned(),
        ))
    }

    async fn create(
        &mut self,
        latest: Option<&Manifest>,
    ) -> Result<(Manifest, u64, u64), BackupError> {
        let now = self.app.clock.now();
        let random = uuid::Uuid::new_v4().simple().to_string();
        let time = now.timestamp().strftime("%Y%m%dT%H%M%SZ");
        let id = format!("{time}-{}", random.get(..8).unwrap_or_default());
        let dumped = self.dump(&id, latest).await?;
        let mut known = self.known(latest).await?;

        let mut names = LineReader::open(self.vault, &snapshot_path(&id, NAMES)).await?;
        let mut list = LineWriter::create(self.vault, &snapshot_path(&id, "objects")).await?;
        let (mut objects, mut object_bytes, mut lost) = (0, 0, 0);
        let (mut copied, mut copied_bytes) = (0, 0);
        while let Some(line) = names.line().await? {
            let (object, is_damaged) =
                parse_name(&line).ok_or_else(|| damaged(names.path(), "a line cannot be read"))?;
            self.renew()?;
            let there = match &mut known {
                Some(known) => self.there(known, &object).await?,
                None => None,
            };
            let listed = match there {
                Some(listed) => Some(listed),
                None => {
                    let listed = self.copy(&object, is_damaged).await?;
                    if let Some(listed) = &listed {
                        copied += 1;
                        copied_bytes += listed.sum.size;
                    }
                    listed
                }
            };
            match listed {
                Some(listed) => {
                    objects += 1;
                    object_bytes += listed.sum.size;
                    list.line(listed.line().as_bytes()).await?;
                }
                None => lost += 1,
            }
            Progress::add(&self.progress.objects_done, 1);
        }
        let list = list.finish().await?;
        self.vault.remove(&snapshot_path(&id, NAMES)).await?;
        // An object that was not there was lost before, and not removed behind our back.
        self.renew()?;
        let contents = Contents {
            rows: dumped.rows,
            objects,
            object_bytes,
            lost,
            metadata: dumped.metadata,
            list,
        };
        let check = &dumped.root_key_check;
        let manifest = Manifest::new(id, now, dumped.deployment_id, check, contents);
        manifest.write(self.vault).await?;
        Ok((manifest, copied, copied_bytes))
    }

    /// Writes every row and the names of the objects, from one snapshot of the database.
    async fn dump(&self, id: &str, latest: Option<&Manifest>) -> Result<Dumped, BackupError> {
        let permit = Permit::maintenance();
        let mut tx = Tx::begin(self.app.metadata.as_ref(), Mode::Read, &permit).await?;
        let deployment = tx
            .optional("SELECT deployment_id, root_key_check FROM deployment WHERE id = 1", &[])
            .await?
            .ok_or_else(|| Error::internal("a registry that is served has no deployment"))?;
        let (deployment_id, root_key_check): (String, Vec<u8>) =
            (deployment.get(0)?, deployment.get(1)?);
        if latest.is_some_and(|latest| latest.deployment_id != deployment_id) {
            return Err(BackupError::Refused(
                "the directory holds backups of another registry; name one for this registry alone"
                    .to_owned(),
            ));
        }
        let mut rows = 0;
        let mut file = LineWriter::create(self.vault, &snapshot_path(id, "metadata")).await?;
        for table in TABLES.iter().filter(|table| !LEFT_OUT.contains(&table.name.as_str())) {
            let heading = Heading { table: table.name.clone(), columns: table.columns.clone() };
            file.line(&serde_json::to_vec(&heading).map_err(Error::internal)?).await?;
            let mut pages = Pages::new(table);
            while let Some(page) = pages.next(&mut tx).await? {
                self.renew()?;
                for row in &page {
                    let line = rows::encode(row)
                        .ok_or_else(|| Error::internal("a column holds a list"))?;
                    file.line(&line).await?;
                }
                rows += page.len() as u64;
                Progress::add(&self.progress.rows, page.len() as u64);
            }
        }
        self.names(id, &mut tx).await?;
        drop(tx);
        let metadata = file.finish().await?;
        Ok(Dumped { deployment_id, root_key_check, rows, metadata })
    }

    /// Writes down the objects in order, so that the transaction need not stay open while they are
    /// copied: an open one keeps the database from tidying up.
    async fn names(&self, id: &str, tx: &mut Tx) -> Result<(), BackupError> {
        let mut file = LineWriter::create(self.vault, &snapshot_path(id, NAMES)).await?;
        let mut after = String::new();
        loop {
            let page = tx
                .all(
                    "SELECT object_id, damaged_at FROM blobs WHERE object_id > $1 \
                     ORDER BY object_id LIMIT $2",
                    params![&after, PAGE],
                )
                .await?;
            let Some(last) = page.last() else { break };
            after = last.get(0)?;
            self.renew()?;
            for row in &page {
                let (object, damaged_at) = (row.get::<String>(0)?, row.get::<Option<i64>>(1)?);
                let line = format!("{object} {}", u8::from(damaged_at.is_some()));
                file.line(line.as_bytes()).await?;
            }
            Progress::add(&self.progress.objects, page.len() as u64);
        }
        file.finish().await?;
        Ok(())
    }

    /// The list of the latest snapshot, if it is whole.
    async fn known(&self, latest: Option<&Manifest>) -> Result<Option<List>, BackupError> {
        let Some(latest) = latest else { return Ok(None) };
        let path = snapshot_path(&latest.id, "objects");
        match check_file(self.vault, &path, &latest.list).await {
            Ok(()) => Ok(Some(List::open(self.vault, &latest.id).await?)),
            Err(BackupError::Damaged { .. }) => Ok(None),
            Err(BackupError::Vault(error))
                if error.source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What the latest snapshot says of an object that is still there with its size.
    async fn there(
        &self,
        known: &mut List,
        object: &ObjectId,
    ) -> Result<Option<Listed>, BackupError> {
        let Some(listed) = known.find(object).await? else { return Ok(None) };
        let size = self.vault.size(&object_path(object)).await?;
        Ok((size == Some(listed.sum.size)).then_some(listed))
    }

    /// Copies an object; `None` when the registry has lost it.
    async fn copy(
        &self,
        object: &ObjectId,
        is_damaged: bool,
    ) -> Result<Option<Listed>, BackupError> {
        match self.copy_whole(object).await {
            Ok(listed) => Ok(Some(listed)),
            // Somebody knows already that it cannot be read.
            Err(CopyError::Source(_)) if is_damaged => Ok(None),
            Err(CopyError::Source(error)) if error.kind() == ObjectErrorKind::NotFound => Ok(None),
            Err(CopyError::Source(error)) => Err(BackupError::Refused(format!(
                "the object {object} of the registry cannot be read; stop the server and run \
                 `tonnage fsck --contents --repair`: {}",
                crate::error::chain(&error)
            ))),
            Err(CopyError::Target(error)) => Err(error),
        }
    }

    async fn copy_whole(&self, object: &ObjectId) -> Result<Listed, CopyError> {
        let reader = self.app.objects.open(object).await.map_err(CopyError::Source)?;
        let mut writer =
            self.vault.create(&object_path(object)).await.map_err(CopyError::target)?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        while hasher.length() < reader.size() {
            let bytes =
                reader.read_at(hasher.length(), SPAN_BYTES).await.map_err(CopyError::Source)?;
            if bytes.is_empty() {
                break;
            }
            hasher.update(&bytes);
            Progress::add(&self.progress.bytes, bytes.len() as u64);
            writer.write(bytes).await.map_err(CopyError::target)?;
            self.renew().map_err(CopyError::Target)?;
        }
        writer.finish().await.map_err(CopyError::target)?;
        let size = hasher.length();
        let sha256 = hasher.finish().hex().to_owned();
        Ok(Listed { id: object.clone(), sum: FileSum { size, sha256 } })
    }
}

/// Which side of a copy failed.
enum CopyError {
    Source(crate::objects::ObjectError),
    Target(BackupError),
}

impl CopyError {
    fn target(error: super::vault::VaultError) -> Self {
        Self::Target(error.into())
    }
}

fn parse_name(line: &[u8]) -> Option<(ObjectId, bool)> {
    let (id, is_damaged) = str::from_utf8(line).ok()?.split_once(' ')?;
    Some((ObjectId::parse(id)?, is_damaged == "1"))
}
