//! From a text to a policy, or to what is wrong with it in ECR's words.
//!
//! ECR checks the text against a JSON schema and then the rules against each other. What its
//! validator says of a schema is known for the most common mistakes and written here in the same
//! style for the others; the compatibility page says so.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::policy::{
    Action, CountType, CountUnit, LifecyclePolicy, Rule, Selection, StorageClass, TagStatus,
};
use crate::error::{Error, Result};

/// Characters of a text (botocore `ecr`, shape `LifecyclePolicyText`).
const TEXT_LENGTH: std::ops::RangeInclusive<usize> = 100..=30_720;
/// Rules of a policy.
const RULES_MAX: usize = 50;
/// Wildcards of a pattern.
const WILDCARDS_MAX: usize = 4;
/// The least number of days in the archive before an image may be expired there.
const ARCHIVED_DAYS_MIN: u64 = 90;

/// Reads a policy.
///
/// # Errors
/// [`crate::error::ErrorKind::InvalidParameter`] with everything that is wrong, one line each.
pub fn parse(text: &str) -> Result<LifecyclePolicy> {
    let length = text.chars().count();
    if !TEXT_LENGTH.contains(&length) {
        let constraint = if length < *TEXT_LENGTH.start() {
            format!("Member must have length greater than or equal to {}", TEXT_LENGTH.start())
        } else {
            format!("Member must have length less than or equal to {}", TEXT_LENGTH.end())
        };
        return Err(Error::invalid_parameter("LifecyclePolicyText", constraint));
    }
    let mut found = Found::default();
    let policy = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => found.policy(&object),
        Ok(_) | Err(_) => {
            found.add("Could not map policyString into LifecyclePolicy.");
            None
        }
    };
    match policy {
        Some(policy) if found.0.is_empty() => Ok(policy),
        _ => Err(Error::invalid_parameter(
            "LifecyclePolicyText",
            format_args!("Lifecycle policy validation failure: {}\n", found.0.join("\n")),
        )),
    }
}

/// What is wrong, in the order in which it was found, each thing once.
#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn add(&mut self, problem: impl Into<String>) {
        let problem = problem.into();
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    fn policy(&mut self, object: &Map<String, Value>) -> Option<LifecyclePolicy> {
        self.keys(object, &["rules"], &["rules"]);
        let rules = self.array(object.get("rules")?)?;
        if rules.is_empty() {
            self.add(
                "array is too short: must have at least 1 elements but instance has 0 elements",
            );
        }
        if rules.len() > RULES_MAX {
            self.add(format!(
                "array is too long: must have at most {RULES_MAX} elements but instance has {} elements",
                rules.len()
            ));
            return None;
        }
        let parsed: Vec<Option<Rule>> = rules.iter().map(|rule| self.rule(rule)).collect();
        let mut rules = parsed.into_iter().collect::<Option<Vec<Rule>>>()?;
        rules.sort_by_key(|rule| rule.rule_priority);
        self.across(&rules);
        Some(LifecyclePolicy { rules })
    }

    fn rule(&mut self, value: &Value) -> Option<Rule> {
        let object = self.object(value)?;
        self.keys(
            object,
            &["action", "rulePriority", "selection"],
            &["rulePriority", "description", "selection", "action"],
        );
        let rule_priority = object.get("rulePriority").and_then(|value| self.positive(value));
        let description = match object.get("description") {
            None => Some(None),
            Some(value) => self.string(value).map(Some),
        };
        let selection = object.get("selection").and_then(|value| self.selection(value));
        let action = object.get("action").and_then(|value| self.action(value));
        let rule = Rule {
            rule_priority: rule_priority?,
            description: description?,
            selection: selection?,
            action: action?,
        };
        self.combination(&rule);
        Some(rule)
    }

    fn selection(&mut self, value: &Value) -> Option<Selection> {
        let object = self.object(value)?;
        self.keys(
            object,
            &["countNumber", "countType", "tagStatus"],
            &[
                "tagStatus",
                "tagPatternList",
                "tagPrefixList",
                "storageClass",
                "countType",
                "countUnit",
                "countNumber",
            ],
        );
        let tag_status = object.get("tagStatus").and_then(|value| {
            self.one_of(
                value,
                &[
                    ("any", TagStatus::Any),
                    ("tagged", TagStatus::Tagged),
                    ("untagged", TagStatus::Untagged),
                ],
            )
        });
        let count_type = object.get("countType").and_then(|value| {
            self.one_of(
                value,
                &[
                    ("imageCountMoreThan", CountType::ImageCountMoreThan),
                    ("sinceImagePulled", CountType::SinceImagePulled),
                    ("sinceImagePushed", CountType::SinceImagePushed),
                    ("sinceImageTransitioned", CountType::SinceImageTransitioned),
                ],
            )
        });
        let count_number = object.get("countNumber").and_then(|value| self.positive(value));
        let mut optional = |key, values: &mut dyn FnMut(&mut Self, &Value) -> bool| {
            object.get(key).is_none_or(|value| values(self, value))
        };
        let (mut patterns, mut prefixes, mut class, mut unit) = (None, None, None, None);
        let whole = [
            optional("tagPatternList", &mut |found, value| {
                patterns = found.texts(value);
                patterns.is_some()
            }),
            optional("tagPrefixList", &mut |found, value| {
                prefixes = found.texts(value);
                prefixes.is_some()
            }),
            optional("storageClass", &mut |found, value| {
                class = found.one_of(
                    value,
                    &[("archive", StorageClass::Archive), ("standard", StorageClass::Standard)],
                );
                class.is_some()
            }),
            optional("countUnit", &mut |found, value| {
                unit = found.one_of(value, &[("days", CountUnit::Days)]);
                unit.is_some()
            }),
        ];
        if whole.contains(&false) {
            return None;
        }
        Some(Selection {
            tag_status: tag_status?,
            tag_pattern_list: patterns,
            tag_prefix_list: prefixes,
            storage_class: class,
            count_type: count_type?,
            count_unit: unit,
            count_number: count_number?,
        })
    }

    fn action(&mut self, value: &Value) -> Option<Action> {
        let object = self.object(value)?;
        self.keys(object, &["type"], &["type", "targetStorageClass"]);
        let expires = self
            .one_of(object.get("type")?, &[("expire", true), ("transition", false)])
            .or_else(|| {
                self.add("instance failed to match exactly one schema (matched 0 out of 2)");
                None
            })?;
        match (expires, object.get("targetStorageClass")) {
            (true, None) => Some(Action::Expire),
            (false, Some(target)) => {
                let archive = [("archive", StorageClass::Archive)];
                let target_storage_class = self.one_of(target, &archive)?;
                Some(Action::Transition { target_storage_class })
            }
            (true, Some(_)) | (false, None) => {
                self.add("instance failed to match exactly one schema (matched 0 out of 2)");
                None
            }
        }
    }

    /// What must fit together inside one rule.
    fn combination(&mut self, rule: &Rule) {
        let Selection { tag_pattern_list, tag_prefix_list, .. } = &rule.selection;
        match (rule.selection.tag_status, tag_pattern_list, tag_prefix_list) {
            (TagStatus::Tagged, None, None) => {
                self.add("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.");
            }
            (TagStatus::Tagged, Some(_), Some(_))
            | (TagStatus::Untagged | TagStatus::Any, Some(_), _)
            | (TagStatus::Untagged | TagStatus::Any, _, Some(_)) => {
                self.add("instance failed to match exactly one schema (matched 0 out of 4)");
            }
            _ => {}
        }
        for pattern in tag_pattern_list.iter().flatten() {
            if pattern.bytes().filter(|&byte| byte == b'*').count() > WILDCARDS_MAX {
                self.add(format!(
                    "A tag pattern can have at most {WILDCARDS_MAX} wildcards, found: \"{pattern}\""
                ));
            }
        }
        let transition = matches!(rule.action, Action::Transition { .. });
        let archive = rule.selection.storage_class() == StorageClass::Archive;
        let unit = rule.selection.count_unit.is_some();
        let fits = match rule.selection.count_type {
            CountType::ImageCountMoreThan => !unit && !archive,
            CountType::SinceImagePushed => unit && !archive,
            CountType::SinceImagePulled => unit && !archive && transition,
            CountType::SinceImageTransitioned => unit && archive && !transition,
        };
        if !fits {
            self.add("instance failed to match exactly one schema (matched 0 out of 4)");
        }
        let days = rule.selection.count_number;
        if fits && archive && days < ARCHIVED_DAYS_MIN {
            self.add(format!(
                "numeric instance is lower than the required minimum (minimum: {ARCHIVED_DAYS_MIN}, found: {days})"
            ));
        }
    }

    /// What must fit together in the policy; `rules` are by priority.
    fn across(&mut self, rules: &[Rule]) {
        let priorities: BTreeSet<u64> = rules.iter().map(|rule| rule.rule_priority).collect();
        if priorities.len() < rules.len() {
            self.add("Rule priorities must be unique.");
        }
        for class in [StorageClass::Standard, StorageClass::Archive] {
            let of_class: Vec<&Selection> = rules
                .iter()
                .map(|rule| &rule.selection)
                .filter(|selection| selection.storage_class() == class)
                .collect();
            let with = |status| of_class.iter().filter(move |it| it.tag_status == status);
            if with(TagStatus::Untagged).count() > 1 {
                self.add("Only one rule can select Untagged images per storage class");
            }
            if with(TagStatus::Any).count() > 1 {
                self.add("Only one rule can select Any images per storage class");
            }
            let last = of_class.last().is_some_and(|it| it.tag_status == TagStatus::Any);
            if with(TagStatus::Any).next().is_some() && !last {
                self.add("Rule for tagStatus=ANY must have the lowest priority per storage class");
            }
            let mut lists = BTreeSet::new();
            for selection in with(TagStatus::Tagged) {
                let set = |list: &Option<Vec<String>>| -> BTreeSet<String> {
                    list.iter().flatten().cloned().collect()
                };
                let list = (set(&selection.tag_pattern_list), set(&selection.tag_prefix_list));
                if !lists.insert(list) {
                    self.add("Tag prefix or pattern lists must be unique per storage class");
                }
            }
        }
    }

    // --- values

    fn keys(&mut self, object: &Map<String, Value>, required: &[&str], allowed: &[&str]) {
        let missing: Vec<&str> =
            required.iter().filter(|key| !object.contains_key(**key)).copied().collect();
        if !missing.is_empty() {
            let missing = quoted(&missing);
            self.add(format!("object has missing required properties ([{missing}])"));
        }
        let mut unknown: Vec<&str> =
            object.keys().map(String::as_str).filter(|key| !allowed.contains(key)).collect();
        unknown.sort_unstable();
        if !unknown.is_empty() {
            self.add(format!(
                "object instance has properties which are not allowed by the schema: ([{}])",
                quoted(&unknown)
            ));
        }
    }

    fn wrong_type(&mut self, value: &Value, wanted: &str) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.add(format!(
            "instance type ({found}) does not match any allowed primitive type (allowed: [\"{wanted}\"])"
        ));
    }

    fn object<'v>(&mut self, value: &'v Value) -> Option<&'v Map<String, Value>> {
        value.as_object().or_else(|| {
            self.wrong_type(value, "object");
            None
        })
    }

    fn array<'v>(&mut self, value: &'v Value) -> Option<&'v Vec<Value>> {
        value.as_array().or_else(|| {
            self.wrong_type(value, "array");
            None
        })
    }

    fn string(&mut self, value: &Value) -> Option<String> {
        value.as_str().map(ToOwned::to_owned).or_else(|| {
            self.wrong_type(value, "string");
            None
        })
    }

    /// An integer of 1 or more; what does not fit 53 bits would be another number elsewhere.
    fn positive(&mut self, value: &Value) -> Option<u64> {
        if value.as_i64().is_some_and(|number| number < 1) {
            self.add(format!(
                "numeric instance is lower than the required minimum (minimum: 1, found: {value})"
            ));
            return None;
        }
        value.as_u64().filter(|&number| number <= (1 << 53)).or_else(|| {
            self.wrong_type(value, "integer");
            None
        })
    }

    fn texts(&mut self, value: &Value) -> Option<Vec<String>> {
        let list = self.array(value)?;
        if list.is_empty() {
            self.add(
                "array is too short: must have at least 1 elements but instance has 0 elements",
            );
            return None;
        }
        let texts: Vec<Option<String>> = list.iter().map(|text| self.string(text)).collect();
        texts.into_iter().collect()
    }

    fn one_of<T: Copy>(&mut self, value: &Value, allowed: &[(&str, T)]) -> Option<T> {
        let text = self.string(value)?;
        let found = allowed.iter().find(|(name, _)| *name == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
            self.add(format!(
                "instance value (\"{text}\") not found in enum (possible values: [{}])",
                quoted(&names)
            ));
        }
        found
    }
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    words.join(",")
}
