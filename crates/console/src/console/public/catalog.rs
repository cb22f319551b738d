//! What the gallery shows of a public repository, and the page where it is written.

use maud::{Markup, PreEscaped, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::public::catalog::operations::{
    GetRepositoryCatalogData, GetRepositoryLogo, PutRepositoryCatalogData,
};
use tonnage_domain::public::catalog::{CatalogData, CatalogDataInput};
use tonnage_domain::public::registries::{DescribeRegistries, PublicRegistry};
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use crate::markdown;

/// The most characters (botocore `ecr-public`, shapes of catalog data).
const DESCRIPTION_MAX: usize = 1024;
const TEXT_MAX: usize = 25_600;
/// What platforms can be said to be, as ECR Public has them.
const SYSTEMS: [&str; 2] = ["Linux", "Windows"];
const ARCHITECTURES: [&str; 4] = ["ARM", "ARM 64", "x86", "x86-64"];

/// # Errors
/// [`ErrorKind::InvalidParameter`] for a description that is too long.
pub(super) fn check_description(text: Option<&str>) -> Result<(), Error> {
    forms::require(
        text.is_none_or(|text| text.chars().count() <= DESCRIPTION_MAX),
        "A short description has at most 1,024 characters.",
    )
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let Some(address) = super::address(asked) else { return Ok(Reply::Missing) };
    let get = GetRepositoryCatalogData { repository: address.clone() };
    let data = super::part(asked, get).await?;
    let registry = super::part(asked, DescribeRegistries).await?;
    Ok(forms::shown(page(asked, &address, &data, &registry, refused), refused))
}

/// What the form has: as stored, or as it was sent.
struct Fields {
    description: String,
    systems: Vec<String>,
    architectures: Vec<String>,
    about: String,
    usage: String,
}

impl Fields {
    fn of(data: &CatalogData) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            description: text(&data.description),
            systems: data.operating_systems.clone(),
            architectures: data.architectures.clone(),
            about: text(&data.about_text),
            usage: text(&data.usage_text),
        }
    }

    fn sent(asked: &Asked<'_>) -> Self {
        let form = &asked.form;
        let all = |name: &str| form.all(name).map(str::to_owned).collect();
        Self {
            description: form.text("description").trim().to_owned(),
            systems: all("system"),
            architectures: all("architecture"),
            about: form.text("about").to_owned(),
            usage: form.text("usage").to_owned(),
        }
    }
}

pub(crate) fn page(
    asked: &Asked<'_>,
    address: &RepositoryAddress,
    data: &Part<CatalogData>,
    registry: &Part<PublicRegistry>,
    refused: Option<&Error>,
) -> Page {
    let name = &address.name;
    let is_sent = matches!(asked.form.text("do"), "save" | "preview");
    let fields = match (is_sent, data) {
        (true, _) => Some(Fields::sent(asked)),
        (false, Ok(data)) => Some(Fields::of(data)),
        (false, Err(_)) => None,
    };
    let alias = registry.as_ref().ok().and_then(super::alias);
    let uri = format!("{}/{name}", alias.unwrap_or("ALIAS"));
    let content = html! {
        (super::tabs(asked, name, ""))
        (parts::refusal(refused))
        (parts::facts(&[
            ("In URIs", html! { code { (uri) } }),
            ("ARN", html! { code { (address.arn()) } }),
        ]))
        @if let Some(fields) = &fields {
            @if asked.form.text("do") == "preview" { (preview(fields)) }
            section aria-labelledby="texts" {
                h2 #texts { "What the gallery shows" }
                (editor(asked, address, fields))
            }
            @if let Ok(data) = data { (logo_section(asked, address, data.logo_id.is_some())) }
        } @else if let Err(error) = data { (parts::denied("What the gallery shows", error)) }
        (super::deletion(asked, name))
        (parts::same_with_aws(&[
            super::aws("get-repository-catalog-data", &[("repository-name", name.as_str())]),
            super::aws("put-repository-catalog-data", &[("repository-name", name.as_str()), ("catalog-data", "file://catalog.json")]),
            super::aws("delete-repository", &[("repository-name", name.as_str())]),
        ]))
    };
    Page::new(name.as_str(), content).under("Public repositories", asked.path("public"))
}

fn editor(asked: &Asked<'_>, address: &RepositoryAddress, fields: &Fields) -> Markup {
    let boxes = |name: &str, options: &[&'static str], chosen: &[String]| {
        html! {
            @for (index, option) in options.iter().enumerate() {
                @let id = format!("field-{name}-{index}");
                div.option {
                    input type="checkbox" id=(id) name=(name) value=(option) checked[chosen.iter().any(|chosen| chosen == option)];
                    label for=(id) { (option) }
                }
            }
        }
    };
    html! {
        (parts::form(asked, &super::path(asked, &address.name, ""), &html! {
            (Field { name: "description", label: "Short description", value: &fields.description, help: "One line for lists and searches.", ..Field::default() }.render())
            fieldset { legend { "Operating systems" } (boxes("system", &SYSTEMS, &fields.systems)) }
            fieldset { legend { "Architectures" } (boxes("architecture", &ARCHITECTURES, &fields.architectures)) }
            (parts::text_area("about", "About", "Markdown: what it is, for whom, under which licence.", &fields.about, 12))
            (parts::text_area("usage", "Usage", "Markdown: how to run it.", &fields.usage, 10))
            div.submit {
                button type="submit" name="do" value="save" { "Save" }
                button.plain type="submit" name="do" value="preview" { "Preview" }
            }
        }))
    }
}

/// The logo, and a form for another one.
fn logo_section(asked: &Asked<'_>, address: &RepositoryAddress, is_there: bool) -> Markup {
    let path = super::path(asked, &address.name, "");
    html! {
        section aria-labelledby="logo" {
            h2 #logo { "Logo" }
            @match is_there {
                true => div.logo {
                    img src={ (super::path(asked, &address.name, "logo")) } alt={ "The logo of " (address.name) } width="96" height="96";
                    (parts::end_button(asked, &path, "Take the logo away", &[("do", "drop-logo")]))
                },
                false => p.quiet { "There is none: the gallery shows the first letter of the name." },
            }
            form method="post" action=(path) enctype="multipart/form-data" {
                input type="hidden" name="csrf" value=(asked.csrf);
                div.row {
                    label for="field-logo" { @if is_there { "Another logo" } @else { "A logo" } }
                    p.help id="field-logo-help" { "A PNG image of at most 500 kB, 60 to 2,048 pixels on each side. A square with a transparent ground looks best." }
                    input #field-logo type="file" name="logo" accept="image/png,.png" required aria-describedby="field-logo-help";
                }
                div.submit { button.plain type="submit" name="do" value="logo" { "Upload" } }
            }
        }
    }
}

/// The logo itself, as the page shows it.
pub(crate) async fn show_logo(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(address) = super::address(asked) else { return Ok(Reply::Missing) };
    match logo(asked, &address).await? {
        Some(bytes) => Ok(Reply::Image { media_type: "image/png", bytes: bytes.into() }),
        None => Ok(Reply::Missing),
    }
}

/// Puts another logo, or none, and leaves the texts as they are.
async fn save_logo(
    asked: &Asked<'_>,
    repository: RepositoryAddress,
    logo: Option<Vec<u8>>,
) -> Result<(), Error> {
    let get = GetRepositoryCatalogData { repository: repository.clone() };
    let stored = super::run(asked, get).await?;
    let data = CatalogDataInput {
        description: stored.description,
        architectures: stored.architectures,
        operating_systems: stored.operating_systems,
        logo,
        about_text: stored.about_text,
        usage_text: stored.usage_text,
    };
    super::run(asked, PutRepositoryCatalogData { repository, data }).await.map(drop)
}

fn preview(fields: &Fields) -> Markup {
    html! {
        section aria-labelledby="preview" {
            h2 #preview { "Preview" }
            p.quiet { "As the gallery shows it. Nothing is saved yet." }
            div."box"."preview" {
                @if !fields.description.is_empty() { p { strong { (fields.description) } } }
                @for (title, text) in [("About", &fields.about), ("Usage", &fields.usage)] {
                    @if !text.trim().is_empty() {
                        h3 { (title) }
                        // Raw HTML is text by now, and links lead to the web or to a mail address.
                        div.prose { (PreEscaped(markdown::render(text))) }
                    }
                }
            }
        }
    }
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(address) = super::address(asked) else { return Ok(Reply::Missing) };
    match asked.form.text("do") {
        "preview" => return respond(asked, None).await,
        "save" | "logo" | "drop-logo" => {}
        _ => return Ok(Reply::Missing),
    }
    let path = super::path(asked, &address.name, "");
    let saved = match asked.form.text("do") {
        "logo" => match asked.form.file("logo").filter(|file| !file.is_empty()) {
            Some(file) => save_logo(asked, address, Some(file.to_vec())).await,
            None => Err(Error::new(ErrorKind::InvalidParameter, "Choose a PNG image first.")),
        },
        "drop-logo" => save_logo(asked, address, None).await,
        _ => save(asked, address).await,
    };
    match saved {
        Ok(()) => Ok(Reply::done(path, "Saved. The gallery shows it within a second.")),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

async fn save(asked: &Asked<'_>, repository: RepositoryAddress) -> Result<(), Error> {
    let fields = Fields::sent(asked);
    check_description(Some(&fields.description))?;
    for (title, text) in [("About", &fields.about), ("Usage", &fields.usage)] {
        let fits = text.chars().count() <= TEXT_MAX;
        forms::require(fits, format!("{title} has at most 25,600 characters."))?;
    }
    // What is put takes the place of all there was, the logo too.
    let logo = logo(asked, &repository).await?;
    let known = |chosen: Vec<String>, options: &[&str]| {
        chosen.into_iter().filter(|chosen| options.contains(&chosen.as_str())).collect()
    };
    let data = CatalogDataInput {
        description: Some(fields.description),
        architectures: known(fields.architectures, &ARCHITECTURES),
        operating_systems: known(fields.systems, &SYSTEMS),
        logo,
        about_text: Some(fields.about),
        usage_text: Some(fields.usage),
    };
    super::run(asked, PutRepositoryCatalogData { repository, data }).await.map(drop)
}

/// The logo that a repository has.
async fn logo(asked: &Asked<'_>, repository: &RepositoryAddress) -> Result<Option<Vec<u8>>, Error> {
    let repository = repository.clone();
    let get = GetRepositoryCatalogData { repository: repository.clone() };
    let Some(logo_id) = super::run(asked, get).await?.logo_id else { return Ok(None) };
    match super::run(asked, GetRepositoryLogo { repository, logo_id }).await {
        Ok(logo) => Ok(Some(logo.to_vec())),
        // Somebody took it away meanwhile.
        Err(error) if error.kind() == ErrorKind::RepositoryNotFound => Ok(None),
        Err(error) => Err(error),
    }
}
