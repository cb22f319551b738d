//! Being sent elsewhere.

use super::*;

/// Wants a login, and sends those who have one to `target`.
fn sends_to(target: String) -> impl Fn(&Asked) -> Reply {
    move |asked| match asked.login() {
        "-" if asked.path.starts_with("/v2/") => {
            Reply::of(401).with("www-authenticate", "Basic realm=\"a\"")
        }
        _ if asked.path.starts_with("/v2/") => Reply::of(307).with("location", target.clone()),
        _ if asked.path == "/home" => Reply::ok("{}"),
        _ => Reply::of(404),
    }
}

#[tokio::test]
async fn logins_stay_with_the_registry() {
    let store = Server::start(|asked| match asked.path.as_str() {
        "/signed?b=c" => Reply::ok("{}"),
        path => {
            let target = path.strip_prefix("/back?").unwrap_or("/signed?b=c");
            Reply::of(302).with("location", target)
        }
    })
    .await;
    let port = store.port;
    let check = async |target: String, at_home: Option<&str>, at_store: &[&str]| {
        let server = Server::start(sends_to(target.clone())).await;
        let registries = registries();
        for with_blob in [true, false] {
            let origin = named(&server.url(), "a");
            let found = if with_blob {
                shown_blob(registries.blob(&origin, "a", EMPTY).await).await
            } else {
                shown_manifest(registries.manifest(&origin, "a", EMPTY).await)
            };
            assert_says(&found, "{}", &target);
            let log = server.log();
            assert_eq!(log.iter().find(|line| line.contains("/home")).map(String::as_str), at_home);
            assert_eq!(store.log(), at_store, "{target}");
        }
    };
    let home = format!("GET /home {BASIC_A}");
    check("/home".to_owned(), Some(home.as_str()), &[]).await;
    check(format!("http://127.0.0.1:{port}/signed?b=c"), None, &["GET /signed?b=c -"]).await;
    check(format!("http://localhost:{port}/signed?b=c"), None, &["GET /signed?b=c -"]).await;
    check(format!("//127.0.0.1:{port}/first#x"), None, &["GET /first -", "GET /signed?b=c -"])
        .await;

    // Not even when the way leads back.
    let way = Server::start(|asked| {
        let target = asked.path.split_once('?').unwrap().1;
        Reply::of(302).with("location", target)
    })
    .await;
    let (way_url, base) = (way.url(), "http://127.0.0.1");
    let server = Server::start(move |asked| match (asked.login(), asked.path.as_str()) {
        (_, "/home") => Reply::ok("{}"),
        ("-", _) => Reply::of(401).with("www-authenticate", "Basic realm=\"a\""),
        _ => {
            let back = format!("{base}:{}/home", asked.header("host").split_once(':').unwrap().1);
            Reply::of(302).with("location", format!("{way_url}/?{back}"))
        }
    })
    .await;
    let blob = registries().blob(&named(&server.url(), "a"), "a", EMPTY).await;
    assert_eq!(shown_blob(blob).await, "{} Some(2)");
    assert_eq!(server.log().last().unwrap(), "GET /home -");
}

#[tokio::test]
async fn not_every_way_is_gone() {
    let check = async |target: &str, expected: &str| {
        let server = Server::start(sends_to(target.to_owned())).await;
        let (registries, origin) = (registries(), named(&server.url(), "a"));
        let blob = shown_blob(registries.blob(&origin, "a", EMPTY).await).await;
        assert_says(&blob, expected, target);
        let manifest = shown_manifest(registries.manifest(&origin, "a", "latest").await);
        assert_says(&manifest, expected, target);
    };
    let private = "forbidden: 10.0.0.1 leads to an address that is not public";
    check("https://10.0.0.1/", private).await;
    check("http://10.0.0.1/", private).await;
    check("https://169.254.169.254/latest/meta-data/", "forbidden").await;
    check("https://[fd00:ec2::254]/", "forbidden").await;
    check("http://1.1.1.1/", "forbidden: 1.1.1.1 may only be asked over https").await;
    check("file:///etc/passwd", "sends clients to no URL").await;
    check("https://a:b@127.0.0.1/", "sends clients to no URL").await;
    check("https:", "sends clients to no URL").await;
    check("/v2/loop", "sends clients on more than 5 times").await;
    check("/nothing", "not found").await;
    let server = Server::start(|_| Reply::of(302)).await;
    let found = shown_blob(registries().blob(&anonymous(&server.url()), "a", EMPTY).await).await;
    assert_says(&found, "sends clients to no URL", "no location");
    // So many hops, and no more.
    for (hops, expected) in [(5, "{}"), (6, "more than 5 times")] {
        let server = Server::start(move |asked| {
            let done = asked.path.strip_prefix("/hop").map_or(0, |done| done.parse().unwrap());
            match done == hops {
                true => Reply::ok("{}"),
                false => Reply::of(308).with("location", format!("/hop{}", done + 1)),
            }
        })
        .await;
        let blob = registries().blob(&anonymous(&server.url()), "a", EMPTY).await;
        assert_says(&shown_blob(blob).await, expected, "hops");
    }
}

#[tokio::test]
async fn strangers_that_want_a_login_are_refused() {
    let stranger =
        Server::start(|_| Reply::of(401).with("www-authenticate", "Basic realm=\"a\"")).await;
    let server = Server::start(sends_to(format!("{}/blob", stranger.url()))).await;
    let found = registries().blob(&named(&server.url(), "a"), "a", EMPTY).await;
    let expected = format!("denied: 127.0.0.1:{}", stranger.port);
    assert_says(&shown_blob(found).await, &expected, "a stranger");
    assert_eq!(stranger.log(), ["GET /blob -"]);
}
