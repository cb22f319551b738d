use tonnage_api::sigv4::Credentials;

use crate::registry::{Plain, REQUEST_ID, Registry, foreign_credentials};

const IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

fn identity(account: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:iam::{account}:root</Arn>\
         <UserId>{account}</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    )
}

pub(super) fn error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    )
}

#[tokio::test]
async fn the_caller_is_told_who_it_is() {
    let registry = Registry::open().await;
    let other = registry.create_account("210987654321").await;
    let get = Plain {
        method: "GET",
        target: format!("/?{IDENTITY}"),
        service: "sts".to_owned(),
        ..Plain::default()
    };
    for plain in [Plain::form("sts", IDENTITY), get] {
        let answer = registry.send(&plain).await;
        assert_eq!((answer.status.as_u16(), answer.body), (200, identity("123456789012")));
        assert_eq!(answer.headers["content-type"], "text/xml");
        assert_eq!(answer.headers["x-amzn-requestid"], REQUEST_ID);
        let answer = registry.send_as(&other, &plain).await;
        assert_eq!((answer.status.as_u16(), answer.body), (200, identity("210987654321")));
    }
}

#[tokio::test]
async fn what_is_refused_is_refused_in_xml() {
    let registry = Registry::open().await;
    let check = async |credentials: &Credentials, body, status, code: &str, message: &str| {
        let answer = registry.send_as(credentials, &Plain::form("sts", body)).await;
        assert_eq!((answer.status.as_u16(), answer.body), (status, error(code, message)), "{body}");
    };
    let known = &registry.credentials;
    check(
        &foreign_credentials(),
        IDENTITY,
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
    .await;
    let wrong = Credentials { secret: foreign_credentials().secret, ..known.clone() };
    check(
        &wrong,
        IDENTITY,
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details.",
    )
    .await;
    check(
        known,
        "Action=AssumeRoleWithSAML&Version=2011-06-15",
        400,
        "UnsupportedOperation",
        "Tonnage does not serve sts:AssumeRoleWithSAML yet; the compatibility page lists what it \
         serves.",
    )
    .await;
    check(
        known,
        "Action=Nonsense&Version=2011-06-15",
        400,
        "InvalidAction",
        "Could not find operation Nonsense for version 2011-06-15",
    )
    .await;
    check(
        known,
        "Action=%3Cscript%3E",
        400,
        "InvalidAction",
        "Could not find operation  for version ",
    )
    .await;

    let unsigned = Plain::form("sts", IDENTITY);
    let answer = registry.send_with(&unsigned, unsigned.header_map()).await;
    let expected = error("MissingAuthenticationToken", "Missing Authentication Token");
    assert_eq!((answer.status.as_u16(), answer.body), (403, expected));
}
