//! Which service a request was signed for, read without judging the signature: enough to tell a
//! client of another service that it came to the wrong place.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::request::Parts;

/// Names of services are shorter; what is longer is not repeated.
const SERVICE_CHARS_MAX: usize = 64;

/// The service of the credential scope, in the `Authorization` header or in the query.
pub(super) fn service(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = match header.and_then(|text| text.split_once("Credential=")) {
        Some((_, rest)) => Cow::Borrowed(rest.split([',', ' ']).next().unwrap_or_default()),
        None => form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == "X-Amz-Credential")
            .map(|(_, value)| value)?,
    };
    // From the right: `{key}/{date}/{region}/{service}/aws4_request`.
    let mut fields = credential.rsplit('/');
    match fields.next() {
        Some("aws4_request") => printable(fields.next()?),
        _ => None,
    }
}

/// The text if it can stand in a message: a short name and nothing else.
pub(super) fn printable(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= SERVICE_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_read_from_header_and_query() {
        let check = |authorization: &str, uri: &str, expected: Option<&str>| {
            let mut request = http::Request::builder().uri(uri);
            if !authorization.is_empty() {
                request = request.header(AUTHORIZATION, authorization);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(service(&parts).as_deref(), expected, "{authorization} {uri}");
        };
        check(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=00",
            "/bucket/key",
            Some("s3"),
        );
        check(
            "",
            "/?X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fsts%2Faws4_request",
            Some("sts"),
        );
        check("", "/", None);
        check("Basic QVdTOng=", "/", None);
        check("AWS AKID:signature", "/bucket", None);
        check("AWS4-HMAC-SHA256 Credential=AKID", "/", None);
        check("AWS4-HMAC-SHA256 Credential=a/b/c/<script>/aws4_request", "/", None);
        check("AWS4-HMAC-SHA256 Credential=aws4_request", "/", None);
    }
}
