//! The job that scans one image.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tonnage_scanner::advisories::Ecosystem;
use tonnage_scanner::layers::Inventory;

use super::describe_image_scan_findings::ScannedImage;
use super::external::{self, Adapter, Asked, Step};
use super::findings::{self, Change, Ended, Finding};
use super::index_image_layers::{IndexImageLayers, Indexed};
use super::matching::PackageKey;
use super::state::{self, Scan, ScanStatus, SeverityCounts};
use super::suppression::Suppressions;
use super::vex::Vex;
use super::{RegistryScanningConfiguration, ScanFrequency, ScanType, matching, rematch};
use crate::advisories::{self, Sequence};
use crate::app::{App, Settings};
use crate::clock::Millis;
use crate::error::{Error, Result, chain};
use crate::events::{self, Event};
use crate::execute::{Tx, execute};
use crate::gallery::config;
use crate::images::ImageStatus;
use crate::jobs::{self, Job, Limits, Named, Next, Run};
use crate::names::{AccountId, Digest};
use crate::registries::Document as _;
use crate::repositories::{self, Repository};
use crate::{params, services};

/// What is told of images that basic scanning does not know, in ECR's words.
const UNSUPPORTED_SYSTEM: &str =
    "UnsupportedImageError: The operating system and/or package manager are not supported.";
/// What ECR says of a scan that is done.
pub(super) const COMPLETE: &str = "The scan was completed successfully.";
/// What ECR says of an image that is scanned again whenever advisories change.
pub(super) const CONTINUOUS: &str = "Continuous scan is selected for image.";

/// Packages of an image that are read at a time.
const PACKAGES: usize = 2_000;

/// Scans an image that waits for it, or that is scanned continuously.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScanImage {
    account: String,
    image_id: i64,
    scan_type: ScanType,
    /// What another scanner was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Asked>,
}

impl ScanImage {
    pub(super) fn new(account: AccountId, image_id: i64, scan_type: ScanType) -> Self {
        Self { account: account.to_string(), image_id, scan_type, asked: None }
    }

    /// The key of the job for an image.
    pub(super) fn key_of(image_id: i64, scan_type: ScanType) -> String {
        format!("{image_id} {}", scan_type.as_str())
    }
}

/// An image that is to be scanned.
struct Subjected {
    repository: Repository,
    digest: Digest,
    media_type: String,
    status: ImageStatus,
    scan: Scan,
}

/// What came of looking at an image.
struct Outcome {
    status: ScanStatus,
    description: String,
    platform: String,
    /// The architecture that the image's configuration names; may be empty.
    architecture: String,
    findings: Vec<Finding>,
    packages: BTreeMap<PackageKey, String>,
    /// How new the advisories were, where they were asked.
    newest: Option<Sequence>,
    /// Whether another scanner looked.
    is_others: bool,
    /// When its advisories were made, where it said so.
    updated_at: Option<Millis>,
    /// When the image is scanned again all the same: nobody says when another scanner learns more.
    again_at: Option<Millis>,
}

impl Outcome {
    fn without_findings(status: ScanStatus, description: impl Into<String>) -> Self {
        Self {
            status,
            description: description.into(),
            platform: String::new(),
            architecture: String::new(),
            findings: Vec::new(),
            packages: BTreeMap::new(),
            newest: None,
            is_others: false,
            updated_at: None,
            again_at: None,
        }
    }
}

impl Job for ScanImage {
    const KIND: &'static str = "scan-image";
    const KEY_NAMES: &'static [Named] = &[Named::Image];
    const LIMITS: Limits =
        Limits { concurrency: 2, attempts: 5, pause_seconds: 5, ..Limits::DEFAULT };

    fn key(&self) -> String {
        Self::key_of(self.image_id, self.scan_type)
    }

    fn concurrency(settings: &Settings) -> u32 {
        settings.scan_concurrency
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let Some(image) = self.image(&mut tx).await? else { return Ok(Next::Done) };
        drop(tx);
        if image.status != ImageStatus::Active {
            // Whoever restores it has it scanned then.
            return Ok(Next::Done);
        }
        let settings = &run.app.settings.scanners;
        let outcome = match settings.of(&image.repository.address) {
            None => self.look(run, &image).await?,
            Some(adapter) => match self.have_looked(run, &image, adapter).await? {
                Some(outcome) => outcome,
                None => return Ok(Next::Done),
            },
        };
        let vex = Vex::read(run, &image.repository, self.image_id).await?;
        let is_recorded = self.record(run, outcome, vex).await?;
        Ok(if is_recorded { Next::Done } else { Next::Continue(self) })
    }
}

impl ScanImage {
    /// The image, while its scan is wanted.
    async fn image(&self, tx: &mut Tx) -> Result<Option<Subjected>> {
        let row = tx
            .optional(
                "SELECT repository_id, digest, status, media_type FROM images WHERE id = $1",
                params![self.image_id],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let scan = state::find(tx, self.image_id, self.scan_type).await?;
        let repository = repositories::by_id(tx, row.get(0)?).await?;
        let (Some(scan), Some(repository)) = (scan, repository) else { return Ok(None) };
        if repository.address.region.is_global() && !repository.scan_on_push {
            // Its owner wants it no more.
            return Ok(None);
        }
        // One that failed for want of advisories may get some.
        let follows = match scan.status {
            ScanStatus::Active => true,
            ScanStatus::Failed => self.scan_type == ScanType::Enhanced,
            _ => false,
        };
        if !scan.status.is_waiting() && !follows {
            return Ok(None);
        }
        Ok(Some(Subjected {
            repository,
            digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            status: ImageStatus::from_stored(&row.get::<String>(2)?)?,
            media_type: row.get(3)?,
            scan,
        }))
    }

    /// Has another scanner look at the image. None while it does: the job is enqueued for later.
    async fn have_looked(
        &self,
        run: &Run<'_>,
        image: &Subjected,
        adapter: &Adapter,
    ) -> Result<Option<Outcome>> {
        let repository = &image.repository;
        let subject = external::Image {
            address: &repository.address,
            digest: &image.digest,
            media_type: &image.media_type,
        };
        let step = external::step(run, adapter, &subject, self.asked.clone()).await?;
        let mut outcome = match step {
            Step::Later(asked, at) => {
                let later = Self { account: self.account.clone(), asked: Some(asked), ..*self };
                let mut tx = run.write().await?;
                jobs::enqueue(&mut tx, run.app, &later, at).await?;
                run.commit(tx).await?;
                return Ok(None);
            }
            Step::Failed(reason) => Outcome::without_findings(ScanStatus::Failed, reason),
            Step::Unsupported(reason) => self.unsupported(&reason),
            Step::Report(report) => {
                // Of an image that cannot be read here the report still counts.
                let (inventory, layers) = match self.index(run, image).await? {
                    Indexed::Inventory(inventory, layers) => (Some(inventory), layers),
                    Indexed::Unsupported(_) | Indexed::Failed(_) => (None, Vec::new()),
                };
                let inventory = inventory.as_deref();
                Outcome {
                    platform: matching::platform(inventory.and_then(|it| it.os.as_ref())),
                    findings: report.findings(inventory, &layers, self.scan_type),
                    updated_at: report.updated_at,
                    ..Outcome::without_findings(ScanStatus::Complete, COMPLETE)
                }
            }
        };
        outcome.is_others = true;
        let mut tx = run.read().await?;
        let is_continuous = is_continuous(&mut tx, repository).await?;
        drop(tx);
        if self.scan_type == ScanType::Enhanced && is_continuous {
            let now = run.app.clock.now();
            outcome.again_at = Some(now.plus_seconds(adapter.rescan_seconds));
            if outcome.status == ScanStatus::Complete {
                outcome.status = ScanStatus::Active;
                CONTINUOUS.clone_into(&mut outcome.description);
            }
        }
        Ok(Some(outcome))
    }

    /// What is in the image.
    async fn index(&self, run: &Run<'_>, image: &Subjected) -> Result<Indexed> {
        let operation = IndexImageLayers {
            repository: image.repository.address.clone(),
            image_id: self.image_id,
            digest: image.digest.clone(),
            lease: run.lease(),
        };
        let address = &image.repository.address;
        let context = run.context(services::ECR, address.account, address.region.clone());
        match execute(run.app, &context, operation).await {
            Ok(indexed) => Ok(indexed),
            Err(error) if error.is_fault() => Err(error),
            // A policy forbids to read it.
            Err(error) => Ok(Indexed::Failed(error.message().to_owned())),
        }
    }

    async fn look(&self, run: &Run<'_>, image: &Subjected) -> Result<Outcome> {
        let (inventory, layers) = match self.index(run, image).await? {
            Indexed::Inventory(inventory, layers) => (inventory, layers),
            Indexed::Unsupported(reason) => return Ok(self.unsupported(&reason)),
            Indexed::Failed(reason) => {
                return Ok(Outcome::without_findings(ScanStatus::Failed, reason));
            }
        };
        if let Some(unsupported) = self.unsupported_inventory(&inventory) {
            return Ok(unsupported);
        }
        let mut tx = run.read().await?;
        let matched =
            matching::match_inventory(&mut tx, &inventory, &layers, self.scan_type).await?;
        let newest = advisories::newest(&mut tx).await?;
        let is_continuous = is_continuous(&mut tx, &image.repository).await?;
        let architecture = architecture(run.app, &mut tx, &image.repository, self.image_id).await;
        drop(tx);
        let platform = matching::platform(inventory.os.as_ref());
        if !matched.unknown.is_empty() && matched.findings.is_empty() {
            let names: Vec<&str> = matched.unknown.iter().map(String::as_str).collect();
            let description = format!(
                "No advisories for {} were loaded, so that nothing could be found. The operator \
                 of the registry loads some with `tonnage advisories sync`.",
                names.join(", ")
            );
            return Ok(Outcome {
                platform,
                packages: matched.packages,
                newest: Some(newest),
                ..Outcome::without_findings(ScanStatus::Failed, description)
            });
        }
        let (status, description) = match self.scan_type {
            ScanType::Enhanced if is_continuous => (ScanStatus::Active, CONTINUOUS),
            ScanType::Basic | ScanType::Enhanced => (ScanStatus::Complete, COMPLETE),
        };
        Ok(Outcome {
            status,
            description: description.to_owned(),
            platform,
            architecture,
            findings: matched.findings,
            packages: matched.packages,
            newest: Some(newest),
            is_others: false,
            updated_at: None,
            again_at: None,
        })
    }

    /// ECR lets basic scans of such images fail.
    fn unsupported(&self, reason: &str) -> Outcome {
        match self.scan_type {
            ScanType::Basic => Outcome::without_findings(
                ScanStatus::Failed,
                format!("{UNSUPPORTED_SYSTEM} {reason}"),
            ),
            ScanType::Enhanced => Outcome::without_findings(ScanStatus::UnsupportedImage, reason),
        }
    }

    /// An image without a system that advisories speak of, and without anything else to look at.
    fn unsupported_inventory(&self, inventory: &Inventory) -> Option<Outcome> {
        let is_known = inventory.os.as_ref().is_some_and(|os| Ecosystem::of_os(os).is_some());
        let has_others = self.scan_type == ScanType::Enhanced
            && inventory.packages.iter().any(|package| !package.package_type.is_os());
        if is_known || has_others {
            return None;
        }
        Some(match self.scan_type {
            ScanType::Basic => Outcome::without_findings(ScanStatus::Failed, UNSUPPORTED_SYSTEM),
            ScanType::Enhanced => {
                Outcome::without_findings(ScanStatus::UnsupportedImage, UNSUPPORTED_SYSTEM)
            }
        })
    }

    /// Writes down what came of it, if the image is still there. Not if something else is said of its
    /// packages by now: whoever looks for images that have them has not found this one.
    async fn record(&self, run: &Run<'_>, mut outcome: Outcome, vex: Vex) -> Result<bool> {
        let mut tx = run.write().await?;
        rematch::hold_progress(&mut tx).await?;
        let Some(image) = self.image(&mut tx).await? else {
            run.commit(tx).await?;
            return Ok(true);
        };
        let app = run.app;
        let now = app.clock.now();
        // Nothing of it is kept then: what is noted of a package that no image had before must be
        // what the advisories say of it up to where images have followed them.
        if let Some(seen) = outcome.newest
            && rematch::is_behind(&mut tx, outcome.packages.keys(), seen).await?
        {
            run.commit(tx).await?;
            return Ok(false);
        }
        put_packages(&mut tx, app, self.image_id, &outcome.packages).await?;
        if !vex.is_current(&mut tx, &image.repository, self.image_id).await? {
            run.commit(tx).await?;
            return Ok(false);
        }
        if outcome.status.has_findings() {
            outcome.description = described(outcome.status, &vex.remark());
        }
        let ended = Ended {
            status: outcome.status,
            description: &outcome.description,
            platform: &outcome.platform,
            source_updated_at: source_updated_at(&mut tx, &outcome).await?,
            advisories_seen: outcome.newest,
            findings: &outcome.findings,
        };
        if !outcome.architecture.is_empty() {
            tx.execute(
                "UPDATE image_scans SET architecture = $3 WHERE image_id = $1 AND scan_type = $2",
                params![self.image_id, self.scan_type.as_str(), outcome.architecture.as_str()],
            )
            .await?;
        }
        let address = &image.repository.address;
        let Some(scanned) = ScannedImage::load(&mut tx, address, self.image_id).await? else {
            run.commit(tx).await?;
            return Ok(true);
        };
        // Read while the progress is held, so that a rule that comes later finds what is stored here.
        let judge =
            Suppressions::load(&mut tx, image.repository.registry_id, now).await?.of(scanned, vex);
        let (changes, counts) =
            findings::replace(&mut tx, self.image_id, self.scan_type, (&ended, &judge), now)
                .await?;
        if let Some(at) = outcome.again_at {
            let again = Self::new(image.repository.address.account, self.image_id, self.scan_type);
            jobs::enqueue(&mut tx, app, &again, at).await?;
        }
        self.publish(&mut tx, app, (&image, outcome.status, counts), judge.image()).await?;
        if self.scan_type == ScanType::Enhanced {
            let registry_id = image.repository.registry_id;
            publish_changes(&mut tx, app, registry_id, (judge.image(), &changes)).await?;
        }
        run.commit(tx).await?;
        Ok(true)
    }

    async fn publish(
        &self,
        tx: &mut Tx,
        app: &App,
        (image, status, counts): (&Subjected, ScanStatus, SeverityCounts),
        scanned: &ScannedImage,
    ) -> Result<()> {
        if image.scan.status.has_findings() {
            return Ok(());
        }
        let scan_status = status.as_str();
        let repository_name = scanned.repository.name.to_string();
        let image_digest = scanned.digest.to_string();
        let image_tags = scanned.tags.iter().map(ToString::to_string).collect();
        let finding_severity_counts = counts;
        let event = match self.scan_type {
            ScanType::Basic => Event::ImageScanned {
                scan_status,
                repository_name,
                finding_severity_counts,
                image_digest,
                image_tags,
            },
            ScanType::Enhanced => Event::EnhancedScanCompleted {
                scan_status,
                repository_name,
                finding_severity_counts,
                image_digest,
                image_tags,
            },
        };
        events::publish_now(tx, app, image.repository.registry_id, &event).await
    }
}

/// How new what is known of flaws was.
async fn source_updated_at(tx: &mut Tx, outcome: &Outcome) -> Result<Option<Millis>> {
    // Those of this program say nothing about what another scanner knew.
    if outcome.is_others {
        return Ok(outcome.updated_at);
    }
    advisories::updated_at(tx).await
}

/// Whether images of a repository follow what becomes known.
async fn is_continuous(tx: &mut Tx, repository: &Repository) -> Result<bool> {
    let configuration =
        RegistryScanningConfiguration::load(tx, Some(repository.registry_id)).await?;
    let wanted = configuration.effective(repository.address.name.as_str(), repository.scan_on_push);
    Ok(wanted.frequency == ScanFrequency::ContinuousScan)
}

/// The architecture that the configuration of an image names; nothing of it is so important that a
/// scan should fail for it.
async fn architecture(app: &App, tx: &mut Tx, repository: &Repository, image_id: i64) -> String {
    /// Bytes of one; the longest of Go's has eight.
    const BYTES_MAX: usize = 64;
    let config = match config::read(app, tx, repository, image_id).await {
        Ok(config) => config.unwrap_or_default(),
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(image_id, error, "the configuration of an image cannot be read");
            return String::new();
        }
    };
    let named = config.platform.split('/').nth(1).unwrap_or_default();
    let is_name = named.len() <= BYTES_MAX && named.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name { named.to_owned() } else { String::new() }
}

/// What is told of a scan that is done, with a remark that may be empty.
pub(super) fn described(status: ScanStatus, remark: &str) -> String {
    let text = if status == ScanStatus::Active { CONTINUOUS } else { COMPLETE };
    if remark.is_empty() { text.to_owned() } else { format!("{text} {remark}") }
}

/// Tells of each finding of enhanced scanning that is new, changed or gone.
pub(super) async fn publish_changes(
    tx: &mut Tx,
    app: &App,
    registry_id: i64,
    (image, changes): (&ScannedImage, &[Change]),
) -> Result<()> {
    let events: Vec<(i64, Event)> =
        told(image, changes).map(|event| (registry_id, event)).collect();
    events::publish_together(tx, app, &events).await
}

/// What is told of changes.
pub(super) fn told(image: &ScannedImage, changes: &[Change]) -> impl Iterator<Item = Event> {
    changes.iter().map(|change| {
        let finding = &change.finding;
        Event::FindingChanged {
            finding_arn: super::finding_arn(&image.repository, &image.digest, finding),
            status: change.status().as_str(),
            title: super::title(finding),
            severity: finding.severity.enhanced(),
            repository_name: image.repository.name.to_string(),
            image_digest: image.digest.to_string(),
            image_tags: image.tags.iter().map(ToString::to_string).collect(),
        }
    })
}

/// What packages an image was last said to have.
async fn packages_of(tx: &mut Tx, image_id: i64) -> Result<HashSet<PackageKey>> {
    let mut packages = HashSet::new();
    let mut after = 0_i64;
    loop {
        let rows = tx
            .all(
                "SELECT package_versions.id, ecosystem, name, version, module, architecture \
                 FROM image_packages JOIN package_versions \
                 ON package_versions.id = image_packages.package_version_id \
                 WHERE image_packages.image_id = $1 AND image_packages.package_version_id > $2 \
                 ORDER BY image_packages.package_version_id LIMIT $3",
                params![image_id, after, PACKAGES],
            )
            .await?;
        for row in &rows {
            after = row.get(0)?;
            packages.insert([row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]);
        }
        if rows.len() < PACKAGES {
            return Ok(packages);
        }
    }
}

/// Notes what packages an image has, so that a new advisory finds the image.
async fn put_packages(
    tx: &mut Tx,
    app: &App,
    image_id: i64,
    packages: &BTreeMap<PackageKey, String>,
) -> Result<()> {
    let known = packages_of(tx, image_id).await?;
    for (key, matches) in packages {
        // Of an image that is looked at again all are known.
        if known.contains(key) {
            continue;
        }
        let [ecosystem, name, version, module, architecture] = key;
        let now = app.clock.now();
        tx.execute(
            "INSERT INTO package_versions (id, ecosystem, name, version, module, architecture, \
             matches) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (ecosystem, name, version, module, architecture) DO NOTHING",
            params![app.ids.next(now), ecosystem, name, version, module, architecture, matches],
        )
        .await?;
        tx.execute(
            "INSERT INTO image_packages (image_id, package_version_id) \
             SELECT CAST($1 AS BIGINT), id FROM package_versions WHERE ecosystem = $2 \
             AND name = $3 AND version = $4 AND module = $5 AND architecture = $6 \
             ON CONFLICT (image_id, package_version_id) DO NOTHING",
            params![image_id, ecosystem, name, version, module, architecture],
        )
        .await?;
    }
    Ok(())
}
