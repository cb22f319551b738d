//! What answers say and carry.

use super::*;
use tonnage_outbound::registry::Quota;

async fn manifest_of(answer: Reply, reference: &str) -> Result<Manifest, Error> {
    let server = Server::start(move |_| answer.clone()).await;
    let limits = Limits { manifest_bytes_max: 100, ..limits() };
    registries_with(limits, &[]).manifest(&anonymous(&server.url()), "a", reference).await
}

#[tokio::test]
async fn manifests_are_what_they_are_said_to_be() {
    let sha512 = "sha512:27c74670adb75075fad058d5ceaf7b20c4e7786c83bae8a32f626f9782af34c9\
                  a33c2046ef60fd2a7878d378e29fec851806bbd9a67878f3a9f1cda4830763fd";
    let other = format!("sha256:{}", "0".repeat(64));
    let digest = "docker-content-digest";
    let empty = || Reply::ok("{}");
    for (answer, reference, expected) in [
        (empty(), "latest", format!("{{}} - {EMPTY}")),
        (empty(), EMPTY, format!("{{}} - {EMPTY}")),
        (empty(), sha512, format!("{{}} - {sha512}")),
        (empty().with(digest, EMPTY), "latest", format!("{{}} - {EMPTY}")),
        (empty().with(digest, EMPTY), sha512, format!("{{}} - {sha512}")),
        (empty().with(digest, sha512), "latest", format!("{{}} - {EMPTY}")),
        (empty().with(digest, "blake3:00"), "latest", format!("{{}} - {EMPTY}")),
        (empty(), &other, format!("sent a manifest whose digest is not {other}")),
        (empty().with(digest, &other), &other, format!("whose digest is not {other}")),
        (empty().with(digest, &other), "latest", format!("whose digest is not {other}")),
        (empty().with(digest, &other), EMPTY, format!("whose digest is not {other}")),
        (Reply::ok("x".repeat(100)), "latest", "xxx".to_owned()),
        (Reply::ok("x".repeat(101)), "latest", "invalid: the answer of 127.0.0.1".to_owned()),
        (Reply::endless(), "latest", "is larger than 100 bytes".to_owned()),
        (Reply::stalled(), "latest", "unavailable: 127.0.0.1".to_owned()),
        (Reply::broken(), "latest", "broke off in the middle".to_owned()),
        (empty().with("content-encoding", "gzip"), "latest", "invalid: 127.0.0.1".to_owned()),
        (empty().with("content-encoding", "identity"), "latest", format!("{{}} - {EMPTY}")),
        (empty().with("content-type", "A/B;c=d"), "latest", format!("{{}} a/b {EMPTY}")),
    ] {
        assert_says(&shown_manifest(manifest_of(answer, reference).await), &expected, reference);
    }
}

#[tokio::test]
async fn heads_are_read_without_a_body() {
    let other = format!("sha256:{}", "0".repeat(64));
    for (reference, said, expected) in [
        ("latest", Some(EMPTY), format!("{EMPTY} a/b Some(7)")),
        ("latest", Some("blake3:00"), "- a/b Some(7)".to_owned()),
        ("latest", None, "- a/b Some(7)".to_owned()),
        (EMPTY, Some(EMPTY), format!("{EMPTY} a/b Some(7)")),
        (EMPTY, Some(&other), "invalid: 127.0.0.1".to_owned()),
    ] {
        let said = said.map(ToOwned::to_owned);
        let server = Server::start(move |asked| {
            assert_eq!(asked.method, "HEAD");
            assert_says(asked.header("accept"), "vnd.oci.image.index", "accept");
            assert_says(asked.header("accept"), "manifest.list.v2+json", "accept");
            let reply = Reply::ok("1234567").with("content-type", "a/b");
            match &said {
                Some(said) => reply.with("docker-content-digest", said),
                None => reply,
            }
        })
        .await;
        let (registries, origin) = (registries(), anonymous(&server.url()));
        for _ in 0..2 {
            let found = match registries.head_manifest(&origin, "a", reference).await {
                Ok(head) => format!(
                    "{} {} {:?}",
                    head.digest.as_deref().unwrap_or("-"),
                    head.media_type.as_deref().unwrap_or("-"),
                    head.size
                ),
                Err(error) => kind(&error),
            };
            assert_says(&found, &expected, reference);
        }
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn statuses_have_their_errors() {
    for (answer, expected) in [
        (Reply::of(403), "denied: 127.0.0.1"),
        (Reply::of(404), "not found: 127.0.0.1"),
        (Reply::of(408), "unavailable: 127.0.0.1"),
        (Reply::of(429), "too many: 127.0.0.1"),
        (Reply::of(429).with("retry-after", "120"), "too many for 120 s: 127.0.0.1"),
        (Reply::of(429).with("retry-after", "999999999999"), "too many for 86400 s"),
        (
            Reply::of(429).with("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT"),
            "too many for 86400 s",
        ),
        (Reply::of(429).with("retry-after", "soon"), "too many: 127.0.0.1"),
        (Reply::of(500), "answered with status 500"),
        (Reply::of(503).with("retry-after", "7"), "unavailable: 127.0.0.1"),
        (Reply::of(206), "invalid: 127.0.0.1"),
        (Reply::of(204), "invalid: 127.0.0.1"),
        (Reply::of(418), "answered with status 418"),
    ] {
        let found = manifest_of(answer.clone(), "latest").await;
        assert_says(&shown_manifest(found), expected, expected);
        let server = Server::start(move |_| answer.clone()).await;
        let origin = anonymous(&server.url());
        let registries = registries();
        assert_says(&shown_blob(registries.blob(&origin, "a", EMPTY).await).await, expected, "");
        let found = registries.head_manifest(&origin, "a", "latest").await.unwrap_err();
        assert_says(&kind(&found), expected, "");
        assert_says(&kind(&registries.check(&origin).await.unwrap_err()), expected, "");
    }
}

#[tokio::test]
async fn quotas_are_passed_on() {
    let answer = Reply::ok("{}")
        .with("ratelimit-limit", "100;w=21600")
        .with("ratelimit-remaining", "76;w=21600");
    let server = Server::start(move |_| answer.clone()).await;
    let (registries, origin) = (registries(), anonymous(&server.url()));
    let expected = Some(Quota { limit: 100, remaining: 76 });
    assert_eq!(registries.manifest(&origin, "a", "latest").await.unwrap().quota, expected);
    assert_eq!(registries.head_manifest(&origin, "a", "latest").await.unwrap().quota, expected);
}

#[tokio::test]
async fn blobs_end_with_an_error_where_they_are_not_whole() {
    for (answer, expected) in [
        (Reply::ok("a".repeat(100_000)), "Some(100000)"),
        (Reply::stalled(), "begin then unavailable: 127.0.0.1"),
        (Reply::broken(), "begin then unavailable: 127.0.0.1"),
        (Reply::ok("{}").with("content-encoding", "gzip"), "invalid: 127.0.0.1"),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        let blob = registries().blob(&anonymous(&server.url()), "a", EMPTY).await;
        assert_says(&shown_blob(blob).await, expected, expected);
    }
    // An endless one is not held: who reads it decides when it is enough.
    let server = Server::start(|_| Reply::endless()).await;
    let blob = registries().blob(&anonymous(&server.url()), "a", EMPTY).await.unwrap();
    assert_eq!(blob.size, None);
    let mut body = blob.body;
    let mut length = 0;
    while length < 10_000_000 {
        length += body.next().await.unwrap().unwrap().len();
    }
}
