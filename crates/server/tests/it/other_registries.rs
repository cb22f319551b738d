//! The client for other registries against the binary: what it asks of others, this one answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tonnage_domain::names::Digest;
use tonnage_outbound::registry::{
    Condition, Credentials, Error, Limits, Mounted, Origin, Registries,
};
use tonnage_outbound::{Client, Rules};

use crate::support::{Place, Server};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn image(subject: Option<(&str, usize)>, layer: &str, size: usize) -> Bytes {
    let mut image = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2},
        "layers": [{"mediaType": "application/octet-stream", "digest": layer, "size": size}],
    });
    if let Some((digest, size)) = subject {
        image["artifactType"] = "a/b".into();
        image["subject"] = serde_json::json!({"mediaType": IMAGE, "digest": digest, "size": size});
    }
    image.to_string().into()
}

async fn push(registries: &Registries, origin: &Origin, digest: &str, blob: Bytes) {
    let size = blob.len() as u64;
    // Many chunks, so that none of them is all of it.
    let chunks: Vec<_> =
        blob.chunks(50_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let stream = stream::iter(chunks).boxed();
    registries.push_blob(origin, "app", digest, size, stream).await.expect("the blob is taken");
}

#[test]
fn what_is_written_to_another_registry_is_read_from_it() {
    let place = Place::new();
    let mut serve = place.serve();
    serve.args(["--create-on-push", "--blob-mounting"]);
    let server = Server::start(&place, serve);
    let login = STANDARD.decode(crate::garbage_collection::login(&place)).unwrap();
    let login = String::from_utf8(login).unwrap();
    let (username, password) = login.split_once(':').unwrap();
    let credentials =
        Credentials { username: username.to_owned(), password: password.to_owned().into() };
    let url = format!("http://{}", server.address);
    let nobody = Origin { url: url.clone(), credentials: None };
    let origin = Origin { url, credentials: Some(credentials) };
    let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let client = Client::new(Rules { networks, authorities: None }).unwrap();
    let registries = Registries::new(client, Limits::default(), Vec::new());

    let work = async {
        registries.check(&origin).await.unwrap();
        assert!(matches!(registries.check(&nobody).await, Err(Error::Denied(_))));

        let layer = Bytes::from(vec![7; 1_000_000]);
        let layer_digest = Digest::of_sha256(&layer).to_string();
        assert!(!registries.has_blob(&origin, "app", &layer_digest).await.unwrap());
        push(&registries, &origin, &layer_digest, layer.clone()).await;
        push(&registries, &origin, EMPTY, Bytes::from_static(b"{}")).await;
        assert!(registries.has_blob(&origin, "app", &layer_digest).await.unwrap());
        let lie = Digest::of_sha256(b"something else").to_string();
        let stream = stream::iter([Ok(Bytes::from_static(b"{}"))]).boxed();
        let refused = registries.push_blob(&origin, "app", &lie, 2, stream).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");

        let bytes = image(None, &layer_digest, layer.len());
        let digest = Digest::of_sha256(&bytes).to_string();
        let put =
            registries.put_manifest(&origin, "app", "v1", IMAGE, bytes.clone(), Condition::None);
        put.await.unwrap();
        for (reference, condition, holds) in [
            ("v1", Condition::Absent, false),
            ("v1", Condition::Names(&lie), false),
            ("v1", Condition::Names(&digest), true),
            ("v2", Condition::Names(&digest), false),
        ] {
            let bytes = bytes.clone();
            let put =
                registries.put_manifest(&origin, "app", reference, IMAGE, bytes, condition).await;
            match put {
                Ok(()) => assert!(holds, "{reference} {condition:?}"),
                Err(Error::Changed(_)) => assert!(!holds, "{reference} {condition:?}"),
                Err(error) => panic!("{reference} {condition:?}: {error:?}"),
            }
        }
        let removed = registries.delete_manifest(&origin, "app", "v1", Condition::Names(&lie));
        assert!(matches!(removed.await, Err(Error::Changed(_))));
        let head = registries.head_manifest(&origin, "app", "v1").await.unwrap();
        assert_eq!(head.digest.as_deref(), Some(digest.as_str()));
        for reference in ["v1", &digest] {
            let manifest = registries.manifest(&origin, "app", reference).await.unwrap();
            assert_eq!((&manifest.bytes, &manifest.digest), (&bytes, &digest));
            assert_eq!(manifest.media_type.as_deref(), Some(IMAGE));
        }
        let mut blob = registries.blob(&origin, "app", &layer_digest).await.unwrap();
        assert_eq!(blob.size, Some(1_000_000));
        let mut arrived = Vec::new();
        while let Some(chunk) = blob.body.next().await {
            arrived.extend_from_slice(&chunk.unwrap());
        }
        assert_eq!(arrived, layer);
        let mounted = registries.mount(&origin, "other", &layer_digest, "app").await.unwrap();
        assert!(matches!(mounted, Mounted::Done), "{mounted:?}");
        let mounted = registries.mount(&origin, "other", &lie, "app").await.unwrap();
        let Mounted::Upload(upload) = mounted else { panic!("{mounted:?}") };
        registries.cancel_upload(&origin, upload).await.unwrap();

        let artifact = image(Some((&digest, bytes.len())), &layer_digest, layer.len());
        let artifact_digest = Digest::of_sha256(&artifact).to_string();
        let put = registries.put_manifest(
            &origin,
            "app",
            &artifact_digest,
            IMAGE,
            artifact,
            Condition::None,
        );
        put.await.unwrap();
        let index = registries.referrers(&origin, "app", &digest).await.unwrap().unwrap();
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        assert_eq!(index["manifests"][0]["digest"], artifact_digest.as_str());

        for (reference, expected) in [(&artifact_digest, true), (&digest, true), (&digest, false)] {
            let removed = registries
                .delete_manifest(&origin, "app", reference, Condition::None)
                .await
                .unwrap();
            assert_eq!(removed, expected, "{reference}");
        }
        let missing = registries.manifest(&origin, "app", "v1").await;
        assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work);
    server.stop();
}
