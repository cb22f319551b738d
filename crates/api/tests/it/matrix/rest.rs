//! The rows of services whose operations are paths: AWS Signer and Amazon Inspector.

use serde_json::json;

use super::{ACCOUNT, Ask, Asking, Told, outcome};
use crate::registry::{Plain, REGION};

/// An operation of AWS Signer.
pub(super) struct Signer(pub(super) &'static str);

impl Ask for Signer {
    fn ask<'a>(&'a self, asking: &'a Asking, _row: &'a str) -> Told<'a> {
        let (method, target, body) = match self.0 {
            "GetSigningProfile" => ("GET", "/signing-profiles/release", String::new()),
            "ListSigningProfiles" => ("GET", "/signing-profiles", String::new()),
            "PutSigningProfile" => {
                let input = json!({ "platformId": "Notation-OCI-SHA384-ECDSA" });
                ("PUT", "/signing-profiles/release", input.to_string())
            }
            other => panic!("signer:{other} has no row in the matrix: say here how it is asked"),
        };
        let plain = Plain {
            method,
            target: target.to_owned(),
            body: body.into(),
            service: "signer".to_owned(),
            ..Plain::default()
        };
        Box::pin(async move { outcome(&asking.signed(&plain).await) })
    }
}

/// An operation of Amazon Inspector.
pub(super) struct Inspector(pub(super) &'static str);

impl Ask for Inspector {
    fn ask<'a>(&'a self, asking: &'a Asking, _row: &'a str) -> Told<'a> {
        let arn = format!(
            "arn:aws:inspector2:{REGION}:{ACCOUNT}:owner/{ACCOUNT}/filter/0123456789abcdef"
        );
        let escaped = arn.replace(':', "%3A").replace('/', "%2F");
        let severity = json!({ "severity": [{ "comparison": "EQUALS", "value": "LOW" }] });
        let (method, target, input) = match self.0 {
            "BatchGetAccountStatus" => ("POST", "/status/batch/get".to_owned(), json!({})),
            "BatchGetFindingDetails" => {
                ("POST", "/findings/details/batch/get".to_owned(), json!({ "findingArns": ["x"] }))
            }
            "CreateFilter" => (
                "POST",
                "/filters/create".to_owned(),
                json!({ "name": "noise", "action": "SUPPRESS", "filterCriteria": severity }),
            ),
            "DeleteFilter" => ("POST", "/filters/delete".to_owned(), json!({ "arn": arn })),
            "ListCoverage" => ("POST", "/coverage/list".to_owned(), json!({})),
            "ListCoverageStatistics" => ("POST", "/coverage/statistics/list".to_owned(), json!({})),
            "ListFilters" => ("POST", "/filters/list".to_owned(), json!({})),
            "ListFindingAggregations" => (
                "POST",
                "/findings/aggregation/list".to_owned(),
                json!({ "aggregationType": "TITLE" }),
            ),
            "ListFindings" => ("POST", "/findings/list".to_owned(), json!({})),
            "ListTagsForResource" => ("GET", format!("/tags/{escaped}"), json!(null)),
            "TagResource" => {
                ("POST", format!("/tags/{escaped}"), json!({ "tags": { "key": "value" } }))
            }
            "UntagResource" => ("DELETE", format!("/tags/{escaped}?tagKeys=key"), json!(null)),
            "UpdateFilter" => ("POST", "/filters/update".to_owned(), json!({ "filterArn": arn })),
            other => panic!("inspector2:{other} has no row in the matrix: say how it is asked"),
        };
        let body = if input.is_null() { String::new() } else { input.to_string() };
        let plain = Plain {
            method,
            target,
            body: body.into(),
            service: "inspector2".to_owned(),
            ..Plain::default()
        };
        Box::pin(async move { outcome(&asking.signed(&plain).await) })
    }
}
