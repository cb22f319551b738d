//! Layers through the layer-part API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tonnage_domain::names::{Algorithm, Digest};

use crate::registry::{ACCOUNT, LOCALHOST, Plain, Registry};

const MIB: usize = 1024 * 1024;

/// Uploads a layer in parts of this size; its digest.
pub(super) async fn upload(
    registry: &Registry,
    repository: &str,
    bytes: &[u8],
    part_bytes: usize,
) -> String {
    let begun = registry.call("InitiateLayerUpload", &json!({"repositoryName": repository})).await;
    let upload_id = &begun["uploadId"];
    assert_eq!(begun["partSize"], 10_485_760);
    let mut first = 0;
    for part in bytes.chunks(part_bytes) {
        let last = first + part.len() - 1;
        registry
            .check(
                "UploadLayerPart",
                part_input(repository, upload_id, first, last, part),
                json!({
                    "registryId": ACCOUNT,
                    "repositoryName": repository,
                    "uploadId": upload_id,
                    "lastByteReceived": last,
                }),
            )
            .await;
        first = last + 1;
    }
    let digest = Digest::of_sha256(bytes).to_string();
    registry
        .check(
            "CompleteLayerUpload",
            json!({
                "repositoryName": repository,
                "uploadId": upload_id,
                "layerDigests": [digest],
            }),
            json!({
                "registryId": ACCOUNT,
                "repositoryName": repository,
                "uploadId": upload_id,
                "layerDigest": digest,
            }),
        )
        .await;
    digest
}

fn part_input(
    repository: &str,
    upload_id: &Value,
    first: usize,
    last: usize,
    bytes: &[u8],
) -> Value {
    json!({
        "repositoryName": repository,
        "uploadId": upload_id,
        "partFirstByte": first,
        "partLastByte": last,
        "layerPartBlob": STANDARD.encode(bytes),
    })
}

async fn with_repository() -> Registry {
    let registry = Registry::open().await;
    registry.call("CreateRepository", &json!({"repositoryName": "app"})).await;
    registry
}

async fn begin(registry: &Registry) -> Value {
    registry.call("InitiateLayerUpload", &json!({"repositoryName": "app"})).await["uploadId"]
        .clone()
}

#[tokio::test]
async fn layers_of_one_and_of_many_parts_arrive() {
    let registry = with_repository().await;
    let small = upload(&registry, "app", b"a small layer", MIB).await;
    let large: Vec<u8> = (0..12 * MIB).map(|index| (index % 251) as u8).collect();
    let parts = upload(&registry, "app", &large, 5 * MIB).await;
    let whole: Vec<u8> = (0..20 * MIB).map(|index| (index % 241) as u8).collect();
    let one_part = upload(&registry, "app", &whole, 20 * MIB).await;
    let absent = Digest::of_sha256(b"absent").to_string();
    registry
        .check(
            "BatchCheckLayerAvailability",
            json!({
                "repositoryName": "app",
                "layerDigests":
                    [small, "md5:d41d8cd98f00b204e9800998ecf8427e", "nonsense", parts, absent, "",
                     one_part, small],
            }),
            json!({
                "layers": [
                    {"layerDigest": small, "layerAvailability": "AVAILABLE", "layerSize": 13},
                    {
                        "layerDigest": "md5:d41d8cd98f00b204e9800998ecf8427e",
                        "layerAvailability": "UNAVAILABLE",
                    },
                    {
                        "layerDigest": parts,
                        "layerAvailability": "AVAILABLE",
                        "layerSize": 12 * MIB,
                    },
                    {"layerDigest": absent, "layerAvailability": "UNAVAILABLE"},
                    {
                        "layerDigest": one_part,
                        "layerAvailability": "AVAILABLE",
                        "layerSize": 20 * MIB,
                    },
                    {"layerDigest": small, "layerAvailability": "AVAILABLE", "layerSize": 13},
                ],
                "failures": [
                    {
                        "layerDigest": "nonsense",
                        "failureCode": "InvalidLayerDigest",
                        "failureReason": "Invalid request parameters: layer digest should satisfy \
                                          the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
                    },
                    {
                        "layerDigest": "",
                        "failureCode": "MissingLayerDigest",
                        "failureReason": "Invalid request parameters: layer digest cannot be empty",
                    },
                ],
            }),
        )
        .await;
}

#[tokio::test]
async fn a_part_that_does_not_continue_says_where_to_go_on() {
    let registry = with_repository().await;
    let upload_id = begin(&registry).await;
    let out_of_order = async |first: usize, message: &str, last_valid: Option<u64>| {
        let input = part_input("app", &upload_id, first, first + 3, b"four");
        let answer = registry.send(&super::operation("UploadLayerPart", &input)).await;
        let mut expected = json!({
            "__type": "InvalidLayerPartException",
            "message": message,
            "registryId": ACCOUNT,
            "repositoryName": "app",
            "uploadId": upload_id,
        });
        if let Some(last_valid) = last_valid {
            expected["lastValidByteReceived"] = json!(last_valid);
        }
        assert_eq!(super::document(&answer), expected);
        assert_eq!(answer.status, 400);
    };
    out_of_order(4, "First byte of the layer part is 4 instead of 0", None).await;
    let input = part_input("app", &upload_id, 0, 3, b"four");
    registry.call("UploadLayerPart", &input).await;
    out_of_order(0, "First byte of the layer part is 0 instead of 4", Some(3)).await;
    out_of_order(5, "First byte of the layer part is 5 instead of 4", Some(3)).await;
    let input = part_input("app", &upload_id, 4, 7, b"four");
    assert_eq!(registry.call("UploadLayerPart", &input).await["lastByteReceived"], 7);
}

#[tokio::test]
async fn wrong_uploads_have_the_codes_of_ecr() {
    let registry = with_repository().await;
    let check = async |name: &str, input: Value, code: &str, message: &str| {
        registry.check_error(name, input, code, message).await;
    };
    let complete = |upload_id: &Value, digest: &str| json!({"repositoryName": "app", "uploadId": upload_id, "layerDigests": [digest]});
    let four = Digest::of_sha256(b"four").to_string();

    let upload_id = begin(&registry).await;
    check(
        "UploadLayerPart",
        part_input("app", &upload_id, 0, 9, b"four"),
        "InvalidLayerPartException",
        "The part has 4 bytes, but its range says 10.",
    )
    .await;
    check(
        "UploadLayerPart",
        part_input("app", &upload_id, 4, 0, b"four"),
        "InvalidParameterException",
        "Invalid parameter at 'partLastByte' failed to satisfy constraint: 'Member must have value \
         greater than or equal to partFirstByte'",
    )
    .await;
    let mut not_base64 = part_input("app", &upload_id, 0, 3, b"four");
    for text in ["Zm91cg=!", "Zm91ch==", "Zm91_g=="] {
        not_base64["layerPartBlob"] = json!(text);
        check(
            "UploadLayerPart",
            not_base64.clone(),
            "SerializationException",
            "Invalid base64 in layerPartBlob",
        )
        .await;
    }
    check(
        "CompleteLayerUpload",
        complete(&upload_id, &four),
        "EmptyUploadException",
        "The specified layer upload does not contain any layer parts.",
    )
    .await;

    registry.call("UploadLayerPart", &part_input("app", &upload_id, 0, 3, b"four")).await;
    registry.call("UploadLayerPart", &part_input("app", &upload_id, 4, 7, b"four")).await;
    check(
        "CompleteLayerUpload",
        complete(&upload_id, &four),
        "LayerPartTooSmallException",
        "Layer parts other than the last must be at least 5242880 bytes.",
    )
    .await;

    // Whatever was wrong with the digests, the upload is gone.
    for digest in ["sha384:00", Digest::of_sha256(b"five").as_str()] {
        let upload_id = begin(&registry).await;
        registry.call("UploadLayerPart", &part_input("app", &upload_id, 0, 3, b"four")).await;
        check(
            "CompleteLayerUpload",
            complete(&upload_id, digest),
            "InvalidLayerException",
            "None of the provided layer digests match the calculated layer digest",
        )
        .await;
        let gone = upload_id.as_str().unwrap();
        check(
            "CompleteLayerUpload",
            complete(&upload_id, &four),
            "UploadNotFoundException",
            &format!(
                "The upload with id '{gone}' does not exist in the repository with name 'app' in \
                 the registry with id '123456789012'"
            ),
        )
        .await;
    }

    upload(&registry, "app", b"four", MIB).await;
    let upload_id = begin(&registry).await;
    registry.call("UploadLayerPart", &part_input("app", &upload_id, 0, 3, b"four")).await;
    check(
        "CompleteLayerUpload",
        complete(&upload_id, &four),
        "LayerAlreadyExistsException",
        &format!(
            "The layer with digest '{four}' already exists in the repository with name 'app' in \
             the registry with id '123456789012'"
        ),
    )
    .await;
}

#[tokio::test]
async fn any_of_the_digests_may_be_the_right_one() {
    let registry = with_repository().await;
    let upload_id = begin(&registry).await;
    registry.call("UploadLayerPart", &part_input("app", &upload_id, 0, 3, b"four")).await;
    let right = Digest::of(Algorithm::Sha512, b"four").to_string();
    let wrong = Digest::of(Algorithm::Sha512, b"five").to_string();
    let sha256 = Digest::of_sha256(b"six").to_string();
    let input = json!({
        "repositoryName": "app",
        "uploadId": upload_id,
        "layerDigests": ["md5:00", sha256, wrong, right],
    });
    assert_eq!(registry.call("CompleteLayerUpload", &input).await["layerDigest"], right);
}

#[tokio::test]
async fn a_layer_is_downloaded_through_a_link_once_an_image_has_it() {
    let registry = with_repository().await;
    let absent = Digest::of_sha256(b"absent").to_string();
    let url = async |digest: &str| {
        registry
            .call(
                "GetDownloadUrlForLayer",
                &json!({"repositoryName": "app", "layerDigest": digest}),
            )
            .await
    };
    registry
        .check_error(
            "GetDownloadUrlForLayer",
            json!({"repositoryName": "app", "layerDigest": absent}),
            "LayersNotFoundException",
            &format!(
                "The layer with digest '{absent}' does not exist in the repository with name 'app' \
                 in the registry with id '123456789012'"
            ),
        )
        .await;
    let layer = upload(&registry, "app", b"a layer", MIB).await;
    registry
        .check_error(
            "GetDownloadUrlForLayer",
            json!({"repositoryName": "app", "layerDigest": layer}),
            "LayerInaccessibleException",
            &format!(
                "The layer with digest '{layer}' is not part of any image in the repository with \
                 name 'app' in the registry with id '123456789012'"
            ),
        )
        .await;
    super::images::push(&registry, "app", b"a layer", Some("v1")).await;
    let output = url(&layer).await;
    assert_eq!(output["layerDigest"], layer.as_str());
    let address = output["downloadUrl"].as_str().unwrap();
    let path = address.strip_prefix(&format!("http://{LOCALHOST}")).unwrap();
    assert!(path.starts_with("/layers/"), "{path}");
    let get = Plain { method: "GET", target: path.to_owned(), ..Plain::default() };
    let answer = registry.send_with(&get, get.header_map()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "a layer"));
}

#[tokio::test]
async fn a_part_above_20_mib_is_refused() {
    let registry = with_repository().await;
    let upload_id = begin(&registry).await;
    let bytes = vec![0; 20 * MIB + 1];
    registry
        .check_error(
            "UploadLayerPart",
            part_input("app", &upload_id, 0, bytes.len() - 1, &bytes),
            "InvalidParameterException",
            "Invalid parameter at 'layerPartBlob' failed to satisfy constraint: 'Member must have \
             length less than or equal to 20971520'",
        )
        .await;
}
