//! Bringing a manifest from the upstream of a repository.
//!
//! The manifest is stored and answered at once; what it refers to comes when it is asked for, or
//! with the job of `complete`.

use super::arriving::{self, Arriving};
use super::imports::Wanted;
use super::rules::{self, Covered};
use super::upstream::Manifest as Found;
use super::{CREATE, IMPORT, refusals};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::encryption;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::events::{self, Event};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::manifest::{MAXIMUM_BYTES, Manifest};
use crate::images::precondition::Precondition;
use crate::images::put_image::{self, NewImage};
use crate::images::{self, ImageIdentifier, ImageRecord, ImageStatus, tags};
use crate::names::{Algorithm, Digest, Reference, RepositoryName};
use crate::repositories::create::NewRepository;
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::templates::{self, AppliedFor};
use crate::{params, registries};

/// Asks the upstream of a repository for an image that is not there, or for where a tag points that
/// was not looked after for a while, and stores what is new. Makes the repository if need be, for
/// whoever may create it.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`] or [`ErrorKind::ImageNotFound`] when no rule covers the name or
/// the upstream does not have the image; [`ErrorKind::UpstreamAccessDenied`],
/// [`ErrorKind::UpstreamTooManyRequests`], [`ErrorKind::UpstreamUnavailable`] and
/// [`ErrorKind::UnableToGetUpstreamImage`] when it does not say. Nothing is changed then. What was
/// refused is not asked for again for half a minute.
#[derive(Clone, Debug)]
pub struct ImportUpstreamImage {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which image.
    pub reference: Reference,
    /// Whether the upstream is asked even where what it said is still believed.
    pub is_forced: bool,
}

impl Operation for ImportUpstreamImage {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ImportUpstreamImage" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let resource = self.repository.resource();
        vec![
            Demand {
                keys: ImageIdentifier::from(self.reference.clone()).condition_keys(),
                ..Demand::new(IMPORT, resource.clone())
            },
            Demand::new(CREATE, resource).optional(),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.read().await?;
        let known = repositories::find(&mut tx, &self.repository).await?;
        let covered = rules::covering(&mut tx, &self.repository).await?;
        drop(tx);
        let Some(covered) = covered.filter(|covered| covered.may_serve(known.as_ref())) else {
            return Err(self.not_found(known.is_some()));
        };
        if known.is_none() {
            call.permit().require(call.context, CREATE, &self.repository.resource())?;
        }
        self.bring(&call, &covered, None).await
    }
}

impl ImportUpstreamImage {
    /// Asks for the image if it is not there or not surely the right one, and stores it; only as a
    /// referrer of `subject`, if there is one.
    pub(super) async fn bring(
        &self,
        call: &Call<'_>,
        covered: &Covered,
        subject: Option<&Digest>,
    ) -> Result<()> {
        let wanted = (self.repository.clone(), self.reference.to_string());
        let _turn = call.app.imports.turn(&wanted).await?;
        let stored = self.stored(call).await?;
        if let Some(image) = &stored {
            if image.status != ImageStatus::Active {
                return Err(self.not_found(true));
            }
            if !self.is_forced && !is_due(call, &self.repository.name, image) {
                return Ok(());
            }
        }
        if let Some(refused) = call.app.imports.refused(&wanted, call.app.clock.now()) {
            return Err(refused);
        }
        let brought = match self.ask(call, (covered, &wanted), stored.as_ref()).await {
            Ok(asked) => {
                let kept = match asked {
                    Asked::Unchanged => self.note_valid(call).await,
                    Asked::Found(found) => self.keep(call, covered, &found, subject).await,
                };
                if let Err(error) = &kept {
                    refusals::remember(call.app, &wanted, error, None);
                }
                kept
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &brought
            && let Err(error) = self.publish_failure(call, covered, error).await
        {
            tracing::warn!(error = chain(&error), "a failed import is not in the outbox");
        }
        brought
    }

    /// An attempt came to nothing. What a refusal that is remembered answers was no attempt, so there
    /// are no more of these than requests to the upstream.
    async fn publish_failure(
        &self,
        call: &Call<'_>,
        covered: &Covered,
        error: &Error,
    ) -> Result<()> {
        let Some(failure_code) = failure_code(error.kind()) else { return Ok(()) };
        let RepositoryAddress { account, region, name } = &self.repository;
        let mut tx = call.write().await?;
        let registry = registries::find(&mut tx, account, region).await?;
        let Some(registry_id) = registry else { return Ok(()) };
        let event = Event::PulledThrough {
            sync_status: "FAILED",
            ecr_repository_prefix: covered.rule.given_prefix.clone(),
            repository_name: name.to_string(),
            upstream_registry_url: covered.rule.upstream_url.clone(),
            image_tag: self.reference.tag().map(ToString::to_string),
            image_digest: self.reference.digest().map(ToString::to_string),
            failure_code: Some(failure_code),
            failure_reason: Some(error.message().to_owned()),
        };
        events::publish_now(&mut tx, call.app, registry_id, &event).await?;
        // Nothing that a client could see has changed.
        tx.commit().await?;
        Ok(())
    }
}

/// How an event names why an image did not come; AWS does not publish its codes. Nothing for what is
/// no matter of the upstream.
fn failure_code(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::ImageNotFound => "ImageNotFound",
        ErrorKind::UpstreamAccessDenied => "UpstreamAccessDenied",
        ErrorKind::UpstreamTooManyRequests => "UpstreamTooManyRequests",
        ErrorKind::UpstreamUnavailable => "UpstreamUnavailable",
        ErrorKind::UnableToGetUpstreamImage => "UnableToGetUpstreamImage",
        _ => return None,
    })
}

/// What an upstream says.
enum Asked {
    /// The tag names what it named.
    Unchanged,
    /// This is the image.
    Found(Found),
}

/// Whether the upstream is to be asked again where the tag points by which an image of a repository
/// was found.
pub(crate) fn is_due(call: &Call<'_>, repository: &RepositoryName, image: &ImageRecord) -> bool {
    let valid = || call.app.settings.pull_through_validity.of(repository.as_str());
    image.validated_at.is_some_and(|at| call.now() >= at.plus_seconds(valid()))
}

impl Covered {
    /// Whether the upstream stands behind a repository. One that somebody made, and that a rule
    /// covers only because it covers every name, has nothing to do with it: its images are its own.
    pub(crate) fn may_serve(&self, repository: Option<&Repository>) -> bool {
        let is_for_all = self.rule.prefix == super::namespace::Namespace::Root;
        repository.is_none_or(|repository| repository.is_cache || !is_for_all)
    }
}

impl ImportUpstreamImage {
    fn not_found(&self, repository_exists: bool) -> Error {
        if !repository_exists {
            return repositories::not_found(&self.repository);
        }
        images::not_found(&self.repository, &self.reference.clone().into())
    }

    async fn stored(&self, call: &Call<'_>) -> Result<Option<ImageRecord>> {
        let mut tx = call.read().await?;
        let Some(repository) = repositories::find(&mut tx, &self.repository).await? else {
            return Ok(None);
        };
        let id = self.reference.clone().into();
        Ok(images::resolve(&mut tx, &repository, &id).await?.ok())
    }

    async fn ask(
        &self,
        call: &Call<'_>,
        (covered, wanted): (&Covered, &Wanted),
        stored: Option<&ImageRecord>,
    ) -> Result<Asked> {
        let mut wait = None;
        let asked = async {
            let origin = covered.origin(call.app).await.map_err(refusals::unable)?;
            let name = covered.upstream_repository.as_str();
            let upstreams = &call.app.upstreams;
            let mut refused = |error| {
                wait = refusals::retry_after(&error);
                refusals::refused(error, || self.not_found(true))
            };
            if let Some(stored) = stored {
                let head = upstreams.head_manifest(&origin, name, &self.reference).await;
                let head = head.map_err(&mut refused)?;
                refusals::note_quota(call.app, &covered.rule, head.quota);
                if head.digest.as_ref() == Some(&stored.digest) {
                    return Ok(Asked::Unchanged);
                }
            }
            let found = upstreams.manifest(&origin, name, &self.reference).await;
            let found = found.map_err(refused)?;
            refusals::note_quota(call.app, &covered.rule, found.quota);
            Ok(Asked::Found(found))
        }
        .await;
        if let Err(error) = &asked {
            refusals::remember(call.app, wanted, error, wait);
        }
        asked
    }

    /// The upstream has said that the tag names what it named.
    async fn note_valid(&self, call: &Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        self.note_valid_in(&mut tx, &repository, call.app.clock.now()).await?;
        // Nothing that a client could see has changed.
        tx.commit().await?;
        Ok(())
    }

    async fn note_valid_in(&self, tx: &mut Tx, repository: &Repository, now: Millis) -> Result<()> {
        if let Some(tag) = self.reference.tag() {
            tx.execute(
                "UPDATE tags SET validated_at = $3 WHERE repository_id = $1 AND name = $2",
                params![repository.id, tag.as_str(), now],
            )
            .await?;
        }
        Ok(())
    }

    async fn keep(
        &self,
        call: &Call<'_>,
        covered: &Covered,
        found: &Found,
        subject: Option<&Digest>,
    ) -> Result<()> {
        let Found { bytes, media_type, .. } = found;
        if bytes.len() > MAXIMUM_BYTES {
            return Err(refusals::invalid(format!(
                "the manifest has more than {MAXIMUM_BYTES} bytes"
            )));
        }
        let algorithm = self.reference.digest().map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = Digest::of(algorithm, bytes);
        if self.reference.digest().is_some_and(|expected| *expected != digest) {
            return Err(refusals::invalid(format!("the manifest has the digest {digest}")));
        }
        let manifest = Manifest::parse(bytes, media_type.as_deref()).map_err(refusals::invalid)?;
        let named = manifest.subject.as_ref().map(|subject| &subject.digest);
        if subject.is_some() && subject != named {
            return Err(refusals::invalid(format!("the subject of {digest} is another one")));
        }
        let domain = encryption::ensure_account_domain(call, &self.repository).await?;

        let mut tx = call.write().await?;
        let repository = self.repository(&mut tx, call).await?;
        let depth = self.depth(&mut tx, &repository, &manifest, bytes.len()).await?;
        let existing = images::find_by_digest(&mut tx, &repository, &digest).await?;
        if existing.is_some_and(|image| image.status != ImageStatus::Active) {
            return call.refuse(tx, self.not_found(true)).await;
        }
        let mut movable = Vec::new();
        if let Some(tag) = self.reference.tag() {
            match tags::movable(&mut tx, &repository, tag, &Precondition::None).await? {
                Ok(tag) => movable.push(tag),
                // As in ECR, a tag that may not move is not refreshed.
                Err(refusal) if refusal.kind() == ErrorKind::ImageTagAlreadyExists => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let new = NewImage { manifest: &manifest, bytes, digest: &digest };
        // What it refers to comes later.
        let may_miss = Repository { sparse_manifests: Some(true), ..repository.clone() };
        let stored = put_image::store(&mut tx, call, (&may_miss, &domain), new, movable).await;
        let stored = stored.map_err(|error| match error.kind() {
            ErrorKind::ManifestInvalid => refusals::invalid(error.message()),
            _ => error,
        })?;
        self.note_valid_in(&mut tx, &repository, call.app.clock.now()).await?;
        let arriving = Arriving { image_id: stored.image_id, manifest: &manifest, digest: &digest };
        arriving::note(&mut tx, call, &repository, arriving, stored.changes, depth).await?;
        let event = Event::PulledThrough {
            sync_status: "SUCCESS",
            ecr_repository_prefix: covered.rule.given_prefix.clone(),
            repository_name: self.repository.name.to_string(),
            upstream_registry_url: covered.rule.upstream_url.clone(),
            image_tag: self.reference.tag().map(ToString::to_string),
            image_digest: Some(digest.to_string()),
            failure_code: None,
            failure_reason: None,
        };
        events::publish(&mut tx, call, repository.registry_id, &event).await?;
        call.commit(tx).await
    }

    /// The repository, which from now on is a cache. A template shapes it when it is made.
    async fn repository(&self, tx: &mut Tx, call: &Call<'_>) -> Result<Repository> {
        let address = &self.repository;
        let repository = match repositories::find(tx, address).await? {
            Some(found) => found,
            None => {
                call.permit().require(call.context, CREATE, &address.resource())?;
                match templates::applies(tx, address, AppliedFor::PullThroughCache).await? {
                    Some(template) => {
                        templates::create_repository(tx, call, address, template).await?
                    }
                    None => {
                        let new = NewRepository::default();
                        repositories::create::insert(tx, call, address, new).await?
                    }
                }
            }
        };
        if !repository.is_cache {
            tx.execute(
                "UPDATE repositories SET is_cache = 1 WHERE id = $1",
                params![repository.id],
            )
            .await?;
        }
        Ok(Repository { is_cache: true, ..repository })
    }

    /// How many indexes lead to the image; none where a client named it.
    ///
    /// # Errors
    /// When indexes say other things of the image than what it is.
    async fn depth(
        &self,
        tx: &mut Tx,
        repository: &Repository,
        manifest: &Manifest,
        size: usize,
    ) -> Result<u64> {
        let Some(digest) = self.reference.digest() else { return Ok(0) };
        let parents = arriving::parents(tx, repository.id, digest).await?;
        let media_type = manifest.media_type.as_str();
        let agree = |parent: &&arriving::Parent| {
            parent.media_type == media_type && usize::try_from(parent.size) == Ok(size)
        };
        match parents.iter().filter(agree).map(|parent| parent.depth).min() {
            Some(depth) => Ok(depth + 1),
            None if parents.is_empty() => Ok(0),
            None => Err(refusals::invalid(format!(
                "an index says other things of {digest} than what it is"
            ))),
        }
    }
}
