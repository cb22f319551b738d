//! Pulls of images that an upstream registry has: what the client is told, and by which names it may
//! ask.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tonnage_api::oci::profile::Profile;
use tonnage_domain::app::Settings;
use tonnage_domain::execute::execute;
use tonnage_domain::names::{Digest, Reference};
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;
use tonnage_domain::pull_through::settings::UpstreamSettings;
use tonnage_domain::pull_through::upstream::{
    Blob, Manifest, ManifestHead, Origin, UpstreamError, Upstreams,
};

use crate::content::{self, CONFIG, LAYER, OCI_IMAGE};
use crate::registry::{ACCOUNT, Registry};

/// Has one image everywhere, until it fails.
#[derive(Default)]
struct One {
    fails: Mutex<Option<fn() -> UpstreamError>>,
}

impl One {
    fn answer<T>(&self, found: impl FnOnce() -> Option<T>) -> Result<T, UpstreamError> {
        match *self.fails.lock().unwrap() {
            Some(error) => Err(error()),
            None => found().ok_or_else(|| UpstreamError::NotFound("quay.io".to_owned())),
        }
    }

    fn manifest() -> Bytes {
        content::text(&content::image("upstream")).into()
    }
}

impl Upstreams for One {
    fn check<'a>(&'a self, _: &'a Origin) -> BoxFuture<'a, Result<(), UpstreamError>> {
        Box::pin(async { self.answer(|| Some(())) })
    }

    fn head_manifest<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, UpstreamError>> {
        let digest = Some(Digest::of_sha256(&Self::manifest()));
        Box::pin(async move { self.answer(|| Some(ManifestHead { digest, quota: None })) })
    }

    fn manifest<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Manifest, UpstreamError>> {
        Box::pin(async move {
            let bytes = Self::manifest();
            let digest = Digest::of_sha256(&bytes);
            let is_it = reference.as_str() == "v1" || reference.digest() == Some(&digest);
            let media_type = Some(OCI_IMAGE.to_owned());
            self.answer(|| is_it.then_some(Manifest { bytes, media_type, digest, quota: None }))
        })
    }

    fn blob<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Blob, UpstreamError>> {
        Box::pin(async move {
            let bytes = [CONFIG, LAYER].into_iter().find(|it| Digest::of_sha256(it) == *digest);
            self.answer(|| {
                let bytes = bytes?;
                let body = Box::pin(stream::iter([Ok(Bytes::from_static(bytes))]));
                Some(Blob { size: Some(bytes.len() as u64), body })
            })
        })
    }

    fn referrers<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Bytes>, UpstreamError>> {
        Box::pin(async { self.answer(|| Some(None)) })
    }
}

/// A registry with a rule for each prefix and URL.
async fn world(rules: &[(&str, &str)]) -> (Registry, Arc<One>) {
    let upstream = Arc::new(One::default());
    let hosts = ["mirrored.example".to_owned()].into();
    let settings = Settings {
        upstreams: UpstreamSettings { hosts, ..UpstreamSettings::default() },
        token_seconds: 48 * 3600,
        ..Settings::default()
    };
    let set = Arc::clone(&upstream);
    let registry =
        Registry::set_up(Profile::Specification, settings, |app| app.set_upstreams(set)).await;
    for (prefix, url) in rules {
        let create = CreatePullThroughCacheRule {
            registry_id: None,
            prefix: (*prefix).to_owned(),
            upstream_url: (*url).to_owned(),
            upstream_registry: None,
            upstream_prefix: None,
            credential_arn: None,
            custom_role_arn: None,
        };
        let context = registry.context(&registry.root, "us-east-1");
        execute(&registry.app, &context, create).await.unwrap();
    }
    (registry, upstream)
}

#[tokio::test]
async fn an_image_of_an_upstream_is_pulled_like_any_other() {
    let (registry, _) = world(&[("quay", "quay.io")]).await;
    let manifest = One::manifest();
    let digest = Digest::of_sha256(&manifest);
    let layer = Digest::of_sha256(LAYER);
    let length = manifest.len().to_string();
    let headers = [
        ("content-type", OCI_IMAGE),
        ("content-length", &*length),
        ("docker-content-digest", digest.as_str()),
    ];
    registry.call(format!("GET /v2/quay/app/blobs/{layer}")).await.check("404 NAME_UNKNOWN", &[]);
    registry.call("HEAD /v2/quay/app/manifests/v1").await.check("200", &headers);
    let got = registry.call("GET /v2/quay/app/manifests/v1").await;
    assert_eq!(got.check("200", &headers).body, manifest);
    let path = format!("/v2/quay/app/blobs/{layer}");
    registry.call(format!("HEAD {path}")).await.check("200", &[("content-length", "7")]);
    let part = registry.call(format!("GET {path}")).with("range", "bytes=2-4").await;
    assert_eq!(part.check("206", &[("content-range", "bytes 2-4/7")]).body, &LAYER[2..5]);
    let whole = registry.call(format!("GET {path}")).await;
    assert_eq!(whole.check("200", &[("docker-content-digest", layer.as_str())]).body, LAYER);
    for (path, expected) in [
        ("quay/app/manifests/v2", "404 MANIFEST_UNKNOWN"),
        ("quay/none/manifests/v2", "404 NAME_UNKNOWN"),
        ("quay/manifests/v1", "404 NAME_UNKNOWN"),
    ] {
        registry.call(format!("GET /v2/{path}")).await.check(expected, &[]);
    }
}

#[tokio::test]
async fn what_an_upstream_refuses_and_what_serves_meanwhile() {
    type Row = (fn() -> UpstreamError, &'static str);
    let rows: [Row; 4] = [
        (|| UpstreamError::Denied("quay.io".to_owned()), "403 DENIED"),
        (
            || UpstreamError::TooManyRequests { host: "quay.io".to_owned(), retry_after: None },
            "429 TOOMANYREQUESTS",
        ),
        (|| UpstreamError::Unavailable("down".to_owned()), "502 UNKNOWN"),
        (|| UpstreamError::Invalid("odd".to_owned()), "502 UNKNOWN"),
    ];
    for (error, expected) in rows {
        let (registry, upstream) = world(&[("quay", "quay.io")]).await;
        registry.call("GET /v2/quay/app/manifests/v1").await.check("200", &[]);
        *upstream.fails.lock().unwrap() = Some(error);
        registry.call("GET /v2/quay/other/manifests/v1").await.check(expected, &[]);
        registry.clock.advance_seconds(24 * 3600 - 60);
        let fresh = registry.call("GET /v2/quay/app/manifests/v1").await;
        assert_eq!(fresh.check("200", &[]).headers.get("warning"), None);
        registry.clock.advance_seconds(61);
        let stale = [("warning", "110 - \"Response is Stale\"")];
        registry.call("GET /v2/quay/app/manifests/v1").await.check("200", &stale);
    }
}

#[tokio::test]
async fn a_registry_stands_in_for_others() {
    let rules = [("hub", "mirrored.example"), ("quay", "quay.io/team")];
    let (registry, _) = world(&rules).await;
    let named: &'static str = "123456789012.dkr.ecr.us-east-1.example.com";
    assert!(named.starts_with(ACCOUNT));
    let layer = Digest::of_sha256(LAYER);
    let blob = format!("library/app/blobs/{layer}?ns=mirrored.example");
    for (path, expected) in [
        ("library/app/manifests/v1?ns=mirrored.example", "200"),
        (&*blob, "200"),
        ("team/app/manifests/v1?ns=quay.io", "200"),
        // No rule for that name there.
        ("other/app/manifests/v1?ns=quay.io", "404 NAME_UNKNOWN"),
        ("library/app/manifests/v1?ns=ghcr.io", "404 NAME_UNKNOWN"),
        ("library/app/manifests/v1", "404 NAME_UNKNOWN"),
        // Its own name is no other registry.
        ("hub/library/app/manifests/v1?ns=localhost:4510", "200"),
        ("hub/library/app/manifests/v1?ns=", "200"),
    ] {
        for at in ["localhost:4510", named] {
            registry.call(format!("GET /v2/{path}")).at(at).await.check(expected, &[]);
        }
    }
}
