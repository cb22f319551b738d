//! What we sign we verify, whatever it is; and nothing that is sent makes the reader panic.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{Sent, SignatureError, at, presigned, signed, signed_with};
use crate::sigv4::{RequestView, parse};

/// Reads and verifies; refusals must stay short, whatever they speak of.
fn replay(sent: &Sent) -> bool {
    match sent.check() {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().len() < 400, "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error}");
            false
        }
    }
}

/// A request in the form of HTTP/1.1. Headers that no server would hand over are left out.
fn read(bytes: &[u8]) -> Sent {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 2..]),
        None => (bytes, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (method, target) = first.split_once(' ').unwrap_or(("GET", &first));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    Sent {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.to_vec(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        now: at("2026-01-01T12:00:00Z"),
    }
}

#[test]
fn seeds() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seeds/sigv4");
    let mut replayed = 0;
    for entry in std::fs::read_dir(directory).expect(directory) {
        let path = entry.expect("a directory entry").path();
        let bytes = std::fs::read(&path).expect("a readable seed");
        let accepted = replay(&read(&bytes));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(accepted, name.starts_with("good-"), "{name}");
        replayed += 1;
    }
    assert!(replayed >= 20, "only {replayed} seeds found in {directory}");
}

#[test]
fn long_requests() {
    let long = 60_000;
    // Empty pairs and empty segments mean nothing, so they leave a request what it was.
    for sent in [
        signed().with(|sent| sent.path = "/..".repeat(long / 3)),
        signed().with(|sent| sent.path = "/".repeat(long)),
        signed().with(|sent| sent.query = "&".repeat(long)),
    ] {
        assert!(replay(&sent));
    }
    for sent in [
        signed().with(|sent| sent.path = "/a".repeat(long / 2)),
        signed().with(|sent| sent.query = "%58&".repeat(long / 4)),
        signed().with(|sent| sent.query = "%".repeat(long)),
        signed().with(|sent| sent.edit("Credential=", &format!("Credential={}", "/".repeat(long)))),
        signed().with(|sent| sent.edit("Credential=", &format!("Credential={}", "a".repeat(long)))),
        signed().with(|sent| sent.edit("=host;", &format!("={}", "host;".repeat(long / 5)))),
        signed().with(|sent| sent.edit(", Signature", &",".repeat(long))),
        signed().with(|sent| sent.edit("Signature=", &format!("Signature={}", "0".repeat(long)))),
        signed().with(|sent| sent.set("x-amz-date", "2".repeat(long))),
        signed().with(|sent| sent.set("x-amz-target", " ".repeat(long))),
        signed().with(|sent| sent.set(&format!("x-amz-{}", "a".repeat(long)), "")),
        presigned().with(|sent| sent.edit_query("=900&", &format!("={}&", "9".repeat(long)))),
        presigned().with(|sent| sent.query = sent.query.repeat(100)),
    ] {
        assert!(!replay(&sent), "{:.300}", format!("{sent:?}"));
    }
}

/// Texts of the alphabet that matters here, and sometimes of any other.
fn hostile(max: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[\\PC]{0,4}",
        "[ -~]{0,8}",
        prop::sample::select(vec![
            "AWS4-HMAC-SHA256",
            "AWS4-",
            "Credential=",
            "SignedHeaders=",
            "Signature=",
            "host",
            "X-Amz-Algorithm=",
            "X-Amz-Credential=",
            "X-Amz-Date=",
            "X-Amz-Expires=",
            "X-Amz-SignedHeaders=",
            "X-Amz-Signature=",
            "X-Amz-Security-Token=",
            "x-amz-date",
            "20260101T120000Z",
            "AKIA/20260101/eu-west-1/ecr/aws4_request",
            "/",
            ";",
            ",",
            " ",
            "=",
            "&",
            "%",
            "%2F",
            "%3B",
            "%00",
            "%ff",
            "+",
            "#",
            "?",
            "-0000",
            "9",
            "\u{130}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..max).prop_map(|pieces| pieces.concat())
}

/// A path or query, percent-encoded in every way that clients do it.
fn wire_text(separators: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "%2F",
            "%2f",
            "%25",
            "%00",
            "%FF",
            "%C3%A9",
            "%e2%98%83",
            "+",
            "*",
            "~",
            ".",
            "..",
            "a",
            "B",
            "0",
            "-",
            "_",
            "!",
            "$",
            "'",
            "(",
            ")",
            ":",
            "@",
            "%",
            "%7E",
            "é",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(separators.chars().collect::<Vec<_>>())
            .prop_map(|character| character.to_string()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_we_sign_is_verified(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]),
        path in wire_text("//."),
        query in wire_text("&&=;"),
        body in prop::collection::vec(any::<u8>(), 0..64),
        token in prop::option::of("[!-~]{1,40}"),
        values in prop::collection::vec("[ -~]{0,20}", 0..3),
    ) {
        let path = format!("/{path}");
        let names = ["x-amz-a", "x-amz-b", "x-amz-c"];
        let headers: Vec<(&str, &[u8])> =
            names.into_iter().zip(values.iter().map(String::as_bytes)).collect();
        let sent = signed_with(method, &path, &query, &body, token.as_deref(), &headers);
        let claim = sent.check().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(claim.session_token.is_some(), token.is_some());
        // And only that.
        for other in [
            sent.with(|sent| sent.body.push(0)),
            sent.with(|sent| sent.query.push_str("&z")),
            sent.with(|sent| sent.path.push('z')),
            sent.with(|sent| sent.set("host", "other")),
        ] {
            prop_assert_eq!(other.check().map(|_| ()), Err(SignatureError::mismatch()));
        }
    }

    #[test]
    fn any_authorization(text in hostile(12), date in hostile(2), query in hostile(4)) {
        let mut sent = signed();
        for (name, text) in [("authorization", text), ("x-amz-date", date)] {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                sent.headers.insert(super::header_name(name), value);
            }
        }
        sent.query = query;
        replay(&sent);
    }

    #[test]
    fn any_parameters_of_authorization(
        credential in hostile(4), names in hostile(4), signature in hostile(2),
    ) {
        let text = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        );
        let mut sent = signed();
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
            sent.headers.insert("authorization", value);
            prop_assert!(!replay(&sent));
        }
    }

    #[test]
    fn any_query(query in hostile(16), path in hostile(4)) {
        let headers = HeaderMap::new();
        let view = RequestView { method: "GET", path: &path, query: &query, headers: &headers };
        // Without headers there is no host, so nothing can be signed completely.
        prop_assert!(!matches!(parse(&view), Ok(Some(_))));
        let mut sent = presigned();
        sent.query = query;
        sent.path = path;
        prop_assert!(!replay(&sent));
    }

    #[test]
    fn a_presigned_query_with_any_change(
        cuts in prop::collection::vec((0..400_usize, 0..12_usize, hostile(2)), 1..4),
    ) {
        let good = presigned();
        let mut query = good.query.as_bytes().to_vec();
        for (start, length, insert) in cuts {
            let start = start.min(query.len());
            let end = (start + length).min(query.len());
            query.splice(start..end, insert.into_bytes());
        }
        let query = String::from_utf8_lossy(&query).into_owned();
        let pairs = |text: &str| {
            let mut pairs: Vec<String> = text
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
                .collect();
            pairs.sort();
            pairs
        };
        let same = pairs(&query) == pairs(&good.query);
        prop_assert_eq!(replay(&good.with(|sent| sent.query = query)), same);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!replay(&read(&bytes)));
    }
}
