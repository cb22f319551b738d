//! The images of a repository.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::images::ImageStatus;
use tonnage_domain::overview::search_images::{ImageSummary, Kind, SearchImages, Sort};
use tonnage_domain::pages::Page as Items;
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use super::scan_words;
use crate::format;

/// Images of a page.
const PAGE: u32 = 25;
/// What the list is narrowed and sorted by.
const FIELDS: [&str; 4] = ["q", "kind", "state", "sort"];
/// Tags of an image that its row has.
const TAGS: usize = 8;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    let kind = match asked.query.text("kind") {
        "tagged" => Kind::Tagged,
        "untagged" => Kind::Untagged,
        "all" => Kind::All,
        _ => Kind::Whole,
    };
    let status = match asked.query.text("state") {
        "active" => Some(ImageStatus::Active),
        "archived" => Some(ImageStatus::Archived),
        "activating" => Some(ImageStatus::Activating),
        _ => None,
    };
    let sort = match asked.query.text("sort") {
        "oldest" => Sort::Oldest,
        "largest" => Sort::Largest,
        "pulled" => Sort::PulledLast,
        "unused" => Sort::Unused,
        _ => Sort::Newest,
    };
    let search = SearchImages {
        repository: repository.clone(),
        text: asked.query.text("q").to_owned(),
        kind,
        status,
        sort,
        page: asked.page(PAGE),
    };
    let found = asked.part(search).await?;
    Ok(page(asked, &repository, &found).into())
}

pub(crate) fn page(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    found: &Part<Items<ImageSummary>>,
) -> Page {
    let name = &repository.name;
    let own = asked.repository_path(name, "");
    let said: Vec<(&str, &str)> =
        FIELDS.iter().map(|name| (*name, asked.query.text(name))).collect();
    let [text, kind, state, sort] = FIELDS.map(|name| asked.query.text(name));
    let is_all =
        ["q", "kind", "state", "after"].iter().all(|name| asked.query.optional(name).is_none());
    let content = html! {
        (parts::copy(&format!("{}/{name}", asked.registry())))
        @match found {
            Err(error) => (parts::denied("The list of images", error)),
            Ok(found) if found.items.is_empty() && is_all => {
                div.part { (parts::live("images", &html! {
                    (parts::empty("Nothing is pushed yet", &html! { (push_commands(asked, repository)) }))
                })) }
            }
            Ok(found) => {
                div.part {
                    form.filters role="search" action=(own) method="get" {
                        div."row"."grow" {
                            label for="q" { "Part of a tag or digest" }
                            input #q type="search" name="q" value=(text) maxlength="200" autocomplete="off" spellcheck="false" autocapitalize="none";
                        }
                        (parts::select("kind", "Show", kind, &[
                            ("", "Images"), ("tagged", "Images with a tag"), ("untagged", "Images without a tag"),
                            ("all", "Everything, also parts and signatures"),
                        ]))
                        (parts::select("state", "State", state, &[
                            ("", "Any"), ("active", "Active"), ("archived", "Archived"), ("activating", "Being restored"),
                        ]))
                        (parts::select("sort", "Order", sort, &[
                            ("", "Newest first"), ("oldest", "Oldest first"), ("largest", "Largest first"),
                            ("pulled", "Last pull first"), ("unused", "Longest unused first"),
                        ]))
                        button.plain type="submit" { "Show" }
                    }
                    (parts::live("images", &html! {
                        @if found.items.is_empty() {
                            (parts::empty("No image fits", &html! { p { a href=(own) { "Show all images" } } }))
                        } @else {
                            (parts::table("Images", &["Tags", "Platforms", "#Size", "Pushed", "Last pulled", "Scan", "Digest"], &html! {
                                @for image in &found.items { (row(asked, repository, image)) }
                            }))
                            (parts::pages(asked, &format!("repositories/{name}"), &said, found.next.as_deref()))
                        }
                    }))
                    details { summary { "Push commands" } (push_commands(asked, repository)) }
                }
            }
        }
        (parts::same_with_aws(&[parts::aws(asked, "ecr describe-images", &[("repository-name", name.as_str())])]))
    };
    super::page(asked, repository, "", &content)
}

fn row(asked: &Asked<'_>, repository: &RepositoryAddress, image: &ImageSummary) -> Markup {
    let digest = image.digest.as_str();
    let path = asked.repository_path(&repository.name, &format!("images/{digest}"));
    html! {
        tr {
            th scope="row" {
                @if image.tags.is_empty() { a href=(path) { "no tag" } } @else {
                    @for tag in image.tags.iter().take(TAGS) { a href=(path) { (tag) } " " }
                    @if image.tags.len() > TAGS { span.quiet { "and " (image.tags.len() - TAGS) " more" } }
                }
                @if image.status != ImageStatus::Active { " " (parts::badge("warn", &image.status.as_str().to_lowercase())) }
            }
            td {
                @if image.platforms.is_empty() { span.quiet { (kind_words(image)) } } @else {
                    ul.badges { @for platform in &image.platforms { li.badge { (platform) } } }
                }
                @if image.referrers > 0 { span.quiet.small { (format::count(image.referrers, "attached document", "attached documents")) } }
            }
            td.number { (format::size(image.size)) }
            td { (format::moment(image.pushed_at)) }
            td { @match image.last_pulled_at { Some(at) => (format::moment(at)), None => span.quiet { "never" } } }
            td { (scan_words(image.scan.as_ref())) }
            td { a.mono href=(path) title=(digest) { (format::short(digest)) } }
        }
    }
}

fn kind_words(image: &ImageSummary) -> &str {
    match image.artifact_type.as_deref() {
        Some(kind) if kind.contains("image.config") || kind.contains("container.image") => {
            "single platform"
        }
        Some(kind) => kind,
        None => "index",
    }
}

/// What a shell needs to push here.
pub(crate) fn push_commands(asked: &Asked<'_>, repository: &RepositoryAddress) -> Markup {
    let registry = asked.registry();
    let name = &repository.name;
    html! {
        ol.steps {
            li {
                "Log docker in; the password is good for twelve hours."
                (parts::copy(&format!(
                    "aws ecr get-login-password --region {} | docker login --username AWS --password-stdin {registry}",
                    asked.context.region
                )))
            }
            li { "Build the image." (parts::copy(&format!("docker build -t {registry}/{name}:latest ."))) }
            li { "Push it." (parts::copy(&format!("docker push {registry}/{name}:latest"))) }
        }
    }
}
