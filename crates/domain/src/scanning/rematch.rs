//! The job that follows the advisories: what they say anew of packages changes the findings of the
//! images that have those packages.
//!
//! What is said of a version of a package stands in its row (`matches`) as of the change up to which
//! images have followed (`scanning_progress`), and the findings of all images agree with it. Two
//! kinds of images are elsewhere, and known to be:
//! - An image that was scanned with newer advisories than that has the change in its own row
//!   (`image_scans.advisories_seen`). It may have seen what was taken back before this job came to
//!   it, of which the rows of its packages tell nothing: it is scanned once more where any of its
//!   packages changed after its scan.
//! - A scan that looked at older ones than there are when it ends is done again, see `is_behind`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tonnage_scanner::advisories::{Ecosystem, Flaw, Subject};

use super::matching::{self, Matches, NOTHING_LOADED, PackageKey, Records};
use super::scan_image::ScanImage;
use super::{ScanType, renew};
use crate::advisories::{self, Sequence};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::jobs::{self, Job, Limits, Next, Run};
use crate::metadata::Value;
use crate::names::AccountId;
use crate::params;

/// Names of packages that are read at a time.
const NAMES: usize = 200;
/// What one run takes on at least before it looks at images, where there is so much: names of
/// packages, and flaws of which something else is said, which are kept in memory.
const NAMES_MAX: usize = 4_000;
const FLAWS_MAX: usize = 5_000;
/// Versions of one package that are looked at together.
const VERSIONS: usize = 1_000;
/// Packages that are written in one transaction.
const WRITTEN: usize = 500;
/// Images that are looked at together whose scan has looked further, or failed.
const AHEAD: usize = 500;

/// Looks at the packages that advisories say something else of, and renews the findings about them
/// in the images that have them and are scanned continuously. Layers are not read for that.
///
/// What is said of a package is marked as unsettled before the first image is touched, and settled
/// after the last: whoever begins again after a crash goes over the same images, and changes
/// nothing where nothing is left to change.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RematchPackages;

impl Job for RematchPackages {
    const KIND: &'static str = "rematch-packages";
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let is_done = advisories::newest(&mut tx).await? <= seen(&mut tx).await?;
        drop(tx);
        if is_done {
            return Ok(Next::Done);
        }
        // A scan that ends in this moment has either seen these changes, or is seen from here on.
        let mut tx = run.write().await?;
        hold_progress(&mut tx).await?;
        run.commit(tx).await?;
        // One snapshot: nothing in it is newer than the newest change that is taken on.
        let mut tx = run.read().await?;
        let seen = seen(&mut tx).await?;
        let newest = advisories::newest(&mut tx).await?;
        let ahead = ahead(&mut tx, seen).await?;
        let failed = failed(&mut tx).await?;
        let (group, next, more) = group(&mut tx, seen, newest).await?;
        drop(tx);
        scan_again(run, ahead).await?;
        scan_again(run, failed).await?;
        if !group.changed.is_empty() {
            let group = Arc::new(group);
            group.unsettle(run).await?;
            renew::images(run, &group).await?;
            group.settle(run).await?;
        }
        let mut tx = run.write().await?;
        tx.execute("UPDATE scanning_progress SET advisories_seen = $1 WHERE id = 1", params![next])
            .await?;
        run.commit(tx).await?;
        Ok(if more { Next::Continue(self) } else { Next::Done })
    }
}

async fn seen(tx: &mut Tx) -> Result<Sequence> {
    let row =
        tx.optional("SELECT advisories_seen FROM scanning_progress WHERE id = 1", &[]).await?;
    row.map_or(Ok(Sequence::default()), |row| Ok(row.get(0)?))
}

/// Waits for whoever else holds the row, and holds it until the end of the transaction: scans while
/// they note which packages an image has, and this job before it looks for images.
pub(super) async fn hold_progress(tx: &mut Tx) -> Result<()> {
    tx.execute("UPDATE scanning_progress SET advisories_seen = advisories_seen WHERE id = 1", &[])
        .await?;
    Ok(())
}

/// Whether something was said of any of these packages after `seen`. The caller holds the progress:
/// this job then finds what is written in the same transaction, or has not come by yet.
pub(super) async fn is_behind(
    tx: &mut Tx,
    packages: impl Iterator<Item = &PackageKey>,
    seen: Sequence,
) -> Result<bool> {
    if advisories::newest(tx).await? <= seen {
        return Ok(false);
    }
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for [ecosystem, name, ..] in packages {
        names.entry(ecosystem).or_default().insert(name);
    }
    for (ecosystem, names) in names {
        let names: Vec<&str> = names.into_iter().collect();
        for some in names.chunks(NAMES) {
            let changed = tx
                .optional(
                    "SELECT 1 FROM advisory_changes WHERE ecosystem = $1 AND name IN_LIST($2) \
                     AND sequence > $3 LIMIT 1",
                    params![ecosystem, Value::list(some), seen],
                )
                .await?;
            if changed.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// An image with the account that it is in.
type Owned = (i64, AccountId);

/// Images whose scan has looked further than images have followed, and of whose packages something
/// else was said after it.
async fn ahead(tx: &mut Tx, seen: Sequence) -> Result<Vec<Owned>> {
    let mut ahead = Vec::new();
    let mut after = (seen, i64::MAX);
    loop {
        let rows = tx
            .all(
                "SELECT image_scans.image_id, image_scans.advisories_seen, registries.account_id, \
                 CASE WHEN EXISTS (SELECT 1 FROM image_packages JOIN package_versions \
                 ON package_versions.id = image_packages.package_version_id \
                 JOIN advisory_changes ON advisory_changes.ecosystem = package_versions.ecosystem \
                 AND advisory_changes.name = package_versions.name \
                 WHERE image_packages.image_id = image_scans.image_id \
                 AND advisory_changes.sequence > image_scans.advisories_seen) THEN 1 ELSE 0 END \
                 FROM image_scans JOIN images ON images.id = image_scans.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 JOIN registries ON registries.id = repositories.registry_id \
                 WHERE image_scans.scan_type = 'ENHANCED' \
                 AND image_scans.status IN ('ACTIVE', 'FAILED') \
                 AND image_scans.advisories_seen >= $1 \
                 AND (image_scans.advisories_seen > $1 OR image_scans.image_id > $2) \
                 ORDER BY image_scans.advisories_seen, image_scans.image_id LIMIT $3",
                params![after.0, after.1, AHEAD],
            )
            .await?;
        for row in &rows {
            after = (row.get(1)?, row.get(0)?);
            if row.get::<i64>(3)? == 1 {
                let account = AccountId::parse(&row.get::<String>(2)?).map_err(Error::internal)?;
                ahead.push((after.1, account));
            }
        }
        if rows.len() < AHEAD {
            return Ok(ahead);
        }
    }
}

/// Images whose scan failed for want of advisories of a system or a language, of which there are some
/// now. They may speak of packages only that the image does not have.
async fn failed(tx: &mut Tx) -> Result<Vec<Owned>> {
    let mut failed = Vec::new();
    let mut after = 0_i64;
    loop {
        let rows = tx
            .all(
                "SELECT image_scans.image_id, registries.account_id FROM image_scans \
                 JOIN images ON images.id = image_scans.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 JOIN registries ON registries.id = repositories.registry_id \
                 WHERE image_scans.scan_type = 'ENHANCED' AND image_scans.status = 'FAILED' \
                 AND image_scans.image_id > $1 AND EXISTS (SELECT 1 FROM image_packages \
                 JOIN package_versions ON package_versions.id = image_packages.package_version_id \
                 WHERE image_packages.image_id = image_scans.image_id \
                 AND package_versions.matches = $2 AND EXISTS (SELECT 1 FROM advisory_entries \
                 WHERE advisory_entries.ecosystem = package_versions.ecosystem)) \
                 ORDER BY image_scans.image_id LIMIT $3",
                params![after, NOTHING_LOADED, AHEAD],
            )
            .await?;
        for row in &rows {
            after = row.get(0)?;
            let account = AccountId::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            failed.push((after, account));
        }
        if rows.len() < AHEAD {
            return Ok(failed);
        }
    }
}

/// Has images scanned as a whole, which takes nothing that is not stored.
async fn scan_again(run: &Run<'_>, images: Vec<Owned>) -> Result<()> {
    for some in images.chunks(WRITTEN) {
        let mut tx = run.write().await?;
        for (image_id, account) in some {
            let job = ScanImage::new(*account, *image_id, ScanType::Enhanced);
            jobs::enqueue(&mut tx, run.app, &job, run.app.clock.now()).await?;
        }
        run.commit(tx).await?;
    }
    Ok(())
}

/// Packages that something else is said of, with all that is needed to say it of an image.
#[derive(Default)]
pub(super) struct Group {
    /// By the rows of their versions.
    pub(super) changed: BTreeMap<i64, Changed>,
    /// What advisories say now of the flaws that something else is said of: of each package that has
    /// one of them, whether it is among the changed or not.
    pub(super) flaws: BTreeMap<Subject<'static>, Vec<Flaw>>,
    pub(super) records: Records,
    /// The newest change that all this takes on.
    pub(super) newest: Sequence,
}

/// A version of a package that something else is said of.
pub(super) struct Changed {
    /// The flaws of which something else is said.
    pub(super) names: BTreeSet<String>,
    /// Whether images have to be scanned as a whole: nobody knows what was said before, or nothing
    /// is said any more of packages of this kind.
    pub(super) needs_scan: bool,
    unsettled: String,
    settled: String,
}

/// Takes on changes in their order; how far that goes, and whether more follow.
async fn group(tx: &mut Tx, seen: Sequence, newest: Sequence) -> Result<(Group, Sequence, bool)> {
    let mut group = Group { newest, ..Group::default() };
    let mut names = BTreeSet::new();
    let mut looked_at = 0;
    let mut next = seen;
    let more = loop {
        let changes = advisories::changes(tx, (next, newest), NAMES).await?;
        next = if changes.more { changes.next } else { newest };
        for (ecosystem, packages) in &changes.packages {
            let Some(ecosystem) = Ecosystem::of_advisory(ecosystem) else { continue };
            let is_covered = matching::is_covered(tx, &ecosystem).await?;
            for package in packages {
                group.look_at(tx, (&ecosystem, is_covered), package, &mut names).await?;
            }
            looked_at += packages.len();
        }
        if !changes.more || looked_at >= NAMES_MAX || names.len() >= FLAWS_MAX {
            break changes.more;
        }
    };
    for (ecosystem, package) in advisories::packages_with(tx, &names).await? {
        if let Some(ecosystem) = Ecosystem::of_advisory(&ecosystem) {
            group.add_flaws(tx, &ecosystem, &package, &names).await?;
        }
    }
    Ok((group, next, more))
}

impl Group {
    /// Takes on what is said of a package if it is something else than before.
    async fn look_at(
        &mut self,
        tx: &mut Tx,
        (ecosystem, is_covered): (&Ecosystem, bool),
        package: &str,
        all_names: &mut BTreeSet<String>,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let Some(said) = said(tx, ecosystem, package, after).await? else { return Ok(()) };
            let Said { last, versions, flaws, records } = said;
            after = last;
            for (known, flaws) in versions.iter().zip(flaws) {
                let now = Matches::of(&flaws, &records);
                let settled = if is_covered { now.to_stored() } else { NOTHING_LOADED.to_owned() };
                if known.matches == settled {
                    continue;
                }
                let before = Matches::from_stored(&known.matches);
                let needs_scan = !is_covered || before.is_none();
                let names = before.map(|before| before.differing(&now)).unwrap_or_default();
                let unsettled = match needs_scan {
                    true => known.matches.clone(),
                    false => now.unsettled(&names).to_stored(),
                };
                all_names.extend(names.iter().cloned());
                self.changed.insert(known.id, Changed { names, needs_scan, unsettled, settled });
            }
        }
    }

    /// Adds what is said of these flaws of a package. Where that is something else than before, the
    /// package is one whose turn comes in another run; images are told of these flaws now.
    async fn add_flaws(
        &mut self,
        tx: &mut Tx,
        ecosystem: &Ecosystem,
        package: &str,
        names: &BTreeSet<String>,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let Some(said) = said(tx, ecosystem, package, after).await? else { return Ok(()) };
            let Said { last, versions, flaws, records } = said;
            after = last;
            for (known, mut flaws) in versions.into_iter().zip(flaws) {
                if !self.changed.contains_key(&known.id)
                    && let Some(before) = Matches::from_stored(&known.matches)
                {
                    let now = Matches::of(&flaws, &records);
                    let mut names = names.clone();
                    names.retain(|name| before.differs(&now, name));
                    if !names.is_empty() {
                        let unsettled = before.clone().unsettled(&names).to_stored();
                        let settled = before.settled(&now, &names).to_stored();
                        let changed = Changed { names, needs_scan: false, unsettled, settled };
                        self.changed.insert(known.id, changed);
                    }
                }
                flaws.retain(|flaw| names.contains(&flaw.name));
                if !flaws.is_empty() {
                    self.records.take(&records, &flaws);
                    self.flaws.insert(known.subject, flaws);
                }
            }
        }
    }

    async fn unsettle(&self, run: &Run<'_>) -> Result<()> {
        self.write(run, true).await
    }

    async fn settle(&self, run: &Run<'_>) -> Result<()> {
        self.write(run, false).await
    }

    async fn write(&self, run: &Run<'_>, unsettled: bool) -> Result<()> {
        let changed: Vec<(&i64, &Changed)> = self.changed.iter().collect();
        for some in changed.chunks(WRITTEN) {
            let mut tx = run.write().await?;
            for (id, changed) in some {
                let matches = if unsettled { &changed.unsettled } else { &changed.settled };
                tx.execute(
                    "UPDATE package_versions SET matches = $2, unsettled = $3 WHERE id = $1",
                    params![**id, matches, unsettled],
                )
                .await?;
            }
            run.commit(tx).await?;
        }
        Ok(())
    }
}

/// A version of a package that images have.
struct Known {
    id: i64,
    subject: Subject<'static>,
    matches: String,
}

/// Some versions of a package, and what advisories say of each of them now.
struct Said {
    last: i64,
    versions: Vec<Known>,
    flaws: Vec<Vec<Flaw>>,
    records: Records,
}

async fn said(
    tx: &mut Tx,
    ecosystem: &Ecosystem,
    package: &str,
    after: i64,
) -> Result<Option<Said>> {
    let versions = versions(tx, ecosystem, package, after).await?;
    let Some(last) = versions.last().map(|known| known.id) else { return Ok(None) };
    let subjects: Vec<Subject<'static>> =
        versions.iter().map(|known| known.subject.clone()).collect();
    let (flaws, records) = matching::flaws(tx, &subjects).await?;
    Ok(Some(Said { last, versions, flaws, records }))
}

async fn versions(
    tx: &mut Tx,
    ecosystem: &Ecosystem,
    name: &str,
    after: i64,
) -> Result<Vec<Known>> {
    let rows = tx
        .all(
            "SELECT id, version, module, architecture, matches FROM package_versions \
             WHERE ecosystem = $1 AND name = $2 AND id > $3 ORDER BY id LIMIT $4",
            params![ecosystem.as_str(), name, after, VERSIONS],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let some = |text: String| (!text.is_empty()).then(|| text.into());
            Ok(Known {
                id: row.get(0)?,
                subject: Subject {
                    ecosystem: ecosystem.clone(),
                    name: name.to_owned().into(),
                    version: row.get::<String>(1)?.into(),
                    module: some(row.get(2)?),
                    architecture: some(row.get(3)?),
                },
                matches: row.get(4)?,
            })
        })
        .collect()
}
