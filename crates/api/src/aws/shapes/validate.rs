//! The walk that finds constraint violations.

use serde_json::{Map, Number, Value};

use super::serialization::{SerializationFailure, check_document};
use super::violation::{Bound, Constraint, Echo, Elements, Style, Violation, lower_first};
use super::{Length, Member, Range, Shape, Text};

/// Why a request document was refused.
#[derive(Debug, Clone, PartialEq)]
pub enum ValidationFailure {
    /// A value has the wrong JSON type.
    Serialization(SerializationFailure),
    /// Constraints do not hold; at least one and at most [`ValidationFailure::VIOLATIONS_MAX`].
    Constraints(Vec<Violation>),
}

impl ValidationFailure {
    /// The walk ends at this many violations, so the count in a message never exceeds it.
    pub const VIOLATIONS_MAX: usize = 20;

    /// The error code, the value of `__type`. The HTTP status is 400 in every case.
    pub fn code(&self, style: Style) -> &'static str {
        match self {
            Self::Serialization(_) => "SerializationException",
            Self::Constraints(_) => style.code(),
        }
    }

    /// The message in the wording of `style`; none where AWS sends none.
    pub fn message(&self, style: Style) -> Option<String> {
        match self {
            Self::Serialization(failure) => failure.message.clone(),
            Self::Constraints(violations) => style.message(violations),
        }
    }
}

/// Checks a request document against its shape.
///
/// Types are checked in the whole document first, as AWS does, then constraints. Work is linear in
/// the document; lists and maps above their maximum are reported but not entered.
///
/// # Errors
/// [`ValidationFailure`], of which [`ValidationFailure::code`] and [`ValidationFailure::message`]
/// make the reply.
pub fn validate(shape: &Shape, value: &Value) -> Result<(), ValidationFailure> {
    check_document(shape, value).map_err(ValidationFailure::Serialization)?;
    let mut walk = Walk { path: Vec::new(), violations: Vec::new() };
    walk.enter(shape, value);
    if walk.violations.is_empty() {
        Ok(())
    } else {
        Err(ValidationFailure::Constraints(walk.violations))
    }
}

/// The walk relies on the types having been checked: a mismatch is passed over, and the depth is
/// bounded by that check.
struct Walk<'v> {
    path: Vec<Segment<'v>>,
    violations: Vec<Violation>,
}

enum Segment<'v> {
    Member(&'static str),
    Element(usize),
    Entry(&'v str),
}

impl<'v> Walk<'v> {
    /// Checks the constraints of the value itself, then those within it.
    fn visit(&mut self, shape: &'static Shape, value: &'v Value) {
        for constraint in broken(shape, value) {
            self.report(Echo::of(shape, value), constraint);
        }
        self.enter(shape, value);
    }

    fn enter(&mut self, shape: &Shape, value: &'v Value) {
        match (shape, value) {
            (Shape::Structure(members), Value::Object(object)) => self.structure(members, object),
            (Shape::List { member, length }, Value::Array(elements))
                if length.max.is_none_or(|max| count(elements.len()) <= max) =>
            {
                self.list(member, elements, value);
            }
            (Shape::Map { key, value: shape, length }, Value::Object(entries))
                if length.max.is_none_or(|max| count(entries.len()) <= max) =>
            {
                self.map(key, shape, entries, value);
            }
            _ => {}
        }
    }

    fn structure(&mut self, members: &'static [Member], object: &'v Map<String, Value>) {
        for (name, value) in object {
            if self.is_full() {
                return;
            }
            let member = members.iter().find(|member| member.name == name);
            if let Some(member) = member.filter(|_| !value.is_null()) {
                self.path.push(Segment::Member(member.name));
                self.visit(member.shape, value);
                self.path.pop();
            }
        }
        for member in members.iter().filter(|member| member.required) {
            if object.get(member.name).is_none_or(Value::is_null) {
                self.path.push(Segment::Member(member.name));
                self.report(Echo::Null, Constraint::Required);
                self.path.pop();
            }
        }
    }

    /// Broken constraints of elements are reported once, for the list; what is wrong inside an
    /// element is reported at the element.
    fn list(&mut self, shape: &'static Shape, elements: &'v [Value], list: &Value) {
        let whole = || Echo::Text(Echo::list_text(shape, list));
        if let Some(first) = elements.iter().find_map(|element| first_broken(shape, element)) {
            let echo = if is_sensitive(shape) { Echo::Withheld } else { whole() };
            self.report_elements(echo, Elements::List, shape, first);
        }
        for (index, element) in elements.iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.path.push(Segment::Element(index));
            if element.is_null() {
                self.report(Echo::Null, Constraint::Required);
            } else {
                self.enter(shape, element);
            }
            self.path.pop();
        }
    }

    fn map(
        &mut self,
        key_shape: &'static Shape,
        shape: &'static Shape,
        entries: &'v Map<String, Value>,
        map: &Value,
    ) {
        let echo = || {
            if is_sensitive(key_shape) || is_sensitive(shape) {
                Echo::Withheld
            } else {
                Echo::Text(Echo::map_text(shape, map))
            }
        };
        if let Shape::String(text) = key_shape
            && let Some(first) =
                entries.keys().find_map(|key| broken_text(text, key).into_iter().next())
        {
            self.report_elements(echo(), Elements::MapKeys, key_shape, first);
        }
        if let Some(first) = entries.values().find_map(|value| first_broken(shape, value)) {
            self.report_elements(echo(), Elements::MapValues, shape, first);
        }
        for (key, value) in entries {
            if self.is_full() {
                return;
            }
            self.path.push(Segment::Entry(key));
            if value.is_null() {
                self.report(Echo::Null, Constraint::Required);
            } else {
                self.enter(shape, value);
            }
            self.path.pop();
        }
    }

    fn report_elements(&mut self, echo: Echo, of: Elements, shape: &Shape, first: Constraint) {
        let constraint =
            Constraint::Elements { of, declared: declared(shape), broken: Box::new(first) };
        self.report(echo, constraint);
    }

    fn report(&mut self, value: Echo, constraint: Constraint) {
        if !self.is_full() {
            let path = self.path();
            self.violations.push(Violation { path, value, constraint });
        }
    }

    fn is_full(&self) -> bool {
        self.violations.len() >= ValidationFailure::VIOLATIONS_MAX
    }

    /// The path in AWS's spelling: bean names, elements counted from one.
    fn path(&self) -> String {
        let segments = self.path.iter().map(|segment| match segment {
            Segment::Member(name) => lower_first(name),
            Segment::Element(index) => format!("{}.member", index + 1),
            Segment::Entry(key) => format!("{}.member", Violation::capped(key)),
        });
        Violation::capped(&segments.collect::<Vec<_>>().join(".")).to_owned()
    }
}

fn is_sensitive(shape: &Shape) -> bool {
    matches!(shape, Shape::String(text) if text.sensitive)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The bytes that canonical base64 text stands for; its length is a multiple of four.
pub(super) fn blob_bytes(text: &str) -> u64 {
    let padding = text.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
    (count(text.len()) / 4 * 3).saturating_sub(count(padding))
}

/// The constraints of `shape` that `value` itself breaks, in the order of [`declared`].
fn broken(shape: &Shape, value: &Value) -> Vec<Constraint> {
    match (shape, value) {
        (Shape::String(text), Value::String(value)) => broken_text(text, value),
        (Shape::Integer(range), Value::Number(number)) => {
            broken_range(width(*range, i32::MIN.into(), i32::MAX.into()), number)
        }
        (Shape::Long(range), Value::Number(number)) => {
            broken_range(width(*range, i64::MIN, i64::MAX), number)
        }
        (Shape::Float(range), Value::Number(number)) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let max = range.max.filter(|max| number > *max);
            let min = range.min.filter(|min| number < *min);
            both(
                max.map(|max| Constraint::ValueMax(Bound::Float(max))),
                min.map(|min| Constraint::ValueMin(Bound::Float(min))),
            )
        }
        (Shape::List { length, .. }, Value::Array(elements)) => {
            broken_length(*length, || count(elements.len()))
        }
        (Shape::Map { length, .. }, Value::Object(entries)) => {
            broken_length(*length, || count(entries.len()))
        }
        (Shape::Blob(length), Value::String(text)) => broken_length(*length, || blob_bytes(text)),
        _ => Vec::new(),
    }
}

fn first_broken(shape: &Shape, value: &Value) -> Option<Constraint> {
    broken(shape, value).into_iter().next()
}

fn broken_text(text: &Text, value: &str) -> Vec<Constraint> {
    let mut broken = broken_length(text.length, || count(value.chars().count()));
    broken.extend(text.pattern.filter(|p| !p.is_match(value)).map(Constraint::Pattern));
    if !text.values.is_empty() && !text.values.contains(&value) {
        broken.push(Constraint::Enum(text.values));
    }
    broken
}

fn broken_length(length: Length, actual: impl FnOnce() -> u64) -> Vec<Constraint> {
    // Counting the characters of a long string is the only cost here; skip it when nothing asks.
    if length == Length::ANY {
        return Vec::new();
    }
    let actual = actual();
    both(
        length.max.filter(|max| actual > *max).map(Constraint::LengthMax),
        length.min.filter(|min| actual < *min).map(Constraint::LengthMin),
    )
}

fn broken_range(range: Range, number: &Number) -> Vec<Constraint> {
    let number = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    let above = |max: &i64| number.is_some_and(|number| number > i128::from(*max));
    let below = |min: &i64| number.is_some_and(|number| number < i128::from(*min));
    range_constraints(Range { min: range.min.filter(below), max: range.max.filter(above) })
}

/// What the shape asks of a value, in the order in which AWS lists it for elements: maximum,
/// minimum, pattern, values.
fn declared(shape: &Shape) -> Vec<Constraint> {
    let bounds = |length: &Length| {
        both(length.max.map(Constraint::LengthMax), length.min.map(Constraint::LengthMin))
    };
    match shape {
        Shape::String(text) => {
            let mut all = bounds(&text.length);
            all.extend(text.pattern.map(Constraint::Pattern));
            if !text.values.is_empty() {
                all.push(Constraint::Enum(text.values));
            }
            all
        }
        Shape::List { length, .. } | Shape::Map { length, .. } | Shape::Blob(length) => {
            bounds(length)
        }
        Shape::Integer(range) | Shape::Long(range) => range_constraints(*range),
        Shape::Float(range) => both(
            range.max.map(|max| Constraint::ValueMax(Bound::Float(max))),
            range.min.map(|min| Constraint::ValueMin(Bound::Float(min))),
        ),
        Shape::Structure(_) | Shape::Boolean | Shape::Timestamp => Vec::new(),
    }
}

fn range_constraints(range: Range) -> Vec<Constraint> {
    both(
        range.max.map(|max| Constraint::ValueMax(Bound::Integer(max))),
        range.min.map(|min| Constraint::ValueMin(Bound::Integer(min))),
    )
}

fn both(max: Option<Constraint>, min: Option<Constraint>) -> Vec<Constraint> {
    max.into_iter().chain(min).collect()
}

/// The bounds with those of the number's width where the model gives none: AWS reads numbers of
/// any size and answers with a constraint, not with a type error.
fn width(range: Range, min: i64, max: i64) -> Range {
    Range { min: range.min.or(Some(min)), max: range.max.or(Some(max)) }
}
