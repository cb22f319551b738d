//! What owners may ask for their public repositories beside the model of ECR Public: that tags never
//! move, and that images are scanned. Both are those of private repositories.

use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::jobs;
use crate::params;
use crate::repositories::put_image_tag_mutability::store;
use crate::repositories::{self, Repository, RepositoryAddress, TagMutabilityRule};
use crate::scanning::scan_public_images::ScanPublicImages;

/// What holds for a public repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRepositorySettings {
    /// Whether tags may move.
    pub tag_mutability: TagMutabilityRule,
    /// Whether images are scanned, and everybody sees what was found.
    pub scan_on_push: bool,
}

impl From<Repository> for PublicRepositorySettings {
    fn from(repository: Repository) -> Self {
        let Repository { tag_mutability, scan_on_push, .. } = repository;
        Self { tag_mutability, scan_on_push }
    }
}

/// Reads what holds for a public repository.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`]; [`ErrorKind::InvalidParameter`] for a private one.
#[derive(Clone, Debug)]
pub struct GetPublicRepositorySettings {
    /// The repository.
    pub repository: RepositoryAddress,
}

impl Operation for GetPublicRepositorySettings {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetPublicRepositorySettings" };
    type Output = PublicRepositorySettings;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:GetPublicRepositorySettings", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<PublicRepositorySettings> {
        let mut tx = call.read().await?;
        Ok(get(&mut tx, &self.repository).await?.into())
    }
}

/// Changes what holds for a public repository; what is left out stays. Idempotent, but for scans:
/// each time that scanning is asked for, the images are scanned again whose last scan is older than
/// [`scan_interval_seconds`](crate::app::Settings::scan_interval_seconds).
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`]; [`ErrorKind::InvalidParameter`] for a private one.
#[derive(Clone, Debug)]
pub struct PutPublicRepositorySettings {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Whether tags may move, from the next push on.
    pub tag_mutability: Option<TagMutabilityRule>,
    /// Whether images are scanned, those that are there too; what was found is shown as long as
    /// this is on.
    pub scan_on_push: Option<bool>,
}

impl Operation for PutPublicRepositorySettings {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "PutPublicRepositorySettings" };
    type Output = PublicRepositorySettings;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:PutPublicRepositorySettings", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<PublicRepositorySettings> {
        let mut tx = call.write().await?;
        let mut repository = match get(&mut tx, &self.repository).await {
            Err(refusal) if !refusal.is_fault() => return call.refuse(tx, refusal).await,
            found => found?,
        };
        if let Some(rule) = self.tag_mutability {
            store(&mut tx, repository.id, &rule).await?;
            repository.tag_mutability = rule;
        }
        if let Some(wanted) = self.scan_on_push {
            tx.execute(
                "UPDATE repositories SET scan_on_push = $2 WHERE id = $1",
                params![repository.id, wanted],
            )
            .await?;
            repository.scan_on_push = wanted;
            if wanted {
                let job = ScanPublicImages::new(self.repository.account, repository.id);
                jobs::enqueue(&mut tx, call.app, &job, call.now()).await?;
            }
        }
        call.commit(tx).await?;
        Ok(repository.into())
    }
}

async fn get(tx: &mut Tx, address: &RepositoryAddress) -> Result<Repository> {
    if !address.region.is_global() {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!(
                "'{}' is a private repository: use PutImageTagMutability and \
                 PutImageScanningConfiguration of ECR.",
                address.name
            ),
        ));
    }
    repositories::get(tx, address).await
}
