//! Every refusal with its code and message; the edges of time.

use super::{Sent, SignatureError, at, presigned, signed, signed_as, signed_with};

const INCOMPLETE: &str = "IncompleteSignatureException";
const INVALID: &str = "InvalidSignatureException";

fn check(sent: &Sent, code: &str, message: &str) {
    let error = sent.check().expect_err(message);
    assert_eq!((error.code(), error.to_string().as_str()), (code, message), "{sent:?}");
}

/// A change of a request.
type Change = fn(&mut Sent);

#[test]
fn a_request_without_a_signature() {
    let unsigned = signed().with(|sent| {
        sent.headers.remove("authorization");
    });
    check(&unsigned, "MissingAuthenticationTokenException", "Missing Authentication Token");
    for value in ["Basic QVdTOmE=", "Bearer AWS4-HMAC-SHA256", "AWS4", "AWS4_HMAC", "", "AWS a:b"] {
        let other = unsigned.with(|sent| sent.append("authorization", value));
        assert!(matches!(super::parse(&other.view()), Ok(None)), "{value}");
    }
    for query in ["a=b", "X-Amz-Date=20260101T000000Z", "X-Amz-Expires=1", "AWSAccessKeyId=a"] {
        let other = unsigned.with(|sent| sent.query = query.to_owned());
        assert!(matches!(super::parse(&other.view()), Ok(None)), "{query}");
    }
}

#[test]
fn errors_that_callers_make() {
    for (error, code, message) in [
        (
            SignatureError::UnrecognizedClient,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            SignatureError::wrong_region("eu-west-2", "eu-west-1"),
            INVALID,
            "Credential should be scoped to a valid region, not 'eu-west-2'; this host is in \
             'eu-west-1'.",
        ),
        (
            SignatureError::wrong_service("ecr"),
            INVALID,
            "Credential should be scoped to correct service: 'ecr'.",
        ),
    ] {
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    }
}

#[test]
fn authorization_headers() {
    const PARAMETERS: &str = "Authorization header has only the parameters 'Credential', \
                              'SignedHeaders' and 'Signature'.";
    const FORM: &str = "Authorization header requires parameters of the form key=value.";
    const ALGORITHM: &str = "The signing algorithm must be AWS4-HMAC-SHA256.";
    const NAMES: &str = "SignedHeaders must be lower-case header names, each once, sorted, \
                         separated by semicolons.";
    const SLASHES: &str = "Credential must have exactly 5 slash-delimited elements, e.g. \
                           keyid/date/region/service/aws4_request.";
    const ELEMENTS: &str =
        "Credential must have elements of 1 to 128 letters, digits, '-', '_' and '.'.";
    let rows: [(Change, &str); 26] = [
        (|sent| sent.edit("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), ALGORITHM),
        (|sent| sent.edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), ALGORITHM),
        (|sent| sent.edit("AWS4-HMAC-SHA256", "aws4-hmac-sha256"), ALGORITHM),
        (|sent| sent.edit("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256"), ALGORITHM),
        (|sent| sent.edit("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256\t"), ALGORITHM),
        (|sent| sent.set("authorization", "AWS4-HMAC-SHA256"), FORM),
        (|sent| sent.edit("Credential=", "Credential"), FORM),
        (|sent| sent.edit(", Signature", ",, Signature"), FORM),
        (|sent| sent.edit("Credential=", "credential="), PARAMETERS),
        (|sent| sent.edit(", Signature", ", x=y, Signature"), PARAMETERS),
        (
            |sent| sent.set("authorization", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=a"),
            "Authorization header requires 'Credential' parameter.",
        ),
        (
            |sent| sent.set("authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=a"),
            "Authorization header requires 'SignedHeaders' parameter.",
        ),
        (
            |sent| sent.set("authorization", "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host"),
            "Authorization header requires 'Signature' parameter.",
        ),
        (
            |sent| sent.edit(", Signature", ", Signature=a, Signature"),
            "Authorization header has 'Signature' twice.",
        ),
        (
            |sent| sent.append("authorization", "Basic QVdTOmE="),
            "The request has the header 'authorization' twice.",
        ),
        (
            |sent| sent.set("authorization", b"AWS4-HMAC-SHA256 Credential=\xff"),
            "The header 'authorization' is not plain text.",
        ),
        (|sent| sent.edit("/aws4_request", ""), SLASHES),
        (|sent| sent.edit("/aws4_request", "/aws5_request"), SLASHES),
        (|sent| sent.edit("/aws4_request", "/aws4_request/"), SLASHES),
        (|sent| sent.edit("/eu-west-1/", "//"), ELEMENTS),
        (|sent| sent.edit("AKIAIOSFODNN7EXAMPLE", "AKIA EXAMPLE"), ELEMENTS),
        (|sent| sent.edit("AKIAIOSFODNN7EXAMPLE", &"A".repeat(129)), ELEMENTS),
        (|sent| sent.edit("SignedHeaders=host;", "SignedHeaders=Host;"), NAMES),
        (|sent| sent.edit("SignedHeaders=host;", "SignedHeaders=host;host;"), NAMES),
        (|sent| sent.edit("SignedHeaders=host;", "SignedHeaders=;host;"), NAMES),
        (|sent| sent.edit("host;x-amz-date;", "x-amz-date;host;"), NAMES),
    ];
    for (change, message) in rows {
        check(&signed().with(change), INCOMPLETE, message);
    }
}

#[test]
fn signed_headers() {
    const NAMES: &str = "SignedHeaders must be lower-case header names, each once, sorted, \
                         separated by semicolons.";
    for (names, message) in [
        ("host;x-amz-date", "'x-amz-target' must be a signed header."),
        ("host;x-amz-target", "'x-amz-date' must be a signed header."),
        (
            "absent;host;x-amz-date;x-amz-target",
            "The request has no header 'absent', but it is signed.",
        ),
        ("", NAMES),
        ("a b;host", NAMES),
        ("a:b;host", NAMES),
        ("host; x-amz-date;x-amz-target", NAMES),
        (&format!("{};host", "a".repeat(129)), NAMES),
    ] {
        let other = signed().with(|sent| {
            sent.edit("=host;x-amz-date;x-amz-target,", &format!("={names},"));
        });
        check(&other, INCOMPLETE, message);
    }
    let without_host = signed()
        .with(|sent| sent.edit("=host;x-amz-date;x-amz-target,", "=x-amz-date;x-amz-target,"));
    let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
    check(&without_host, INVALID, message);
    let names: Vec<String> = (0..100).map(|number| format!("a{number:03}")).collect();
    let many = signed().with(|sent| {
        for name in &names {
            sent.append(name, "");
        }
        let names = names.join(";");
        sent.edit("=host;", &format!("={names};host;"));
    });
    check(&many, INCOMPLETE, NAMES);
}

#[test]
fn headers() {
    let rows: [(Change, &str); 8] = [
        (
            |sent| {
                sent.headers.remove("host");
            },
            "The request has no header 'host', but it is signed.",
        ),
        (|sent| sent.append("host", "other"), "The request has the header 'host' twice."),
        (
            |sent| sent.append("x-amz-target", "Other.Target"),
            "The request has the header 'x-amz-target' twice.",
        ),
        (
            |sent| sent.append("x-amz-date", "20260101T120000Z"),
            "The request has the header 'x-amz-date' twice.",
        ),
        (|sent| sent.append("x-amz-acl", ""), "'x-amz-acl' must be a signed header."),
        (|sent| sent.set("x-amz-target", b"\xe9"), "The header 'x-amz-target' is not plain text."),
        (
            |sent| {
                sent.headers.remove("x-amz-date");
            },
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ),
        (
            |sent| sent.query = "a=b\nc".to_owned(),
            "The query must not have spaces, control characters or '#'.",
        ),
    ];
    for (change, message) in rows {
        check(&signed().with(change), INCOMPLETE, message);
    }
    let long = format!("x-amz-{}", "a".repeat(1_000));
    let message = format!("'{}' must be a signed header.", &long[..128]);
    check(&signed().with(|sent| sent.append(&long, "")), INCOMPLETE, &message);
}

#[test]
fn dates() {
    const FORM: &str = "Date must be in ISO-8601 'basic format', for instance 20260101T120000Z.";
    for text in [
        "",
        "20260101",
        "20260101T120000",
        "20260101T120000z",
        "20260101T1200Z",
        "2026-01-01T12:00:00Z",
        "20260101T120000.0Z",
        "20260101T120000Z ",
        "202611T120000Z",
        "20260230T120000Z",
        "20260101T250000Z",
        "20260101T120060Z",
        "20260101T12 000Z",
        "+2026010T120000Z",
        "Thu, 01 Jan 2026 12:00:00 GMT",
        "1767268800",
    ] {
        check(&signed().with(|sent| sent.set("x-amz-date", text)), INCOMPLETE, FORM);
    }
    // Only when there is no X-Amz-Date is Date the time, in either form.
    let dated = |text: &str| {
        signed().with(|sent| {
            sent.headers.remove("x-amz-date");
            sent.set("date", text);
            sent.edit("host;x-amz-date;", "host;");
        })
    };
    for text in ["Thu, 01 Jan 2026 12:00:00 GMT", "20260101T120000Z"] {
        // The signature is that of a request with another header, but the date was read.
        assert_eq!(dated(text).check().map(|_| ()), Err(SignatureError::mismatch()), "{text}");
    }
    for text in ["Friday, 01-Jan-26 12:00:00 GMT", "Thu Jan  1 12:00:00 2026", "now"] {
        check(&dated(text), INCOMPLETE, FORM);
    }
    check(
        &signed().with(|sent| sent.edit("/20260101/", "/20260102/")),
        INVALID,
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '20260102' != '20260101', from '20260101T120000Z'.",
    );
}

#[test]
fn presigned_parameters() {
    let good = presigned();
    good.check().expect("a good request");
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        let other = good.with(|sent| {
            let name = format!("X-Amz-{name}=");
            let pairs = sent.query.split('&').filter(|pair| !pair.starts_with(&name));
            sent.query = pairs.collect::<Vec<_>>().join("&");
        });
        let message = format!(
            "AWS query-string parameters must include 'X-Amz-{name}'. Re-examine the query-string \
             parameters."
        );
        check(&other, INCOMPLETE, &message);
    }
    let rows: [(Change, &str); 6] = [
        (
            |sent| sent.edit_query("=AWS4-HMAC-SHA256", "=AWS4-HMAC-SHA1"),
            "The signing algorithm must be AWS4-HMAC-SHA256.",
        ),
        (|sent| sent.query.push_str("&X-Amz-Date=a"), "The query has X-Amz-Date twice."),
        (
            |sent| sent.edit_query("X-Amz-Date", "x-amz-date"),
            "The query must spell X-Amz-Date like this.",
        ),
        (
            |sent| sent.query.push_str("&%58-amz-signature=a"),
            "The query must spell X-Amz-Signature like this.",
        ),
        (
            |sent| sent.query.push_str("#fragment"),
            "The query must not have spaces, control characters or '#'.",
        ),
        (|sent| sent.append("x-amz-acl", "a"), "'x-amz-acl' must be a signed header."),
    ];
    for (change, message) in rows {
        check(&good.with(change), INCOMPLETE, message);
    }
    check(
        &good.with(|sent| sent.append("authorization", "Basic QVdTOmE=")),
        INVALID,
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    );
    for expires in ["0", "604801", "-1", "", "a", "1.5", "%201", "99999999999999999999"] {
        let other = good.with(|sent| sent.edit_query("=900&", &format!("={expires}&")));
        check(&other, INCOMPLETE, "X-Amz-Expires must be between 1 and 604800 seconds.");
    }
    for expires in ["1", "604800"] {
        let other = good.with(|sent| sent.edit_query("=900&", &format!("={expires}&")));
        assert_eq!(other.check().map(|_| ()), Err(SignatureError::mismatch()), "{expires}");
    }
    let seconds = super::corpus::good()
        .filter_map(|sent| match sent.claim().form {
            super::super::Form::Presigned { expires_seconds } => Some(expires_seconds),
            super::super::Form::Header => None,
        })
        .max();
    assert_eq!(seconds, Some(604_800));
}

#[test]
fn the_body_that_is_declared() {
    const MESSAGE: &str =
        "The provided 'x-amz-content-sha256' header does not match what was computed.";
    let hash = super::payload_hash(b"{}");
    let declaring = |value: &[u8]| {
        signed_with("POST", "/", "", b"{}", None, &[("x-amz-content-sha256", value)])
    };
    declaring(hash.as_bytes()).check().expect("the hash of the body");
    for value in [
        "",
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        &hash.to_uppercase(),
        &super::payload_hash(b""),
    ] {
        check(&declaring(value.as_bytes()), INVALID, MESSAGE);
    }
}

#[test]
fn clock_skew_of_a_signed_header() {
    let good = signed();
    for seconds in [-300, -299, -1, 0, 1, 299, 300] {
        good.with(|sent| sent.later(seconds)).check().expect("within five minutes");
    }
    for (seconds, message) in [
        (
            -301,
            "Signature not yet current: 20260101T120000Z is still later than 20260101T115959Z \
             (20260101T115459Z + 5 min.)",
        ),
        (
            301,
            "Signature expired: 20260101T120000Z is now earlier than 20260101T120001Z \
             (20260101T120501Z - 5 min.)",
        ),
        (
            86_400,
            "Signature expired: 20260101T120000Z is now earlier than 20260102T115500Z \
             (20260102T120000Z - 5 min.)",
        ),
    ] {
        check(&good.with(|sent| sent.later(seconds)), INVALID, message);
    }
    // A fraction of a second does not count.
    good.with(|sent| sent.now = at("2026-01-01T12:05:00.999Z")).check().expect("five minutes");
    // Who cannot sign is not told the time.
    let other = good.with(|sent| {
        sent.later(9_999);
        sent.secret.push('x');
    });
    assert_eq!(other.check().map(|_| ()), Err(SignatureError::mismatch()));
}

#[test]
fn validity_of_a_presigned_request() {
    let good = presigned();
    for seconds in [-300, 0, 899, 900] {
        good.with(|sent| sent.later(seconds)).check().expect("within 900 seconds");
    }
    for seconds in [-301, 901, 86_400] {
        let other = good.with(|sent| sent.later(seconds));
        let time = super::super::time_text(good.now);
        let now = super::super::time_text(other.now);
        let message = if seconds < 0 {
            let mut limit = other.clone();
            limit.later(300);
            let limit = super::super::time_text(limit.now);
            format!(
                "Signature not yet current: {time} is still later than {limit} ({now} + 5 min.)"
            )
        } else {
            format!("Signature expired: {time} was valid for 900 seconds and it is {now} now")
        };
        check(&other, INVALID, &message);
    }
}

#[test]
fn spelling_that_means_the_same() {
    let rows: [Change; 5] = [
        |sent| sent.edit(", SignedHeaders", ",SignedHeaders"),
        |sent| sent.edit("AWS4-HMAC-SHA256 Cred", "AWS4-HMAC-SHA256   Cred"),
        |sent| sent.append("accept", "not signed"),
        |sent| sent.path = "//".to_owned(),
        |sent| sent.path = "/x/..".to_owned(),
    ];
    for change in rows {
        signed().with(change).check().expect("a good request");
    }
    let query = signed_as("GET", "/", "b=2&a=1&a", b"", None);
    for text in ["a=1&a&b=2", "a=&a=1&b=2", "&&a&b=2&a=1&"] {
        query.with(|sent| sent.query = text.to_owned()).check().expect("the same pairs");
    }
    let spaced = signed_with("GET", "/", "", b"", None, &[("x-amz-a", b" a  b\t c ")]);
    spaced.with(|sent| sent.set("x-amz-a", "a b c")).check().expect("the same words");
}

#[test]
fn bytes_of_headers_are_not_made_alike() {
    let good = signed().with(|sent| sent.append("content-type", "a"));
    assert!(good.check().is_ok(), "it is not signed");
    let good = signed_with("POST", "/", "", b"", None, &[("content-type", b"\xfe")]);
    good.check().expect("bytes that are not UTF-8");
    for value in [&b"\xff"[..], b"\xef\xbf\xbd", b"\xfe\xfe", b"\xfe\xa0", b"\xfe\xc2\x85"] {
        let other = good.with(|sent| sent.set("content-type", value));
        assert_eq!(other.check().map(|_| ()), Err(SignatureError::mismatch()), "{value:?}");
    }
}
