//! What is odd is said in `Warning` headers (specification, section "Warnings").

use serde_json::json;
use tonnage_domain::names::Digest;

use crate::content::{
    CONFIG, LAYER, OCI_CONFIG, OCI_IMAGE, OCI_INDEX, OCI_LAYER, descriptor, image, index, plus,
    text,
};
use crate::registry::Registry;

#[tokio::test]
async fn warnings_name_what_is_odd_and_nothing_else() {
    let registry = Registry::open().await;
    registry.push_image("app", "v1").await;
    let without_type =
        json!({"schemaVersion": 2, "config": descriptor(OCI_CONFIG, CONFIG), "layers": []});
    let mut foreign = descriptor(OCI_LAYER, b"elsewhere");
    foreign["urls"] = json!(["https://example.com/layer"]);
    let with_foreign = plus(image("foreign"), "layers", json!([foreign]));
    let subject = descriptor(OCI_IMAGE, b"missing");
    let with_subject = plus(image("subject"), "subject", subject);
    let hex = "0".repeat(64);
    for (tag, media_type, manifest, warning) in [
        ("plain".to_owned(), OCI_IMAGE, image("plain"), None),
        ("typed".to_owned(), OCI_IMAGE, without_type.clone(), None),
        (format!("sha256-{hex}.sig"), OCI_IMAGE, image("cosign"), None),
        (
            "untyped".to_owned(),
            "",
            without_type,
            Some(format!(
                "Neither the manifest nor the request says what the manifest is; it is stored as \
                 {OCI_IMAGE}."
            )),
        ),
        (
            "foreign".to_owned(),
            OCI_IMAGE,
            with_foreign,
            Some(
                "1 layers may live elsewhere; this registry serves only those that were pushed."
                    .to_owned(),
            ),
        ),
        (
            "subject".to_owned(),
            OCI_IMAGE,
            with_subject,
            Some(format!(
                "The subject {} is not in the repository.",
                Digest::of_sha256(b"missing")
            )),
        ),
        (
            format!("sha256-{hex}"),
            OCI_INDEX,
            index(&[]),
            Some(format!(
                "The tag sha256-{hex} follows the referrers tag schema, which this registry does \
                 not need: it serves the referrers API."
            )),
        ),
    ] {
        let answer = registry.put("app", &tag, media_type, &text(&manifest)).await;
        let expected = warning.map_or_else(|| "-".to_owned(), |text| format!("299 - \"{text}\""));
        answer.check("201", &[("warning", &expected)]);
    }
    assert_eq!(registry.pull("app", &Digest::of_sha256(LAYER)).await, LAYER);
}
