//! VEX documents of a registry.

use serde_json::{Value, json};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::scanning::vex_documents::{
    DeleteVexDocument, GetVexDocument, ListVexDocuments, PutVexDocument,
};
use tonnage_domain::scanning::{ScanFrequency, ScanType};

use super::world::{debian, npm};
use super::{debian_advisory, npm_advisory};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_tag, check_kind, page};

fn openvex(time: &str, products: &Value, flaw: &str, status: &str) -> String {
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.com/vex/2",
        "author": "the makers",
        "timestamp": time,
        "version": 1,
        "statements": [{
            "vulnerability": { "name": flaw },
            "products": products,
            "status": status,
            "justification": "vulnerable_code_not_present",
        }],
    })
    .to_string()
}

#[tokio::test]
async fn documents_hold_for_a_registry() {
    const EARLIER: &str = "2026-01-01T00:00:00Z";
    let registry = Registry::new().await;
    let (app, other) = (registry.create("team/app").await, registry.create("other").await);
    registry
        .advise(&[
            debian_advisory("CVE-2026-0001", "glibc", Some("2.37-1"), "high"),
            npm_advisory("GHSA-1111-2222-3333", "CVE-2026-0004", "left-pad", "1.3.1"),
        ])
        .await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    let image = registry.push_layers(&app, "v1", &[&base, &npm("left-pad", "1.0.0")]).await;
    registry.push_layers(&other, "v1-other", &[&base, &npm("left-pad", "1.0.0")]).await;
    drain(&registry).await;
    let named = |name: &str| name.to_owned();
    let put = async |name: &str, document: String| {
        registry.run(PutVexDocument { name: named(name), document }).await.unwrap();
        drain(&registry).await;
    };
    let delete = async |name: &str| {
        registry.run(DeleteVexDocument { name: named(name) }).await.unwrap();
        drain(&registry).await;
    };
    let high = ("HIGH", 1);
    let critical = ("CRITICAL", 1);
    let both = vec![high, critical];
    let digest = format!("pkg:oci/app@{}", image.digest);
    let pad = "pkg:npm/left-pad";
    // What is left of both images, by what the document is about.
    for (products, in_app, in_other) in [
        (json!([{"@id": digest}]), vec![high], both.clone()),
        (json!([{"@id": digest, "subcomponents": [{"@id": pad}]}]), vec![high], both.clone()),
        (
            json!([{"@id": digest, "subcomponents": [{"@id": "pkg:npm/right-pad"}]}]),
            both.clone(),
            both.clone(),
        ),
        (
            json!([{
                "@id": "pkg:oci/app?repository_url=registry.example.org/team/app",
                "subcomponents": [{"@id": pad}],
            }]),
            vec![high],
            both.clone(),
        ),
        (json!([{"@id": "pkg:oci/app"}]), vec![high], both.clone()),
        (
            json!([{"@id": "pkg:oci/app?repository_url=registry.example.org/app"}]),
            both.clone(),
            both.clone(),
        ),
        (json!([{"@id": pad}]), vec![high], vec![high]),
        (json!([{"@id": "pkg:npm/left-pad@2.0.0"}]), both.clone(), both.clone()),
    ] {
        put("known", openvex(EARLIER, &products, "CVE-2026-0004", "not_affected")).await;
        assert_eq!(registry.counts(&app, "v1").await, in_app, "{products}");
        assert_eq!(registry.counts(&other, "v1-other").await, in_other, "{products}");
    }

    // Who says so is told, and the newest word counts.
    let everywhere = json!([{"@id": pad}]);
    put("known", openvex(EARLIER, &everywhere, "CVE-2026-0004", "not_affected")).await;
    let found = registry.findings(&app, by_tag("v1")).await;
    let said = found.findings.items.iter().find_map(|it| it.suppression.clone()).unwrap();
    assert_eq!(said.by, "arn:aws:tonnage:us-east-1:123456789012:vex-document/known");
    assert_eq!(said.reason, "vulnerable_code_not_present");
    let newer = openvex("2026-02-01T00:00:00Z", &everywhere, "CVE-2026-0004", "affected");
    put("newer", newer.clone()).await;
    assert_eq!(registry.counts(&app, "v1").await, both);
    delete("newer").await;
    assert_eq!(registry.counts(&app, "v1").await, [high]);
    // An image that comes later is judged by it, too.
    registry.push_layers(&app, "v2", &[&base, &npm("left-pad", "1.0.0")]).await;
    drain(&registry).await;
    assert_eq!(registry.counts(&app, "v2").await, [high]);
    delete("known").await;
    assert_eq!(registry.counts(&app, "v2").await, both);

    for (name, document) in [
        ("", newer.clone()),
        ("a/b", newer.clone()),
        ("known", "{}".to_owned()),
        ("known", openvex(EARLIER, &everywhere, "CVE-2026-0004", "perhaps")),
        ("known", format!("{newer}{}", " ".repeat(1 << 20))),
    ] {
        let refused = PutVexDocument { name: named(name), document };
        check_kind(registry.run(refused).await, ErrorKind::InvalidParameter);
    }
    let gone = DeleteVexDocument { name: named("known") };
    check_kind(registry.run(gone).await, ErrorKind::NoSuchEntity);
    for name in ["b", "a"] {
        put(name, newer.clone()).await;
    }
    let (document, text) = registry.run(GetVexDocument { name: named("b") }).await.unwrap();
    assert_eq!((document.statements, text), (1, newer));
    let first = registry.run(ListVexDocuments { page: page(None, 1) }).await.unwrap();
    assert_eq!((first.items[0].name.as_str(), first.next.as_deref()), ("a", Some("a")));
    let second = registry.run(ListVexDocuments { page: page(Some("a"), 1) }).await.unwrap();
    assert_eq!((second.items, second.next), (vec![document], None));
}
