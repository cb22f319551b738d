//! `tonnage repository`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::{NewName, Sbom, SparseManifests, WantedSbom};
use crate::cli::{PlaceArguments, RegistryArguments, RepositoryCommands, SparseChoice};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: RepositoryCommands) -> Result<ExitCode> {
    match command {
        RepositoryCommands::Rename { place, repository, new_name, registry } => {
            let RegistryArguments { account, in_region } = registry;
            let wanted = NewName { account, region: in_region, repository, new_name };
            let layout = Place::find(&place)?.layout;
            let set: NewName =
                call(&layout, Method::POST, "/repositories/rename", Some(&wanted)).await?;
            println!("The repository {} is {} now.", set.repository, set.new_name);
        }
        RepositoryCommands::Sbom { place, repository, image, format, registry } => {
            let RegistryArguments { account, in_region } = registry;
            let wanted = WantedSbom { account, region: in_region, repository, image, format };
            let layout = Place::find(&place)?.layout;
            let sbom: Sbom =
                call(&layout, Method::POST, "/repositories/sbom", Some(&wanted)).await?;
            println!("{}", sbom.document);
        }
        RepositoryCommands::SparseManifests { place, choice, repository, account, in_region } => {
            let allowed = match choice {
                SparseChoice::Allow => Some(true),
                SparseChoice::Refuse => Some(false),
                SparseChoice::Default => None,
            };
            let wanted = SparseManifests { account, region: in_region, repository, allowed };
            put_sparse_manifests(&place, &wanted).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn put_sparse_manifests(place: &PlaceArguments, wanted: &SparseManifests) -> Result<()> {
    let layout = Place::find(place)?.layout;
    let path = "/repositories/sparse-manifests";
    let set: SparseManifests = call(&layout, Method::PUT, path, Some(wanted)).await?;
    let may = match set.allowed {
        Some(true) => "may refer",
        Some(false) => "may not refer",
        None => "may refer, as the server is set,",
    };
    println!("Manifests of {} {may} to what it does not hold.", set.repository);
    Ok(())
}
