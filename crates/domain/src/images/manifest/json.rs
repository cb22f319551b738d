//! A strict walk over JSON: only the levels that are read are taken apart, each into slices of the
//! document, and members given twice are noticed.
//!
//! Syntax is serde_json's business. Its own maps keep the last of two equal members without a word,
//! and other languages' parsers keep the first; that is why they are not used here.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::ManifestError;
use super::{MAXIMUM_BYTES, MAXIMUM_DEPTH, MAXIMUM_ENTRIES, MAXIMUM_MEDIA_TYPE_LENGTH};
use crate::names::Quoted;

/// Largest size a descriptor can claim: every reader's numbers hold it exactly.
const MAXIMUM_SIZE: u64 = 1 << 53;

/// The place of a value in the document.
pub(super) enum Path<'a> {
    Root,
    /// A member the specifications name.
    Member(&'a Path<'a>, &'a str),
    /// A member the client named.
    Key(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(super) fn member<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path::Member(self, name)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => formatter.write_str("$"),
            Self::Member(parent, name) => write!(formatter, "{parent}.{name}"),
            Self::Key(parent, key) => write!(formatter, "{parent}[{}]", Quoted(key)),
            Self::Element(parent, index) => write!(formatter, "{parent}[{index}]"),
        }
    }
}

/// What a string must look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextRule {
    /// Anything but NUL, which metadata cannot hold.
    Free,
    /// Free, but not empty.
    NotEmpty,
    /// 1 to 255 visible ASCII characters and spaces.
    MediaType,
}

/// One JSON value whose syntax has been checked, as a slice of the document without the white space
/// around it.
#[derive(Clone, Copy)]
pub(super) struct Value<'a>(&'a str);

/// Checks size, encoding, nesting and syntax of a whole document.
pub(super) fn document(bytes: &[u8]) -> Result<Value<'_>, ManifestError> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(ManifestError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ManifestError::NotUtf8 { position: error.valid_up_to() })?;
    check_depth(text)?;
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|error| ManifestError::NotJson { reason: error.to_string() })?;
    Ok(Value(raw.get()))
}

/// Counts brackets outside strings; whether they match is left to the parser.
fn check_depth(text: &str) -> Result<(), ManifestError> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > MAXIMUM_DEPTH {
                    return Err(ManifestError::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

impl<'a> Value<'a> {
    /// The value as the client wrote it.
    pub(super) fn text(self) -> &'a str {
        self.0
    }

    pub(super) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The known members of an object. Others are passed over, but not if they appear twice or
    /// could be taken for known ones.
    pub(super) fn members(
        self,
        path: &Path<'_>,
        known: &'static [&'static str],
    ) -> Result<Members<'a>, ManifestError> {
        let mut found = Vec::new();
        self.entries(path, |key, value| {
            match known.iter().copied().find(|name| equal_ignoring_case(name, key)) {
                Some(name) if name == key => found.push((name, value)),
                Some(expected) => {
                    let path = Path::Key(path, key).to_string();
                    return Err(ManifestError::Misspelled { path, expected });
                }
                None => {}
            }
            Ok(())
        })?;
        Ok(Members(found))
    }

    /// An object whose values are all strings.
    pub(super) fn string_map(
        self,
        path: &Path<'_>,
    ) -> Result<BTreeMap<String, String>, ManifestError> {
        let mut map = BTreeMap::new();
        self.entries(path, |key, value| {
            let path = Path::Key(path, key);
            if key.contains('\0') {
                return Err(ManifestError::text(&path, "has a name that contains nul"));
            }
            map.insert(key.to_owned(), value.string(&path, TextRule::Free)?.into_owned());
            Ok(())
        })?;
        Ok(map)
    }

    /// Calls `each` for every member of an object, in order, and refuses repeated members.
    fn entries(
        self,
        path: &Path<'_>,
        mut each: impl FnMut(&str, Value<'a>) -> Result<(), ManifestError>,
    ) -> Result<(), ManifestError> {
        self.expect_type(path, b'{', "an object")?;
        let mut seen = HashSet::new();
        self.walk(path, |key, value| {
            if seen.len() >= MAXIMUM_ENTRIES {
                let (path, maximum) = (path.to_string(), MAXIMUM_ENTRIES);
                return Err(ManifestError::TooMany { path, maximum });
            }
            if seen.contains(&key) {
                return Err(ManifestError::Duplicate { path: Path::Key(path, &key).to_string() });
            }
            each(&key, value)?;
            seen.insert(key);
            Ok(())
        })
    }

    /// Calls `each` for every element of an array, in order.
    pub(super) fn elements(
        self,
        path: &Path<'_>,
        maximum: usize,
        mut each: impl FnMut(Value<'a>, &Path<'_>) -> Result<(), ManifestError>,
    ) -> Result<(), ManifestError> {
        self.expect_type(path, b'[', "an array")?;
        let mut index = 0;
        self.walk(path, |_, value| {
            if index >= maximum {
                return Err(ManifestError::TooMany { path: path.to_string(), maximum });
            }
            each(value, &Path::Element(path, index))?;
            index += 1;
            Ok(())
        })
    }

    /// Calls `each` for every entry of an object or array; elements of arrays have empty keys.
    fn walk(
        self,
        path: &Path<'_>,
        each: impl FnMut(Cow<'a, str>, Value<'a>) -> Result<(), ManifestError>,
    ) -> Result<(), ManifestError> {
        let mut refusal = None;
        let walker = Walker { each, refusal: &mut refusal };
        let walked = serde_json::Deserializer::from_str(self.0).deserialize_any(walker);
        match (refusal, walked) {
            (Some(refusal), _) => Err(refusal),
            // Syntax is checked beforehand, all but the meaning of escapes in member names.
            (None, Err(_)) => {
                Err(ManifestError::text(path, "has a member whose name is not unicode text"))
            }
            (None, Ok(())) => Ok(()),
        }
    }

    /// A string, borrowed from the document unless it has escapes.
    pub(super) fn string(
        self,
        path: &Path<'_>,
        rule: TextRule,
    ) -> Result<Cow<'a, str>, ManifestError> {
        self.expect_type(path, b'"', "a string")?;
        let Text(text) = serde_json::from_str(self.0)
            .map_err(|_| ManifestError::text(path, "is not unicode text"))?;
        let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        let problem = match rule {
            _ if text.contains('\0') => "contains nul",
            TextRule::Free => return Ok(text),
            _ if text.is_empty() => "is empty",
            TextRule::NotEmpty => return Ok(text),
            TextRule::MediaType if text.len() > MAXIMUM_MEDIA_TYPE_LENGTH => {
                "is longer than 255 characters"
            }
            TextRule::MediaType if !text.bytes().all(visible) => {
                "contains characters that no media type has"
            }
            TextRule::MediaType => return Ok(text),
        };
        Err(ManifestError::text(path, problem))
    }

    /// A size in bytes: an integer from 0 to 2^53, written without fraction or exponent.
    pub(super) fn size(self, path: &Path<'_>) -> Result<u64, ManifestError> {
        self.expect_type(path, b'0', "a number")?;
        let digits_only = self.0.bytes().all(|byte| byte.is_ascii_digit());
        match self.0.parse() {
            Ok(size) if digits_only && size <= MAXIMUM_SIZE => Ok(size),
            _ => Err(ManifestError::size(path, self.0)),
        }
    }

    fn expect_type(
        self,
        path: &Path<'_>,
        first: u8,
        expected: &'static str,
    ) -> Result<(), ManifestError> {
        let (actual, found) = match self.0.as_bytes().first().copied().unwrap_or_default() {
            b'{' => (b'{', "an object"),
            b'[' => (b'[', "an array"),
            b'"' => (b'"', "a string"),
            b't' | b'f' => (b't', "a boolean"),
            b'n' => (b'n', "null"),
            _ => (b'0', "a number"),
        };
        if actual == first {
            return Ok(());
        }
        Err(ManifestError::WrongType { path: path.to_string(), expected, found })
    }
}

/// The known members of one object.
pub(super) struct Members<'a>(Vec<(&'static str, Value<'a>)>);

impl<'a> Members<'a> {
    /// A member that is there and not `null`.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.any(name).filter(|value| !value.is_null())
    }

    /// Whether a member is there, even as `null`.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.any(name).is_some()
    }

    /// A member that must be there, even as `null`.
    pub(super) fn required(&self, name: &str, path: &Path<'_>) -> Result<Value<'a>, ManifestError> {
        self.any(name).ok_or_else(|| ManifestError::missing(&path.member(name)))
    }

    fn any(&self, name: &str) -> Option<Value<'a>> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Whether a reader that ignores case would take `key` for `known`, which is ASCII. Go's does, and
/// by Unicode's simple folding two characters outside ASCII fold into it: U+017F to `s` and U+212A
/// to `k`.
fn equal_ignoring_case(known: &str, key: &str) -> bool {
    let fold = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    known.chars().map(fold).eq(key.chars().map(fold))
}

/// A JSON string, borrowed when it can be.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Hands the entries of one level to a closure and keeps the closure's refusal aside, since serde's
/// errors are only text.
struct Walker<'r, F> {
    each: F,
    refusal: &'r mut Option<ManifestError>,
}

impl<'de, F> Walker<'_, F>
where
    F: FnMut(Cow<'de, str>, Value<'de>) -> Result<(), ManifestError>,
{
    fn entry<E: serde::de::Error>(
        &mut self,
        key: Cow<'de, str>,
        raw: &'de RawValue,
    ) -> Result<(), E> {
        (self.each)(key, Value(raw.get())).map_err(|refusal| {
            *self.refusal = Some(refusal);
            E::custom("refused")
        })
    }
}

impl<'de, F> Visitor<'de> for Walker<'_, F>
where
    F: FnMut(Cow<'de, str>, Value<'de>) -> Result<(), ManifestError>,
{
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            let raw = map.next_value()?;
            self.entry::<A::Error>(key, raw)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(raw) = sequence.next_element()? {
            self.entry::<A::Error>(Cow::Borrowed(""), raw)?;
        }
        Ok(())
    }
}
