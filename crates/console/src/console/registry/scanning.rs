//! Which images are scanned, and when.

use maud::html;
use tonnage_domain::error::Error;
use tonnage_domain::scanning::registry_scanning_configuration::{
    GetRegistryScanningConfiguration, PutRegistryScanningConfiguration,
};
use tonnage_domain::scanning::{
    RegistryScanningConfiguration, ScanFrequency, ScanType, ScanningRule,
};

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts;
use super::super::reply::{Page, Reply};

/// Filters that a rule can have (botocore `ecr`, `ScanningRepositoryFilterList`).
const FILTERS_MAX: usize = 100;
/// The most characters of a filter.
const FILTER_MAX: usize = 255;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let stored = asked.part(GetRegistryScanningConfiguration).await?;
    Ok(forms::shown(page(asked, &stored, refused), refused))
}

fn filters_of(stored: &RegistryScanningConfiguration, frequency: ScanFrequency) -> String {
    let rule = stored.rules.iter().find(|rule| rule.frequency == frequency);
    rule.map(|rule| rule.filters.join("\n")).unwrap_or_default()
}

pub(crate) fn page(
    asked: &Asked<'_>,
    stored: &Part<RegistryScanningConfiguration>,
    refused: Option<&Error>,
) -> Page {
    let content = html! {
        (parts::refusal(refused))
        @match stored {
            Err(error) => (parts::denied("What is scanned", error)),
            Ok(stored) => (form(asked, stored, refused.is_some())),
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr get-registry-scanning-configuration", &[]),
            parts::aws(asked, "ecr put-registry-scanning-configuration", &[
                ("scan-type", "ENHANCED"),
                ("rules", r#"[{"scanFrequency":"CONTINUOUS_SCAN","repositoryFilters":[{"filter":"*","filterType":"WILDCARD"}]}]"#),
            ]),
        ]))
    };
    super::page(asked, "Scanning", content)
}

fn form(asked: &Asked<'_>, stored: &RegistryScanningConfiguration, is_sent: bool) -> maud::Markup {
    let kind = if is_sent { asked.form.text("type") } else { stored.scan_type.as_str() };
    let filters = |name: &str, frequency| match is_sent {
        true => asked.form.text(name).to_owned(),
        false => filters_of(stored, frequency),
    };
    html! {
        (parts::form(asked, &asked.path("registry/scanning"), &html! {
            (parts::choice("type", "How images are scanned", kind, &[
                ("BASIC", "Basic", "Packages of the operating system, when an image is pushed or somebody asks."),
                ("ENHANCED", "Enhanced", "Packages of programming languages too, and again whenever advisories change."),
            ]))
            (parts::text_area("on-push", "Scan on push", "One filter a line. Without * it fits anywhere in the name of a repository, with * it has to fit the whole name: * alone is every repository.", &filters("on-push", ScanFrequency::ScanOnPush), 3))
            (parts::text_area("continuous", "Scan continuously", "For enhanced scanning only; the same filters.", &filters("continuous", ScanFrequency::ContinuousScan), 3))
            div.submit { button type="submit" { "Save scanning" } }
        }))
        p.quiet { "Repositories that no filter fits follow their own setting in basic scanning, and are not scanned in enhanced scanning." }
    }
}

pub(crate) async fn save(asked: &Asked<'_>) -> Result<Reply, Error> {
    let saved = match from_form(asked) {
        Ok(configuration) => {
            asked.run(PutRegistryScanningConfiguration { configuration }).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(Reply::done(
            asked.path("registry/scanning"),
            "Saved. Images that are there already are looked at now.",
        )),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

fn from_form(asked: &Asked<'_>) -> Result<RegistryScanningConfiguration, Error> {
    let form = &asked.form;
    let scan_type = ScanType::parse(form.text("type"))
        .ok_or_else(|| Error::invalid_parameter("scanType", "BASIC or ENHANCED"))?;
    let mut rules = Vec::new();
    for (name, frequency) in
        [("on-push", ScanFrequency::ScanOnPush), ("continuous", ScanFrequency::ContinuousScan)]
    {
        let filters = form.lines(name);
        for filter in &filters {
            forms::require(
                filter.len() <= FILTER_MAX && super::is_filter(filter, true),
                format!(
                    "\"{filter}\" fits no repository: a filter has lower-case letters, digits, ._-/ and *."
                ),
            )?;
        }
        forms::require(
            filters.len() <= FILTERS_MAX,
            format!("A rule has at most {FILTERS_MAX} filters."),
        )?;
        if !filters.is_empty() {
            rules.push(ScanningRule { frequency, filters });
        }
    }
    Ok(RegistryScanningConfiguration { scan_type, rules })
}
