use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(record: &Value) -> Result<Advisory, Refused> {
    parse(record.to_string().as_bytes())
}

/// A record with more in it.
fn record(more: Value) -> Value {
    let mut record = json!({"id": "TEST-1", "modified": "2024-01-01T00:00:00Z"});
    let (Value::Object(fields), Value::Object(more)) = (&mut record, more) else { return record };
    fields.extend(more);
    record
}

#[test]
fn everything() {
    let advisory = read(&json!({
        "schema_version": "1.7.0",
        "id": "GHSA-aaaa-bbbb-cccc",
        "modified": "2024-02-03T04:05:06.789Z",
        "published": "2024-01-01T00:00:00Z",
        "withdrawn": "2024-03-01T00:00:00Z",
        "aliases": ["CVE-2024-0001", "CVE-2024-0001", "GHSA-aaaa-bbbb-cccc", "not an id"],
        "upstream": ["CVE-2024-0002"],
        "related": ["CVE-2024-0003"],
        "summary": "A summary\n of two lines",
        "details": "Some *details*\u{1b}",
        "severity": [
            {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
            {"type": "CVSS_V4", "score": "CVSS:4.0/nonsense"}
        ],
        "affected": [{
            "package": {"ecosystem": "npm", "name": "left-pad", "purl": "pkg:npm/left-pad"},
            "ranges": [
                {"type": "GIT", "repo": "https://example.org", "events": [{"introduced": "0"}, {"fixed": "abc"}]},
                {"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"fixed": "1.2.0"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "2.0.0"}, {"last_affected": "2.1.0"}]}
            ],
            "versions": ["0.9.0"],
            "database_specific": {"source": "https://example.org"}
        }, {
            "package": {"ecosystem": "Hex", "name": "other"}
        }, {
            "ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]
        }],
        "references": [
            {"type": "WEB", "url": "https://example.org/a"},
            {"type": "FIX", "url": "https://example.org/a"},
            {"type": "WEB", "url": "javascript:alert(1)"},
            {"type": "WEB"}
        ],
        "credits": [{"name": "somebody"}],
        "database_specific": {"severity": "MODERATE", "cwe_ids": ["CWE-1"]}
    }))
    .expect("a record");
    let text = |text: &str| text.to_owned();
    assert_eq!(
        advisory,
        Advisory {
            id: text("GHSA-aaaa-bbbb-cccc"),
            aliases: vec![text("CVE-2024-0001")],
            upstream: vec![text("CVE-2024-0002")],
            related: vec![text("CVE-2024-0003")],
            summary: text("A summary of two lines"),
            details: text("Some *details*"),
            published: Some(1_704_067_200_000),
            modified: Some(1_706_933_106_789),
            withdrawn: Some(1_709_251_200_000),
            severity: Some(Severity::Medium),
            cvss: vec![Cvss::parse("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H").expect("one")],
            affected: vec![Affected {
                ecosystem: text("npm"),
                name: text("left-pad"),
                ranges: vec![
                    Range {
                        events: vec![Event::Introduced(text("1.0.0")), Event::Fixed(text("1.2.0"))]
                    },
                    Range {
                        events: vec![
                            Event::Introduced(text("2.0.0")),
                            Event::LastAffected(text("2.1.0"))
                        ]
                    },
                ],
                versions: vec![text("0.9.0")],
                ..Affected::default()
            }],
            references: vec![text("https://example.org/a")],
        }
    );
    let stored = serde_json::to_string(&advisory).expect("JSON");
    assert_eq!(serde_json::from_str::<Advisory>(&stored).expect("the same"), advisory);
}

#[test]
fn severities() {
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let package = |specific: Value| json!({"package": {"ecosystem": "Debian:12", "name": "a"}, "ecosystem_specific": specific});
    let crates = |specific: Value| json!({"package": {"ecosystem": "crates.io", "name": "a"}, "database_specific": specific});
    for (more, severity, affected, vectors) in [
        (json!({}), None, None, 0),
        (json!({"severity": null, "database_specific": null}), None, None, 0),
        (json!({"database_specific": {"severity": "HIGH"}}), Some(Severity::High), None, 0),
        (json!({"database_specific": {"severity": ["HIGH"]}}), None, None, 0),
        (
            json!({"severity": [{"type": "Ubuntu", "score": "negligible"}]}),
            Some(Severity::Informational),
            None,
            0,
        ),
        (json!({"severity": [{"type": "CVSS_V3", "score": vector}]}), None, None, 1),
        (json!({"severity": [{"type": "CVSS_V3", "score": 9.8}]}), None, None, 0),
        (
            json!({"affected": [package(json!({"urgency": "unimportant"}))]}),
            None,
            Some(Severity::Informational),
            0,
        ),
        (json!({"affected": [package(json!({"urgency": "not yet assigned"}))]}), None, None, 0),
        (
            json!({"affected": [package(json!({"ubuntu_priority": "medium"}))]}),
            None,
            Some(Severity::Medium),
            0,
        ),
        (
            json!({"affected": [{"package": {"ecosystem": "npm", "name": "a"}, "severity": [{"type": "CVSS_V3", "score": vector}]}]}),
            None,
            None,
            1,
        ),
        (
            json!({"affected": [crates(json!({"informational": "unmaintained"}))]}),
            Some(Severity::Informational),
            None,
            0,
        ),
        (json!({"affected": [crates(json!({"informational": null}))]}), None, None, 0),
        (
            json!({"id": "ALSA-2024:1", "summary": "Important: a security update"}),
            Some(Severity::High),
            None,
            0,
        ),
        (json!({"id": "GHSA-1", "summary": "Important: a security update"}), None, None, 0),
    ] {
        let advisory = read(&record(more.clone())).expect("a record");
        assert_eq!(advisory.severity, severity, "{more}");
        assert_eq!(advisory.affected.first().and_then(|a| a.severity), affected, "{more}");
        assert_eq!(advisory.cvss.len(), vectors, "{more}");
    }
}

#[test]
fn modules() {
    for (id, summary, purl, expected) in [
        ("ALSA-2024:1", "Moderate: nodejs:18 security update", "", Some("nodejs:18")),
        (
            "RLSA-2024:1",
            "Important: container-tools:rhel8 security",
            "",
            Some("container-tools:rhel8"),
        ),
        ("ALSA-2024:1", "Moderate: kernel security update", "", None),
        ("GHSA-1", "Moderate: nodejs:18 security update", "", None),
        (
            "RHSA-2024:1",
            "Red Hat Security Advisory: x",
            "pkg:rpm/redhat/a?arch=src&rpmmod=php:8.1",
            Some("php:8.1"),
        ),
        ("RHSA-2024:1", "", "pkg:rpm/redhat/a?rpmmod=php%3A8.1%3A809:abc&x=y", Some("php:8.1")),
        ("RHSA-2024:1", "", "pkg:rpm/redhat/a?rpmmod=php", None),
    ] {
        let advisory = read(&json!({
            "id": id,
            "summary": summary,
            "affected": [{"package": {"ecosystem": "AlmaLinux:8", "name": "a", "purl": purl}}],
        }))
        .expect("a record");
        assert_eq!(advisory.affected[0].module.as_deref(), expected, "{id} {summary} {purl}");
    }
}

#[test]
fn last_known_versions() {
    for (id, range, events, expected) in [
        ("GHSA-1", "<= 1.2", json!([{"introduced": "0"}]), Some(Event::LastAffected("1.2".into()))),
        ("GHSA-1", "< 1.2", json!([{"introduced": "0"}]), Some(Event::Limit("1.2".into()))),
        ("GHSA-1", "= 1.2", json!([{"introduced": "0"}]), None),
        (
            "GHSA-1",
            "<= 1.2",
            json!([{"introduced": "0"}, {"fixed": "2"}]),
            Some(Event::Fixed("2".into())),
        ),
        ("OTHER-1", "<= 1.2", json!([{"introduced": "0"}]), None),
    ] {
        let advisory = read(&json!({"id": id, "affected": [{
            "package": {"ecosystem": "npm", "name": "a"},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
            "database_specific": {"last_known_affected_version_range": range},
        }]}))
        .expect("a record");
        let events = &advisory.affected[0].ranges[0].events;
        assert_eq!(events.get(1), expected.as_ref(), "{id} {range}");
    }
}

#[test]
fn refused() {
    let many = |count: usize| vec![json!("CVE-2024-0001"); count];
    let package = json!({"ecosystem": "npm", "name": "a"});
    for (text, expected) in [
        ("".to_owned(), "not of the expected format"),
        ("[]".to_owned(), "no usable identifier"),
        ("{}".to_owned(), "no usable identifier"),
        (json!({"id": ""}).to_string(), "no usable identifier"),
        (json!({"id": "a b"}).to_string(), "no usable identifier"),
        (json!({"id": 1}).to_string(), "not of the expected format"),
        (json!({"id": "A", "aliases": [1]}).to_string(), "not of the expected format"),
        (json!({"id": "A", "aliases": many(IDS_MAX + 1)}).to_string(), "8193 aliases; at most 8192"),
        (
            json!({"id": "A", "affected": vec![json!({}); AFFECTED_MAX + 1]}).to_string(),
            "50001 affected packages",
        ),
        (
            json!({"id": "A", "affected": [{"package": package, "versions": vec!["1"; VERSIONS_MAX + 1]}]})
                .to_string(),
            "50001 versions of a package",
        ),
        (
            json!({"id": "A", "affected": [{"package": package, "ranges": vec![json!({}); RANGES_MAX + 1]}]})
                .to_string(),
            "513 ranges of a package",
        ),
        (format!(r#"{{"id":"A","x":{}}}"#, "[".repeat(100_000)), "not of the expected format"),
    ] {
        let error = parse(text.as_bytes()).expect_err("a refusal").to_string();
        assert!(error.contains(expected), "{error}");
    }
    let long = vec![b' '; RECORD_BYTES_MAX + 1];
    assert!(matches!(parse(&long), Err(Refused::TooLong { .. })));
    assert!(matches!(parse(b"\xff\xfe{}"), Err(Refused::Json(_))));
}

#[test]
fn withdrawn_at_an_unreadable_time() {
    let advisory = read(&record(json!({"withdrawn": "last week"}))).expect("a record");
    assert_eq!(advisory.withdrawn, Some(0));
}

proptest! {
    /// Any JSON where the format has fields: no panic, and what is read is within bounds.
    #[test]
    fn never_panics(
        field in prop::sample::select(vec!["id", "aliases", "affected", "severity", "references",
            "withdrawn", "modified", "database_specific", "summary", "details"]),
        value in prop_oneof![
            Just(json!(null)), Just(json!([])), Just(json!({})), Just(json!([{}])), Just(json!([[]])),
            Just(json!([{"package": {}, "ranges": [{"events": [{}]}]}])),
            ".{0,40}".prop_map(|text| json!(text)),
            ".{0,40}".prop_map(|text| json!([text])),
            any::<f64>().prop_map(|number| json!(number)),
        ],
    ) {
        if let Ok(advisory) = read(&record(json!({field: value}))) {
            assert!(text::is_id(&advisory.id));
            let _ = crate::advisories::entries(&advisory);
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }
}
