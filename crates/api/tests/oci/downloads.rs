//! Links that `GetDownloadUrlForLayer` hands out: no credentials but the link itself.

use tonnage_domain::app::Settings;
use tonnage_domain::blobs::get_download_url_for_layer::GetDownloadUrlForLayer;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::execute::execute;
use tonnage_domain::names::{Digest, RepositoryName};
use tonnage_domain::repositories::RepositoryAddress;

use crate::content::{LAYER, OCI_IMAGE, bytes, descriptor, image, plus, text};
use crate::registry::{OTHER_ACCOUNT, Registry};

async fn link(
    registry: &Registry,
    principal: &tonnage_domain::context::Principal,
    digest: &Digest,
) -> Result<String, ErrorKind> {
    let context = registry.context(principal, "us-east-1");
    let name = RepositoryName::parse("app").unwrap();
    let operation = GetDownloadUrlForLayer {
        repository: RepositoryAddress::new(&context, None, name),
        digest: digest.clone(),
    };
    let download =
        execute(&registry.app, &context, operation).await.map_err(|error| error.kind())?;
    Ok(format!("/layers/{}", download.token))
}

#[tokio::test]
async fn a_link_serves_the_layer_without_other_credentials() {
    let registry = Registry::open().await;
    let large = bytes(1_500_000, 1);
    registry.push("app", &large).await;
    registry.push_image("app", "v1").await;
    let layers = serde_json::json!([descriptor("application/x", &large)]);
    let manifest = text(&plus(image("v2"), "layers", layers));
    registry.put("app", "v2", OCI_IMAGE, &manifest).await.check("201", &[]);
    for content in [LAYER, &large] {
        let digest = Digest::of_sha256(content);
        let link = link(&registry, &registry.root, &digest).await.unwrap();
        let length = content.len().to_string();
        for credentials in ["", "Basic nonsense", "Bearer x"] {
            let call = |method: &str| {
                registry.call(format!("{method} {link}")).with("authorization", credentials)
            };
            let whole = [("content-length", &*length), ("docker-content-digest", digest.as_str())];
            assert!(call("GET").await.check("200", &whole).body == content);
            call("HEAD").await.check("200", &whole);
            let part = call("GET").with("range", "bytes=2-4").await;
            let range = format!("bytes 2-4/{length}");
            let part = part.check("206", &[("content-range", &*range)]);
            assert_eq!(part.body, content[2..5]);
            call("HEAD").with("range", "bytes=2-4").await.check("200", &whole);
            call("GET").with("range", "bytes=9999999-").await.check("416 SIZE_INVALID", &[]);
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                call(method).await.check("405 UNSUPPORTED", &[("allow", "GET, HEAD")]);
            }
        }
    }
}

#[tokio::test]
async fn only_layers_that_an_image_refers_to_have_links() {
    let registry = Registry::open().await;
    let digest = registry.push("app", b"alone").await;
    assert_eq!(link(&registry, &registry.root, &digest).await, Err(ErrorKind::LayerInaccessible));
    let missing = Digest::of_sha256(b"missing");
    assert_eq!(link(&registry, &registry.root, &missing).await, Err(ErrorKind::LayersNotFound));
}

#[tokio::test]
async fn a_link_stops_when_it_expires() {
    let registry =
        Registry::with(Settings { download_link_seconds: 60, ..Settings::default() }).await;
    registry.create("app").await;
    registry.push_image("app", "v1").await;
    let link = link(&registry, &registry.root, &Digest::of_sha256(LAYER)).await.unwrap();
    registry.clock.advance_seconds(59);
    registry.call(format!("GET {link}")).await.check("200", &[]);
    registry.clock.advance_seconds(1);
    registry.call(format!("GET {link}")).await.check("403 DENIED", &[]);
    registry.call(format!("HEAD {link}")).await.check("403", &[]);
}

#[tokio::test]
async fn a_link_that_was_changed_anywhere_is_refused() {
    let registry = Registry::open().await;
    registry.push_image("app", "v1").await;
    let link = link(&registry, &registry.root, &Digest::of_sha256(LAYER)).await.unwrap();
    let token = link.strip_prefix("/layers/").unwrap();
    for position in 0..token.len() {
        let mut changed = token.to_owned();
        let old = changed.as_bytes()[position];
        // Not the neighbour in the alphabet: the last character has bits that mean nothing.
        let new = if old == b'A' { "q" } else { "A" };
        changed.replace_range(position..=position, new);
        registry.call(format!("GET /layers/{changed}")).await.check("403 DENIED", &[]);
    }
    let authorization = registry.token.trim_end_matches('=').to_owned();
    for changed in [
        String::new(),
        "x".to_owned(),
        "..".to_owned(),
        token[..token.len() - 1].to_owned(),
        format!("{token}.x"),
        format!("{token}/"),
        authorization,
        "a".repeat(5000),
    ] {
        registry.call(format!("GET /layers/{changed}")).await.check("403 DENIED", &[]);
    }
}

#[tokio::test]
async fn a_link_carries_no_more_right_than_its_principal_has() {
    let registry = Registry::open().await;
    let other = registry.other_account().await;
    registry.create_as(&other, "app").await;
    // The same layer in the other account's repository of the same name.
    registry.push_image("app", "v1").await;
    let digest = Digest::of_sha256(LAYER);
    assert_eq!(link(&registry, &other, &digest).await, Err(ErrorKind::LayersNotFound));

    let mut registry = registry;
    registry.token = registry.token_of(&other, "us-east-1").await;
    registry.push_image("app", "v1").await;
    let link = link(&registry, &other, &digest).await.unwrap();
    registry.call(format!("GET {link}")).await.check("200", &[]);
    registry.set_account_active(OTHER_ACCOUNT, false).await;
    registry.call(format!("GET {link}")).await.check("401 UNAUTHORIZED", &[]);
    registry.set_account_active(OTHER_ACCOUNT, true).await;
    registry.call(format!("GET {link}")).await.check("200", &[]);
    registry.call("DELETE /v2/app/manifests/v1").await.check("202", &[]);
}
