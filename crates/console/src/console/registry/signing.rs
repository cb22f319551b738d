//! Which images are signed, and the profiles that sign.

use std::collections::BTreeMap;

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::pages::{Page as Items, PageRequest};
use tonnage_domain::signing::configuration::{SigningConfiguration, SigningRule};
use tonnage_domain::signing::delete_signing_configuration::DeleteSigningConfiguration;
use tonnage_domain::signing::get_signing_configuration::GetSigningConfiguration;
use tonnage_domain::signing::profiles::list_signing_profiles::ListSigningProfiles;
use tonnage_domain::signing::profiles::put_signing_profile::PutSigningProfile;
use tonnage_domain::signing::profiles::{PLATFORM, SigningProfile};
use tonnage_domain::signing::put_signing_configuration::PutSigningConfiguration;

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use crate::format;

/// Rules that a registry can have.
const RULES_MAX: usize = 10;
const PROFILES_MAX: u32 = 1000;
/// The characters of a name of a profile (botocore `signer`, `ProfileName`).
const PROFILE_NAME: std::ops::RangeInclusive<usize> = 2..=64;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let absent = ErrorKind::SigningConfigurationNotFound;
    let stored = asked.part_or_none(GetSigningConfiguration, absent).await?;
    let page_of_all = PageRequest { after: None, limit: PROFILES_MAX };
    let profiles = asked.part(ListSigningProfiles { page: page_of_all }).await?;
    Ok(forms::shown(page(asked, &stored, &profiles, refused), refused))
}

pub(crate) fn page(
    asked: &Asked<'_>,
    stored: &Part<Option<SigningConfiguration>>,
    profiles: &Part<Items<SigningProfile>>,
    refused: Option<&Error>,
) -> Page {
    let content = html! {
        (parts::refusal(refused))
        (profiles_section(asked, profiles))
        section aria-labelledby="rules" {
            h2 #rules { "Rules" }
            @match stored {
                Err(error) => (parts::denied("What is signed", error)),
                Ok(stored) => (rules_form(asked, stored.as_ref(), profiles)),
            }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "signer put-signing-profile", &[("profile-name", "release"), ("platform-id", PLATFORM)]),
            parts::aws(asked, "ecr get-signing-configuration", &[]),
            parts::aws(asked, "ecr put-signing-configuration", &[("signing-configuration", "file://signing.json")]),
        ]))
    };
    super::page(asked, "Signing", content)
}

fn profiles_section(asked: &Asked<'_>, profiles: &Part<Items<SigningProfile>>) -> Markup {
    html! {
        section aria-labelledby="profiles" {
            h2 #profiles { "Signing profiles" }
            @match profiles {
                Err(error) => (parts::denied("The list of profiles", error)),
                Ok(profiles) if profiles.items.is_empty() => p.quiet {
                    "A profile is a key with a certificate under the name of this account. Whoever trusts the certificate can tell "
                    "that an image is the one that was pushed here. There is none yet."
                },
                Ok(profiles) => (parts::table("Signing profiles", &["Name", "ARN", "Created"], &html! {
                    @for profile in &profiles.items { tr {
                        th scope="row" { (profile.name) }
                        td { code { (profile.arn) } }
                        td { (format::day(profile.created_at)) }
                    } }
                })),
            }
            (parts::form(asked, &asked.path("registry/signing"), &html! {
                div.filters {
                    (Field { name: "name", label: "Name of a new profile", value: asked.form.text("name"), required: true, ..Field::default() }.render())
                    button.plain type="submit" name="do" value="profile" { "Create profile" }
                }
            }))
        }
    }
}

fn rules_form(
    asked: &Asked<'_>,
    stored: Option<&SigningConfiguration>,
    profiles: &Part<Items<SigningProfile>>,
) -> Markup {
    let none: &[SigningRule] = &[];
    let mut rules: Vec<(String, String)> = match asked.form.text("do") {
        "save" => (0..RULES_MAX)
            .map(|index| {
                let text = |name: &str| asked.form.text(&format!("{name}-{index}")).to_owned();
                (text("profile"), text("filters"))
            })
            .filter(|(profile, _)| !profile.is_empty())
            .collect(),
        _ => stored
            .map_or(none, |stored| &stored.rules)
            .iter()
            .map(|rule| (rule.profile_arn.clone(), rule.filters.join("\n")))
            .collect(),
    };
    if rules.len() < RULES_MAX {
        rules.push((String::new(), String::new()));
    }
    let known: &[SigningProfile] = profiles.as_ref().map_or(&[], |profiles| &profiles.items);
    html! {
        @if stored.is_none() {
            p.quiet { "Nothing is signed. With a rule below, images are when they are pushed." }
        }
        (parts::form(asked, &asked.path("registry/signing"), &html! {
            @for (index, (profile, filters)) in rules.iter().enumerate() {
                fieldset.rule {
                    legend { @if profile.is_empty() { "Another rule" } @else { "Rule " (index + 1) } }
                    @if profiles.is_ok() && (profile.is_empty() || known.iter().any(|known| known.arn == *profile)) {
                        @let options: Vec<(&str, &str)> = std::iter::once(("", "No profile"))
                            .chain(known.iter().map(|known| (known.arn.as_str(), known.name.as_str()))).collect();
                        (parts::select(&format!("profile-{index}"), "Profile", profile, &options))
                    } @else {
                        (Field { name: &format!("profile-{index}"), label: "ARN of a profile", value: profile, ..Field::default() }.render())
                    }
                    (parts::text_area(&format!("filters-{index}"), "Only repositories that fit", "One pattern a line, with * for anything; nothing is all repositories.", filters, 2))
                }
            }
            p.quiet { "A rule without a profile is left out." }
            div.submit {
                button type="submit" name="do" value="save" { "Save rules" }
                @if stored.is_some() { button.plain.ends type="submit" name="do" value="delete" { "Sign nothing any more" } }
            }
        }))
    }
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let path = asked.path("registry/signing");
    let done = match asked.form.text("do") {
        "profile" => create_profile(asked).await.map(|profile| {
            format!("The profile {} is created. A rule below has it sign.", profile.name)
        }),
        "save" => match from_form(asked) {
            Ok(configuration) => {
                let put = PutSigningConfiguration { configuration };
                asked.run(put).await.map(|_| "The rules are saved.".to_owned())
            }
            Err(error) => Err(error),
        },
        "delete" => asked
            .run(DeleteSigningConfiguration)
            .await
            .map(|_| "Nothing is signed any more. Signatures that are there stay.".to_owned()),
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok(told) => Ok(Reply::done(path, told)),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

async fn create_profile(asked: &Asked<'_>) -> Result<SigningProfile, Error> {
    let name = asked.form.text("name").trim().to_owned();
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    forms::require(
        PROFILE_NAME.contains(&name.len()) && name.bytes().all(is_of_name),
        "The name of a profile has 2 to 64 letters, digits and underscores.",
    )?;
    let platform = PLATFORM.to_owned();
    asked.run(PutSigningProfile { name, platform, tags: BTreeMap::new() }).await
}

fn from_form(asked: &Asked<'_>) -> Result<SigningConfiguration, Error> {
    let form = &asked.form;
    let mut rules = Vec::new();
    for index in 0..RULES_MAX {
        let Some(profile_arn) = form.optional(&format!("profile-{index}")) else { continue };
        let filters = form.lines(&format!("filters-{index}"));
        for filter in &filters {
            forms::require(
                super::is_filter(filter, true),
                format!(
                    "\"{filter}\" fits no repository: a pattern has lower-case letters, digits, ._-/ and *."
                ),
            )?;
        }
        rules.push(SigningRule { profile_arn: profile_arn.to_owned(), filters });
    }
    forms::require(
        !rules.is_empty(),
        "No rule has a profile. To sign nothing, take the rules away with the button beside.",
    )?;
    Ok(SigningConfiguration { rules })
}
