//! `tonnage images`, of what is in them: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use http::Method;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::place::Place;
use crate::admin::client::call;
use crate::admin::images::{
    Attached, Base, Findings, FlawedPackage, Image, Images, SbomsOnPush, WantedFindings,
    WantedImages,
};
use crate::admin::{Sbom, WantedSbom};
use crate::cli::{FindingOrigin, ImageContentCommands, PlaceArguments, RegistryArguments};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: ImageContentCommands) -> Result<ExitCode> {
    match command {
        ImageContentCommands::Find {
            place,
            package,
            ecosystem,
            below,
            at_least,
            pulled_since,
            repository,
            tag,
            json,
            registry,
        } => {
            let since = pulled_since.as_deref().map(|text| since(text, Timestamp::now()));
            let wanted = WantedImages {
                account: registry.account,
                region: registry.in_region,
                package,
                ecosystem,
                below,
                at_least,
                pulled_since: since.transpose()?.map(|time| time.to_string()),
                repository_prefix: repository,
                tag,
                after: None,
            };
            find(&place, wanted, json).await?;
        }
        ImageContentCommands::Findings { place, repository, image, from, json, registry } => {
            let RegistryArguments { account, in_region } = registry;
            let wanted =
                WantedFindings { account, region: in_region, repository, image, after: None };
            findings(&place, wanted, from, json).await?;
        }
        ImageContentCommands::Sbom { place, repository, image, format, attach, registry } => {
            let RegistryArguments { account, in_region } = registry;
            let wanted = WantedSbom { account, region: in_region, repository, image, format };
            sbom(&place, &wanted, attach).await?;
        }
        ImageContentCommands::SbomOnPush { place, formats, repositories, off, registry } => {
            let method = if off || !formats.is_empty() { Method::PUT } else { Method::POST };
            let RegistryArguments { account, in_region } = registry;
            let wanted = SbomsOnPush { account, region: in_region, formats, filters: repositories };
            sboms_on_push(&place, method, &wanted).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A time, the beginning of a day in UTC, or a while ago.
fn since(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<Date>() {
        let midnight = day.to_zoned(jiff::tz::TimeZone::UTC);
        return Ok(midnight.with_context(|| format!("{text} is no day"))?.timestamp());
    }
    let units = [('m', 60), ('h', 3_600), ('d', 86_400), ('w', 7 * 86_400)];
    let mut characters = text.chars();
    let unit = characters.next_back();
    let seconds = units.iter().find(|(name, _)| Some(*name) == unit).map(|(_, seconds)| *seconds);
    let count = characters.as_str().parse::<u32>().ok();
    let (Some(count), Some(seconds)) = (count, seconds) else {
        bail!("{text:?} is no time: write 12h, 7d or 2w, 2026-01-31, or 2026-01-31T12:00:00Z");
    };
    let ago = SignedDuration::from_secs(i64::from(count) * seconds);
    now.checked_sub(ago).with_context(|| format!("{text} is too long ago"))
}

async fn find(place: &PlaceArguments, mut wanted: WantedImages, is_json: bool) -> Result<()> {
    let layout = Place::find(place)?.layout;
    let mut count = 0;
    loop {
        let found: Images = call(&layout, Method::POST, "/images/find", Some(&wanted)).await?;
        for image in &found.images {
            if is_json {
                say!("{}", serde_json::to_string(image)?);
            } else {
                if count == 0 {
                    say!("{:<40} {:<20} {:<20} PACKAGES", "IMAGE", "TAGS", "LAST PULLED");
                }
                print_image(image);
            }
            count += 1;
        }
        wanted.after = found.next;
        if wanted.after.is_none() {
            break;
        }
    }
    if count == 0 && !is_json {
        say!(
            "No image that was scanned has this package. Packages of Debian, Ubuntu and Alpine are \
             known by their source package: openssl, not libssl3."
        );
    }
    Ok(())
}

async fn findings(
    place: &PlaceArguments,
    mut wanted: WantedFindings,
    from: Option<FindingOrigin>,
    is_json: bool,
) -> Result<()> {
    let layout = Place::find(place)?.layout;
    let path = "/images/findings";
    let mut found: Findings = call(&layout, Method::POST, path, Some(&wanted)).await?;
    while found.next.is_some() {
        wanted.after = found.next.take();
        let page: Findings = call(&layout, Method::POST, path, Some(&wanted)).await?;
        found.findings.extend(page.findings);
        found.next = page.next;
    }
    if is_json {
        say!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    say!("{} is {}. {}", found.digest, found.status, found.description);
    match &found.base {
        None => say!("What it was built on is not known."),
        Some(base) => print_base(base, found.layers.len()),
    }
    let is_meant = |package: &FlawedPackage| match from {
        None => true,
        Some(origin) => (origin == FindingOrigin::Base) == (package.is_base == Some(true)),
    };
    say!("{:<13} {:<18} {:<10} {:>5} {:<7} PACKAGE", "SEVERITY", "NAME", "STATUS", "LAYER", "FROM");
    for finding in &found.findings {
        for package in finding.packages.iter().filter(|package| is_meant(package)) {
            let layer = package.layer.map_or("-".to_owned(), |layer| layer.to_string());
            let origin = match package.is_base {
                Some(true) => "base",
                Some(false) => "own",
                None => "-",
            };
            let fixed = package.fixed_version.as_deref().map(|it| format!(" (fixed in {it})"));
            say!(
                "{:<13} {:<18} {:<10} {layer:>5} {origin:<7} {} {}{}",
                finding.severity,
                finding.name,
                finding.status,
                package.name,
                package.version,
                fixed.unwrap_or_default()
            );
        }
    }
    Ok(())
}

fn print_base(base: &Base, layers: usize) {
    let place = match (&base.repository, &base.name) {
        (Some(repository), _) if base.tags.is_empty() => repository.clone(),
        (Some(repository), _) => format!("{repository}:{}", base.tags.join(",")),
        (None, Some(name)) => name.clone(),
        (None, None) => "an image that is not here".to_owned(),
    };
    let digest = base.digest.as_deref().map_or(String::new(), |digest| format!(" {digest}"));
    let own = match base.layers {
        Some(own) => format!("its first {own} of {layers} layers"),
        None => "its layers are not known here".to_owned(),
    };
    say!("Built on {place}{digest}: {own} (known by {}).", base.known_by);
}

async fn sbom(place: &PlaceArguments, wanted: &WantedSbom, attach: bool) -> Result<()> {
    let layout = Place::find(place)?.layout;
    if !attach {
        let sbom: Sbom = call(&layout, Method::POST, "/repositories/sbom", Some(wanted)).await?;
        say!("{}", sbom.document);
        return Ok(());
    }
    let attached: Attached =
        call(&layout, Method::POST, "/images/sbom/attach", Some(wanted)).await?;
    let how = if attached.is_new { "was attached" } else { "is attached already" };
    say!("{} ({}) {how} to {}.", attached.digest, attached.artifact_type, attached.subject);
    Ok(())
}

async fn sboms_on_push(place: &PlaceArguments, method: Method, wanted: &SbomsOnPush) -> Result<()> {
    let layout = Place::find(place)?.layout;
    let holds: SbomsOnPush = call(&layout, method, "/images/sbom/on-push", Some(wanted)).await?;
    if holds.formats.is_empty() {
        say!("No bills of materials are attached to what is pushed.");
        return Ok(());
    }
    let of = match holds.filters.is_empty() {
        true => "all repositories".to_owned(),
        false => holds.filters.join(" "),
    };
    say!("Attached to what is pushed: {} ({of}).", holds.formats.join(", "));
    Ok(())
}

fn print_image(image: &Image) {
    /// Characters of a digest that tell it apart from the others of a repository.
    const DIGEST: usize = 19;
    let digest: String = image.digest.chars().take(DIGEST).collect();
    let packages = image.packages.iter().map(|package| {
        let note = if package.is_ordered { "" } else { " (not compared)" };
        format!("{} {} ({}){note}", package.name, package.version, package.ecosystem)
    });
    say!(
        "{:<40} {:<20} {:<20} {}",
        format!("{}@{digest}", image.repository),
        if image.tags.is_empty() { "-".to_owned() } else { image.tags.join(" ") },
        image.last_pulled_at.as_deref().unwrap_or("never"),
        packages.collect::<Vec<_>>().join(", "),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let now: Timestamp = "2026-02-10T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("30m", Some("2026-02-10T11:30:00Z")),
            ("12h", Some("2026-02-10T00:00:00Z")),
            ("7d", Some("2026-02-03T12:00:00Z")),
            ("2w", Some("2026-01-27T12:00:00Z")),
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("2026-01-31T12:00:00+02:00", Some("2026-01-31T10:00:00Z")),
            ("7", None),
            ("d", None),
            ("-1d", None),
            ("4294967295w", None),
            ("7é", None),
            ("yesterday", None),
        ] {
            let found = since(text, now).ok().map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
