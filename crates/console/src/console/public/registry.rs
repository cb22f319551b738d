//! The public registry of the account: its name and its aliases.

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, RequestPublicAlias, SetPrimaryPublicAlias,
};
use tonnage_domain::public::aliases::{Alias, AliasName, AliasStatus};
use tonnage_domain::public::registries::{
    DescribeRegistries, GetRegistryCatalogData, PublicRegistry, PutRegistryCatalogData,
    RegistryCatalogData,
};

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use crate::format;

/// The most characters of a display name (botocore `ecr-public`, `RegistryDisplayName`).
const DISPLAY_NAME_MAX: usize = 100;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let registry = super::part(asked, DescribeRegistries).await?;
    let data = super::part(asked, GetRegistryCatalogData).await?;
    Ok(forms::shown(page(asked, &registry, &data, refused), refused))
}

pub(crate) fn page(
    asked: &Asked<'_>,
    registry: &Part<PublicRegistry>,
    data: &Part<RegistryCatalogData>,
    refused: Option<&Error>,
) -> Page {
    let path = asked.path("public/registry");
    let sent = asked.form.checked("display-name").then(|| asked.form.text("display-name"));
    let content = html! {
        (parts::refusal(refused))
        section aria-labelledby="name" {
            h2 #name { "Name" }
            @match data {
                Err(error) => (parts::denied("The name of the registry", error)),
                Ok(data) => {
                    @let name = sent.or(data.display_name.as_deref()).unwrap_or_default();
                    (parts::form(asked, &path, &html! {
                        input type="hidden" name="do" value="name";
                        (Field { name: "display-name", label: "Display name", value: name, help: "Who publishes, as the gallery says it beside each repository.", ..Field::default() }.render())
                        div.submit { button type="submit" { "Save name" } }
                    }))
                }
            }
        }
        section aria-labelledby="aliases" {
            h2 #aliases { "Aliases" }
            @match registry {
                Err(error) => (parts::denied("Aliases", error)),
                Ok(registry) => (aliases(asked, registry)),
            }
            (parts::form(asked, &path, &html! {
                input type="hidden" name="do" value="request";
                div.filters {
                    (Field { name: "alias", label: "Another alias", value: asked.form.text("alias"), required: true, ..Field::default() }.render())
                    button.plain type="submit" { "Ask for it" }
                }
            }))
            p.quiet { "An alias stands in URIs between the host and the name of a repository. Whoever administers this deployment approves it." }
        }
        (parts::same_with_aws(&[
            super::aws("put-registry-catalog-data", &[("display-name", "NAME")]),
            format!("tonnage public aliases request ALIAS --account {}", asked.context.account),
            format!("tonnage public aliases approve ALIAS --account {}", asked.context.account),
            format!("tonnage public aliases primary ALIAS --account {}", asked.context.account),
        ]))
    };
    Page::new("Public registry", content).under("Public repositories", asked.path("public"))
}

fn aliases(asked: &Asked<'_>, registry: &PublicRegistry) -> Markup {
    html! {
        @if registry.verified { p { (parts::badge("good", "verified")) " The operator knows who publishes here." } }
        @if registry.aliases.is_empty() {
            p.quiet { "There is none yet: the first public repository comes with one." }
        } @else {
            (parts::table("Aliases", &["Alias", "State", "Asked for", ""], &html! {
                @for alias in &registry.aliases { tr {
                    th scope="row" { (alias.name.as_str()) }
                    td { (state(alias)) }
                    td { (format::day(alias.requested_at)) }
                    td { (buttons(asked, alias)) }
                } }
            }))
        }
    }
}

fn state(alias: &Alias) -> Markup {
    html! {
        @match alias.status {
            AliasStatus::Active => (parts::badge("good", "active")),
            AliasStatus::Pending => (parts::badge("warn", "waits for approval")),
            AliasStatus::Rejected => (parts::badge("bad", "rejected")),
        }
        @if alias.primary { " " (parts::badge("", "in URIs")) }
    }
}

fn buttons(asked: &Asked<'_>, alias: &Alias) -> Markup {
    let path = asked.path("public/registry");
    let name = alias.name.as_str();
    html! {
        @if alias.status == AliasStatus::Active && !alias.primary {
            (parts::button(asked, &path, "Use in URIs", &[("do", "primary"), ("alias", name)])) " "
        }
        @if alias.status != AliasStatus::Active {
            (parts::button(asked, &path, "Approve", &[("do", "approve"), ("alias", name)])) " "
        }
        @if alias.status == AliasStatus::Pending {
            (parts::end_button(asked, &path, "Reject", &[("do", "reject"), ("alias", name)]))
        }
    }
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let path = asked.path("public/registry");
    let form = &asked.form;
    if form.text("do") == "name" {
        let name = form.text("display-name").trim();
        let fits = name.chars().count() <= DISPLAY_NAME_MAX;
        let saved = match forms::require(fits, "A display name has at most 100 characters.") {
            Ok(()) => {
                let put = PutRegistryCatalogData { display_name: Some(name.to_owned()) };
                super::run(asked, put).await.map(drop)
            }
            Err(error) => Err(error),
        };
        return match saved {
            Ok(()) => Ok(Reply::done(path, "The name is saved.")),
            Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
            Err(error) => Err(error),
        };
    }
    let management_account = asked.app.management_account;
    let account = asked.context.account;
    let Some(name) = AliasName::parse(form.text("alias").trim()) else {
        let told = "An alias has 2 to 50 lower-case letters and digits with . _ - between them, and begins with a letter.";
        let error = Error::new(ErrorKind::InvalidParameter, told);
        return respond(asked, Some(&error)).await;
    };
    let done = match form.text("do") {
        "request" => {
            let request = RequestPublicAlias { management_account, account, name };
            super::run(asked, request).await.map(|_| "The alias waits for approval.")
        }
        "primary" => {
            let primary = SetPrimaryPublicAlias { management_account, account, name };
            super::run(asked, primary).await.map(|_| "The alias stands in URIs now.")
        }
        what @ ("approve" | "reject") => {
            let (decision, told) = match what {
                "approve" => (Decision::Approve, "The alias is active."),
                _ => (Decision::Reject, "The alias is rejected."),
            };
            let decide = DecidePublicAlias { management_account, account, name, decision };
            super::run(asked, decide).await.map(|_| told)
        }
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok(told) => Ok(Reply::done(path, told)),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}
