//! Whether an output is what the model says: known members only, of the right types. Lengths are
//! not checked, because the model uses one list for requests and for answers.

use serde_json::Value;
use tonnage_api::aws::shapes::{Service, Shape, ecr};

#[track_caller]
pub(super) fn assert_output(operation: &str, output: &Value) {
    assert_output_of(&ecr::SERVICE, operation, output);
}

/// As [`assert_output`], of any service. Some of its operations have no output.
#[track_caller]
pub(super) fn assert_output_of(service: &Service, operation: &str, output: &Value) {
    let nothing = &Shape::Structure(&[]);
    let shape = service.find(operation).unwrap().output.unwrap_or(nothing);
    if let Err(problem) = check(shape, output) {
        panic!("{operation}: {problem} in {output}");
    }
}

fn check(shape: &Shape, value: &Value) -> Result<(), String> {
    match (shape, value) {
        (Shape::Structure(members), Value::Object(object)) => {
            for (name, value) in object {
                let member = members
                    .iter()
                    .find(|member| member.name == name)
                    .ok_or_else(|| format!("member {name} is not of the model"))?;
                check(member.shape, value).map_err(|problem| format!("{name}: {problem}"))?;
            }
            let missing =
                members.iter().find(|member| member.required && !object.contains_key(member.name));
            missing.map_or(Ok(()), |member| Err(format!("member {} is required", member.name)))
        }
        (Shape::List { member, .. }, Value::Array(items)) => {
            items.iter().try_for_each(|item| check(member, item))
        }
        (Shape::Map { value: shape, .. }, Value::Object(object)) => {
            object.values().try_for_each(|value| check(shape, value))
        }
        (Shape::String(text), Value::String(value)) => {
            let known = text.values.is_empty() || text.values.contains(&value.as_str());
            let fits = text.pattern.is_none_or(|pattern| pattern.is_match(value));
            if known && fits { Ok(()) } else { Err(format!("{value} does not fit")) }
        }
        (Shape::Integer(_) | Shape::Long(_), Value::Number(number)) if number.is_i64() => Ok(()),
        (Shape::Float(_) | Shape::Timestamp, Value::Number(_)) => Ok(()),
        (Shape::Boolean, Value::Bool(_)) | (Shape::Blob(_), Value::String(_)) => Ok(()),
        (shape, value) => Err(format!("{value} is not of shape {shape:?}")),
    }
}

#[test]
#[should_panic(expected = "member colour is not of the model")]
fn unknown_members_are_found() {
    assert_output("InitiateLayerUpload", &serde_json::json!({"partSize": 1, "colour": "red"}));
}

#[test]
#[should_panic(expected = "is not of shape")]
fn wrong_types_are_found() {
    assert_output("InitiateLayerUpload", &serde_json::json!({"partSize": "1"}));
}
