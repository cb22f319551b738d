//! A denial as it is explained to whoever may know.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tonnage_policy::{Context, Decision, Reason};

use crate::context::Principal;
use crate::names::AccountId;

/// Who was denied what, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The account, which is that of the principal and of the resource.
    #[serde(rename = "o")]
    pub(crate) account: String,
    #[serde(rename = "i")]
    principal_id: String,
    #[serde(rename = "p")]
    principal_arn: String,
    #[serde(rename = "a")]
    action: String,
    #[serde(rename = "r")]
    resource: String,
    /// The statement that denied; nothing where no statement allowed.
    #[serde(rename = "s")]
    statement: Option<String>,
    /// What did not allow.
    #[serde(rename = "n")]
    missing: Option<String>,
    /// The condition keys of the request.
    #[serde(rename = "c")]
    conditions: Vec<(String, Vec<String>)>,
}

impl Denied {
    pub(super) fn new(
        account: AccountId,
        principal: &Principal,
        (action, resource): (&str, &str),
        decision: &Decision,
        keys: &Context<'_>,
    ) -> Self {
        let (statement, missing) = match &decision.reason {
            Reason::DeniedBy(statement) => (Some(statement.to_string()), None),
            Reason::NotAllowedBy(source) => (None, Some(format!("no {source} allows it"))),
            Reason::AllowedBy(_) => (None, None),
        };
        Self {
            account: account.to_string(),
            principal_id: principal.unique_id.clone(),
            principal_arn: principal.arn.clone(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            statement,
            missing,
            conditions: keys
                .iter()
                .map(|(key, values)| {
                    (key.to_owned(), values.iter().map(ToString::to_string).collect())
                })
                .collect(),
        }
    }

    /// Leaves out the last condition key; whether there was one.
    pub(crate) fn shorten(&mut self) -> bool {
        self.conditions.pop().is_some()
    }

    /// The document that `DecodeAuthorizationMessage` gives back (AWS STS API reference).
    pub fn document(&self) -> Value {
        let statements: Vec<Value> = self
            .statement
            .iter()
            .map(|statement| json!({ "effect": "DENY", "statement": statement }))
            .collect();
        let conditions: Vec<Value> = self
            .conditions
            .iter()
            .map(|(key, values)| {
                let values: Vec<Value> =
                    values.iter().map(|value| json!({ "value": value })).collect();
                json!({ "key": key, "values": { "items": values } })
            })
            .collect();
        json!({
            "allowed": false,
            "explicitDeny": self.statement.is_some(),
            "matchedStatements": { "items": statements },
            "failures": { "items": self.missing.iter().collect::<Vec<_>>() },
            "context": {
                "principal": { "id": self.principal_id, "arn": self.principal_arn },
                "action": self.action,
                "resource": self.resource,
                "conditions": { "items": conditions },
            },
        })
    }
}
