//! Mounting: a repository comes to hold a blob that another one of its registry holds.

use std::sync::Arc;

use super::{BlobRecord, find_whole, hold};
use crate::authorize::{self, Permit};
use crate::error::Result;
use crate::execute::{Call, Demand, RegistryAction, Tx, registry_action};
use crate::names::{Digest, RepositoryName};
use crate::objects::ObjectErrorKind;
use crate::params;
use crate::repositories::{self, Repository, RepositoryAddress};

/// The action that lets somebody mount from a repository (Amazon ECR user guide, "Blob mounting").
pub(crate) const SOURCE_ACTION: RegistryAction = registry_action!("GetDownloadUrlForLayer");

/// Repositories that are tried when the client names none.
const SOURCES_MAX: i64 = 8;

/// What is asked of the source of a mount; the same as of a pull.
pub(crate) fn demand(source: &RepositoryAddress, digest: &Digest) -> Demand {
    source
        .demand(SOURCE_ACTION)
        .with_key("tonnage:ImageDigest", vec![digest.to_string()])
        .optional()
}

/// A repository that may be mounted from, and the decision that says so.
pub(crate) struct Source {
    pub(crate) address: RepositoryAddress,
    /// Absent when the operation's own permit has it.
    pub(crate) permit: Option<Permit>,
}

/// A repository of `target`'s registry that holds the blob and that the principal may pull it from.
/// Only what the principal could pull anyway becomes known.
pub(crate) async fn find_source(
    call: &Call<'_>,
    target: &RepositoryAddress,
    digest: &Digest,
) -> Result<Option<Source>> {
    let mut tx = call.read().await?;
    let rows = tx
        .all(
            "SELECT repositories.name FROM blobs \
             JOIN encryption_domains ON encryption_domains.id = blobs.encryption_domain_id \
             JOIN repository_blobs ON repository_blobs.blob_id = blobs.id \
             JOIN repositories ON repositories.id = repository_blobs.repository_id \
             JOIN registries ON registries.id = repositories.registry_id \
             WHERE encryption_domains.account_id = $1 AND encryption_domains.region = '' \
             AND encryption_domains.key_arn = '' AND blobs.digest = $2 \
             AND repository_blobs.archived = 0 AND registries.account_id = $1 \
             AND registries.region = $3 ORDER BY repositories.name LIMIT $4",
            params![target.account.as_str(), digest.as_str(), target.region.as_str(), SOURCES_MAX],
        )
        .await?;
    drop(tx);
    for row in &rows {
        let name =
            RepositoryName::parse(&row.get::<String>(0)?).map_err(crate::error::Error::internal)?;
        let address = RepositoryAddress { name, ..target.clone() };
        let demands = Arc::from([demand(&address, digest)]);
        let permit = authorize::authorize(call.app, call.context, &demands).await?;
        if permit
            .require(call.context, SOURCE_ACTION.at(&address.region), &address.resource())
            .is_ok()
        {
            return Ok(Some(Source { address, permit: Some(permit) }));
        }
    }
    Ok(None)
}

/// Makes `target` hold the blob of this digest if `source` does; whether it did.
///
/// A blob that no image of the source refers to is not mounted, as in ECR, unless the operator
/// turned mounting on for all.
pub(crate) async fn mount(
    tx: &mut Tx,
    call: &Call<'_>,
    target: &Repository,
    source: &Source,
    digest: &Digest,
) -> Result<bool> {
    if let Some(permit) = &source.permit
        && !permit.still_holds(tx).await?
    {
        authorize::decide_again(call.app, call.context, permit, tx).await?;
    }
    let Ok(repository) = repositories::get(tx, &source.address).await else { return Ok(false) };
    let same_key = repository.registry_id == target.registry_id
        && repository.address.account == target.address.account;
    let Some(blob) = find_whole(tx, &repository, digest).await? else { return Ok(false) };
    if !same_key || blob.archived || !has_bytes(call, &blob).await {
        return Ok(false);
    }
    if !call.app.settings.blob_mounting && !is_needed(tx, &repository, &blob).await? {
        return Ok(false);
    }
    hold(tx, call, target, blob.id, digest, blob.size).await?;
    Ok(true)
}

/// A blob whose object is lost is not mounted: the client sends it, and that heals it.
async fn has_bytes(call: &Call<'_>, blob: &BlobRecord) -> bool {
    let Some((object, _)) = &blob.object else { return true };
    let opened = call.app.objects.open(object).await;
    !opened.is_err_and(|error| error.kind() == ObjectErrorKind::NotFound)
}

async fn is_needed(tx: &mut Tx, repository: &Repository, blob: &BlobRecord) -> Result<bool> {
    let found = tx
        .optional(
            "SELECT 1 FROM image_blobs WHERE repository_id = $1 AND blob_id = $2 LIMIT 1",
            params![repository.id, blob.id],
        )
        .await?;
    Ok(found.is_some())
}
