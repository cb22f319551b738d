//! A whole blob from somewhere else than a request: begun, taken in and finished in one go.

use std::sync::Arc;

use super::ingest::{End, Watch, ingest_watched};
use super::{BodyStream, finish, initiate};
use crate::blobs;
use crate::encryption;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Call;
use crate::names::Digest;
use crate::pull_through::import_layer::Fetch;
use crate::repositories::Repository;

/// Makes `repository` hold the blob of these bytes. When it returns, the blob survives a power
/// failure; what a crash leaves of it goes with its upload.
///
/// # Errors
/// [`ErrorKind::InvalidLayer`] where the bytes have another digest, [`ErrorKind::Unavailable`] where
/// they end early. Nothing is kept of either.
pub(crate) async fn receive(
    call: &Call<'_>,
    repository: &Repository,
    body: BodyStream,
    digest: &Digest,
) -> Result<()> {
    receive_watched(call, repository, body, digest, None).await
}

/// As [`receive`], of a blob that others read while it comes.
///
/// # Errors
/// As [`receive`]; [`ErrorKind::InvalidLayer`] also where there are more or fewer bytes than were
/// to come, [`ErrorKind::Unavailable`] also where somebody else fetches it now.
pub(crate) async fn receive_watched(
    call: &Call<'_>,
    repository: &Repository,
    body: BodyStream,
    digest: &Digest,
    fetch: Option<&Fetch<'_>>,
) -> Result<()> {
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
    let watch: Option<Watch> =
        fetch.map(|fetch| fetch.watch(call.app, &upload.object_id, &upload.container));
    let taken = ingest_watched(call.app, &mut upload, Some(body), true, &lock, watch).await;
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
        None if finish::matching_digest(call.app, &upload, digests).await?.is_none() => {
            Some(Error::new(
                ErrorKind::InvalidLayer,
                format!("The bytes of the layer do not have the digest {digest}."),
            ))
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
