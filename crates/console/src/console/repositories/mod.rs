//! Repositories: their list, how one is made, and its pages.

pub(crate) mod activity;
pub(crate) mod create;
mod findings;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod images;
pub(crate) mod lifecycle;
mod lifecycle_form;
pub(crate) mod permissions;
pub(crate) mod settings;
mod shares;

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::names::RepositoryName;
use tonnage_domain::overview::search_repositories::{
    Only, RepositorySummary, SearchRepositories, Sort,
};
use tonnage_domain::pages::Page as Items;
use tonnage_domain::repositories::{RepositoryAddress, TagMutability};
use tonnage_domain::scanning::Severity;
use tonnage_domain::scanning::state::{Scan, ScanStatus, SeverityCounts};

use super::asked::{Asked, Part};
use super::dashboard::open_by_name;
use super::parts;
use super::reply::{Page, Reply};
use crate::format;

/// Repositories of a page.
const PAGE: u32 = 25;
/// What the list is narrowed and sorted by.
const FIELDS: [&str; 4] = ["q", "tag", "only", "sort"];

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let sort = match asked.query.text("sort") {
        "newest" => Sort::Newest,
        "oldest" => Sort::Oldest,
        "pushed" => Sort::Pushed,
        _ => Sort::Name,
    };
    let only = match asked.query.text("only") {
        "images" => Only::WithImages,
        "empty" => Only::Empty,
        "caches" => Only::Caches,
        "immutable" => Only::Immutable,
        "scanned" => Only::ScanOnPush,
        _ => Only::All,
    };
    let search = SearchRepositories {
        text: asked.query.text("q").to_owned(),
        resource_tag: asked.query.text("tag").to_owned(),
        only,
        sort,
        page: asked.page(PAGE),
    };
    let found = asked.part(search).await?;
    Ok(list_page(asked, &found).into())
}

pub(crate) fn list_page(asked: &Asked<'_>, found: &Part<Items<RepositorySummary>>) -> Page {
    let said: Vec<(&str, &str)> =
        FIELDS.iter().map(|name| (*name, asked.query.text(name))).collect();
    let [text, tag, only, sort] = FIELDS.map(|name| asked.query.text(name));
    let is_narrow = [text, tag, only].iter().any(|said| !said.trim().is_empty());
    let create = html! { a.button href=(asked.path("create-repository")) { "Create repository" } };
    let content = html! {
        @match found {
            Err(error) => { (parts::denied("The list of repositories", error)) (open_by_name(asked)) }
            Ok(found) => {
                form.filters role="search" action=(asked.path("repositories")) method="get" {
                    div."row"."grow" {
                        label for="q" { "Part of the name" }
                        input #q type="search" name="q" value=(text) maxlength="200" autocomplete="off" spellcheck="false";
                    }
                    div.row {
                        label for="field-tag" { "Resource tag" }
                        input #field-tag name="tag" value=(tag) maxlength="400" placeholder="team=web" autocomplete="off" spellcheck="false" autocapitalize="none";
                    }
                    (parts::select("only", "Show", only, &[
                        ("", "All"), ("images", "With images"), ("empty", "Empty"), ("caches", "Pull through caches"),
                        ("immutable", "Tags that never move"), ("scanned", "Scanned on push"),
                    ]))
                    (parts::select("sort", "Order", sort, &[("", "By name"), ("pushed", "Last push first"), ("newest", "Newest first"), ("oldest", "Oldest first")]))
                    button.plain type="submit" { "Show" }
                }
                @if found.items.is_empty() { (no_repository(asked, is_narrow)) } @else {
                    (parts::table("Repositories", &["Name", "#Images", "#Stored", "Last push", "Tags", "Scan on push", "Created"], &html! {
                        @for repository in &found.items { (row(asked, repository)) }
                    }))
                    (parts::pages(asked, "repositories", &said, found.next.as_deref()))
                }
            }
        }
        (parts::same_with_aws(&[parts::aws(asked, "ecr describe-repositories", &[])]))
    };
    Page::new("Repositories", content).with_actions(create)
}

fn row(asked: &Asked<'_>, repository: &RepositorySummary) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href=(asked.repository_path(&repository.name, "")) { (repository.name) }
                @if repository.is_cache { " " (parts::badge("", "pull-through cache")) }
            }
            td.number { (format::number(repository.images)) }
            td.number { (format::size(repository.bytes)) }
            td { @match repository.pushed_at { Some(at) => (format::moment(at)), None => span.quiet { "never" } } }
            td { (mutability_words(repository.tag_mutability.setting())) }
            td { @if repository.scan_on_push { "yes" } @else { span.quiet { "no" } } }
            td { (format::day(repository.created_at)) }
        }
    }
}

fn no_repository(asked: &Asked<'_>, is_narrow: bool) -> Markup {
    if is_narrow {
        return parts::empty(
            "No repository fits",
            &html! {
                p { "No repository in " (asked.context.region) " has all that is asked for above." }
                p { a href=(asked.path("repositories")) { "Show all repositories" } }
            },
        );
    }
    parts::empty(
        "There is no repository yet",
        &html! {
            p {
                "A repository holds the images of one name, such as " code { "team/app" }
                ". It is made before the first push."
            }
            p { a.button href=(asked.path("create-repository")) { "Create a repository" } }
        },
    )
}

/// A repository by a name that somebody typed.
pub(crate) async fn open(asked: &Asked<'_>) -> Result<Reply, Error> {
    match RepositoryName::parse(asked.query.text("name").trim()) {
        Ok(name) => Ok(Reply::Moved { path: asked.repository_path(&name, ""), flash: None }),
        Err(error) => Ok(Reply::failed(asked.path("repositories"), error.to_string())),
    }
}

pub(crate) fn mutability_words(setting: TagMutability) -> &'static str {
    match setting {
        TagMutability::Mutable => "may move",
        TagMutability::Immutable => "never move",
        TagMutability::ImmutableWithExclusion => "never move, with exceptions",
        TagMutability::MutableWithExclusion => "may move, with exceptions",
    }
}

/// The page of a repository: its tabs, and what one of them has.
pub(crate) fn page(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    tab: &str,
    content: &Markup,
) -> Page {
    const TABS: [(&str, &str); 6] = [
        ("", "Images"),
        ("activity", "Activity"),
        ("history", "Tag history"),
        ("lifecycle", "Lifecycle"),
        ("permissions", "Permissions"),
        ("settings", "Settings"),
    ];
    let name = &repository.name;
    let content = html! {
        nav.tabs aria-label="Repository" {
            @for (path, title) in TABS {
                @if path == tab { a href=(asked.repository_path(name, path)) aria-current="page" { (title) } }
                @else { a href=(asked.repository_path(name, path)) { (title) } }
            }
        }
        (content)
    };
    Page::new(name.as_str(), content).under("Repositories", asked.path("repositories"))
}

/// How bad a severity looks.
pub(crate) fn severity_kind(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "bad",
        Severity::Medium => "warn",
        Severity::Low | Severity::Informational | Severity::Undefined => "",
    }
}

/// How many findings of each severity there are.
pub(crate) fn severity_badges(counts: &SeverityCounts) -> Markup {
    html! {
        @for (severity, count) in counts.iter().rev() { @if *count > 0 {
            (parts::badge(severity_kind(*severity), &format!("{} {}", format::number(*count), severity.as_str().to_lowercase()))) " "
        } }
    }
}

/// Where a scan stands, in a cell.
pub(crate) fn scan_words(scan: Option<&Scan>) -> Markup {
    let Some(scan) = scan else { return html! { span.quiet { "not scanned" } } };
    html! {
        @match scan.status {
            ScanStatus::Complete | ScanStatus::Active => {
                @if scan.counts.values().all(|count| *count == 0) { (parts::badge("good", "nothing found")) }
                @else { (severity_badges(&scan.counts)) }
            }
            ScanStatus::InProgress | ScanStatus::Pending => (parts::badge("", "under way")),
            ScanStatus::Failed => (parts::badge("warn", "failed")),
            ScanStatus::UnsupportedImage => span.quiet { "not supported" },
            ScanStatus::ImageArchived => span.quiet { "archived" },
        }
    }
}
