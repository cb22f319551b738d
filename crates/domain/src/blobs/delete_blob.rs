//! `DELETE /v2/{name}/blobs/{digest}`.

use super::{find, not_found};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::gc;
use crate::names::Digest;
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Takes a blob that no image refers to out of a repository, at once. Its bytes go with the next
/// collection after the grace period, unless another repository holds them. A second call finds
/// nothing. ECR has no such operation; whoever may delete images may delete blobs.
///
/// # Errors
/// [`ErrorKind::BlobNotFound`]; [`ErrorKind::BlobReferenced`] while an image refers to it.
#[derive(Clone, Debug)]
pub struct DeleteBlob {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The digest.
    pub digest: Digest,
}

impl Operation for DeleteBlob {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DeleteBlob" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            self.repository
                .demand(registry_action!("BatchDeleteImage"))
                .with_key("tonnage:ImageDigest", vec![self.digest.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let Some(blob) = find(&mut tx, &repository, &self.digest).await? else {
            return call.refuse(tx, not_found(&repository, &self.digest)).await;
        };
        let image = tx
            .optional(
                "SELECT images.digest FROM image_blobs \
                 JOIN images ON images.id = image_blobs.image_id \
                 WHERE image_blobs.repository_id = $1 AND image_blobs.blob_id = $2 \
                 ORDER BY images.id LIMIT 1",
                params![repository.id, blob.id],
            )
            .await?;
        if let Some(image) = image {
            let image: String = image.get(0)?;
            let refusal = Error::new(
                ErrorKind::BlobReferenced,
                format!(
                    "The image with digest '{image}' refers to the layer with digest '{}'; delete \
                     the image first.",
                    self.digest
                ),
            );
            return call.refuse(tx, refusal).await;
        }
        tx.execute(
            "DELETE FROM repository_blobs WHERE repository_id = $1 AND blob_id = $2",
            params![repository.id, blob.id],
        )
        .await?;
        gc::put_candidate(&mut tx, blob.edge(&repository), call.now()).await?;
        call.commit(tx).await
    }
}
