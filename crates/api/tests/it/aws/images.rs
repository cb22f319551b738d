//! Images pushed through the layer-part API and `PutImage` alone.

use serde_json::{Value, json};
use tonnage_domain::names::Digest;

use super::layers::upload;
use crate::registry::{ACCOUNT, NOW, Registry};

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &[u8] = b"{}";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";

pub(super) struct Pushed {
    pub(super) digest: String,
    manifest: String,
}

fn manifest(layer: &[u8]) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "digest": Digest::of_sha256(CONFIG).as_str(),
            "size": CONFIG.len(),
        },
        "layers": [{
            "mediaType": LAYER_TYPE,
            "digest": Digest::of_sha256(layer).as_str(),
            "size": layer.len(),
        }],
    })
    .to_string()
}

/// Pushes an image with one layer.
pub(super) async fn push(
    registry: &Registry,
    repository: &str,
    layer: &[u8],
    tag: Option<&str>,
) -> Pushed {
    let (config_digest, layer_digest) = (Digest::of_sha256(CONFIG), Digest::of_sha256(layer));
    for (digest, bytes) in [(&config_digest, CONFIG), (&layer_digest, layer)] {
        let input = json!({"repositoryName": repository, "layerDigests": [digest.as_str()]});
        let known = registry.call("BatchCheckLayerAvailability", &input).await;
        if known["layers"][0]["layerAvailability"] == "UNAVAILABLE" {
            assert_eq!(upload(registry, repository, bytes, 5 << 20).await, digest.as_str());
        }
    }
    put(registry, repository, manifest(layer), tag).await
}

async fn put(registry: &Registry, repository: &str, manifest: String, tag: Option<&str>) -> Pushed {
    let digest = Digest::of_sha256(manifest.as_bytes()).to_string();
    let mut input = json!({"repositoryName": repository, "imageManifest": manifest});
    let mut id = json!({"imageDigest": digest});
    if let Some(tag) = tag {
        input["imageTag"] = json!(tag);
        id["imageTag"] = json!(tag);
    }
    let media_type: Value = serde_json::from_str(&manifest).unwrap();
    registry
        .check(
            "PutImage",
            input,
            json!({"image": {
                "registryId": ACCOUNT,
                "repositoryName": repository,
                "imageId": id,
                "imageManifest": manifest,
                "imageManifestMediaType": media_type["mediaType"],
            }}),
        )
        .await;
    Pushed { digest, manifest }
}

async fn put_index(registry: &Registry, children: &[&Pushed], tag: Option<&str>) -> Pushed {
    let children: Vec<Value> = children
        .iter()
        .map(|child| {
            json!({
                "mediaType": OCI_IMAGE,
                "digest": child.digest,
                "size": child.manifest.len(),
            })
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children});
    put(registry, "app", index.to_string(), tag).await
}

async fn with_repository() -> Registry {
    let registry = Registry::open().await;
    registry.call("CreateRepository", &json!({"repositoryName": "app"})).await;
    registry
}

fn image(pushed: &Pushed, id: &Value) -> Value {
    json!({
        "registryId": ACCOUNT,
        "repositoryName": "app",
        "imageId": id,
        "imageManifest": pushed.manifest,
        "imageManifestMediaType": OCI_IMAGE,
    })
}

fn failure(id: &Value, code: &str, reason: &str) -> Value {
    json!({"imageId": id, "failureCode": code, "failureReason": reason})
}

#[tokio::test]
async fn an_image_comes_back_byte_for_byte() {
    let registry = with_repository().await;
    let pushed = push(&registry, "app", b"layer one", Some("v1")).await;
    let id = json!({"imageDigest": pushed.digest, "imageTag": "v1"});
    let by_digest = json!({"imageDigest": pushed.digest});
    registry
        .check(
            "BatchGetImage",
            json!({
                "repositoryName": "app",
                "imageIds": [{"imageTag": "v1"}, by_digest, id],
                "acceptedMediaTypes": ["application/vnd.docker.distribution.manifest.v2+json"],
            }),
            json!({
                "images": [
                    image(&pushed, &id),
                    image(&pushed, &by_digest),
                    image(&pushed, &id),
                ],
                "failures": [],
            }),
        )
        .await;
}

#[tokio::test]
async fn identifiers_fail_one_by_one_in_the_order_of_the_request() {
    let registry = with_repository().await;
    let pushed = push(&registry, "app", b"layer one", Some("v1")).await;
    let other = push(&registry, "app", b"layer two", Some("v2")).await;
    let absent = json!({"imageTag": "absent"});
    let of_other_algorithm = json!({"imageDigest": "md5:d41d8cd98f00b204e9800998ecf8427e"});
    let no_digest = json!({"imageDigest": "nonsense"});
    let no_tag = json!({"imageTag": "-not a tag"});
    let disagreeing = json!({"imageDigest": other.digest, "imageTag": "v1"});
    const NOT_FOUND: &str = "Requested image not found";
    let failures = json!([
        failure(&absent, "ImageNotFound", NOT_FOUND),
        failure(
            &no_digest,
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex \
             '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        ),
        failure(
            &json!({}),
            "MissingDigestAndTag",
            "Invalid request parameters: both tag and digest cannot be null",
        ),
        failure(&of_other_algorithm, "ImageNotFound", NOT_FOUND),
        failure(
            &disagreeing,
            "ImageTagDoesNotMatchDigest",
            "The image tag does not refer to the image with the image digest",
        ),
        failure(
            &no_tag,
            "InvalidImageTag",
            "Invalid request parameters: image tag should satisfy the regex \
             '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
        ),
    ]);
    let input = json!({
        "repositoryName": "app",
        "imageIds":
            [absent, no_digest, {"imageTag": "v1"}, {}, of_other_algorithm, disagreeing, no_tag],
    });
    let tagged = json!({"imageDigest": pushed.digest, "imageTag": "v1"});
    registry
        .check(
            "BatchGetImage",
            input.clone(),
            json!({"images": [image(&pushed, &tagged)], "failures": failures}),
        )
        .await;
    let mut failures = failures;
    // The tag goes with the image before the disagreeing identifier is looked at.
    failures[4] = failure(&disagreeing, "ImageNotFound", NOT_FOUND);
    registry
        .check("BatchDeleteImage", input, json!({"imageIds": [tagged], "failures": failures}))
        .await;
    let only_malformed = json!({"repositoryName": "app", "imageIds": [{"imageDigest": "x"}]});
    let output = registry.call("BatchGetImage", &only_malformed).await;
    assert_eq!(output["failures"][0]["failureCode"], "InvalidImageDigest");
}

#[tokio::test]
async fn images_are_listed_and_described() {
    let registry = with_repository().await;
    let first = push(&registry, "app", b"layer one", Some("v1")).await;
    registry.clock.advance_seconds(10);
    put(&registry, "app", first.manifest.clone(), Some("latest")).await;
    let second = push(&registry, "app", b"layer two!", None).await;
    let ids = |tag_status: &str| match tag_status {
        "TAGGED" => json!([
            {"imageDigest": first.digest, "imageTag": "latest"},
            {"imageDigest": first.digest, "imageTag": "v1"},
        ]),
        "UNTAGGED" => json!([{"imageDigest": second.digest}]),
        _ => json!([
            {"imageDigest": first.digest, "imageTag": "latest"},
            {"imageDigest": first.digest, "imageTag": "v1"},
            {"imageDigest": second.digest},
        ]),
    };
    let detail = |pushed: &Pushed, size: usize, after: f64| {
        json!({
            "registryId": ACCOUNT,
            "repositoryName": "app",
            "imageDigest": pushed.digest,
            "imageSizeInBytes": size + CONFIG.len(),
            "imagePushedAt": NOW.epoch_seconds() + after,
            "imageManifestMediaType": OCI_IMAGE,
            "artifactMediaType": CONFIG_TYPE,
            "imageStatus": "ACTIVE",
        })
    };
    let mut one = detail(&first, 9, 0.0);
    one["imageTags"] = json!(["latest", "v1"]);
    let two = detail(&second, 10, 10.0);
    let details = |tag_status: &str| match tag_status {
        "TAGGED" => json!([one]),
        "UNTAGGED" => json!([two]),
        _ => json!([one, two]),
    };
    for tag_status in ["ANY", "TAGGED", "UNTAGGED"] {
        let filter = json!({"tagStatus": tag_status});
        let input = json!({"repositoryName": "app", "filter": filter});
        registry.check("ListImages", input.clone(), json!({"imageIds": ids(tag_status)})).await;
        let expected = json!({"imageDetails": details(tag_status)});
        registry.check("DescribeImages", input, expected.clone()).await;
        let input = json!({
            "repositoryName": "app",
            "imageIds": [{"imageTag": "v1"}, {"imageDigest": second.digest}],
            "filter": filter,
        });
        registry.check("DescribeImages", input, expected).await;
    }
    for (image_status, shows) in
        [("ACTIVE", true), ("ANY", true), ("ARCHIVED", false), ("ACTIVATING", false)]
    {
        let input = json!({"repositoryName": "app", "filter": {"imageStatus": image_status}});
        let (expected_ids, expected_details) =
            if shows { (ids("ANY"), details("ANY")) } else { (json!([]), json!([])) };
        registry.check("ListImages", input.clone(), json!({"imageIds": expected_ids})).await;
        registry.check("DescribeImages", input, json!({"imageDetails": expected_details})).await;
    }
    let page = json!({"repositoryName": "app", "maxResults": 2});
    let listed = registry.call("ListImages", &page).await;
    assert_eq!(listed["imageIds"].as_array().unwrap().len(), 2);
    let rest = json!({"repositoryName": "app", "nextToken": listed["nextToken"]});
    let rest = registry.call("ListImages", &rest).await;
    assert_eq!(rest, json!({"imageIds": ids("UNTAGGED")}));
    registry
        .check_error(
            "ListImages",
            json!({
                "repositoryName": "app",
                "nextToken": listed["nextToken"],
                "filter": {"tagStatus": "TAGGED"},
            }),
            "InvalidParameterException",
            "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'",
        )
        .await;
}

#[tokio::test]
async fn describing_an_absent_image_fails_the_call() {
    let registry = with_repository().await;
    let check = async |id: Value, code: &str, message: &str| {
        let input = json!({"repositoryName": "app", "imageIds": [id]});
        registry.check_error("DescribeImages", input, code, message).await;
    };
    check(
        json!({"imageTag": "v1"}),
        "ImageNotFoundException",
        "The image with imageId {imageDigest:'null', imageTag:'v1'} does not exist within the \
         repository with name 'app' in the registry with id '123456789012'",
    )
    .await;
    check(
        json!({}),
        "InvalidParameterException",
        "Invalid parameter at 'imageIds' failed to satisfy constraint: 'both tag and digest cannot \
         be null'",
    )
    .await;
    check(
        json!({"imageDigest": "nonsense"}),
        "InvalidParameterException",
        "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must satisfy regular \
         expression 'sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}''",
    )
    .await;
    let input = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}], "maxResults": 1});
    registry
        .check_error(
            "DescribeImages",
            input,
            "InvalidParameterException",
            "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must not be \
             set together with imageIds'",
        )
        .await;
}

#[tokio::test]
async fn refused_pushes_have_the_codes_of_ecr() {
    let registry = with_repository().await;
    let pushed = push(&registry, "app", b"layer one", Some("v1")).await;
    let check = async |more: Value, code: &str, message: &str| {
        let mut input = json!({"repositoryName": "app", "imageManifest": pushed.manifest});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        registry.check_error("PutImage", input, code, message).await;
    };
    let digest = &pushed.digest;
    check(
        json!({"imageTag": "v1"}),
        "ImageAlreadyExistsException",
        &format!(
            "Image with digest '{digest}' and tag 'v1' already exists in the repository with name \
             'app' in registry with id '123456789012'"
        ),
    )
    .await;
    let wrong = Digest::of_sha256(b"wrong").to_string();
    check(
        json!({"imageTag": "v2", "imageDigest": wrong}),
        "ImageDigestDoesNotMatchException",
        &format!(
            "The image with digest '{wrong}' in repository 'app' and registry ID '123456789012' \
             does not match the image digest that Amazon ECR has calculated."
        ),
    )
    .await;
    let missing = Digest::of_sha256(b"missing");
    check(
        json!({"imageManifest": manifest(b"missing")}),
        "LayersNotFoundException",
        &format!(
            "Layers with digests '[{missing}]' required for pushing image into repository with \
             name 'app' in the registry with id '123456789012' do not exist"
        ),
    )
    .await;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_IMAGE, "digest": missing.as_str(), "size": 3}],
    });
    check(
        json!({"imageManifest": index.to_string()}),
        "ReferencedImagesNotFoundException",
        &format!(
            "Images with digests '[{missing}]' required for pushing image into repository with \
             name 'app' in the registry with id '123456789012' do not exist"
        ),
    )
    .await;
    check(
        json!({"imageTag": "not a tag"}),
        "InvalidParameterException",
        "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular \
         expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}''",
    )
    .await;
    let answer = registry
        .send(&super::operation(
            "PutImage",
            &json!({"repositoryName": "app", "imageManifest": "not JSON"}),
        ))
        .await;
    let (code, status, message) = super::error_of(&answer);
    assert_eq!((code.as_str(), status), ("InvalidParameterException", 400));
    let words = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'The image \
                 manifest is not valid: ";
    assert!(message.starts_with(words), "{message}");

    let input = json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
    registry.call("PutImageTagMutability", &input).await;
    check(
        json!({"imageTag": "v1"}),
        "ImageTagAlreadyExistsException",
        "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten \
         because the tag is immutable.",
    )
    .await;
}

#[tokio::test]
async fn deleting_by_tag_and_by_digest() {
    let registry = with_repository().await;
    let pushed = push(&registry, "app", b"layer one", Some("v1")).await;
    put(&registry, "app", pushed.manifest.clone(), Some("v2")).await;
    put(&registry, "app", pushed.manifest.clone(), Some("v3")).await;
    let delete = async |id: Value, expected: Value| {
        registry
            .check(
                "BatchDeleteImage",
                json!({"repositoryName": "app", "imageIds": [id]}),
                json!({"imageIds": expected, "failures": []}),
            )
            .await;
    };
    let entry = |tag: &str| json!({"imageDigest": pushed.digest, "imageTag": tag});
    delete(json!({"imageTag": "v2"}), json!([entry("v2")])).await;
    delete(json!({"imageDigest": pushed.digest}), json!([entry("v1"), entry("v3")])).await;
    registry.check("ListImages", json!({"repositoryName": "app"}), json!({"imageIds": []})).await;
}

#[tokio::test]
async fn children_of_an_index_stay_unless_it_goes_too() {
    let registry = with_repository().await;
    let child = push(&registry, "app", b"layer one", None).await;
    let index = put_index(&registry, &[&child], Some("multi")).await;
    let child_id = json!({"imageDigest": child.digest});
    registry
        .check(
            "BatchDeleteImage",
            json!({"repositoryName": "app", "imageIds": [child_id]}),
            json!({
                "imageIds": [],
                "failures": [failure(&child_id,
                    "ImageReferencedByManifestList",
                    &format!("Requested image referenced by manifest list: [{}]", index.digest),
                )],
            }),
        )
        .await;
    registry
        .check_error(
            "DeleteRepository",
            json!({"repositoryName": "app"}),
            "RepositoryNotEmptyException",
            "The repository with name 'app' in registry with id '123456789012' cannot be deleted \
             because it still contains images",
        )
        .await;
    registry
        .check(
            "BatchDeleteImage",
            json!({"repositoryName": "app", "imageIds": [child_id, {"imageTag": "multi"}]}),
            json!({
                "imageIds": [{"imageDigest": index.digest, "imageTag": "multi"}, child_id],
                "failures": [],
            }),
        )
        .await;
    push(&registry, "app", b"layer one", Some("again")).await;
    let forced = json!({"repositoryName": "app", "force": true});
    assert_eq!(
        registry.call("DeleteRepository", &forced).await["repository"]["repositoryName"],
        "app"
    );
}

#[tokio::test]
async fn a_batch_names_1_to_100_images() {
    let registry = with_repository().await;
    let check = async |count: usize, constraint: &str| {
        let ids: Vec<Value> =
            (0..count).map(|number| json!({"imageTag": format!("v{number}")})).collect();
        for name in ["BatchGetImage", "BatchDeleteImage", "DescribeImages"] {
            registry
                .check_error(
                    name,
                    json!({"repositoryName": "app", "imageIds": ids}),
                    "InvalidParameterException",
                    &format!(
                        "Invalid parameter at 'imageIds' failed to satisfy constraint: \
                         'Member must have length {constraint}'"
                    ),
                )
                .await;
        }
    };
    check(0, "greater than or equal to 1").await;
    check(101, "less than or equal to 100").await;
}
