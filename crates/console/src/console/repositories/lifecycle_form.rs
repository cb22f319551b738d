//! Rules of a lifecycle policy as fields of a form. Form and JSON are two ways to write one document:
//! what the form has becomes the JSON that is saved, and what JSON says becomes the form.

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::lifecycle::policy::{
    Action, CountType, CountUnit, LifecyclePolicy, Rule, Selection, StorageClass, TagStatus,
};

use super::super::form::Form;
use super::super::parts;

/// Rules that a policy can have.
const RULES_MAX: usize = 50;

/// A rule as its fields have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    priority: String,
    description: String,
    /// `any`, `untagged`, `prefixes` or `patterns`.
    tags: String,
    /// Prefixes or patterns, one a line.
    list: String,
    /// As policies spell it.
    count: String,
    number: String,
    /// `expire` or `archive`.
    action: String,
    /// Whether the document says `standard`, which goes without saying.
    says_class: bool,
}

impl Written {
    fn of(rule: &Rule) -> Self {
        let selection = &rule.selection;
        let (tags, list) = match (&selection.tag_prefix_list, &selection.tag_pattern_list) {
            (Some(prefixes), _) => ("prefixes", prefixes.join("\n")),
            (None, Some(patterns)) => ("patterns", patterns.join("\n")),
            (None, None) if selection.tag_status == TagStatus::Untagged => {
                ("untagged", String::new())
            }
            (None, None) => ("any", String::new()),
        };
        Self {
            priority: rule.rule_priority.to_string(),
            description: rule.description.clone().unwrap_or_default(),
            tags: tags.to_owned(),
            list,
            count: count_name(selection.count_type).to_owned(),
            number: selection.count_number.to_string(),
            action: if rule.action.archives() { "archive" } else { "expire" }.to_owned(),
            says_class: selection.storage_class == Some(StorageClass::Standard),
        }
    }

    fn sent(form: &Form, index: usize) -> Self {
        let text = |name: &str| form.text(&format!("{name}-{index}")).to_owned();
        Self {
            priority: text("priority"),
            description: text("description"),
            tags: text("tags"),
            list: text("list"),
            count: text("count"),
            number: text("number"),
            action: text("action"),
            says_class: text("class") == "standard",
        }
    }

    /// A rule to begin with.
    fn fresh(priority: u64) -> Self {
        Self {
            priority: priority.to_string(),
            tags: "untagged".to_owned(),
            count: "sinceImagePushed".to_owned(),
            number: "14".to_owned(),
            action: "expire".to_owned(),
            ..Self::default()
        }
    }

    /// The rule, or why it is none yet; `place` is its place on the page.
    fn rule(&self, place: usize) -> Result<Rule, Error> {
        let refuse =
            |told: &str| Error::new(ErrorKind::InvalidParameter, format!("Rule {place}: {told}"));
        let list: Vec<String> = self
            .list
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        let by_list = matches!(self.tags.as_str(), "prefixes" | "patterns");
        if by_list && list.is_empty() {
            return Err(refuse("say which tags, one a line, or choose all images."));
        }
        let count_type = count_of(&self.count)
            .ok_or_else(|| refuse("choose what is counted: images, or days."))?;
        let number = self.number.trim().parse().ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| refuse("the number is a whole one, 1 or more."))?;
        let archives = match self.action.as_str() {
            "expire" => false,
            "archive" => true,
            _ => return Err(refuse("choose whether images are deleted or archived.")),
        };
        match (count_type, archives) {
            (CountType::SinceImagePulled, false) => {
                return Err(refuse(
                    "days without a pull can archive images, and delete none. Archive them, and \
                     delete what was archived long ago with another rule.",
                ));
            }
            (CountType::SinceImageTransitioned, true) => {
                return Err(refuse("what is archived already can only be deleted."));
            }
            _ => {}
        }
        Ok(Rule {
            rule_priority: self.priority.trim().parse().unwrap_or(place as u64),
            description: Some(self.description.trim().to_owned()).filter(|text| !text.is_empty()),
            selection: Selection {
                tag_status: match self.tags.as_str() {
                    "untagged" => TagStatus::Untagged,
                    "prefixes" | "patterns" => TagStatus::Tagged,
                    _ => TagStatus::Any,
                },
                tag_pattern_list: (self.tags == "patterns").then(|| list.clone()),
                tag_prefix_list: (self.tags == "prefixes").then_some(list),
                storage_class: match count_type {
                    CountType::SinceImageTransitioned => Some(StorageClass::Archive),
                    _ => self.says_class.then_some(StorageClass::Standard),
                },
                count_type,
                count_unit: match count_type {
                    CountType::ImageCountMoreThan => None,
                    _ => Some(CountUnit::Days),
                },
                count_number: number,
            },
            action: match archives {
                false => Action::Expire,
                true => Action::Transition { target_storage_class: StorageClass::Archive },
            },
        })
    }
}

fn count_name(count: CountType) -> &'static str {
    match count {
        CountType::ImageCountMoreThan => "imageCountMoreThan",
        CountType::SinceImagePushed => "sinceImagePushed",
        CountType::SinceImagePulled => "sinceImagePulled",
        CountType::SinceImageTransitioned => "sinceImageTransitioned",
    }
}

fn count_of(name: &str) -> Option<CountType> {
    let all = [
        CountType::ImageCountMoreThan,
        CountType::SinceImagePushed,
        CountType::SinceImagePulled,
        CountType::SinceImageTransitioned,
    ];
    all.into_iter().find(|count| count_name(*count) == name)
}

/// The rules of a policy, as fields have them.
pub(crate) fn of_policy(policy: &LifecyclePolicy) -> Vec<Written> {
    policy.rules.iter().map(Written::of).collect()
}

/// The rules that a form was sent with, after what its button does with them: `add`, or `remove-2`,
/// `up-2`, `down-2` with the place of a rule, from 0 on.
pub(crate) fn sent(form: &Form) -> Vec<Written> {
    let count: usize = form.text("rules").parse().unwrap_or(0);
    let mut rules: Vec<Written> =
        (0..count.min(RULES_MAX)).map(|index| Written::sent(form, index)).collect();
    let priorities =
        |rules: &[Written]| rules.iter().map(|rule| rule.priority.clone()).collect::<Vec<String>>();
    let what = form.text("do");
    let place = what.rsplit_once('-').and_then(|(_, place)| place.parse::<usize>().ok());
    let has = |place: &usize| *place < rules.len();
    match (what.split('-').next(), place.filter(has)) {
        (Some("add"), None) if rules.len() < RULES_MAX => {
            let last = rules.iter().filter_map(|rule| rule.priority.parse::<u64>().ok()).max();
            rules.push(Written::fresh(last.unwrap_or(0) + 1));
        }
        (Some("remove"), Some(place)) => {
            rules.remove(place);
        }
        (Some(direction @ ("up" | "down")), Some(place)) => {
            // Numbers stay where they are, and rules change places under them.
            let numbers = priorities(&rules);
            let other = if direction == "up" { place.wrapping_sub(1) } else { place + 1 };
            if other < rules.len() {
                rules.swap(place, other);
            }
            for (rule, number) in rules.iter_mut().zip(numbers) {
                rule.priority = number;
            }
        }
        _ => {}
    }
    rules
}

/// The document that rules stand for.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] with all that is missing in them.
pub(crate) fn document(rules: &[Written]) -> Result<String, Error> {
    let mut wrong = Vec::new();
    let mut good = Vec::new();
    for (index, written) in rules.iter().enumerate() {
        match written.rule(index + 1) {
            Ok(rule) => good.push(rule),
            Err(error) => wrong.push(error.message().to_owned()),
        }
    }
    if rules.is_empty() {
        wrong
            .push("A policy has at least one rule. To have none, take the policy away.".to_owned());
    }
    if !wrong.is_empty() {
        return Err(Error::new(ErrorKind::InvalidParameter, wrong.join(" ")));
    }
    serde_json::to_string_pretty(&LifecyclePolicy { rules: good }).map_err(Error::internal)
}

/// What a rule does, as a sentence.
pub(crate) fn sentence(rule: &Rule) -> String {
    let selection = &rule.selection;
    let what = if rule.action.archives() { "Archives" } else { "Deletes" };
    let list = |list: &[String]| list.join(" and ");
    let which =
        match (selection.tag_status, &selection.tag_prefix_list, &selection.tag_pattern_list) {
            (TagStatus::Untagged, ..) => "images without a tag".to_owned(),
            (_, Some(prefixes), _) => {
                format!("images with a tag that begins with {}", list(prefixes))
            }
            (_, _, Some(patterns)) => format!("images with a tag like {}", list(patterns)),
            _ => "images".to_owned(),
        };
    let number = selection.count_number;
    let days = if number == 1 { "a day".to_owned() } else { format!("{number} days") };
    match selection.count_type {
        CountType::ImageCountMoreThan => match number {
            1 => format!("{what} {which}, all but the newest"),
            _ => format!("{what} {which}, all but the newest {number}"),
        },
        CountType::SinceImagePushed => format!("{what} {which} {days} after the push"),
        CountType::SinceImagePulled => format!("{what} {which} that nobody pulled for {days}"),
        CountType::SinceImageTransitioned => {
            format!("{what} archived {which} after {days} in the archive")
        }
    }
}

/// The fields of all rules, and the buttons that add, move and remove.
pub(crate) fn fields(rules: &[Written]) -> Markup {
    html! {
        input type="hidden" name="editor" value="form";
        input type="hidden" name="rules" value=(rules.len());
        // What Enter in a field does is the first button of a form.
        button.hidden type="submit" name="do" value="preview" tabindex="-1" aria-hidden="true" { "Preview" }
        div.rules {
            @for (index, rule) in rules.iter().enumerate() { (one(index, rules.len(), rule)) }
            @if rules.is_empty() { p.quiet { "There is no rule: every image stays." } }
        }
        @if rules.len() < RULES_MAX {
            div.submit { button.plain.small type="submit" name="do" value="add" { "Add a rule" } }
        }
    }
}

fn one(index: usize, count: usize, rule: &Written) -> Markup {
    let name = |field: &str| format!("{field}-{index}");
    let place = index + 1;
    let told = rule.rule(place).ok().map(|rule| sentence(&rule));
    html! {
        fieldset.rule.lifecycle-rule id=(name("rule")) {
            legend { "Rule " (place) }
            div.rule-head {
                p.quiet { @match &told { Some(told) => { (told) "." } None => "Not complete yet." } }
                div.rule-buttons {
                    @if index > 0 { button.plain.small type="submit" name="do" value=(name("up")) aria-label={ "Move rule " (place) " up" } { "Up" } }
                    @if place < count { button.plain.small type="submit" name="do" value=(name("down")) aria-label={ "Move rule " (place) " down" } { "Down" } }
                    button.plain.small type="submit" name="do" value=(name("remove")) aria-label={ "Remove rule " (place) } { "Remove" }
                }
            }
            input type="hidden" name=(name("priority")) value=(rule.priority);
            @if rule.says_class { input type="hidden" name=(name("class")) value="standard"; }
            div.rule-grid {
                (parts::select(&name("action"), "What happens", &rule.action, &[("expire", "Delete images"), ("archive", "Archive images")]))
                (parts::select(&name("tags"), "Which images", &rule.tags, &[
                    ("any", "All images"), ("untagged", "Images without a tag"),
                    ("prefixes", "Images whose tags begin with …"), ("patterns", "Images whose tags are like …"),
                ]))
                (parts::select(&name("count"), "Which of them", &rule.count, &[
                    ("sinceImagePushed", "Pushed more than … days ago"),
                    ("imageCountMoreThan", "All but the newest …"),
                    ("sinceImagePulled", "Not pulled for … days (archives only)"),
                    ("sinceImageTransitioned", "Archived more than … days ago (90 or more)"),
                ]))
                div.row {
                    label for=(name("field-number")) { "Number" }
                    input id=(name("field-number")) name=(name("number")) type="number" min="1" inputmode="numeric" value=(rule.number) autocomplete="off";
                }
            }
            // Styles hide it where the choice above needs none.
            div.tags-list { (parts::text_area(&name("list"), "Tags", "For tags that begin with something or are like something: one a line. Each must fit a tag of the image; in a pattern * stands for anything.", &rule.list, 2)) }
            div.row {
                label for=(name("field-description")) { "Description" }
                input id=(name("field-description")) name=(name("description")) value=(rule.description) maxlength="2000" autocomplete="off";
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonnage_domain::lifecycle::validate;

    const TEXT: &str = r#"{"rules":[
        {"rulePriority":3,"description":"old","selection":{"tagStatus":"tagged","tagPrefixList":["dev","tmp"],"countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}},
        {"rulePriority":5,"selection":{"tagStatus":"tagged","tagPatternList":["v*"],"storageClass":"standard","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}},
        {"rulePriority":6,"selection":{"tagStatus":"untagged","countType":"sinceImagePulled","countUnit":"days","countNumber":30},"action":{"type":"transition","targetStorageClass":"archive"}},
        {"rulePriority":9,"selection":{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90},"action":{"type":"expire"}}]}"#;

    /// The fields of a form, as a browser sends them.
    fn sent_with(rules: &[Written], what: &str) -> Vec<Written> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("rules", &rules.len().to_string()).append_pair("do", what);
        for (index, rule) in rules.iter().enumerate() {
            for (name, value) in [
                ("priority", rule.priority.as_str()),
                ("description", &rule.description),
                ("tags", &rule.tags),
                ("list", &rule.list),
                ("count", &rule.count),
                ("number", &rule.number),
                ("action", &rule.action),
                ("class", if rule.says_class { "standard" } else { "" }),
            ] {
                form.append_pair(&format!("{name}-{index}"), value);
            }
        }
        sent(&Form::parse(form.finish().as_bytes()))
    }

    #[test]
    fn form_and_json_are_one_document() {
        let policy = validate::parse(TEXT).unwrap();
        let rules = sent_with(&of_policy(&policy), "preview");
        assert_eq!(validate::parse(&document(&rules).unwrap()).unwrap(), policy);
        let told: Vec<String> = policy.rules.iter().map(sentence).collect();
        assert_eq!(
            told,
            [
                "Deletes images with a tag that begins with dev and tmp 14 days after the push",
                "Deletes images with a tag like v*, all but the newest",
                "Archives images without a tag that nobody pulled for 30 days",
                "Deletes archived images after 90 days in the archive",
            ]
        );
    }

    #[test]
    fn buttons_move_rules_and_numbers_stay() {
        let rules = of_policy(&validate::parse(TEXT).unwrap());
        let shown = |rules: &[Written]| {
            let rules = rules.iter().map(|rule| format!("{} {}", rule.priority, rule.count));
            rules.collect::<Vec<_>>().join(", ")
        };
        for (what, expected) in [
            (
                "up-1",
                "3 imageCountMoreThan, 5 sinceImagePushed, 6 sinceImagePulled, 9 sinceImageTransitioned",
            ),
            (
                "down-2",
                "3 sinceImagePushed, 5 imageCountMoreThan, 6 sinceImageTransitioned, 9 sinceImagePulled",
            ),
            ("remove-0", "5 imageCountMoreThan, 6 sinceImagePulled, 9 sinceImageTransitioned"),
            (
                "add",
                "3 sinceImagePushed, 5 imageCountMoreThan, 6 sinceImagePulled, 9 sinceImageTransitioned, 10 sinceImagePushed",
            ),
        ] {
            assert_eq!(shown(&sent_with(&rules, what)), expected, "{what}");
        }
        for what in ["up-0", "down-3", "remove-4", "remove-x", "up", "other"] {
            assert_eq!(sent_with(&rules, what), rules, "{what}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let whole = Written::fresh(1);
        for (rule, told) in [
            (Written { number: "0".to_owned(), ..whole.clone() }, "Rule 1: the number"),
            (Written { tags: "prefixes".to_owned(), ..whole.clone() }, "Rule 1: say which tags"),
            (Written { count: "sinceImagePulled".to_owned(), ..whole.clone() }, "delete none"),
            (Written { action: "sell".to_owned(), ..whole.clone() }, "deleted or archived"),
            (Written { count: "moons".to_owned(), ..whole }, "what is counted"),
        ] {
            let error = document(&[rule]).unwrap_err();
            assert!(error.message().contains(told), "{}", error.message());
        }
        assert!(document(&[]).unwrap_err().message().contains("at least one rule"));
    }
}
