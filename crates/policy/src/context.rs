//! What is known about a request.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The condition keys of a request with their values.
///
/// Names of keys are not case-sensitive (IAM guide, "IAM JSON policy elements: Condition"); they
/// are kept in lower case. Values are text whatever their type: numbers in decimal notation, dates
/// in ISO 8601 or as seconds since the epoch, booleans as `true` and `false`, addresses as text,
/// binary values in base64. A key without values is the same as an absent key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context<'a> {
    values: BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>,
}

impl<'a> Context<'a> {
    /// A context without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key to one value. What the key held before is forgotten.
    pub fn set(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.values.insert(lower_case(key.into()), vec![value.into()]);
    }

    /// Sets a key to several values, or removes it when there are none. What the key held before
    /// is forgotten.
    pub fn set_all<V: Into<Cow<'a, str>>>(
        &mut self,
        key: impl Into<Cow<'a, str>>,
        values: impl IntoIterator<Item = V>,
    ) {
        let key = lower_case(key.into());
        let values: Vec<_> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            self.values.remove(&key);
        } else {
            self.values.insert(key, values);
        }
    }

    /// Adds a value to a key. Two tags whose keys differ only in case end up under one condition
    /// key with both values.
    pub fn add(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.values.entry(lower_case(key.into())).or_default().push(value.into());
    }

    /// Forgets a key. Removing an absent key changes nothing.
    pub fn remove(&mut self, key: &str) {
        self.values.remove(key.to_lowercase().as_str());
    }

    /// The values of a key given in any case; empty when it is absent.
    #[must_use]
    pub fn get(&self, key: &str) -> &[Cow<'a, str>] {
        self.lookup(&key.to_lowercase())
    }

    /// Every key, in lower case, with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Cow<'a, str>])> {
        self.values.iter().map(|(key, values)| (key.as_ref(), values.as_slice()))
    }

    /// The values of a key that is already in lower case.
    pub(crate) fn lookup(&self, key: &str) -> &[Cow<'a, str>] {
        self.values.get(key).map_or(&[], Vec::as_slice)
    }
}

fn lower_case(key: Cow<'_, str>) -> Cow<'_, str> {
    if key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        key
    } else {
        Cow::Owned(key.to_lowercase())
    }
}
