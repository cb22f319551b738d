//! Scans by scanners of others: what an adapter is asked, what its answers come to, and what its
//! token opens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tonnage_domain::app::Settings;
use tonnage_domain::blobs::get_blob::GetBlob;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::identities::authorization_token;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::images::{ImageStatusFilter, pulls};
use tonnage_domain::names::{Digest, Reference};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::external::operations::{ListScanners, TestScanner};
use tonnage_domain::scanning::external::{
    Adapter, AdapterAnswer, AdapterFailure, AdapterRequest, Adapters, ScannerChoice,
    ScannerSettings,
};
use tonnage_domain::scanning::state::ScanStatus;
use tonnage_domain::scanning::{self, ScanFrequency, ScanType};

use super::world::{debian, npm};
use super::{events, found, status};
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_tag, check_error, check_kind, context, page};

const REPORT: &str = "application/vnd.security.vulnerability.report; version=1.1";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What an adapter does next.
#[derive(Clone)]
enum Does {
    Answers(u16, &'static str, Value),
    /// Not yet, and when to ask again.
    Waits(i64),
    Fails(bool),
}

/// An adapter that does what a test says, and keeps what it was asked.
#[derive(Default)]
struct Double {
    does: Mutex<VecDeque<Does>>,
    asked: Mutex<Vec<(String, Option<Value>)>>,
}

impl Adapters for Double {
    fn ask<'a>(
        &'a self,
        _adapter: &'a Adapter,
        request: AdapterRequest,
    ) -> BoxFuture<'a, Result<AdapterAnswer, AdapterFailure>> {
        let body = request.body.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap());
        self.asked.lock().unwrap().push((request.path, body));
        let does = self.does.lock().unwrap().pop_front();
        let answer = |status, content_type: &str, again_seconds, body: String| AdapterAnswer {
            status,
            content_type: Some(content_type.to_owned()),
            again_seconds,
            body: Bytes::from(body),
        };
        Box::pin(async move {
            match does.expect("nothing more is asked") {
                Does::Answers(status, kind, body) => {
                    Ok(answer(status, kind, None, body.to_string()))
                }
                Does::Waits(seconds) => Ok(answer(302, "", Some(seconds), String::new())),
                Does::Fails(is_transient) => {
                    Err(AdapterFailure { reason: "nobody is there".to_owned(), is_transient })
                }
            }
        })
    }
}

struct World {
    registry: Registry,
    double: Arc<Double>,
    app: RepositoryAddress,
}

fn able() -> Does {
    let metadata = json!({
        "scanner": {"name": "Stand-in", "vendor": "Nobody", "version": "1.2"},
        "capabilities": [{
            "type": "vulnerability",
            "consumes_mime_types": [MANIFEST],
            "produces_mime_types": [REPORT],
        }],
        "properties": {
            "harbor.scanner-adapter/vulnerability-database-updated-at": "2026-01-02T03:04:05Z",
        },
    });
    Does::Answers(200, "", metadata)
}

fn takes() -> Does {
    Does::Answers(202, "", json!({"id": "scan/1"}))
}

fn report(entries: &Value) -> Does {
    Does::Answers(200, REPORT, json!({"vulnerabilities": entries}))
}

impl World {
    async fn new() -> Self {
        let seconds = |text: &str| text.parse().map_err(|_| String::new());
        let text = "name=other,url=https://a.example,registry=https://{account}.{region}.example,\
                    timeout=1000";
        let scanners = ScannerSettings {
            adapters: vec![Adapter::parse(text, seconds).unwrap()],
            choices: vec![ScannerChoice::parse("*:others=other").unwrap()],
        };
        let mut registry =
            Registry::with_settings(Settings { scanners, ..Settings::default() }).await;
        let double = Arc::new(Double::default());
        let adapters = Arc::clone(&double) as Arc<dyn Adapters>;
        Arc::get_mut(&mut registry.app).unwrap().set_adapters(adapters);
        let app = registry.create("others/app").await;
        Self { registry, double, app }
    }

    fn does(&self, does: impl IntoIterator<Item = Does>) {
        *self.double.does.lock().unwrap() = does.into_iter().collect();
        self.double.asked.lock().unwrap().clear();
    }

    fn asked(&self) -> Vec<String> {
        self.double.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    async fn push(&self, tag: &str) -> Pushed {
        self.registry.push_layers(&self.app, tag, &[&system(), &npm("left-pad", "1.3.0")]).await
    }

    /// Runs jobs until the scan of a tag is done, or nothing happens any more.
    async fn finish(&self, tag: &str) {
        for _ in 0..100 {
            drain(&self.registry).await;
            let scan = self.registry.findings(&self.app, by_tag(tag)).await.scan;
            if !scan.status.is_waiting() {
                return;
            }
            self.registry.clock.advance_seconds(20);
        }
        panic!("the scan of {tag} never ends");
    }
}

fn system() -> Blob {
    debian(&[("libssl3", "openssl", "3.0.9-1")])
}

fn entries() -> Value {
    json!([
        {
            "id": "CVE-2026-0001", "package": "libssl3", "version": "3.0.9-1",
            "fix_version": "3.0.11-1", "severity": "High", "description": "A\u{0}\nflaw.",
            "links": ["javascript:alert(1)", "https://avd.example/CVE-2026-0001"],
            "preferred_cvss": {
                "vector_v3": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
                "vector_v2": "nonsense", "score_v3": 1.0,
            },
            "vendor_attributes": {"CVSS": [1, 2]}, "cwe_ids": ["CWE-476"],
        },
        {"id": "CVE-2026-0002", "package": "Left-Pad", "version": "v1.3.0", "severity": "Unknown"},
        {"id": "CVE-2026-0002", "package": "hidden", "version": "1", "severity": "Critical"},
        {"id": "", "package": "nothing"},
    ])
}

#[tokio::test]
async fn a_report_becomes_findings_like_ours() {
    let world = World::new().await;
    let World { registry, app, .. } = &world;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    let steps = [able(), takes(), Does::Waits(7), Does::Fails(true), report(&entries())];
    world.does(steps);
    let image = world.push("v1").await;
    world.finish("v1").await;
    let report_path = "/api/v1/scan/scan%2F1/report";
    let expected = ["/api/v1/metadata", "/api/v1/scan", report_path, report_path, report_path];
    assert_eq!(world.asked(), expected);
    let request = world.double.asked.lock().unwrap()[1].1.clone().unwrap();
    assert_eq!(request["registry"]["url"], "https://123456789012.us-east-1.example");
    assert_eq!(request["artifact"]["repository"], "others/app");
    assert_eq!(request["artifact"]["digest"], image.digest.as_str());
    assert_eq!(request["enabled_capabilities"][0]["produces_mime_types"][0], REPORT);

    let scanned = registry.findings(app, by_tag("v1")).await;
    assert_eq!(status(&scanned).0, ScanStatus::Active);
    let expected = [
        "CVE-2026-0002 CRITICAL left-pad 1.3.0 -> -, hidden 1 -> -",
        "CVE-2026-0001 HIGH libssl3 3.0.9-1 -> 3.0.11-1",
    ];
    assert_eq!(found(&scanned), expected);
    let updated_at = scanned.scan.source_updated_at.unwrap().timestamp().to_string();
    assert_eq!(updated_at, "2026-01-02T03:04:05Z");
    let finding = &scanned.findings.items[1].finding;
    assert_eq!(finding.description, "A  flaw.");
    assert_eq!(finding.references, ["https://avd.example/CVE-2026-0001"]);
    assert_eq!(finding.vectors.len(), 1);
    assert_eq!((finding.score(), &*finding.vectors[0].source), (Some(7.5), "Stand-in 1.2"));
    assert_eq!(scanning::source(finding, &scanned.scan.platform), "Stand-in 1.2");
    let package = &finding.packages[0];
    assert_eq!(package.layer_digest.as_deref(), Some(system().digest.as_str()));
    assert_eq!(
        package.purls[0],
        "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12&upstream=openssl"
    );
    assert_eq!(events(registry, "enhanced-scan-completed").await.len(), 1);
    assert_eq!(events(registry, "finding-changed").await.len(), 2);

    // Nobody says when another scanner learns more, so it is asked again.
    world.does([able(), takes(), report(&json!([]))]);
    registry.clock.advance_seconds(24 * 3600);
    drain(registry).await;
    registry.clock.advance_seconds(5);
    drain(registry).await;
    assert_eq!(found(&registry.findings(app, by_tag("v1")).await), [""; 0]);

    // A repository that nobody chose it for is scanned here.
    world.does([]);
    let own = registry.create("own").await;
    registry.push_layers(&own, "v1", &[&system()]).await;
    drain(registry).await;
    assert_eq!(world.asked(), [""; 0]);
}

#[tokio::test]
async fn adapters_that_do_not_do_what_they_should() {
    let world = World::new().await;
    let World { registry, app, .. } = &world;
    let silent = || vec![Does::Fails(true); 20];
    let html = Does::Answers(200, "text/html", json!("hello"));
    let other = json!({"artifact": {"digest": "sha256:00"}, "vulnerabilities": []});
    let lost = || Does::Answers(404, "", json!({}));
    let error = |text: &str| json!({"error": {"message": text}});
    let broken = Does::Answers(500, "", error("the database\nis gone"));
    for (tag, does, expected) in [
        ("down", silent(), "nobody is there"),
        ("refused", vec![Does::Fails(false)], "nobody is there"),
        ("busy", vec![Does::Answers(503, "", error("busy")); 6], "status 503: busy"),
        ("no-json", vec![html.clone()], "what it says of itself"),
        ("unable", vec![Does::Answers(200, "", json!({"capabilities": []}))], "makes no report"),
        ("wrong", vec![able(), Does::Answers(422, "", error("no url"))], "422: no url"),
        ("no-id", vec![able(), Does::Answers(202, "", json!({}))], "its answer to the request"),
        ("broken", vec![able(), takes(), broken], "500: the database is gone"),
        (
            "endless",
            [vec![able(), takes()], vec![Does::Waits(1_000_000); 20]].concat(),
            "within 1000",
        ),
        ("other-type", vec![able(), takes(), html.clone()], "of the type \"text/html\""),
        ("other-image", vec![able(), takes(), Does::Answers(200, REPORT, other)], "another image"),
        (
            "no-report",
            vec![able(), takes(), Does::Answers(200, REPORT, json!([]))],
            "cannot be read",
        ),
        (
            "lost",
            [able(), takes(), lost(), able(), takes(), lost(), able(), takes(), lost()].to_vec(),
            "status 404",
        ),
    ] {
        world.push(tag).await;
        world.does(does);
        registry.start_scan(app, by_tag(tag)).await.unwrap();
        world.finish(tag).await;
        let scanned = registry.findings(app, by_tag(tag)).await;
        let (status, description) = status(&scanned);
        assert_eq!(status, ScanStatus::Failed, "{tag}");
        assert!(description.contains(expected), "{tag}: {description}");
        assert_eq!(found(&scanned), [""; 0], "{tag}");
    }
    // One that failed may be asked for again at once, and what was forgotten is asked for anew.
    world.does([able(), takes(), lost(), able(), takes(), report(&entries())]);
    registry.start_scan(app, by_tag("down")).await.unwrap();
    world.finish("down").await;
    let scanned = registry.findings(app, by_tag("down")).await;
    assert_eq!(status(&scanned).0, ScanStatus::Complete);
    assert_eq!(found(&scanned)[0], "CVE-2026-0002 CRITICAL hidden 1 -> -");
    assert_eq!(found(&scanned).len(), 3, "one for each flaw and package");

    let management_account = registry.app.management_account;
    let listed = registry.run(ListScanners { management_account }).await.unwrap();
    assert_eq!(listed.len(), 1);
    let test = |name: &str| TestScanner { management_account, name: name.to_owned() };
    world.does([able()]);
    assert_eq!(registry.run(test("other")).await.unwrap().scanner.name, "Stand-in");
    check_kind(registry.run(test("none")).await, ErrorKind::InvalidParameter);
    world.does([Does::Fails(true)]);
    check_error(
        registry.run(test("other")).await,
        ErrorKind::Unsupported,
        "The scanner other does not work: nobody is there.",
    );
}

#[tokio::test]
async fn the_token_reads_one_image_for_as_long_as_the_scan_may_take() {
    let world = World::new().await;
    let World { registry, app, .. } = &world;
    let image = world.push("v1").await;
    let second = world.push("v2").await;
    let elsewhere = registry.create("others/elsewhere").await;
    let moved = registry.push_layers(&elsewhere, "v1", &[&npm("a", "1")]).await;
    world.does([able(), takes()]);
    registry.start_scan(app, by_tag("v1")).await.unwrap();
    drain(registry).await;
    let request = world.double.asked.lock().unwrap()[1].1.clone().unwrap();
    let authorization = request["registry"]["authorization"].as_str().unwrap().to_owned();
    let credentials = authorization.strip_prefix("Basic ").unwrap();
    let now = registry.clock.now();
    let verify = |now| authorization_token::verify_basic(&registry.app, credentials, now);
    let identity = verify(now).await.unwrap();
    let asking = context(&identity.principal, now);

    let manifest = |address: &RepositoryAddress, reference: &str| {
        let reference = Reference::parse(reference).unwrap();
        let operation =
            GetManifest { repository: address.clone(), reference, counts_as_pull: true };
        registry.run_in(&asking, operation)
    };
    manifest(app, image.digest.as_str()).await.unwrap();
    for (address, reference) in
        [(app, "v1"), (app, second.digest.as_str()), (&elsewhere, moved.digest.as_str())]
    {
        check_kind(manifest(address, reference).await, ErrorKind::AccessDenied);
    }
    let blob = |repository: &RepositoryAddress, digest: &Digest| GetBlob {
        repository: repository.clone(),
        digest: digest.clone(),
    };
    registry.run_in(&asking, blob(app, &system().digest)).await.unwrap();
    let other = blob(&elsewhere, &npm("a", "1").digest);
    check_kind(registry.run_in(&asking, other).await, ErrorKind::AccessDenied);
    let tags = ListTags { repository: app.clone(), page: page(None, 10) };
    check_kind(registry.run_in(&asking, tags).await, ErrorKind::AccessDenied);
    let describe = DescribeImages {
        repository: app.clone(),
        ids: Vec::new(),
        tag_status: TagStatus::Any,
        image_status: ImageStatusFilter::default(),
        page: page(None, 10),
    };
    check_kind(registry.run_in(&asking, describe).await, ErrorKind::AccessDenied);
    // Reading it for a scan is no pull.
    pulls::flush(&registry.app).await.unwrap();
    let pulled = registry.rows("SELECT id FROM images WHERE last_pulled_at IS NOT NULL").await;
    assert!(pulled.is_empty());
    check_kind(verify(now.plus_seconds(1000)).await, ErrorKind::TokenExpired);
}
