//! `GetImageSbom`, beside ECR's operations: what is in an image, as a bill of materials.

use super::{Format, ImageSbom, Subject};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::images::{self, ImageIdentifier};
use crate::repositories::{self, RepositoryAddress};

/// Writes the bill of an image that was scanned, from what the scan saw in its layers: packages of
/// the operating system and of languages, whichever scan it was.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`], [`ErrorKind::ImageNotFound`]; [`ErrorKind::ImageArchived`];
/// [`ErrorKind::ScanNotFound`] when a layer of it was not read yet, or could not be.
///
/// [`ErrorKind::RepositoryNotFound`]: crate::error::ErrorKind::RepositoryNotFound
/// [`ErrorKind::ImageNotFound`]: crate::error::ErrorKind::ImageNotFound
/// [`ErrorKind::ImageArchived`]: crate::error::ErrorKind::ImageArchived
/// [`ErrorKind::ScanNotFound`]: crate::error::ErrorKind::ScanNotFound
#[derive(Clone, Debug)]
pub struct GetImageSbom {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub id: ImageIdentifier,
    /// How it is written.
    pub format: Format,
}

impl Operation for GetImageSbom {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetImageSbom" };
    type Output = ImageSbom;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        images::demands("tonnage:GetImageSbom", &self.repository, ids)
    }

    async fn run(self, call: Call<'_>) -> Result<ImageSbom> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let subject = Subject::load(&mut tx, &call, &repository, &self.id).await?;
        drop(tx);
        Ok(ImageSbom {
            packages: subject.inventory.packages.len(),
            media_type: self.format.media_type(),
            document: subject.write(&self.repository, self.format)?,
            digest: subject.digest,
        })
    }
}
