//! Wrong JSON types, found before any constraint is looked at, as in AWS's own deserializer.

use serde_json::Value;

use super::Shape;

/// A value of the wrong JSON type: code `SerializationException`, HTTP 400.
///
/// The messages are those of AWS JSON 1.1 services, where DynamoDB (JSON 1.0) writes
/// `STRING_VALUE cannot be converted to Integer`. AWS does not document them. Those for strings,
/// integers, booleans, lists and structures are quoted in public reports on Athena, SES and
/// CodeDeploy, including the unequal articles and periods; the blob's are DynamoDB's; those for
/// longs, doubles, timestamps and maps, and the token `DECIMAL_VALUE`, follow the same form and
/// are unconfirmed for JSON 1.1. ECR's own replies are unconfirmed throughout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerializationFailure {
    /// The text, or none where AWS sends no message: a body that is null or a bare scalar.
    pub message: Option<String>,
}

/// Deeper documents are refused. `serde_json` refuses to parse them first; this bound holds for
/// values that were built in memory, and for recursive shapes.
const DEPTH_MAX: usize = 128;

const STRUCTURE_NOT_EXPECTED: &str = "Start of structure or map found where not expected.";
const LIST_NOT_EXPECTED: &str = "Start of list found where not expected";

/// Checks a whole request document.
pub(super) fn check_document(shape: &Shape, value: &Value) -> Result<(), SerializationFailure> {
    match value {
        Value::Object(_) => check(shape, value, DEPTH_MAX),
        Value::Array(_) => failure(LIST_NOT_EXPECTED),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(SerializationFailure { message: None })
        }
    }
}

fn check(shape: &Shape, value: &Value, depth_left: usize) -> Result<(), SerializationFailure> {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return failure(STRUCTURE_NOT_EXPECTED);
    };
    match (shape, value) {
        // Null is absence everywhere; whether absence is allowed is a constraint.
        (_, Value::Null) => Ok(()),
        (Shape::Structure(members), Value::Object(object)) => {
            for member in *members {
                if let Some(value) = object.get(member.name) {
                    check(member.shape, value, depth_left)?;
                }
            }
            Ok(())
        }
        (Shape::Map { value: shape, .. }, Value::Object(object)) => {
            object.values().try_for_each(|value| check(shape, value, depth_left))
        }
        (Shape::List { member, .. }, Value::Array(elements)) => {
            elements.iter().try_for_each(|element| check(member, element, depth_left))
        }
        (Shape::Structure(_) | Shape::Map { .. }, Value::Array(_)) => failure(LIST_NOT_EXPECTED),
        (Shape::List { .. }, Value::Object(_)) => failure(STRUCTURE_NOT_EXPECTED),
        (Shape::Structure(_), _) => failure("Expected null"),
        (Shape::Map { .. }, _) => failure("Expected map or null"),
        (Shape::List { .. }, _) => failure("Expected list or null"),
        (_, Value::Object(_)) => failure(STRUCTURE_NOT_EXPECTED),
        (_, Value::Array(_)) => failure(LIST_NOT_EXPECTED),
        (Shape::String(_), Value::String(_))
        | (Shape::Boolean, Value::Bool(_))
        | (Shape::Float(_) | Shape::Timestamp, Value::Number(_)) => Ok(()),
        (Shape::Integer(_) | Shape::Long(_), Value::Number(number)) if !number.is_f64() => Ok(()),
        (Shape::Blob(_), Value::String(text)) => {
            if text.len().is_multiple_of(4) {
                Ok(())
            } else {
                failure(&format!(
                    "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                    text.len()
                ))
            }
        }
        (Shape::Blob(_), _) => failure("only base-64-encoded strings are convertible to bytes"),
        (Shape::String(_), _) => conversion(value, "a String"),
        (Shape::Integer(_), _) => conversion(value, "an Integer"),
        (Shape::Long(_), _) => conversion(value, "a Long"),
        (Shape::Float(_), _) => conversion(value, "a Double"),
        (Shape::Boolean, _) => conversion(value, "an Boolean"),
        (Shape::Timestamp, _) => conversion(value, "milliseconds since epoch"),
    }
}

fn conversion(value: &Value, target: &str) -> Result<(), SerializationFailure> {
    let token = match value {
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => "STRING_VALUE",
    };
    failure(&format!("{token} can not be converted to {target}"))
}

fn failure(message: &str) -> Result<(), SerializationFailure> {
    Err(SerializationFailure { message: Some(message.to_owned()) })
}
