use serde_json::{Value, json};
use tonnage_domain::jobs::Worker;

use crate::registry::Registry;

const POLICY: &str = r#"{"rules":[{"rulePriority":1,"description":"the newest one","selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#;

fn of(repository: &str, members: &Value) -> Value {
    let mut input = json!({"repositoryName": repository});
    for (key, value) in members.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

async fn open() -> Registry {
    let registry = Registry::open().await;
    registry.call("CreateRepository", &json!({"repositoryName": "app"})).await;
    registry
}

async fn drain(registry: &Registry) {
    let worker = Worker::default();
    while worker.run_one(&registry.app).await.unwrap().is_some() {}
}

/// An image without layers, and its digest.
async fn push(registry: &Registry, label: &str, tag: &str) -> String {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
        "annotations": {"label": label},
    });
    let input = json!({"imageManifest": manifest.to_string(), "imageTag": tag});
    let put = registry.call("PutImage", &of("app", &input)).await;
    registry.clock.advance_seconds(1);
    put["image"]["imageId"]["imageDigest"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn policies_are_put_shown_and_deleted() {
    let registry = open().await;
    let absent = "Lifecycle policy does not exist for the repository with name 'app' in the \
                  registry with id '123456789012'";
    for name in ["GetLifecyclePolicy", "DeleteLifecyclePolicy", "StartLifecyclePolicyPreview"] {
        let code = "LifecyclePolicyNotFoundException";
        registry.check_error(name, of("app", &json!({})), code, absent).await;
    }
    let shown = json!({
        "registryId": "123456789012",
        "repositoryName": "app",
        "lifecyclePolicyText": POLICY,
    });
    let spaced = POLICY.replace(',', " ,\n");
    let put = of("app", &json!({"lifecyclePolicyText": spaced}));
    registry.check("PutLifecyclePolicy", put, shown.clone()).await;
    let mut evaluated = shown.clone();
    evaluated["lastEvaluatedAt"] = json!(0.0);
    registry.check("GetLifecyclePolicy", of("app", &json!({})), evaluated.clone()).await;
    drain(&registry).await;
    evaluated["lastEvaluatedAt"] = json!(1_770_091_506.789);
    registry.check("GetLifecyclePolicy", of("app", &json!({})), evaluated.clone()).await;
    registry.check("DeleteLifecyclePolicy", of("app", &json!({})), evaluated).await;
    let missing =
        "The repository with name 'none' does not exist in the registry with id '123456789012'";
    for name in [
        "GetLifecyclePolicy",
        "DeleteLifecyclePolicy",
        "StartLifecyclePolicyPreview",
        "GetLifecyclePolicyPreview",
    ] {
        let code = "RepositoryNotFoundException";
        registry.check_error(name, of("none", &json!({})), code, missing).await;
    }
}

#[tokio::test]
async fn texts_that_are_no_policies_are_refused() {
    let registry = open().await;
    let check = async |text: String, code: &str, message: &str| {
        for name in ["PutLifecyclePolicy", "StartLifecyclePolicyPreview"] {
            let input = of("app", &json!({"lifecyclePolicyText": text.clone()}));
            registry.check_error(name, input, code, message).await;
        }
    };
    check(
        POLICY.replace("rules", "rulez"),
        "InvalidParameterException",
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle \
         policy validation failure: object has missing required properties ([\"rules\"])\n\
         object instance has properties which are not allowed by the schema: ([\"rulez\"])\n'",
    )
    .await;
}

#[tokio::test]
async fn a_preview_is_made_and_read_in_pages() {
    let registry = open().await;
    let mut digests = Vec::new();
    for tag in ["a", "b", "c"] {
        digests.push(push(&registry, tag, tag).await);
    }
    let get = |members: Value| of("app", &members);
    registry
        .check_error(
            "GetLifecyclePolicyPreview",
            get(json!({})),
            "LifecyclePolicyPreviewNotFoundException",
            "Lifecycle policy preview does not exist for the repository with name 'app' in the \
             registry with id '123456789012'",
        )
        .await;
    let text = POLICY.replace(',', " ,");
    let start = of("app", &json!({"lifecyclePolicyText": text}));
    let started = json!({
        "registryId": "123456789012",
        "repositoryName": "app",
        "lifecyclePolicyText": text,
        "status": "IN_PROGRESS",
    });
    registry.check("StartLifecyclePolicyPreview", start.clone(), started.clone()).await;
    registry
        .check_error(
            "StartLifecyclePolicyPreview",
            start,
            "LifecyclePolicyPreviewInProgressException",
            "The lifecycle policy preview for the repository with name 'app' in the registry with \
             id '123456789012' is in progress; wait until it is complete",
        )
        .await;
    let mut shown = started;
    shown["previewResults"] = json!([]);
    shown["summary"] = json!({"expiringImageTotalCount": 0});
    registry.check("GetLifecyclePolicyPreview", get(json!({})), shown.clone()).await;
    drain(&registry).await;

    shown["status"] = json!("COMPLETE");
    shown["summary"] = json!({"expiringImageTotalCount": 2});
    let result = |index: usize, tag: &str, pushed_at: f64| {
        json!({
            "imageTags": [tag],
            "imageDigest": digests[index],
            "imagePushedAt": pushed_at,
            "action": {"type": "EXPIRE"},
            "appliedRulePriority": 1,
            "storageClass": "STANDARD",
        })
    };
    let both = [result(0, "a", 1_770_091_506.789), result(1, "b", 1_770_091_507.789)];
    shown["previewResults"] = json!(both);
    registry.check("GetLifecyclePolicyPreview", get(json!({})), shown.clone()).await;
    shown["previewResults"] = json!([both[0]]);
    shown["nextToken"] = json!("*");
    let first = get(json!({"maxResults": 1}));
    let page = registry.call("GetLifecyclePolicyPreview", &first).await;
    registry.check("GetLifecyclePolicyPreview", first, shown.clone()).await;
    shown["previewResults"] = json!([both[1]]);
    shown.as_object_mut().unwrap().remove("nextToken");
    let second = get(json!({"maxResults": 1, "nextToken": page["nextToken"]}));
    registry.check("GetLifecyclePolicyPreview", second, shown.clone()).await;
    let named = get(json!({"imageIds": [{"imageTag": "b"}, {"imageTag": "c"}]}));
    registry.check("GetLifecyclePolicyPreview", named, shown.clone()).await;
    shown["previewResults"] = json!([]);
    let untagged = get(json!({"filter": {"tagStatus": "UNTAGGED"}}));
    registry.check("GetLifecyclePolicyPreview", untagged, shown).await;
    registry
        .check_error(
            "GetLifecyclePolicyPreview",
            get(json!({"imageIds": [{"imageTag": "b"}], "maxResults": 1})),
            "InvalidParameterException",
            "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must not be \
             set together with imageIds'",
        )
        .await;
}
