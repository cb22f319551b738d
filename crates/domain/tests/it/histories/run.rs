//! Runs a history on the registry and on the model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tonnage_domain::app::Settings;
use tonnage_domain::blobs::get_blob::HeadBlob;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::error::{Error, ErrorKind, chain};
use tonnage_domain::gc;
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::names::{Digest, Reference, RepositoryName, Tag};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::uploads::UploadId;
use tonnage_domain::uploads::UploadRules::{Distribution, LayerParts};
use tonnage_domain::uploads::cancel::CancelUpload;
use tonnage_store::faulty::{Call, Fault};
use tonnage_store::sqlite::SqliteMetadata;

use super::model::{Model, Outcome, Repository, Upload};
use crate::content::{Blob, Pushed};
use crate::registry::{Registry, address, create_repository, empty_database, put_image, rule};

/// How much is compared after each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checks {
    /// The repository that was touched; everything now and then and at the end.
    Sparse,
    /// Everything.
    Full,
}

/// What comes before everything is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Nothing,
    /// Everything expires; then exactly what rows name is left.
    Expiry,
}

impl Ending {
    pub(super) fn of(seed: u64) -> Self {
        if seed.is_multiple_of(2) { Self::Expiry } else { Self::Nothing }
    }
}

/// What is wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    /// The model believes that an upload that was cancelled goes on.
    CancelledUploads,
}

const NAMES: [&str; 3] = ["app", "team/app", "team/tools"];
const TAGS: [&str; 4] = ["v1", "v2", "dev-1", "latest"];
const BLOB_SIZES: [usize; 5] = [0, 100, 40_000, 70_000, 300_000];

/// One step; what it says is taken modulo what there is.
#[derive(Clone, Debug)]
pub(super) struct Step {
    action: Action,
    /// The `nth` call of a kind fails, should the step make so many.
    fault: Option<(Call, u64, Fault)>,
}

#[derive(Clone, Debug)]
enum Action {
    Create { name: usize, mutability: usize },
    Delete { name: usize, force: bool },
    SetMutability { name: usize, mutability: usize },
    PushBlob { name: usize, blob: usize },
    Initiate { name: usize },
    Append { upload: usize, blob: usize, from: usize, length: usize },
    Complete { upload: usize, right: bool },
    Cancel { upload: usize },
    PutImage { name: usize, image: usize, tag: usize, by_parts: bool },
    PutIndex { name: usize, children: [usize; 2], tag: usize },
    BatchDelete { name: usize, ids: Vec<(Option<usize>, Option<usize>)> },
    DeleteManifest { name: usize, tag: usize, image: Option<usize> },
    Tell { name: usize, blob: usize },
    MoveClock { seconds: i64 },
    Sweep,
    Reopen,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// The first steps of a seed's history; longer ones begin with shorter ones.
pub(super) fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut random = Random(seed);
    // Most of what follows needs a repository with a blob and an image.
    let mut actions = vec![
        Action::Create { name: 0, mutability: random.below(4) },
        Action::PushBlob { name: 0, blob: 1 },
        Action::PutImage { name: 0, image: 0, tag: 0, by_parts: false },
    ];
    while actions.len() < count {
        actions.push(action(&mut random));
    }
    actions.truncate(count);
    let mut random = Random(!seed);
    let calls = [
        Call::BeginRead,
        Call::BeginWrite,
        Call::Execute,
        Call::Query,
        Call::CommitBefore,
        Call::CommitAfterDurable,
        Call::Create,
        Call::Resume,
        Call::Write,
        Call::Sync,
        Call::Delete,
    ];
    let faults = [Fault::Full, Fault::Unavailable, Fault::Other];
    actions
        .into_iter()
        .map(|action| {
            let fault = random.chance(25).then(|| {
                let call = calls[random.below(calls.len())];
                let many = matches!(call, Call::Execute | Call::Query);
                let nth = 1 + random.below(if many { 8 } else { 2 }) as u64;
                (call, nth, faults[random.below(faults.len())])
            });
            Step { action, fault }
        })
        .collect()
}

fn action(random: &mut Random) -> Action {
    // The first repository is used most.
    let name = random.below(5).saturating_sub(2);
    let (upload, blob) = (random.below(4), random.below(BLOB_SIZES.len()));
    let (image, tag) = (random.below(IMAGES), random.below(TAGS.len()));
    match random.below(100) {
        0..5 => Action::Create { name, mutability: random.below(4) },
        5..8 => Action::Delete { name, force: random.chance(50) },
        8..12 => Action::SetMutability { name, mutability: random.below(4) },
        12..26 => Action::PushBlob { name, blob },
        26..28 => Action::Tell { name, blob },
        28..33 => Action::Initiate { name },
        33..43 => {
            let (from, length) = (random.below(3), random.below(3));
            Action::Append { upload, blob, from, length }
        }
        43..49 => Action::Complete { upload, right: random.chance(80) },
        49..51 => Action::Cancel { upload },
        51..65 => Action::PutImage { name, image, tag, by_parts: random.chance(50) },
        65..75 => {
            let children = [random.below(1000), random.below(1000)];
            Action::PutIndex { name, children, tag }
        }
        75..79 => {
            let image = random.chance(75).then(|| random.below(1000));
            Action::DeleteManifest { name, tag, image }
        }
        79..87 => {
            let ids = (0..1 + random.below(3)).map(|_| {
                let (tag, image) = (random.below(TAGS.len()), random.below(1000));
                match random.below(5) {
                    0 | 1 => (Some(tag), None),
                    2 | 3 => (None, Some(image)),
                    _ => (Some(tag), Some(image)),
                }
            });
            Action::BatchDelete { name, ids: ids.collect() }
        }
        87..92 => {
            let seconds = [1, 3600, 13 * 3600, 25 * 3600][random.below(4)];
            Action::MoveClock { seconds }
        }
        92..97 => Action::Sweep,
        _ => Action::Reopen,
    }
}

const IMAGES: usize = 6;
/// Shorter than an upload may rest, so that both kinds of garbage come by themselves.
const GRACE_SECONDS: i64 = 14 * 3600;
const GRACE: i64 = GRACE_SECONDS * 1000;

fn blobs() -> Vec<Blob> {
    BLOB_SIZES.iter().map(|size| Blob::new(&size.to_string(), *size)).collect()
}

fn images(blobs: &[Blob]) -> Vec<Pushed> {
    (0..IMAGES)
        .map(|n| {
            let layers = [&blobs[n % blobs.len()], &blobs[(n * 2 + 1) % blobs.len()]];
            Pushed::annotated_image(&blobs[1], &layers[..n % 3], &n.to_string())
        })
        .collect()
}

fn mutability(number: usize) -> TagMutabilityRule {
    match number {
        0 | 1 => TagMutabilityRule::default(),
        2 => rule(TagMutability::Immutable, &[]),
        _ => rule(TagMutability::ImmutableWithExclusion, &["dev-*", "latest"]),
    }
}

/// Runs a history; panics where the registry departs from the model. What came of the steps, each
/// action and outcome once.
pub(super) async fn history(
    steps: &[Step],
    ending: Ending,
    checks: Checks,
    planted: Planted,
) -> BTreeSet<String> {
    let settings = Settings {
        upload_idle_seconds: 24 * 3600,
        gc_grace_seconds: GRACE_SECONDS,
        ..Settings::default()
    };
    // What is planted says whether a departure is found, which no engine changes.
    let metadata = match planted {
        Planted::Nothing => empty_database().await,
        _ => Arc::new(SqliteMetadata::open_in_memory().unwrap()),
    };
    let registry = Registry::on(metadata, settings).await;
    registry.interposed.recall_answers();
    let blobs = blobs();
    let mut runner = Runner {
        registry,
        model: Model::default(),
        images: images(&blobs),
        blobs,
        uploads: Vec::new(),
        generation: 0,
        tag_versions: BTreeMap::new(),
        outcomes: BTreeSet::new(),
        planted,
    };
    for (number, step) in (1..).zip(steps) {
        runner.step(step).await;
        runner.compare(checks == Checks::Full || number % 10 == 0 || number == steps.len()).await;
    }
    if ending == Ending::Expiry {
        runner.registry.check_no_orphans().await;
    }
    runner.delete_everything().await;
    runner.outcomes
}

struct Runner {
    registry: Registry,
    model: Model,
    blobs: Vec<Blob>,
    images: Vec<Pushed>,
    /// Every upload that was ever begun.
    uploads: Vec<UploadId>,
    generation: u64,
    /// The greatest version that was seen of each tag of each repository row.
    tag_versions: BTreeMap<(String, String), i64>,
    /// What came of the steps.
    outcomes: BTreeSet<String>,
    planted: Planted,
}

impl Runner {
    async fn step(&mut self, step: &Step) {
        if let Some((call, nth, fault)) = step.fault {
            self.registry.plan.fail(call, nth, fault);
        }
        let injected = self.registry.plan.injected();
        let mut expected = self.model.clone();
        let wanted = self.expect(&mut expected, &step.action);
        let result = self.act(&step.action, &expected).await;
        let failed = self.registry.plan.injected() > injected;
        self.registry.plan.heal();
        let name = format!("{:?}", step.action);
        let name = name.split(' ').next().unwrap_or_default();
        let kind = result.as_ref().err().map(Error::kind);
        self.outcomes.insert(kind.map_or(name.to_owned(), |kind| format!("{name} {kind:?}")));
        match result {
            Err(error) if error.is_fault() => {
                assert!(failed, "{step:?}: {}", chain(&error));
                if matches!(step.action, Action::Sweep) {
                    // A part of it was done.
                    self.follow_sweep().await;
                }
                // Whether it was done shows only now, and only if the answer was lost.
                let lost_answer = matches!(step.fault, Some((Call::CommitAfterDurable, ..)));
                if lost_answer && self.is_done(&step.action).await {
                    self.outcomes.insert("done, but the answer was lost".to_owned());
                    self.model = expected;
                }
            }
            _ => {
                assert_eq!(kind, wanted.err(), "{step:?}");
                self.model = expected;
            }
        }
    }

    fn now(&self) -> i64 {
        self.registry.clock.now().0
    }

    /// What the step comes to on the model.
    fn expect(&mut self, model: &mut Model, action: &Action) -> Outcome {
        match action {
            Action::Create { name, mutability: rule } => {
                self.generation += 1;
                let fresh = Repository::new(self.generation, mutability(*rule));
                match model.repositories.insert(NAMES[*name].to_owned(), fresh) {
                    None => Ok(()),
                    Some(existing) => {
                        model.repositories.insert(NAMES[*name].to_owned(), existing);
                        Err(ErrorKind::RepositoryAlreadyExists)
                    }
                }
            }
            Action::Delete { name, force } => {
                let repository = existing(model, *name)?;
                if !force && !repository.images.is_empty() {
                    return Err(ErrorKind::RepositoryNotEmpty);
                }
                model.repositories.remove(NAMES[*name]);
                Ok(())
            }
            Action::SetMutability { name, mutability: rule } => {
                existing(model, *name)?.mutability = mutability(*rule);
                Ok(())
            }
            Action::PushBlob { name, blob } => {
                let digest = self.blobs[*blob].digest.to_string();
                let now = self.now();
                existing(model, *name)?.add_blob(&digest, now);
                Ok(())
            }
            Action::Initiate { name } => {
                let generation = existing(model, *name)?.generation;
                let expires_at = self.now() + 24 * 3600 * 1000;
                let (repository, bytes) = (NAMES[*name].to_owned(), Vec::new());
                let upload = Upload { repository, generation, bytes, expires_at };
                model.uploads.insert(self.uploads.len(), upload);
                Ok(())
            }
            Action::Append { upload, blob, from, length } => {
                let chunk = self.chunk(*blob, *from, *length);
                let now = self.now();
                let Some((_, upload)) = self.upload(model, *upload)? else { return Ok(()) };
                upload.bytes.extend_from_slice(&chunk);
                upload.expires_at = now + 24 * 3600 * 1000;
                Ok(())
            }
            Action::Complete { upload, right } => {
                let Some((key, upload)) = self.upload(model, *upload)? else { return Ok(()) };
                let upload = upload.clone();
                model.uploads.remove(&key);
                if !right {
                    return Err(ErrorKind::InvalidLayer);
                }
                let digest = Digest::of_sha256(&upload.bytes).to_string();
                let now = self.now();
                model.repositories.get_mut(&upload.repository).unwrap().add_blob(&digest, now);
                Ok(())
            }
            Action::Cancel { upload } => {
                let Some((key, _)) = self.upload(model, *upload)? else { return Ok(()) };
                if self.planted == Planted::Nothing {
                    model.uploads.remove(&key);
                }
                Ok(())
            }
            Action::PutImage { name, image, tag, by_parts } => {
                existing(model, *name)?.put(&self.images[*image], TAGS[*tag], *by_parts)
            }
            Action::PutIndex { name, children, tag } => {
                let index = self.index(*name, children);
                existing(model, *name)?.put(&index, TAGS[*tag], false)
            }
            Action::BatchDelete { name, ids } => {
                let ids = self.identifiers(*name, ids);
                existing(model, *name)?.delete(&ids, self.now());
                Ok(())
            }
            Action::DeleteManifest { name, tag, image } => {
                let id = self.identifier(*name, *tag, *image);
                existing(model, *name)?.delete_manifest(&id, self.now())
            }
            Action::Tell { name, blob } => {
                let now = self.now();
                existing(model, *name)?.tell(self.blobs[*blob].digest.as_str(), now, GRACE)
            }
            Action::Sweep => {
                let now = self.now();
                model.repositories.values_mut().for_each(|repository| repository.sweep(now, GRACE));
                Ok(())
            }
            Action::MoveClock { .. } | Action::Reopen => Ok(()),
        }
    }

    async fn act(&mut self, action: &Action, expected: &Model) -> Result<(), Error> {
        match action {
            Action::Create { name, mutability: rule } => {
                let tag_mutability = mutability(*rule);
                let create = CreateRepository { tag_mutability, ..create_repository(NAMES[*name]) };
                self.registry.run(create).await.map(drop)
            }
            Action::Delete { name, force } => {
                self.registry.delete(NAMES[*name], *force).await.map(drop)
            }
            Action::SetMutability { name, mutability: rule } => {
                let tag_mutability = mutability(*rule);
                let name = RepositoryName::parse(NAMES[*name]).unwrap();
                let set = PutImageTagMutability { registry_id: None, name, tag_mutability };
                self.registry.run(set).await.map(drop)
            }
            Action::PushBlob { name, blob } => {
                self.registry.push_blob(&address(NAMES[*name]), &self.blobs[*blob]).await
            }
            Action::Initiate { name } => {
                let id = self.registry.initiate(&address(NAMES[*name])).await?;
                self.uploads.push(id);
                Ok(())
            }
            Action::Append { upload, blob, from, length } => {
                let Some((repository, id)) = self.named_upload(*upload) else { return Ok(()) };
                let chunk = self.chunk(*blob, *from, *length).into();
                self.registry.append(&address(&repository), &id, &chunk).await.map(drop)
            }
            Action::Complete { upload, right } => {
                let Some((repository, id)) = self.named_upload(*upload) else { return Ok(()) };
                let key = self.uploads.iter().position(|known| *known == id).unwrap();
                let bytes = self.model.uploads.get(&key).map(|upload| upload.bytes.clone());
                let digest = match bytes {
                    Some(bytes) if *right => Digest::of_sha256(&bytes),
                    _ => Digest::of_sha256(b"wrong"),
                };
                self.registry.complete(&address(&repository), &id, &digest, None).await.map(drop)
            }
            Action::Cancel { upload } => {
                let Some((repository, upload_id)) = self.named_upload(*upload) else {
                    return Ok(());
                };
                let cancel = CancelUpload { repository: address(&repository), upload_id };
                self.registry.run(cancel).await
            }
            Action::PutImage { name, image, tag, by_parts } => {
                let rules = if *by_parts { LayerParts } else { Distribution };
                let image = &self.images[*image];
                let put = put_image(&address(NAMES[*name]), image, Some(TAGS[*tag]), rules);
                self.registry.run(put).await.map(drop)
            }
            Action::PutIndex { name, children, tag } => {
                let index = self.index(*name, children);
                let repository = address(NAMES[*name]);
                self.registry.put(&repository, &index, Some(TAGS[*tag])).await.map(drop)
            }
            Action::BatchDelete { name, ids } => {
                let ids = self.identifiers(*name, ids);
                let failures = self
                    .model
                    .repositories
                    .get(NAMES[*name])
                    .map(|repository| repository.clone().delete(&ids, self.now()));
                let ids = ids.into_iter().map(|(tag, digest)| ImageIdentifier {
                    digest,
                    tag: tag.map(|tag| Tag::parse(&tag).unwrap()),
                });
                let repository = address(NAMES[*name]);
                let output = self.registry.batch_delete(&repository, ids.collect()).await?;
                assert_eq!(Some(output.failures.len()), failures, "{output:?} {expected:?}");
                if !output.failures.is_empty() {
                    self.outcomes.insert("BatchDelete with failures".to_owned());
                }
                if output.deleted.len() > 1 {
                    self.outcomes.insert("BatchDelete with several".to_owned());
                }
                Ok(())
            }
            Action::DeleteManifest { name, tag, image } => {
                let reference = match self.identifier(*name, *tag, *image) {
                    (Some(tag), _) => tag,
                    (None, digest) => digest.unwrap().to_string(),
                };
                let reference = Reference::parse(&reference).unwrap();
                let repository = address(NAMES[*name]);
                self.registry
                    .run(DeleteManifest { repository, reference, condition: Precondition::None })
                    .await
            }
            Action::MoveClock { seconds } => {
                self.registry.clock.advance_seconds(*seconds);
                Ok(())
            }
            Action::Tell { name, blob } => {
                let digest = self.blobs[*blob].digest.clone();
                let head = HeadBlob { repository: address(NAMES[*name]), digest };
                self.registry.run(head).await.map(drop)
            }
            Action::Sweep => {
                let planned = gc::plan(&self.registry.app).await?;
                let swept = gc::sweep(&self.registry.app).await?;
                assert_eq!((planned.removes, planned.complete), (swept, true));
                for (name, count) in
                    [("blobs of repositories", swept.edges), ("blobs", swept.blobs)]
                {
                    if count > 0 {
                        self.outcomes.insert(format!("Sweep removed {name}"));
                    }
                }
                Ok(())
            }
            Action::Reopen => {
                self.registry.plan.heal();
                // An orderly stop.
                gc::flush(&self.registry.app).await?;
                self.registry.reopen().await;
                Ok(())
            }
        }
    }

    /// Whether a step whose answer was lost took effect.
    async fn is_done(&mut self, action: &Action) -> bool {
        match action {
            // The name of the new upload was in the answer; the upload expires.
            Action::Initiate { .. }
            | Action::Tell { .. }
            | Action::MoveClock { .. }
            | Action::Sweep
            | Action::Reopen => false,
            Action::PushBlob { name, blob } => {
                // The answer that was lost may have been that of the upload's first request.
                let since = format!("since {}", self.now());
                let held = self.held(&address(NAMES[*name]), &self.blobs[*blob].digest).await;
                held == Some(since)
            }
            // A single transaction, which was committed; a refusal's changes nothing.
            _ => true,
        }
    }

    // --- what the numbers of a step stand for

    fn chunk(&self, blob: usize, from: usize, length: usize) -> Vec<u8> {
        let bytes = &self.blobs[blob].bytes;
        let from = bytes.len() * from / 4;
        let length = bytes.len() * (length + 1) / 4;
        bytes[from..(from + length).min(bytes.len())].to_vec()
    }

    /// One of the youngest uploads.
    fn upload_key(&self, number: usize) -> Option<usize> {
        self.uploads.len().checked_sub(1 + number)
    }

    fn named_upload(&self, number: usize) -> Option<(String, UploadId)> {
        let key = self.upload_key(number)?;
        let repository = self
            .model
            .uploads
            .get(&key)
            .map_or(NAMES[0].to_owned(), |upload| upload.repository.clone());
        Some((repository, self.uploads[key].clone()))
    }

    /// The upload if it can go on; `None` when there never were so many.
    fn upload<'m>(
        &self,
        model: &'m mut Model,
        number: usize,
    ) -> Result<Option<(usize, &'m mut Upload)>, ErrorKind> {
        let Some(key) = self.upload_key(number) else { return Ok(None) };
        let Some((repository, _)) = self.named_upload(number) else { return Ok(None) };
        let Some(generation) = model.repositories.get(&repository).map(|found| found.generation)
        else {
            return Err(ErrorKind::RepositoryNotFound);
        };
        let now = self.now();
        let upload = model
            .uploads
            .get_mut(&key)
            .filter(|upload| upload.generation == generation && upload.expires_at > now);
        upload.map(|upload| Some((key, upload))).ok_or(ErrorKind::UploadNotFound)
    }

    /// An index of images and indexes that are stored, or of an image that may not be.
    fn index(&self, name: usize, children: &[usize; 2]) -> Pushed {
        let stored: Vec<&Pushed> = match self.model.repositories.get(NAMES[name]) {
            Some(repository) => repository.images.values().collect(),
            None => Vec::new(),
        };
        let child = |number: usize| {
            if stored.is_empty() || number % 8 == 7 {
                &self.images[number % self.images.len()]
            } else {
                stored[number % stored.len()]
            }
        };
        Pushed::index(&[child(children[0]), child(children[1])])
    }

    fn identifiers(
        &self,
        name: usize,
        ids: &[(Option<usize>, Option<usize>)],
    ) -> Vec<(Option<String>, Option<Digest>)> {
        let mut known: Vec<Digest> = Vec::new();
        if let Some(repository) = self.model.repositories.get(NAMES[name]) {
            known.extend(repository.images.values().map(|image| image.digest.clone()));
        }
        known.push(Digest::of_sha256(b"unknown"));
        ids.iter()
            .map(|(tag, image)| {
                let tag = tag.map(|tag| TAGS[tag].to_owned());
                (tag, image.map(|image| known[image % known.len()].clone()))
            })
            .collect()
    }

    /// A tag, or the digest of an image.
    fn identifier(
        &self,
        name: usize,
        tag: usize,
        image: Option<usize>,
    ) -> (Option<String>, Option<Digest>) {
        let id = if image.is_some() { (None, image) } else { (Some(tag), None) };
        self.identifiers(name, &[id]).remove(0)
    }

    // --- comparing

    /// When a blob of a repository became a candidate, or that it is none; `None` without it.
    async fn held(&self, repository: &RepositoryAddress, digest: &Digest) -> Option<String> {
        self.registry.blob(repository, digest).await.ok()?;
        let rows = self
            .registry
            .rows(
                "SELECT repositories.name, blobs.digest, garbage_candidates.since \
                 FROM garbage_candidates JOIN blobs ON blobs.id = garbage_candidates.blob_id \
                 JOIN repositories ON repositories.id = garbage_candidates.repository_id",
            )
            .await;
        let of_blob =
            |row: &&Vec<String>| row[0] == repository.name.as_str() && row[1] == digest.as_str();
        let row = rows.iter().find(of_blob);
        Some(row.map_or("no candidate".to_owned(), |row| format!("since {}", row[2])))
    }

    /// Takes over what a sweep that failed did, which is a part of what it would have done.
    async fn follow_sweep(&mut self) {
        let now = self.now();
        let mut model = self.model.clone();
        for (name, repository) in &mut model.repositories {
            let mut swept = repository.clone();
            swept.sweep(now, GRACE);
            for blob in repository.blobs.clone().difference(&swept.blobs) {
                let digest = Digest::parse(blob).unwrap();
                if self.held(&address(name), &digest).await.is_none() {
                    repository.blobs.remove(blob);
                    repository.candidates.remove(blob);
                }
            }
        }
        self.model = model;
    }

    /// What garbage collection relies on: whatever is not needed is a candidate.
    async fn check_candidates(&self) {
        for (problem, sql) in [
            (
                "blobs of repositories that are neither needed nor candidates",
                "SELECT repository_id, blob_id FROM repository_blobs AS held WHERE NOT EXISTS \
                 (SELECT 1 FROM image_blobs WHERE image_blobs.repository_id = held.repository_id \
                 AND image_blobs.blob_id = held.blob_id) AND NOT EXISTS \
                 (SELECT 1 FROM garbage_candidates AS due \
                 WHERE due.repository_id = held.repository_id AND due.blob_id = held.blob_id)",
            ),
            (
                "blobs that are neither held nor candidates",
                "SELECT id FROM blobs \
                 WHERE NOT EXISTS (SELECT 1 FROM repository_blobs WHERE blob_id = blobs.id) \
                 AND NOT EXISTS (SELECT 1 FROM garbage_candidates WHERE blob_id = blobs.id)",
            ),
        ] {
            assert_eq!(self.registry.rows(sql).await, Vec::<Vec<String>>::new(), "{problem}");
        }
    }

    /// After everything is deleted, the grace period and one sweep, nothing is left.
    async fn delete_everything(&mut self) {
        for name in NAMES {
            if self.model.repositories.contains_key(name) {
                self.registry.delete(name, true).await.unwrap();
            }
        }
        self.registry.clock.advance_seconds(GRACE_SECONDS.max(24 * 3600));
        self.registry.sweep().await;
        self.registry.check_nothing_left().await;
    }

    async fn compare(&mut self, everything: bool) {
        self.check_candidates().await;
        for name in NAMES {
            let repository = address(name);
            let Some(expected) = self.model.repositories.get(name) else {
                let kind = self.registry.images(&repository).await.unwrap_err().kind();
                assert_eq!(kind, ErrorKind::RepositoryNotFound, "{name}");
                continue;
            };
            let images = self.registry.images(&repository).await.unwrap();
            let found: BTreeSet<_> = images.iter().map(|image| image.digest.as_str()).collect();
            let wanted: BTreeSet<_> = expected.images.keys().map(String::as_str).collect();
            assert_eq!(found, wanted, "images of {name}");
            let tags: BTreeMap<_, _> = images
                .iter()
                .flat_map(|image| {
                    image.tags.iter().map(|tag| (tag.to_string(), image.digest.to_string()))
                })
                .collect();
            assert_eq!(tags, expected.tags, "tags of {name}");
            if everything {
                self.registry.check_images(&repository).await;
                for blob in &self.blobs {
                    let digest = blob.digest.as_str();
                    let found = self.registry.blob(&repository, &blob.digest).await;
                    let held = expected.blobs.contains(digest);
                    assert_eq!(found.is_ok(), held, "blob {digest} of {name}");
                }
            }
        }
        let rows = self.registry.rows("SELECT repository_id, name, version FROM tags").await;
        for row in rows {
            let [repository, tag, version] = <[String; 3]>::try_from(row).unwrap();
            let version: i64 = version.parse().unwrap();
            let seen = self.tag_versions.entry((repository, tag.clone())).or_insert(version);
            assert!(version >= *seen, "tag {tag} went back from version {seen} to {version}");
            *seen = version;
        }
    }
}

fn existing(model: &mut Model, name: usize) -> Result<&mut Repository, ErrorKind> {
    model.repositories.get_mut(NAMES[name]).ok_or(ErrorKind::RepositoryNotFound)
}
