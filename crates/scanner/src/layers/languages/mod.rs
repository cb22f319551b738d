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
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::index::word;

/// A member that should be text. Whatever else it is does not spoil the document.
#[derive(Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loose { licence: false }).map(Self)
    }
}

/// A licence in the many ways that JSON has for it: a text, an object with `type`, or a list of
/// such; several are joined by ` OR `, which is what lists of them mean.
#[derive(Default)]
struct Licence(Option<String>);

impl<'de> Deserialize<'de> for Licence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loose { licence: true }).map(Self)
    }
}

/// Takes any value, and keeps none of what it does not want.
struct Loose {
    licence: bool,
}

/// Most licences of one package that are kept.
const LICENCES_MAX: usize = 16;

impl<'de> Visitor<'de> for Loose {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(word(text))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut text = None;
        while let Some(key) = map.next_key::<Text>()? {
            if self.licence && key.0.as_deref() == Some("type") {
                text = map.next_value::<Text>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        if !self.licence {
            while list.next_element::<IgnoredAny>()?.is_some() {}
        }
        while let Some(Licence(licence)) = list.next_element()? {
            texts.extend(licence.filter(|_| texts.len() < LICENCES_MAX));
        }
        Ok(word(&texts.join(" OR ")))
    }
}

/// Most packages that one document may speak of.
const PACKAGES_MAX: usize = 20_000;

fn too_many<E: serde::de::Error>() -> E {
    E::custom(format_args!("more than {PACKAGES_MAX} packages"))
}

/// A list of at most [`PACKAGES_MAX`] packages.
struct List<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = List<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of packages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == PACKAGES_MAX {
                        return Err(too_many());
                    }
                    items.push(item);
                }
                Ok(List(items))
            }
        }

        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// Splits `vendor/name`.
fn vendor_and_name(full: &str) -> (Option<String>, String) {
    match full.split_once('/') {
        Some((vendor, name)) => (Some(vendor.to_owned()), name.to_owned()),
        None => (None, full.to_owned()),
    }
}
