//! Public repositories: what everybody may pull, and what the gallery shows of it.

pub(crate) mod catalog;
pub(crate) mod pulls;
pub(crate) mod registry;

use maud::{Markup, html};
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::Operation;
use tonnage_domain::names::{Region, RepositoryName};
use tonnage_domain::pages::Page as Items;
use tonnage_domain::public::catalog::CatalogDataInput;
use tonnage_domain::public::create_repository::CreatePublicRepository;
use tonnage_domain::public::registries::{DescribeRegistries, PublicRegistry};
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::repositories::{Repository, RepositoryAddress};

use super::asked::{Asked, Part};
use super::forms;
use super::parts::{self, Field};
use super::recorded::Recorded;
use super::reply::{Page, Reply};
use crate::format;

const PAGE: u32 = 50;

/// Public registries are of no region.
fn context(asked: &Asked<'_>) -> RequestContext {
    RequestContext { region: Region::global(), ..asked.context.clone() }
}

/// Runs an operation of the public registry as whoever is signed in.
///
/// # Errors
/// As the operation.
async fn run<O: Operation + Recorded>(asked: &Asked<'_>, operation: O) -> Result<O::Output, Error> {
    asked.run_in(Region::global(), operation).await
}

/// As [`Asked::part`].
async fn part<O: Operation + Recorded>(
    asked: &Asked<'_>,
    operation: O,
) -> Result<Part<O::Output>, Error> {
    match run(asked, operation).await {
        Err(error) if error.kind() == ErrorKind::AccessDenied => Ok(Err(error)),
        Err(error) => Err(error),
        Ok(output) => Ok(Ok(output)),
    }
}

/// A command of `aws ecr-public`, which has one region.
fn aws(command: &str, arguments: &[(&str, &str)]) -> String {
    let mut all = vec![("region", "us-east-1")];
    all.extend_from_slice(arguments);
    parts::aws_global(&format!("ecr-public {command}"), &all)
}

/// The repository that the address names.
fn address(asked: &Asked<'_>) -> Option<RepositoryAddress> {
    let name = RepositoryName::parse_public(asked.parameter("repository")).ok()?;
    Some(RepositoryAddress::new(&context(asked), None, name))
}

fn path(asked: &Asked<'_>, name: &RepositoryName, rest: &str) -> String {
    match rest {
        "" => asked.path(&format!("public/repositories/{name}")),
        rest => asked.path(&format!("public/repositories/{name}/-/{rest}")),
    }
}

/// The tabs of a repository.
fn tabs(asked: &Asked<'_>, name: &RepositoryName, tab: &str) -> Markup {
    const TABS: [(&str, &str); 2] = [("", "What the gallery shows"), ("pulls", "Pulls")];
    html! {
        nav.tabs aria-label="Repository" {
            @for (known, title) in TABS {
                @if known == tab { a href=(path(asked, name, known)) aria-current="page" { (title) } }
                @else { a href=(path(asked, name, known)) { (title) } }
            }
        }
    }
}

/// The alias that the URIs of a registry have.
fn alias(registry: &PublicRegistry) -> Option<&str> {
    let primary = registry.aliases.iter().find(|alias| alias.primary);
    let found = primary.or_else(|| registry.aliases.iter().find(|alias| alias.default));
    found.map(|alias| alias.name.as_str())
}

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let describe =
        DescribeRepositories { registry_id: None, names: Vec::new(), page: asked.page(PAGE) };
    let repositories = match part(asked, describe).await {
        // Nothing public was ever made here.
        Err(error) if error.kind() == ErrorKind::RegistryNotFound => {
            Ok(Items { items: Vec::new(), next: None })
        }
        found => found?,
    };
    let registry = part(asked, DescribeRegistries).await?;
    Ok(list_page(asked, &repositories, &registry).into())
}

pub(crate) fn list_page(
    asked: &Asked<'_>,
    repositories: &Part<Items<Repository>>,
    registry: &Part<PublicRegistry>,
) -> Page {
    let create =
        html! { a.button href=(asked.path("public/-/create")) { "Create public repository" } };
    let alias = registry.as_ref().ok().and_then(alias);
    let content = html! {
        @match repositories {
            Err(error) => (parts::denied("The list of public repositories", error)),
            Ok(repositories) if repositories.items.is_empty() => (parts::empty("There is no public repository yet", &html! {
                p { "Everybody may pull the images of a public repository without signing in, and finds it in the gallery. Only this account pushes." }
                p { a.button href=(asked.path("public/-/create")) { "Create a public repository" } }
            })),
            Ok(repositories) => {
                (parts::table("Public repositories", &["Name", "In URIs", "Created"], &html! {
                    @for repository in &repositories.items {
                        @let name = &repository.address.name;
                        tr {
                            th scope="row" { a href=(path(asked, name, "")) { (name) } }
                            td { @match alias { Some(alias) => code { (alias) "/" (name) }, None => span.quiet { "not shown" } } }
                            td { (format::day(repository.created_at)) }
                        }
                    }
                }))
                (parts::pages(asked, "public", &[], repositories.next.as_deref()))
            }
        }
        (parts::same_with_aws(&[
            aws("describe-repositories", &[]),
            aws("create-repository", &[("repository-name", "NAME")]),
        ]))
    };
    Page::new("Public repositories", content).with_actions(create)
}

pub(crate) async fn show_create(asked: &Asked<'_>) -> Result<Reply, Error> {
    Ok(create_page(asked, None).into())
}

pub(crate) fn create_page(asked: &Asked<'_>, refused: Option<&Error>) -> Page {
    let form = &asked.form;
    let content = html! {
        (parts::refusal(refused))
        (parts::form(asked, &asked.path("public/-/create"), &html! {
            (Field { name: "name", label: "Name", value: form.text("name"), help: "Lower-case letters, digits and . _ - / , such as web/server.", required: true, ..Field::default() }.render())
            (Field { name: "description", label: "Short description", value: form.text("description"), help: "One line for lists and searches.", ..Field::default() }.render())
            div.submit { button type="submit" { "Create public repository" } a href=(asked.path("public")) { "Cancel" } }
        }))
        p.quiet { "Whatever is pushed to it, everybody may pull at once." }
        (parts::same_with_aws(&[aws("create-repository", &[("repository-name", "NAME")])]))
    };
    Page::new("Create public repository", content)
        .under("Public repositories", asked.path("public"))
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    match try_create(asked).await {
        Ok(name) => Ok(Reply::done(
            path(asked, &name, ""),
            "The repository is created. Say more about it below.",
        )),
        Err(error) if parts::is_mendable(&error) => {
            Ok(forms::shown(create_page(asked, Some(&error)), Some(&error)))
        }
        Err(error) => Err(error),
    }
}

async fn try_create(asked: &Asked<'_>) -> Result<RepositoryName, Error> {
    let name = RepositoryName::parse_public(asked.form.text("name").trim())
        .map_err(|error| Error::new(ErrorKind::NameInvalid, error.to_string()))?;
    let description = asked.form.optional("description").map(str::to_owned);
    catalog::check_description(description.as_deref())?;
    let data = description.map(|description| CatalogDataInput {
        description: Some(description),
        ..CatalogDataInput::default()
    });
    run(asked, CreatePublicRepository { name: name.clone(), data, tags: Vec::new() }).await?;
    Ok(name)
}

pub(crate) async fn delete(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(address) = address(asked) else { return Ok(Reply::Missing) };
    let name = address.name;
    let deleted = match forms::confirmed(asked, name.as_str()) {
        Ok(()) => {
            let force = asked.form.checked("force");
            run(asked, DeleteRepository { registry_id: None, name: name.clone(), force }).await
        }
        Err(error) => Err(error),
    };
    match deleted {
        Ok(_) => {
            Ok(Reply::done(asked.path("public"), format!("The repository {name} is deleted.")))
        }
        failed => forms::came(failed, path(asked, &name, ""), ""),
    }
}

fn deletion(asked: &Asked<'_>, name: &RepositoryName) -> Markup {
    forms::end(
        asked,
        &path(asked, name, "delete"),
        "Delete repository",
        name.as_str(),
        &html! {
            p { "The repository goes with all that the gallery shows of it. Whoever pulls from it finds nothing any more." }
            (parts::check("force", "Delete its images too", "Without this, a repository that has images stays.", false))
        },
    )
}
