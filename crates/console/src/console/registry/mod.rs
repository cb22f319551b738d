//! What holds for all repositories of a region: the settings of the registry.

pub(crate) mod account_settings;
pub(crate) mod exclusions;
pub(crate) mod policy;
pub(crate) mod pull_through;
pub(crate) mod replication;
pub(crate) mod scanning;
pub(crate) mod signing;
pub(crate) mod templates;

use maud::html;
use tonnage_domain::error::Error;

use super::asked::Asked;
use super::reply::{Page, Reply};

/// The most characters of a filter (botocore `ecr`, shapes of filters).
const FILTER_MAX: usize = 256;

/// Pages of settings: path, title, what they are about.
const PAGES: [(&str, &str, &str); 8] = [
    (
        "registry/policy",
        "Registry policy",
        "What other accounts may do here, and what nobody may: for all repositories at once.",
    ),
    (
        "registry/replication",
        "Replication",
        "Copies of images in other regions, accounts and deployments, and how far behind they are.",
    ),
    (
        "registry/pull-through",
        "Pull through cache",
        "Images of other registries under a prefix of yours, fetched when they are first pulled.",
    ),
    (
        "registry/templates",
        "Creation templates",
        "What repositories get that are made by a push, by replication or by the cache.",
    ),
    ("registry/scanning", "Scanning", "Which images are scanned for vulnerabilities, and when."),
    ("registry/signing", "Signing", "Which images are signed when they are pushed, and as whom."),
    (
        "registry/pull-times",
        "Pull times",
        "Whose pulls do not count as use, such as scanners that pull everything.",
    ),
    ("registry/account", "Account settings", "How policies, layers and scans work in this region."),
];

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let content = html! {
        p.quiet { "These settings hold for all repositories of account " (asked.context.account) " in " (asked.context.region) "." }
        dl."box"."pairs" {
            @for (path, title, about) in PAGES {
                div { dt { a href=(asked.path(path)) { (title) } } dd { (about) } }
            }
        }
    };
    let content = html! {
        (content)
        (super::parts::same_with_aws(&[super::parts::aws(asked, "ecr describe-registry", &[])]))
    };
    Ok(Page::new("Registry settings", content).into())
}

/// A page of settings, below their list.
fn page(asked: &Asked<'_>, title: &str, content: maud::Markup) -> Page {
    Page::new(title, content).under("Registry settings", asked.path("registry"))
}

/// Whether a text is a name of repositories, a beginning of one, or with `*` for any run of
/// characters where wildcards are allowed.
fn is_filter(text: &str, with_wildcards: bool) -> bool {
    let is_of_filter = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || b"._-/".contains(&byte)
            || (with_wildcards && byte == b'*')
    };
    let begins = text.bytes().next().is_some_and(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || (with_wildcards && byte == b'*')
    });
    begins && text.len() <= FILTER_MAX && !text.contains("//") && text.bytes().all(is_of_filter)
}

/// Refuses a prefix of repositories that is none.
///
/// # Errors
/// `InvalidParameter` with what a prefix is.
fn check_prefix(text: &str, chars_max: usize) -> Result<(), Error> {
    let name = text.strip_suffix('/').unwrap_or(text);
    let fits = text == "ROOT"
        || tonnage_domain::names::RepositoryName::parse(&format!("{name}/x")).is_ok();
    super::forms::require(
        fits && text.len() <= chars_max,
        format!(
            "\"{text}\" is no prefix: it has lower-case letters, digits, dots, hyphens, underscores \
             and slashes and at most {chars_max} characters, such as team/app; or it is ROOT."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        for (text, with_wildcards, expected) in [
            ("prod", false, true),
            ("team/app-", false, true),
            ("prod*", true, true),
            ("*", true, true),
            ("prod*", false, false),
            ("", true, false),
            ("/a", true, false),
            ("a//b", true, false),
            ("Prod", true, false),
            ("a b", true, false),
        ] {
            assert_eq!(is_filter(text, with_wildcards), expected, "{text}");
        }
    }

    #[test]
    fn prefixes() {
        for (text, expected) in [
            ("hub", true),
            ("team/hub/", true),
            ("ROOT", true),
            ("", false),
            ("Hub", false),
            ("a//b", false),
            ("a-very-long-prefix-that-does-not-fit", false),
        ] {
            assert_eq!(check_prefix(text, 30).is_ok(), expected, "{text}");
        }
    }
}
