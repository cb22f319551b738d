//! What the generator takes from `service-2.json`, and the refusal of everything it does not know.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};

#[derive(Debug)]
pub(super) struct Model {
    pub(super) signing_name: String,
    pub(super) target_prefix: String,
    pub(super) api_version: String,
    pub(super) operations: Vec<Operation>,
    pub(super) shapes: BTreeMap<String, Shape>,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) input: Option<String>,
    pub(super) output: Option<String>,
    pub(super) errors: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// The HTTP status, for errors.
    pub(super) error_status: Option<u64>,
    /// The value of `__type`, where it is not the shape's name.
    pub(super) error_code: Option<String>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Structure(Vec<Member>),
    List { member: String, length: Length },
    Map { key: String, value: String, length: Length },
    String { length: Length, pattern: Option<String>, values: Vec<String>, sensitive: bool },
    Integer { min: Option<i64>, max: Option<i64> },
    Long { min: Option<i64>, max: Option<i64> },
    Float { min: Option<f64>, max: Option<f64> },
    Boolean,
    Timestamp,
    Blob(Length),
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) wire_name: String,
    pub(super) shape: String,
    pub(super) required: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

/// Traits without effect on what a request may hold.
const SHAPE_TRAITS_IGNORED: [&str; 10] = [
    "type",
    "documentation",
    "exception",
    "fault",
    "error",
    "box",
    "retryable",
    "deprecated",
    "deprecatedMessage",
    "deprecatedSince",
];

const MEMBER_TRAITS_KNOWN: [&str; 8] = [
    "shape",
    "documentation",
    "locationName",
    "box",
    "idempotencyToken",
    "deprecated",
    "deprecatedMessage",
    "deprecatedSince",
];

impl Model {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text).context("parse JSON")?;
        let metadata = object(&document, "metadata")?;
        let protocol = string(metadata, "protocol")?;
        ensure!(
            matches!(protocol.as_str(), "json" | "query"),
            "protocol `{protocol}` has other wire shapes than `json` and `query`"
        );
        let signing_name =
            string(metadata, "signingName").or_else(|_| string(metadata, "endpointPrefix"))?;
        let mut operations = Vec::new();
        for (name, operation) in object(&document, "operations")? {
            let shape = |key: &str| -> Result<Option<String>> {
                operation.get(key).map(shape_of).transpose()
            };
            // Of AWS Query services only requests are checked; their errors are the domain's.
            let errors =
                operation.get("errors").and_then(Value::as_array).filter(|_| protocol == "json");
            operations.push(Operation {
                name: name.clone(),
                input: shape("input")?,
                output: shape("output")?,
                errors: errors.into_iter().flatten().map(shape_of).collect::<Result<_>>()?,
            });
        }
        operations.sort_by(|a, b| a.name.cmp(&b.name));
        let mut shapes = BTreeMap::new();
        for (name, shape) in object(&document, "shapes")? {
            let parsed = Shape::parse(shape).with_context(|| format!("shape {name}"))?;
            shapes.insert(name.clone(), parsed);
        }
        Ok(Self {
            signing_name,
            // AWS Query names an operation by its parameter `Action` alone.
            target_prefix: match protocol.as_str() {
                "query" => String::new(),
                _ => string(metadata, "targetPrefix")?,
            },
            api_version: string(metadata, "apiVersion")?,
            operations,
            shapes,
        })
    }

    pub(super) fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).with_context(|| format!("the model has no shape {name}"))
    }
}

impl Shape {
    fn parse(value: &Value) -> Result<Self> {
        let shape = value.as_object().context("not an object")?;
        let length = Length { min: bound(shape, "min")?, max: bound(shape, "max")? };
        let kind_name = string(shape, "type")?;
        let (kind, traits): (Kind, &[&str]) = match kind_name.as_str() {
            "structure" => (Kind::Structure(members(shape)?), &["members", "required"]),
            "list" => {
                let member = reference(shape, "member")?;
                (Kind::List { member, length }, &["member", "min", "max"])
            }
            "map" => {
                let (key, value) = (reference(shape, "key")?, reference(shape, "value")?);
                (Kind::Map { key, value, length }, &["key", "value", "min", "max"])
            }
            "string" => {
                let values = shape.get("enum").and_then(Value::as_array);
                let values = values
                    .into_iter()
                    .flatten()
                    .map(|value| value.as_str().map(str::to_owned).context("enum of non-strings"))
                    .collect::<Result<_>>()?;
                let pattern = shape.get("pattern").and_then(Value::as_str).map(str::to_owned);
                let sensitive = shape.get("sensitive").and_then(Value::as_bool).unwrap_or(false);
                (
                    Kind::String { length, pattern, values, sensitive },
                    &["min", "max", "pattern", "enum", "sensitive"],
                )
            }
            "integer" => {
                let (min, max) = (whole(shape, "min")?, whole(shape, "max")?);
                (Kind::Integer { min, max }, &["min", "max"])
            }
            "long" => {
                let (min, max) = (whole(shape, "min")?, whole(shape, "max")?);
                (Kind::Long { min, max }, &["min", "max"])
            }
            "float" | "double" => {
                let bound = |key| shape.get(key).and_then(Value::as_f64);
                (Kind::Float { min: bound("min"), max: bound("max") }, &["min", "max"])
            }
            "boolean" => (Kind::Boolean, &[]),
            "timestamp" => (Kind::Timestamp, &[]),
            // A blob's value is never repeated in messages, so that `sensitive` changes nothing.
            "blob" => (Kind::Blob(length), &["min", "max", "sensitive"]),
            other => bail!("unknown type `{other}`"),
        };
        for name in shape.keys().map(String::as_str) {
            let known = SHAPE_TRAITS_IGNORED.contains(&name) || traits.contains(&name);
            ensure!(known, "unknown trait `{name}` of a {kind_name}");
        }
        let error = shape.get("error");
        let is_error = shape.get("exception").is_some() || error.is_some();
        let modelled = error.and_then(|error| error.get("httpStatusCode")).and_then(Value::as_u64);
        let is_fault = shape.get("fault").and_then(Value::as_bool).unwrap_or(false);
        let code = error.and_then(|error| error.get("code")).and_then(Value::as_str);
        Ok(Self {
            kind,
            error_status: is_error.then(|| modelled.unwrap_or(if is_fault { 500 } else { 400 })),
            error_code: code.map(str::to_owned),
        })
    }
}

fn members(shape: &Map<String, Value>) -> Result<Vec<Member>> {
    let required: Vec<&str> = match shape.get("required") {
        Some(names) => {
            let names = names.as_array().context("`required` is not a list")?;
            names.iter().filter_map(Value::as_str).collect()
        }
        None => Vec::new(),
    };
    let declared = shape.get("members").and_then(Value::as_object).context("no members")?;
    for name in &required {
        ensure!(declared.contains_key(*name), "required member {name} is not declared");
    }
    let mut members = Vec::new();
    for (name, member) in declared {
        let traits = member.as_object().with_context(|| format!("member {name}"))?;
        for key in traits.keys() {
            let known = MEMBER_TRAITS_KNOWN.contains(&key.as_str());
            ensure!(known, "unknown trait `{key}` of member {name}");
        }
        let wire_name = traits.get("locationName").and_then(Value::as_str).unwrap_or(name);
        members.push(Member {
            wire_name: wire_name.to_owned(),
            shape: shape_of(member)?,
            required: required.contains(&name.as_str()),
        });
    }
    Ok(members)
}

fn object<'v>(value: &'v Value, key: &str) -> Result<&'v Map<String, Value>> {
    value.get(key).and_then(Value::as_object).with_context(|| format!("no object `{key}`"))
}

fn string(value: &Map<String, Value>, key: &str) -> Result<String> {
    let text = value.get(key).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("no string `{key}`"))
}

fn reference(value: &Map<String, Value>, key: &str) -> Result<String> {
    shape_of(value.get(key).with_context(|| format!("no `{key}`"))?)
}

fn shape_of(reference: &Value) -> Result<String> {
    let name = reference.get("shape").and_then(Value::as_str);
    name.map(str::to_owned).context("a reference without `shape`")
}

fn whole(shape: &Map<String, Value>, key: &str) -> Result<Option<i64>> {
    shape
        .get(key)
        .map(|value| value.as_i64().with_context(|| format!("`{key}` is not a whole number")))
        .transpose()
}

/// A bound of a length; numbers and other shapes use [`whole`], and their negative or fractional
/// bounds are no lengths.
fn bound(shape: &Map<String, Value>, key: &str) -> Result<Option<u64>> {
    let is_length = matches!(
        shape.get("type").and_then(Value::as_str),
        Some("string" | "list" | "map" | "blob")
    );
    match shape.get(key).filter(|_| is_length) {
        Some(value) => {
            Ok(Some(value.as_u64().with_context(|| format!("`{key}` is not a length"))?))
        }
        None => Ok(None),
    }
}
