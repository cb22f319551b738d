//! From text to a checked [`Policy`].
//!
//! Nothing is skipped: an element, operator or value the evaluator would not understand is an
//! error here. Source: IAM guide, "Grammar of the IAM JSON policy language".

use std::collections::HashSet;

use crate::arn::ResourcePattern;
use crate::condition;
use crate::document::{
    ActionPattern, Effect, Limits, Policy, PolicyKind, Selection, Statement, Version,
};
use crate::error::{ParseError, Path, Problem};
use crate::glob::Token;
use crate::json::Json;
use crate::pattern::Syntax;
use crate::principal::PrincipalPattern;

pub(crate) fn policy(text: &str, kind: PolicyKind, limits: &Limits) -> Result<Policy, ParseError> {
    let root = Path::Root;
    if text.len() > limits.max_bytes {
        return root.fail(Problem::TooLong { max_bytes: limits.max_bytes });
    }
    let document: Json = serde_json::from_str(text)
        .map_err(|error| ParseError::new(&root, Problem::NotJson(error.to_string())))?;
    let [version, id, statements] = elements(&document, &root, ["Version", "Id", "Statement"])?;
    let version = match version {
        None => Version::V2008,
        Some(value) => {
            let path = root.key("Version");
            match string(value, &path)? {
                "2008-10-17" => Version::V2008,
                "2012-10-17" => Version::V2012,
                _ => {
                    let why = "Version is 2008-10-17 or 2012-10-17".to_owned();
                    return path.fail(Problem::InvalidValue(why));
                }
            }
        }
    };
    let id = id.map(|value| string(value, &root.key("Id"))).transpose()?.map(str::to_owned);
    let Some(statements) = statements else {
        return root.fail(Problem::MissingElement("Statement"));
    };
    let reader =
        Reader { kind, syntax: Syntax { wildcards: true, variables: version == Version::V2012 } };
    let statements = reader.statements(statements, &root.key("Statement"))?;
    Ok(Policy { kind, version, id, statements })
}

struct Reader {
    kind: PolicyKind,
    syntax: Syntax,
}

impl Reader {
    fn statements(&self, value: &Json, path: &Path<'_>) -> Result<Vec<Statement>, ParseError> {
        let items = match value {
            Json::Object(_) => return Ok(vec![self.statement(value, path)?]),
            Json::Array(items) if !items.is_empty() => items,
            Json::Array(_) => {
                return path.fail(Problem::InvalidValue("there are no statements".to_owned()));
            }
            _ => return path.fail(Problem::WrongType("a statement or a list of statements")),
        };
        let mut sids = HashSet::new();
        let mut statements = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            let statement = self.statement(item, &path)?;
            // ECR keeps repository policies with equal Sids; IAM refuses them
            // (IAM guide, "IAM JSON policy elements: Sid").
            if self.kind != PolicyKind::Resource
                && let Some(sid) = statement.sid()
                && !sid.is_empty()
                && !sids.insert(sid.to_owned())
            {
                return path.key("Sid").fail(Problem::DuplicateSid(sid.to_owned()));
            }
            statements.push(statement);
        }
        Ok(statements)
    }

    fn statement(&self, value: &Json, path: &Path<'_>) -> Result<Statement, ParseError> {
        let [
            sid,
            effect,
            principal,
            not_principal,
            action,
            not_action,
            resource,
            not_resource,
            condition,
        ] = elements(
            value,
            path,
            [
                "Sid",
                "Effect",
                "Principal",
                "NotPrincipal",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
            ],
        )?;
        let sid = sid.map(|value| self.sid(value, &path.key("Sid"))).transpose()?;
        let effect = match effect {
            None => return path.fail(Problem::MissingElement("Effect")),
            Some(value) => effect_of(value, &path.key("Effect"))?,
        };
        let principals = self.principals(effect, principal, not_principal, path)?;
        let actions = select(action, not_action, ["Action", "NotAction"], path, action_pattern)?
            .map_or_else(|| path.fail(Problem::MissingElement("Action")), Ok)?;
        let resources =
            select(resource, not_resource, ["Resource", "NotResource"], path, |text| {
                ResourcePattern::parse(text, self.syntax)
            })?;
        match (self.kind, &resources) {
            (PolicyKind::Identity, None) => return path.fail(Problem::MissingElement("Resource")),
            (PolicyKind::Trust, Some(_)) => {
                return path.fail(Problem::ProhibitedElement("Resource"));
            }
            _ => {}
        }
        let conditions = match condition {
            None => Vec::new(),
            Some(value) => condition::parse(value, self.syntax.variables, &path.key("Condition"))?,
        };
        Ok(Statement { sid, effect, principals, actions, resources, conditions })
    }

    /// IAM takes ASCII letters and digits; resource policies of ECR may hold any text.
    fn sid(&self, value: &Json, path: &Path<'_>) -> Result<String, ParseError> {
        let sid = string(value, path)?;
        if self.kind != PolicyKind::Resource && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let why = "a Sid has letters and digits only".to_owned();
            return path.fail(Problem::InvalidValue(why));
        }
        Ok(sid.to_owned())
    }

    fn principals(
        &self,
        effect: Effect,
        principal: Option<&Json>,
        not_principal: Option<&Json>,
        path: &Path<'_>,
    ) -> Result<Option<Selection<PrincipalPattern>>, ParseError> {
        let (negated, name, value) = match (principal, not_principal) {
            (Some(_), Some(_)) => {
                return path.fail(Problem::ExclusiveElements("Principal", "NotPrincipal"));
            }
            (Some(value), None) => (false, "Principal", value),
            (None, Some(value)) => (true, "NotPrincipal", value),
            (None, None) if self.kind == PolicyKind::Identity => return Ok(None),
            (None, None) => return path.fail(Problem::MissingElement("Principal")),
        };
        // IAM guide, "AWS JSON policy elements: NotPrincipal": never in identity or trust
        // policies, and only with Deny.
        let prohibited = match self.kind {
            PolicyKind::Identity => true,
            PolicyKind::Trust => negated,
            PolicyKind::Resource => negated && effect == Effect::Allow,
        };
        if prohibited {
            return path.fail(Problem::ProhibitedElement(name));
        }
        let entries = principal_entries(value, &path.key(name))?;
        if negated && entries.is_empty() {
            return path.key(name).fail(Problem::InvalidValue("the list is empty".to_owned()));
        }
        Ok(Some(Selection { negated, entries }))
    }
}

fn principal_entries(value: &Json, path: &Path<'_>) -> Result<Vec<PrincipalPattern>, ParseError> {
    let lists = match value {
        Json::Text(text) if text == "*" => return Ok(vec![PrincipalPattern::Everyone]),
        Json::Object(lists) => lists,
        _ => return path.fail(Problem::WrongType("\"*\" or an object of principals")),
    };
    refuse_duplicates(lists, path)?;
    let mut entries = Vec::new();
    for (kind, value) in lists {
        let path = path.key(kind);
        if !matches!(kind.as_str(), "AWS" | "Service" | "Federated" | "CanonicalUser") {
            return path.fail(Problem::UnknownElement(kind.clone()));
        }
        for_each_string(value, &path, |text| {
            let entry = match kind.as_str() {
                "AWS" => PrincipalPattern::parse_aws(text),
                named => PrincipalPattern::parse_named(named, text),
            };
            entry.map(|entry| entries.push(entry))
        })?;
    }
    Ok(entries)
}

fn effect_of(value: &Json, path: &Path<'_>) -> Result<Effect, ParseError> {
    match string(value, path)? {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        _ => path.fail(Problem::InvalidValue("Effect is Allow or Deny".to_owned())),
    }
}

/// `*` or `service:Action`, where either part may hold wildcards.
fn action_pattern(text: &str) -> Result<ActionPattern, String> {
    let named = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.*?".contains(&b))
    };
    let valid = text == "*"
        || text.split_once(':').is_some_and(|(service, name)| named(service) && named(name));
    if !valid {
        return Err("an action is * or has the form service:Action".to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let mut tokens: Vec<Token> = lower.chars().map(Token::from_pattern).collect();
    tokens.dedup_by(|next, previous| *next == Token::Any && *previous == Token::Any);
    Ok(ActionPattern { source: text.to_owned(), tokens })
}

/// Reads an element that has a `Not…` form; at most one of the two may be there.
///
/// An empty list selects nothing (IAM guide, "Access Analyzer policy check reference", empty
/// array). Under the `Not…` form it would select everything, which nobody writes on purpose.
fn select<T>(
    plain: Option<&Json>,
    negated: Option<&Json>,
    [plain_name, negated_name]: [&'static str; 2],
    path: &Path<'_>,
    mut parse: impl FnMut(&str) -> Result<T, String>,
) -> Result<Option<Selection<T>>, ParseError> {
    let (value, negated, name) = match (plain, negated) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return path.fail(Problem::ExclusiveElements(plain_name, negated_name));
        }
        (Some(value), None) => (value, false, plain_name),
        (None, Some(value)) => (value, true, negated_name),
    };
    let path = path.key(name);
    let mut entries = Vec::new();
    for_each_string(value, &path, |text| parse(text).map(|entry| entries.push(entry)))?;
    if negated && entries.is_empty() {
        return path.fail(Problem::InvalidValue("the list is empty".to_owned()));
    }
    Ok(Some(Selection { negated, entries }))
}

fn for_each_string(
    value: &Json,
    path: &Path<'_>,
    mut take: impl FnMut(&str) -> Result<(), String>,
) -> Result<(), ParseError> {
    let mut take_at = |value: &Json, path: &Path<'_>| {
        take(string(value, path)?).map_err(|why| ParseError::new(path, Problem::InvalidValue(why)))
    };
    match value {
        Json::Text(_) => take_at(value, path),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                take_at(item, &path.index(index))?;
            }
            Ok(())
        }
        _ => path.fail(Problem::WrongType("a string or a list of strings")),
    }
}

fn string<'v>(value: &'v Json, path: &Path<'_>) -> Result<&'v str, ParseError> {
    match value {
        Json::Text(text) => Ok(text),
        _ => path.fail(Problem::WrongType("a string")),
    }
}

/// The values of an object's known elements, in the order of `names`. Unknown and repeated
/// elements are errors.
fn elements<'v, const N: usize>(
    value: &'v Json,
    path: &Path<'_>,
    names: [&'static str; N],
) -> Result<[Option<&'v Json>; N], ParseError> {
    let Json::Object(entries) = value else {
        return path.fail(Problem::WrongType("an object"));
    };
    refuse_duplicates(entries, path)?;
    let mut found = [None; N];
    for (key, value) in entries {
        let slot = names.iter().zip(found.iter_mut()).find(|(name, _)| *name == key);
        match slot {
            Some((_, slot)) => *slot = Some(value),
            None => return path.key(key).fail(Problem::UnknownElement(key.clone())),
        }
    }
    Ok(found)
}

pub(crate) fn refuse_duplicates(
    entries: &[(String, Json)],
    path: &Path<'_>,
) -> Result<(), ParseError> {
    let mut seen = HashSet::with_capacity(entries.len());
    for (key, _) in entries {
        if !seen.insert(key.as_str()) {
            return path.fail(Problem::DuplicateKey(key.clone()));
        }
    }
    Ok(())
}
