//! `UpdateImageStorageClass`.

use super::restore_image::RestoreImage;
use super::{archive, inactive_children, not_supported};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::{
    ImageFailure, ImageIdentifier, ImageRecord, ImageStatus, demands, not_found, resolve,
};
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::{jobs, params};

/// Where an image is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageClass {
    /// It can be pulled.
    Standard,
    /// It is kept, and cannot be pulled until it is restored.
    Archive,
}

impl StorageClass {
    /// As AWS spells it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "STANDARD" => Some(Self::Standard),
            "ARCHIVE" => Some(Self::Archive),
            _ => None,
        }
    }
}

/// Archives an image, which is done when this returns, or begins to restore one, which a job ends.
/// To restore an image that is being restored starts that job again if it had given up.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`](crate::error::ErrorKind::RepositoryNotFound);
/// [`ErrorKind::ImageNotFound`](crate::error::ErrorKind::ImageNotFound);
/// [`ErrorKind::ImageStorageClassUpdateNotSupported`](crate::error::ErrorKind::ImageStorageClassUpdateNotSupported)
/// for an image that is in the class already, for a child of an index that is not archived, and
/// for an index of which a child is archived.
#[derive(Clone, Debug)]
pub struct UpdateImageStorageClass {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub id: ImageIdentifier,
    /// Where it shall be kept.
    pub target: StorageClass,
}

/// An image on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedImage {
    /// The image, by digest, and by the tag that it was asked for by.
    pub id: ImageIdentifier,
    /// How it stands now.
    pub status: ImageStatus,
}

impl Operation for UpdateImageStorageClass {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "UpdateImageStorageClass" };
    type Output = UpdatedImage;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demands("ecr:UpdateImageStorageClass", &self.repository, std::slice::from_ref(&self.id))
    }

    async fn run(self, call: Call<'_>) -> Result<UpdatedImage> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let image = match resolve(&mut tx, &repository, &self.id).await? {
            Ok(image) => image,
            Err(ImageFailure::MissingDigestAndTag) => {
                return Err(crate::error::Error::invalid_parameter(
                    "imageId",
                    "both tag and digest cannot be null",
                ));
            }
            Err(_) => return call.refuse(tx, not_found(&self.repository, &self.id)).await,
        };
        let done = match self.target {
            StorageClass::Archive => archive(&mut tx, &call, &repository, &image).await?,
            StorageClass::Standard => begin_restore(&mut tx, &call, &repository, &image).await?,
        };
        if let Err(refusal) = done {
            return call.refuse(tx, refusal).await;
        }
        call.commit(tx).await?;
        let status = match self.target {
            StorageClass::Archive => ImageStatus::Archived,
            StorageClass::Standard => ImageStatus::Activating,
        };
        let id = ImageIdentifier { digest: Some(image.digest), tag: self.id.tag };
        Ok(UpdatedImage { id, status })
    }
}

async fn begin_restore(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image: &ImageRecord,
) -> Result<Result<(), crate::error::Error>> {
    if image.status == ImageStatus::Active {
        return Ok(Err(not_supported(repository, &image.digest, "is not archived")));
    }
    if let Some(child) = inactive_children(tx, image.id).await?.first() {
        let child: String = child.get(0)?;
        let why =
            format!("refers to the image {child}, which is not active; restore that one first");
        return Ok(Err(not_supported(repository, &image.digest, &why)));
    }
    tx.execute("UPDATE images SET status = 'ACTIVATING' WHERE id = $1", params![image.id]).await?;
    let job = RestoreImage::new(repository.address.account, image.id);
    jobs::enqueue(tx, call.app, &job, call.now()).await?;
    Ok(Ok(()))
}
