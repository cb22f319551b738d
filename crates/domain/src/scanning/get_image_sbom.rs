//! `GetImageSbom`, beside ECR's operations: what is in an image, as a bill of materials.

use tonnage_scanner::sbom::Bill;
pub use tonnage_scanner::sbom::Format;

use super::index_image_layers;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::images::{self, ImageIdentifier, ImageStatus, not_found, resolve};
use crate::names::Digest;
use crate::repositories::{self, RepositoryAddress};

/// Writes the bill of an image that was scanned, from what the scan saw in its layers: packages of
/// the operating system and of languages, whichever scan it was.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`], [`ErrorKind::ImageNotFound`]; [`ErrorKind::ImageArchived`];
/// [`ErrorKind::ScanNotFound`] when a layer of it was not read yet, or could not be.
#[derive(Clone, Debug)]
pub struct GetImageSbom {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub id: ImageIdentifier,
    /// How it is written.
    pub format: Format,
}

/// A bill of materials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSbom {
    /// The image's digest.
    pub digest: Digest,
    /// The media type of the document.
    pub media_type: &'static str,
    /// How many packages were found.
    pub packages: usize,
    /// The document: JSON.
    pub document: String,
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
        let image = resolve(&mut tx, &repository, &self.id)
            .await?
            .map_err(|_| not_found(&self.repository, &self.id))?;
        if image.status != ImageStatus::Active {
            return Err(Error::new(
                ErrorKind::ImageArchived,
                "The image is archived. Restore it to see what is in it.",
            ));
        }
        let account = &self.repository.account;
        let inventory = index_image_layers::stored(&mut tx, call.app, account, image.id).await?;
        drop(tx);
        let Some(inventory) = inventory else {
            return Err(Error::new(
                ErrorKind::ScanNotFound,
                format!(
                    "Not all layers of the image {} in the repository {} were read. Have it \
                     scanned, and look at what its scan says.",
                    image.digest, self.repository.name
                ),
            ));
        };
        let bill = Bill {
            image: self.repository.name.as_str(),
            digest: image.digest.as_str(),
            os: inventory.os.as_ref(),
            packages: &inventory.packages,
            created: call.now().0,
            serial: &uuid::Uuid::new_v4().to_string(),
            tool_version: env!("CARGO_PKG_VERSION"),
        };
        Ok(ImageSbom {
            packages: inventory.packages.len(),
            media_type: self.format.media_type(),
            document: String::from_utf8(bill.write(self.format)).map_err(Error::internal)?,
            digest: image.digest,
        })
    }
}
