//! What does not count of what was found, and what is told of all findings of a registry.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::inspector::Found;
use tonnage_domain::inspector::aggregations::{AggregationType, ListFindingAggregations};
use tonnage_domain::inspector::coverage::{
    CoverageCriteria, CoverageText, GroupKey, ListCoverage, ListCoverageStatistics,
};
use tonnage_domain::inspector::criteria::Criteria;
use tonnage_domain::inspector::filters::{
    CreateFilter, DeleteFilter, FilterAction, ListFilters, TagFilter, UpdateFilter,
};
use tonnage_domain::inspector::finding_details::BatchGetFindingDetails;
use tonnage_domain::inspector::list_findings::{ListFindings, SortField};
use tonnage_domain::names::{Digest, Reference};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::findings::StoredFinding;
use tonnage_domain::scanning::{ScanFrequency, ScanType};

use super::world::{blob, debian, npm};
use super::{debian_advisory, events, follow, npm_advisory};
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_tag, check_kind, page};

pub(super) fn criteria(document: Value) -> Criteria {
    let Value::Object(members) = document else { panic!("criteria are an object") };
    Criteria::parse(members).unwrap()
}

pub(super) fn equals(name: &str, value: &str) -> Value {
    json!({ name: [{ "comparison": "EQUALS", "value": value }] })
}

pub(super) fn suppress(name: &str, document: Value, expires: Option<&str>) -> CreateFilter {
    let tag = |time: &str| ("tonnage:expires-at".to_owned(), time.to_owned());
    CreateFilter {
        name: name.to_owned(),
        action: FilterAction::Suppress,
        description: None,
        reason: Some(format!("{name} is known")),
        criteria: criteria(document),
        tags: expires.map(tag).into_iter().collect(),
    }
}

/// `tag flaw status` of each finding.
fn told(found: &[Found]) -> Vec<String> {
    let line = |found: &Found| {
        let tags: Vec<&str> = found.image.tags.iter().map(|tag| tag.as_str()).collect();
        let stored = &found.stored;
        format!("{} {} {}", tags.join(","), stored.finding.name, stored.status.as_str())
    };
    found.iter().map(line).collect()
}

impl Registry {
    pub(super) async fn list(
        &self,
        document: Value,
        sort: Option<(SortField, bool)>,
    ) -> Vec<String> {
        let mut after = None;
        let mut lines = Vec::new();
        loop {
            let page = page(after.as_deref(), 2);
            let operation = ListFindings { criteria: criteria(document.clone()), sort, page };
            let found = self.run(operation).await.unwrap();
            assert!(found.items.len() <= 2);
            lines.extend(told(&found.items));
            match found.next {
                Some(next) => after = Some(next),
                None => return lines,
            }
        }
    }

    pub(super) async fn counts(
        &self,
        app: &RepositoryAddress,
        tag: &str,
    ) -> Vec<(&'static str, u64)> {
        let scan = self.findings(app, by_tag(tag)).await.scan;
        scan.counts.iter().map(|(severity, count)| (severity.as_str(), *count)).collect()
    }
}

#[tokio::test]
async fn rules_over_findings() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry
        .advise(&[
            debian_advisory("CVE-2026-0001", "glibc", Some("2.37-1"), "high"),
            debian_advisory("CVE-2026-0002", "glibc", None, "low"),
            npm_advisory("GHSA-1111-2222-3333", "CVE-2026-0004", "left-pad", "1.3.1"),
        ])
        .await;
    // While the registry scans in the basic way there is nothing to be told.
    assert!(registry.list(json!({}), None).await.is_empty());
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    registry.push_layers(&app, "one", &[&base]).await;
    registry.push_layers(&app, "two", &[&base, &npm("left-pad", "1.0.0")]).await;
    drain(&registry).await;
    let all = [
        "one CVE-2026-0001 ACTIVE",
        "one CVE-2026-0002 ACTIVE",
        "two CVE-2026-0004 ACTIVE",
        "two CVE-2026-0001 ACTIVE",
        "two CVE-2026-0002 ACTIVE",
    ];
    assert_eq!(registry.list(json!({}), None).await, all);
    let by_flaw = Some((SortField::VulnerabilityId, true));
    let sorted = registry.list(json!({}), by_flaw).await;
    let order = [all[2], all[1], all[4], all[0], all[3]];
    assert_eq!(sorted, order);
    for nobodys in ["NETWORK_PROTOCOL", "COMPONENT_TYPE"] {
        let field = SortField::parse(nobodys).unwrap();
        assert_eq!(registry.list(json!({}), Some((field, true))).await, all, "{nobodys}");
    }
    let severity = Some((SortField::Severity, false));
    assert_eq!(
        registry.list(equals("ecrImageTags", "two"), severity).await,
        [all[4], all[3], all[2]]
    );
    for (document, expected) in [
        (equals("vulnerabilityId", "CVE-2026-0001"), vec![all[0], all[3]]),
        (equals("fixAvailable", "NO"), vec![all[1], all[4]]),
        (equals("vulnerabilitySource", "DEBIAN_CVE"), vec![all[0], all[1], all[3], all[4]]),
        (equals("findingStatus", "SUPPRESSED"), vec![]),
        (equals("ecrImageRepositoryName", "other"), vec![]),
        (json!({"inspectorScore": [{"lowerInclusive": 9.0}]}), vec![all[2]]),
        (
            json!({"vulnerablePackages": [{
                "name": {"comparison": "EQUALS", "value": "libc6"},
                "release": {"comparison": "EQUALS", "value": "9"},
            }], "severity": [{"comparison": "NOT_EQUALS", "value": "LOW"}]}),
            vec![all[0], all[3]],
        ),
    ] {
        assert_eq!(registry.list(document.clone(), None).await, expected, "{document}");
    }

    // A rule holds for what was found before it, and for nothing else.
    assert_eq!(registry.counts(&app, "two").await, [("LOW", 1), ("HIGH", 1), ("CRITICAL", 1)]);
    let arn = registry
        .run(suppress("pad", equals("vulnerabilityId", "CVE-2026-0004"), None))
        .await
        .unwrap();
    let again = suppress("pad", equals("severity", "LOW"), None);
    check_kind(registry.run(again).await, ErrorKind::EntityAlreadyExists);
    drain(&registry).await;
    assert_eq!(registry.counts(&app, "two").await, [("LOW", 1), ("HIGH", 1)]);
    let suppressed = "two CVE-2026-0004 SUPPRESSED";
    assert_eq!(registry.list(equals("findingStatus", "SUPPRESSED"), None).await, [suppressed]);
    let stored: StoredFinding =
        registry.findings(&app, by_tag("two")).await.findings.items.remove(0);
    let suppression = stored.suppression.unwrap();
    assert_eq!((suppression.by.as_str(), suppression.reason.as_str()), (&*arn, "pad is known"));
    let changed = events(&registry, "finding-changed").await;
    assert_eq!(changed.last().unwrap()["status"], "SUPPRESSED");
    // It holds for what is found after it, too.
    registry.push_layers(&app, "three", &[&npm("left-pad", "1.0.0")]).await;
    drain(&registry).await;
    assert_eq!(registry.counts(&app, "three").await, []);

    // By another thing, as long as it says so.
    let update = |document| UpdateFilter {
        arn: arn.clone(),
        name: None,
        action: None,
        description: None,
        reason: None,
        criteria: Some(criteria(document)),
    };
    registry.run(update(equals("ecrImageTags", "three"))).await.unwrap();
    drain(&registry).await;
    assert_eq!(registry.counts(&app, "two").await, [("LOW", 1), ("HIGH", 1), ("CRITICAL", 1)]);
    assert_eq!(registry.counts(&app, "three").await, []);
    // A tag that moves takes the rule along.
    registry.push_layers(&app, "three", &[&npm("left-pad", "1.0.1")]).await;
    drain(&registry).await;
    let moved = registry.list(equals("findingStatus", "SUPPRESSED"), None).await;
    assert_eq!(moved, ["three CVE-2026-0004 SUPPRESSED"]);
    let listed = ListFilters { arns: vec![arn.clone()], action: None, page: page(None, 10) };
    assert_eq!(registry.run(listed).await.unwrap().items.len(), 1);
    registry.run(DeleteFilter { arn: arn.clone() }).await.unwrap();
    drain(&registry).await;
    assert!(registry.list(equals("findingStatus", "SUPPRESSED"), None).await.is_empty());
    check_kind(registry.run(DeleteFilter { arn }).await, ErrorKind::NoSuchEntity);
    registry.delete("app", true).await.unwrap();
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn rules_come_to_an_end_and_findings_are_closed() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let advisory = debian_advisory("CVE-2026-0001", "glibc", None, "high");
    registry.advise(&[advisory]).await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    registry.push_layers(&app, "one", &[&debian(&[("libc6", "glibc", "2.36-9")])]).await;
    drain(&registry).await;
    let now = tonnage_domain::clock::Clock::now(&*registry.clock);
    let soon = now.plus_seconds(3600).timestamp().to_string();
    let bad = suppress("bad", equals("severity", "HIGH"), Some("tomorrow"));
    check_kind(registry.run(bad).await, ErrorKind::InvalidParameter);
    let rule = suppress("for an hour", equals("severity", "HIGH"), Some(&soon));
    let arn = registry.run(rule).await.unwrap();
    drain(&registry).await;
    assert_eq!(registry.counts(&app, "one").await, []);
    registry.clock.advance_seconds(3600);
    follow(&registry).await;
    assert_eq!(registry.counts(&app, "one").await, [("HIGH", 1)]);
    let tags = BTreeMap::from([("tonnage:expires-at".to_owned(), "2999-01-01".to_owned())]);
    registry.run(TagFilter { arn, tags }).await.unwrap();
    drain(&registry).await;
    assert_eq!(registry.counts(&app, "one").await, []);

    // The finding by its ARN, counted, and its image.
    let found = registry
        .run(ListFindings { criteria: Criteria::default(), sort: None, page: page(None, 10) })
        .await
        .unwrap();
    let image = &found.items[0].image;
    let arn = tonnage_domain::scanning::finding_arn(
        &image.repository,
        &image.digest,
        &found.items[0].stored.finding,
    );
    let arns = vec![arn.clone(), "arn:aws:inspector2:x".to_owned()];
    let details = registry.run(BatchGetFindingDetails { arns }).await.unwrap();
    assert_eq!(details.keys().collect::<Vec<_>>(), [&arn]);
    let count = ListFindingAggregations {
        kind: AggregationType::Repository,
        criteria: Criteria::default(),
        by: None,
        is_ascending: false,
        page: page(None, 10),
    };
    let counted = registry.run(count).await.unwrap().items;
    assert_eq!((counted.len(), counted[0].group.as_str(), counted[0].images), (1, "app", 1));
    let coverage = ListCoverage { criteria: CoverageCriteria::default(), page: page(None, 1) };
    let first = registry.run(coverage.clone()).await.unwrap();
    assert_eq!(first.items[0].id(), app.arn());
    let rest = ListCoverage { page: page(first.next.as_deref(), 10), ..coverage };
    let rest = registry.run(rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    assert_eq!((rest.items[0].id(), rest.items[0].reason), (image.arn(), "SUCCESSFUL"));
    let group = Some(GroupKey(CoverageText::StatusCode));
    let statistics = ListCoverageStatistics { criteria: CoverageCriteria::default(), group };
    let expected = (2, BTreeMap::from([("ACTIVE".to_owned(), 2)]));
    assert_eq!(registry.run(statistics).await.unwrap(), expected);

    // What the image no longer has is told for three days.
    let mut withdrawn = debian_advisory("CVE-2026-0001", "glibc", Some("2.30-1"), "high");
    withdrawn["modified"] = "2026-02-01T00:00:00Z".into();
    registry.advise(&[withdrawn]).await;
    follow(&registry).await;
    assert_eq!(registry.list(json!({}), None).await, ["one CVE-2026-0001 CLOSED"]);
    assert!(registry.list(equals("findingStatus", "ACTIVE"), None).await.is_empty());
    registry.clock.advance_seconds(3 * 24 * 3600 + 1);
    assert!(registry.list(json!({}), None).await.is_empty());
    drain(&registry).await;
    let empty: Vec<Vec<String>> = Vec::new();
    assert_eq!(registry.rows("SELECT name FROM closed_findings").await, empty);
}

/// An artifact of a type beside an image, with one document.
fn artifact(subject: &Pushed, artifact_type: &str, document: &Blob) -> Pushed {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": artifact_type,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": document.digest.as_str(),
            "size": document.bytes.len(),
        },
        "layers": [{
            "mediaType": artifact_type,
            "digest": document.digest.as_str(),
            "size": document.bytes.len(),
        }],
        "subject": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": subject.digest.as_str(),
            "size": subject.bytes.len(),
        },
    });
    let bytes = serde_json::to_vec(&manifest).unwrap();
    Pushed { digest: Digest::of_sha256(&bytes), bytes: bytes.into() }
}

#[tokio::test]
async fn vex_documents_beside_an_image() {
    const TYPE: &str = "application/vnd.openvex+json";
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry
        .advise(&[
            debian_advisory("CVE-2026-0001", "glibc", Some("2.37-1"), "high"),
            npm_advisory("GHSA-1111-2222-3333", "CVE-2026-0004", "left-pad", "1.3.1"),
        ])
        .await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    let base = debian(&[("libc6", "glibc", "2.36-9"), ("libc-bin", "glibc", "2.36-9")]);
    let image = registry.push_layers(&app, "v1", &[&base, &npm("left-pad", "1.0.0")]).await;
    drain(&registry).await;
    assert_eq!(registry.counts(&app, "v1").await, [("HIGH", 1), ("CRITICAL", 1)]);
    let statement = |flaw: &str, part: &str, status: &str| {
        json!({
            "vulnerability": { "name": flaw },
            "products": [{
                "@id": format!("pkg:oci/app@{}", image.digest),
                "subcomponents": [{ "@id": part }],
            }],
            "status": status,
            "justification": "vulnerable_code_not_in_execute_path",
            "impact_statement": "nobody calls it",
        })
    };
    let openvex = |time: &str, statements: Vec<Value>| {
        json!({
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": "https://example.com/vex/1",
            "author": "the makers",
            "timestamp": time,
            "version": 1,
            "statements": statements,
        })
        .to_string()
    };
    let pad = "pkg:npm/left-pad@1.0.0";
    let put = async |text: String, artifact_type: &str| {
        let document = blob(text.into_bytes());
        registry.push_blob(&app, &document).await.unwrap();
        let artifact = artifact(&image, artifact_type, &document);
        registry.put(&app, &artifact, None).await.unwrap();
        drain(&registry).await;
        artifact.digest
    };
    // What is of another type, or says nothing of these packages, changes nothing.
    let not_affected = vec![statement("CVE-2026-0004", pad, "not_affected")];
    let first = openvex("2026-01-01T00:00:00Z", not_affected.clone());
    put(first.clone(), "application/vnd.example+json").await;
    let one_of_two = statement("CVE-2026-0001", "pkg:deb/debian/libc6", "not_affected");
    put(openvex("2026-01-01T00:00:00Z", vec![one_of_two]), TYPE).await;
    assert_eq!(registry.counts(&app, "v1").await, [("HIGH", 1), ("CRITICAL", 1)]);
    let digest = put(first, TYPE).await;
    assert_eq!(registry.counts(&app, "v1").await, [("HIGH", 1)]);
    let said = async || {
        let found = registry.findings(&app, by_tag("v1")).await;
        let said = found.findings.items[0].suppression.clone().unwrap();
        (said.suppresses, said.vex_status.unwrap(), said.by, said.reason)
    };
    let (suppresses, status, by, reason) = said().await;
    assert_eq!((suppresses, status.as_str()), (true, "not_affected"));
    assert_eq!(by, format!("{}/{digest}", app.arn()));
    assert_eq!(reason, "vulnerable_code_not_in_execute_path: nobody calls it");

    // The source package stands for what was built from it; a newer word counts more.
    let fixed = statement("CVE-2026-0001", "pkg:deb/debian/glibc", "fixed");
    let looked_at = statement("CVE-2026-0004", pad, "under_investigation");
    put(openvex("2026-02-01T00:00:00Z", vec![fixed, looked_at]), TYPE).await;
    assert_eq!(registry.counts(&app, "v1").await, [("CRITICAL", 1)]);
    let (suppresses, status, ..) = said().await;
    assert_eq!((suppresses, status.as_str()), (false, "under_investigation"));

    // A broken document does no harm, and is told of; it holds for a scan that comes later, too.
    let broken = put("{\"statements\": 7}".to_owned(), TYPE).await;
    assert_eq!(registry.counts(&app, "v1").await, [("CRITICAL", 1)]);
    let description = registry.findings(&app, by_tag("v1")).await.scan.description;
    assert!(description.contains(&format!("left out: {broken}: ")), "{description}");
    registry.advise(&[debian_advisory("CVE-2026-0009", "glibc", None, "low")]).await;
    follow(&registry).await;
    assert_eq!(registry.counts(&app, "v1").await, [("LOW", 1), ("CRITICAL", 1)]);

    // What was said goes with the document that said it.
    for artifact in [broken, digest] {
        let delete = DeleteManifest {
            repository: app.clone(),
            reference: Reference::Digest(artifact),
            condition: Precondition::default(),
        };
        registry.run(delete).await.unwrap();
    }
    drain(&registry).await;
    let description = registry.findings(&app, by_tag("v1")).await.scan.description;
    assert!(!description.contains("left out"), "{description}");
}
