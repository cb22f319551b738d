//! An event as CloudTrail shows it: what SDKs read, and within it the record as a text of JSON.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tonnage_domain::audit::record::AccessRecord;

/// The version of records whose members these are (CloudTrail user guide, "CloudTrail record
/// contents").
const VERSION: &str = "1.11";

pub(super) fn shown(record: &AccessRecord) -> Value {
    let resources: Vec<Value> = record
        .named_resources()
        .map(|(kind, arn)| json!({ "ResourceType": kind, "ResourceName": arn }))
        .collect();
    let mut event = json!({
        "EventId": record.event_id(),
        "EventName": record.operation,
        "ReadOnly": if record.is_read_only() { "true" } else { "false" },
        "EventTime": record.occurred_at.epoch_seconds(),
        "EventSource": record.source(),
        "Username": record.user_name(),
        "Resources": resources,
        "CloudTrailEvent": document(record).to_string(),
    });
    if let Some(key) = &record.access_key_id {
        event["AccessKeyId"] = key.as_str().into();
    }
    event
}

/// The service whose events are of people in the console.
const SIGN_IN: &str = "signin";

/// The record itself. What was asked and answered is null where it is not kept, as CloudTrail has it
/// of calls without any.
fn document(record: &AccessRecord) -> Value {
    let resources: Vec<Value> = record
        .named_resources()
        .map(|(kind, arn)| json!({ "accountId": record.account, "type": kind, "ARN": arn }))
        .collect();
    let time = Timestamp::from_millisecond(record.occurred_at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut document = json!({
        "eventVersion": VERSION,
        "userIdentity": identity(record),
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventSource": record.source(),
        "eventName": record.operation,
        "awsRegion": record.region,
        "sourceIPAddress": record.source_address,
        "userAgent": record.user_agent,
        "requestParameters": record.details.request_parameters,
        "responseElements": record.details.response_elements,
        "requestID": record.request_id,
        "eventID": record.event_id(),
        "readOnly": record.is_read_only(),
        "resources": resources,
        "eventType": if record.service == SIGN_IN { "AwsConsoleSignIn" } else { "AwsApiCall" },
        "managementEvent": true,
        "recipientAccountId": record.account,
        "eventCategory": "Management",
    });
    if let Some(more) = &record.details.additional_event_data {
        document["additionalEventData"] = more.clone();
    }
    if let Some(denial) = &record.denial {
        // Of a failure to sign in CloudTrail has the message only.
        if record.service != SIGN_IN {
            document["errorCode"] = "AccessDenied".into();
        }
        document["errorMessage"] = denial.as_str().into();
    }
    document
}

fn identity(record: &AccessRecord) -> Value {
    let kind = record.identity_type();
    let mut identity = Map::from_iter([("type".to_owned(), kind.into())]);
    let mut put = |name: &str, value: &str| identity.insert(name.to_owned(), value.into());
    match kind {
        "AWSService" => {
            put("invokedBy", &record.principal_arn);
        }
        "Unknown" => {}
        _ => {
            put("arn", &record.principal_arn);
            if let Some(account) = record.principal_arn.split(':').nth(4) {
                put("accountId", account);
            }
            if let Some(key) = &record.access_key_id {
                put("accessKeyId", key);
            }
            if kind == "IAMUser" {
                put("userName", record.user_name());
            }
        }
    }
    Value::Object(identity)
}
