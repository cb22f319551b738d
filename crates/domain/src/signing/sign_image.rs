//! The job that signs an image, and the operation that attaches the signature.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::envelope::{self, Target};
use super::profiles;
use crate::blobs::{self, Stored};
use crate::context::RequestContext;
use crate::encryption;
use crate::error::{Error, Result, chain};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, execute};
use crate::images::manifest::{Manifest, ManifestMediaType};
use crate::images::put_image::{self, NewImage};
use crate::jobs::{Job, Lease, Limits, Named, Next, Run};
use crate::names::{AccountId, Digest};
use crate::repositories::{self, RepositoryAddress};
use crate::{params, services};

/// Makes the signature of one image by one profile.
#[derive(Debug, Serialize, Deserialize)]
pub struct SignImage {
    account: String,
    image_id: i64,
    profile_arn: String,
}

impl SignImage {
    pub(super) fn new(account: AccountId, image_id: i64, profile_arn: &str) -> Self {
        Self { account: account.to_string(), image_id, profile_arn: profile_arn.to_owned() }
    }
}

/// What is to be signed.
struct Subject {
    repository_id: i64,
    repository: RepositoryAddress,
    target: Target,
}

impl Job for SignImage {
    const KIND: &'static str = "sign-image";
    const KEY_NAMES: &'static [Named] = &[Named::Image];
    const LIMITS: Limits = Limits { concurrency: 4, ..Limits::DEFAULT };

    fn key(&self) -> String {
        format!("{} {}", self.image_id, self.profile_arn)
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let Some(subject) = self.subject(&mut tx).await? else { return Ok(Next::Done) };
        let key = profiles::signing_key(run.app, &mut tx, &self.profile_arn).await?;
        drop(tx);
        let Some(key) = key else {
            let reason = "The signing profile does not exist.";
            return self.fail(run, "SigningProfileNotFound", reason).await;
        };
        let now = run.app.clock.now();
        let envelope = envelope::sign(&key, &subject.target, now)?;
        let manifest = envelope::manifest(&key, &subject.target, &envelope);
        let operation = AttachSignature {
            repository: subject.repository.clone(),
            repository_id: subject.repository_id,
            image_id: self.image_id,
            profile_arn: self.profile_arn.clone(),
            envelope: envelope.into(),
            manifest: manifest.into(),
            lease: run.lease(),
        };
        let address = subject.repository;
        let context = run.context(services::ECR, address.account, address.region);
        match execute(run.app, &context, operation).await {
            Ok(()) => Ok(Next::Done),
            Err(error) if error.is_fault() => Err(error),
            Err(error) => {
                tracing::warn!(image = self.image_id, error = chain(&error), "not signed");
                self.fail(run, "SigningFailed", error.message()).await
            }
        }
    }
}

impl SignImage {
    /// The image, while its signature is wanted.
    async fn subject(&self, tx: &mut Tx) -> Result<Option<Subject>> {
        let row = tx
            .optional(
                "SELECT images.repository_id, images.digest, images.media_type, \
                 images.manifest_size FROM images \
                 JOIN image_signatures ON image_signatures.image_id = images.id \
                 WHERE images.id = $1 AND image_signatures.profile_arn = $2 \
                 AND image_signatures.status = 'IN_PROGRESS'",
                params![self.image_id, &self.profile_arn],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let repository_id: i64 = row.get(0)?;
        let media_type: String = row.get(2)?;
        let target = Target {
            media_type: ManifestMediaType::parse(&media_type)
                .ok_or_else(|| Error::internal(format!("stored media type {media_type}")))?,
            digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            size: row.get(3)?,
        };
        let repository = repositories::address_of(tx, repository_id).await?;
        Ok(repository.map(|repository| Subject { repository_id, repository, target }))
    }

    async fn fail(self, run: &Run<'_>, code: &str, reason: &str) -> Result<Next<Self>> {
        let mut tx = run.write().await?;
        tx.execute(
            "UPDATE image_signatures SET status = 'FAILED', failure_code = $3, \
             failure_reason = $4, ended_at = $5 WHERE image_id = $1 AND profile_arn = $2 \
             AND status = 'IN_PROGRESS'",
            params![self.image_id, &self.profile_arn, code, reason, run.app.clock.now()],
        )
        .await?;
        run.commit(tx).await?;
        Ok(Next::Done)
    }
}

/// Attaches a signature to its image, as a manifest that refers to it. Idempotent: an image that
/// has the profile's signature gets no second one.
#[derive(Clone, Debug)]
pub struct AttachSignature {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Its row.
    pub repository_id: i64,
    /// The image's row.
    pub image_id: i64,
    /// Whose signature it is.
    pub profile_arn: String,
    /// The envelope.
    pub envelope: Bytes,
    /// The manifest that refers to the image.
    pub manifest: Bytes,
    /// The job's right to go on.
    pub lease: Lease,
}

impl Operation for AttachSignature {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "AttachSignature" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:PutImage", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let manifest = Manifest::parse(&self.manifest, None).map_err(Error::internal)?;
        let domain = encryption::ensure_account_domain(&call, &self.repository).await?;
        let mut tx = call.write().await?;
        self.lease.hold(&mut tx, call.app.clock.now()).await?;
        let found = repositories::still_at(&mut tx, self.repository_id, &self.repository).await?;
        let ended = tx
            .execute(
                "UPDATE image_signatures SET status = 'COMPLETE', failure_code = NULL, \
                 failure_reason = NULL, ended_at = $3 WHERE image_id = $1 AND profile_arn = $2 \
                 AND status = 'IN_PROGRESS'",
                params![self.image_id, &self.profile_arn, call.app.clock.now()],
            )
            .await?;
        let Some(repository) = found.filter(|_| ended == 1) else {
            tx.commit().await?;
            return Ok(());
        };
        for bytes in [Bytes::from_static(envelope::CONFIGURATION), self.envelope] {
            let (digest, size) = (Digest::of_sha256(&bytes), bytes.len() as u64);
            let of = (&repository, &*domain);
            blobs::add(&mut tx, &call, of, &digest, size, Stored::Inline(bytes), None).await?;
        }
        let digest = Digest::of_sha256(&self.manifest);
        let new = NewImage { manifest: &manifest, bytes: &self.manifest, digest: &digest };
        put_image::store(&mut tx, &call, (&repository, &domain), new, Vec::new()).await?;
        call.commit(tx).await?;
        call.app.garbage.wake();
        Ok(())
    }
}
