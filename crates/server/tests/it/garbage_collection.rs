//! `tonnage gc` and the setting `gc_grace`, with a blob that nobody refers to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Place, Server, complaint, printed, wait_for};

/// `hello world`, by SHA-256.
const DIGEST: &str = "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

pub(crate) fn head(
    server: &Server,
    login: &str,
    method: &str,
    path: &str,
    length: usize,
) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {login}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n",
        server.address
    )
}

pub(crate) fn login(place: &Place) -> String {
    let password = printed(&mut place.command(&["docker-login", "--print"]));
    STANDARD.encode(format!("AWS:{}", password.trim()))
}

/// The number beside `label` in what a command prints.
#[track_caller]
fn number(text: &str, label: &str) -> u64 {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
    line.and_then(|rest| rest.trim().parse().ok())
        .unwrap_or_else(|| panic!("no number of {label:?} in {text}"))
}

#[test]
fn a_blob_that_nobody_refers_to_stays_for_the_grace_period_and_no_longer() {
    let place = Place::new();
    let mut serve = place.serve();
    serve.arg("--create-on-push");
    let server = Server::start(&place, serve);
    let credentials = login(&place);
    let started = server.send(&head(&server, &credentials, "POST", "/v2/my-app/blobs/uploads/", 0));
    let location = started.header("location").expect("a location");
    let path = location.split_once("/v2/").map(|(_, rest)| rest).unwrap();
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("/v2/{path}{separator}digest={DIGEST}");
    let put = head(&server, &credentials, "PUT", &path, 11) + "hello world";
    assert_eq!(server.send(&put).status, 201);

    let status = printed(&mut place.command(&["gc", "--status"]));
    assert!(status.contains("86400 s"), "{status}");
    assert_eq!((number(&status, "waiting blobs"), number(&status, "removed blobs")), (1, 0));
    for words in [&["gc", "--dry-run"][..], &["gc"]] {
        let shown = printed(&mut place.command(words));
        assert_eq!(number(&shown, "blobs  "), 0, "{shown}");
    }
    let refused = complaint(&mut place.command(&["gc", "--dry-run", "--status"]));
    assert!(refused.contains("--status"), "{refused}");
    server.stop();

    let mut serve = place.serve();
    serve.args(["--gc-grace", "0s"]);
    let server = Server::start(&place, serve);
    // The server may have done it before the command does.
    printed(&mut place.command(&["gc"]));
    let status = wait_for("the removal of the blob", || {
        let status = printed(&mut place.command(&["gc", "--status"]));
        (number(&status, "removed blobs") == 1).then_some(status)
    });
    assert_eq!((number(&status, "waiting blobs"), number(&status, "reclaimed bytes")), (0, 11));
    let path = format!("/v2/my-app/blobs/{DIGEST}");
    assert_eq!(server.send(&head(&server, &login(&place), "HEAD", &path, 0)).status, 404);
    let metrics = server.get("/metrics").text;
    assert!(metrics.contains("tonnage_garbage_removed_total{kind=\"blob\"} 1"), "{metrics}");
    server.stop();
}

#[test]
fn without_a_server_it_says_so() {
    let place = Place::new();
    let complaint = complaint(&mut place.command(&["gc"]));
    assert!(complaint.contains("tonnage serve"), "{complaint}");
}
