//! Members of a request document, each read with the constraints of its shape.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};
use tonnage_domain::error::Error;

use super::{Refusal, Result};

/// A request document.
pub(super) struct Input(Map<String, Value>);

fn invalid(member: &str, constraint: impl std::fmt::Display) -> Error {
    Error::invalid_parameter(member, constraint)
}

impl Input {
    /// Reads it; clients send nothing where every member is optional.
    pub(super) fn parse(body: &Bytes) -> Result<Self> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Refusal::Serialization(None).into()),
        }
    }

    pub(super) fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    fn get(&self, member: &str) -> Option<&Value> {
        self.0.get(member).filter(|value| !value.is_null())
    }

    /// A text of at least one character.
    pub(super) fn text(&self, member: &str, max: usize) -> Result<Option<String>> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let text = value.as_str().ok_or(Refusal::Serialization(None))?;
        if text.is_empty() || text.chars().count() > max {
            return Err(
                invalid(member, format_args!("Member must have 1 to {max} characters")).into()
            );
        }
        Ok(Some(text.to_owned()))
    }

    /// A text that must be there.
    pub(super) fn required(&self, member: &str, max: usize) -> Result<String> {
        let text = self.text(member, max)?;
        Ok(text.ok_or_else(|| invalid(member, "Member must not be null"))?)
    }

    /// One of some words.
    pub(super) fn word<T>(
        &self,
        member: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.text(member, 128)? else { return Ok(None) };
        let word = parse(&text).ok_or_else(|| {
            invalid(member, format_args!("Tonnage does not know the value {text:?} of this member"))
        })?;
        Ok(Some(word))
    }

    /// A number within bounds.
    pub(super) fn number(&self, member: &str, min: u32, max: u32) -> Result<Option<u32>> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (min..=max).contains(number)).ok_or_else(|| {
            invalid(member, format_args!("Member must be between {min} and {max}"))
        })?;
        Ok(Some(number))
    }

    /// A list of texts; empty where there is none.
    pub(super) fn texts(&self, member: &str, max: usize) -> Result<Vec<String>> {
        let Some(value) = self.get(member) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or(Refusal::Serialization(None))?;
        if items.len() > max {
            return Err(
                invalid(member, format_args!("Member must have at most {max} elements")).into()
            );
        }
        let texts: Option<Vec<String>> =
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        Ok(texts.ok_or(Refusal::Serialization(None))?)
    }

    /// Tags by key; empty where there are none.
    pub(super) fn tags(&self) -> Result<BTreeMap<String, String>> {
        let Some(value) = self.get("tags") else { return Ok(BTreeMap::new()) };
        Ok(serde_json::from_value(value.clone()).map_err(|_| Refusal::Serialization(None))?)
    }

    /// A structure.
    pub(super) fn structure(&self, member: &str) -> Result<Option<Self>> {
        match self.get(member) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members.clone()))),
            Some(_) => Err(Refusal::Serialization(None).into()),
        }
    }
}
