//! Pushes to repositories that are caches of other registries.

use tonnage_domain::execute::execute;
use tonnage_domain::names::Digest;
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;

use crate::content::{self, LAYER, OCI_IMAGE};
use crate::registry::Registry;

#[tokio::test]
async fn nothing_is_pushed_below_the_prefix_of_a_rule() {
    let registry = Registry::open().await;
    registry.create("quay/app").await;
    registry.push_image("quay/app", "before").await;
    let create = CreatePullThroughCacheRule {
        registry_id: None,
        prefix: "quay".to_owned(),
        upstream_url: "quay.io".to_owned(),
        upstream_registry: None,
        upstream_prefix: None,
        credential_arn: None,
        custom_role_arn: None,
    };
    let context = registry.context(&registry.root, "us-east-1");
    execute(&registry.app, &context, create).await.unwrap();

    let layer = Digest::of_sha256(LAYER);
    for (path, expected) in [
        ("quay/app/blobs/uploads/".to_owned(), "403 DENIED"),
        (format!("quay/app/blobs/uploads/?digest={layer}"), "403 DENIED"),
        (format!("quay/app/blobs/uploads/?mount={layer}&from=app"), "403 DENIED"),
        ("quay/new/blobs/uploads/".to_owned(), "403 DENIED"),
        ("app/blobs/uploads/".to_owned(), "202"),
    ] {
        registry.call(format!("POST /v2/{path}")).body(LAYER).await.check(expected, &[]);
    }
    let manifest = content::text(&content::image("after"));
    registry.put("quay/app", "after", OCI_IMAGE, &manifest).await.check("403 DENIED", &[]);
    // What is there can be had and be deleted.
    registry.call("GET /v2/quay/app/manifests/before").await.check("200", &[]);
    registry.call("DELETE /v2/quay/app/manifests/before").await.check("202", &[]);
}
