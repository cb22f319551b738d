//! What becomes of images when advisories say something else of packages: the findings of a few
//! flaws are made again from what is known of the layers, and everything else stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tonnage_scanner::Package;
use tonnage_scanner::advisories::{Subject, subjects};
use tonnage_scanner::layers::squash;

use super::describe_image_scan_findings::ScannedImage;
use super::findings::{self, FINDINGS_MAX, Finding};
use super::index_image_layers::{IndexImageLayers, Layers, Shelf};
use super::matching::{self, Affected};
use super::rematch::{self, Group};
use super::renewal::{Renewal, Writes, named};
use super::scan_image::ScanImage;
use super::state::{ScanStatus, SeverityCounts};
use super::suppression::Suppressions;
use super::vex::{self, Vex};
use super::{ScanType, vex_documents};
use crate::advisories::Sequence;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Operation as _, Tx};
use crate::images::ImageStatus;
use crate::jobs::{self, Run};
use crate::names::{Digest, RepositoryName};
use crate::repositories::{self, Repository};
use crate::{advisories, authorize, params, services};

/// Scanned images among which those are looked for that have one of the packages.
const SCANNED: i64 = 1_000;
/// Images of one transaction: pushes wait for it no longer than for some of their own.
const IMAGES: usize = 100;
/// What is needed of images is read for all of a range where at least one of so many is wanted.
const DENSE: usize = 2;

/// Renews the findings of all images that have packages of a group, in the order of their rows.
pub(super) async fn images(run: &Run<'_>, group: &Arc<Group>) -> Result<()> {
    let mut pass = Pass::default();
    let mut evaluated: Option<Batch> = None;
    let mut after = 0;
    loop {
        let mut tx = run.read().await?;
        let row = tx
            .optional(
                "SELECT MAX(image_id) FROM (SELECT image_id FROM image_scans \
                 WHERE scan_type = 'ENHANCED' AND image_id > $1 ORDER BY image_id LIMIT $2) \
                 AS scanned",
                params![after, SCANNED],
            )
            .await?;
        let Some(last) = row.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten() else {
            drop(tx);
            return match evaluated {
                Some(last) => last.store(run).await,
                None => Ok(()),
            };
        };
        let rows = tx
            .all(
                "SELECT image_packages.image_id, image_packages.package_version_id \
                 FROM package_versions JOIN image_packages \
                 ON image_packages.package_version_id = package_versions.id \
                 WHERE package_versions.unsettled = 1 AND image_packages.image_id > $1 \
                 AND image_packages.image_id <= $2",
                params![after, last],
            )
            .await?;
        drop(tx);
        let mut found: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for row in &rows {
            let version: i64 = row.get(1)?;
            // What another run has left is not known here, and comes later.
            if group.changed.contains_key(&version) {
                found.entry(row.get(0)?).or_default().push(version);
            }
        }
        let found: Vec<(i64, Vec<i64>)> = found.into_iter().collect();
        for some in found.chunks(IMAGES) {
            // The next ones are looked at while these are written.
            let read = Batch::evaluated(run, group, some, &mut pass);
            evaluated = Some(match evaluated.take() {
                None => read.await?,
                Some(before) => {
                    let (read, stored) = tokio::join!(read, before.store(run));
                    stored?;
                    read?
                }
            });
        }
        after = last;
    }
}

/// Some images of which something is to be told.
struct Batch {
    images: Vec<Image>,
    /// Images that have to be scanned as a whole.
    scans: Vec<(i64, Repository)>,
    repositories: BTreeMap<i64, Repository>,
    /// The newest change of the advisories that is told of.
    newest: Sequence,
}

struct Image {
    id: i64,
    repository_id: i64,
    /// The flaws of which something else is said.
    names: BTreeSet<String>,
    layers: Layers,
    /// Documents that speak of it, if there are any.
    vex: Option<Vex>,
    findings: Vec<Finding>,
}

/// What is known of more than one of the images.
#[derive(Default)]
struct Pass {
    shelf: Shelf,
    /// Repositories as they were first seen, and whether the layers of their images may be read.
    repositories: HashMap<i64, Repository>,
    allowed: HashMap<i64, bool>,
}

impl Batch {
    async fn evaluated(
        run: &Run<'_>,
        group: &Arc<Group>,
        found: &[(i64, Vec<i64>)],
        pass: &mut Pass,
    ) -> Result<Self> {
        let mut batch = Self::read(run, group, found, pass).await?;
        pass.shelf.tidy();
        let group = Arc::clone(group);
        let evaluate = move || {
            batch.evaluate(&group);
            batch
        };
        tokio::task::spawn_blocking(evaluate).await.map_err(Error::internal)
    }

    #[expect(clippy::map_entry, reason = "what is put there is read with an await between")]
    async fn read(
        run: &Run<'_>,
        group: &Group,
        found: &[(i64, Vec<i64>)],
        Pass { shelf, repositories: known, allowed }: &mut Pass,
    ) -> Result<Self> {
        let mut batch = Self {
            images: Vec::new(),
            scans: Vec::new(),
            repositories: BTreeMap::new(),
            newest: group.newest,
        };
        let (Some((first, _)), Some((last, _))) = (found.first(), found.last()) else {
            return Ok(batch);
        };
        let mut tx = run.read().await?;
        let rows = tx
            .all(
                "SELECT images.id, images.repository_id, images.digest, image_scans.status \
                 FROM image_scans JOIN images ON images.id = image_scans.image_id \
                 WHERE image_scans.image_id >= $1 AND image_scans.image_id <= $2 \
                 AND image_scans.scan_type = $3 AND image_scans.status IN ($4, $5) \
                 AND images.status = $6",
                params![
                    *first,
                    *last,
                    ScanType::Enhanced.as_str(),
                    ScanStatus::Active.as_str(),
                    ScanStatus::Failed.as_str(),
                    // Whoever restores one has it scanned then.
                    ImageStatus::Active.as_str(),
                ],
            )
            .await?;
        let mut places: HashMap<i64, (i64, Digest, bool)> = HashMap::new();
        for row in &rows {
            let digest = Digest::parse(&row.get::<String>(2)?).map_err(Error::internal)?;
            let has_failed = row.get::<String>(3)? == ScanStatus::Failed.as_str();
            places.insert(row.get(0)?, (row.get(1)?, digest, has_failed));
        }
        if found.len() * DENSE >= rows.len() {
            shelf.expect(&mut tx, (*first, *last)).await?;
        }
        let with_vex = vex::beside(&mut tx, (*first, *last)).await?;
        let mut has_documents = HashMap::new();
        let mut spoken_of = Vec::new();
        for (id, versions) in found {
            let Some((repository_id, digest, has_failed)) = places.remove(id) else { continue };
            if !batch.repositories.contains_key(&repository_id) {
                let repository = match known.get(&repository_id) {
                    Some(known) => known.clone(),
                    None => match repositories::by_id(&mut tx, repository_id).await? {
                        Some(found) => known.entry(repository_id).or_insert(found).clone(),
                        None => continue,
                    },
                };
                batch.repositories.insert(repository_id, repository);
            }
            let Some(repository) = batch.repositories.get(&repository_id) else { continue };
            let changed = || versions.iter().filter_map(|version| group.changed.get(version));
            let names: BTreeSet<String> =
                changed().flat_map(|changed| changed.names.iter().cloned()).collect();
            let needs_scan = has_failed
                || changed().any(|changed| changed.needs_scan)
                || run.app.settings.scanners.of(&repository.address).is_some();
            if !needs_scan && names.is_empty() {
                continue;
            }
            let may_read = match allowed.get(&repository_id) {
                Some(may_read) => *may_read,
                None => {
                    let may_read = may_read(&mut tx, run, repository, (*id, digest)).await?;
                    allowed.insert(repository_id, may_read);
                    may_read
                }
            };
            let account = &repository.address.account;
            let layers = match needs_scan || !may_read {
                true => None,
                false => shelf.layers(&mut tx, run.app, account, *id).await?,
            };
            let Some(layers) = layers else {
                batch.scans.push((*id, repository.clone()));
                continue;
            };
            if !has_documents.contains_key(&repository.registry_id) {
                let names = vex_documents::names(&mut tx, repository.registry_id).await?;
                has_documents.insert(repository.registry_id, !names.is_empty());
            }
            if with_vex.contains(id) || has_documents.get(&repository.registry_id) == Some(&true) {
                spoken_of.push(batch.images.len());
            }
            let (id, vex, findings) = (*id, None, Vec::new());
            batch.images.push(Image { id, repository_id, names, layers, vex, findings });
        }
        drop(tx);
        for image in spoken_of {
            let Some(image) = batch.images.get_mut(image) else { continue };
            let Some(repository) = batch.repositories.get(&image.repository_id) else { continue };
            image.vex = Some(Vex::read(run, repository, image.id).await?);
        }
        Ok(batch)
    }

    /// Finds what there is of the flaws. Touches nothing but memory.
    fn evaluate(&mut self, group: &Group) {
        let names: BTreeSet<&str> = group.flaws.keys().map(|subject| &*subject.name).collect();
        for image in &mut self.images {
            let inventory = squash(image.layers.indexes.iter().map(AsRef::as_ref));
            let os = inventory.os.as_ref();
            let mut packages: BTreeMap<&Subject<'_>, Vec<&Package>> = BTreeMap::new();
            for package in &inventory.packages {
                for subject in subjects(package, os) {
                    if !names.contains(&*subject.name) {
                        continue;
                    }
                    if let Some((known, _)) = group.flaws.get_key_value(&subject) {
                        packages.entry(known).or_default().push(package);
                    }
                }
            }
            let affected: Vec<Affected<'_>> = packages
                .into_iter()
                .filter_map(|(subject, packages)| {
                    let flaws = group.flaws.get(subject)?.iter();
                    let flaws = flaws.filter(|flaw| image.names.contains(&flaw.name)).collect();
                    Some(Affected { subject, packages, flaws })
                })
                .collect();
            let digests = &image.layers.digests;
            image.findings =
                matching::findings(&affected, &group.records, os, digests, ScanType::Enhanced);
        }
    }

    /// Writes it down. Where something else has happened to an image meanwhile, it is scanned as a
    /// whole.
    async fn store(mut self, run: &Run<'_>) -> Result<()> {
        let now = run.app.clock.now();
        let mut tx = run.write().await?;
        rematch::hold_progress(&mut tx).await?;
        if let (Some(first), Some(last)) = (self.images.first(), self.images.last()) {
            let range = (first.id, last.id);
            let scans = Scans::read(&mut tx, range).await?;
            let with_vex = vex::beside(&mut tx, range).await?;
            let updated_at = advisories::updated_at(&mut tx).await?;
            let names: BTreeSet<&str> =
                self.images.iter().flat_map(|image| &image.names).map(String::as_str).collect();
            let mut known = named(&mut tx, range, &names).await?;
            let has_closed = findings::has_closed(&mut tx, range).await?;
            let mut suppressions: HashMap<i64, Suppressions> = HashMap::new();
            let mut has_documents: HashMap<i64, bool> = HashMap::new();
            let is_dense = self.images.len() * DENSE >= scans.active.len();
            let mut details = match is_dense {
                true => ScannedImage::load_between(&mut tx, range).await?,
                false => HashMap::new(),
            };
            let mut writes = Writes::default();
            for image in std::mem::take(&mut self.images) {
                let Some(scan) = scans.active.get(&image.id) else { continue };
                let Some(repository) = self.repositories.get_mut(&image.repository_id) else {
                    continue;
                };
                if scan.advisories_seen >= self.newest {
                    // Scanned meanwhile, with all of this or more.
                    continue;
                }
                repository.address.name.clone_from(&scan.repository_name);
                let registry_id = repository.registry_id;
                let is_current = match &image.vex {
                    Some(vex) => vex.is_current(&mut tx, repository, image.id).await?,
                    None if with_vex.contains(&image.id) => false,
                    None => match has_documents.get(&registry_id) {
                        Some(has_documents) => !has_documents,
                        None => {
                            let names = vex_documents::names(&mut tx, registry_id).await?;
                            has_documents.insert(registry_id, !names.is_empty());
                            names.is_empty()
                        }
                    },
                };
                let is_placed = scans.places.get(&image.id).is_none_or(|(count, first)| {
                    *count < FINDINGS_MAX as u64 && findings::is_placed(*first)
                });
                if !is_current || !is_placed {
                    self.scans.push((image.id, repository.clone()));
                    continue;
                }
                let rules = match suppressions.get(&registry_id) {
                    Some(rules) => rules.clone(),
                    None => {
                        let rules = Suppressions::load(&mut tx, registry_id, now).await?;
                        suppressions.insert(registry_id, rules.clone());
                        rules
                    }
                };
                let scanned = match details.remove(&image.id) {
                    Some(details) => Some(details.of(&repository.address)),
                    None => ScannedImage::load(&mut tx, &repository.address, image.id).await?,
                };
                let Some(scanned) = scanned else { continue };
                let judge = rules.of(scanned, image.vex.unwrap_or_default());
                let mut renewal = Renewal {
                    image_id: image.id,
                    platform: &scan.platform,
                    names: &image.names.iter().map(String::as_str).collect(),
                    findings: image.findings,
                    judge: &judge,
                    has_closed,
                    counts: scan.counts.clone(),
                    fixable: scan.fixable.clone(),
                };
                let changes = renewal.store(&mut tx, &mut known, &mut writes, now).await?;
                let told = (judge.image(), changes.as_slice());
                writes.end(&renewal, told, registry_id, (now, updated_at))?;
            }
            writes.write(&mut tx, run.app).await?;
        }
        for (id, repository) in &self.scans {
            let job = ScanImage::new(repository.address.account, *id, ScanType::Enhanced);
            jobs::enqueue(&mut tx, run.app, &job, now).await?;
        }
        run.commit(tx).await
    }
}

/// Whether the layers of images of a repository may be looked at, as it is decided for a scan.
async fn may_read(
    tx: &mut Tx,
    run: &Run<'_>,
    repository: &Repository,
    (image_id, digest): (i64, Digest),
) -> Result<bool> {
    let address = &repository.address;
    let context = run.context(services::ECR, address.account, address.region.clone());
    let lease = run.lease();
    let scan = IndexImageLayers { repository: address.clone(), image_id, digest, lease };
    for demand in scan.demands(&context) {
        match authorize::require_now(run.app, &context, demand, tx).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AccessDenied => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Where the scans of a range of images stand.
struct Scans {
    active: HashMap<i64, ActiveScan>,
    /// How many findings each has, and where the first stands.
    places: HashMap<i64, (u64, i64)>,
}

struct ActiveScan {
    platform: String,
    /// What its repository is called now.
    repository_name: RepositoryName,
    advisories_seen: Sequence,
    counts: SeverityCounts,
    fixable: SeverityCounts,
}

impl Scans {
    async fn read(tx: &mut Tx, (first, last): (i64, i64)) -> Result<Self> {
        let rows = tx
            .all(
                "SELECT image_scans.image_id, image_scans.platform, counts, fixable, \
                 advisories_seen, repositories.name FROM image_scans \
                 JOIN images ON images.id = image_scans.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 WHERE image_scans.image_id >= $1 AND image_scans.image_id <= $2 \
                 AND scan_type = 'ENHANCED' AND image_scans.status = 'ACTIVE' \
                 AND images.status = $3",
                params![first, last, ImageStatus::Active.as_str()],
            )
            .await?;
        let mut active = HashMap::new();
        for row in &rows {
            let counts = |text: String| serde_json::from_str(&text).map_err(Error::internal);
            let (platform, counts, fixable) =
                (row.get(1)?, counts(row.get(2)?)?, counts(row.get(3)?)?);
            let advisories_seen = row.get(4)?;
            let repository_name =
                RepositoryName::parse(&row.get::<String>(5)?).map_err(Error::internal)?;
            active.insert(
                row.get(0)?,
                ActiveScan { platform, repository_name, advisories_seen, counts, fixable },
            );
        }
        let rows = tx
            .all(
                "SELECT image_id, COUNT(*), MIN(position) FROM image_findings \
                 WHERE image_id >= $1 AND image_id <= $2 AND scan_type = 'ENHANCED' \
                 GROUP BY image_id",
                params![first, last],
            )
            .await?;
        let places = rows.iter().map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
        Ok(Self { active, places: places.collect::<Result<_>>()? })
    }
}
