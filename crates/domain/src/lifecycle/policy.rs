//! A lifecycle policy as it is meant: rules by priority.

use serde::Serialize;

use crate::wildcard;

/// A valid policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LifecyclePolicy {
    /// 1 to 50 rules, by ascending priority: the first one goes before all others.
    pub rules: Vec<Rule>,
}

/// A rule. Members are in the order in which ECR writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its number in the policy, 1 or more; the lowest goes first.
    pub rule_priority: u64,
    /// What people say about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which images it is about, and which of them it acts on.
    pub selection: Selection,
    /// What becomes of these.
    pub action: Action,
}

/// Which images a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    /// By whether they have tags.
    pub tag_status: TagStatus,
    /// Patterns in which `*` stands for any run of characters. Each must match a tag of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_pattern_list: Option<Vec<String>>,
    /// Beginnings of tags. Each must be that of a tag of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_prefix_list: Option<Vec<String>>,
    /// By where they are stored, if the text said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<StorageClass>,
    /// What is counted.
    pub count_type: CountType,
    /// The unit of ages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_unit: Option<CountUnit>,
    /// How many images stay, or how many days.
    pub count_number: u64,
}

/// Whether an image has tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TagStatus {
    /// It has tags that fit the rule's lists.
    Tagged,
    /// It has none.
    Untagged,
    /// It makes no difference.
    Any,
}

/// Where an image is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageClass {
    /// It can be pulled.
    #[default]
    Standard,
    /// It must be restored first.
    Archive,
}

impl StorageClass {
    /// As policies spell it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Archive => "archive",
        }
    }
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CountType {
    /// Images, newest first.
    ImageCountMoreThan,
    /// Days since the push.
    SinceImagePushed,
    /// Days since the last pull, or since the push if there was none.
    SinceImagePulled,
    /// Days since it was archived.
    SinceImageTransitioned,
}

/// The unit of an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CountUnit {
    /// 24 hours.
    Days,
}

/// What becomes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Action {
    /// It is deleted.
    Expire,
    /// It is stored elsewhere.
    Transition {
        /// Where.
        target_storage_class: StorageClass,
    },
}

impl LifecyclePolicy {
    /// The policy as ECR gives it back: without white space, rules by priority.
    ///
    /// # Errors
    /// Never, as far as known: these shapes always serialize.
    pub fn minified(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Whether it archives images.
    pub fn archives(&self) -> bool {
        self.rules.iter().any(|rule| rule.action.archives())
    }
}

impl Action {
    /// Whether it archives an image.
    pub fn archives(self) -> bool {
        matches!(self, Self::Transition { .. })
    }
}

impl Selection {
    /// Where the images are stored that it is about.
    pub fn storage_class(&self) -> StorageClass {
        self.storage_class.unwrap_or_default()
    }

    /// Whether it is about an image with these tags.
    pub fn fits(&self, tags: &[String]) -> bool {
        match self.tag_status {
            TagStatus::Any => true,
            TagStatus::Untagged => tags.is_empty(),
            TagStatus::Tagged => {
                let patterns = self
                    .tag_pattern_list
                    .iter()
                    .flatten()
                    .all(|pattern| tags.iter().any(|tag| wildcard::matches(pattern, tag)));
                let prefixes = self
                    .tag_prefix_list
                    .iter()
                    .flatten()
                    .all(|prefix| tags.iter().any(|tag| tag.starts_with(prefix.as_str())));
                patterns && prefixes
            }
        }
    }
}
