//! `BatchGetImage`.

use super::get_manifest::StoredManifest;
use super::{ImageFailure, ImageIdentifier, demands, manifest_bytes, resolve_active};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::names::Tag;
use crate::repositories::{self, RepositoryAddress};

/// The most bytes of manifests that one call reads into memory.
const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reads manifests. An identifier that names nothing is a failure of its own, not of the call.
#[derive(Clone, Debug)]
pub struct BatchGetImage {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which images, at most 100, and at most 32 MiB of manifests.
    pub ids: Vec<ImageIdentifier>,
}

/// What became of each identifier, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchGetImageOutput {
    /// The images found, with the tag they were asked for by.
    pub images: Vec<(Option<Tag>, StoredManifest)>,
    /// The others.
    pub failures: Vec<(ImageIdentifier, ImageFailure)>,
}

impl Operation for BatchGetImage {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "BatchGetImage" };
    type Output = BatchGetImageOutput;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demands(registry_action!("BatchGetImage"), &self.repository, &self.ids)
    }

    async fn run(self, call: Call<'_>) -> Result<BatchGetImageOutput> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let mut total = 0;
        let mut output = BatchGetImageOutput { images: Vec::new(), failures: Vec::new() };
        for id in self.ids {
            match resolve_active(&mut tx, &repository, &id).await? {
                Ok(image) => {
                    let bytes = manifest_bytes(call.app, &mut tx, &repository, &image).await?;
                    total += bytes.len();
                    if total > BATCH_BYTES_MAX {
                        return Err(Error::new(
                            ErrorKind::LimitExceeded,
                            format!(
                                "The manifests have more than {BATCH_BYTES_MAX} bytes together; \
                                 ask for fewer images at a time."
                            ),
                        ));
                    }
                    call.app.pulls.note(image.id, &call.context.principal, call.now());
                    output.images.push((
                        id.tag,
                        StoredManifest {
                            digest: image.digest,
                            media_type: image.media_type,
                            bytes,
                        },
                    ));
                }
                Err(failure) => output.failures.push((id, failure)),
            }
        }
        Ok(output)
    }
}
