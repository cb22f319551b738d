//! `POST /v2/{name}/blobs/uploads/?mount={digest}&from={name}`.

use super::initiate::{CREATE, get_or_create, insert};
use super::{UploadId, UploadRules};
use crate::blobs::mount::{self, SOURCE_ACTION, Source};
use crate::context::RequestContext;
use crate::encryption;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, RegistryAction, Service, registry_action};
use crate::names::{Digest, RepositoryName};
use crate::registries::account_settings;
use crate::repositories::RepositoryAddress;

/// Lets a repository hold a blob that another one of its registry holds, or begins an upload.
///
/// A blob is mounted when the registry's setting `BLOB_MOUNTING` allows it, the principal may pull
/// the blob from the source and finish uploads in the target, and the source holds it for an image.
/// Otherwise the answer is an upload, for whatever reason: nobody learns what another repository
/// has. Without a source one is looked for, if the operator allows that for all.
#[derive(Clone, Debug)]
pub struct MountLayer {
    /// The repository that shall hold the blob.
    pub repository: RepositoryAddress,
    /// The blob.
    pub digest: Digest,
    /// The repository that holds it, in the same registry.
    pub from: Option<RepositoryName>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// The repository holds the blob.
    Blob,
    /// The client sends the bytes to this upload.
    Upload(UploadId),
}

const COMPLETE: RegistryAction = registry_action!("CompleteLayerUpload");

impl MountLayer {
    fn source(&self) -> Option<RepositoryAddress> {
        let name = self.from.clone()?;
        Some(RepositoryAddress { name, ..self.repository.clone() })
    }
}

impl Operation for MountLayer {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "MountLayer" };
    type Output = Mounted;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let target = &self.repository;
        let mut demands = vec![
            target.demand(registry_action!("InitiateLayerUpload")),
            target.demand(COMPLETE).optional(),
            target.demand(CREATE).optional(),
        ];
        if let Some(source) = self.source() {
            demands.push(mount::demand(&source, &self.digest));
        }
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<Mounted> {
        let region = &self.repository.region;
        let target = self.repository.resource();
        let may_finish = call.permit().require(call.context, COMPLETE.at(region), &target).is_ok();
        let source = match self.source() {
            _ if !may_finish => None,
            Some(address) => {
                let action = SOURCE_ACTION.at(region);
                let allowed = call.permit().require(call.context, action, &address.resource());
                allowed.is_ok().then_some(Source { address, permit: None })
            }
            None if call.app.settings.blob_mounting => {
                mount::find_source(&call, &self.repository, &self.digest).await?
            }
            None => None,
        };
        let domain = encryption::ensure_account_domain(&call, &self.repository).await?;
        let mut tx = call.write().await?;
        let target =
            get_or_create(&mut tx, &call, &self.repository, UploadRules::Distribution).await?;
        let is_mounted = match &source {
            Some(source)
                if account_settings::blob_mounting(&mut tx, call.app, target.registry_id)
                    .await? =>
            {
                mount::mount(&mut tx, &call, &target, source, &self.digest).await?
            }
            _ => false,
        };
        let mounted = match is_mounted {
            true => Mounted::Blob,
            false => Mounted::Upload(insert(&mut tx, &call, &target, &domain).await?),
        };
        call.commit(tx).await?;
        Ok(mounted)
    }
}
