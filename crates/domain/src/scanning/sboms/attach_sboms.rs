//! The job that attaches bills of materials to an image that was pushed.

use serde::{Deserialize, Serialize};

use super::super::index_image_layers::{IndexImageLayers, Indexed};
use super::attach_image_sbom::AttachImageSbom;
use super::configuration::SbomConfiguration;
use crate::error::{Error, Result, chain};
use crate::execute::execute;
use crate::images::{ImageIdentifier, ImageStatus};
use crate::jobs::{Job, Limits, Named, Next, Run};
use crate::names::{AccountId, Digest};
use crate::registries::Document as _;
use crate::{params, repositories, services};

/// Reads the layers of an image that nobody has read, and attaches what the registry wants.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttachSboms {
    account: String,
    image_id: i64,
}

impl AttachSboms {
    pub(super) fn new(account: AccountId, image_id: i64) -> Self {
        Self { account: account.to_string(), image_id }
    }
}

impl Job for AttachSboms {
    const KIND: &'static str = "attach-sboms";
    const KEY_NAMES: &'static [Named] = &[Named::Image];
    const LIMITS: Limits =
        Limits { concurrency: 2, attempts: 5, pause_seconds: 5, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.image_id.to_string()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let row = tx
            .optional(
                "SELECT repository_id, digest, status FROM images WHERE id = $1",
                params![self.image_id],
            )
            .await?;
        let Some(row) = row else { return Ok(Next::Done) };
        let Some(repository) = repositories::by_id(&mut tx, row.get(0)?).await? else {
            return Ok(Next::Done);
        };
        let configuration = SbomConfiguration::load(&mut tx, Some(repository.registry_id)).await?;
        drop(tx);
        let is_active = ImageStatus::from_stored(&row.get::<String>(2)?)? == ImageStatus::Active;
        if !is_active || !configuration.takes(repository.address.name.as_str()) {
            return Ok(Next::Done);
        }
        let digest = Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
        let address = repository.address;
        let context = run.context(services::ECR, address.account, address.region.clone());
        let index = IndexImageLayers {
            repository: address.clone(),
            image_id: self.image_id,
            digest: digest.clone(),
            lease: run.lease(),
        };
        let refused = match execute(run.app, &context, index).await {
            Ok(Indexed::Inventory(..)) => None,
            Ok(Indexed::Unsupported(reason) | Indexed::Failed(reason)) => Some(reason),
            Err(error) if error.is_fault() => return Err(error),
            // A policy forbids to read it.
            Err(error) => Some(error.message().to_owned()),
        };
        if let Some(reason) = refused {
            tracing::warn!(%digest, reason, "no bill of materials was made of an image");
            return Ok(Next::Done);
        }
        for format in configuration.formats() {
            let id = ImageIdentifier { digest: Some(digest.clone()), tag: None };
            let operation = AttachImageSbom { repository: address.clone(), id, format };
            match execute(run.app, &context, operation).await {
                Ok(_) => {}
                Err(error) if error.is_fault() => return Err(error),
                Err(error) => {
                    tracing::warn!(%digest, error = chain(&error), "no bill was attached");
                }
            }
        }
        Ok(Next::Done)
    }
}
