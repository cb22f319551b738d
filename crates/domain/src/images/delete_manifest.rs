//! `DELETE /v2/{name}/manifests/{reference}`.

use super::batch_delete_image::{OfChild, delete};
use super::precondition::Precondition;
use super::{ImageFailure, ImageIdentifier, not_found, resolve};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::names::Reference;
use crate::repositories::{self, RepositoryAddress};

/// Deletes a tag, and the image with its last tag; or an image by digest, with all its tags. An
/// image that an index refers to stays; its tags are no part of the index, and the last one of
/// them goes alone. A second call finds nothing.
///
/// # Errors
/// [`ErrorKind::ImageNotFound`]; [`ErrorKind::TagMoved`]; by digest
/// [`ErrorKind::ImageReferencedByManifestList`].
#[derive(Clone, Debug)]
pub struct DeleteManifest {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The tag or digest.
    pub reference: Reference,
    /// What the client says of it. One that is not there is not found, whatever this says.
    pub condition: Precondition,
}

impl Operation for DeleteManifest {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DeleteManifest" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand {
            keys: ImageIdentifier::from(self.reference.clone()).condition_keys(),
            ..self.repository.demand(registry_action!("BatchDeleteImage"))
        }]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let what = format!("'{}'", self.reference);
        let id = ImageIdentifier::from(self.reference);
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        if let Ok(image) = resolve(&mut tx, &repository, &id).await?
            && let Some(refusal) = self.condition.refusal(&what, Some(&image))
        {
            return call.refuse(tx, refusal).await;
        }
        let refusal = match delete(&mut tx, &call, &repository, &id, OfChild::RemoveTag).await? {
            Ok(_) => return call.commit(tx).await,
            Err(ImageFailure::ImageReferencedByManifestList(parents)) => {
                let parents: Vec<&str> = parents.iter().map(|digest| digest.as_str()).collect();
                Error::new(
                    ErrorKind::ImageReferencedByManifestList,
                    format!(
                        "Requested image referenced by manifest list: [{}]",
                        parents.join(", ")
                    ),
                )
            }
            Err(
                ImageFailure::ImageNotFound
                | ImageFailure::ImageInaccessible
                | ImageFailure::MissingDigestAndTag
                | ImageFailure::InvalidImageDigest
                | ImageFailure::InvalidImageTag
                | ImageFailure::UpstreamAccessDenied
                | ImageFailure::UpstreamTooManyRequests
                | ImageFailure::UpstreamUnavailable
                | ImageFailure::ImageTagDoesNotMatchDigest,
            ) => not_found(&self.repository, &id),
        };
        call.refuse(tx, refusal).await
    }
}
