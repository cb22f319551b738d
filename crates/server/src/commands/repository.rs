//! `tonnage repository`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::{NewName, SparseManifests, TagMoves};
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
            say!("The repository {} is {} now.", set.repository, set.new_name);
        }
        RepositoryCommands::TagHistory { place, repository, tag, limit, registry } => {
            print_tag_history(&place, &repository, tag.as_deref(), limit, &registry).await?;
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

async fn print_tag_history(
    place: &PlaceArguments,
    repository: &str,
    tag: Option<&str>,
    limit: usize,
    registry: &RegistryArguments,
) -> Result<()> {
    let layout = Place::find(place)?.layout;
    say!("{:<30} {:<20} {:<71} WHO", "WHEN", "TAG", "IMAGE");
    let (mut after, mut printed): (Option<String>, usize) = (None, 0);
    loop {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("repository", repository);
        for (name, value) in [
            ("tag", tag),
            ("account", registry.account.as_deref()),
            ("region", registry.in_region.as_deref()),
            ("after", after.as_deref()),
        ] {
            query.extend_pairs(value.map(|value| (name, value)));
        }
        let path = format!("/repositories/tag-history?{}", query.finish());
        let page: TagMoves = call(&layout, Method::GET, &path, None::<&()>).await?;
        for moved in page.moves.iter().take(limit - printed) {
            say!(
                "{:<30} {:<20} {:<71} {}",
                moved.at,
                moved.tag,
                moved.digest.as_deref().unwrap_or("(removed)"),
                moved.principal,
            );
            printed += 1;
        }
        after = page.next;
        if after.is_none() || printed >= limit {
            return Ok(());
        }
    }
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
    say!("Manifests of {} {may} to what it does not hold.", set.repository);
    Ok(())
}
