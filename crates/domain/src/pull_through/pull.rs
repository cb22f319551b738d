//! Pulls that go on in an upstream registry where what is stored does not suffice.
//!
//! What is stored is asked first, as by any pull, and says itself that an upstream may have more: a
//! pull of what is there costs nothing beside that. Every step is an operation with a decision of
//! its own; whoever may not import is told what is told of things that do not exist.

use std::sync::Arc;

use super::arrivals::{Arrival, Joined};
use super::import_image::ImportUpstreamImage;
use super::import_layer::{self, ImportUpstreamLayer};
use super::import_referrers::ImportUpstreamReferrers;
use super::rules;
use crate::app::App;
use crate::authorize::Permit;
use crate::blobs::BlobReader;
use crate::blobs::get_blob::{GetBlob, HeadBlob};
use crate::blobs::get_download_url_for_layer::{GetDownloadUrlForLayer, LayerDownload};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, Upstream, chain};
use crate::execute::{Tx, execute};
use crate::images::batch_get_image::{BatchGetImage, BatchGetImageOutput};
use crate::images::get_manifest::{GetManifest, StoredManifest};
use crate::images::list_image_referrers::{ListImageReferrers, Referrers};
use crate::images::{ImageFailure, ImageIdentifier};
use crate::metadata::Mode;
use crate::names::{Digest, Reference};
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::templates::{self, AppliedFor};
use crate::{params, services};

/// A manifest that was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The manifest.
    pub manifest: StoredManifest,
    /// Whether its upstream should have been asked again and did not answer.
    pub is_stale: bool,
}

/// Pulls a manifest, from an upstream if need be.
///
/// # Errors
/// Those of [`GetManifest`] and of [`ImportUpstreamImage`].
pub async fn manifest(
    app: &Arc<App>,
    context: &RequestContext,
    pull: GetManifest,
) -> Result<Pulled> {
    match execute(app, context, pull.clone()).await {
        Ok(manifest) if !manifest.is_due => Ok(Pulled { manifest, is_stale: false }),
        Ok(manifest) => Box::pin(refresh(app, context, pull, manifest)).await,
        Err(missing) => {
            let wanted = (&pull.repository, &pull.reference);
            let Some(upstream) = upstream_of(app, context, wanted.0, &missing).await? else {
                return Err(missing);
            };
            Box::pin(import(app, context, wanted.0, wanted.1, missing, upstream)).await?;
            let manifest = execute(app, context, pull).await?;
            Ok(Pulled { manifest, is_stale: false })
        }
    }
}

/// Where it may be what a pull did not find. The first pull of another account is refused where its
/// permission comes with the repository, from the template by which an import makes it: so whoever may
/// import imports first, and what the repository allows then decides about the pull.
async fn upstream_of(
    app: &App,
    context: &RequestContext,
    repository: &RepositoryAddress,
    missing: &Error,
) -> Result<Option<Upstream>> {
    let is_foreign = context.principal.account != repository.account;
    if missing.upstream().is_some() || missing.kind() != ErrorKind::AccessDenied || !is_foreign {
        return Ok(missing.upstream());
    }
    // Nothing of what is read here is told: the import is decided by itself.
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Read, &Permit::maintenance()).await?;
    if repositories::find(&mut tx, repository).await?.is_some() {
        return Ok(None);
    }
    let template = templates::applies(&mut tx, repository, AppliedFor::PullThroughCache).await?;
    if template.is_none_or(|template| template.settings.repository_policy.is_none()) {
        return Ok(None);
    }
    image_elsewhere(&mut tx, repository, None, None).await
}

/// Asks again where a tag points; the manifest that is stored serves where nobody says.
async fn refresh(
    app: &Arc<App>,
    context: &RequestContext,
    pull: GetManifest,
    stored: StoredManifest,
) -> Result<Pulled> {
    let (repository, reference) = (pull.repository.clone(), pull.reference.clone());
    if let Err(error) =
        execute(app, context, ImportUpstreamImage { repository, reference, is_forced: false }).await
    {
        tracing::warn!(
            repository = pull.repository.arn(), reference = %pull.reference, error = chain(&error),
            "the upstream registry says nothing of a tag; what is stored is served"
        );
        app.metrics.record_stale();
        return Ok(Pulled { manifest: stored, is_stale: true });
    }
    let manifest = execute(app, context, pull).await?;
    Ok(Pulled { manifest, is_stale: false })
}

/// Imports what is missing.
///
/// # Errors
/// `missing` itself for whoever may not import, and when the upstream does not have it.
pub(crate) async fn import(
    app: &App,
    context: &RequestContext,
    repository: &RepositoryAddress,
    reference: &Reference,
    missing: Error,
    upstream: Upstream,
) -> Result<()> {
    let operation = ImportUpstreamImage {
        repository: repository.clone(),
        reference: reference.clone(),
        is_forced: false,
    };
    let imported = match upstream {
        Upstream::Possible => execute(app, context, operation).await,
        // Whoever imported the index imported what it refers to.
        Upstream::Expected => execute(app, &of_service(app, context, repository), operation).await,
    };
    match imported {
        Err(error) if is_absence(error.kind()) => Err(missing),
        imported => imported,
    }
}

/// Whether an import failed by what a client is told nothing of.
fn is_absence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::AccessDenied
            | ErrorKind::RepositoryNotFound
            | ErrorKind::ImageNotFound
            | ErrorKind::BlobNotFound
    )
}

/// The request that a request causes, of the service that fetches what images refer to.
fn of_service(
    app: &App,
    context: &RequestContext,
    repository: &RepositoryAddress,
) -> RequestContext {
    let (account, region) = (repository.account, repository.region.clone());
    services::PULL_THROUGH_CACHE.context(app, account, region, context.request_id.clone())
}

/// Pulls a blob, from an upstream if need be. What is on its way is read as it comes; its last chunk
/// comes only after the digest of the whole was verified.
///
/// # Errors
/// Those of [`GetBlob`] and of [`ImportUpstreamLayer`].
pub async fn blob(app: &Arc<App>, context: &RequestContext, pull: GetBlob) -> Result<BlobReader> {
    match execute(app, context, pull.clone()).await {
        Err(missing) if missing.upstream().is_some() => {
            let arrival = fetch(app, context, &pull.repository, &pull.digest)?;
            let size = Box::pin(arrival.size()).await.map_err(|error| absent(error, missing))?;
            Ok(BlobReader::arriving(arrival, size))
        }
        pulled => pulled,
    }
}

/// Says whether there is a blob, and its size. One that is in an upstream begins to come.
///
/// # Errors
/// Those of [`HeadBlob`] and of [`ImportUpstreamLayer`].
pub async fn blob_size(app: &Arc<App>, context: &RequestContext, pull: HeadBlob) -> Result<u64> {
    match execute(app, context, pull.clone()).await {
        Err(missing) if missing.upstream().is_some() => {
            let arrival = fetch(app, context, &pull.repository, &pull.digest)?;
            Box::pin(arrival.size()).await.map_err(|error| absent(error, missing))
        }
        sized => sized,
    }
}

/// Makes a link to a layer. One that is in an upstream begins to come, and whoever follows the link
/// reads it as it comes.
///
/// # Errors
/// Those of [`GetDownloadUrlForLayer`], and [`ErrorKind::UnableToGetUpstreamLayer`] where the layer
/// does not come.
pub async fn download(
    app: &Arc<App>,
    context: &RequestContext,
    wanted: GetDownloadUrlForLayer,
) -> Result<LayerDownload> {
    let link = execute(app, context, wanted.clone()).await?;
    if link.is_upstream {
        let GetDownloadUrlForLayer { repository, digest } = wanted;
        let arrival = fetch(app, context, &repository, &digest)?;
        Box::pin(arrival.size()).await.map_err(|error| {
            Error::new(
                ErrorKind::UnableToGetUpstreamLayer,
                format!("The layer {digest} cannot be had from the upstream registry: {error}"),
            )
            .caused_by(error)
        })?;
    }
    Ok(link)
}

/// Pulls several manifests, from an upstream if need be.
///
/// # Errors
/// Those of [`BatchGetImage`], and [`ErrorKind::UnableToGetUpstreamImage`] when the upstream cannot
/// be asked as its rule says.
pub async fn images(
    app: &Arc<App>,
    context: &RequestContext,
    pull: BatchGetImage,
) -> Result<BatchGetImageOutput> {
    let wanted = match execute(app, context, pull.clone()).await {
        Ok(output) if output.in_upstream.is_empty() => return Ok(output),
        Ok(output) => output.in_upstream,
        Err(missing) => match upstream_of(app, context, &pull.repository, &missing).await? {
            None => return Err(missing),
            Some(upstream) => pull.ids.iter().map(|id| (id.clone(), upstream)).collect(),
        },
    };
    Box::pin(import_all(app, context, pull, wanted)).await
}

async fn import_all(
    app: &Arc<App>,
    context: &RequestContext,
    pull: BatchGetImage,
    wanted: Vec<(ImageIdentifier, Upstream)>,
) -> Result<BatchGetImageOutput> {
    let mut refused = Vec::new();
    for (id, upstream) in wanted {
        let reference = match (&id.tag, &id.digest) {
            (Some(tag), _) => Reference::Tag(tag.clone()),
            (None, Some(digest)) => Reference::Digest(digest.clone()),
            (None, None) => continue,
        };
        let missing = Error::new(ErrorKind::ImageNotFound, "It is not there.");
        let imported = import(app, context, &pull.repository, &reference, missing, upstream).await;
        let Err(error) = imported else { continue };
        match error.kind() {
            ErrorKind::ImageNotFound => {}
            ErrorKind::UpstreamAccessDenied => {
                refused.push((id, ImageFailure::UpstreamAccessDenied));
            }
            ErrorKind::UpstreamTooManyRequests => {
                refused.push((id, ImageFailure::UpstreamTooManyRequests));
            }
            ErrorKind::UpstreamUnavailable => refused.push((id, ImageFailure::UpstreamUnavailable)),
            _ => return Err(error),
        }
    }
    let mut output = match execute(app, context, pull.clone()).await {
        // Nothing came, so the repository was not made either.
        Err(missing) if !refused.is_empty() && missing.upstream().is_some() => {
            let failures = pull.ids.into_iter().map(|id| (id, ImageFailure::ImageNotFound));
            BatchGetImageOutput {
                images: Vec::new(),
                failures: failures.collect(),
                in_upstream: Vec::new(),
            }
        }
        output => output?,
    };
    for (id, failure) in &mut output.failures {
        let known = refused.iter().find(|(refused, _)| refused == id);
        if let (ImageFailure::ImageNotFound, Some((_, upstreams))) = (&*failure, known) {
            failure.clone_from(upstreams);
        }
    }
    Ok(output)
}

/// Lists what refers to an image, with what an upstream has of it; only with what is stored where
/// the upstream does not say.
///
/// # Errors
/// Those of [`ListImageReferrers`].
pub async fn referrers(
    app: &Arc<App>,
    context: &RequestContext,
    list: ListImageReferrers,
) -> Result<Referrers> {
    let stored = execute(app, context, list.clone()).await?;
    if !stored.is_cache || list.page.after.is_some() {
        return Ok(stored);
    }
    Box::pin(async {
        let (repository, subject) = (list.repository.clone(), list.subject.clone());
        match execute(app, context, ImportUpstreamReferrers { repository, subject }).await {
            Ok(true) => execute(app, context, list).await,
            Ok(false) => Ok(stored),
            Err(error) => {
                tracing::warn!(
                    repository = list.repository.arn(), subject = %list.subject,
                    error = chain(&error),
                    "the upstream registry does not say what refers to an image"
                );
                app.metrics.record_stale();
                Ok(stored)
            }
        }
    })
    .await
}

fn absent(error: Error, missing: Error) -> Error {
    if is_absence(error.kind()) { missing } else { error }
}

/// Joins whoever fetches a blob, or has it fetched; that goes on whether anybody waits or not.
fn fetch(
    app: &Arc<App>,
    context: &RequestContext,
    repository: &RepositoryAddress,
    digest: &Digest,
) -> Result<Arc<Arrival>> {
    let underway = match app.imports.arrivals.join((repository.clone(), digest.clone()))? {
        Joined::Other(arrival) => return Ok(arrival),
        Joined::First(underway) => underway,
    };
    let arrival = Arc::clone(underway.arrival());
    let context = of_service(app, context, repository);
    let operation = ImportUpstreamLayer::underway(repository.clone(), digest.clone(), underway);
    let app = Arc::clone(app);
    // Its end is told by the arrival, and logged.
    tokio::spawn(async move {
        let _ = execute(&app, &context, operation).await;
    });
    Ok(arrival)
}

/// Where an image may be that a repository does not have.
///
/// # Errors
/// When the database fails.
pub(crate) async fn image_elsewhere(
    tx: &mut Tx,
    address: &RepositoryAddress,
    repository: Option<&Repository>,
    digest: Option<&Digest>,
) -> Result<Option<Upstream>> {
    let covered = rules::covering(tx, address).await?;
    if !covered.is_some_and(|covered| covered.may_serve(repository)) {
        return Ok(None);
    }
    let (Some(repository), Some(digest)) = (repository.filter(|it| it.is_cache), digest) else {
        return Ok(Some(Upstream::Possible));
    };
    let parent = tx
        .optional(
            "SELECT 1 FROM image_children JOIN images ON images.id = image_children.image_id \
             WHERE image_children.digest = $2 AND image_children.child_image_id IS NULL \
             AND images.repository_id = $1 AND images.status = 'ACTIVE' LIMIT 1",
            params![repository.id, digest.as_str()],
        )
        .await?;
    Ok(Some(if parent.is_some() { Upstream::Expected } else { Upstream::Possible }))
}

/// Where a blob may be that a repository does not have: only where an image of the repository
/// refers to it. Nothing is read for a repository that is no cache.
///
/// # Errors
/// When the database fails.
pub(crate) async fn blob_elsewhere(
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<Upstream>> {
    if !repository.is_cache {
        return Ok(None);
    }
    let sizes = import_layer::expected_sizes(tx, repository, digest).await?;
    Ok((!sizes.is_empty()).then_some(Upstream::Expected))
}
