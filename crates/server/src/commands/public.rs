//! `tonnage public`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use http::Method;
use tonnage_domain::names::AccountId;
use tonnage_domain::public::aliases::AliasName;
use tonnage_domain::public::domains::DomainName;
use tonnage_domain::repositories::TagMutability;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::{
    PublicAlias, PublicAliases, PublicDomain, PublicDomains, PublicSettings, PullCount, PullCounts,
};
use crate::cli::{
    Movable, OnOff, PlaceArguments, PublicAliasArguments, PublicAliasCommands, PublicCommands,
    PublicDomainArguments, PublicDomainCommands, PublicSetArguments,
};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: PublicCommands) -> Result<ExitCode> {
    match command {
        PublicCommands::Aliases(command) => aliases(command).await?,
        PublicCommands::Domains(command) => domains(command).await?,
        PublicCommands::Pulls { place, account, repository, days, by, json } => {
            let place = Place::find(&place)?;
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("repository", &repository).append_pair("days", &days.to_string());
            if let Some(by) = &by {
                query.append_pair("by", by);
            }
            let path = format!("/public/{}/pulls?{}", parse_account(&account)?, query.finish());
            pulls(&place, &path, by.as_deref(), json).await?;
        }
        PublicCommands::Settings { place, account, repository } => {
            settings(&place, &account, &repository).await?;
        }
        PublicCommands::Set(arguments) => set(arguments).await?,
        PublicCommands::Verify { place, account } => {
            verify(&place, &account, Method::PUT).await?;
            say!("The public registry of account {account} is verified.");
        }
        PublicCommands::Unverify { place, account } => {
            verify(&place, &account, Method::DELETE).await?;
            say!("The public registry of account {account} is not verified.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn pulls(place: &Place, path: &str, by: Option<&str>, json: bool) -> Result<()> {
    let mut after: Option<String> = None;
    let mut listed = Vec::new();
    match by {
        _ if json => {}
        None => say!("{:10}  {:>8}  {:24}  {:16}  DIGEST", "DAY", "PULLS", "TAG", "PLATFORM"),
        Some(by) => say!("{:>8}  {}", "PULLS", by.to_uppercase()),
    }
    loop {
        let after_encoded: String =
            form_urlencoded::byte_serialize(after.unwrap_or_default().as_bytes()).collect();
        let page_path = match after_encoded.as_str() {
            "" => path.to_owned(),
            after => format!("{path}&after={after}"),
        };
        let page: PullCounts = call(&place.layout, Method::GET, &page_path, None::<&()>).await?;
        match json {
            true => listed.extend(page.counts),
            false => page.counts.into_iter().for_each(|count| print_count(count, by.is_some())),
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if json {
        say!("{}", serde_json::to_string_pretty(&listed)?);
    }
    Ok(())
}

fn print_count(count: PullCount, is_sum: bool) {
    let PullCount { day, tag, digest, platform, network, pulls } = count;
    if is_sum {
        let name = day.or(tag).or(digest).or(platform).or(network);
        say!("{pulls:>8}  {}", name.as_deref().unwrap_or("-"));
        return;
    }
    let [day, tag, digest, platform] = [day, tag, digest, platform].map(Option::unwrap_or_default);
    say!("{day:10}  {pulls:>8}  {tag:24}  {platform:16}  {digest}");
}

async fn domains(command: PublicDomainCommands) -> Result<()> {
    let (arguments, method, verb) = match command {
        PublicDomainCommands::List { place, account } => {
            let path = format!("/public/{}/domains", parse_account(&account)?);
            let layout = Place::find(&place)?.layout;
            let listed: PublicDomains = call(&layout, Method::GET, &path, None::<&()>).await?;
            listed.domains.iter().for_each(print_domain);
            return Ok(());
        }
        PublicDomainCommands::Prove(arguments) => (arguments, Method::PUT, ""),
        PublicDomainCommands::Remove(arguments) => (arguments, Method::DELETE, ""),
        PublicDomainCommands::Revoke(arguments) => (arguments, Method::POST, "/revoke"),
        PublicDomainCommands::Allow(arguments) => (arguments, Method::POST, "/allow"),
    };
    let PublicDomainArguments { place, account, domain } = arguments;
    let domain = DomainName::parse(&domain).map_err(|error| anyhow!("{error}"))?;
    let layout = Place::find(&place)?.layout;
    let path = format!("/public/{}/domains/{domain}{verb}", parse_account(&account)?);
    if method == Method::DELETE {
        let _: serde_json::Value = call(&layout, method, &path, None::<&()>).await?;
        say!("The public registry of account {account} has no domain {domain}.");
        return Ok(());
    }
    let is_proof = method == Method::PUT;
    let known: PublicDomain = call(&layout, method, &path, None::<&()>).await?;
    print_domain(&known);
    if is_proof && known.status == "PENDING" {
        say!(
            "\nServe a file with this line at this address, or have this text record in the DNS, then \
             call this once more; both are looked for now, and by themselves for a week."
        );
    }
    Ok(())
}

fn print_domain(domain: &PublicDomain) {
    let PublicDomain { domain, status, file, line, record, text, checked_at, problem } = domain;
    say!("Domain   {domain}\nStatus   {status}\nAddress  {file}\nLine     {line}");
    say!("Record   {record} TXT \"{text}\"");
    if let Some(at) = checked_at {
        say!("Looked   {at}");
    }
    if !problem.is_empty() {
        say!("Problem  {problem}");
    }
}

async fn settings(place: &PlaceArguments, account: &str, repository: &str) -> Result<()> {
    let place = Place::find(place)?;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("repository", repository)
        .finish();
    let path = format!("/public/{}/settings?{query}", parse_account(account)?);
    print_settings(&call(&place.layout, Method::GET, &path, None::<&()>).await?);
    Ok(())
}

async fn set(arguments: PublicSetArguments) -> Result<()> {
    let PublicSetArguments { place, account, repository, tags, except, scan } = arguments;
    let tag_mutability = tags.map(|tags| match (tags, except.is_empty()) {
        (Movable::Mutable, true) => TagMutability::Mutable,
        (Movable::Mutable, false) => TagMutability::MutableWithExclusion,
        (Movable::Immutable, true) => TagMutability::Immutable,
        (Movable::Immutable, false) => TagMutability::ImmutableWithExclusion,
    });
    let wanted = PublicSettings {
        repository,
        tag_mutability: tag_mutability.map(|setting| setting.as_str().to_owned()),
        exclusions: except,
        scan_on_push: scan.map(|scan| scan == OnOff::On),
    };
    let place = Place::find(&place)?;
    let path = format!("/public/{}/settings", parse_account(&account)?);
    print_settings(&call(&place.layout, Method::PUT, &path, Some(&wanted)).await?);
    Ok(())
}

fn print_settings(settings: &PublicSettings) {
    let tags = settings.tag_mutability.as_deref().unwrap_or_default();
    let except = match settings.exclusions.as_slice() {
        [] => String::new(),
        some => format!(", except {}", some.join(" ")),
    };
    let scan = if settings.scan_on_push == Some(true) { "on" } else { "off" };
    say!("Repository  {}\nTags        {tags}{except}\nScan        {scan}", settings.repository);
}

async fn aliases(command: PublicAliasCommands) -> Result<()> {
    let (arguments, verb) = match command {
        PublicAliasCommands::List { place } => return list(&place).await,
        PublicAliasCommands::Request(arguments) => (arguments, "request"),
        PublicAliasCommands::Approve(arguments) => (arguments, "approve"),
        PublicAliasCommands::Reject(arguments) => (arguments, "reject"),
        PublicAliasCommands::Primary(arguments) => (arguments, "primary"),
    };
    let PublicAliasArguments { place, name, account } = arguments;
    if AliasName::parse(&name).is_none() {
        bail!(
            "{name:?} is no alias, which has 2 to {} characters: lower-case letters and digits, a \
             letter first, with single `.`, `_` or `-` between",
            AliasName::MAXIMUM_LENGTH
        );
    }
    let place = Place::find(&place)?;
    let path = format!("/public/{}/aliases/{name}/{verb}", parse_account(&account)?);
    let alias: PublicAlias = call(&place.layout, Method::POST, &path, None::<&()>).await?;
    let primary = if alias.primary { ", primary" } else { "" };
    say!("Alias {} of account {}: {}{primary}.", alias.name, alias.account, alias.status);
    Ok(())
}

async fn list(place: &PlaceArguments) -> Result<()> {
    let place = Place::find(place)?;
    let mut path = "/public/aliases".to_owned();
    loop {
        let page: PublicAliases = call(&place.layout, Method::GET, &path, None::<&()>).await?;
        for alias in page.aliases {
            let kind = match (alias.primary, alias.default) {
                (true, true) => "primary, default",
                (true, false) => "primary",
                (false, true) => "default",
                (false, false) => "",
            };
            let PublicAlias { account, name, status, requested_at, .. } = alias;
            say!("{account}  {status:<8}  {requested_at}  {name}  {kind}");
        }
        let Some(next) = page.next else { return Ok(()) };
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("after", &next).finish();
        path = format!("/public/aliases?{query}");
    }
}

async fn verify(place: &PlaceArguments, account: &str, method: Method) -> Result<()> {
    let path = format!("/public/{}/verification", parse_account(account)?);
    let _: serde_json::Value =
        call(&Place::find(place)?.layout, method, &path, None::<&()>).await?;
    Ok(())
}

fn parse_account(text: &str) -> Result<AccountId> {
    AccountId::parse(text).map_err(|_| anyhow!("{text:?} is no account id, which has 12 digits"))
}
