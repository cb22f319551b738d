//! The page of an image.

use std::collections::BTreeMap;

use maud::{Markup, html};
use tonnage_domain::gallery::view_image::{ImageConfig, ImageView, Part};
use tonnage_domain::names::Reference;

use super::lists::shown_name;
use super::repository::command;
use super::{Visit, publisher_path, repository_path, scans};
use crate::format;
use crate::layout::{self, Page, crumbs, verified};

pub(super) fn page(visit: &Visit<'_>, view: &ImageView, reference: &Reference) -> String {
    let listing = &view.listing;
    let path = repository_path(listing);
    let (name, publisher) = (listing.name.as_str(), shown_name(&listing.publisher));
    let separator = if reference.digest().is_some() { '@' } else { ':' };
    let own_path = format!("{path}{separator}{reference}", reference = reference.as_str());
    let shown = match reference.digest() {
        Some(digest) => format::short(digest.as_str()),
        None => reference.as_str().to_owned(),
    };
    let steps = view.layers.first().and(view.config.as_ref()).map(|config| &config.steps);
    let steps = steps.filter(|steps| steps.len() == view.layers.len());
    let content = html! {
        (crumbs(&[
            ("Gallery", "/".to_owned()), (publisher, publisher_path(listing)), (name, path.clone()),
        ], &shown))
        div.title {
            div {
                div.line { h1 { (name) span.quiet { (separator) } (shown) } (verified(&listing.publisher)) }
                p { "by " a href=(publisher_path(listing)) { (publisher) } }
            }
        }
        (command(&format!("docker pull {}{own_path}", visit.authority)))
        dl.numbers {
            div { dt { "Size" } dd { (format::size(view.size)) } }
            div { dt { "First pushed" } dd { (format::day(view.pushed_at)) } }
            @if let Some(config) = &view.config { @if !config.platform.is_empty() {
                div { dt { "Platform" } dd { (config.platform) } }
            } }
        }
        section aria-labelledby="details" {
            h2 #details { "Details" }
            (details(&path, view))
        }
        @if !view.children.is_empty() {
            section aria-labelledby="platforms" {
                h2 #platforms { "Platforms" }
                (platforms(&path, view))
            }
        }
        @if view.settings.scan_on_push && view.children.is_empty() { (scans::section(view)) }
        @if let Some(config) = &view.config { (configuration(config)) }
        (pairs("labels", "Labels", view.config.as_ref().map(|config| &config.labels)))
        (pairs("annotations", "Annotations", Some(&view.annotations)))
        @if !view.layers.is_empty() {
            section aria-labelledby="layers" {
                h2 #layers { "Layers" }
                (table("layers", ["Layer", "Size", "Digest"], &html! {
                    @for (index, layer) in view.layers.iter().enumerate() { tr {
                        th scope="row" {
                            @match steps.and_then(|steps| steps.get(index)).filter(|step| !step.is_empty()) {
                                Some(step) => code.step { (step) },
                                None => { (index + 1) ". " span.quiet { (layer.media_type) } },
                            }
                        }
                        td.number { (format::size(layer.size)) }
                        td { code title=(layer.digest) { (format::short(layer.digest.as_str())) } }
                    } }
                }))
            }
        }
        section aria-labelledby="attached" {
            h2 #attached { "Attached documents" }
            @if view.referrers.is_empty() {
                p.quiet { "Nothing refers to this image: no signature, no list of contents, no attestation." }
            } @else {
                (table("attached", ["Type", "Size", "Digest"], &html! {
                    @for referrer in &view.referrers { tr {
                        th scope="row" { (referrer.media_type) }
                        td.number { (format::size(referrer.size)) }
                        td { (digest_link(&path, referrer)) }
                    } }
                }))
            }
        }
    };
    layout::render(&Page {
        title: Some(&format!("{publisher} / {name}{separator}{shown}")),
        description: &format!(
            "The image {name}{separator}{shown} by {publisher}: platforms, layers and labels."
        ),
        canonical: Some(visit.address(&own_path)),
        query: Some(""),
        content,
    })
}

fn digest_link(path: &str, part: &Part) -> Markup {
    let digest = part.digest.as_str();
    html! { a.mono href={ (path) "@" (digest) } title=(digest) { (format::short(digest)) } }
}

fn table(label: &str, [name, size, digest]: [&str; 3], rows: &Markup) -> Markup {
    html! {
        div."box"."scroll" tabindex="0" role="group" aria-labelledby=(label) {
            table {
                thead { tr {
                    th scope="col" { (name) } th scope="col" class="number" { (size) } th scope="col" { (digest) }
                } }
                tbody { (rows) }
            }
        }
    }
}

fn platforms(path: &str, view: &ImageView) -> Markup {
    let is_scanned = view.settings.scan_on_push;
    html! {
        div."box"."scroll" tabindex="0" role="group" aria-labelledby="platforms" {
            table {
                thead { tr {
                    th scope="col" { "Platform" } th scope="col" class="number" { "Size" }
                    @if is_scanned { th scope="col" { "Scan" } }
                    th scope="col" { "Digest" }
                } }
                tbody { @for child in &view.children {
                    @let is_attestation = child.platform.is_empty() || child.platform == "unknown/unknown";
                    tr {
                        th scope="row" { @if is_attestation { "attestation" } @else { (child.platform) } }
                        td.number { (format::size(child.size)) }
                        @if is_scanned { td { (scans::summary(view.child_scans.get(child.digest.as_str()))) } }
                        td { (digest_link(path, child)) }
                    }
                } }
            }
        }
    }
}

fn details(path: &str, view: &ImageView) -> Markup {
    html! {
        dl."box"."pairs" {
            div { dt { "Digest" } dd { code { (view.digest) } } }
            div { dt { "Tags" } dd {
                @if view.tags.is_empty() { span.quiet { "none" } } @else {
                    ul.badges { @for tag in &view.tags { li { a.badge href={ (path) ":" (tag) } { (tag) } } } }
                }
            } }
            div { dt { "Media type" } dd { code { (view.media_type) } } }
            @if let Some(artifact_type) = &view.artifact_type {
                div { dt { "Artifact type" } dd { code { (artifact_type) } } }
            }
            @if let Some(subject) = &view.subject {
                div { dt { "Refers to" } dd { a.mono href={ (path) "@" (subject) } { (subject) } } }
            }
        }
    }
}

fn configuration(config: &ImageConfig) -> Markup {
    let rows = [
        ("Command", config.command.join(" ")),
        ("User", config.user.clone().unwrap_or_default()),
        ("Ports", config.ports.join(", ")),
    ];
    html! {
        @if rows.iter().any(|(_, value)| !value.is_empty()) {
            section aria-labelledby="runs" {
                h2 #runs { "How it runs" }
                dl."box"."pairs" {
                    @for (name, value) in &rows { @if !value.is_empty() {
                        div { dt { (name) } dd { code { (value) } } }
                    } }
                }
            }
        }
    }
}

fn pairs(id: &str, title: &str, pairs: Option<&BTreeMap<String, String>>) -> Markup {
    html! {
        @if let Some(pairs) = pairs.filter(|pairs| !pairs.is_empty()) {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) }
                dl."box"."pairs" {
                    @for (name, value) in pairs {
                        div { dt { code { (name) } } dd { (value) } }
                    }
                }
            }
        }
    }
}
