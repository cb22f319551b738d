//! What a scan found wrong with an image, and which layer brought it.

use maud::{Markup, html};
use tonnage_domain::images::ImageStatus;
use tonnage_domain::overview::describe_image_content::ImageContent;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::describe_finding_origins::{
    BaseImage, BaseSource, FindingOrigins, Layer, Origin,
};
use tonnage_domain::scanning::findings::StoredFinding;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::{scan_words, severity_kind};
use crate::format;

/// Findings of a page.
pub(super) const PAGE: u32 = 50;
/// Characters of a description in a table, and of the command that made a layer.
const DESCRIPTION_MAX: usize = 300;
const COMMAND_MAX: usize = 80;
/// Packages of a finding that are named.
const PACKAGES: usize = 3;

pub(super) fn section(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    image: &ImageContent,
    scan: &Part<Option<FindingOrigins>>,
) -> Markup {
    let own = asked.repository_path(&repository.name, &format!("images/{}", image.digest));
    let start = parts::button(asked, &own, "Scan now", &[("do", "scan")]);
    html! {
        section aria-labelledby="findings" {
            div.section-head {
                h2 #findings { "Findings" }
                @if image.children.is_empty() && image.status == ImageStatus::Active { (start) }
            }
            (parts::live("findings", &html! { @match scan {
                Err(error) => (parts::denied("The scan", error)),
                Ok(None) if !image.children.is_empty() => p.quiet { "Each platform is scanned by itself." },
                Ok(None) => p.quiet { "This image was not scanned." },
                Ok(Some(origins)) => (found(asked, repository, image, origins)),
            } }))
        }
    }
}

fn found(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    image: &ImageContent,
    origins: &FindingOrigins,
) -> Markup {
    let found = &origins.findings;
    html! {
        p { (scan_words(Some(&found.scan))) }
        @if !found.scan.description.is_empty() { p.quiet { (found.scan.description) } }
        @if let Some(at) = found.scan.completed_at { p.quiet.small { "Scanned " (format::moment(at)) " UTC" } }
        @if let Some(base) = &origins.base { p { (base_words(asked, base)) } }
        @if !found.findings.items.is_empty() {
            (parts::table("Findings", &["Name", "Severity", "Package", "Fixed in", "Came with", "About"], &html! {
                @for finding in &found.findings.items { (row(finding, origins)) }
            }))
            @let path = format!("repositories/{}/-/images/{}", repository.name, image.digest);
            (parts::pages(asked, &path, &[], found.findings.next.as_deref()))
        }
    }
}

/// What the image was built on, as it says itself or as its layers tell.
fn base_words(asked: &Asked<'_>, base: &BaseImage) -> Markup {
    let tag = base.tags.first();
    let in_here = base.repository.as_ref().map(|repository| match tag {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.to_string(),
    });
    let name = base.name.clone().or(in_here);
    let name = name.or_else(|| base.digest.as_deref().map(format::short));
    let page = base.repository.as_ref().map(|repository| match &base.digest {
        Some(digest) => asked.repository_path(repository, &format!("images/{digest}")),
        None => asked.repository_path(repository, ""),
    });
    html! {
        "Built on "
        @match (page, name) {
            (Some(page), Some(name)) => a href=(page) { (name) },
            (None, Some(name)) => code { (name) },
            (_, None) => "an image without a name",
        }
        @match base.source {
            BaseSource::Annotation => ", as it says itself",
            BaseSource::Layers => ", whose layers it begins with",
        }
        @match base.layers {
            Some(layers) => { ": " (format::count(u64::try_from(layers).unwrap_or_default(), "layer", "layers")) " of its own." }
            None => ".",
        }
    }
}

fn row(stored: &StoredFinding, origins: &FindingOrigins) -> Markup {
    let finding = &stored.finding;
    let about: String = finding.description.chars().take(DESCRIPTION_MAX).collect();
    let is_link = finding.uri.starts_with("https://") || finding.uri.starts_with("http://");
    html! { tr {
        th scope="row" {
            span.nowrap {
                @if is_link { a href=(finding.uri) rel="noreferrer" { (finding.name) } } @else { (finding.name) }
            }
            @if finding.is_exploited { " " (parts::badge("bad", "exploited")) }
        }
        td { (parts::badge(severity_kind(finding.severity), &finding.severity.as_str().to_lowercase())) }
        td { @for package in finding.packages.iter().take(PACKAGES) { div { (package.name) " " span.quiet { (package.version) } } } }
        td { @match finding.packages.iter().find_map(|package| package.fixed_version.as_deref()) {
            Some(version) => (version), None => span.quiet { "none yet" },
        } }
        td { (came_with(stored, origins)) }
        td.about { span.small { (about) @if about.len() < finding.description.len() { "…" } } }
    } }
}

/// The layers of the packages of a finding: from the base or not, the number and what made it.
fn came_with(stored: &StoredFinding, origins: &FindingOrigins) -> Markup {
    let packages = stored.finding.packages.iter().take(PACKAGES);
    let mut places: Vec<_> =
        packages.map(|package| origins.of(package.layer_digest.as_deref())).collect();
    places.dedup();
    html! { @for origin in &places { (place(*origin, &origins.layers)) } }
}

fn place(origin: Origin, layers: &[Layer]) -> Markup {
    let Some(index) = origin.layer else { return html! { span.quiet { "not known" } } };
    let command = layers.get(index).and_then(|layer| layer.created_by.as_deref());
    html! {
        div.layer {
            span.nowrap { "Layer " (index + 1) }
            @match origin.is_base {
                Some(true) => { " " (parts::badge("", "base")) }
                Some(false) => { " " (parts::badge("warn", "this image")) }
                None => {}
            }
            @if let Some(command) = command {
                code.made-by title=(command) {
                    (command.chars().take(COMMAND_MAX).collect::<String>())
                    @if command.chars().count() > COMMAND_MAX { "…" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_package_is_from() {
        let layer = |command: &str| Layer {
            digest: String::new(),
            created_by: (!command.is_empty()).then(|| command.to_owned()),
        };
        let layers = [layer("ADD <rootfs> /"), layer(&"x".repeat(COMMAND_MAX + 1)), layer("")];
        let cut = format!(">{}…<", "x".repeat(COMMAND_MAX));
        for (index, is_base, words, absent) in [
            (Some(0), Some(true), &["Layer 1", ">base<", "ADD &lt;rootfs&gt; /"][..], "this image"),
            (Some(1), Some(false), &["Layer 2", ">this image<", &cut], ">base<"),
            (Some(2), None, &["Layer 3"], "badge"),
            (Some(3), None, &["Layer 4"], "badge"),
            (None, None, &["not known"], "Layer"),
        ] {
            let shown = place(Origin { layer: index, is_base }, &layers).into_string();
            assert!(words.iter().all(|word| shown.contains(word)), "{index:?}: {shown}");
            assert!(!shown.contains(absent), "{index:?}: {shown}");
        }
    }
}
