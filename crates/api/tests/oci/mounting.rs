//! Mounting blobs of other repositories (end-11).

use tonnage_domain::app::Settings;
use tonnage_domain::execute::execute;
use tonnage_domain::names::Digest;
use tonnage_domain::registries::account_settings::{AccountSettingValue, PutAccountSetting};

use crate::content::{self, CONFIG, LAYER, OCI_IMAGE};
use crate::registry::Registry;

/// `app` is empty, `source` has an image and a blob that no image refers to.
async fn registry(by_operator: bool, setting: Option<&str>) -> Registry {
    let settings =
        Settings { blob_mounting: by_operator, gc_grace_seconds: 3600, ..Settings::default() };
    let registry = Registry::with(settings).await;
    for name in ["app", "source"] {
        registry.create(name).await;
    }
    registry.push_image("source", "v1").await;
    registry.push("source", b"loose").await;
    if let Some(value) = setting {
        let (name, value) = ("BLOB_MOUNTING".to_owned(), value.to_owned());
        let operation = PutAccountSetting { setting: AccountSettingValue { name, value } };
        let context = registry.context(&registry.root, "us-east-1");
        execute(&registry.app, &context, operation).await.unwrap();
    }
    registry
}

#[tokio::test]
async fn end_11_what_is_mounted_and_what_is_answered_with_an_upload() {
    let layer = Digest::of_sha256(LAYER);
    let loose = Digest::of_sha256(b"loose");
    let missing = Digest::of_sha256(b"missing");
    let queries = [
        format!("mount={layer}&from=source"),
        format!("mount={layer}"),
        format!("mount={layer}&from="),
        format!("mount={loose}&from=source"),
        format!("mount={loose}"),
        format!("mount={missing}&from=source"),
        format!("mount={missing}"),
        format!("mount={layer}&from=none"),
        format!("mount={layer}&from=Not%20a%20name"),
        format!("mount={layer}&from=app"),
    ];
    // Of each query, in order: whether it is mounted.
    for (by_operator, setting, expected) in [
        (false, None, ".........."),
        (false, Some("DISABLED"), ".........."),
        (false, Some("ENABLED"), "x........."),
        (true, None, "xxxxx....."),
        (true, Some("ENABLED"), "xxxxx....."),
        (true, Some("DISABLED"), ".........."),
    ] {
        for (query, expected) in queries.iter().zip(expected.chars()) {
            let registry = registry(by_operator, setting).await;
            let answer = registry.call(format!("POST /v2/app/blobs/uploads/?{query}")).await;
            let digest = &query["mount=".len()..][..layer.as_str().len()];
            let blob = format!("/v2/app/blobs/{digest}");
            if expected == 'x' {
                let answer = answer.check("201", &[("docker-content-digest", digest)]);
                assert_eq!(answer.location(), blob, "{query}");
                registry.call(format!("GET {blob}")).await.check("200", &[]);
            } else {
                let upload =
                    answer.check("202", &[("docker-content-digest", "-"), ("range", "0-0")]);
                registry.call(format!("HEAD {blob}")).await.check("404", &[]);
                registry.call(format!("DELETE {}", upload.location())).await.check("204", &[]);
            }
        }
    }
}

#[tokio::test]
async fn end_11_the_target_must_exist_and_the_digest_must_be_one() {
    let registry = registry(true, None).await;
    let layer = Digest::of_sha256(LAYER);
    for (path, expected) in [
        (format!("none/blobs/uploads/?mount={layer}&from=source"), "404 NAME_UNKNOWN"),
        ("app/blobs/uploads/?mount=sha256:abc&from=source".to_owned(), "400 DIGEST_INVALID"),
        ("app/blobs/uploads/?mount=".to_owned(), "400 DIGEST_INVALID"),
    ] {
        registry.call(format!("POST /v2/{path}")).await.check(expected, &[]);
    }
}

#[tokio::test]
async fn a_mounted_blob_is_as_good_as_a_pushed_one_and_outlives_its_source() {
    let registry = registry(false, Some("ENABLED")).await;
    for blob in [CONFIG, LAYER] {
        let digest = Digest::of_sha256(blob);
        registry
            .call(format!("POST /v2/app/blobs/uploads/?mount={digest}&from=source"))
            .await
            .check("201", &[]);
    }
    let manifest = content::text(&content::image("mounted"));
    registry.put("app", "v1", OCI_IMAGE, &manifest).await.check("201", &[]);
    registry.call("DELETE /v2/source/manifests/v1").await.check("202", &[]);
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    let layer = Digest::of_sha256(LAYER);
    registry.call(format!("HEAD /v2/source/blobs/{layer}")).await.check("404", &[]);
    assert_eq!(registry.pull("app", &layer).await, LAYER);
}

#[tokio::test]
async fn nothing_is_mounted_over_the_edge_of_an_account() {
    let registry = registry(true, None).await;
    let other = registry.other_account().await;
    registry.create_as(&other, "theirs").await;
    let credentials = format!("Basic {}", registry.token_of(&other, "us-east-1").await);
    let layer = Digest::of_sha256(LAYER);
    for query in [format!("mount={layer}&from=source"), format!("mount={layer}")] {
        registry
            .call(format!("POST /v2/theirs/blobs/uploads/?{query}"))
            .with("authorization", &*credentials)
            .await
            .check("202", &[]);
    }
}
