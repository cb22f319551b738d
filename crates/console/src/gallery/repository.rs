//! The page of a repository.

use maud::{Markup, PreEscaped, html};
use tonnage_domain::gallery::view_repository::{RepositoryView, TagView};
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};

use super::lists::{after, badges, logo, shown_name};
use super::{Visit, publisher_path, pulls, repository_path, scans};
use crate::chart;
use crate::layout::{self, Page, crumbs, verified};
use crate::{format, markdown};

pub(super) fn page(visit: &Visit<'_>, view: &RepositoryView, tag_prefix: &str) -> String {
    let listing = &view.listing;
    let path = repository_path(listing);
    let name = listing.name.as_str();
    let publisher = shown_name(&listing.publisher);
    let description = listing.description.as_deref();
    let content = html! {
        (crumbs(&[("Gallery", "/".to_owned()), (publisher, publisher_path(listing))], name))
        div.title {
            (logo(listing, "large logo"))
            div {
                div.line { h1 { (name) } (verified(&listing.publisher)) }
                p { "by " a href=(publisher_path(listing)) { (publisher) } }
                @if let Some(text) = description { p.lead { (text) } }
                (badges(listing))
            }
        }
        @if listing.tag_count > 0 { (pull_command(visit, &path, newest(view))) }
        dl.numbers {
            div { dt { "Pulls" } dd { (format::number(listing.pulls)) } }
            div { dt { "Tags" } dd { (format::number(listing.tag_count)) } }
            @if listing.tag_count > 0 { div { dt { "Updated" } dd { (format::day(listing.updated_at)) } } }
            div { dt { "Created" } dd { (format::day(view.created_at)) } }
        }
        (jumps(view))
        (text_section("about", "About", view.about_text.as_deref()))
        (text_section("usage", "Usage", view.usage_text.as_deref()))
        section aria-labelledby="tags" {
            (tags(visit, view, &path, tag_prefix))
        }
        @if listing.tag_count > 0 {
            section aria-labelledby="pulls" {
                h2 #pulls { "Pulls" }
                (chart::daily_pulls(&view.daily, view.today))
            }
        }
    };
    let fallback =
        format!("Pull {name} by {publisher} without an account: {}.", pulls(listing.pulls));
    layout::render(&Page {
        title: Some(&format!("{publisher} / {name}")),
        description: description.unwrap_or(&fallback),
        canonical: Some(visit.address(&path)),
        query: Some(""),
        content,
    })
}

/// The tag that the command has: `latest` where the page shows it, else what moved last.
fn newest(view: &RepositoryView) -> &str {
    let items = &view.tags.items;
    let latest = items.iter().find(|tag| tag.tag.as_str() == "latest");
    latest.or(items.first()).map_or("latest", |tag| tag.tag.as_str())
}

/// A command for pulling, which a click selects.
fn pull_command(visit: &Visit<'_>, path: &str, tag: &str) -> Markup {
    command(&format!("docker pull {}{path}:{tag}", visit.authority))
}

pub(super) fn command(text: &str) -> Markup {
    html! {
        div.command { code data-copy=(text) tabindex="0" { (text) } }
    }
}

/// The way down to the parts of a long page.
fn jumps(view: &RepositoryView) -> Markup {
    let parts = [
        (view.about_text.is_some(), "about", "About"),
        (view.usage_text.is_some(), "usage", "Usage"),
        (true, "tags", "Image tags"),
        (view.listing.tag_count > 0, "pulls", "Pulls"),
    ];
    html! {
        nav aria-label="On this page" {
            ul.jumps {
                @for (_, id, title) in parts.iter().filter(|(is_there, ..)| *is_there) {
                    li { a href={ "#" (id) } { (title) } }
                }
            }
        }
    }
}

fn text_section(id: &str, title: &str, text: Option<&str>) -> Markup {
    html! {
        @if let Some(text) = text {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) }
                div.prose { (PreEscaped(markdown::render(text))) }
            }
        }
    }
}

fn tags(visit: &Visit<'_>, view: &RepositoryView, path: &str, tag_prefix: &str) -> Markup {
    let page = &view.tags;
    html! {
        div.section-head { h2 #tags { "Image tags" } }
        @if let Some(text) = immutability(&view.settings.tag_mutability) { p.note { (text) } }
        @if view.listing.tag_count == 0 {
            div.empty {
                h3 { "Nothing is pushed yet" }
                p { "Whoever may push to this repository publishes the first image so:" }
                pre tabindex="0" { code { "docker push " (visit.authority) (path) ":latest" } }
            }
        } @else {
            div.about-tag {
                form role="search" action=(path) method="get" aria-label="Tags" {
                    div.field {
                        label.hidden for="tag" { "Tags that begin with" }
                        input #tag type="search" name="tag" value=(tag_prefix) maxlength="128"
                            placeholder="Tags that begin with …" autocomplete="off" spellcheck="false";
                        button type="submit" { "Filter" }
                    }
                }
            }
            @if page.items.is_empty() {
                div.empty {
                    h3 { "No tag fits" }
                    p { a href=(path) { "Show all tags" } }
                }
            } @else {
                div."box"."scroll" tabindex="0" role="group" aria-labelledby="tags" {
                    table {
                        thead { tr {
                            th scope="col" { "Tag" } th scope="col" { "Platforms" }
                            th scope="col" class="number" { "Size" }
                            th scope="col" { "Pushed" } th scope="col" { "Digest" }
                            @if view.settings.scan_on_push { th scope="col" { "Scan" } }
                            th scope="col" { "Attached" }
                        } }
                        tbody { @for tag in &page.items { (tag_row(path, tag, view.settings.scan_on_push)) } }
                    }
                }
                @if let Some(next) = &page.next {
                    @let filter = match tag_prefix { "" => String::new(), tag => format!("&tag={tag}") };
                    nav.pages aria-label="Pages of tags" {
                        a href=(path) { "Newest tags" }
                        a rel="next" href={ (path) "?" (after(next)) (filter) "#tags" } { "Older tags" }
                    }
                }
            }
        }
    }
}

/// What is said where a push cannot make a tag name something else.
fn immutability(rule: &TagMutabilityRule) -> Option<Markup> {
    let filters = html! {
        @for (index, filter) in rule.filters().iter().enumerate() {
            @if index > 0 { ", " } code { (filter) }
        }
    };
    const REST: &str =
        " Once pushed, such a tag cannot be made to name another image, only be deleted.";
    Some(match rule.setting() {
        TagMutability::Mutable => return None,
        TagMutability::Immutable => html! { strong { "Tags never change." } (REST) },
        TagMutability::ImmutableWithExclusion => {
            html! { strong { "Tags never change, except " (filters) "." } (REST) }
        }
        TagMutability::MutableWithExclusion => {
            html! { strong { "Tags like " (filters) " never change." } (REST) }
        }
    })
}

fn tag_row(path: &str, tag: &TagView, is_scanned: bool) -> Markup {
    let digest = tag.digest.as_str();
    html! {
        tr {
            th scope="row" { a href={ (path) ":" (tag.tag) } { (tag.tag) } }
            td {
                @if tag.platforms.is_empty() { span.quiet { "not said" } } @else {
                    ul.badges { @for platform in &tag.platforms { li.badge { (platform) } } }
                }
            }
            td.number { (format::size(tag.size)) }
            td { (format::day(tag.updated_at)) }
            td { a.mono href={ (path) "@" (digest) } title=(digest) { (format::short(digest)) } }
            @if is_scanned { td { (scans::summary(tag.scan.as_ref())) } }
            td {
                @if tag.referrers == 0 { span.quiet { "nothing" } }
                @else { (format::count(tag.referrers, "document", "documents")) }
            }
        }
    }
}
