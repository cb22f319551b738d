//! What is read from manifests, as tables: documents a client may push and what becomes of them.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::names::Digest;

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
const ORAS_ARTIFACT: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn descriptor(media_type: &str, digit: char, size: u64) -> Json {
    json!({"mediaType": media_type, "digest": digest(digit), "size": size})
}

fn read_descriptor(media_type: &str, digit: char, size: u64) -> Descriptor {
    let digest = Digest::parse(&digest(digit)).unwrap();
    Descriptor { media_type: media_type.to_owned(), digest, size, urls: Vec::new() }
}

fn image() -> Json {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": descriptor(OCI_CONFIG, '1', 10),
        "layers": [descriptor(OCI_LAYER, '2', 20)],
    })
}

fn index() -> Json {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_IMAGE, '3', 30)],
    })
}

/// `base` with members replaced; `null` removes one.
fn with(mut base: Json, changes: Json) -> Json {
    let (Json::Object(members), Json::Object(changes)) = (&mut base, changes) else {
        panic!("objects only")
    };
    for (name, value) in changes {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    base
}

fn parse(document: &Json) -> Result<Manifest, ManifestError> {
    Manifest::parse(document.to_string().as_bytes(), None)
}

/// The message a document is refused with.
fn refusal(bytes: &[u8], content_type: Option<&str>) -> String {
    match Manifest::parse(bytes, content_type) {
        Ok(manifest) => panic!("accepted: {manifest:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_docker_image() {
    let bytes = br#"{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
   "config": {
      "mediaType": "application/vnd.docker.container.image.v1+json",
      "size": 1469,
      "digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111"
   },
   "layers": [
      {
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "size": 2479,
         "digest": "sha256:2222222222222222222222222222222222222222222222222222222222222222"
      },
      {
         "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
         "size": 1654613376,
         "digest": "sha256:3333333333333333333333333333333333333333333333333333333333333333",
         "urls": ["https://layers.example/windows"]
      }
   ]
}"#;
    let manifest = Manifest::parse(bytes, Some(DOCKER_IMAGE)).unwrap();
    let mut foreign = read_descriptor(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        '3',
        1_654_613_376,
    );
    foreign.urls = vec!["https://layers.example/windows".to_owned()];
    let config = read_descriptor("application/vnd.docker.container.image.v1+json", '1', 1469);
    let layer = read_descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", '2', 2479);
    let required: Vec<&Descriptor> = manifest.required_blobs().collect();
    assert_eq!(required, [&config, &layer]);
    assert_eq!(
        manifest,
        Manifest {
            media_type: ManifestMediaType::DockerImage,
            media_type_is_inferred: false,
            artifact_type: Some(config.media_type.clone()),
            config: Some(config),
            layers: vec![layer, foreign],
            children: vec![],
            subject: None,
            annotations: BTreeMap::new(),
        }
    );
}

#[test]
fn a_docker_list() {
    let bytes = br#"{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
   "manifests": [
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 528,
         "digest": "sha256:4444444444444444444444444444444444444444444444444444444444444444",
         "platform": {"architecture": "arm", "os": "linux", "variant": "v7"}
      },
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 1125,
         "digest": "sha256:5555555555555555555555555555555555555555555555555555555555555555",
         "platform": {
            "architecture": "amd64",
            "os": "windows",
            "os.version": "10.0.20348.2113",
            "features": ["sse4"]
         }
      }
   ]
}"#;
    let manifest = Manifest::parse(bytes, None).unwrap();
    assert_eq!(manifest.kind(), ManifestKind::Index);
    assert_eq!(manifest.media_type, ManifestMediaType::DockerList);
    assert_eq!(manifest.artifact_type, None);
    assert_eq!(manifest.required_blobs().count(), 0);
    assert_eq!(
        manifest.children,
        [
            Child {
                descriptor: read_descriptor(DOCKER_IMAGE, '4', 528),
                platform: Some(Platform {
                    os: "linux".to_owned(),
                    architecture: "arm".to_owned(),
                    variant: "v7".to_owned(),
                    os_version: String::new(),
                }),
            },
            Child {
                descriptor: read_descriptor(DOCKER_IMAGE, '5', 1125),
                platform: Some(Platform {
                    os: "windows".to_owned(),
                    architecture: "amd64".to_owned(),
                    variant: String::new(),
                    os_version: "10.0.20348.2113".to_owned(),
                }),
            },
        ]
    );
}

#[test]
fn an_oci_artifact_packed_as_an_image() {
    let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.example.sbom","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="},"layers":[],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:6666666666666666666666666666666666666666666666666666666666666666","size":1234,"annotations":{"ignored":"yes"}},"annotations":{"org.opencontainers.image.created":"2026-01-02T03:04:05Z","empty":"","\u00e9":"\u2603"}}"#;
    let manifest = Manifest::parse(bytes, Some(OCI_IMAGE)).unwrap();
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example.sbom"));
    assert_eq!(manifest.subject, Some(read_descriptor(OCI_IMAGE, '6', 1234)));
    assert_eq!(manifest.layers, []);
    assert_eq!(manifest.config.map(|config| config.media_type).as_deref(), Some(OCI_EMPTY));
    let annotations: Vec<(&str, &str)> =
        manifest.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        annotations,
        [("empty", ""), ("org.opencontainers.image.created", "2026-01-02T03:04:05Z"), ("é", "☃")]
    );
}

#[test]
fn an_index_of_indexes_with_subject() {
    let document = with(
        index(),
        json!({
            "artifactType": "application/vnd.example.bundle",
            "subject": descriptor(OCI_INDEX, '7', 70),
            "manifests": [descriptor(OCI_INDEX, '3', 30), descriptor(OCI_INDEX, '3', 30)],
        }),
    );
    let manifest = parse(&document).unwrap();
    assert_eq!(manifest.subject, Some(read_descriptor(OCI_INDEX, '7', 70)));
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example.bundle"));
    let child = Child { descriptor: read_descriptor(OCI_INDEX, '3', 30), platform: None };
    assert_eq!(manifest.children, [child.clone(), child]);
}

#[test]
fn artifact_manifests() {
    for media_type in [OCI_ARTIFACT, ORAS_ARTIFACT] {
        let document = json!({
            "mediaType": media_type,
            "artifactType": "application/vnd.example.signature",
            "blobs": [descriptor("application/octet-stream", '8', 80)],
            "subject": descriptor(OCI_IMAGE, '9', 90),
            "annotations": {"a": "b"},
        });
        let manifest = parse(&document).unwrap();
        assert_eq!(manifest.kind(), ManifestKind::Artifact);
        assert_eq!(manifest.media_type.as_str(), media_type);
        assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example.signature"));
        assert_eq!(manifest.config, None);
        assert_eq!(manifest.layers, [read_descriptor("application/octet-stream", '8', 80)]);
        assert_eq!(manifest.subject, Some(read_descriptor(OCI_IMAGE, '9', 90)));
        assert_eq!(manifest.annotations.len(), 1);

        let bare = parse(&json!({"mediaType": media_type})).unwrap();
        assert_eq!((bare.layers, bare.subject, bare.artifact_type), (vec![], None, None));
    }
}

#[test]
fn the_media_type_comes_from_document_request_or_members() {
    let untyped_image = with(image(), json!({"mediaType": null}));
    let untyped_index = with(index(), json!({"mediaType": null}));
    let check = |document: &Json, content_type: Option<&str>, expected: Result<&str, &str>| {
        let read = Manifest::parse(document.to_string().as_bytes(), content_type);
        let read = read.map(|manifest| manifest.media_type.as_str());
        assert_eq!(
            read.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned),
            "{document} as {content_type:?}"
        );
    };
    check(&image(), None, Ok(OCI_IMAGE));
    check(&image(), Some(OCI_IMAGE), Ok(OCI_IMAGE));
    check(&image(), Some(""), Ok(OCI_IMAGE));
    check(
        &image(),
        Some("Application/VND.oci.image.manifest.v1+JSON ; charset=utf-8"),
        Ok(OCI_IMAGE),
    );
    check(&untyped_image, None, Ok(OCI_IMAGE));
    check(&untyped_image, Some(OCI_IMAGE), Ok(OCI_IMAGE));
    check(&untyped_image, Some(DOCKER_IMAGE), Ok(DOCKER_IMAGE));
    check(&untyped_index, None, Ok(OCI_INDEX));
    check(&untyped_index, Some(DOCKER_LIST), Ok(DOCKER_LIST));
    check(&with(index(), json!({"mediaType": DOCKER_LIST})), None, Ok(DOCKER_LIST));
    check(
        &image(),
        Some(DOCKER_IMAGE),
        Err("$.mediaType is `application/vnd.oci.image.manifest.v1+json` but the content type is \
             `application/vnd.docker.distribution.manifest.v2+json`"),
    );
    check(
        &image(),
        Some("application/json"),
        Err("$.mediaType is `application/vnd.oci.image.manifest.v1+json` but the content type is \
             `application/json`"),
    );
    check(
        &untyped_image,
        Some("application/json"),
        Err("manifest media type `application/json` is not supported"),
    );
    check(
        &with(image(), json!({"mediaType": "application/vnd.example+json"})),
        None,
        Err("manifest media type `application/vnd.example+json` is not supported"),
    );
    let missing = "manifest media type is neither in $.mediaType nor in the content type";
    check(&json!({"schemaVersion": 2}), None, Err(missing));
    check(
        &json!({"schemaVersion": 2, "config": descriptor(OCI_CONFIG, '1', 1)}),
        None,
        Err(missing),
    );
    check(&json!({"schemaVersion": 2, "layers": []}), None, Err(missing));
    check(&json!({"schemaVersion": 2, "blobs": []}), None, Err(missing));
    check(&with(untyped_index, json!({"config": {}})), None, Err(missing));
    check(
        &with(untyped_image, json!({"manifests": []})),
        None,
        Err("$.layers and $.manifests must not appear together"),
    );
}

#[test]
fn one_kind_at_a_time() {
    let check = |document: Json, expected: &str| {
        assert_eq!(refusal(document.to_string().as_bytes(), None), expected, "{document}");
    };
    let both = "$.layers and $.manifests must not appear together";
    check(with(image(), json!({"manifests": []})), both);
    check(with(index(), json!({"layers": []})), both);
    check(
        with(index(), json!({"config": {}})),
        "$.config must not appear in a manifest of type `application/vnd.oci.image.index.v1+json`",
    );
    check(
        with(image(), json!({"fsLayers": []})),
        "$.fsLayers must not appear in a manifest of type `application/vnd.oci.image.manifest.v1+json`",
    );
    check(
        json!({"mediaType": OCI_ARTIFACT, "layers": []}),
        "$.layers must not appear in a manifest of type `application/vnd.oci.artifact.manifest.v1+json`",
    );
    check(
        with(image(), json!({"layers": null, "manifests": []})),
        "$.manifests must not appear in a manifest of type `application/vnd.oci.image.manifest.v1+json`",
    );
}

#[test]
fn schema_1_is_refused_by_name() {
    let expected =
        "docker image manifests of schema 1 are deprecated and not supported; push schema 2 or oci";
    let check = |document: Json, content_type: Option<&str>| {
        let message = refusal(document.to_string().as_bytes(), content_type);
        assert_eq!(message, expected, "{document}");
    };
    check(json!({"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": []}), None);
    check(json!({"schemaVersion": 1, "mediaType": DOCKER_IMAGE}), None);
    check(
        json!({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v1+json"}),
        None,
    );
    check(json!({}), Some("application/vnd.docker.distribution.manifest.v1+prettyjws"));
}

#[test]
fn the_artifact_type_follows_the_rules_of_referrers() {
    let check = |document: Json, expected: Option<&str>| {
        assert_eq!(parse(&document).unwrap().artifact_type.as_deref(), expected, "{document}");
    };
    check(image(), Some(OCI_CONFIG));
    check(with(image(), json!({"artifactType": "a/b"})), Some("a/b"));
    check(with(image(), json!({"artifactType": ""})), Some(OCI_CONFIG));
    check(with(image(), json!({"config": descriptor("c/d", '1', 1)})), Some("c/d"));
    check(index(), None);
    check(with(index(), json!({"artifactType": "a/b"})), Some("a/b"));
    check(with(index(), json!({"artifactType": ""})), None);
    // Docker's types have no such member, nor a subject.
    check(
        with(image(), json!({"mediaType": DOCKER_IMAGE, "artifactType": "a/b"})),
        Some(OCI_CONFIG),
    );
    let docker =
        with(image(), json!({"mediaType": DOCKER_IMAGE, "subject": descriptor(OCI_IMAGE, '1', 1)}));
    assert_eq!(parse(&docker).unwrap().subject, None);
}

#[test]
fn foreign_layers() {
    let check = |media_type: &str, urls: &[&str], expected: bool| {
        let mut descriptor = read_descriptor(media_type, '1', 1);
        descriptor.urls = urls.iter().map(|url| (*url).to_owned()).collect();
        assert_eq!(descriptor.is_foreign(), expected, "{media_type} {urls:?}");
    };
    check(OCI_LAYER, &[], false);
    check(OCI_LAYER, &["https://layers.example/1"], true);
    check("application/vnd.docker.image.rootfs.diff.tar.gzip", &[], false);
    check("application/vnd.docker.image.rootfs.foreign.diff.tar", &[], true);
    check("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", &[], true);
    check("application/vnd.oci.image.layer.nondistributable.v1.tar", &[], true);
    check("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", &[], true);
    check("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", &[], true);
}

#[test]
fn null_is_absent_and_an_empty_list() {
    let document = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
        "config":{"mediaType":"a/b","digest":"sha256:1111111111111111111111111111111111111111111111111111111111111111","size":0,"urls":null},
        "layers":null,"manifests":null,"subject":null,"annotations":null,"artifactType":null}"#;
    let manifest = Manifest::parse(document, None).unwrap();
    assert_eq!((manifest.layers.len(), manifest.subject, manifest.annotations.len()), (0, None, 0));

    let document = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":null}"#;
    assert_eq!(Manifest::parse(document, None).unwrap().children, []);
}

#[test]
fn wrong_members_are_named_by_path() {
    let check = |document: Json, expected: &str| {
        assert_eq!(refusal(document.to_string().as_bytes(), None), expected, "{document}");
    };
    let layer = |changes: Json| {
        let layer = with(descriptor(OCI_LAYER, '2', 20), changes);
        with(image(), json!({"layers": [descriptor(OCI_LAYER, '2', 20), layer]}))
    };
    check(with(image(), json!({"config": null})), "$.config is missing");
    check(with(image(), json!({"layers": null})), "$.layers is missing");
    check(with(index(), json!({"manifests": null})), "$.manifests is missing");
    check(with(image(), json!({"schemaVersion": null})), "$.schemaVersion is missing");
    check(
        with(image(), json!({"schemaVersion": 3})),
        "$.schemaVersion is `3`, only 2 is supported",
    );
    check(
        with(image(), json!({"schemaVersion": "2"})),
        "$.schemaVersion is `\"2\"`, only 2 is supported",
    );
    check(
        with(image(), json!({"schemaVersion": 2.0})),
        "$.schemaVersion is `2.0`, only 2 is supported",
    );
    check(with(image(), json!({"config": []})), "$.config must be an object, not an array");
    check(with(image(), json!({"layers": {}})), "$.layers must be an array, not an object");
    check(with(image(), json!({"layers": ["x"]})), "$.layers[0] must be an object, not a string");
    check(with(image(), json!({"mediaType": 5})), "$.mediaType must be a string, not a number");
    check(
        with(image(), json!({"artifactType": true})),
        "$.artifactType must be a string, not a boolean",
    );
    check(with(image(), json!({"subject": "x"})), "$.subject must be an object, not a string");
    check(
        with(image(), json!({"annotations": []})),
        "$.annotations must be an object, not an array",
    );
    check(
        with(image(), json!({"annotations": {"a b": 1}})),
        "$.annotations[`a b`] must be a string, not a number",
    );
    check(
        with(image(), json!({"annotations": {"a": Json::Null}})),
        "$.annotations[`a`] must be a string, not null",
    );
    check(
        with(image(), json!({"annotations": {"a": "b\u{0}"}})),
        "$.annotations[`a`] contains nul",
    );
    check(
        with(image(), json!({"annotations": {"a\u{0}": "b"}})),
        "$.annotations[`a\\u{0}`] has a name that contains nul",
    );
    check(layer(json!({"digest": null})), "$.layers[1].digest is missing");
    check(layer(json!({"size": null})), "$.layers[1].size is missing");
    check(layer(json!({"mediaType": null})), "$.layers[1].mediaType is missing");
    check(layer(json!({"mediaType": ""})), "$.layers[1].mediaType is empty");
    check(
        layer(json!({"mediaType": "a/\n"})),
        "$.layers[1].mediaType contains characters that no media type has",
    );
    check(
        layer(json!({"mediaType": "a".repeat(256)})),
        "$.layers[1].mediaType is longer than 255 characters",
    );
    check(
        layer(json!({"digest": "sha256:abc"})),
        "$.layers[1].digest is `sha256:abc`, which does not match sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}",
    );
    check(
        layer(json!({"digest": "x".repeat(200)})),
        &format!(
            "$.layers[1].digest is `{}…`, which does not match sha256:[a-f0-9]{{64}}|sha512:[a-f0-9]{{128}}",
            "x".repeat(128)
        ),
    );
    check(layer(json!({"size": "20"})), "$.layers[1].size must be a number, not a string");
    check(layer(json!({"urls": "x"})), "$.layers[1].urls must be an array, not a string");
    check(layer(json!({"urls": [""]})), "$.layers[1].urls[0] is empty");
    check(layer(json!({"urls": [7]})), "$.layers[1].urls[0] must be a string, not a number");
    check(
        with(
            index(),
            json!({"manifests": [with(descriptor(OCI_IMAGE, '1', 1), json!({"platform": {"os": 1}}))]}),
        ),
        "$.manifests[0].platform.os must be a string, not a number",
    );
    check(
        with(
            image(),
            json!({"subject": with(descriptor(OCI_IMAGE, '1', 1), json!({"digest": "md5:0"}))}),
        ),
        "$.subject.digest is `md5:0`, which does not match sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}",
    );
}

#[test]
fn sizes_are_exact_integers() {
    let check = |size: &str, expected: Option<u64>| {
        let document = image().to_string().replace("\"size\":20", &format!("\"size\":{size}"));
        match (Manifest::parse(document.as_bytes(), None), expected) {
            (Ok(manifest), Some(size)) => assert_eq!(manifest.layers[0].size, size),
            (Err(error), None) => assert_eq!(
                error.to_string(),
                format!(
                    "$.layers[0].size is `{size}`, which is not an integer from 0 to 9007199254740992"
                )
            ),
            (read, _) => panic!("{size}: {read:?}"),
        }
    };
    check("0", Some(0));
    check("9007199254740992", Some(9_007_199_254_740_992));
    check("9007199254740993", None);
    check("18446744073709551616", None);
    check("-1", None);
    check("-0", None);
    check("1.0", None);
    check("1e3", None);
    check("1E400", None);
}

#[test]
fn no_member_twice_at_any_level_that_is_read() {
    let check = |from: &str, to: &str, expected: &str| {
        let document = with(
            index(),
            json!({
                "subject": descriptor(OCI_IMAGE, '1', 1),
                "annotations": {"a": "1"},
                "manifests": [with(descriptor(OCI_IMAGE, '3', 30), json!({"platform": {"os": "linux"}}))],
            }),
        );
        let text = document.to_string();
        assert!(text.contains(from), "{text} has no {from}");
        let changed = text.replacen(from, to, 1);
        assert_eq!(refusal(changed.as_bytes(), None), expected, "{changed}");
    };
    check(
        "\"schemaVersion\":2",
        "\"schemaVersion\":2,\"schemaVersion\":2",
        "$[`schemaVersion`] appears more than once",
    );
    check(
        "\"schemaVersion\":2",
        "\"schemaVersion\":2,\"x\":2,\"x\":3",
        "$[`x`] appears more than once",
    );
    check(
        "\"manifests\":",
        "\"manifests\":[],\"manifests\":",
        "$[`manifests`] appears more than once",
    );
    check(
        "\"manifests\":",
        "\"\\u006danifests\":[],\"manifests\":",
        "$[`manifests`] appears more than once",
    );
    check("\"size\":1", "\"size\":1,\"size\":2", "$.subject[`size`] appears more than once");
    check(
        "\"size\":30",
        "\"size\":30,\"size\":30",
        "$.manifests[0][`size`] appears more than once",
    );
    check(
        "\"os\":\"linux\"",
        "\"os\":\"linux\",\"os\":\"windows\"",
        "$.manifests[0].platform[`os`] appears more than once",
    );
    check("\"a\":\"1\"", "\"a\":\"1\",\"a\":\"1\"", "$.annotations[`a`] appears more than once");
    check(
        "\"a\":\"1\"",
        "\"a\":\"1\",\"\\u0061\":\"2\"",
        "$.annotations[`a`] appears more than once",
    );
    // Members that a reader ignoring case would take for known ones.
    check(
        "\"manifests\":",
        "\"Manifests\":[],\"manifests\":",
        "$[`Manifests`] must be spelled `manifests`",
    );
    check("\"manifests\":", "\"LAYERS\":[],\"manifests\":", "$[`LAYERS`] must be spelled `layers`");
    check(
        "\"manifests\":",
        "\"layer\u{17f}\":[],\"manifests\":",
        "$[`layer\u{17f}`] must be spelled `layers`",
    );
    check(
        "\"size\":30",
        "\"size\":30,\"Digest\":\"x\"",
        "$.manifests[0][`Digest`] must be spelled `digest`",
    );
}

#[test]
fn annotations_may_differ_in_case() {
    let manifest = parse(&with(image(), json!({"annotations": {"a": "1", "A": "2"}}))).unwrap();
    assert_eq!(manifest.annotations.len(), 2);
}

#[test]
fn what_is_not_json_is_refused() {
    let check = |bytes: &[u8], expected: &str| {
        let message = refusal(bytes, None);
        assert!(message.starts_with(expected), "{message} does not start with {expected}");
    };
    check(b"", "manifest is not json: ");
    check(b" ", "manifest is not json: ");
    check(b"{", "manifest is not json: ");
    check(b"{}{}", "manifest is not json: ");
    check(b"{\"a\":1,}", "manifest is not json: ");
    check(b"{'a':1}", "manifest is not json: ");
    check(b"{\"a\":01}", "manifest is not json: ");
    check(b"\xef\xbb\xbf{}", "manifest is not json: ");
    check(b"{\"a\":\"\xff\"}", "manifest is not utf-8 text: byte 6 ");
    check(b"[]", "$ must be an object, not an array");
    check(b"null", "$ must be an object, not null");
    check(b"\"x\"", "$ must be an object, not a string");
    check(b"{\"\\ud800\":1}", "$ has a member whose name is not unicode text");
    check(b"{\"mediaType\":\"\\ud800\"}", "$.mediaType is not unicode text");
}

#[test]
fn limits() {
    let check = |bytes: &[u8], expected: Result<(), &str>| {
        let read = Manifest::parse(bytes, None).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(read, expected.map_err(str::to_owned));
    };
    let padded = |length: usize| {
        let mut bytes = image().to_string().into_bytes();
        bytes.resize(length, b' ');
        bytes
    };
    check(&padded(4_194_304), Ok(()));
    check(&padded(4_194_305), Err("manifest has 4194305 bytes, more than the 4194304 allowed"));

    let nested = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        image().to_string().replacen('{', &format!("{{\"x\":{value},"), 1)
    };
    check(nested(32).as_bytes(), Ok(()));
    check(nested(33).as_bytes(), Err("manifest is nested deeper than 32 levels"));
    let brackets_in_text = with(image(), json!({"x": "[{\\\"".repeat(100)}));
    check(brackets_in_text.to_string().as_bytes(), Ok(()));

    let layers = |count| vec![descriptor(OCI_LAYER, '2', 1); count];
    check(with(image(), json!({"layers": layers(10_000)})).to_string().as_bytes(), Ok(()));
    check(
        with(image(), json!({"layers": layers(10_001)})).to_string().as_bytes(),
        Err("$.layers has more than 10000 entries"),
    );
    check(with(index(), json!({"manifests": layers(10_000)})).to_string().as_bytes(), Ok(()));
    check(
        with(index(), json!({"manifests": layers(10_001)})).to_string().as_bytes(),
        Err("$.manifests has more than 10000 entries"),
    );
    let annotations = |count: usize| -> Json {
        (0..count)
            .map(|number| (number.to_string(), json!("x")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    check(
        with(image(), json!({"annotations": annotations(10_000)})).to_string().as_bytes(),
        Ok(()),
    );
    check(
        with(image(), json!({"annotations": annotations(10_001)})).to_string().as_bytes(),
        Err("$.annotations has more than 10000 entries"),
    );
    let config =
        |urls: usize| with(descriptor(OCI_CONFIG, '1', 1), json!({"urls": vec!["u"; urls]}));
    check(with(image(), json!({"config": config(100)})).to_string().as_bytes(), Ok(()));
    check(
        with(image(), json!({"config": config(101)})).to_string().as_bytes(),
        Err("$.config.urls has more than 100 entries"),
    );
}

/// Replays the seeds of the fuzz target: `accepted-*` must parse, `refused-*` must not.
#[test]
fn seeds() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seeds/manifests");
    let (mut accepted, mut refused) = (0, 0);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let read = Manifest::parse(&std::fs::read(&path).unwrap(), None);
        if name.starts_with("accepted-") {
            accepted += 1;
            assert!(read.is_ok(), "{name}: {read:?}");
        } else if name.starts_with("refused-") {
            refused += 1;
            assert!(read.is_err(), "{name}: {read:?}");
        } else {
            panic!("{name} says neither accepted nor refused");
        }
    }
    assert!(accepted >= 8 && refused >= 12, "{accepted} accepted, {refused} refused");
}

fn any_text() -> impl Strategy<Value = String> {
    "[ -~é☃\n\t\"\\\\]{0,12}"
}

fn any_media_type() -> impl Strategy<Value = String> {
    "[a-z]{1,8}/[a-z0-9.+-]{1,20}"
}

fn any_descriptor() -> impl Strategy<Value = Descriptor> {
    let digest = prop_oneof!["sha256:[0-9a-f]{64}", "sha512:[0-9a-f]{128}"];
    let urls = proptest::collection::vec("https://[a-z]{1,8}", 0..3);
    (any_media_type(), digest, 0..=1_u64 << 53, urls).prop_map(
        |(media_type, digest, size, urls)| Descriptor {
            media_type,
            digest: Digest::parse(&digest).unwrap(),
            size,
            urls,
        },
    )
}

fn any_child() -> impl Strategy<Value = Child> {
    let platform = (any_text(), any_text(), any_text(), any_text()).prop_map(
        |(os, architecture, variant, os_version)| Platform {
            os,
            architecture,
            variant,
            os_version,
        },
    );
    (any_descriptor(), proptest::option::of(platform))
        .prop_map(|(descriptor, platform)| Child { descriptor, platform })
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    (
        proptest::sample::select(ManifestMediaType::ALL.to_vec()),
        any_descriptor(),
        proptest::collection::vec(any_descriptor(), 0..4),
        proptest::collection::vec(any_child(), 0..4),
        proptest::option::of(any_descriptor()),
        proptest::option::of(any_media_type()),
        proptest::collection::btree_map(any_text(), any_text(), 0..4),
    )
        .prop_map(
            |(media_type, config, layers, children, subject, artifact_type, annotations)| {
                let kind = media_type.kind();
                let config = (kind == ManifestKind::Image).then_some(config);
                let (subject, artifact_type) =
                    if media_type.is_docker() { (None, None) } else { (subject, artifact_type) };
                Manifest {
                    media_type,
                    media_type_is_inferred: false,
                    artifact_type: artifact_type
                        .or_else(|| config.as_ref().map(|config| config.media_type.clone())),
                    config,
                    layers: if kind == ManifestKind::Index { vec![] } else { layers },
                    children: if kind == ManifestKind::Index { children } else { vec![] },
                    subject,
                    annotations,
                }
            },
        )
}

/// Writes a manifest as a client would, from what should be read back.
fn write(manifest: &Manifest) -> Json {
    let descriptor = |descriptor: &Descriptor| {
        let mut json = json!({
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest.as_str(),
            "size": descriptor.size,
        });
        if !descriptor.urls.is_empty() {
            json["urls"] = json!(descriptor.urls);
        }
        json
    };
    let list = |name: &str, descriptors: &[Descriptor]| json!({name: descriptors.iter().map(descriptor).collect::<Vec<_>>()});
    let mut json = json!({"schemaVersion": 2, "mediaType": manifest.media_type.as_str()});
    if let Some(config) = &manifest.config {
        json["config"] = descriptor(config);
    }
    json = match manifest.kind() {
        ManifestKind::Image => with(json, list("layers", &manifest.layers)),
        ManifestKind::Artifact => with(json, list("blobs", &manifest.layers)),
        ManifestKind::Index => {
            let child = |child: &Child| {
                let mut json = descriptor(&child.descriptor);
                if let Some(platform) = &child.platform {
                    json["platform"] = json!({
                        "os": platform.os,
                        "architecture": platform.architecture,
                        "variant": platform.variant,
                        "os.version": platform.os_version,
                    });
                }
                json
            };
            with(
                json,
                json!({"manifests": manifest.children.iter().map(child).collect::<Vec<_>>()}),
            )
        }
    };
    if let Some(subject) = &manifest.subject {
        json["subject"] = descriptor(subject);
    }
    if !manifest.media_type.is_docker()
        && let Some(artifact_type) = &manifest.artifact_type
    {
        json["artifactType"] = json!(artifact_type);
    }
    if !manifest.annotations.is_empty() {
        json["annotations"] = json!(manifest.annotations);
    }
    json
}

proptest! {
    #[test]
    fn what_is_put_in_comes_out(manifest in any_manifest(), pretty in any::<bool>()) {
        let json = write(&manifest);
        let text = if pretty { serde_json::to_string_pretty(&json).unwrap() } else { json.to_string() };
        prop_assert_eq!(Manifest::parse(text.as_bytes(), None).unwrap(), manifest.clone());
        let sent = format!("{}; charset=utf-8", manifest.media_type);
        prop_assert_eq!(Manifest::parse(text.as_bytes(), Some(&sent)).unwrap(), manifest);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>(), content_type in proptest::option::of(any::<String>())) {
        let _ = Manifest::parse(&bytes, content_type.as_deref());
    }

    #[test]
    fn damaged_manifests_never_panic(
        manifest in any_manifest(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = write(&manifest).to_string().into_bytes();
        for (index, byte) in damage {
            let position = index.index(bytes.len());
            bytes[position] = byte;
        }
        let _ = Manifest::parse(&bytes, None);
    }

    #[test]
    fn bracket_soup_never_panics(text in r#"[\[\]{}:,"\\ua0-9 enl.-]{0,60}"#) {
        let _ = Manifest::parse(text.as_bytes(), None);
    }
}
