//! Whether a tag may move. `MUTABLE` and `IMMUTABLE` hold for every tag; the two
//! `…_WITH_EXCLUSION` settings turn around for tags that match a filter.
//!
//! Source: Amazon ECR user guide, "Preventing image tags from being overwritten"; botocore `ecr`
//! shapes `ImageTagMutability` and `ImageTagMutabilityExclusionFilter`.

use crate::error::{Error, Result};
use crate::names::Tag;
use crate::wildcard;

const FILTERS_MAX: usize = 5;
const WILDCARDS_PER_FILTER_MAX: usize = 2;

/// The four settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagMutability {
    /// Every tag may move.
    Mutable,
    /// No tag may move.
    Immutable,
    /// No tag may move unless it matches a filter.
    ImmutableWithExclusion,
    /// Every tag may move unless it matches a filter.
    MutableWithExclusion,
}

impl TagMutability {
    /// Every setting, in the order of botocore's enumeration.
    pub const ALL: [Self; 4] =
        [Self::Mutable, Self::Immutable, Self::ImmutableWithExclusion, Self::MutableWithExclusion];

    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::ImmutableWithExclusion => "IMMUTABLE_WITH_EXCLUSION",
            Self::MutableWithExclusion => "MUTABLE_WITH_EXCLUSION",
        }
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.as_str() == text)
    }

    fn takes_filters(self) -> bool {
        matches!(self, Self::ImmutableWithExclusion | Self::MutableWithExclusion)
    }
}

/// A setting with its filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagMutabilityRule {
    setting: TagMutability,
    filters: Vec<String>,
}

impl Default for TagMutabilityRule {
    fn default() -> Self {
        Self { setting: TagMutability::Mutable, filters: Vec::new() }
    }
}

impl TagMutabilityRule {
    /// A setting with 1 to 5 wildcard filters where it takes filters, and none where it does not.
    ///
    /// # Errors
    /// `InvalidParameter` in ECR's words.
    pub fn new(setting: TagMutability, filters: Vec<String>) -> Result<Self> {
        const FIELD: &str = "imageTagMutabilityExclusionFilters";
        if setting.takes_filters() == filters.is_empty() {
            return Err(Error::invalid_parameter(
                FIELD,
                format_args!(
                    "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {}",
                    if setting.takes_filters() {
                        setting.as_str()
                    } else {
                        "IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION, and must be null otherwise"
                    }
                ),
            ));
        }
        if filters.len() > FILTERS_MAX {
            return Err(Error::invalid_parameter(
                FIELD,
                format_args!("Member must have length less than or equal to {FILTERS_MAX}"),
            ));
        }
        for filter in &filters {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._*-".contains(&byte);
            if filter.is_empty() || filter.len() > 128 || !filter.bytes().all(allowed) {
                return Err(Error::invalid_parameter(
                    FIELD,
                    "must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}'",
                ));
            }
            if filter.bytes().filter(|&byte| byte == b'*').count() > WILDCARDS_PER_FILTER_MAX {
                return Err(Error::invalid_parameter(
                    FIELD,
                    format_args!("A filter may have at most {WILDCARDS_PER_FILTER_MAX} wildcards"),
                ));
            }
        }
        Ok(Self { setting, filters })
    }

    /// The setting.
    pub fn setting(&self) -> TagMutability {
        self.setting
    }

    /// The filters.
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// Whether `tag`, once it exists, may come to mean another image.
    pub fn may_move(&self, tag: &Tag) -> bool {
        let excluded = self.filters.iter().any(|filter| wildcard::matches(filter, tag.as_str()));
        match self.setting {
            TagMutability::Mutable => true,
            TagMutability::Immutable => false,
            TagMutability::ImmutableWithExclusion => excluded,
            TagMutability::MutableWithExclusion => !excluded,
        }
    }

    pub(crate) fn stored_filters(&self) -> Result<String> {
        serde_json::to_string(&self.filters).map_err(Error::internal)
    }

    pub(crate) fn from_stored(setting: &str, filters: &str) -> Result<Self> {
        Ok(Self {
            setting: TagMutability::parse(setting)
                .ok_or_else(|| Error::internal(format!("stored tag mutability {setting}")))?,
            filters: serde_json::from_str(filters).map_err(Error::internal)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(setting: TagMutability, filters: &[&str], tag: &str, may_move: bool) {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        let rule = TagMutabilityRule::new(setting, filters).unwrap();
        assert_eq!(rule.may_move(&Tag::parse(tag).unwrap()), may_move, "{rule:?} {tag}");
    }

    #[test]
    fn filters_turn_the_setting_around() {
        use TagMutability::{Immutable, ImmutableWithExclusion, Mutable, MutableWithExclusion};
        check(Mutable, &[], "v1", true);
        check(Immutable, &[], "v1", false);
        check(ImmutableWithExclusion, &["latest"], "latest", true);
        check(ImmutableWithExclusion, &["latest"], "latest2", false);
        check(ImmutableWithExclusion, &["dev-*"], "dev-", true);
        check(ImmutableWithExclusion, &["*-dev"], "a-dev-dev", true);
        check(ImmutableWithExclusion, &["*dev*"], "my-dev-1", true);
        check(ImmutableWithExclusion, &["*dev*"], "my-de", false);
        check(ImmutableWithExclusion, &["a*b*"], "abbc", true);
        check(MutableWithExclusion, &["v*", "release"], "v1", false);
        check(MutableWithExclusion, &["v*", "release"], "release", false);
        check(MutableWithExclusion, &["v*", "release"], "nightly", true);
    }

    #[track_caller]
    fn check_refused(setting: TagMutability, filters: &[&str]) {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        assert!(TagMutabilityRule::new(setting, filters).is_err());
    }

    #[test]
    fn filters_are_required_exactly_where_they_mean_something() {
        check_refused(TagMutability::Mutable, &["a"]);
        check_refused(TagMutability::Immutable, &["a"]);
        check_refused(TagMutability::MutableWithExclusion, &[]);
        check_refused(TagMutability::ImmutableWithExclusion, &[]);
        check_refused(TagMutability::ImmutableWithExclusion, &["a", "b", "c", "d", "e", "f"]);
        check_refused(TagMutability::ImmutableWithExclusion, &["a b"]);
        check_refused(TagMutability::ImmutableWithExclusion, &[""]);
        check_refused(TagMutability::ImmutableWithExclusion, &["a*b*c*"]);
    }
}
