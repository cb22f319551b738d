//! What is signed is verified; what differs from it by anything is not.

mod corpus;
mod mutations;
mod properties;
mod refusals;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::{
    Claim, Credentials, RequestView, SignatureError, SigningKey, Unsigned, parse, payload_hash,
    sign, verify,
};

const HOST: &str = "api.ecr.eu-west-1.amazonaws.com";

/// A request with all that a verifier is told of it.
#[derive(Clone, Debug)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The secret that the verifier knows.
    secret: String,
    /// The clock of the verifier.
    now: Timestamp,
}

impl Sent {
    fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
        }
    }

    fn claim(&self) -> Claim {
        parse(&self.view()).expect("a claim that can be read").expect("a signed request")
    }

    fn check(&self) -> Result<Claim, SignatureError> {
        let claim = parse(&self.view())?.ok_or(SignatureError::Missing)?;
        let secret = SecretString::from(self.secret.clone());
        let key = SigningKey::derive(&secret, &claim.date, &claim.region, &claim.service);
        verify(&claim, &self.view(), &payload_hash(&self.body), &key, self.now)?;
        Ok(claim)
    }

    /// The same request, changed.
    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }

    fn append(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers.append(header_name(name), header_value(value.as_ref()));
    }

    fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers.insert(header_name(name), header_value(value.as_ref()));
    }

    fn get(&self, name: &str) -> String {
        String::from_utf8_lossy(self.headers[name].as_bytes()).into_owned()
    }

    /// Replaces text in the `Authorization` header, which must have it.
    fn edit(&mut self, from: &str, to: &str) {
        let text = self.get(AUTHORIZATION.as_str());
        assert!(text.contains(from), "{text:?} has no {from:?}");
        self.set(AUTHORIZATION.as_str(), text.replacen(from, to, 1));
    }

    /// Replaces text in the query, which must have it.
    fn edit_query(&mut self, from: &str, to: &str) {
        assert!(self.query.contains(from), "{:?} has no {from:?}", self.query);
        self.query = self.query.replacen(from, to, 1);
    }

    fn later(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).expect("a time");
    }
}

fn header_name(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).expect(name)
}

fn header_value(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value).expect("a value of a header")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// A request of `ecr` that we signed.
fn signed() -> Sent {
    signed_as("POST", "/", "", b"{}", None)
}

fn signed_as(method: &str, path: &str, query: &str, body: &[u8], token: Option<&str>) -> Sent {
    signed_with(method, path, query, body, token, &[])
}

fn signed_with(
    method: &str,
    path: &str,
    query: &str,
    body: &[u8],
    token: Option<&str>,
    headers: &[(&str, &[u8])],
) -> Sent {
    let mut sent = Sent {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: HeaderMap::new(),
        body: body.to_vec(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        now: at("2026-01-01T12:00:00Z"),
    };
    sent.set("host", HOST);
    sent.set("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry");
    for (name, value) in headers {
        sent.append(name, value);
    }
    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: SecretString::from(sent.secret.clone()),
        session_token: token.map(SecretString::from),
    };
    let unsigned = Unsigned { method, path, query, body, region: "eu-west-1", service: "ecr" };
    sign(&unsigned, &mut sent.headers, &credentials, sent.now).expect("can be signed");
    sent
}

/// A presigned request of botocore, valid for 900 seconds.
fn presigned() -> Sent {
    corpus::good()
        .find(|sent| sent.query.starts_with("X-Amz-") && sent.query.contains("=900&"))
        .expect("a presigned request without other parameters")
        .clone()
}

#[test]
fn a_claim_prints_without_what_would_let_one_send_it_again() {
    let printed = format!("{:?}", signed_as("POST", "/", "", b"", Some("the-token")).claim());
    let claim = signed_as("POST", "/", "", b"", Some("the-token")).claim();
    assert!(printed.contains("AKIAIOSFODNN7EXAMPLE"), "{printed}");
    assert!(!printed.contains(&claim.signature), "{printed}");
    assert!(!printed.contains("the-token"), "{printed}");
}
