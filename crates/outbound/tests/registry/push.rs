//! Writing to a registry.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use tonnage_outbound::registry::{Condition, Mounted};

use super::*;

type Chunk = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

fn chunks(chunks: &[&'static str]) -> BoxStream<'static, Chunk> {
    let chunks: Vec<Chunk> = chunks
        .iter()
        .map(|chunk| match *chunk {
            "error" => Err("the disk is gone".into()),
            chunk => Ok(Bytes::from(chunk)),
        })
        .collect();
    stream::iter(chunks).boxed()
}

/// Takes `{}` and nothing else.
fn peer(asked: &Asked) -> Reply {
    let upload = "/v2/a/blobs/uploads/";
    let is_empty = asked.body == "{}";
    match (asked.method.as_str(), asked.path.as_str()) {
        _ if asked.login() != BASIC_A => {
            Reply::of(401).with("www-authenticate", "Basic realm=\"a\"")
        }
        ("HEAD", path) if path == format!("/v2/a/blobs/{EMPTY}") => Reply::of(200),
        ("POST", path) if path == upload => {
            Reply::of(202).with("location", "/v2/a/blobs/uploads/1?s=1")
        }
        ("POST", path) if path.ends_with("&from=b") => Reply::of(201),
        ("POST", _) => Reply::of(202).with("location", format!("{}{upload}1?s=1", asked.base())),
        ("PATCH", path) if path == format!("{upload}1?s=1") => {
            if asked.header("content-range") != "0-1" || asked.header("content-length") != "2" {
                return Reply::of(416);
            }
            Reply::of(202).with("location", "1?s=2")
        }
        ("PUT", path) if path == format!("{upload}1?s=2&digest={EMPTY}") => Reply::of(201),
        ("PUT", path) if path.starts_with(upload) => Reply::of(400),
        ("DELETE", path) if path.starts_with(upload) => Reply::of(204),
        ("PUT", path) if path.starts_with("/v2/a/manifests/") && is_empty => {
            match asked.header("content-type") {
                "a/b" => Reply::of(201).with("docker-content-digest", EMPTY),
                _ => Reply::of(400),
            }
        }
        ("PUT", path) if path.starts_with("/v2/a/manifests/") => {
            Reply::of(201).with("docker-content-digest", EMPTY)
        }
        ("DELETE", path) if path == format!("/v2/a/manifests/{EMPTY}") => Reply::of(202),
        _ => Reply::of(404),
    }
}

fn shown<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Ok(done) => format!("{done:?}"),
        Err(error) => format!("{:#}", Chained(&error)),
    }
}

/// An error with its causes.
struct Chained<'a>(&'a Error);

impl std::fmt::Display for Chained<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&kind(self.0))?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[tokio::test]
async fn blobs_are_uploaded_as_they_come() {
    let other = format!("sha256:{}", "0".repeat(64));
    let server = Server::start(peer).await;
    let (registries, origin) = (registries(), named(&server.url(), "a"));
    assert_eq!(shown(registries.has_blob(&origin, "a", EMPTY).await), "true");
    assert_eq!(shown(registries.has_blob(&origin, "a", &other).await), "false");
    server.log();
    let check = async |digest: &str, size: u64, given: &[&'static str], expected: &str| {
        let pushed = registries.push_blob(&origin, "a", digest, size, chunks(given)).await;
        assert_says(&shown(pushed), expected, &format!("{given:?}"));
        let log = server.log();
        let cancelled = log.iter().any(|line| line.starts_with("DELETE"));
        assert_eq!(cancelled, expected != "()", "{log:?}");
        assert!(log.iter().all(|line| line.ends_with(BASIC_A)), "{log:?}");
    };
    check(EMPTY, 2, &["{}"], "()").await;
    check(EMPTY, 2, &["{", "", "}"], "()").await;
    assert_eq!(server.connections(), 1);
    check(EMPTY, 2, &["{"], "it ended 1 bytes early").await;
    check(EMPTY, 2, &[], "it ended 2 bytes early").await;
    check(EMPTY, 2, &["{", "}}"], "it has more bytes than was said").await;
    check(EMPTY, 2, &["{", "error"], "source: what was to be sent to 127.0.0.1").await;
    check(EMPTY, 2, &["error"], "the disk is gone").await;
    check(EMPTY, 3, &["{}", "x"], "answered with status 416").await;
    check(&other, 2, &["{}"], "answered with status 400").await;
    check(EMPTY, 0, &[], "answered with status 400").await;
}

#[tokio::test]
async fn blobs_are_mounted_where_they_can_be() {
    let server = Server::start(peer).await;
    let (registries, origin) = (registries(), named(&server.url(), "a"));
    assert_eq!(shown(registries.mount(&origin, "a", EMPTY, "b").await), "Done");
    let Mounted::Upload(upload) = registries.mount(&origin, "a", EMPTY, "c").await.unwrap() else {
        panic!("mounted");
    };
    let upload = registries.patch_upload(&origin, upload, 2, chunks(&["{}"])).await.unwrap();
    registries.finish_upload(&origin, upload, EMPTY).await.unwrap();
    let found = shown(registries.mount(&origin, "a", EMPTY, "../c").await);
    assert_says(&found, "invalid", "a source that is no repository");
}

#[tokio::test]
async fn uploads_stay_with_the_registry() {
    for location in [
        Some("http://127.0.0.1:1/upload"),
        Some("http://localhost/upload"),
        Some("https://10.0.0.1/upload"),
        Some("file:///upload"),
        None,
    ] {
        let server = Server::start(move |_| match location {
            Some(location) => Reply::of(202).with("location", location),
            None => Reply::of(202),
        })
        .await;
        let found = registries().start_upload(&named(&server.url(), "a"), "a").await;
        assert_says(&shown(found), "goes on with an upload elsewhere", "location");
    }
}

#[tokio::test]
async fn manifests_are_put_and_removed() {
    let other = format!("sha256:{}", "0".repeat(64));
    let server = Server::start(peer).await;
    let (registries, origin) = (registries(), named(&server.url(), "a"));
    let check = async |reference: &str, media_type: &str, bytes: &'static str, expected: &str| {
        let bytes = Bytes::from(bytes);
        let put = registries
            .put_manifest(&origin, "a", reference, media_type, bytes, Condition::None)
            .await;
        assert_says(&shown(put), expected, reference);
    };
    check("latest", "a/b", "{}", "()").await;
    check(EMPTY, "a/b", "{}", "()").await;
    check(&other, "a/b", "{}", "invalid: the manifest does not have").await;
    check("latest", "a/c", "{}", "answered with status 400").await;
    check("latest", "a\nb", "{}", "no such media type").await;
    check("latest", "a/b", "[]", "took a manifest under another digest").await;
    assert_eq!(
        shown(registries.delete_manifest(&origin, "a", EMPTY, Condition::None).await),
        "true"
    );
    assert_eq!(
        shown(registries.delete_manifest(&origin, "a", &other, Condition::None).await),
        "false"
    );
    for refused in [named(&server.url(), "b"), anonymous(&server.url())] {
        let found = shown(registries.delete_manifest(&refused, "a", EMPTY, Condition::None).await);
        assert_says(&found, "denied", "another login");
        let found = shown(registries.push_blob(&refused, "a", EMPTY, 2, chunks(&["{}"])).await);
        assert_says(&found, "denied", "another login");
    }
}

#[tokio::test]
async fn tokens_for_writing_are_others_than_those_for_reading() {
    let server = Server::start(|asked| {
        if asked.path.starts_with("/token") {
            return Reply::ok(r#"{"token": "t", "expires_in": 300}"#);
        }
        match (asked.method.as_str(), asked.login()) {
            (_, "-") => {
                let realm = format!("Bearer realm=\"{}/token\"", asked.base());
                Reply::of(401).with("www-authenticate", realm)
            }
            ("POST", _) => Reply::of(201),
            ("DELETE", _) => Reply::of(202),
            _ => Reply::of(200),
        }
    })
    .await;
    let (registries, origin) = (registries(), named(&server.url(), "a"));
    registries.has_blob(&origin, "a", EMPTY).await.unwrap();
    registries.mount(&origin, "a", EMPTY, "b").await.unwrap();
    registries.delete_manifest(&origin, "a", EMPTY, Condition::None).await.unwrap();
    registries.check(&origin).await.unwrap();
    let log = server.log();
    let tokens: Vec<_> = log.iter().filter(|line| line.starts_with("GET /token")).collect();
    let expected = [
        "scope=repository%3Aa%3Apull%2Cpush",
        "scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull",
        "scope=repository%3Aa%3Apull%2Cdelete",
        "",
    ];
    let expected = expected.map(|scope| match scope {
        "" => format!("GET /token {BASIC_A}"),
        scope => format!("GET /token?{scope} {BASIC_A}"),
    });
    assert_eq!(tokens, expected.iter().collect::<Vec<_>>());
}
