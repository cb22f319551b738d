//! The settings of a repository, its tags, and its end.

use maud::html;
use tonnage_domain::error::Error;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{Repository, RepositoryAddress};
use tonnage_domain::resource_tags::{ListTagsForResource, ResourceTag, TagResource, UntagResource};
use tonnage_domain::scanning::put_image_scanning_configuration::PutImageScanningConfiguration;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use super::create::{mutability, mutability_fields, resource_tags};
use crate::format;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<Error>) -> Result<Reply, Error> {
    let Some(address) = asked.repository() else { return Ok(Reply::Missing) };
    let repository = describe(asked, &address).await?;
    let tags = asked.part(ListTagsForResource { resource: address }).await?;
    let page = page(asked, &repository, &tags, refused.as_ref());
    Ok(match &refused {
        Some(error) => page.with_status(parts::status_of(error)).into(),
        None => page.into(),
    })
}

/// The repository, or the error of its page.
pub(crate) async fn describe(
    asked: &Asked<'_>,
    address: &RepositoryAddress,
) -> Result<Repository, Error> {
    let describe = DescribeRepositories {
        registry_id: None,
        names: vec![address.name.clone()],
        page: PageRequest { after: None, limit: 1 },
    };
    let found = asked.run(describe).await?;
    let first = found.items.into_iter().next();
    first.ok_or_else(|| tonnage_domain::repositories::not_found(address))
}

pub(crate) fn page(
    asked: &Asked<'_>,
    repository: &Repository,
    tags: &Part<Vec<ResourceTag>>,
    refused: Option<&Error>,
) -> Page {
    let name = &repository.address.name;
    let own = asked.repository_path(name, "settings");
    let rule = &repository.tag_mutability;
    let content = html! {
        (parts::refusal(refused))
        (parts::facts(&[
            ("URI", parts::copy(&format!("{}/{name}", asked.registry()))),
            ("ARN", html! { code { (repository.address.arn()) } }),
            ("Created", format::moment(repository.created_at)),
            ("Encryption", html! { "AES-256" }),
            ("Filled by", html! { @if repository.is_cache { "a pull-through cache rule" } @else { "pushes" } }),
        ]))
        section aria-labelledby="mutability" {
            h2 #mutability { "Tags" }
            (parts::form(asked, &own, &html! {
                input type="hidden" name="what" value="mutability";
                (mutability_fields(rule.setting().as_str(), &rule.filters().join("\n")))
                div.submit { button type="submit" { "Save" } }
            }))
        }
        section aria-labelledby="scanning" {
            h2 #scanning { "Scanning" }
            (parts::form(asked, &own, &html! {
                input type="hidden" name="what" value="scanning";
                (parts::check("scan", "Scan each image when it is pushed", "Registry-wide scanning rules come before this.", repository.scan_on_push))
                div.submit { button type="submit" { "Save" } }
            }))
        }
        section aria-labelledby="resource-tags" {
            h2 #resource-tags { "Resource tags" }
            @match tags {
                Ok(tags) => (parts::form(asked, &own, &html! {
                    input type="hidden" name="what" value="tags";
                    (parts::text_area("tags", "Tags of the repository", "One a line: key=value. Policies can depend on them; they are not image tags.", &lines(tags), 4))
                    div.submit { button type="submit" { "Save" } }
                })),
                Err(error) => (parts::denied("Resource tags", error)),
            }
        }
        section aria-labelledby="delete" {
            h2 #delete { "Delete" }
            div.danger-zone {
                (parts::form(asked, &asked.repository_path(name, "delete"), &html! {
                    div.row {
                        label for="field-confirm" { "Type " code { (name) } " to delete the repository for good" }
                        input #field-confirm name="confirm" autocomplete="off" spellcheck="false" autocapitalize="none" required;
                    }
                    (parts::check("force", "Delete its images too", "Without this, a repository that has images stays.", false))
                    div.submit { button.danger type="submit" { "Delete repository" } }
                }))
            }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr put-image-tag-mutability", &[("repository-name", name.as_str()), ("image-tag-mutability", rule.setting().as_str())]),
            parts::aws(asked, "ecr put-image-scanning-configuration", &[("repository-name", name.as_str()), ("image-scanning-configuration", "scanOnPush=true")]),
            parts::aws(asked, "ecr tag-resource", &[("resource-arn", &repository.address.arn()), ("tags", "Key=team,Value=web")]),
            parts::aws(asked, "ecr delete-repository", &[("repository-name", name.as_str())]),
        ]))
    };
    super::page(asked, &repository.address, "settings", &content)
}

fn lines(tags: &[ResourceTag]) -> String {
    tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect::<Vec<_>>().join("\n")
}

pub(crate) async fn save(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(address) = asked.repository() else { return Ok(Reply::Missing) };
    let form = &asked.form;
    let saved = match form.text("what") {
        "mutability" => match mutability(form) {
            Ok(tag_mutability) => {
                let (registry_id, name) = (None, address.name.clone());
                let put = PutImageTagMutability { registry_id, name, tag_mutability };
                asked.run(put).await.map(drop)
            }
            Err(error) => Err(error),
        },
        "scanning" => {
            let put = PutImageScanningConfiguration {
                registry_id: None,
                name: address.name.clone(),
                scan_on_push: form.checked("scan"),
            };
            asked.run(put).await.map(drop)
        }
        "tags" => save_tags(asked, &address).await,
        _ => return Ok(Reply::Missing),
    };
    match saved {
        Ok(()) => Ok(Reply::done(asked.repository_path(&address.name, "settings"), "Saved.")),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(error)).await,
        Err(error) => Err(error),
    }
}

async fn save_tags(asked: &Asked<'_>, address: &RepositoryAddress) -> Result<(), Error> {
    let wanted = resource_tags(&asked.form)?;
    let present = asked.run(ListTagsForResource { resource: address.clone() }).await?;
    let gone: Vec<String> = present
        .iter()
        .filter(|tag| wanted.iter().all(|wanted| wanted.key != tag.key))
        .map(|tag| tag.key.clone())
        .collect();
    let new: Vec<ResourceTag> = wanted.into_iter().filter(|tag| !present.contains(tag)).collect();
    if !new.is_empty() {
        asked.run(TagResource { resource: address.clone(), tags: new }).await?;
    }
    if !gone.is_empty() {
        asked.run(UntagResource { resource: address.clone(), keys: gone }).await?;
    }
    Ok(())
}

pub(crate) async fn delete(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(address) = asked.repository() else { return Ok(Reply::Missing) };
    if asked.form.text("confirm").trim() != address.name.as_str() {
        let error = Error::invalid_parameter("confirm", "the name of the repository, to delete it");
        return respond(asked, Some(error)).await;
    }
    let delete = DeleteRepository {
        registry_id: None,
        name: address.name.clone(),
        force: asked.form.checked("force"),
    };
    match asked.run(delete).await {
        Ok(_) => Ok(Reply::done(
            asked.path("repositories"),
            format!("The repository {} is deleted.", address.name),
        )),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(error)).await,
        Err(error) => Err(error),
    }
}
