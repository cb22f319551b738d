//! `tonnage pull-through`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::pull_through::{Refresh, Refreshed, RefreshedTag};
use crate::cli::{PullThroughCommands, RegistryArguments};
use crate::data_directory::Layout;

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: PullThroughCommands) -> Result<ExitCode> {
    let PullThroughCommands::Refresh { place, repository, tags, registry } = command;
    let RegistryArguments { account, in_region } = registry;
    let layout = Place::find(&place)?.layout;
    let all = Refresh { account, region: in_region, repository, tag: None, after: None };
    let mut is_whole = true;
    if tags.is_empty() {
        let mut wanted = all;
        loop {
            let refreshed = refresh(&layout, &wanted).await?;
            is_whole &= print(&refreshed.tags);
            match refreshed.next {
                Some(next) => wanted.after = Some(next),
                None => break,
            }
        }
    } else {
        for tag in tags {
            let wanted = Refresh { tag: Some(tag), ..all.clone() };
            is_whole &= print(&refresh(&layout, &wanted).await?.tags);
        }
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn refresh(layout: &Layout, wanted: &Refresh) -> Result<Refreshed> {
    call(layout, Method::POST, "/pull-through/refresh", Some(wanted)).await
}

/// Whether the upstream said of each.
fn print(tags: &[RefreshedTag]) -> bool {
    for RefreshedTag { tag, digest, is_new, failure } in tags {
        let digest = digest.as_deref().unwrap_or("-");
        match (failure, is_new) {
            (Some(failure), _) => say!("{tag}  {digest}  failed: {failure}"),
            (None, true) => say!("{tag}  {digest}  new"),
            (None, false) => say!("{tag}  {digest}  unchanged"),
        }
    }
    tags.iter().all(|tag| tag.failure.is_none())
}
