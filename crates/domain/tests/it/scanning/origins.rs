//! Which layer brought what is wrong, and for which architecture it is.

use serde_json::{Value, json};
use tonnage_domain::inspector::criteria::Criteria;
use tonnage_domain::inspector::list_findings::ListFindings;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::describe_finding_origins::{
    BaseSource, DescribeFindingOrigins, FindingOrigins,
};
use tonnage_domain::scanning::{ScanFrequency, ScanType};

use super::world::{blob, debian, layer, npm};
use super::{debian_advisory, npm_advisory};
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_tag, page};

const ALLOW: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

/// Pushes an image of these layers with such annotations, for an architecture.
async fn push(
    registry: &Registry,
    app: &RepositoryAddress,
    (tag, architecture): (&str, &str),
    layers: &[&Blob],
    annotations: Value,
) -> Pushed {
    let steps: Vec<Value> =
        (0..layers.len()).map(|step| json!({"created_by": format!("step {step}")})).collect();
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "history": steps,
        "rootfs": {"type": "layers", "diff_ids": vec!["sha256:x"; layers.len()]},
        "config": {"Labels": {"tag": tag}},
    });
    let config = blob(config.to_string().into_bytes());
    for blob in layers.iter().copied().chain([&config]) {
        registry.push_blob(app, blob).await.unwrap();
    }
    let image = Pushed::image(&config, layers);
    let mut manifest: Value = serde_json::from_slice(&image.bytes).unwrap();
    manifest["annotations"] = annotations;
    let bytes = manifest.to_string().into_bytes();
    let image = blob(bytes);
    let image = Pushed { digest: image.digest, bytes: image.bytes };
    registry.put(app, &image, Some(tag)).await.unwrap();
    image
}

/// The base, and `flaw layer from` of each package of each finding.
fn told(origins: &FindingOrigins) -> (String, Vec<String>) {
    let base = origins.base.as_ref().map_or("none".to_owned(), |base| {
        let source = match base.source {
            BaseSource::Annotation => "annotation",
            BaseSource::Layers => "layers",
        };
        let place = base.repository.as_ref().map_or("-", |name| name.as_str());
        format!("{source} {place} {} {:?}", base.name.as_deref().unwrap_or("-"), base.layers)
    });
    let mut lines = Vec::new();
    for stored in &origins.findings.findings.items {
        for package in &stored.finding.packages {
            let origin = origins.of(package.layer_digest.as_deref());
            let layer = origin.layer.map_or("-".to_owned(), |layer| layer.to_string());
            lines.push(format!("{} {layer} {:?}", stored.finding.name, origin.is_base));
        }
    }
    (base, lines)
}

#[tokio::test]
async fn findings_by_the_layer_that_brought_them() {
    let registry = Registry::new().await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ScanOnPush).await;
    registry
        .advise(&[
            debian_advisory("CVE-2026-0001", "glibc", Some("2.37-1"), "high"),
            npm_advisory("GHSA-1111-2222-3333", "CVE-2026-0004", "left-pad", "1.3.1"),
        ])
        .await;
    let (bases, app) = (registry.create("bases/debian").await, registry.create("app").await);
    let system = debian(&[("libc6", "glibc", "2.36-9")]);
    let (tools, pad) = (layer(&[("usr/bin/tool", "x")]), npm("left-pad", "1.0.0"));
    let own = layer(&[("app/main", "x")]);
    let none = || json!({});
    let small = push(&registry, &bases, ("small", "arm64"), &[&system], none()).await;
    let large = push(&registry, &bases, ("large", "amd64"), &[&system, &tools], none()).await;
    let digest = |of: &str, name: Option<&str>| {
        let mut annotations = json!({"org.opencontainers.image.base.digest": of});
        if let Some(name) = name {
            annotations["org.opencontainers.image.base.name"] = json!(name);
        }
        annotations
    };
    let layers = [&system, &tools, &pad, &own];
    let index = Pushed::index(&[&large]);
    registry.put(&bases, &index, Some("index")).await.unwrap();
    let elsewhere = format!("sha256:{}", "0".repeat(64));
    for (tag, annotations) in [
        ("plain", none()),
        ("small", digest(small.digest.as_str(), None)),
        ("index", digest(index.digest.as_str(), Some("example.org/debian:12"))),
        ("elsewhere", digest(&elsewhere, Some("example.org/other"))),
        ("odd", digest("latest", None)),
    ] {
        push(&registry, &app, (tag, "amd64"), &layers, annotations).await;
    }
    drain(&registry).await;
    let flaws = |of_pad: &str, of_libc: &str| {
        vec![format!("CVE-2026-0004 2 {of_pad}"), format!("CVE-2026-0001 0 {of_libc}")]
    };
    let (yes, no) = ("Some(true)", "Some(false)");
    let origins = |repository: &RepositoryAddress, tag: &str| DescribeFindingOrigins {
        repository: repository.clone(),
        id: by_tag(tag),
        page: page(None, 100),
    };
    for (tag, base, expected) in [
        ("plain", "layers bases/debian - Some(2)", flaws(no, yes)),
        ("small", "annotation bases/debian - Some(1)", flaws(no, yes)),
        ("index", "annotation bases/debian example.org/debian:12 Some(2)", flaws(no, yes)),
        ("elsewhere", "annotation - example.org/other None", flaws("None", "None")),
        ("odd", "annotation - - None", flaws("None", "None")),
    ] {
        let found = registry.run(origins(&app, tag)).await.unwrap();
        assert_eq!(told(&found), (base.to_owned(), expected), "{tag}");
        let steps: Vec<_> = found.layers.iter().map(|it| it.created_by.as_deref()).collect();
        assert_eq!(steps, ["step 0", "step 1", "step 2", "step 3"].map(Some), "{tag}");
    }
    let found = registry.run(origins(&bases, "large")).await.unwrap();
    assert_eq!(told(&found).0, "layers bases/debian - Some(1)");
    let found = registry.run(origins(&bases, "small")).await.unwrap();
    assert_eq!(told(&found), ("none".to_owned(), vec!["CVE-2026-0001 0 None".to_owned()]));

    // Of a base that the caller may not see nothing is told, and of commands to nobody who may not
    // read the image.
    for (name, action, resource, base, step) in [
        ("blind", "ecr:DescribeImages", "bases/*", "none", Some("step 0")),
        ("deaf", "ecr:BatchGetImage", "*", "layers bases/debian - Some(2)", None),
    ] {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{ALLOW},{{"Effect":"Deny","Action":"{action}","Resource":"arn:aws:ecr:*:*:repository/{resource}"}}]}}"#
        );
        let principal = registry.principal(name, &document).await;
        let found = registry.run_as(&principal, origins(&app, "plain")).await.unwrap();
        assert_eq!(told(&found).0, base, "{name}");
        assert_eq!(found.layers[0].created_by.as_deref(), step, "{name}");
    }

    // Findings know what their image is for.
    for (architecture, expected) in [("arm64", 1), ("amd64", 1 + 5 * 2), ("s390x", 0)] {
        let document =
            json!({"ecrImageArchitecture": [{"comparison": "EQUALS", "value": architecture}]});
        let Value::Object(members) = document else { panic!("criteria are an object") };
        let criteria = Criteria::parse(members).unwrap();
        let list = ListFindings { criteria, sort: None, page: page(None, 100) };
        let found = registry.run(list).await.unwrap();
        assert_eq!(found.items.len(), expected, "{architecture}");
        assert!(found.items.iter().all(|it| it.image.architecture == architecture));
    }
}
