//! Packages of languages: what is installed, not what lock files ask for.

mod composer;
mod executables;
mod gem;
mod go;
mod java;
mod npm;
mod nuget;
mod python;

pub(super) use composer::{installed as composer_installed, lock as composer_lock};
pub(super) use executables::executable;
pub(super) use gem::gemspec;
pub(super) use java::{Archives, archive as java_archive};
pub(super) use npm::package_json;
pub(super) use nuget::deps_json;
pub(super) use python::metadata as python_metadata;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::index::word;

/// A licence in the many ways that JSON has for it: a text, an object with `type`, or a list of
/// such; several are joined by ` OR `, which is what lists of them mean.
#[derive(Default)]
struct Licence(Option<String>);

impl<'de> Deserialize<'de> for Licence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LicenceVisitor).map(|text| Self(word(&text)))
    }
}

struct LicenceVisitor;

impl<'de> Visitor<'de> for LicenceVisitor {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a licence")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_bool<E>(self, _: bool) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_u64<E>(self, _: u64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_i64<E>(self, _: i64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_f64<E>(self, _: f64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut text = String::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "type" {
                text = map.next_value::<Text>()?.0.unwrap_or_default();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<String, A::Error> {
        let mut texts = Vec::new();
        while let Some(Licence(licence)) = list.next_element()? {
            texts.extend(licence);
            texts.truncate(16);
        }
        Ok(texts.join(" OR "))
    }
}

/// A member that should be text. Whatever else it is does not spoil the document.
#[derive(Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            #[allow(dead_code, reason = "only that it is no text matters")]
            Other(IgnoredAny),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Text(text) => Self(word(&text)),
            Either::Other(_) => Self(None),
        })
    }
}

/// Splits `vendor/name`.
fn vendor_and_name(full: &str) -> (Option<String>, String) {
    match full.split_once('/') {
        Some((vendor, name)) => (Some(vendor.to_owned()), name.to_owned()),
        None => (None, full.to_owned()),
    }
}
