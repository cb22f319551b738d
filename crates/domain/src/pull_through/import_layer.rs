//! Fetching a layer that an image on its way needs.
//!
//! Whoever was allowed to import the image was allowed to import its layers, which the service then
//! fetches, as ECR does: it acts with its own policy, whoever asked.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::arrivals::{Arrival, Growing, Joined, Underway};
use super::imports::Wanted;
use super::rules::{self, Covered};
use super::transfer_lease::{self, TransferLease};
use super::{IMPORT, refusals};
use crate::app::App;
use crate::blobs::{self, BlobReader, BlobRecord};
use crate::context::RequestContext;
use crate::encryption::container::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::names::Digest;
use crate::objects::{ObjectId, Tier};
use crate::params;
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::uploads::receive::{Origin, receive};
use crate::uploads::{BLOB_BYTES_MAX, BodyError, BodyStream};

/// How often a blob is looked for that another process fetches, and how long it waits in between.
const LEASE_TRIES: u32 = 120;
const LEASE_PAUSE: Duration = Duration::from_millis(250);

/// Fetches a layer that some image of the repository refers to and that is not there yet. Nothing
/// happens if it is there.
///
/// # Errors
/// [`ErrorKind::BlobNotFound`] when no image waits for it or the upstream does not have it,
/// [`ErrorKind::UpstreamAccessDenied`], [`ErrorKind::UpstreamTooManyRequests`],
/// [`ErrorKind::UpstreamUnavailable`], [`ErrorKind::InvalidLayer`] when the upstream sends other
/// bytes. Nothing is kept then.
pub struct ImportUpstreamLayer {
    repository: RepositoryAddress,
    digest: Digest,
    underway: Option<Underway>,
}

impl ImportUpstreamLayer {
    /// Joins whoever fetches it already.
    pub fn new(repository: RepositoryAddress, digest: Digest) -> Self {
        Self { repository, digest, underway: None }
    }

    /// Fetches it for all who have joined.
    pub(super) fn underway(
        repository: RepositoryAddress,
        digest: Digest,
        underway: Underway,
    ) -> Self {
        Self { repository, digest, underway: Some(underway) }
    }
}

impl Operation for ImportUpstreamLayer {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ImportUpstreamLayer" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new(IMPORT, self.repository.resource())
                .with_key("tonnage:ImageDigest", vec![self.digest.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let Self { repository, digest, underway } = self;
        let underway = match underway {
            Some(underway) => underway,
            None => match call.app.imports.arrivals.join((repository.clone(), digest.clone()))? {
                Joined::First(underway) => underway,
                Joined::Other(arrival) => return arrival.done().await.map(drop),
            },
        };
        let wanted = Layer { repository, digest };
        let fetched = Box::pin(wanted.fetch(&call, underway.arrival())).await;
        underway.end(fetched).map(drop)
    }
}

struct Layer {
    repository: RepositoryAddress,
    digest: Digest,
}

impl Layer {
    async fn fetch(&self, call: &Call<'_>, arrival: &Arc<Arrival>) -> Result<BlobReader> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        if let Some(found) = self.find(call, &mut tx, &repository).await? {
            return Ok(found);
        }
        let not_found = || blobs::not_found(&repository, &self.digest);
        let sizes = expected_sizes(&mut tx, &repository, &self.digest).await?;
        let covered = rules::covering(&mut tx, &self.repository).await?;
        drop(tx);
        let Some(covered) = covered.filter(|_| !sizes.is_empty()) else {
            return Err(not_found());
        };
        let wanted = (self.repository.clone(), self.digest.to_string());
        if let Some(refused) = call.app.imports.refused(&wanted, call.app.clock.now()) {
            return Err(refused);
        }
        let lease = match self.lease(call, &repository).await? {
            Leased::Here(found) => return Ok(found),
            Leased::Taken(lease) => lease,
        };
        let fetch = Fetch { arrival, lease: &lease, sizes: &sizes };
        let from = (&repository, &covered, &wanted);
        let received = tokio::select! {
            received = self.receive(call, from, &fetch) => received,
            lost = keep(call, &lease) => Err(lost),
        };
        if let Err(error) = received {
            lease.give_up(call).await;
            return Err(error);
        }
        let mut tx = call.read().await?;
        let found = self.find(call, &mut tx, &repository).await?;
        found.ok_or_else(|| Error::new(ErrorKind::Unavailable, "The layer is gone again."))
    }

    async fn find(
        &self,
        call: &Call<'_>,
        tx: &mut Tx,
        repository: &Repository,
    ) -> Result<Option<BlobReader>> {
        let is_served = |blob: &BlobRecord| !blob.archived && blob.tier == Tier::Standard;
        let blob = blobs::find_whole(tx, repository, &self.digest).await?.filter(is_served);
        let Some(blob) = blob else { return Ok(None) };
        BlobReader::open(call.app, tx, repository, &self.digest, &blob).await.map(Some)
    }

    /// The right to fetch it, or what another process has fetched meanwhile.
    async fn lease(&self, call: &Call<'_>, repository: &Repository) -> Result<Leased> {
        for _ in 0..LEASE_TRIES {
            let lease = TransferLease::take(call, repository.id, &self.digest).await?;
            if lease.is_none() {
                tokio::time::sleep(LEASE_PAUSE).await;
            }
            // Whoever had the lease before may have ended between the last look and this one.
            let found = self.found_meanwhile(call, repository).await;
            match (lease, found) {
                (Some(lease), Ok(None)) => return Ok(Leased::Taken(lease)),
                (None, Ok(None)) => {}
                (lease, found) => {
                    if let Some(lease) = lease {
                        lease.give_up(call).await;
                    }
                    if let Some(found) = found? {
                        return Ok(Leased::Here(found));
                    }
                }
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "Another server is fetching this layer; ask for it again.",
        ))
    }

    async fn found_meanwhile(
        &self,
        call: &Call<'_>,
        repository: &Repository,
    ) -> Result<Option<BlobReader>> {
        let mut tx = call.read().await?;
        self.find(call, &mut tx, repository).await
    }

    async fn receive(
        &self,
        call: &Call<'_>,
        (repository, covered, wanted): (&Repository, &Covered, &Wanted),
        fetch: &Fetch<'_>,
    ) -> Result<()> {
        let mut wait = None;
        let received = async {
            let origin = covered.origin(call.app).await.map_err(refusals::unable)?;
            let name = covered.upstream_repository.as_str();
            let answer = call.app.upstreams.blob(&origin, name, &self.digest).await;
            let blob = answer.map_err(|error| {
                wait = refusals::retry_after(&error);
                refusals::refused(error, || blobs::not_found(repository, &self.digest))
            })?;
            let size = match (blob.size, fetch.sizes) {
                (Some(size), sizes) if !sizes.contains(&size) => {
                    return Err(refusals::invalid(format!(
                        "the layer {} has {size} bytes there, but no manifest says so",
                        self.digest
                    )));
                }
                (Some(size), _) => Some(size),
                (None, [only]) => Some(*only),
                // Which of its manifests is right shows when it is there.
                (None, _) => None,
            };
            if let Some(size) = size {
                fetch.arrival.begins(size);
            }
            let bytes_max = fetch.sizes.iter().copied().max().unwrap_or(0).min(BLOB_BYTES_MAX);
            let body = body(blob.body, size.unwrap_or(bytes_max));
            receive(call, repository, body, &self.digest, Origin::Upstream(fetch)).await
        }
        .await;
        if let Err(error) = &received {
            refusals::remember(call.app, wanted, error, wait);
        }
        received
    }
}

enum Leased {
    Taken(TransferLease),
    Here(BlobReader),
}

/// The sizes that manifests of a repository say a layer has that it does not hold, or of which it
/// holds damaged bytes: those that come take their place.
pub(crate) async fn expected_sizes(
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
) -> Result<Vec<u64>> {
    let rows = tx
        .all(
            "SELECT DISTINCT image_blobs.size FROM image_blobs \
             JOIN images ON images.id = image_blobs.image_id \
             WHERE image_blobs.repository_id = $1 AND image_blobs.digest = $2 \
             AND (image_blobs.blob_id IS NULL OR EXISTS (SELECT 1 FROM blobs \
             WHERE blobs.id = image_blobs.blob_id AND blobs.damaged_at IS NOT NULL)) \
             AND images.status = 'ACTIVE' ORDER BY image_blobs.size LIMIT 10",
            params![repository.id, digest.as_str()],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// Renews the lease again and again; ends when it is lost.
async fn keep(call: &Call<'_>, lease: &TransferLease) -> Error {
    loop {
        tokio::time::sleep(Duration::from_secs(transfer_lease::SECONDS.unsigned_abs() / 3)).await;
        match lease.renew(call).await {
            Ok(true) => {}
            Ok(false) => {
                return Error::new(ErrorKind::Unavailable, "Another server fetches this layer.");
            }
            Err(error) => {
                tracing::warn!(
                    error = crate::error::chain(&error),
                    "the lease of a layer cannot be renewed"
                );
            }
        }
    }
}

/// The bytes of an upstream's answer, `bytes_max` at most: one that goes on is not read to its end.
fn body(
    answer: futures_util::stream::BoxStream<
        'static,
        Result<bytes::Bytes, super::upstream::UpstreamError>,
    >,
    bytes_max: u64,
) -> BodyStream {
    let mut left = bytes_max;
    Box::pin(answer.map(move |chunk| {
        let chunk = chunk.map_err(|error| BodyError(error.to_string()))?;
        left = left.checked_sub(chunk.len() as u64).ok_or_else(|| {
            BodyError(format!("it has more than the {bytes_max} bytes that its manifest says"))
        })?;
        Ok(chunk)
    }))
}

/// A layer that is taken in while others read it.
pub(crate) struct Fetch<'a> {
    arrival: &'a Arc<Arrival>,
    /// The right to publish it.
    pub(crate) lease: &'a TransferLease,
    sizes: &'a [u64],
}

impl Fetch<'_> {
    /// What is to be told of how much is stored of it in this object.
    pub(crate) fn watch(
        &self,
        app: &App,
        object: &ObjectId,
        container: &Arc<Container>,
    ) -> Arc<dyn Fn(u64) + Send + Sync> {
        let growing = Growing::new(Arc::clone(&app.objects), object.clone(), Arc::clone(container));
        self.arrival.goes_to(growing);
        let arrival = Arc::clone(self.arrival);
        Arc::new(move |bytes| arrival.has_stored(bytes))
    }

    /// Why a layer of so many bytes, whose digest is right, is not the one that manifests refer to.
    pub(crate) fn refusal(&self, size: u64) -> Option<Error> {
        (!self.sizes.contains(&size)).then(|| {
            Error::new(
                ErrorKind::InvalidLayer,
                format!("The layer has {size} bytes, but no manifest says so."),
            )
        })
    }
}
