//! Documents as XML: members are elements, elements of lists are `member`, entries of maps `entry`.

use serde_json::Value;
use tonnage_domain::error::Error;

use super::Xml;
use crate::aws::error::Result;
use crate::aws::shapes::Shape;

/// Writes what stands inside the element of a value.
///
/// # Errors
/// When the value is not of the shape: a defect of the handler.
pub(super) fn write(xml: &mut Xml, shape: &Shape, value: &Value) -> Result<()> {
    match (shape, value) {
        (Shape::Structure(members), Value::Object(object)) => {
            for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
                let member =
                    members.iter().find(|member| member.name == name).ok_or_else(|| {
                        Error::internal(format!(
                            "an answer has {name}, which the model does not know"
                        ))
                    })?;
                element(xml, name, member.shape, value)?;
            }
            Ok(())
        }
        (Shape::List { member, .. }, Value::Array(elements)) => {
            elements.iter().try_for_each(|value| element(xml, "member", member, value))
        }
        (Shape::Map { value: shape, .. }, Value::Object(object)) => {
            for (key, value) in object {
                xml.open("entry");
                xml.text("key", key);
                element(xml, "value", shape, value)?;
                xml.close("entry");
            }
            Ok(())
        }
        (shape, value) => {
            Err(Error::internal(format!("{value} is not of the shape {shape:?}")).into())
        }
    }
}

fn element(xml: &mut Xml, name: &str, shape: &Shape, value: &Value) -> Result<()> {
    match (shape, value) {
        (Shape::Structure(_) | Shape::List { .. } | Shape::Map { .. }, _) => {
            xml.open(name);
            write(xml, shape, value)?;
            xml.close(name);
        }
        (Shape::Integer(_) | Shape::Long(_), Value::Number(number)) => {
            xml.text(name, &number.to_string());
        }
        (Shape::Boolean, Value::Bool(flag)) => xml.text(name, if *flag { "true" } else { "false" }),
        (Shape::String(_) | Shape::Timestamp | Shape::Blob(_), Value::String(text)) => {
            xml.text(name, text);
        }
        (shape, value) => {
            return Err(
                Error::internal(format!("{name} is {value}, not of the shape {shape:?}")).into()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aws::shapes::iam;

    fn written(operation: &str, value: &Value) -> Result<String> {
        let mut xml = Xml(String::new());
        write(&mut xml, iam::SERVICE.find(operation).unwrap().output.unwrap(), value)?;
        Ok(xml.0)
    }

    #[test]
    fn documents_are_xml() {
        let check = |operation: &str, value: Value, expected: &str| {
            assert_eq!(written(operation, &value).unwrap(), expected);
        };
        check("ListUsers", json!({}), "");
        check(
            "ListUserPolicies",
            json!({"PolicyNames": ["a", "b<c"], "IsTruncated": false, "Marker": null}),
            "<PolicyNames><member>a</member><member>b&lt;c</member></PolicyNames>\
             <IsTruncated>false</IsTruncated>",
        );
        check(
            "GetAccountSummary",
            json!({"SummaryMap": {"Users": 3}}),
            "<SummaryMap><entry><key>Users</key><value>3</value></entry></SummaryMap>",
        );
        check(
            "CreateUser",
            json!({"User": {"UserName": "a", "Tags": []}}),
            "<User><UserName>a</UserName><Tags></Tags></User>",
        );
    }

    #[test]
    fn what_the_model_does_not_know_is_a_defect() {
        assert!(written("ListUsers", &json!({"Colour": "red"})).is_err());
        assert!(written("ListUsers", &json!({"IsTruncated": "no"})).is_err());
    }
}
