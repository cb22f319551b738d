//! What the registry has beside AWS's operations, for whoever signs for `tonnage`: AWS JSON 1.1
//! like ECR, with shapes of our own.
//!
//! Here is what owners may be allowed. What only the operator may do is asked over the admin socket.

mod images;
mod pulls;
mod registries;
mod repositories;
mod shares;

use bytes::Bytes;
use serde_json::Value;
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;
use tonnage_domain::names::Region;

pub(in crate::aws) use super::super::shapes::tonnage::SERVICE;
use super::super::{Call, json};
use super::public;
use crate::aws::error::Result;

/// Operations on public registries, which are in no region.
const PUBLIC: [&str; 6] = [
    "GetPublicRepositorySettings",
    "GetPullStatistics",
    "ListPublicDomains",
    "ProvePublicDomain",
    "PutPublicRepositorySettings",
    "RemovePublicDomain",
];

json::operations! {
    async fn serve;
    "AttachImageSbom" => images::attach_image_sbom,
    "CreateImageShare" => shares::create_image_share,
    "DeleteVexDocument" => registries::delete_vex_document,
    "DescribeFindingOrigins" => images::describe_finding_origins,
    "FindImages" => images::find_images,
    "GetImageSbom" => images::get_image_sbom,
    "GetPublicRepositorySettings" => repositories::get_public_repository_settings,
    "GetPullStatistics" => pulls::get_pull_statistics,
    "GetSbomConfiguration" => registries::get_sbom_configuration,
    "GetVexDocument" => registries::get_vex_document,
    "ListImageShares" => shares::list_image_shares,
    "ListPublicDomains" => registries::list_public_domains,
    "ListTagHistory" => repositories::list_tag_history,
    "ListVexDocuments" => registries::list_vex_documents,
    "ProvePublicDomain" => registries::prove_public_domain,
    "PutPublicRepositorySettings" => repositories::put_public_repository_settings,
    "PutSbomConfiguration" => registries::put_sbom_configuration,
    "PutSparseManifests" => repositories::put_sparse_manifests,
    "PutVexDocument" => registries::put_vex_document,
    "RemovePublicDomain" => registries::remove_public_domain,
    "RenameRepository" => repositories::rename_repository,
    "RevokeImageShare" => shares::revoke_image_share,
    "SearchEvents" => registries::search_events,
}

/// Runs the operation called `name`; its input was validated.
pub(in crate::aws) async fn run(name: &str, mut call: Call<'_>, mut input: Value) -> Result<Bytes> {
    if PUBLIC.contains(&name) {
        call.context.region = Region::global();
        input = public::with_account(&call, input).await?;
    }
    serve(name, &call, input).await
}

/// The time that a member says.
fn time(field: &'static str, seconds: Option<f64>) -> Result<Option<Millis>, Error> {
    let read = |seconds| {
        let wanted = "Seconds since 1970, before the year 10000";
        json::time(seconds).ok_or_else(|| Error::invalid_parameter(field, wanted))
    };
    seconds.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_operation_of_the_shapes_is_served_and_is_one_of_the_domain() {
        let shapes: Vec<&str> = SERVICE.operation_names().collect();
        assert_eq!(SERVED, shapes);
        for name in SERVED {
            let is_known =
                OPERATIONS.iter().any(|it| it.service == Service::Tonnage && it.name == *name);
            assert!(is_known, "{name}");
        }
        assert!(PUBLIC.iter().all(|name| SERVED.contains(name)));
    }
}
