//! Which secrets a listing shows.
//!
//! Source: AWS Secrets Manager API reference, `Filter`, and user guide, "Find secrets in AWS Secrets
//! Manager".

use super::Secret;
use crate::names::Region;

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKey {
    /// Words of the description, in any case.
    Description,
    /// The beginning of the name.
    Name,
    /// The beginning of the key of any tag.
    TagKey,
    /// The beginning of the value of any tag.
    TagValue,
    /// The beginning of the region that the secret was made in, which is the one it is in.
    PrimaryRegion,
    /// The beginning of the name of the service that manages it, which no secret here has.
    OwningService,
    /// Words of name, description and tags, in any case.
    All,
}

impl FilterKey {
    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "description" => Self::Description,
            "name" => Self::Name,
            "tag-key" => Self::TagKey,
            "tag-value" => Self::TagValue,
            "primary-region" => Self::PrimaryRegion,
            "owning-service" => Self::OwningService,
            "all" => Self::All,
            _ => return None,
        })
    }
}

/// One filter: a secret passes that fits any of the values. `!` before a value turns it around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What it looks at.
    pub key: FilterKey,
    /// 1 to 10 values.
    pub values: Vec<String>,
}

impl Filter {
    /// Whether a secret of this region passes.
    pub(super) fn fits(&self, secret: &Secret, region: &Region) -> bool {
        let texts: Vec<&str> = match self.key {
            FilterKey::Description => secret.description.as_deref().into_iter().collect(),
            FilterKey::Name => vec![secret.name.as_str()],
            FilterKey::TagKey => secret.tags.keys().map(String::as_str).collect(),
            FilterKey::TagValue => secret.tags.values().map(String::as_str).collect(),
            FilterKey::PrimaryRegion => vec![region.as_str()],
            FilterKey::OwningService => Vec::new(),
            FilterKey::All => [secret.name.as_str()]
                .into_iter()
                .chain(secret.description.as_deref())
                .chain(secret.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]))
                .collect(),
        };
        let by_words = matches!(self.key, FilterKey::Description | FilterKey::All);
        let any = |value: &str| {
            texts.iter().any(|text| match by_words {
                true => has_words(text, value),
                false => text.starts_with(value),
            })
        };
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !any(value),
            None => any(value),
        })
    }
}

/// Whether every word of `value` begins a word of `text`, in any case.
fn has_words(text: &str, value: &str) -> bool {
    let (text, value) = (text.to_lowercase(), value.to_lowercase());
    let words: Vec<&str> = words(&text).collect();
    let mut wanted = self::words(&value).peekable();
    wanted.peek().is_some() && wanted.all(|word| words.iter().any(|it| it.starts_with(word)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::Millis;

    fn secret() -> Secret {
        Secret {
            id: 1,
            arn: String::new(),
            name: "ecr-pullthroughcache/Hub".to_owned(),
            description: Some("Token of Docker Hub, for builds".to_owned()),
            tags: BTreeMap::from([("team".to_owned(), "Build Farm".to_owned())]),
            created_at: Millis(0),
            changed_at: Millis(0),
            accessed_at: None,
            deleted_at: None,
            purge_at: None,
        }
    }

    #[test]
    fn what_passes() {
        let region = Region::parse("us-east-1").unwrap();
        let check = |key: &str, values: &[&str], expected: bool| {
            let values = values.iter().map(|&value| value.to_owned()).collect();
            let filter = Filter { key: FilterKey::parse(key).unwrap(), values };
            assert_eq!(filter.fits(&secret(), &region), expected, "{key} {:?}", filter.values);
        };
        check("name", &["ecr-"], true);
        check("name", &["ECR-"], false);
        check("name", &["Hub"], false);
        check("name", &["other", "ecr"], true);
        check("name", &["!ecr"], false);
        check("name", &["!other"], true);
        check("description", &["token"], true);
        check("description", &["docker hub"], true);
        check("description", &["hub bui"], true);
        check("description", &["uilds"], false);
        check("description", &["token nothing"], false);
        check("description", &["!token"], false);
        check("description", &[""], false);
        check("tag-key", &["te"], true);
        check("tag-key", &["Team"], false);
        check("tag-value", &["Build"], true);
        check("tag-value", &["Farm"], false);
        check("primary-region", &["us-"], true);
        check("primary-region", &["eu-"], false);
        check("owning-service", &["rds"], false);
        check("owning-service", &["!rds"], true);
        check("all", &["farm"], true);
        check("all", &["pullthroughcache"], true);
        check("all", &["TEAM"], true);
        check("all", &["nowhere"], false);
        assert_eq!(FilterKey::parse("other"), None);
    }

    proptest! {
        #[test]
        fn the_words_of_a_text_are_found_in_it(text in "\\PC{0,40}") {
            let found = has_words(&text, &text);
            prop_assert_eq!(found, words(&text.to_lowercase()).next().is_some());
        }
    }
}
