//! A whole blob from somewhere else than a request: begun, taken in and finished in one go.

use std::sync::Arc;

use super::ingest::{End, ingest};
use super::{BodyStream, finish, initiate};
use crate::blobs;
use crate::encryption;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Call;
use crate::names::Digest;
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
    if let End::Broken(error) = ingest(call.app, &mut upload, Some(body), true, &lock).await? {
        finish::discard(call, repository, &upload).await?;
        return Err(Error::new(ErrorKind::Unavailable, "A layer could not be read to its end.")
            .caused_by(error));
    }
    if finish::matching_digest(call.app, &upload, digests).await?.is_none() {
        finish::discard(call, repository, &upload).await?;
        return Err(Error::new(
            ErrorKind::InvalidLayer,
            format!("The bytes of the layer do not have the digest {digest}."),
        ));
    }
    let lost = blobs::lost_object(call.app, &expected, digest).await;
    finish::publish(call, repository, upload, received_before, digest, lost.as_ref()).await?;
    call.app.garbage.wake();
    Ok(())
}
