//! Bringing what refers to an image from the upstream of a repository: signatures, lists of what is in
//! it, attestations.

use super::import_image::ImportUpstreamImage;
use super::rules;
use super::{IMPORT, refusals};
use crate::context::RequestContext;
use crate::error::{ErrorKind, Result, chain};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::images::manifest::{Manifest, ManifestKind, ManifestMediaType};
use crate::names::{Digest, Reference};
use crate::repositories::{self, RepositoryAddress};

/// Referrers of one image that are brought.
const REFERRERS_MAX: usize = 100;

/// Asks the upstream of a cache what refers to an image, and stores what is new of it, up to a
/// hundred manifests. Whether it was asked: it is not while what it said before is believed.
///
/// # Errors
/// Those of [`ImportUpstreamImage`] about the list. A referrer that cannot be brought is left out.
#[derive(Clone, Debug)]
pub struct ImportUpstreamReferrers {
    /// The repository.
    pub repository: RepositoryAddress,
    /// What is referred to.
    pub subject: Digest,
}

impl Operation for ImportUpstreamReferrers {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ImportUpstreamReferrers" };
    type Output = bool;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new(IMPORT, self.repository.resource())
                .with_key("tonnage:ImageDigest", vec![self.subject.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<bool> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let covered = rules::covering(&mut tx, &self.repository).await?;
        drop(tx);
        let Some(covered) = covered.filter(|_| repository.is_cache) else { return Ok(false) };
        let (app, imports) = (call.app, &call.app.imports);
        let seconds = app.settings.pull_through_validity.of(self.repository.name.as_str());
        let wanted = (self.repository.clone(), format!("referrers of {}", self.subject));
        let _turn = imports.turn(&wanted).await?;
        if imports.was_asked(&wanted, seconds, app.clock.now()) {
            return Ok(false);
        }
        if let Some(refused) = imports.refused(&wanted, app.clock.now()) {
            return Err(refused);
        }
        let mut wait = None;
        let listed = async {
            let origin = covered.origin(app).await.map_err(refusals::unable)?;
            let name = covered.upstream_repository.as_str();
            let listed = app.upstreams.referrers(&origin, name, &self.subject).await;
            let listed = listed.map_err(|error| {
                wait = refusals::retry_after(&error);
                refusals::refused(error, || repositories::not_found(&self.repository))
            })?;
            listed.map(|bytes| referrers(&bytes)).transpose()
        }
        .await;
        let listed = match listed {
            Ok(listed) => listed.unwrap_or_default(),
            Err(error) => {
                refusals::remember(app, &wanted, &error, wait);
                return Err(error);
            }
        };
        for digest in listed {
            let repository = self.repository.clone();
            let image = ImportUpstreamImage {
                repository,
                reference: Reference::Digest(digest),
                is_forced: false,
            };
            if let Err(error) = image.bring(&call, &covered, Some(&self.subject)).await {
                tracing::warn!(
                    repository = self.repository.arn(), subject = %self.subject,
                    referrer = %image.reference, error = chain(&error),
                    "a referrer is not brought from the upstream registry"
                );
                if matches!(
                    error.kind(),
                    ErrorKind::UpstreamTooManyRequests | ErrorKind::Unavailable
                ) {
                    return Err(error);
                }
            }
        }
        imports.note_asked(&wanted, seconds, app.clock.now());
        Ok(true)
    }
}

fn referrers(bytes: &[u8]) -> Result<Vec<Digest>> {
    let index = Manifest::parse(bytes, Some(ManifestMediaType::OciIndex.as_str()))
        .map_err(refusals::invalid)?;
    if index.kind() != ManifestKind::Index {
        return Err(refusals::invalid("the list of referrers is no index"));
    }
    let children = index.children.into_iter().map(|child| child.descriptor.digest);
    Ok(children.take(REFERRERS_MAX).collect())
}
