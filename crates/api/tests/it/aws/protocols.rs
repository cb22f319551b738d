//! What is not an operation of ours: broken requests, and services that are not served.

use bytes::Bytes;
use serde_json::{Value, json};

use super::TARGET_PREFIX;
use crate::registry::{Answer, Plain, REQUEST_ID, Registry};

#[tokio::test]
async fn broken_documents_are_refused() {
    let registry = Registry::open().await;
    let check = async |body: &'static str, message: &str| {
        let plain = Plain::json(&format!("{TARGET_PREFIX}.CreateRepository"), body);
        let found = super::error_of(&registry.send(&plain).await);
        assert_eq!(
            (found.0.as_str(), found.1, found.2.as_str()),
            ("SerializationException", 400, message),
            "{body}"
        );
    };
    check("{", "(none)").await;
    check("{\"repositoryName\":\"a\"} x", "(none)").await;
    check("\u{FEFF}{}", "(none)").await;
    check("null", "(none)").await;
    check("[]", "Start of list found where not expected").await;
    check("{\"repositoryName\":1}", "NUMBER_VALUE can not be converted to a String").await;
    check("{\"tags\":{}}", "Start of structure or map found where not expected.").await;
    let deep = "[".repeat(100_000);
    let plain = Plain::json(&format!("{TARGET_PREFIX}.CreateRepository"), deep);
    assert_eq!(super::error_of(&registry.send(&plain).await).0, "SerializationException");
}

#[tokio::test]
async fn an_empty_body_is_an_empty_document() {
    let registry = Registry::open().await;
    let plain = Plain::json(&format!("{TARGET_PREFIX}.DescribeRepositories"), "");
    let answer = registry.send(&plain).await;
    assert_eq!(super::document(&answer), json!({"repositories": []}));
}

#[tokio::test]
async fn bodies_are_bounded_by_operation() {
    let registry = Registry::open().await;
    const MIB: usize = 1024 * 1024;
    for (name, limit) in
        [("DescribeRepositories", MIB), ("PutImage", 8 * MIB), ("UploadLayerPart", 32 * MIB)]
    {
        let target = format!("{TARGET_PREFIX}.{name}");
        let fitting = Plain::json(&target, Bytes::from(vec![b' '; limit]));
        assert_eq!(super::error_of(&registry.send(&fitting).await).0, "SerializationException");
        let too_large = Plain::json(&target, Bytes::from(vec![b' '; limit + 1]));
        let found = super::error_of(&registry.send(&too_large).await);
        let message = format!("The request body is larger than {limit} bytes.");
        assert_eq!(found, ("RequestEntityTooLargeException".to_owned(), 413, message));
    }
}

#[tokio::test]
async fn operations_that_no_model_has_are_named() {
    let registry = Registry::open().await;
    let check = async |plain: &Plain, code: &str, status: u16, message: &str| {
        let found = super::error_of(&registry.send(plain).await);
        assert_eq!((found.0.as_str(), found.1, found.2.as_str()), (code, status, message));
    };
    check(
        &super::operation("Nonsense", &json!({})),
        "UnknownOperationException",
        404,
        "ecr has no operation `Nonsense` for POST.",
    )
    .await;
    check(
        &Plain { method: "GET", ..super::operation("DescribeRepositories", &json!({})) },
        "UnknownOperationException",
        404,
        "ecr has no operation `DescribeRepositories` for GET.",
    )
    .await;
}

#[track_caller]
fn assert_json(answer: &Answer, content_type: &str, service: &str) {
    assert_eq!(answer.status, 400);
    assert_eq!(answer.headers["content-type"], content_type);
    assert_eq!(answer.headers["x-amzn-errortype"], "UnsupportedOperationException");
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    let message = format!("Tonnage does not serve {service}; AWS_ENDPOINT_URL points here.");
    assert_eq!(document, json!({"__type": "UnsupportedOperationException", "message": message}));
}

#[tokio::test]
async fn services_of_aws_json_are_told_in_aws_json() {
    let registry = Registry::open().await;
    for (target, service, content_type) in [
        ("DynamoDB_20120810.ListTables", "dynamodb", "application/x-amz-json-1.0"),
        ("Logs_20140328.DescribeLogGroups", "logs", "application/x-amz-json-1.1"),
        ("AmazonSQS.ListQueues", "sqs", "application/x-amz-json-1.0"),
        ("AWSSSMService.GetParameter", "ssm", "application/x-amz-json-1.1"),
    ] {
        let plain = Plain {
            headers: vec![
                ("x-amz-target", target.to_owned()),
                ("content-type", content_type.to_owned()),
            ],
            body: "{}".into(),
            service: service.to_owned(),
            ..Plain::default()
        };
        assert_json(&registry.send(&plain).await, content_type, service);
    }
    let unsigned = Plain::json("Logs_20140328.DescribeLogGroups", "{}");
    let answer = registry.send_with(&unsigned, unsigned.header_map()).await;
    assert_json(&answer, "application/x-amz-json-1.1", "Logs_20140328");
}

#[tokio::test]
async fn services_of_rest_json_are_told_in_json() {
    let registry = Registry::open().await;
    let plain = Plain {
        method: "GET",
        target: "/2015-03-31/functions/".to_owned(),
        service: "lambda".to_owned(),
        ..Plain::default()
    };
    assert_json(&registry.send(&plain).await, "application/json", "lambda");
}

#[tokio::test]
async fn services_of_aws_query_are_told_in_xml() {
    let registry = Registry::open().await;
    let topics = Plain::form("sns", "Action=ListTopics&Version=2010-03-31");
    let answer = registry.send(&topics).await;
    let message = "Tonnage does not serve sns; AWS_ENDPOINT_URL points here.";
    let expected = super::sts::error("UnsupportedOperation", message);
    assert_eq!((answer.status.as_u16(), answer.body), (400, expected));

    let instances = Plain::form("ec2", "Action=DescribeInstances&Version=2016-11-15");
    let answer = registry.send(&instances).await;
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
         <Code>UnsupportedOperation</Code>\
         <Message>Tonnage does not serve ec2; AWS_ENDPOINT_URL points here.</Message>\
         </Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
    );
    assert_eq!((answer.status.as_u16(), answer.body), (400, expected));
}

#[tokio::test]
async fn s3_is_told_in_its_own_xml() {
    let registry = Registry::open().await;
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/bucket?list-type=2"),
        ("PUT", "/bucket/key"),
        ("HEAD", "/bucket/key"),
        ("POST", "/bucket/key?uploads"),
    ] {
        let plain = Plain {
            method,
            target: target.to_owned(),
            service: "s3".to_owned(),
            body: if method == "PUT" { "object".into() } else { Bytes::new() },
            ..Plain::default()
        };
        let answer = registry.send(&plain).await;
        assert_s3(&answer, target.split('?').next().unwrap());
    }
    let unsigned = Plain { method: "GET", target: "/bucket/a&b".to_owned(), ..Plain::default() };
    let answer = registry.send_with(&unsigned, unsigned.header_map()).await;
    assert_s3(&answer, "/bucket/a&amp;b");
}

#[track_caller]
fn assert_s3(answer: &Answer, resource: &str) {
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NotImplemented</Code>\
         <Message>Tonnage does not serve s3; AWS_ENDPOINT_URL points here.</Message>\
         <Resource>{resource}</Resource><RequestId>{REQUEST_ID}</RequestId></Error>"
    );
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (501, expected.as_str()));
}

#[tokio::test]
async fn what_nobody_knows_is_told_where_it_is() {
    let registry = Registry::open().await;
    let plain = Plain { target: "/nowhere".to_owned(), ..Plain::default() };
    let answer = registry.send_with(&plain, plain.header_map()).await;
    assert_eq!(answer.status, 404);
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        document,
        json!({
            "__type": "UnknownOperationException",
            "message": "Tonnage serves the registry under /v2/ and AWS APIs at /; there is nothing \
                        at POST /nowhere.",
        })
    );
}
