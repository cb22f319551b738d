//! Where tags pointed, since when, and who moved them.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::images::list_tag_history::{ListTagHistory, TagMove};
use tonnage_domain::names::{Digest, Tag};
use tonnage_domain::pages::Page as Items;
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use crate::format;

/// Moves of a page.
const PAGE: u32 = 50;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    // A text that can be no tag names none, and so nothing ever moved it.
    let wanted = asked.query.optional("tag");
    let tag = wanted.map(Tag::parse).transpose();
    let found = match tag {
        Err(_) => Ok(Items { items: Vec::new(), next: None }),
        Ok(tag) => {
            let page = asked.page(PAGE);
            asked.part(ListTagHistory { repository: repository.clone(), tag, page }).await?
        }
    };
    Ok(page(asked, &repository, &found).into())
}

fn page(asked: &Asked<'_>, repository: &RepositoryAddress, found: &Part<Items<TagMove>>) -> Page {
    let name = repository.name.as_str();
    let own = asked.repository_path(&repository.name, "history");
    let tag = asked.query.text("tag");
    let command = match tag.trim() {
        "" => format!("tonnage repository tag-history {}", parts::shell(name)),
        tag => {
            format!("tonnage repository tag-history {} {}", parts::shell(name), parts::shell(tag))
        }
    };
    let in_region = format!(
        "{command} --account {} --in-region {}",
        asked.context.account, asked.context.region
    );
    let content = html! {
        @match found {
            Err(error) => (parts::denied("The history of tags", error)),
            Ok(found) => {
                form.filters role="search" action=(own) method="get" {
                    div."row"."grow" {
                        label for="tag" { "Tag" }
                        input #tag type="search" name="tag" value=(tag) maxlength="128" autocomplete="off" spellcheck="false" autocapitalize="none";
                    }
                    button.plain type="submit" { "Show" }
                }
                @if found.items.is_empty() {
                    @if tag.trim().is_empty() {
                        (parts::empty("No tag was ever set here", &html! {
                            p { "Whenever a tag comes to name an image, another image, or nothing any more, this page says so: what it named before and after, when, and who did it." }
                        }))
                    } @else {
                        (parts::empty("No tag of this name was ever set here", &html! { p { a href=(own) { "Show all tags" } } }))
                    }
                } @else {
                    (parts::table("Moves of tags", &["When", "Tag", "What happened", "Before", "Who"], &html! {
                        @for moved in &found.items { (row(asked, repository, moved)) }
                    }))
                    (parts::pages(asked, &format!("repositories/{name}/-/history"), &[("tag", tag)], found.next.as_deref()))
                }
            }
        }
        (parts::same_with_aws(&[in_region]))
    };
    super::page(asked, repository, "history", &content)
}

fn row(asked: &Asked<'_>, repository: &RepositoryAddress, moved: &TagMove) -> Markup {
    let image = |digest: &Digest, is_there: bool| {
        let short = format::short(digest.as_str());
        let path = asked.repository_path(&repository.name, &format!("images/{digest}"));
        html! {
            @if is_there { a.mono href=(path) title=(digest) { (short) } }
            @else { span.mono title=(digest) { (short) } " " span.quiet.small { "gone" } }
        }
    };
    let tag = moved.tag.as_str();
    let history =
        asked.path_with(&format!("repositories/{}/-/history", repository.name), &[("tag", tag)]);
    html! { tr {
        td { (format::moment(moved.at)) }
        th scope="row" { a href=(history) { (tag) } }
        td {
            @match (&moved.digest, &moved.previous) {
                (Some(digest), None) => { (parts::badge("good", "set")) " " (image(digest, moved.is_there)) },
                (Some(digest), Some(_)) => { (parts::badge("warn", "moved")) " " (image(digest, moved.is_there)) },
                (None, _) => (parts::badge("bad", "removed")),
            }
        }
        td { @match &moved.previous { Some(digest) => (image(digest, moved.previous_is_there)), None => span.quiet { "nothing" } } }
        td { span.small.wrap title=(moved.principal_arn) { (who(&moved.principal_arn)) } }
    } }
}

/// The end of an ARN, which people know.
fn who(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}
