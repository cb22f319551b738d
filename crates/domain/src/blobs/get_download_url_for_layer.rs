//! `GetDownloadUrlForLayer`: a link that expires and needs no other credentials.

use super::find;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::identities::download_link::DownloadLink;
use crate::names::Digest;
use crate::params;
use crate::pull_through::pull::blob_elsewhere;
use crate::repositories::{self, RepositoryAddress};

/// Makes a link to a layer that some image of the repository refers to. The link carries the
/// principal's right: it stops working when the principal loses it.
#[derive(Clone, Debug)]
pub struct GetDownloadUrlForLayer {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The layer.
    pub digest: Digest,
}

/// A link to a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerDownload {
    /// What stands in the address; the front end makes a URL of it.
    pub token: String,
    /// When it stops working.
    pub expires_at: Millis,
    /// Whether the layer is still in an upstream registry.
    pub(crate) is_upstream: bool,
}

impl Operation for GetDownloadUrlForLayer {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetDownloadUrlForLayer" };
    type Output = LayerDownload;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new("ecr:GetDownloadUrlForLayer", self.repository.resource())
                .with_key("tonnage:ImageDigest", vec![self.digest.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<LayerDownload> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let described = |problem: &str| {
            format!(
                "The layer with digest '{}' {problem} in the repository with name '{}' in the \
                 registry with id '{}'",
                self.digest, self.repository.name, self.repository.account
            )
        };
        let blob = find(&mut tx, &repository, &self.digest).await?;
        let is_upstream = match &blob {
            None => blob_elsewhere(&mut tx, &repository, &self.digest).await?.is_some(),
            Some(_) => false,
        };
        if blob.is_none() && !is_upstream {
            return Err(Error::new(ErrorKind::LayersNotFound, described("does not exist")));
        }
        if blob.as_ref().is_some_and(|blob| blob.archived) {
            let problem = "is part of archived images only, which must be restored first,";
            return Err(Error::new(ErrorKind::LayerInaccessible, described(problem)));
        }
        let is_referred = match &blob {
            // What is in an upstream is known by the images that refer to it.
            None => true,
            Some(blob) => tx
                .optional(
                    "SELECT 1 FROM image_blobs WHERE repository_id = $1 AND blob_id = $2 LIMIT 1",
                    params![repository.id, blob.id],
                )
                .await?
                .is_some(),
        };
        if !is_referred {
            return Err(Error::new(
                ErrorKind::LayerInaccessible,
                described("is not part of any image"),
            ));
        }
        drop(tx);
        let expires_at = call.now().plus_seconds(call.app.settings.download_link_seconds);
        let link = DownloadLink {
            repository: self.repository,
            digest: self.digest,
            principal_id: call.context.principal.id,
            access_key_id: call.context.principal.access_key_id.clone(),
            session: call.context.principal.session.as_ref().map(|it| it.session.clone()),
            expires_at,
        };
        Ok(LayerDownload { token: link.sign(call.app).await?, expires_at, is_upstream })
    }
}
