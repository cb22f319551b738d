//! What a request asked for, as access records keep it: without secrets, and not much of it.
//!
//! It is carried as it came and looked at only where a record is written, so that requests that
//! leave none, as those that read, do not pay for it.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::record::HIDDEN;

/// The most that is kept of a request, in bytes of JSON.
const KEPT_MAX: usize = 4096;
/// A longer request is not looked at: one with a layer has tens of megabytes.
const READ_MAX: usize = 64 * 1024;
/// What the name of a member says that nobody but its sender may see, in lower case, or that is
/// sealed wherever it is kept, as manifests are.
const SECRET: [&str; 10] = [
    "accesskeysecret",
    "assertion",
    "blob",
    "externalsecretrotationmetadata",
    "imagemanifest",
    "password",
    "privatekey",
    "secretaccesskey",
    "secretbinary",
    "secretstring",
];
/// Tokens are secrets, but for those of pages and of retries, which give nothing away.
const TOKEN: &str = "token";
const NO_SECRETS: [&str; 4] =
    ["nexttoken", "clientrequesttoken", "marker", "imagemanifestmediatype"];

/// What a request asked for, as it came.
#[derive(Clone, Debug)]
pub struct RequestInput(Form);

#[derive(Clone, Debug)]
enum Form {
    Json(Bytes),
    Document(Value),
    TooLong(usize),
}

impl RequestInput {
    /// The body of a request in JSON.
    pub fn json(body: &Bytes) -> Self {
        Self(match body.len() > READ_MAX {
            true => Form::TooLong(body.len()),
            false => Form::Json(body.clone()),
        })
    }

    /// A document that was made of a request.
    pub fn document(document: Value) -> Self {
        Self(Form::Document(document))
    }

    /// What of it is kept, with names as CloudTrail spells them; nothing of a request that says
    /// nothing.
    pub(super) fn kept(&self) -> Option<Value> {
        let document = match &self.0 {
            Form::TooLong(length) => return Some(omitted(*length)),
            Form::Json(bytes) => serde_json::from_slice(bytes).ok()?,
            Form::Document(document) => document.clone(),
        };
        let Value::Object(members) = document else { return None };
        (!members.is_empty()).then(|| bounded(shown(members)))
    }
}

fn omitted(length: usize) -> Value {
    json!({ "omitted": true, "originalSize": length, "reason": "too large to be kept" })
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let says = SECRET.iter().any(|word| name.contains(word)) || name.contains(TOKEN);
    says && !NO_SECRETS.contains(&name.as_str())
}

/// Names begin with a small letter, and secrets are hidden.
fn shown(members: Map<String, Value>) -> Map<String, Value> {
    let one = |(name, value): (String, Value)| {
        let value = match value {
            value @ (Value::Null | Value::Bool(_) | Value::Number(_)) => value,
            _ if is_secret(&name) => HIDDEN.into(),
            value => shown_value(value),
        };
        let mut letters = name.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        (first.into_iter().chain(letters).collect(), value)
    };
    members.into_iter().map(one).collect()
}

fn shown_value(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(shown(members)),
        Value::Array(values) => values.into_iter().map(shown_value).collect(),
        value => value,
    }
}

/// As many members as there is room for, the small ones first.
fn bounded(members: Map<String, Value>) -> Value {
    let size = |value: &Value| value.to_string().len();
    let whole: usize = members.iter().map(|(name, value)| name.len() + size(value) + 4).sum();
    if whole <= KEPT_MAX {
        return Value::Object(members);
    }
    let mut by_size: Vec<(usize, String, Value)> = members
        .into_iter()
        .map(|(name, value)| (name.len() + size(&value) + 4, name, value))
        .collect();
    by_size.sort_by_key(|(size, ..)| *size);
    let (mut kept, mut room) = (Map::new(), KEPT_MAX);
    for (size, name, value) in by_size {
        let value = if size <= room { value } else { omitted(size) };
        // A marker has a size, too.
        let size = name.len() + value.to_string().len() + 4;
        if size > room {
            return omitted(whole);
        }
        room -= size;
        kept.insert(name, value);
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_request() {
        let long = "x".repeat(5000);
        for (document, expected) in [
            (json!({}), None),
            (json!([1]), None),
            (
                json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]}),
                Some(json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]})),
            ),
            (
                json!({"UserName": "ada", "Password": "x", "PasswordResetRequired": true, "Tags": [{"Key": "a", "Value": "b"}]}),
                Some(
                    json!({"userName": "ada", "password": HIDDEN, "passwordResetRequired": true, "tags": [{"key": "a", "value": "b"}]}),
                ),
            ),
            (
                json!({"SecretId": "s", "SecretString": "x", "ClientRequestToken": "t"}),
                Some(json!({"secretId": "s", "secretString": HIDDEN, "clientRequestToken": "t"})),
            ),
            (
                json!({"WebIdentityToken": "x", "a": {"NewPassword": ["x"]}, "b": null}),
                Some(json!({"webIdentityToken": HIDDEN, "a": {"newPassword": HIDDEN}, "b": null})),
            ),
            (
                json!({"repositoryName": "app", "policyText": long}),
                Some(json!({"repositoryName": "app", "policyText": omitted(5016)})),
            ),
            (
                json!({"imageManifest": "{}", "imageManifestMediaType": "text/plain"}),
                Some(json!({"imageManifest": HIDDEN, "imageManifestMediaType": "text/plain"})),
            ),
        ] {
            let found = RequestInput::document(document.clone()).kept();
            assert_eq!(found, expected, "{document}");
            let body = Bytes::from(document.to_string());
            assert_eq!(RequestInput::json(&body).kept(), expected, "{document}");
        }
        let many: Map<String, Value> =
            (0..1000).map(|number| (format!("name-{number}"), "value".into())).collect();
        let found = RequestInput::document(Value::Object(many)).kept().unwrap();
        assert_eq!(found["omitted"], json!(true));
        let body = Bytes::from(vec![b' '; READ_MAX + 1]);
        assert_eq!(RequestInput::json(&body).kept(), Some(omitted(READ_MAX + 1)));
        assert_eq!(RequestInput::json(&Bytes::from_static(b"{")).kept(), None);
    }
}
