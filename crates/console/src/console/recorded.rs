//! What the console's changes asked for, as access records keep it: the parameters of the same
//! action of AWS, whose clients send them themselves.
//!
//! [`Asked::run`](super::asked::Asked::run) takes only what is in this file or below it, so that no
//! page can make a change that leaves none.

mod people;
mod registry;

use std::sync::Arc;

use serde_json::{Map, Value};
use tonnage_domain::audit::parameters::RequestInput;
use tonnage_domain::context::RequestContext;

pub(crate) use self::registry::replication_configuration;

/// An operation that pages run.
pub(crate) trait Recorded {
    /// What it asks for, as CloudTrail spells it; nothing of what only reads. A secret is named and
    /// has no value.
    fn parameters(&self) -> Option<Value> {
        None
    }
}

/// The request that somebody would have sent to the API for the same operation.
pub(crate) fn as_requested<O: Recorded>(context: &RequestContext, operation: &O) -> RequestContext {
    let document = operation.parameters().map(present);
    let input = document.map(|document| Arc::new(RequestInput::document(document)));
    RequestContext { input, ..context.clone() }
}

/// A document without what was not said.
fn present(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let said = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(said.map(|(name, value)| (name, present(value))).collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(present).collect()),
        value => value,
    }
}

/// Operations that leave no record, as they only read.
macro_rules! reads {
    ($($operation:ty,)*) => { $(impl Recorded for $operation {})* };
}

/// Operations that change something, with what is recorded of them.
macro_rules! changes {
    ($($operation:ty: |$it:ident| $document:tt;)*) => { $(
        impl Recorded for $operation {
            fn parameters(&self) -> Option<Value> {
                let $it = self;
                Some(json!($document))
            }
        }
    )* };
}

use {changes, reads};

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_not_said_is_left_out() {
        for (given, expected) in [
            (json!({"a": null, "b": 1}), json!({"b": 1})),
            (json!({"a": {"b": null, "c": [{"d": null}]}}), json!({"a": {"c": [{}]}})),
        ] {
            assert_eq!(present(given), expected);
        }
    }
}
