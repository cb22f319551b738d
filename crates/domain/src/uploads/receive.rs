//! A whole blob from somewhere else than a request: begun, taken in and finished in one go.

use std::sync::Arc;

use super::ingest::{End, Manner, ingest_as};
use super::{BodyStream, finish, initiate};
use crate::blobs;
use crate::encryption;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Call;
use crate::names::Digest;
use crate::pull_through::import_layer::Fetch;
use crate::repositories::Repository;

/// Where bytes come from, and so what shows that they have their digest.
pub(crate) enum Origin<'a> {
    /// From an upstream, while others read them: they are hashed, and the lease of the fetch has to
    /// hold at the end.
    Upstream(&'a Fetch<'a>),
    /// From a blob of our own that is kept as it is, or made here: they are hashed.
    Stored,
    /// From a sealed blob of our own of so many bytes, whose key opens nothing but what was held
    /// against the digest when it was sealed (`docs/decisions/0008-copies-of-sealed-blobs.md`): they
    /// are counted.
    Sealed(u64),
}

/// Makes `repository` hold the blob of these bytes. When it returns, the blob survives a power
/// failure; what a crash leaves of it goes with its upload.
///
/// # Errors
/// [`ErrorKind::InvalidLayer`] where an upstream sent bytes of another digest, or more or fewer than
/// it said, and an internal one where our own store did; [`ErrorKind::Unavailable`] where they end
/// early, or somebody else fetches the blob now. Nothing is kept of any of them.
pub(crate) async fn receive(
    call: &Call<'_>,
    repository: &Repository,
    body: BodyStream,
    digest: &Digest,
    origin: Origin<'_>,
) -> Result<()> {
    let (fetch, size) = match origin {
        Origin::Upstream(fetch) => (Some(fetch), None),
        Origin::Stored => (None, None),
        Origin::Sealed(size) => (None, Some(size)),
    };
    let domain = encryption::ensure_account_domain(call, &repository.address).await?;
    let mut tx = call.write().await?;
    let id = initiate::insert(&mut tx, call, repository, &domain).await?;
    call.commit(tx).await?;

    let lock = Arc::new(call.app.upload_locks.lock(&id)?);
    let digests = std::slice::from_ref(digest);
    let mut tx = call.read().await?;
    let mut upload = super::get(&mut tx, call, repository, &id).await?;
    let expected = blobs::expected_objects(&mut tx, repository, digests).await?;
    drop(tx);
    lock.writes(&upload.object_id);
    let received_before = upload.received;
    let watch = fetch.map(|fetch| fetch.watch(call.app, &upload.object_id, &upload.container));
    let manner = Manner { watch, is_proven: size.is_some() };
    let taken = ingest_as(call.app, &mut upload, Some(body), true, &lock, manner).await;
    let refused = match taken {
        Ok(End::Complete) => None,
        Ok(End::Broken(error)) => {
            let broken = Error::new(
                ErrorKind::Unavailable,
                "A layer could not be read to its end; ask for it again.",
            );
            Some(broken.caused_by(error))
        }
        Err(error) => Some(error),
    };
    let refused = match refused {
        Some(error) => Some(error),
        None if !match size {
            Some(size) => size == upload.received,
            None => finish::matching_digest(call.app, &upload, digests).await?.is_some(),
        } =>
        {
            Some(match fetch {
                Some(_) => Error::new(
                    ErrorKind::InvalidLayer,
                    format!("The bytes of the layer do not have the digest {digest}."),
                ),
                // Whoever asked for the copy can do nothing about it.
                None => Error::internal(format!("what is stored of {digest} is something else")),
            })
        }
        None => fetch.and_then(|fetch| fetch.refusal(upload.received)),
    };
    if let Some(error) = refused {
        finish::discard(call, repository, &upload).await?;
        return Err(error);
    }
    let lost = blobs::lost_object(call.app, &expected, digest).await;
    let by = (lost.as_ref(), fetch.map(|fetch| fetch.lease));
    finish::publish(call, repository, upload, received_before, digest, by).await?;
    call.app.garbage.wake();
    Ok(())
}
