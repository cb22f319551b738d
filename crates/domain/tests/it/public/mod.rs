//! Public registries: aliases, who may do what, what is shown, and limits.

mod aliases;
mod catalog;
mod domains;
mod limits;
mod permissions;

use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::error::Result;
use tonnage_domain::execute::Operation;
use tonnage_domain::names::{AccountId, Region, RepositoryName};
use tonnage_domain::public::create_repository::CreatePublicRepository;
use tonnage_domain::repositories::RepositoryAddress;

use crate::content::{Blob, Pushed};
use crate::registry::{ACCOUNT, Registry, body, put_image};
use tonnage_domain::uploads::UploadRules::Distribution;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;

pub(crate) const OTHER: &str = "210987654321";

/// A request of `principal` to the public registry of an account.
pub(crate) fn asking(registry: &Registry, principal: &Principal, account: &str) -> RequestContext {
    RequestContext {
        account: AccountId::parse(account).unwrap(),
        region: Region::global(),
        ..registry.context_of(principal)
    }
}

pub(crate) fn public(name: &str) -> RepositoryAddress {
    RepositoryAddress {
        account: AccountId::parse(ACCOUNT).unwrap(),
        region: Region::global(),
        name: RepositoryName::parse_public(name).unwrap(),
    }
}

pub(crate) fn create(name: &str) -> CreatePublicRepository {
    CreatePublicRepository {
        name: RepositoryName::parse_public(name).unwrap(),
        data: None,
        tags: Vec::new(),
    }
}

/// Runs an operation of root in its public registry.
pub(crate) async fn run<O: Operation>(registry: &Registry, operation: O) -> Result<O::Output> {
    registry.run_in(&asking(registry, &registry.root, ACCOUNT), operation).await
}

/// Makes a public repository with an image; its manifest and its layer.
pub(crate) async fn push(registry: &Registry, name: &str) -> (Pushed, Blob) {
    run(registry, create(name)).await.unwrap();
    let (config, layer) = (Blob::new("config", 100), Blob::new("layer", 2000));
    for blob in [&config, &layer] {
        push_blob(registry, &asking(registry, &registry.root, ACCOUNT), name, blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[&layer]);
    run(registry, put_image(&public(name), &image, Some("v1"), Distribution)).await.unwrap();
    (image, layer)
}

pub(crate) async fn push_blob(
    registry: &Registry,
    context: &RequestContext,
    name: &str,
    blob: &Blob,
) -> Result<()> {
    let (repository, rules) = (public(name), Distribution);
    let initiate = InitiateLayerUpload { repository: repository.clone(), rules };
    let upload_id = registry.run_in(context, initiate).await?;
    let complete = CompleteLayerUpload {
        repository,
        upload_id,
        digests: vec![blob.digest.clone()],
        first_byte: None,
        body: Some(body(&blob.bytes)),
        rules,
    };
    registry.run_in(context, complete).await.map(|_| ())
}
