//! `tonnage replication`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum as _;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::replication::{
    Copies, Copy, Destination, Destinations, Refinement, Refinements, Retried, Retry,
};
use crate::cli::{PlaceArguments, RegistryArguments, ReplicatedSetting, ReplicationCommands};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: ReplicationCommands) -> Result<ExitCode> {
    match command {
        ReplicationCommands::Refine {
            place,
            destination,
            repositories,
            tags,
            settings,
            registry,
        } => {
            let (to_account, to_region) = parse_destination(&destination)?;
            let refinement = Refinement {
                account: registry.account,
                region: registry.in_region,
                to_account,
                to_region,
                repositories,
                tags,
                settings: settings.into_iter().filter_map(name).collect(),
                is_configured: true,
            };
            let (layout, path) = (Place::find(&place)?.layout, "/replication/refinements");
            let refined: Refinements = call(&layout, Method::PUT, path, Some(&refinement)).await?;
            print_refinements(&refined);
        }
        ReplicationCommands::Show { place, registry } => {
            let path = format!("/replication/refinements?{}", query(&registry, &[]));
            print_refinements(&get(&place, &path).await?);
        }
        ReplicationCommands::Status { place, repository: None, registry } => {
            let path = format!("/replication?{}", query(&registry, &[]));
            let found: Destinations = get(&place, &path).await?;
            print_destinations(&found.destinations);
        }
        ReplicationCommands::Status { place, repository: Some(repository), registry } => {
            print_copies(&place, &repository, &registry).await?;
        }
        ReplicationCommands::Retry { place, repository, destination, registry } => {
            let destination = destination.as_deref().map(parse_destination).transpose()?;
            let (to_account, to_region) = match destination {
                Some((account, region)) => (account, Some(region)),
                None => (None, None),
            };
            let retry = Retry {
                account: registry.account,
                region: registry.in_region,
                repository,
                to_account,
                to_region,
                after: None,
            };
            retry_all(&place, retry).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn name(setting: ReplicatedSetting) -> Option<String> {
    setting.to_possible_value().map(|value| value.get_name().to_owned())
}

/// An account, if one is named, and a region.
fn parse_destination(text: &str) -> Result<(Option<String>, String)> {
    match text.split_once('/') {
        None if text.is_empty() => bail!("a destination is a region or `ACCOUNT/REGION`"),
        None => Ok((None, text.to_owned())),
        Some((account, region)) if account.len() == 12 && !region.is_empty() => {
            Ok((Some(account.to_owned()), region.to_owned()))
        }
        Some(_) => bail!("{text:?} is no destination: it is a region or `ACCOUNT/REGION`"),
    }
}

fn query(registry: &RegistryArguments, more: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(account) = &registry.account {
        query.append_pair("account", account);
    }
    if let Some(region) = &registry.in_region {
        query.append_pair("region", region);
    }
    query.extend_pairs(more);
    query.finish()
}

async fn get<T: serde::de::DeserializeOwned>(place: &PlaceArguments, path: &str) -> Result<T> {
    call(&Place::find(place)?.layout, Method::GET, path, None::<&()>).await
}

fn list(items: &[String], otherwise: &str) -> String {
    if items.is_empty() { otherwise.to_owned() } else { items.join(" ") }
}

fn print_refinements(refinements: &Refinements) {
    if refinements.destinations.is_empty() {
        say!("The registry has no replication rules.");
    }
    for refinement in &refinements.destinations {
        let account = refinement.to_account.as_deref().unwrap_or("-");
        let note = if refinement.is_configured { "" } else { " (no rule has it)" };
        say!("{account}/{}{note}", refinement.to_region);
        say!("  repositories  {}", list(&refinement.repositories, "as the rules say"));
        say!("  tags          {}", list(&refinement.tags, "all"));
        say!("  settings      {}", list(&refinement.settings, "none"));
    }
}

fn print_destinations(destinations: &[Destination]) {
    say!(
        "{:<30} {:>8} {:<24} {:<24} {:>10}",
        "DESTINATION",
        "WAITING",
        "OLDEST",
        "LAST COPY",
        "FAILED 24H"
    );
    for found in destinations {
        let more = if found.more_waiting { "+" } else { "" };
        let note = if found.is_configured { "" } else { " (no rule has it)" };
        say!(
            "{:<30} {:>8} {:<24} {:<24} {:>10}{note}",
            format!("{}/{}", found.account, found.region),
            format!("{}{more}", found.waiting),
            found.oldest_at.as_deref().unwrap_or("-"),
            found.last_completed_at.as_deref().unwrap_or("-"),
            found.failed_in_last_day,
        );
    }
}

async fn print_copies(
    place: &PlaceArguments,
    repository: &str,
    registry: &RegistryArguments,
) -> Result<()> {
    say!("{:<30} {:<12} {:>9} {:<20} WHAT", "DESTINATION", "STATUS", "LAG", "REASON");
    let mut after: Option<String> = None;
    loop {
        let mut more = vec![("repository", repository)];
        more.extend(after.as_deref().map(|after| ("after", after)));
        let path = format!("/replication/images?{}", query(registry, &more));
        let page: Copies = get(place, &path).await?;
        for copy in page.settings.iter().chain(&page.images) {
            print_copy(copy);
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn print_copy(copy: &Copy) {
    say!(
        "{:<30} {:<12} {:>9} {:<20} {} {}",
        format!("{}/{}", copy.account, copy.region),
        copy.status,
        format!("{}.{:01} s", copy.lag_millis / 1000, copy.lag_millis % 1000 / 100),
        copy.failure_code.as_deref().unwrap_or("-"),
        copy.what,
        copy.tags.join(" "),
    );
}

async fn retry_all(place: &PlaceArguments, mut retry: Retry) -> Result<()> {
    let layout = Place::find(place)?.layout;
    let (mut images, mut settings, mut jobs) = (0, 0, 0);
    loop {
        let retried: Retried =
            call(&layout, Method::POST, "/replication/retry", Some(&retry)).await?;
        images += retried.images;
        settings += retried.settings;
        jobs += retried.jobs;
        retry.after = retried.next;
        if retry.after.is_none() {
            break;
        }
    }
    say!("Queued again: {images} copies of images, {settings} settings.");
    if jobs > 0 {
        say!("Jobs that had given up and run again: {jobs}.");
    }
    Ok(())
}
