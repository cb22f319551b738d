//! Bills of materials of images: read, attached on request, and attached to what is pushed.

pub mod attach_image_sbom;
pub mod attach_sboms;
pub mod configuration;
pub mod get_image_sbom;

use sha2::Digest as _;
use tonnage_scanner::layers::Inventory;
use tonnage_scanner::sbom::Bill;
pub use tonnage_scanner::sbom::Format;

use self::attach_sboms::AttachSboms;
use self::configuration::SbomConfiguration;
use super::index_image_layers;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::images::manifest::Manifest;
use crate::images::{ImageIdentifier, ImageStatus, not_found, resolve};
use crate::names::Digest;
use crate::registries::Document as _;
use crate::repositories::{Repository, RepositoryAddress};
use crate::{jobs, params};

/// A bill of materials. The same image has the same bill, byte for byte, as long as this release of
/// the program makes it.
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

/// An image of which a bill is to be made, and what a scan saw in its layers.
struct Subject {
    image_id: i64,
    digest: Digest,
    pushed_at: Millis,
    inventory: Inventory,
}

impl Subject {
    /// # Errors
    /// As [`get_image_sbom::GetImageSbom`].
    async fn load(
        tx: &mut Tx,
        call: &Call<'_>,
        repository: &Repository,
        id: &ImageIdentifier,
    ) -> Result<Self> {
        let address = &repository.address;
        let image = resolve(tx, repository, id).await?.map_err(|_| not_found(address, id))?;
        if image.status != ImageStatus::Active {
            return Err(Error::new(
                ErrorKind::ImageArchived,
                "The image is archived. Restore it to see what is in it.",
            ));
        }
        let stored = index_image_layers::stored(tx, call.app, &address.account, image.id).await?;
        let Some(inventory) = stored else {
            return Err(Error::new(
                ErrorKind::ScanNotFound,
                format!(
                    "Not all layers of the image {} in the repository {} were read. Have it \
                     scanned, and look at what its scan says.",
                    image.digest, address.name
                ),
            ));
        };
        let row = tx
            .optional("SELECT pushed_at FROM images WHERE id = $1", params![image.id])
            .await?
            .ok_or_else(|| Error::internal("an image is gone within a snapshot"))?;
        Ok(Self { image_id: image.id, digest: image.digest, pushed_at: row.get(0)?, inventory })
    }

    /// The bill. Its time is that of the push and its serial number a digest of what it says: made
    /// again it is the same, so that nothing is attached twice.
    fn write(&self, address: &RepositoryAddress, format: Format) -> Result<String> {
        let nobody = uuid::Uuid::nil().to_string();
        let bill = |serial| Bill {
            image: address.name.as_str(),
            digest: self.digest.as_str(),
            os: self.inventory.os.as_ref(),
            packages: &self.inventory.packages,
            created: self.pushed_at.0,
            serial,
            tool_version: env!("CARGO_PKG_VERSION"),
        };
        let said = sha2::Sha256::digest(bill(&nobody).write(format));
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(said).for_each(|(byte, of_digest)| *byte = of_digest);
        let serial = uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string();
        String::from_utf8(bill(&serial).write(format)).map_err(Error::internal)
    }
}

/// The registered name of a format, as people and settings write it.
pub fn format_name(format: Format) -> &'static str {
    match format {
        Format::CycloneDx1_5 => "cyclonedx-1.5",
        Format::CycloneDx1_6 => "cyclonedx-1.6",
        Format::Spdx2_3 => "spdx-2.3",
    }
}

/// The format of a name.
pub fn format_of_name(name: &str) -> Option<Format> {
    Format::ALL.into_iter().find(|format| format_name(*format) == name)
}

/// Has bills attached to an image that is new in its repository, if the registry wants that. What
/// services store has those of where it comes from.
pub(super) async fn note(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    (image_id, manifest): (i64, &Manifest),
) -> Result<()> {
    if call.context.principal.kind.is_service() || !manifest.is_container_image() {
        return Ok(());
    }
    let configuration = SbomConfiguration::load(tx, Some(repository.registry_id)).await?;
    if !configuration.takes(repository.address.name.as_str()) {
        return Ok(());
    }
    let job = AttachSboms::new(repository.address.account, image_id);
    jobs::enqueue(tx, call.app, &job, call.app.clock.now()).await
}
