//! `tonnage images`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use http::Method;

use super::image_contents;
use super::place::Place;
use crate::admin::client::call;
use crate::admin::image_shares::{
    MadeShare, Share, ShareRepository, Shares, UnwantedShare, WantedShare, WantedShares,
};
use crate::cli::{ImagesCommands, RegistryArguments, ShareArguments};
use crate::config::parse_seconds;

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: ImagesCommands) -> Result<ExitCode> {
    match command {
        ImagesCommands::Contents(command) => return image_contents::run(command).await,
        ImagesCommands::Share(arguments) => share(arguments).await?,
        ImagesCommands::Shares { place, repository, json, registry } => {
            let layout = Place::find(&place)?.layout;
            let mut wanted =
                WantedShares { repository: of(repository, registry, None), after: None };
            let mut listed = Vec::new();
            loop {
                let page: Shares =
                    call(&layout, Method::POST, "/image-shares/list", Some(&wanted)).await?;
                match json {
                    true => listed.extend(page.shares),
                    false => page.shares.iter().for_each(print_line),
                }
                wanted.after = page.next;
                if wanted.after.is_none() {
                    break;
                }
            }
            if json {
                say!("{}", serde_json::to_string_pretty(&listed)?);
            }
        }
        ImagesCommands::Unshare { place, repository, share, registry } => {
            let unwanted = UnwantedShare { repository: of(repository, registry, None), share };
            let layout = Place::find(&place)?.layout;
            let share: Share =
                call(&layout, Method::POST, "/image-shares/revoke", Some(&unwanted)).await?;
            say!("The share {} of {} is not good any more.", share.id, share.digest);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of(repository: String, registry: RegistryArguments, user: Option<String>) -> ShareRepository {
    let RegistryArguments { account, in_region } = registry;
    ShareRepository { account, region: in_region, repository, user }
}

async fn share(arguments: ShareArguments) -> Result<()> {
    let ShareArguments { place, image, time, uses, user, host, json, registry } = arguments;
    let (repository, image) =
        image.split_once('@').or_else(|| image.rsplit_once(':')).ok_or_else(|| {
            anyhow!("{image:?} names no image; give `REPOSITORY:TAG` or `REPOSITORY@DIGEST`")
        })?;
    let repository = repository.to_owned();
    let seconds = parse_seconds(&time).map_err(|error| anyhow!("`--for`: {error}"))?;
    let place = Place::find(&place)?;
    let host = match host {
        Some(host) => host,
        None => place.hosts()?.swap_remove(0),
    };
    let wanted = WantedShare {
        repository: of(repository.clone(), registry, user),
        image: image.to_owned(),
        seconds,
        uses,
    };
    let made: MadeShare = call(&place.layout, Method::POST, "/image-shares", Some(&wanted)).await?;
    let MadeShare { share, user, password, .. } = &made;
    let reference = format!("{host}/{repository}@{}", share.digest);
    if json {
        let mut value = serde_json::to_value(&made)?;
        value["reference"] = reference.into();
        say!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    say!("Share      {}\nImage      {reference}\nUser       {user}", share.id);
    say!("Password   {password}\nGood until {}", share.expires_at);
    if let Some(uses) = share.uses_max {
        say!("Pulls      {uses}");
    }
    say!(
        "\nWhoever has the password pulls with:\n\n  docker login --username {user} \
         --password-stdin {host}\n  docker pull {reference}\n\nor, without logging in:\n\n  \
         skopeo copy --src-creds {user}:PASSWORD docker://{reference} oci:image"
    );
    Ok(())
}

fn print_line(share: &Share) {
    let Share { id, status, digest, made_by, expires_at, uses, uses_max, .. } = share;
    let uses_max = uses_max.map_or_else(|| "any".to_owned(), |max| max.to_string());
    say!("{id}  {status:<8}  {expires_at}  {uses}/{uses_max}  {digest}  {made_by}");
}
