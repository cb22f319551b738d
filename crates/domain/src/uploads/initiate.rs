//! `InitiateLayerUpload`, and `POST /v2/{name}/blobs/uploads/`.

use std::sync::Arc;

use bytes::Bytes;

use super::{Upload, UploadId, UploadRules, expiry, seal_progress};
use crate::context::RequestContext;
use crate::encryption::{self, DataKey, EncryptionDomain};
use crate::error::{ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::names::{Algorithm, Hasher};
use crate::objects::ObjectId;
use crate::params;
use crate::pull_through;
use crate::repositories::create::NewRepository;
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::templates::{self, AppliedFor};

/// Begins an upload. It belongs to the repository and to the principal, and expires when nothing
/// is added to it for a day.
#[derive(Clone, Debug)]
pub struct InitiateLayerUpload {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Whose rules it follows: a push by docker may make the repository.
    pub rules: UploadRules,
}

impl Operation for InitiateLayerUpload {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "InitiateLayerUpload" };
    type Output = UploadId;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let mut demands = vec![Demand::new("ecr:InitiateLayerUpload", self.repository.resource())];
        if self.rules == UploadRules::Distribution {
            demands.push(Demand::new(CREATE, self.repository.resource()).optional());
        }
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<UploadId> {
        let domain = encryption::ensure_account_domain(&call, &self.repository).await?;
        let mut tx = call.write().await?;
        let repository = get_or_create(&mut tx, &call, &self.repository, self.rules).await?;
        let id = insert(&mut tx, &call, &repository, &domain).await?;
        call.commit(tx).await?;
        Ok(id)
    }
}

pub(super) async fn insert(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    domain: &EncryptionDomain,
) -> Result<UploadId> {
    let object_id = ObjectId::random();
    let key = DataKey::random()?;
    let container_version = encryption::container_version(call.app);
    let wrapped_key = domain.wrap_upload_key(&key, &object_id)?;
    let upload = Upload {
        id: UploadId::random(),
        received: 0,
        parts: 0,
        last_part: 0,
        smallest_inner_part: None,
        hasher: Hasher::new(Algorithm::Sha256),
        tail: Bytes::new(),
        container: Arc::new(key.container(container_version, &object_id)?),
        container_version,
        object_id,
        key,
    };
    tx.execute(
        "INSERT INTO uploads (id, repository_id, principal_id, received, parts, last_part, \
         smallest_inner_part, container_version, wrapped_key, progress, object_id, created_at, \
         expires_at) VALUES ($1, $2, $3, 0, 0, 0, NULL, $4, $5, $6, $7, $8, $9)",
        params![
            upload.id.as_str(),
            repository.id,
            call.context.principal.id,
            container_version,
            wrapped_key,
            seal_progress(&upload)?,
            upload.object_id.as_str(),
            call.now(),
            expiry(call),
        ],
    )
    .await?;
    Ok(upload.id)
}

pub(super) const CREATE: &str = "ecr:CreateRepository";

/// The repository a push goes to. A push makes it where a template for that applies, or the
/// operator turned it on for all, and the pusher may create it.
pub(super) async fn get_or_create(
    tx: &mut Tx,
    call: &Call<'_>,
    address: &RepositoryAddress,
    rules: UploadRules,
) -> Result<Repository> {
    let found = repositories::get(tx, address).await;
    pull_through::rules::refuse_push(tx, address, found.as_ref().ok()).await?;
    let missing = match found {
        Err(missing)
            if missing.kind() == ErrorKind::RepositoryNotFound
                && rules == UploadRules::Distribution =>
        {
            missing
        }
        found => return found,
    };
    let by_template = templates::applies(tx, address, AppliedFor::CreateOnPush).await?;
    if by_template.is_none() && !call.app.settings.create_on_push {
        return Err(missing);
    }
    call.permit().require(call.context, CREATE, &address.resource())?;
    match by_template {
        Some(template) => templates::create_repository(tx, call, address, template).await,
        None => repositories::create::insert(tx, call, address, NewRepository::default()).await,
    }
}
