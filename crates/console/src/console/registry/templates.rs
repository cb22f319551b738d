//! What repositories get that nobody makes by hand.

use maud::html;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::pages::{Page as Items, PageRequest};
use tonnage_domain::repositories::TagMutabilityRule;
use tonnage_domain::resource_tags::ResourceTag;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::delete::DeleteRepositoryCreationTemplate;
use tonnage_domain::templates::describe::DescribeRepositoryCreationTemplates;
use tonnage_domain::templates::update::{TemplateChanges, UpdateRepositoryCreationTemplate};
use tonnage_domain::templates::{AppliedFor, Template, TemplatePrefix, TemplateSettings};

use super::super::PolicyOf;
use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use super::super::repositories::create::{mutability, mutability_fields, resource_tags};
use super::super::repositories::mutability_words;
use crate::format;

const PAGE: u32 = 50;
/// The most characters of a prefix, a description and of policies (botocore `ecr`).
const PREFIX_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 256;
const REPOSITORY_POLICY_MAX: usize = 10_240;
const LIFECYCLE_POLICY_MAX: usize = 30_720;

/// Who makes repositories, with what to say of it.
const SCENARIOS: [(AppliedFor, &str, &str); 3] = [
    (AppliedFor::CreateOnPush, "A push", "to a repository that does not exist"),
    (AppliedFor::PullThroughCache, "The pull through cache", "when an image comes from upstream"),
    (AppliedFor::Replication, "Replication", "when a copy arrives here"),
];

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let describe =
        DescribeRepositoryCreationTemplates { prefixes: Vec::new(), page: asked.page(PAGE) };
    let templates = asked.part(describe).await?;
    Ok(list_page(asked, &templates).into())
}

pub(crate) fn list_page(asked: &Asked<'_>, templates: &Part<Items<Template>>) -> Page {
    let create =
        html! { a.button href=(asked.path("registry/templates/-/create")) { "Create template" } };
    let content = html! {
        @match templates {
            Err(error) => (parts::denied("The list of templates", error)),
            Ok(templates) if templates.items.is_empty() => (parts::empty("There is no template yet", &html! {
                p {
                    "A push to a repository that does not exist is refused unless a template makes the repository, with the tags, "
                    "policies and settings that you want. The cache and replication take them from a template too."
                }
                p { a.button href=(asked.path("registry/templates/-/create")) { "Create a template" } }
            })),
            Ok(templates) => {
                (parts::table("Templates", &["Prefix", "For", "Tags", "Description", "Changed"], &html! {
                    @for template in &templates.items { tr {
                        th scope="row" { a href=(template_path(asked, template.prefix.as_str())) { (template.prefix.as_str()) } }
                        td { (scenarios(&template.settings)) }
                        td { (mutability_words(template.settings.tag_mutability.setting())) }
                        td { (template.settings.description.as_deref().unwrap_or_default()) }
                        td { (format::day(template.updated_at)) }
                    } }
                }))
                (parts::pages(asked, "registry/templates", &[], templates.next.as_deref()))
            }
        }
        (parts::same_with_aws(&[parts::aws(asked, "ecr describe-repository-creation-templates", &[])]))
    };
    super::page(asked, "Creation templates", content).with_actions(create)
}

fn scenarios(settings: &TemplateSettings) -> String {
    let titles = SCENARIOS.iter().filter(|(scenario, ..)| settings.applied_for.contains(scenario));
    titles.map(|(_, title, _)| title.to_lowercase()).collect::<Vec<_>>().join(", ")
}

fn template_path(asked: &Asked<'_>, prefix: &str) -> String {
    asked.path_with("registry/templates/-/template", &[("prefix", prefix)])
}

/// The fields of a template.
struct Fields {
    description: String,
    applied_for: Vec<AppliedFor>,
    mutability: String,
    filters: String,
    repository_policy: String,
    lifecycle_policy: String,
    tags: String,
    role: String,
}

impl Fields {
    fn of(settings: &TemplateSettings) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let tags = settings.resource_tags.iter();
        Self {
            description: text(&settings.description),
            applied_for: settings.applied_for.clone(),
            mutability: settings.tag_mutability.setting().as_str().to_owned(),
            filters: settings.tag_mutability.filters().join("\n"),
            repository_policy: forms::readable(&text(&settings.repository_policy)),
            lifecycle_policy: forms::readable(&text(&settings.lifecycle_policy)),
            tags: tags
                .map(|tag| format!("{}={}", tag.key, tag.value))
                .collect::<Vec<_>>()
                .join("\n"),
            role: text(&settings.custom_role_arn),
        }
    }

    /// What was sent.
    fn sent(asked: &Asked<'_>) -> Self {
        let text = |name: &str| asked.form.text(name).to_owned();
        Self {
            description: text("description"),
            applied_for: applied_for(asked),
            mutability: text("mutability"),
            filters: text("filters"),
            repository_policy: text("repository-policy"),
            lifecycle_policy: text("lifecycle-policy"),
            tags: text("tags"),
            role: text("role"),
        }
    }

    fn blank() -> Self {
        Self {
            description: String::new(),
            applied_for: vec![AppliedFor::CreateOnPush],
            mutability: "MUTABLE".to_owned(),
            filters: String::new(),
            repository_policy: String::new(),
            lifecycle_policy: String::new(),
            tags: String::new(),
            role: String::new(),
        }
    }

    fn render(&self) -> maud::Markup {
        html! {
            fieldset {
                legend { "Who makes repositories by it" }
                @for (scenario, title, help) in SCENARIOS {
                    (parts::check(scenario.as_str(), title, help, self.applied_for.contains(&scenario)))
                }
            }
            (Field { name: "description", label: "Description", value: &self.description, ..Field::default() }.render())
            (mutability_fields(&self.mutability, &self.filters))
            (parts::text_area("repository-policy", "Repository policy", "Optional; statements as JSON.", &self.repository_policy, 6))
            (parts::text_area("lifecycle-policy", "Lifecycle policy", "Optional; rules as JSON.", &self.lifecycle_policy, 6))
            (parts::text_area("tags", "Resource tags", "One a line: key=value.", &self.tags, 3))
            (Field { name: "role", label: "ARN of a role", value: &self.role, help: "Kept for programs that expect it; nothing here takes it.", ..Field::default() }.render())
        }
    }
}

fn applied_for(asked: &Asked<'_>) -> Vec<AppliedFor> {
    let checked = SCENARIOS.iter().filter(|(scenario, ..)| asked.form.checked(scenario.as_str()));
    checked.map(|(scenario, ..)| *scenario).collect()
}

/// What a form says, as far as the operation does not look at it.
fn settings(asked: &Asked<'_>) -> Result<(TagMutabilityRule, Vec<ResourceTag>), Error> {
    let form = &asked.form;
    let limits = [
        ("description", "A description", DESCRIPTION_MAX),
        ("repository-policy", "A repository policy", REPOSITORY_POLICY_MAX),
        ("lifecycle-policy", "A lifecycle policy", LIFECYCLE_POLICY_MAX),
    ];
    for (name, title, chars_max) in limits {
        let fits = form.text(name).chars().count() <= chars_max;
        forms::require(fits, format!("{title} has at most {chars_max} characters."))?;
    }
    forms::require(
        !applied_for(asked).is_empty(),
        "Check at least one who makes repositories by it.",
    )?;
    if let Some(policy) = form.optional("repository-policy") {
        let wrong = |wrong: String| {
            Error::new(
                ErrorKind::InvalidParameter,
                format!("The repository policy is none: {wrong}"),
            )
        };
        (asked.visit.lint)(PolicyOf::Resource, policy).map_err(wrong)?;
    }
    Ok((mutability(form)?, resource_tags(form)?))
}

pub(crate) async fn show_create(asked: &Asked<'_>) -> Result<Reply, Error> {
    Ok(create_page(asked, None).into())
}

pub(crate) fn create_page(asked: &Asked<'_>, refused: Option<&Error>) -> Page {
    let fields = if refused.is_some() { Fields::sent(asked) } else { Fields::blank() };
    let content = html! {
        (parts::refusal(refused))
        (parts::form(asked, &asked.path("registry/templates/-/create"), &html! {
            (Field { name: "prefix", label: "Prefix", value: asked.form.text("prefix"), help: "Repositories that begin so and are made from then on, such as team; ROOT for those that no other template serves.", required: true, ..Field::default() }.render())
            (fields.render())
            div.submit { button type="submit" { "Create template" } a href=(asked.path("registry/templates")) { "Cancel" } }
        }))
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr create-repository-creation-template", &[("prefix", "team"), ("applied-for", "CREATE_ON_PUSH")]),
        ]))
    };
    super::page(asked, "Create template", content)
        .under("Creation templates", asked.path("registry/templates"))
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    match try_create(asked).await {
        Ok(template) => {
            let prefix = template.prefix.as_str();
            Ok(Reply::done(
                asked.path("registry/templates"),
                format!("The template {prefix} is created."),
            ))
        }
        Err(error) if parts::is_mendable(&error) => {
            Ok(forms::shown(create_page(asked, Some(&error)), Some(&error)))
        }
        Err(error) => Err(error),
    }
}

async fn try_create(asked: &Asked<'_>) -> Result<Template, Error> {
    let form = &asked.form;
    let prefix = form.text("prefix").trim();
    super::check_prefix(prefix, PREFIX_MAX)?;
    let (tag_mutability, resource_tags) = settings(asked)?;
    let optional = |name: &str| form.optional(name).map(str::to_owned);
    let create = CreateRepositoryCreationTemplate {
        prefix: TemplatePrefix::new(prefix),
        settings: TemplateSettings {
            description: optional("description"),
            resource_tags,
            tag_mutability,
            repository_policy: optional("repository-policy"),
            lifecycle_policy: optional("lifecycle-policy"),
            applied_for: applied_for(asked),
            custom_role_arn: optional("role"),
        },
    };
    asked.run(create).await
}

async fn find(asked: &Asked<'_>, prefix: &str) -> Result<Option<Template>, Error> {
    let describe = DescribeRepositoryCreationTemplates {
        prefixes: vec![TemplatePrefix::new(prefix)],
        page: PageRequest { after: None, limit: 1 },
    };
    Ok(asked.run(describe).await?.items.into_iter().next())
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, asked.query.text("prefix"), None).await
}

async fn respond(asked: &Asked<'_>, prefix: &str, refused: Option<&Error>) -> Result<Reply, Error> {
    match find(asked, prefix).await? {
        Some(template) => Ok(forms::shown(page(asked, &template, refused), refused)),
        None => Ok(Reply::Missing),
    }
}

pub(crate) fn page(asked: &Asked<'_>, template: &Template, refused: Option<&Error>) -> Page {
    let prefix = template.prefix.as_str();
    let path = asked.path("registry/templates/-/template");
    let is_saved = asked.form.text("do") == "save";
    let fields = if is_saved { Fields::sent(asked) } else { Fields::of(&template.settings) };
    let content = html! {
        (parts::refusal(refused))
        p.quiet { "What is changed here holds for repositories that are made from now on." }
        (parts::form(asked, &path, &html! {
            input type="hidden" name="prefix" value=(prefix);
            (fields.render())
            div.submit { button type="submit" name="do" value="save" { "Save template" } }
        }))
        (forms::end(asked, &path, "Delete template", prefix, &html! {
            p { "Repositories that were made by it stay as they are." }
            input type="hidden" name="prefix" value=(prefix);
        }))
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr update-repository-creation-template", &[("prefix", prefix), ("image-tag-mutability", "IMMUTABLE")]),
            parts::aws(asked, "ecr delete-repository-creation-template", &[("prefix", prefix)]),
        ]))
    };
    super::page(asked, prefix, content)
        .under("Creation templates", asked.path("registry/templates"))
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let prefix = asked.form.text("prefix").to_owned();
    let list = asked.path("registry/templates");
    let done = match asked.form.text("do") {
        "save" => try_update(asked, &prefix)
            .await
            .map(|_| Reply::done(template_path(asked, &prefix), "The template is saved.")),
        "delete" => match forms::confirmed(asked, &prefix) {
            Ok(()) => {
                let delete =
                    DeleteRepositoryCreationTemplate { prefix: TemplatePrefix::new(&prefix) };
                asked
                    .run(delete)
                    .await
                    .map(|_| Reply::done(list, format!("The template {prefix} is deleted.")))
            }
            Err(error) => Err(error),
        },
        _ => return Ok(Reply::Missing),
    };
    match done {
        Err(error) if parts::is_mendable(&error) => respond(asked, &prefix, Some(&error)).await,
        done => done,
    }
}

/// Sets every member; what was emptied is cleared.
async fn try_update(asked: &Asked<'_>, prefix: &str) -> Result<Template, Error> {
    let (tag_mutability, resource_tags) = settings(asked)?;
    let text = |name: &str| Some(asked.form.text(name).trim().to_owned());
    let update = UpdateRepositoryCreationTemplate {
        prefix: TemplatePrefix::new(prefix),
        changes: TemplateChanges {
            description: text("description"),
            resource_tags: Some(resource_tags),
            tag_mutability: Some(tag_mutability),
            repository_policy: text("repository-policy"),
            lifecycle_policy: text("lifecycle-policy"),
            applied_for: Some(applied_for(asked)),
            custom_role_arn: text("role"),
        },
    };
    asked.run(update).await
}
