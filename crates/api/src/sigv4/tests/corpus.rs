//! Requests signed by botocore. `corpus.txt` says how it is written.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;

use super::{Sent, SignatureError, header_name, header_value};

const CORPUS: &str = include_str!("../corpus.txt");

/// A request of the corpus.
struct Entry {
    outcome: String,
    sent: Sent,
    key_id: String,
    token: String,
    region: String,
    service: String,
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(entries);

/// The requests that verify.
pub(super) fn good() -> impl Iterator<Item = &'static Sent> {
    ENTRIES.iter().filter(|entry| entry.outcome == "ok").map(|entry| &entry.sent)
}

fn entries() -> Vec<Entry> {
    let (head, requests) = CORPUS.split_once("\n\n").expect("a head");
    let mut credentials = Vec::new();
    let mut words = HashMap::new();
    for line in head.lines().filter(|line| !line.starts_with('#')) {
        if let Some(word) = line.strip_prefix('w') {
            words.insert(word.chars().next().expect(line), word[1..].to_owned());
        } else {
            credentials.push(line.split('\t').skip(1).collect::<Vec<_>>());
        }
    }
    requests.trim_end().split("\n\n").map(|text| entry(text, &credentials, &words)).collect()
}

fn entry(text: &str, credentials: &[Vec<&str>], words: &HashMap<char, String>) -> Entry {
    let mut lines = text.lines();
    let fields: Vec<&str> = lines.next().expect(text).split(' ').collect();
    let [outcome, index, region, service, seconds, method] = fields.as_slice() else {
        panic!("{text}");
    };
    let [key_id, secret, token] = credentials[index.parse::<usize>().expect(text)].as_slice()
    else {
        panic!("{text}");
    };
    let now = jiff::Timestamp::from_second(seconds.parse().expect(text)).expect(text);
    let time = super::super::time_text(now);
    let mut words = words.clone();
    for (name, value) in [
        ('K', (*key_id).to_owned()),
        ('D', time[..8].to_owned()),
        ('T', time.clone()),
        ('R', (*region).to_owned()),
        ('S', (*service).to_owned()),
        ('U', percent_encode(token)),
        ('V', (*token).to_owned()),
    ] {
        assert_eq!(words.insert(name, value), None, "{name} is a word and a name");
    }
    let decode = |line: &str| unescape(&expand(line, &words));
    let target = String::from_utf8(decode(lines.next().expect(text))).expect(text);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = HeaderMap::new();
    let mut body = Vec::new();
    for line in lines {
        if let Some(text) = line.strip_prefix('>') {
            body = unescape(text);
            continue;
        }
        let line = decode(line);
        let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
        let name = header_name(std::str::from_utf8(&line[..colon]).expect(text));
        // What a server does with the white space around a value.
        headers.append(name, header_value(line[colon + 1..].trim_ascii()));
    }
    Entry {
        outcome: (*outcome).to_owned(),
        key_id: (*key_id).to_owned(),
        token: (*token).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        sent: Sent {
            method: (*method).to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
            secret: (*secret).to_owned(),
            now,
        },
    }
}

fn percent_encode(text: &str) -> String {
    const SET: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, SET).to_string()
}

fn expand(line: &str, words: &HashMap<char, String>) -> String {
    let mut expanded = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '`' {
            let name = characters.next().expect(line);
            expanded.push_str(&expand(&words[&name], words));
        } else {
            expanded.push(character);
        }
    }
    expanded
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut parts = text.split("\\x");
    bytes.extend_from_slice(parts.next().expect("a first part").as_bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect(text));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

#[test]
fn what_botocore_signs_is_verified() {
    let mut counts = HashMap::new();
    for entry in ENTRIES.iter() {
        let sent = &entry.sent;
        let claim = sent.claim();
        let told = (
            claim.access_key_id.as_str(),
            claim.region.as_str(),
            claim.service.as_str(),
            claim.session_token.as_ref().map_or("", |token| token.expose_secret()),
            claim.time,
        );
        let expected = (
            entry.key_id.as_str(),
            entry.region.as_str(),
            entry.service.as_str(),
            entry.token.as_str(),
            sent.now,
        );
        assert_eq!(told, expected, "{sent:?}");
        let expected = match entry.outcome.as_str() {
            "ok" => Ok(()),
            "body" => Err(SignatureError::BodyMismatch),
            "signature" => Err(SignatureError::mismatch()),
            other => panic!("an outcome {other}"),
        };
        assert_eq!(sent.check().map(|_| ()), expected, "{sent:?}");
        *counts.entry(entry.outcome.as_str()).or_insert(0) += 1;
    }
    assert!(counts["ok"] >= 2_000, "{counts:?}");
    assert!(counts["body"] >= 5 && counts["signature"] >= 50, "{counts:?}");
}
