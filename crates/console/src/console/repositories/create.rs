//! Making a repository.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::names::RepositoryName;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::resource_tags::ResourceTag;

use super::super::asked::Asked;
use super::super::form::Form;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    Ok(page(asked, None).into())
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let created = match operation(&asked.form) {
        Ok(operation) => asked.run(operation).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(repository) => {
            let name = &repository.address.name;
            Ok(Reply::done(
                asked.repository_path(name, ""),
                format!("The repository {name} is there. Push its first image."),
            ))
        }
        Err(error) if parts::is_mendable(&error) => Ok(page(asked, Some(&error)).into()),
        Err(error) => Err(error),
    }
}

fn operation(form: &Form) -> Result<CreateRepository, Error> {
    let name = RepositoryName::parse(form.text("name").trim())
        .map_err(|error| Error::invalid_parameter("repositoryName", error))?;
    Ok(CreateRepository {
        registry_id: None,
        name,
        tags: resource_tags(form)?,
        tag_mutability: mutability(form)?,
        scan_on_push: form.checked("scan"),
    })
}

/// What a form says of whether tags may move.
pub(crate) fn mutability(form: &Form) -> Result<TagMutabilityRule, Error> {
    let setting = TagMutability::parse(form.text("mutability"))
        .ok_or_else(|| Error::invalid_parameter("imageTagMutability", "one of the four choices"))?;
    let takes_filters = matches!(
        setting,
        TagMutability::ImmutableWithExclusion | TagMutability::MutableWithExclusion
    );
    let filters = if takes_filters { form.lines("filters") } else { Vec::new() };
    TagMutabilityRule::new(setting, filters)
}

/// What a form says of resource tags: a line is `key=value`.
pub(crate) fn resource_tags(form: &Form) -> Result<Vec<ResourceTag>, Error> {
    let lines = form.lines("tags").into_iter();
    lines
        .map(|line| match line.split_once('=') {
            Some((key, value)) => {
                Ok(ResourceTag { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            None => Err(Error::invalid_parameter("tags", "a line is a key, =, and a value")),
        })
        .collect()
}

/// The fields about tags.
pub(crate) fn mutability_fields(setting: &str, filters: &str) -> Markup {
    html! {
        (parts::choice("mutability", "May a tag move to another image?", setting, &[
            ("MUTABLE", "Yes", "A push may move any tag."),
            ("IMMUTABLE", "No", "A tag stays with the image that it first named."),
            ("MUTABLE_WITH_EXCLUSION", "Yes, but not those that match", "Tags that match a filter below never move."),
            ("IMMUTABLE_WITH_EXCLUSION", "No, but those that match", "Only tags that match a filter below may move, such as latest."),
        ]))
        (parts::text_area("filters", "Filters of tags", "One a line, at most five, where a choice above has exceptions; * stands for anything: v*, latest.", filters, 3))
    }
}

fn page(asked: &Asked<'_>, error: Option<&Error>) -> Page {
    let form = &asked.form;
    let setting = form.optional("mutability").unwrap_or("MUTABLE");
    let content = html! {
        (parts::refusal(error))
        (parts::form(asked, &asked.path("create-repository"), &html! {
            (Field {
                name: "name", label: "Name", value: form.text("name"), required: true,
                help: "2 to 256 lower-case letters, digits and . _ - / , such as team/app.",
                ..Field::default()
            }.render())
            (mutability_fields(setting, form.text("filters")))
            (parts::check("scan", "Scan each image when it is pushed", "Looks for packages that are known to be vulnerable. Registry-wide scanning rules come before this.", form.checked("scan")))
            div.row {
                p { strong { "Encryption" } }
                p.help { "AES-256 with the deployment's own keys, as every repository has." }
            }
            (parts::text_area("tags", "Resource tags", "One a line: key=value. Policies can depend on them.", form.text("tags"), 3))
            div.submit {
                button type="submit" { "Create repository" }
                a href=(asked.path("repositories")) { "Cancel" }
            }
        }))
        (parts::same_with_aws(&[parts::aws(asked, "ecr create-repository", &[
            ("repository-name", form.optional("name").unwrap_or("team/app")),
            ("image-tag-mutability", setting),
            ("image-scanning-configuration", if form.checked("scan") { "scanOnPush=true" } else { "scanOnPush=false" }),
            ("encryption-configuration", "encryptionType=AES256"),
        ])]))
    };
    let page =
        Page::new("Create a repository", content).under("Repositories", asked.path("repositories"));
    match error {
        Some(error) => page.with_status(parts::status_of(error)),
        None => page,
    }
}
