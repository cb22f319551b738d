//! What is probably a mistake in a document that parses.
//!
//! Nothing here has a say in a decision. The caller brings the table of actions; the global
//! condition keys are those of the IAM guide, "AWS global condition context keys".

use std::fmt;

use crate::condition::{Base, Condition, Qualifier};
use crate::document::{
    ActionPattern, Effect, Limits, Policy, PolicyKind, Selection, Statement, Version,
};
use crate::error::ParseError;
use crate::glob;
use crate::principal::PrincipalPattern;

/// An action that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAction {
    /// The service's prefix, in lower case.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Whether it acts on no resource, so that only `*` matches.
    pub without_resource: bool,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but probably not as meant.
    Warning,
    /// Does not do what it says.
    Error,
}

/// Something that is probably a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The JSON path of what is meant.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Reads a document and looks for mistakes.
///
/// # Errors
/// When the document does not parse; the error is the only finding then.
pub fn lint(
    text: &str,
    kind: PolicyKind,
    limits: &Limits,
    known: &[KnownAction],
) -> Result<Vec<Finding>, ParseError> {
    let policy = Policy::parse_within(text, kind, limits)?;
    let mut findings = Findings(Vec::new());
    if policy.version == Version::V2008 && text.contains("${") {
        findings.add(Severity::Warning, "$.Version", || {
            "policy variables are plain text in this version; use \"2012-10-17\"".to_owned()
        });
    }
    for (index, statement) in policy.statements.iter().enumerate() {
        let path = format!("$.Statement[{index}]");
        actions(statement, &path, known, &mut findings);
        breadth(statement, &path, &mut findings);
        resources(statement, &path, known, &mut findings);
        conditions(statement, &path, &mut findings);
    }
    Ok(findings.0)
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, path: &str, message: impl FnOnce() -> String) {
        self.0.push(Finding { severity, path: path.to_owned(), message: message() });
    }
}

fn matches(pattern: &ActionPattern, action: &KnownAction) -> bool {
    let text = format!("{}:{}", action.service, action.name.to_ascii_lowercase());
    glob::matches(&pattern.tokens, &text)
}

fn actions(statement: &Statement, path: &str, known: &[KnownAction], findings: &mut Findings) {
    for pattern in &statement.actions.entries {
        if pattern.source == "*" || known.iter().any(|action| matches(pattern, action)) {
            continue;
        }
        let service = pattern.source.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let path = format!("{path}.{}", element("Action", &statement.actions));
        if known.iter().any(|action| action.service == service) {
            findings.add(Severity::Error, &path, || {
                format!("{} matches no action of {service}", pattern.source)
            });
        } else {
            findings.add(Severity::Warning, &path, || {
                format!("{}: {service} is no service that policies here decide", pattern.source)
            });
        }
    }
    if statement.effect == Effect::Allow && statement.actions.negated {
        findings.add(Severity::Warning, &format!("{path}.NotAction"), || {
            "allows every other action, also those that do not exist yet; list what is allowed"
                .to_owned()
        });
    }
}

fn element<T>(name: &str, selection: &Selection<T>) -> String {
    if selection.negated { format!("Not{name}") } else { name.to_owned() }
}

fn breadth(statement: &Statement, path: &str, findings: &mut Findings) {
    if statement.effect != Effect::Allow || !statement.conditions.is_empty() {
        return;
    }
    let everyone = statement
        .principals
        .as_ref()
        .is_some_and(|named| !named.negated && named.entries.contains(&PrincipalPattern::Everyone));
    if everyone {
        findings.add(Severity::Warning, &format!("{path}.Principal"), || {
            "allows everyone, other accounts too; name principals or add a condition".to_owned()
        });
    }
    let every_resource = statement.resources.as_ref().is_some_and(|resources| {
        resources.negated || resources.entries.iter().any(|entry| entry.is_everything())
    });
    let wide = |pattern: &&ActionPattern| {
        pattern.source == "*" || pattern.source.split_once(':').is_some_and(|(_, name)| name == "*")
    };
    if every_resource
        && let Some(pattern) = statement.actions.entries.iter().find(wide)
        && !statement.actions.negated
    {
        findings.add(Severity::Warning, &format!("{path}.Action"), || {
            format!("{} on every resource: list the actions or the resources", pattern.source)
        });
    }
    if statement.resources.as_ref().is_some_and(|resources| resources.negated) {
        findings.add(Severity::Warning, &format!("{path}.NotResource"), || {
            "allows on every other resource, also those that do not exist yet".to_owned()
        });
    }
}

/// An action that acts on no resource is matched by `*` only.
fn resources(statement: &Statement, path: &str, known: &[KnownAction], findings: &mut Findings) {
    let Some(resources) = &statement.resources else { return };
    if resources.negated || statement.actions.negated {
        return;
    }
    if resources.entries.iter().any(|entry| entry.is_everything()) {
        return;
    }
    for pattern in &statement.actions.entries {
        let named = |action: &&KnownAction| {
            action.without_resource
                && pattern
                    .source
                    .eq_ignore_ascii_case(&format!("{}:{}", action.service, action.name))
        };
        if known.iter().any(|action| named(&action)) {
            findings.add(Severity::Error, &format!("{path}.Resource"), || {
                format!("{} acts on no resource: only \"*\" matches it", pattern.source)
            });
        }
    }
}

/// What the values of a global key are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Address,
    Bool,
    Number,
    Date,
    DateOrNumber,
    Arn,
}

/// Global keys whose values are not plain text, in lower case.
const TYPED_KEYS: &[(&str, Type)] = &[
    ("aws:currenttime", Type::Date),
    ("aws:epochtime", Type::DateOrNumber),
    ("aws:multifactorauthage", Type::Number),
    ("aws:multifactorauthpresent", Type::Bool),
    ("aws:principalarn", Type::Arn),
    ("aws:principalisawsservice", Type::Bool),
    ("aws:securetransport", Type::Bool),
    ("aws:sourcearn", Type::Arn),
    ("aws:sourceip", Type::Address),
    ("aws:tokenissuetime", Type::Date),
    ("aws:viaawsservice", Type::Bool),
    ("aws:vpcsourceip", Type::Address),
];

/// Global keys of plain text, in lower case.
const TEXT_KEYS: &[&str] = &[
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:federatedprovider",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:sourceaccount",
    "aws:sourceidentity",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:useragent",
    "aws:userid",
    "aws:username",
];

/// Keys whose name goes on with a tag's key.
const TAG_KEYS: &[&str] = &["aws:principaltag/", "aws:requesttag/", "aws:resourcetag/"];

fn type_of(key: &str) -> Option<Type> {
    let typed = TYPED_KEYS.iter().find(|(known, _)| *known == key).map(|(_, kind)| *kind);
    let plain = TEXT_KEYS.contains(&key) || TAG_KEYS.iter().any(|known| key.starts_with(known));
    typed.or(plain.then_some(Type::Text))
}

fn conditions(statement: &Statement, path: &str, findings: &mut Findings) {
    for condition in &statement.conditions {
        let path = format!("{path}.Condition[\"{}\"]", condition.key());
        fits(statement, condition, &path, findings);
        if condition.operator.qualifier == Some(Qualifier::ForAllValues)
            && statement.effect == Effect::Allow
            && !requires(statement, condition.key())
        {
            findings.add(Severity::Warning, &path, || {
                "ForAllValues also holds when the key is absent; add a Null condition with \"false\""
                    .to_owned()
            });
        }
        for other in &statement.conditions {
            if let Some(why) = contradicts(condition, other) {
                findings.add(Severity::Error, &path, || format!("never holds: {why}"));
            }
        }
    }
}

/// Whether the operator can compare values of the key.
fn fits(statement: &Statement, condition: &Condition, path: &str, findings: &mut Findings) {
    let Some(found) = type_of(condition.key()) else {
        if condition.key().starts_with("aws:") {
            findings.add(Severity::Warning, path, || "no such global condition key".to_owned());
        }
        return;
    };
    let fits = match condition.operator.base {
        Base::Null | Base::Text | Base::TextIgnoringCase => true,
        Base::TextLike => {
            if found == Type::Address {
                findings.add(Severity::Warning, path, || {
                    "compares addresses as text; IpAddress takes networks".to_owned()
                });
            }
            true
        }
        Base::Number(_) => matches!(found, Type::Number | Type::DateOrNumber),
        Base::Date(_) => matches!(found, Type::Date | Type::DateOrNumber),
        Base::Bool => found == Type::Bool,
        // Any key may hold base64 as far as anybody knows.
        Base::Binary => found == Type::Text,
        Base::Address => found == Type::Address,
        Base::Arn => found == Type::Arn,
    };
    if !fits {
        let effect = match statement.effect {
            Effect::Allow => "so the statement never allows",
            Effect::Deny => "so the statement denies whatever else it says",
        };
        findings.add(Severity::Error, path, || {
            format!("the operator cannot compare this key's values, {effect}")
        });
    }
}

/// Whether the statement holds only where the key is present.
fn requires(statement: &Statement, key: &str) -> bool {
    statement.conditions.iter().any(|condition| {
        condition.key() == key && condition.operator.base == Base::Null && condition.null_is(false)
    })
}

fn contradicts(one: &Condition, other: &Condition) -> Option<&'static str> {
    if one.key() != other.key() {
        return None;
    }
    let needs_value = |condition: &Condition| {
        let operator = condition.operator;
        operator.base != Base::Null
            && !operator.negated
            && !operator.if_exists
            && operator.qualifier != Some(Qualifier::ForAllValues)
    };
    if one.operator.base == Base::Null && one.null_is(true) && needs_value(other) {
        return Some("the key must be absent and have a value");
    }
    let plain = |condition: &Condition| condition.operator.qualifier.is_none();
    let same_base = one.operator.base == other.operator.base && plain(one) && plain(other);
    if same_base
        && !one.operator.negated
        && !one.operator.if_exists
        && other.operator.negated
        && matches!(one.operator.base, Base::Text | Base::TextIgnoringCase | Base::Address)
        && one.values_are_among(other)
    {
        return Some("every value is also excluded");
    }
    None
}
