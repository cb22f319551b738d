//! `tonnage repository`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::SparseManifests;
use crate::admin::client::call;
use crate::cli::{RepositoryCommands, SparseChoice};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: RepositoryCommands) -> Result<ExitCode> {
    let RepositoryCommands::SparseManifests { place, choice, repository, account, in_region } =
        command;
    let allowed = match choice {
        SparseChoice::Allow => Some(true),
        SparseChoice::Refuse => Some(false),
        SparseChoice::Default => None,
    };
    let wanted = SparseManifests { account, region: in_region, repository, allowed };
    let set: SparseManifests = call(
        &Place::find(&place)?.layout,
        Method::PUT,
        "/repositories/sparse-manifests",
        Some(&wanted),
    )
    .await?;
    let may = match set.allowed {
        Some(true) => "may refer",
        Some(false) => "may not refer",
        None => "may refer, as the server is set,",
    };
    println!("Manifests of {} {may} to what it does not hold.", set.repository);
    Ok(ExitCode::SUCCESS)
}
