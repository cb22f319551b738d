//! The `Condition` element.
//!
//! All operators of a statement, and all keys of an operator, must hold; of the values of a key
//! one suffices. Source: IAM guide, "IAM JSON policy elements: Condition operators" and
//! "Conditions with multiple context keys or values".

mod operators;
mod values;

use std::borrow::Cow;

use crate::context::Context;
use crate::error::{ParseError, Path, Problem};
use crate::json::Json;
use crate::parse::refuse_duplicates;
use crate::pattern::has_prefix_and_name;
use operators::Operator;
pub(crate) use operators::{Base, Qualifier};
use values::Value;

/// The outcome of matching, where a comparison may be impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    False,
    True,
    /// Cannot be evaluated; why.
    Unknown(&'static str),
}

impl Truth {
    pub(crate) fn of(result: Result<bool, &'static str>) -> Self {
        match result {
            Ok(true) => Self::True,
            Ok(false) => Self::False,
            Err(why) => Self::Unknown(why),
        }
    }

    pub(crate) fn negate_if(self, negate: bool) -> Self {
        match (self, negate) {
            (Self::True, true) => Self::False,
            (Self::False, true) => Self::True,
            (other, _) => other,
        }
    }

    /// True when one is; unknown when that hangs on one that is unknown.
    pub(crate) fn any(items: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::False;
        for item in items {
            match item {
                Self::True => return Self::True,
                Self::Unknown(_) => result = item,
                Self::False => {}
            }
        }
        result
    }

    /// False when one is; unknown when that hangs on one that is unknown.
    pub(crate) fn all(items: impl IntoIterator<Item = Self>) -> Self {
        Self::any(items.into_iter().map(|item| item.negate_if(true))).negate_if(true)
    }
}

/// One operator with one key and the values it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    /// In lower case.
    key: String,
    values: Vec<Value>,
}

impl Condition {
    /// The condition key, in lower case.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether all its values are this truth value.
    pub(crate) fn null_is(&self, expected: bool) -> bool {
        self.values.iter().all(|value| matches!(value, Value::Bool(found) if *found == expected))
    }

    /// Whether another condition has every value of this one.
    pub(crate) fn values_are_among(&self, other: &Self) -> bool {
        self.values.iter().all(|value| other.values.contains(value))
    }

    /// Shows `visit` every condition key that the condition reads, in lower case.
    pub(crate) fn visit_keys(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.key);
        self.values.iter().for_each(|value| value.visit_keys(visit));
    }

    pub(crate) fn evaluate(&self, context: &Context<'_>) -> Truth {
        let found = context.lookup(&self.key);
        if self.operator.base == Base::Null {
            let absent = found.is_empty();
            return Truth::any(self.values.iter().map(|value| {
                Truth::of(Ok(matches!(value, Value::Bool(expected) if *expected == absent)))
            }));
        }
        let holds = |value: &Cow<'_, str>| {
            Truth::any(self.values.iter().map(|expected| {
                Truth::of(values::compare(self.operator.base, expected, value, context))
            }))
        };
        let negated = self.operator.negated;
        match self.operator.qualifier {
            // A negated operator holds when the key is absent.
            None if found.is_empty() => Truth::of(Ok(negated || self.operator.if_exists)),
            None => Truth::any(found.iter().map(holds)).negate_if(negated),
            Some(Qualifier::ForAnyValue) if found.is_empty() => {
                Truth::of(Ok(self.operator.if_exists))
            }
            Some(Qualifier::ForAnyValue) => {
                Truth::any(found.iter().map(|value| holds(value).negate_if(negated)))
            }
            // Also holds for a key whose value is empty (IAM guide, "Set operators for
            // multivalued context keys").
            Some(Qualifier::ForAllValues) if found.iter().all(|value| value.is_empty()) => {
                Truth::True
            }
            Some(Qualifier::ForAllValues) => {
                Truth::all(found.iter().map(|value| holds(value).negate_if(negated)))
            }
        }
    }
}

pub(crate) fn parse(
    value: &Json,
    variables: bool,
    path: &Path<'_>,
) -> Result<Vec<Condition>, ParseError> {
    let operators = object(value, path)?;
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let path = path.key(name);
        let Some(operator) = Operator::parse(name) else {
            return path.fail(Problem::UnknownOperator(name.clone()));
        };
        let keys = object(keys, &path)?;
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        for (key, value) in keys {
            let path = path.key(key);
            if !has_prefix_and_name(key) || key.contains("${") {
                let why = "a condition key has the form prefix:name".to_owned();
                return path.fail(Problem::InvalidValue(why));
            }
            let lower = key.to_lowercase();
            if !seen.insert(lower.clone()) {
                return path.fail(Problem::DuplicateKey(key.clone()));
            }
            let values = parse_values(operator.base, value, variables, &path)?;
            conditions.push(Condition { operator, key: lower, values });
        }
    }
    Ok(conditions)
}

fn parse_values(
    base: Base,
    value: &Json,
    variables: bool,
    path: &Path<'_>,
) -> Result<Vec<Value>, ParseError> {
    let read = |value: &Json, path: &Path<'_>| {
        let text = match value {
            Json::Text(text) | Json::Number(text) => text.as_str(),
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            Json::Null | Json::Array(_) | Json::Object(_) => {
                return path.fail(Problem::WrongType("a string, a number or a boolean"));
            }
        };
        Value::parse(base, text, variables)
            .map_err(|why| ParseError::new(path, Problem::InvalidValue(why)))
    };
    match value {
        Json::Array(items) if items.is_empty() => {
            path.fail(Problem::InvalidValue("the list is empty".to_owned()))
        }
        Json::Array(items) => {
            items.iter().enumerate().map(|(index, item)| read(item, &path.index(index))).collect()
        }
        single => Ok(vec![read(single, path)?]),
    }
}

fn object<'v>(value: &'v Json, path: &Path<'_>) -> Result<&'v [(String, Json)], ParseError> {
    let Json::Object(entries) = value else {
        return path.fail(Problem::WrongType("an object"));
    };
    refuse_duplicates(entries, path)?;
    Ok(entries)
}
