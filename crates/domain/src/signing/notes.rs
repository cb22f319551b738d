//! What is to be signed, noted in the transaction of the push.

use super::configuration::SigningConfiguration;
use super::sign_image::SignImage;
use crate::authorize;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};
use crate::images::manifest::{Manifest, ManifestKind};
use crate::jobs;
use crate::names::AccountId;
use crate::params;
use crate::registries::Document as _;
use crate::repositories::Repository;

/// The action that lets somebody sign with a profile.
const ACTION: &str = "signer:SignPayload";

/// Notes the signatures that the rules want for an image that was pushed. Whether the pusher may
/// sign with the profile is decided now; a signature that it may not make has failed.
pub(crate) async fn note(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    (image_id, manifest): (i64, &Manifest),
) -> Result<()> {
    if call.context.principal.kind.is_service() || !is_signed(manifest) {
        return Ok(());
    }
    let configuration = SigningConfiguration::load(tx, Some(repository.registry_id)).await?;
    for profile_arn in configuration.profiles_for(&repository.address.name) {
        let denied = may_sign(tx, call, profile_arn).await?;
        let (code, reason) = match &denied {
            None => (None, None),
            Some(error) => (Some("AccessDenied"), Some(error.message().to_owned())),
        };
        tx.execute(
            "INSERT INTO image_signatures (image_id, profile_arn, status, failure_code, \
             failure_reason, queued_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (image_id, profile_arn) DO UPDATE SET status = excluded.status, \
             failure_code = excluded.failure_code, failure_reason = excluded.failure_reason, \
             queued_at = excluded.queued_at, ended_at = excluded.ended_at \
             WHERE image_signatures.status <> 'COMPLETE'",
            params![
                image_id,
                profile_arn,
                if denied.is_some() { "FAILED" } else { "IN_PROGRESS" },
                code,
                reason,
                call.now(),
                denied.is_some().then(|| call.now()),
            ],
        )
        .await?;
        if denied.is_none() {
            let job = SignImage::new(repository.address.account, image_id, profile_arn);
            jobs::enqueue(tx, call.app, &job, call.app.clock.now()).await?;
        }
    }
    Ok(())
}

/// Images and indexes are, other artifacts and what refers to a subject are not.
fn is_signed(manifest: &Manifest) -> bool {
    let is_index = manifest.kind() == ManifestKind::Index && manifest.artifact_type.is_none();
    (is_index && manifest.subject.is_none()) || manifest.is_container_image()
}

/// Why the pusher may not sign with a profile.
async fn may_sign(tx: &mut Tx, call: &Call<'_>, profile_arn: &str) -> Result<Option<Error>> {
    let account = profile_arn.split(':').nth(4).unwrap_or_default();
    let account = AccountId::parse(account).map_err(Error::internal)?;
    let resource = Resource::Arn { arn: profile_arn.to_owned(), account };
    let demand = Demand::new(ACTION, resource);
    match authorize::require_now(call.app, call.context, demand, tx).await {
        Ok(()) => Ok(None),
        Err(denied) if denied.kind() == ErrorKind::AccessDenied => Ok(Some(denied)),
        Err(error) => Err(error),
    }
}
