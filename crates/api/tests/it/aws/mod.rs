//! The AWS services on the wire.

mod authentication;
mod errors;
mod extensions;
mod iam;
mod images;
mod layers;
mod lifecycle;
mod model;
mod pages;
mod protocols;
mod pull_through;
mod registry_settings;
mod repositories;
mod secrets;
mod sts;
mod tags;
mod templates;
mod tokens;

use serde_json::Value;
use tonnage_api::sigv4::Credentials;

use crate::registry::{Answer, Plain, REQUEST_ID, Registry};

const TARGET_PREFIX: &str = "AmazonEC2ContainerRegistry_V20150921";

/// A request for an operation of ECR.
fn operation(name: &str, input: &Value) -> Plain {
    Plain::json(&format!("{TARGET_PREFIX}.{name}"), input.to_string())
}

/// The body of an answer of AWS JSON, having checked what every one of them has.
#[track_caller]
fn document(answer: &Answer) -> Value {
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(answer.headers["x-amzn-requestid"], REQUEST_ID);
    serde_json::from_str(&answer.body).unwrap()
}

/// Code, status and message of an error of AWS JSON.
#[track_caller]
fn error_of(answer: &Answer) -> (String, u16, String) {
    let document = document(answer);
    let code = document["__type"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["x-amzn-errortype"], code.as_str());
    let message = document["message"].as_str().unwrap_or("(none)").to_owned();
    (code, answer.status.as_u16(), message)
}

impl Registry {
    /// Calls an operation that succeeds; its output fits the model.
    async fn call(&self, name: &str, input: &Value) -> Value {
        let answer = self.send(&operation(name, input)).await;
        assert_eq!(answer.status, 200, "{name} {input}: {}", answer.body);
        let output = document(&answer);
        model::assert_output(name, &output);
        output
    }

    /// Calls an operation that gives exactly this output; `"*"` stands for any text.
    async fn check(&self, name: &str, input: Value, expected: Value) {
        let output = self.call(name, &input).await;
        assert!(
            matches(&expected, &output),
            "{name} {input}\n expected {expected}\n found {output}"
        );
    }

    /// Calls an operation that fails with this code and message.
    async fn check_error(&self, name: &str, input: Value, code: &str, message: &str) {
        self.check_error_as(&self.credentials, name, input, code, message).await;
    }

    async fn check_error_as(
        &self,
        credentials: &Credentials,
        name: &str,
        input: Value,
        code: &str,
        message: &str,
    ) {
        let answer = self.send_as(credentials, &operation(name, &input)).await;
        assert_ne!(answer.status, 200, "{name} {input}: {}", answer.body);
        let (found_code, _, found_message) = error_of(&answer);
        assert_eq!(
            (found_code.as_str(), found_message.as_str()),
            (code, message),
            "{name} {input}"
        );
    }
}

fn matches(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), Value::String(_)) if any == "*" => true,
        (Value::Object(expected), Value::Object(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .all(|(key, value)| found.get(key).is_some_and(|found| matches(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| matches(expected, found))
        }
        _ => expected == found,
    }
}
