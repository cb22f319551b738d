//! `CompleteLayerUpload`, and `PUT` of an upload.

use std::sync::Arc;

use super::ingest::{End, ingest};
use super::{BodyStream, PART_BYTES_MIN, Upload, UploadId, UploadRules, part_out_of_order};
use crate::app::App;
use crate::blobs::{self, Stored};
use crate::context::RequestContext;
use crate::encryption;
use crate::encryption::container::SPAN_PLAIN_BYTES;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::names::{Algorithm, Digest, Hasher};
use crate::objects::{ObjectErrorKind, ObjectId};
use crate::params;
use crate::pull_through::transfer_lease::TransferLease;
use crate::repositories::{self, Repository, RepositoryAddress};

/// Turns an upload into a blob of the repository. When it returns, the blob survives a power
/// failure. A wrong digest discards the upload.
pub struct CompleteLayerUpload {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The upload.
    pub upload_id: UploadId,
    /// The digests that the client expects; one of them must be right.
    pub digests: Vec<Digest>,
    /// Where the last part begins, if the client said so.
    pub first_byte: Option<u64>,
    /// The last part, if it comes with the request.
    pub body: Option<BodyStream>,
    /// Whose rules hold.
    pub rules: UploadRules,
}

/// A blob that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Operation for CompleteLayerUpload {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "CompleteLayerUpload" };
    type Output = UploadedBlob;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let mut demands = vec![self.repository.demand(registry_action!("CompleteLayerUpload"))];
        if self.body.is_some() {
            demands.push(self.repository.demand(registry_action!("UploadLayerPart")));
        }
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<UploadedBlob> {
        let lock = Arc::new(call.app.upload_locks.lock(&self.upload_id)?);
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let mut upload = super::get(&mut tx, &call, &repository, &self.upload_id).await?;
        let expected = blobs::expected_objects(&mut tx, &repository, &self.digests).await?;
        drop(tx);
        lock.writes(&upload.object_id);

        let received_before = upload.received;
        if let Some(first_byte) = self.first_byte
            && first_byte != received_before
        {
            return Err(part_out_of_order(&repository, &upload, first_byte));
        }
        if self.rules == UploadRules::LayerParts {
            refuse_by_part_rules(&upload)?;
        }
        let end = ingest(call.app, &mut upload, self.body, true, &lock).await?;
        if let End::Broken(error) = end {
            let mut tx = call.write().await?;
            super::save(&mut tx, &call, &repository, &upload, received_before).await?;
            call.commit(tx).await?;
            return Err(error.with_detail(super::detail(&repository, &upload)));
        }

        let Some(digest) = matching_digest(call.app, &upload, &self.digests).await? else {
            discard(&call, &repository, &upload).await?;
            return Err(Error::new(
                ErrorKind::InvalidLayer,
                "None of the provided layer digests match the calculated layer digest",
            ));
        };
        let size = upload.received;
        let lost = blobs::lost_object(call.app, &expected, &digest).await;
        let existed =
            publish(&call, &repository, upload, received_before, &digest, (lost.as_ref(), None))
                .await?;
        call.app.garbage.wake();
        if existed && self.rules == UploadRules::LayerParts {
            return Err(Error::new(
                ErrorKind::LayerAlreadyExists,
                format!(
                    "The layer with digest '{digest}' already exists in the repository with name \
                     '{}' in the registry with id '{}'",
                    repository.address.name, repository.address.account
                ),
            ));
        }
        Ok(UploadedBlob { digest, size })
    }
}

fn refuse_by_part_rules(upload: &Upload) -> Result<()> {
    if upload.received == 0 {
        return Err(Error::new(
            ErrorKind::EmptyUpload,
            "The specified layer upload does not contain any layer parts.",
        ));
    }
    if upload.smallest_inner_part.is_some_and(|smallest| smallest < PART_BYTES_MIN) {
        return Err(Error::new(
            ErrorKind::LayerPartTooSmall,
            format!("Layer parts other than the last must be at least {PART_BYTES_MIN} bytes."),
        ));
    }
    Ok(())
}

/// The first of `digests` that is right.
pub(super) async fn matching_digest(
    app: &App,
    upload: &Upload,
    digests: &[Digest],
) -> Result<Option<Digest>> {
    // Each algorithm is calculated once, however many digests a client guesses.
    let mut calculated: Vec<Digest> = Vec::new();
    for wanted in digests {
        let algorithm = wanted.algorithm();
        if !calculated.iter().any(|digest| digest.algorithm() == algorithm) {
            calculated.push(match algorithm {
                Algorithm::Sha256 => upload.hasher.clone().finish(),
                other @ Algorithm::Sha512 => digest_again(app, upload, other).await?,
            });
        }
        if calculated.contains(wanted) {
            return Ok(Some(wanted.clone()));
        }
    }
    Ok(None)
}

/// Clients name the algorithm only at the end, so all others than SHA-256 are calculated from what
/// was stored.
async fn digest_again(app: &App, upload: &Upload, algorithm: Algorithm) -> Result<Digest> {
    let mut hasher = Hasher::new(algorithm);
    if is_inline(upload) {
        hasher.update(&upload.tail);
        return Ok(hasher.finish());
    }
    let reader = app.objects.open(&upload.object_id).await?;
    let mut offset = 0;
    while offset < upload.received {
        let span = upload
            .container
            .read_at(reader.as_ref(), upload.received, offset, SPAN_PLAIN_BYTES)
            .await?;
        if span.is_empty() {
            return Err(Error::internal("an upload's object is shorter than its row says"));
        }
        offset += span.len() as u64;
        hasher = tokio::task::spawn_blocking(move || {
            hasher.update(&span);
            hasher
        })
        .await
        .map_err(Error::internal)?;
    }
    Ok(hasher.finish())
}

fn is_inline(upload: &Upload) -> bool {
    upload.chunks() == 0
}

/// Makes the blob and removes the upload, in one transaction; of a blob that is fetched from an
/// upstream only while the lease for that holds.
pub(super) async fn publish(
    call: &Call<'_>,
    repository: &Repository,
    upload: Upload,
    received_before: u64,
    digest: &Digest,
    (lost, lease): (Option<&ObjectId>, Option<&TransferLease>),
) -> Result<bool> {
    let left_object = is_inline(&upload) && may_have_object(call.app, &upload).await;
    let domain = encryption::ensure_account_domain(call, &repository.address).await?;
    let mut tx = call.write().await?;
    // A name deleted and made again is another repository.
    let current = repositories::get(&mut tx, &repository.address).await?;
    if let Some(lease) = lease {
        lease.end(&mut tx).await?;
    }
    let removed = remove_row(&mut tx, &upload.id, received_before).await?;
    if !removed || current.id != repository.id {
        return Err(super::not_found(&repository.address, upload.id.as_str()));
    }
    let size = upload.received;
    if left_object {
        blobs::put_garbage_object(&mut tx, call, &upload.object_id).await?;
    }
    let stored = if is_inline(&upload) {
        Stored::Inline(upload.tail)
    } else {
        Stored::Object {
            object_id: upload.object_id,
            container_version: upload.container_version,
            key: upload.key,
        }
    };
    let existed =
        blobs::add(&mut tx, call, (repository, &domain), digest, size, stored, lost).await?;
    call.commit(tx).await?;
    Ok(existed)
}

/// A request that failed or broke off may have made the object and not have said so in the row.
async fn may_have_object(app: &App, upload: &Upload) -> bool {
    let opened = app.objects.open(&upload.object_id).await;
    !opened.is_err_and(|error| error.kind() == ObjectErrorKind::NotFound)
}

pub(super) async fn discard(
    call: &Call<'_>,
    repository: &Repository,
    upload: &Upload,
) -> Result<()> {
    let mut tx = call.write().await?;
    if super::get(&mut tx, call, repository, &upload.id).await.is_ok() {
        tx.execute("DELETE FROM uploads WHERE id = $1", params![upload.id.as_str()]).await?;
        blobs::put_garbage_object(&mut tx, call, &upload.object_id).await?;
        call.commit(tx).await?;
        call.app.garbage.wake();
    }
    Ok(())
}

async fn remove_row(
    tx: &mut crate::execute::Tx,
    id: &UploadId,
    received_before: u64,
) -> Result<bool> {
    let removed = tx
        .execute(
            "DELETE FROM uploads WHERE id = $1 AND received = $2",
            params![id.as_str(), received_before],
        )
        .await?;
    Ok(removed == 1)
}
