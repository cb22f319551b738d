//! The constant representation of a service's shapes, sized for tables that are read by people.

use std::fmt;
use std::sync::OnceLock;

use regex_lite::Regex;

use super::Style;

/// One AWS service: how it is called, and its operations.
#[derive(Debug)]
pub struct Service {
    /// The name in the SigV4 credential scope (`signingName`), such as `ecr-public`.
    pub signing_name: &'static str,
    /// What precedes the dot in `X-Amz-Target` (`targetPrefix`).
    pub target_prefix: &'static str,
    /// The version of the model, a date.
    pub api_version: &'static str,
    /// How the service words constraint violations.
    pub style: Style,
    /// Every operation of the model, sorted by name.
    pub operations: &'static [Operation],
}

impl Service {
    /// The operation called `name`, matched exactly as AWS does.
    pub fn find(&self, name: &str) -> Option<&'static Operation> {
        let index = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        self.operations.get(index)
    }

    /// The names of all operations of the model, served or not, sorted.
    pub fn operation_names(&self) -> impl ExactSizeIterator<Item = &'static str> + use<> {
        self.operations.iter().map(|operation| operation.name)
    }
}

/// One operation of a service.
#[derive(Debug)]
pub struct Operation {
    /// The name that follows the dot in `X-Amz-Target`.
    pub name: &'static str,
    /// The request document.
    pub input: &'static Shape,
    /// The document of a successful reply; none where the model has no output.
    pub output: Option<&'static Shape>,
    /// The errors the model lists for this operation, in the model's order.
    pub errors: &'static [&'static ErrorShape],
}

impl Operation {
    /// An operation whose table has no errors, as those of AWS Query services.
    pub const fn plain(
        name: &'static str,
        input: &'static Shape,
        output: Option<&'static Shape>,
    ) -> Self {
        Self { name, input, output, errors: &[] }
    }

    /// The operation of `service` called `name`; the same as [`Service::find`].
    pub fn find(service: &Service, name: &str) -> Option<&'static Operation> {
        service.find(name)
    }

    /// The modelled error called `code`, if this operation may answer with it.
    pub fn error(&self, code: &str) -> Option<&'static ErrorShape> {
        self.errors.iter().copied().find(|error| error.code == code)
    }
}

/// A modelled error.
#[derive(Debug)]
pub struct ErrorShape {
    /// The value of `__type` in the reply.
    pub code: &'static str,
    /// The HTTP status: the model's, else 500 for a fault of the service and 400 for the caller's.
    pub status: u16,
    /// The error's document; `message` and whatever the error carries beside it.
    pub shape: &'static Shape,
}

/// The shape of a JSON value. Shapes refer to each other, so they may be recursive.
#[derive(Debug)]
pub enum Shape {
    /// An object with known members. Unknown members are ignored, as AWS does.
    Structure(&'static [Member]),
    /// An array.
    List {
        /// The shape of each element.
        member: &'static Shape,
        /// The number of elements.
        length: Length,
    },
    /// An object with free keys.
    Map {
        /// The shape of each key; a string.
        key: &'static Shape,
        /// The shape of each value.
        value: &'static Shape,
        /// The number of entries.
        length: Length,
    },
    /// A string.
    String(Text),
    /// A 32-bit signed number.
    Integer(Range),
    /// A 64-bit signed number.
    Long(Range),
    /// A 32-bit or 64-bit floating-point number.
    Float(FloatRange),
    /// `true` or `false`.
    Boolean,
    /// Seconds since the epoch as a number, with or without a fraction.
    Timestamp,
    /// Bytes as base64 text; the length counts bytes.
    Blob(Length),
}

/// A member of a structure. `Debug` does not follow the shape, for shapes may be recursive.
pub struct Member {
    /// The name on the wire.
    pub name: &'static str,
    /// The shape of the value.
    pub shape: &'static Shape,
    /// Whether absence (or null) is a violation.
    pub required: bool,
}

impl Member {
    /// A member that may be absent.
    pub const fn optional(name: &'static str, shape: &'static Shape) -> Self {
        Self { name, shape, required: false }
    }

    /// A member that must be present.
    pub const fn required(name: &'static str, shape: &'static Shape) -> Self {
        Self { name, shape, required: true }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.required { "required" } else { "optional" };
        f.debug_tuple(name).field(&self.name).finish()
    }
}

/// Bounds of a length, both inclusive: Unicode scalar values of a string (Smithy's `length` trait),
/// elements of a list, entries of a map, bytes of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// The smallest length.
    pub min: Option<u64>,
    /// The largest length.
    pub max: Option<u64>,
}

impl Length {
    /// No bounds.
    pub const ANY: Self = Self { min: None, max: None };

    /// The same, at least `min`.
    pub const fn min(self, min: u64) -> Self {
        Self { min: Some(min), ..self }
    }

    /// The same, at most `max`.
    pub const fn max(self, max: u64) -> Self {
        Self { max: Some(max), ..self }
    }
}

/// Bounds of a whole number, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The smallest value.
    pub min: Option<i64>,
    /// The largest value.
    pub max: Option<i64>,
}

impl Range {
    /// No bounds.
    pub const ANY: Self = Self { min: None, max: None };

    /// The same, at least `min`.
    pub const fn min(self, min: i64) -> Self {
        Self { min: Some(min), ..self }
    }

    /// The same, at most `max`.
    pub const fn max(self, max: i64) -> Self {
        Self { max: Some(max), ..self }
    }
}

/// Bounds of a floating-point number, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloatRange {
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
}

impl FloatRange {
    /// No bounds.
    pub const ANY: Self = Self { min: None, max: None };

    /// The same, at least `min`.
    pub const fn min(self, min: f64) -> Self {
        Self { min: Some(min), ..self }
    }

    /// The same, at most `max`.
    pub const fn max(self, max: f64) -> Self {
        Self { max: Some(max), ..self }
    }
}

/// Constraints of a string.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The number of Unicode scalar values.
    pub length: Length,
    /// The pattern the whole string must match.
    pub pattern: Option<&'static Pattern>,
    /// The permitted values; empty means any.
    pub values: &'static [&'static str],
    /// Whether messages must not repeat the value (the model's `sensitive`).
    pub sensitive: bool,
}

impl Text {
    /// Any string.
    pub const ANY: Self =
        Self { length: Length::ANY, pattern: None, values: &[], sensitive: false };

    /// The same, with at least `min` characters.
    pub const fn min(self, min: u64) -> Self {
        Self { length: self.length.min(min), ..self }
    }

    /// The same, with at most `max` characters.
    pub const fn max(self, max: u64) -> Self {
        Self { length: self.length.max(max), ..self }
    }

    /// The same, matching `pattern`.
    pub const fn pattern(self, pattern: &'static Pattern) -> Self {
        Self { pattern: Some(pattern), ..self }
    }

    /// The same, one of `values`.
    pub const fn values(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    /// The same, never repeated in messages.
    pub const fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }
}

/// A pattern of the model, compiled when first used.
#[derive(Debug)]
pub struct Pattern {
    text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The longest string, in bytes, that is tried. No patterned shape of the tables that has a
    /// maximum allows as much, and those without one (digests, identifiers) mean far less; the
    /// limit keeps a request body from buying matching time in proportion to its size.
    pub const SUBJECT_BYTES_MAX: usize = 8_192;

    /// A pattern with the model's text.
    pub const fn new(text: &'static str) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    /// The model's text.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The text as AWS prints it. The published models escape `/`; the services' messages do not
    /// (ECR's message for `repositoryName`).
    pub fn printed(&self) -> String {
        self.text.replace(r"\/", "/")
    }

    /// Whether the pattern can be used; holds for every generated pattern.
    pub fn compiles(&self) -> bool {
        self.regex().is_some()
    }

    /// Whether the whole of `subject` matches, as Java's `matches()` does. A subject above
    /// [`Self::SUBJECT_BYTES_MAX`] does not match, nor does anything match a broken pattern.
    pub fn is_match(&self, subject: &str) -> bool {
        subject.len() <= Self::SUBJECT_BYTES_MAX
            && self.regex().is_some_and(|regex| regex.is_match(subject))
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&format!(r"\A(?:{})\z", self.text)).ok()).as_ref()
    }
}
