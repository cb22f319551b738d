//! Violations and AWS's two ways of wording them.

use std::fmt;

use serde_json::Value;

use super::validate::blob_bytes;
use super::{Pattern, Shape};

/// How a service words constraint violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// AWS's common form: `ValidationException`, all violations in one text.
    Aggregated,
    /// ECR's form: `InvalidParameterException`, the first violation only, the value not repeated.
    /// Observed for the private and the public service.
    EcrInvalidParameter,
}

impl Style {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Aggregated => "ValidationException",
            Self::EcrInvalidParameter => "InvalidParameterException",
        }
    }

    /// The message for `violations`, none if there are none.
    pub(super) fn message(self, violations: &[Violation]) -> Option<String> {
        let first = violations.first()?;
        Some(match self {
            Self::Aggregated => {
                let plural = if violations.len() == 1 { "" } else { "s" };
                let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
                let count = violations.len();
                format!("{count} validation error{plural} detected: {}", texts.join("; "))
            }
            Self::EcrInvalidParameter => {
                let (field, constraint) = ecr_wording(first);
                format!(
                    "Invalid parameter at '{field}' failed to satisfy constraint: '{constraint}'"
                )
            }
        })
    }
}

/// One constraint that does not hold. `Display` is the text within the aggregated form.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Where, in AWS's spelling: `imageIds.1.member.imageDigest`, members with a small first
    /// letter whatever their name on the wire, elements counted from one. At most 1,000
    /// characters.
    pub path: String,
    /// The value there.
    pub value: Echo,
    /// What does not hold.
    pub constraint: Constraint,
}

impl Violation {
    /// Paths and repeated values end after this many characters. AWS repeats them whole; a reply
    /// must not grow with the request.
    pub const ECHO_CHARS_MAX: usize = 1_000;

    pub(super) fn capped(text: &str) -> &str {
        match text.char_indices().nth(Self::ECHO_CHARS_MAX) {
            Some((end, _)) => text.get(..end).unwrap_or(text),
            None => text,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Echo::Null => write!(f, "Value null at ")?,
            Echo::Withheld => write!(f, "Value at ")?,
            Echo::Text(text) => write!(f, "Value '{text}' at ")?,
        }
        write!(f, "'{}' failed to satisfy constraint: {}", self.path, self.constraint)
    }
}

/// The value as a message repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// Absent or null.
    Null,
    /// Sensitive in the model.
    Withheld,
    /// The value as Java prints it, at most [`Violation::ECHO_CHARS_MAX`] characters.
    Text(String),
}

impl Echo {
    pub(super) fn of(shape: &Shape, value: &Value) -> Self {
        match shape {
            Shape::String(text) if text.sensitive => Self::Withheld,
            _ => Self::Text(Self::printed(|out| out.value(shape, value))),
        }
    }

    pub(super) fn list_text(member: &'static Shape, list: &Value) -> String {
        Self::printed(|out| out.list(member, list))
    }

    pub(super) fn map_text(value: &'static Shape, map: &Value) -> String {
        Self::printed(|out| out.map(value, map))
    }

    fn printed(print: impl FnOnce(&mut Printer)) -> String {
        let mut printer = Printer { out: String::new(), chars_left: Violation::ECHO_CHARS_MAX };
        print(&mut printer);
        printer.out
    }
}

/// Prints values as Java's collections do, and stops at the limit rather than print and cut.
struct Printer {
    out: String,
    chars_left: usize,
}

impl Printer {
    fn text(&mut self, text: &str) {
        for character in text.chars().take(self.chars_left) {
            self.out.push(character);
            self.chars_left -= 1;
        }
    }

    fn value(&mut self, shape: &Shape, value: &Value) {
        match (shape, value) {
            (Shape::String(text), _) if text.sensitive => {
                self.text("***Sensitive Data Redacted***");
            }
            (Shape::Blob(_), Value::String(text)) => {
                let bytes = blob_bytes(text);
                self.text(&format!("java.nio.HeapByteBuffer[pos=0 lim={bytes} cap={bytes}]"));
            }
            (Shape::List { member, .. }, _) => self.list(member, value),
            (Shape::Map { value: shape, .. }, _) => self.map(shape, value),
            (Shape::Structure(members), Value::Object(object)) => {
                let known = members
                    .iter()
                    .filter_map(|member| Some((member, object.get(member.name)?)))
                    .enumerate();
                self.text("{");
                for (index, (member, value)) in known {
                    self.text(if index == 0 { "" } else { ", " });
                    self.text(&lower_first(member.name));
                    self.text("=");
                    self.value(member.shape, value);
                }
                self.text("}");
            }
            (_, Value::String(text)) => self.text(text),
            (_, Value::Number(number)) => self.text(&number.to_string()),
            (_, Value::Bool(flag)) => self.text(if *flag { "true" } else { "false" }),
            (_, Value::Null) => self.text("null"),
            (_, Value::Array(_) | Value::Object(_)) => {}
        }
    }

    fn list(&mut self, shape: &Shape, list: &Value) {
        self.text("[");
        for (index, element) in list.as_array().into_iter().flatten().enumerate() {
            if self.chars_left == 0 {
                return;
            }
            self.text(if index == 0 { "" } else { ", " });
            self.value(shape, element);
        }
        self.text("]");
    }

    fn map(&mut self, shape: &Shape, map: &Value) {
        self.text("{");
        for (index, (key, value)) in map.as_object().into_iter().flatten().enumerate() {
            if self.chars_left == 0 {
                return;
            }
            self.text(if index == 0 { "" } else { ", " });
            self.text(key);
            self.text("=");
            self.value(shape, value);
        }
        self.text("}");
    }
}

/// A constraint of a shape. `Display` is AWS's text.
#[derive(Debug, Clone)]
pub enum Constraint {
    /// The member is required.
    Required,
    /// The length is at least this.
    LengthMin(u64),
    /// The length is at most this.
    LengthMax(u64),
    /// The value is at least this.
    ValueMin(Bound),
    /// The value is at most this.
    ValueMax(Bound),
    /// The whole string matches.
    Pattern(&'static Pattern),
    /// The value is one of these.
    Enum(&'static [&'static str]),
    /// Constraints of the elements of a collection, reported once for the collection.
    Elements {
        /// Which elements.
        of: Elements,
        /// All constraints of such an element; AWS's text lists them whichever is broken.
        declared: Vec<Constraint>,
        /// The first broken one.
        broken: Box<Constraint>,
    },
}

/// Patterns are compared by their text: each shape has its own compiled pattern.
impl PartialEq for Constraint {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Required, Self::Required) => true,
            (Self::LengthMin(a), Self::LengthMin(b)) | (Self::LengthMax(a), Self::LengthMax(b)) => {
                a == b
            }
            (Self::ValueMin(a), Self::ValueMin(b)) | (Self::ValueMax(a), Self::ValueMax(b)) => {
                a == b
            }
            (Self::Pattern(a), Self::Pattern(b)) => a.text() == b.text(),
            (Self::Enum(a), Self::Enum(b)) => a == b,
            (
                Self::Elements { of: a, declared: b, broken: c },
                Self::Elements { of: x, declared: y, broken: z },
            ) => a == x && b == y && c == z,
            _ => false,
        }
    }
}

/// A bound of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Of a whole number.
    Integer(i64),
    /// Of a floating-point number.
    Float(f64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(bound) => write!(f, "{bound}"),
            // `Debug` keeps the fraction of 1.0, as Java does.
            Self::Float(bound) => write!(f, "{bound:?}"),
        }
    }
}

/// The elements of a collection that [`Constraint::Elements`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elements {
    /// The members of a list.
    List,
    /// The keys of a map.
    MapKeys,
    /// The values of a map.
    MapValues,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elements { of, declared, .. } => {
                f.write_str(match of {
                    Elements::List => "Member",
                    Elements::MapKeys => "Map keys",
                    Elements::MapValues => "Map value",
                })?;
                let texts: Vec<String> = declared.iter().map(ToString::to_string).collect();
                write!(f, " must satisfy constraint: [{}]", texts.join(", "))
            }
            constraint => {
                f.write_str("Member ")?;
                constraint.predicate(f)
            }
        }
    }
}

impl Constraint {
    /// The text after the word "Member".
    fn predicate(&self, f: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Required => f.write_str("must not be null"),
            Self::LengthMin(n) => write!(f, "must have length greater than or equal to {n}"),
            Self::LengthMax(n) => write!(f, "must have length less than or equal to {n}"),
            Self::ValueMin(n) => write!(f, "must have value greater than or equal to {n}"),
            Self::ValueMax(n) => write!(f, "must have value less than or equal to {n}"),
            Self::Pattern(pattern) => {
                write!(f, "must satisfy regular expression pattern: {}", pattern.printed())
            }
            Self::Enum(values) => write!(f, "must satisfy enum value set: [{}]", values.join(", ")),
            Self::Elements { .. } => write!(f, "must satisfy constraint: [{self}]"),
        }
    }
}

/// The order in which ECR prints the values of `imageTagMutability`; the model has another.
const IMAGE_TAG_MUTABILITY: [&str; 4] =
    ["IMMUTABLE", "MUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"];

/// The field and constraint text of ECR's own form.
///
/// ECR checks `repositoryName` (also within `repositoryNames`) and `registryId` itself, after the
/// framework; those texts lack the word "Member", and the pattern of the former is quoted. All
/// other fields have the framework's text. Observed in public reports; nested members are assumed
/// to follow the framework.
fn ecr_wording(violation: &Violation) -> (&str, String) {
    let own = |constraint: &Constraint| match constraint {
        Constraint::Pattern(pattern) => {
            format!("must satisfy regular expression '{}'", pattern.printed())
        }
        other => {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = other.predicate(&mut text);
            text
        }
    };
    match (violation.path.as_str(), &violation.constraint) {
        ("repositoryName", constraint) => ("repositoryName", own(constraint)),
        ("repositoryNames", Constraint::Elements { broken, .. }) => ("repositoryName", own(broken)),
        ("registryId", Constraint::Pattern(pattern)) => {
            ("registryId", format!("must satisfy regular expression {}", pattern.printed()))
        }
        ("imageTagMutability", Constraint::Enum(values))
            if values.len() == IMAGE_TAG_MUTABILITY.len()
                && IMAGE_TAG_MUTABILITY.iter().all(|value| values.contains(value)) =>
        {
            ("imageTagMutability", Constraint::Enum(&IMAGE_TAG_MUTABILITY).to_string())
        }
        (path, constraint) => (path, constraint.to_string()),
    }
}

/// AWS's paths use Java bean names: the member `Key` is printed as `key`.
pub(super) fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    characters
        .next()
        .into_iter()
        .flat_map(char::to_lowercase)
        .chain(characters.as_str().chars())
        .collect()
}
