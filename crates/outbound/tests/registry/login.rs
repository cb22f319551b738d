//! Logging in, and what sees credentials.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Wants a token of the service under `/token`, which gives one for each login.
fn bearer_registry(asked: &Asked) -> Reply {
    if asked.path.starts_with("/token") {
        let token = if asked.login() == BASIC_A { "of-a" } else { "t" };
        return Reply::ok(format!(r#"{{"token": "{token}", "expires_in": 300}}"#));
    }
    if asked.login().starts_with("Bearer ") {
        return open_registry(asked);
    }
    challenge(&format!("{}/token", asked.base()))
}

fn challenge(realm: &str) -> Reply {
    Reply::of(401).with(
        "www-authenticate",
        format!(r#"Bearer realm="{realm}",service="s",scope="repository:a:pull,push""#),
    )
}

const TOKEN: &str = "GET /token?service=s&scope=repository%3Aa%3Apull";

#[tokio::test]
async fn tokens_are_got_once_for_each_registry_login_and_scope() {
    let server = Server::start(bearer_registry).await;
    let registries = registries();
    let manifest = "GET /v2/a/manifests/latest";
    let nobody = anonymous(&server.url());
    for (origin, expected) in [
        (
            &nobody,
            vec![format!("{manifest} -"), format!("{TOKEN} -"), format!("{manifest} Bearer t")],
        ),
        (&nobody, vec![format!("{manifest} Bearer t")]),
        (
            &named(&server.url(), "a"),
            vec![
                format!("{manifest} -"),
                format!("{TOKEN} {BASIC_A}"),
                format!("{manifest} Bearer of-a"),
            ],
        ),
        (&named(&server.url(), "a"), vec![format!("{manifest} Bearer of-a")]),
        (&nobody, vec![format!("{manifest} Bearer t")]),
        (
            &named(&server.url(), "b"),
            vec![
                format!("{manifest} -"),
                format!("{TOKEN} {BASIC_B}"),
                format!("{manifest} Bearer t"),
            ],
        ),
    ] {
        registries.manifest(origin, "a", "latest").await.unwrap();
        assert_eq!(server.log(), expected);
    }
    // A blob of the same repository needs no other token, another repository does.
    registries.blob(&nobody, "a", EMPTY).await.unwrap();
    assert_eq!(server.log(), [format!("GET /v2/a/blobs/{EMPTY} Bearer t")]);
    let _ = registries.blob(&nobody, "c", EMPTY).await;
    assert_eq!(server.log()[1], "GET /token?service=s&scope=repository%3Ac%3Apull -");
    registries.check(&nobody).await.unwrap();
    assert_eq!(server.log(), ["GET /v2/ -", "GET /token?service=s -", "GET /v2/ Bearer t"]);
}

#[tokio::test]
async fn those_who_wait_for_a_token_share_it() {
    let server = Server::start(bearer_registry).await;
    let (registries, origin) = (registries(), anonymous(&server.url()));
    let all = (0..20).map(|_| registries.manifest(&origin, "a", "latest"));
    for manifest in futures_util::future::join_all(all).await {
        manifest.unwrap();
    }
    let log = server.log();
    assert_eq!(log.iter().filter(|line| line.starts_with("GET /token")).count(), 1, "{log:?}");
}

#[tokio::test]
async fn basic_is_sent_once_it_is_asked_for() {
    let server = Server::start(|asked| match asked.login() {
        BASIC_A => open_registry(asked),
        _ => Reply::of(401).with("www-authenticate", r#"Basic realm="registry""#),
    })
    .await;
    let registries = registries();
    let known = named(&server.url(), "a");
    registries.manifest(&known, "a", "latest").await.unwrap();
    registries.manifest(&known, "a", "latest").await.unwrap();
    let path = "GET /v2/a/manifests/latest";
    let with_login = format!("{path} {BASIC_A}");
    assert_eq!(server.log(), [format!("{path} -"), with_login.clone(), with_login]);
    for (origin, requests) in [(named(&server.url(), "b"), 2), (anonymous(&server.url()), 1)] {
        let found = shown_manifest(registries.manifest(&origin, "a", "latest").await);
        assert_says(&found, "denied: 127.0.0.1", &format!("{origin:?}"));
        assert!(!found.contains("password"));
        assert_eq!(server.log().len(), requests);
    }
}

#[tokio::test]
async fn tokens_that_ended_are_got_anew() {
    // Every token may be used twice, and the registry notices that before the client does.
    let uses = AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        if asked.path.starts_with("/token") {
            let token = uses.load(Ordering::SeqCst) / 2;
            return Reply::ok(format!(r#"{{"token": "{token}", "expires_in": 300}}"#));
        }
        let expected = format!("Bearer {}", uses.load(Ordering::SeqCst) / 2);
        if asked.login() == expected {
            uses.fetch_add(1, Ordering::SeqCst);
            return open_registry(asked);
        }
        challenge(&format!("{}/token", asked.base()))
    })
    .await;
    let (registries, origin) = (registries(), anonymous(&server.url()));
    for requests in [3, 1, 3, 1, 3] {
        registries.manifest(&origin, "a", "latest").await.unwrap();
        assert_eq!(server.log().len(), requests);
    }

    // One whose time is over before it comes is asked for each time, at its known place.
    let server = Server::start(|asked| match asked.path.starts_with("/token") {
        true => Reply::ok(r#"{"token": "t", "expires_in": 0}"#),
        false => bearer_registry(asked),
    })
    .await;
    let origin = anonymous(&server.url());
    for requests in [3, 2, 2] {
        registries.manifest(&origin, "a", "latest").await.unwrap();
        assert_eq!(server.log().len(), requests);
    }
}

#[tokio::test]
async fn a_registry_that_is_never_content_is_asked_twice() {
    for answer in [
        Reply::of(401),
        Reply::of(401).with("www-authenticate", "Negotiate"),
        Reply::of(401).with("www-authenticate", "Bearer realm=\"\""),
        Reply::of(401).with("www-authenticate", "Basic realm=\"a\""),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        let origin = named(&server.url(), "a");
        let found = shown_manifest(registries().manifest(&origin, "a", "latest").await);
        assert!(found.starts_with("denied") || found.starts_with("invalid"), "{found}");
        assert!(server.log().len() <= 2);
    }
    let server = Server::start(|asked| match asked.path.starts_with("/token") {
        true => bearer_registry(asked),
        false => challenge(&format!("{}/token", asked.base())),
    })
    .await;
    let found = registries().manifest(&anonymous(&server.url()), "a", "latest").await;
    assert_says(&shown_manifest(found), "denied", "a token that is not taken");
    assert_eq!(server.log().len(), 3);
}

#[tokio::test]
async fn token_services_that_fail_say_why() {
    let large = format!(r#"{{"token": "t", "x": "{}"}}"#, "a".repeat(70_000));
    for (answer, expected) in [
        (Reply::of(400), "denied: 127.0.0.1"),
        (Reply::of(401), "denied: 127.0.0.1"),
        (Reply::of(403), "denied: 127.0.0.1"),
        (Reply::of(404), "invalid: there is no token service at 127.0.0.1"),
        (Reply::of(429).with("retry-after", "7"), "too many for 7 s: 127.0.0.1"),
        (Reply::of(503), "unavailable: 127.0.0.1"),
        (Reply::of(302).with("location", "/token2"), "answered with status 302"),
        (Reply::ok("{}"), "invalid: the token service 127.0.0.1"),
        (Reply::ok("<html>"), "invalid: the token service 127.0.0.1"),
        (Reply::ok(r#"{"token": "a\nb"}"#), "invalid: the token service 127.0.0.1"),
        (Reply::ok(large), "larger than 65536 bytes"),
        (Reply::endless(), "larger than 65536 bytes"),
        (Reply::stalled(), "stopped in the middle"),
        (Reply::broken(), "broke off in the middle"),
    ] {
        let server = Server::start(move |asked| match asked.path.starts_with("/token") {
            true => answer.clone(),
            false => bearer_registry(asked),
        })
        .await;
        let found = registries().manifest(&named(&server.url(), "a"), "a", "latest").await;
        assert_says(&shown_manifest(found), expected, expected);
    }
}

#[tokio::test]
async fn credentials_go_only_to_token_services_that_may_see_them() {
    // The other host is this machine by another name.
    let service = Server::start(bearer_registry).await;
    let (near, far) = (
        format!("http://127.0.0.1:{}/token", service.port),
        format!("http://localhost:{}/token", service.port),
    );
    let check = async |realm: &str, login: bool, listed: &[&str], expected: Result<&str, &str>| {
        let realm = realm.to_owned();
        let registry = Server::start(move |asked| match asked.login() {
            "-" => challenge(&realm),
            _ => open_registry(asked),
        })
        .await;
        let url = registry.url();
        let origin = if login { named(&url, "a") } else { anonymous(&url) };
        let registries = registries_with(limits(), listed);
        let found = registries.manifest(&origin, "a", "latest").await;
        let seen = service.log();
        match (found, expected) {
            (Ok(_), Ok(expected)) => assert_eq!(seen, [format!("{TOKEN} {expected}")]),
            (Err(error), Err(expected)) => {
                assert_says(&kind(&error), expected, "the token service");
                assert_eq!(seen, [""; 0]);
                // The registry itself was never told either.
                assert!(registry.log().iter().all(|line| !line.contains("Basic")));
            }
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    };
    check(&near, true, &[], Ok(BASIC_A)).await;
    check(&far, false, &[], Ok("-")).await;
    check(&far, true, &["localhost"], Ok(BASIC_A)).await;
    let refused = "forbidden: 127.0.0.1:";
    check(&far, true, &[], Err(refused)).await;
    check(&far, true, &[], Err("`upstream_token_host`")).await;
    check(&far, true, &["example.com"], Err(refused)).await;
    // The guard looks at these addresses like at any other.
    let private = "forbidden: 10.0.0.1 leads to an address that is not public";
    check("https://10.0.0.1/token", false, &[], Err(private)).await;
    check("https://169.254.169.254/latest/", false, &[], Err("forbidden")).await;
    check("https://10.0.0.1/token", true, &["10.0.0.1"], Err(private)).await;
    check("http://10.0.0.1/token", false, &[], Err("forbidden")).await;
    check("file:///etc/passwd", false, &[], Err("invalid")).await;
    check("token", false, &[], Err("invalid")).await;
}
