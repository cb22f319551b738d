//! `BatchGetImage`.

use super::get_manifest::StoredManifest;
use super::{ImageFailure, ImageIdentifier, demands, manifest_bytes, resolve_active};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, Upstream};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::names::Tag;
use crate::pull_through::import_image::is_due;
use crate::pull_through::pull;
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
    /// Those of both that an upstream registry is to be asked for.
    pub(crate) in_upstream: Vec<(ImageIdentifier, Upstream)>,
}

impl Operation for BatchGetImage {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "BatchGetImage" };
    type Output = BatchGetImageOutput;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demands(registry_action!("BatchGetImage"), &self.repository, &self.ids)
    }

    async fn run(self, call: Call<'_>) -> Result<BatchGetImageOutput> {
        let mut tx = call.read().await?;
        let Some(repository) = repositories::find(&mut tx, &self.repository).await? else {
            let upstream = pull::image_elsewhere(&mut tx, &self.repository, None, None).await?;
            return Err(repositories::not_found(&self.repository).in_upstream(upstream));
        };
        let mut total = 0;
        let mut output = BatchGetImageOutput {
            images: Vec::new(),
            failures: Vec::new(),
            in_upstream: Vec::new(),
        };
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
                    let is_due = is_due(&call, &repository.address.name, &image);
                    if is_due {
                        output.in_upstream.push((id.clone(), Upstream::Possible));
                    }
                    call.app.pulls.note(image.id, &call.context.principal, call.now());
                    output.images.push((
                        id.tag,
                        StoredManifest {
                            digest: image.digest,
                            media_type: image.media_type,
                            bytes,
                            is_due,
                        },
                    ));
                }
                Err(failure) => {
                    if failure == ImageFailure::ImageNotFound {
                        let (address, digest) = (&self.repository, id.digest.as_ref());
                        let upstream =
                            pull::image_elsewhere(&mut tx, address, Some(&repository), digest);
                        let upstream = upstream.await?;
                        output.in_upstream.extend(upstream.map(|upstream| (id.clone(), upstream)));
                    }
                    output.failures.push((id, failure));
                }
            }
        }
        Ok(output)
    }
}
