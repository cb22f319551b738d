//! What is written of the operations of our own: a page for people, and a model for the AWS command
//! line and SDKs that are made from models.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tonnage_api::aws::shapes::tonnage::{ABOUT, MEMBERS, SERVICE};
use tonnage_api::aws::shapes::{Length, Member, Operation, Range, Shape};

/// The reference page.
pub(super) fn page(note: &str) -> String {
    let mut page = format!("# Operations of our own\n\n{note}\n\n");
    let _ = write!(
        page,
        "The [API of Tonnage's own](../api.md): AWS JSON 1.1, `X-Amz-Target: {}.OPERATION`, signed \
         for the service `{}`.\n\
         A member in bold is required; a member of an answer that is not may be absent.\n\
         Times are seconds since 1970.\n",
        SERVICE.target_prefix, SERVICE.signing_name
    );
    for (operation, (name, about, actions)) in SERVICE.operations.iter().zip(ABOUT) {
        let actions: Vec<String> = actions.iter().map(|action| format!("`{action}`")).collect();
        let _ = write!(page, "\n## `{name}`\n\n{about}\n\nActions: {}\n", actions.join(", "));
        for (title, shape) in [("Request", Some(operation.input)), ("Answer", operation.output)] {
            let Some(Shape::Structure(members @ [_, ..])) = shape else {
                let _ = write!(page, "\n{title}: `{{}}`\n");
                continue;
            };
            let _ = write!(page, "\n{title}:\n\n");
            list(members, 0, &mut page);
        }
    }
    page
}

fn list(members: &[Member], depth: usize, page: &mut String) {
    for member in members {
        let mark = if member.required { "**" } else { "" };
        let (form, inner) = form(member.shape);
        let _ = writeln!(
            page,
            "{:indent$}- {mark}`{}`{mark} ({form}): {}",
            "",
            member.name,
            meaning(member.name),
            indent = depth * 2
        );
        list(inner, depth + 1, page);
    }
}

/// What a value looks like, and the members that are in it.
fn form(shape: &'static Shape) -> (String, &'static [Member]) {
    match shape {
        Shape::Structure(members) => ("a structure".to_owned(), members),
        Shape::List { member, length } => {
            let (form, inner) = form(member);
            (format!("a list{} of {form}", bounds(length.min, length.max)), inner)
        }
        Shape::Map { value, .. } => {
            let (form, inner) = form(value);
            (format!("a map to {form}"), inner)
        }
        Shape::String(text) if !text.values.is_empty() => {
            let values: Vec<String> = text.values.iter().map(|it| format!("`{it}`")).collect();
            (values.join(", "), &[])
        }
        Shape::String(text) => (format!("text{}", bounds(text.length.min, text.length.max)), &[]),
        Shape::Integer(range) | Shape::Long(range) => {
            (format!("a number{}", bounds(range.min, range.max)), &[])
        }
        Shape::Float(_) => ("a number".to_owned(), &[]),
        Shape::Boolean => ("`true` or `false`".to_owned(), &[]),
        Shape::Timestamp => ("a time".to_owned(), &[]),
        Shape::Blob(_) => ("Base64".to_owned(), &[]),
    }
}

fn bounds<T: std::fmt::Display>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!(", {min} to {max}"),
        (None, Some(max)) => format!(", at most {max}"),
        _ => String::new(),
    }
}

fn meaning(name: &str) -> &'static str {
    MEMBERS.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

/// The model that botocore reads, `service-2.json`.
pub(super) fn model() -> Value {
    let mut shapes = Map::new();
    let mut operations = Map::new();
    for (operation, (name, about, _)) in SERVICE.operations.iter().zip(ABOUT) {
        let Operation { input, output, .. } = operation;
        let mut described = json!({
            "name": name,
            // What leads to other pages leads nowhere there.
            "documentation": about.split(" See [").next(),
            "http": {"method": "POST", "requestUri": "/"},
            "input": reference(&format!("{name}Request"), input, &mut shapes),
        });
        if let Some(output) = output {
            described["output"] = reference(&format!("{name}Response"), output, &mut shapes);
        }
        operations.insert((*name).to_owned(), described);
    }
    json!({
        "version": "2.0",
        "metadata": {
            "apiVersion": SERVICE.api_version,
            "endpointPrefix": SERVICE.signing_name,
            "jsonVersion": "1.1",
            "protocol": "json",
            "protocols": ["json"],
            "serviceFullName": "Tonnage",
            "serviceId": "Tonnage",
            "signatureVersion": "v4",
            "signingName": SERVICE.signing_name,
            "targetPrefix": SERVICE.target_prefix,
            "uid": format!("{}-{}", SERVICE.signing_name, SERVICE.api_version),
        },
        "documentation": "What Tonnage has beside the operations of Amazon ECR.",
        "operations": operations,
        "shapes": shapes,
    })
}

/// Describes a shape under a name, with what is in it, and refers to it.
fn reference(name: &str, shape: &Shape, shapes: &mut Map<String, Value>) -> Value {
    let range = |range: &Range| json!({"min": range.min, "max": range.max});
    let length = |length: &Length| json!({"min": length.min, "max": length.max});
    let (kind, mut described) = match shape {
        Shape::Structure(members) => {
            let mut described = Map::new();
            for member in *members {
                let inner = format!("{name}{}", capitalised(member.name));
                let mut reference = reference(&inner, member.shape, shapes);
                reference["documentation"] = meaning(member.name).into();
                described.insert(member.name.to_owned(), reference);
            }
            let required = members.iter().filter(|it| it.required).map(|it| it.name);
            let required: Vec<&str> = required.collect();
            let described = match required.is_empty() {
                true => json!({"members": described}),
                false => json!({"members": described, "required": required}),
            };
            ("structure", described)
        }
        Shape::List { member, length: bounds } => {
            let mut described = length(bounds);
            described["member"] = reference(&format!("{name}Member"), member, shapes);
            ("list", described)
        }
        Shape::Map { key, value, length: bounds } => {
            let mut described = length(bounds);
            described["key"] = reference(&format!("{name}Key"), key, shapes);
            described["value"] = reference(&format!("{name}Value"), value, shapes);
            ("map", described)
        }
        Shape::String(text) => {
            let mut described = length(&text.length);
            if !text.values.is_empty() {
                described["enum"] = text.values.into();
            }
            if let Some(pattern) = text.pattern {
                described["pattern"] = pattern.text().into();
            }
            if text.sensitive {
                described["sensitive"] = true.into();
            }
            ("string", described)
        }
        Shape::Integer(bounds) => ("integer", range(bounds)),
        Shape::Long(bounds) => ("long", range(bounds)),
        Shape::Float(_) => ("double", json!({})),
        Shape::Boolean => ("boolean", json!({})),
        Shape::Timestamp => ("timestamp", json!({})),
        Shape::Blob(bounds) => ("blob", length(bounds)),
    };
    if let Value::Object(described) = &mut described {
        described.retain(|_, value| !value.is_null());
    }
    described["type"] = kind.into();
    shapes.insert(name.to_owned(), described);
    json!({"shape": name})
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
