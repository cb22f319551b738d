//! Forms as documents: `Tags.member.1.Key=env` is `{"Tags": [{"Key": "env"}]}`.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::aws::error::{Refusal, Result};
use crate::aws::shapes::Shape;

/// Deeper names are not looked at; no shape has them.
const DEPTH_MAX: usize = 16;

/// What stands under one name.
#[derive(Default)]
struct Node<'a> {
    text: Option<&'a str>,
    children: BTreeMap<&'a str, Node<'a>>,
}

/// Reads the parameters that a shape knows; others are ignored, as AWS does.
///
/// # Errors
/// [`Refusal::Serialization`] for a number or truth value that is none.
pub(super) fn document(shape: &Shape, parameters: &[(String, String)]) -> Result<Value> {
    let mut root = Node::default();
    for (name, value) in parameters {
        if name.split('.').count() > DEPTH_MAX {
            continue;
        }
        let mut node = &mut root;
        for part in name.split('.') {
            node = node.children.entry(part).or_default();
        }
        // Of two values the first counts, as in `Parameters::get`.
        node.text.get_or_insert(value);
    }
    value(shape, &root, "")
}

fn value(shape: &Shape, node: &Node<'_>, name: &str) -> Result<Value> {
    let text = node.text.unwrap_or_default();
    let malformed =
        || Refusal::Serialization(Some(format!("Value ({text}) for parameter {name} is invalid.")));
    Ok(match shape {
        Shape::Structure(members) => {
            let mut object = Map::new();
            for member in *members {
                if let Some(child) = node.children.get(member.name) {
                    object.insert(member.name.to_owned(), value(member.shape, child, member.name)?);
                }
            }
            Value::Object(object)
        }
        Shape::List { member, .. } => {
            let elements = numbered(node.children.get("member"));
            let elements = elements.into_iter().map(|element| value(member, element, name));
            Value::Array(elements.collect::<Result<_>>()?)
        }
        Shape::Map { value: shape, .. } => {
            let mut object = Map::new();
            for entry in numbered(node.children.get("entry")) {
                let key = entry.children.get("key").and_then(|key| key.text);
                if let (Some(key), Some(child)) = (key, entry.children.get("value")) {
                    object.insert(key.to_owned(), value(shape, child, name)?);
                }
            }
            Value::Object(object)
        }
        Shape::Integer(_) | Shape::Long(_) => {
            Value::Number(text.parse::<i64>().map_err(|_| malformed())?.into())
        }
        Shape::Float(_) => {
            let number = text.parse::<f64>().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(malformed)?)
        }
        Shape::Boolean => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(malformed().into()),
        },
        Shape::String(_) | Shape::Blob(_) | Shape::Timestamp => Value::String(text.to_owned()),
    })
}

/// The children of a list, in the order of their numbers.
fn numbered<'n, 'a>(node: Option<&'n Node<'a>>) -> Vec<&'n Node<'a>> {
    let children = node.into_iter().flat_map(|node| &node.children);
    let mut numbered: Vec<(u32, &Node<'_>)> =
        children.filter_map(|(number, child)| Some((number.parse().ok()?, child))).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, child)| child).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::aws::shapes::iam;

    fn read(operation: &str, form: &str) -> Result<Value> {
        let pairs: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        document(iam::SERVICE.find(operation).unwrap().input, &pairs)
    }

    #[test]
    fn forms_are_documents() {
        let check = |operation: &str, form: &str, expected: Value| {
            assert_eq!(read(operation, form).unwrap(), expected, "{form}");
        };
        check("CreateUser", "", json!({}));
        check("CreateUser", "Action=CreateUser&UserName=a%20b", json!({"UserName": "a b"}));
        check("CreateUser", "UserName=a&UserName=b", json!({"UserName": "a"}));
        check(
            "CreateUser",
            "Tags.member.10.Key=c&Tags.member.2.Key=b&Tags.member.1.Key=a&Tags.member.1.Value=",
            json!({"Tags": [{"Key": "a", "Value": ""}, {"Key": "b"}, {"Key": "c"}]}),
        );
        check("CreateUser", "Tags=", json!({"Tags": []}));
        check("CreateUser", "Tags.member.x.Key=a", json!({"Tags": []}));
        check("ListUsers", "MaxItems=7", json!({"MaxItems": 7}));
        check("CreatePolicyVersion", "SetAsDefault=true", json!({"SetAsDefault": true}));
        check("UntagUser", "TagKeys.member.1=a", json!({"TagKeys": ["a"]}));
        check("ListUsers", &format!("a{}=1", ".b".repeat(1000)), json!({}));
    }

    #[test]
    fn what_is_no_number_and_no_truth_value_is_refused() {
        let check = |operation: &str, form: &str| {
            assert!(read(operation, form).is_err(), "{form}");
        };
        check("ListUsers", "MaxItems=many");
        check("ListUsers", "MaxItems=");
        check("CreatePolicyVersion", "SetAsDefault=yes");
    }

    proptest! {
        #[test]
        fn never_panics(form in "[A-Za-z.0-9=&%]{0,200}") {
            for operation in iam::SERVICE.operations {
                let _ = read(operation.name, &form);
            }
        }

        #[test]
        fn what_was_put_in_comes_out(values in proptest::collection::vec("[ -~]{0,20}", 0..20)) {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (index, value) in values.iter().enumerate() {
                form.append_pair(&format!("TagKeys.member.{}", index + 1), value);
            }
            let read = read("UntagUser", &form.finish()).unwrap();
            let expected = if values.is_empty() { json!({}) } else { json!({"TagKeys": values}) };
            prop_assert_eq!(read, expected);
        }
    }
}
