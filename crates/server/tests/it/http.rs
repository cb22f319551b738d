//! What the server says of itself over HTTP, and what it makes of odd requests.

use std::fs;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Answer, Place, Server, printed, wait_for};

#[test]
fn health_and_readiness() {
    let place = Place::new();
    let server = place.start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    server.stop();
}

#[test]
fn metrics_are_for_this_machine_and_for_whoever_has_the_token() {
    let place = Place::new();
    let token = place.home().join("token");
    fs::write(&token, "s3cret\n").unwrap();
    let mut command = place.serve();
    command.arg("--metrics-token-file").arg(&token);
    let server = Server::start(&place, command);
    let check = |headers: &str, status: u16| {
        let answer = server.send(&format!(
            "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
        ));
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.text.contains("tonnage_connections_total"), status == 200);
    };
    check("", 200);
    check("X-Forwarded-For: 192.0.2.1\r\n", 403);
    check("Via: 1.1 proxy\r\n", 403);
    check("X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer wrong\r\n", 403);
    check("X-Forwarded-For: 192.0.2.1\r\nAuthorization: Basic s3cret\r\n", 403);
    check("X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer s3cret\r\n", 200);
    let text = server.get("/metrics").text;
    for name in [
        "tonnage_operation_seconds_count",
        "tonnage_requests_total",
        "tonnage_received_bytes_total",
    ] {
        assert!(text.contains(name), "{name} is missing in {text}");
    }
    assert!(text.trim_end().ends_with("# EOF"), "{text}");
    server.stop();
}

#[test]
fn a_request_without_a_host_is_refused_in_words() {
    let place = Place::new();
    let server = place.start();
    for hosts in ["", "Host: a b\r\n", "Host: user@x\r\n", "Host: x\r\nHost: y\r\n"] {
        let answer = server.send(&format!("GET /v2/ HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"));
        assert_eq!(answer.status, 400, "{hosts:?}: {}", answer.text);
    }
    server.stop();
}

#[test]
fn a_greeting_of_tls_is_answered_in_plain_http() {
    let place = Place::new();
    let server = place.start();
    let mut stream = server.connect();
    stream.write_all(b"\x16\x03\x01\x00\x51\x01\x00\x00\x4d\x03\x03\r\n\r\n").unwrap();
    assert!(Answer::read(stream).text.starts_with("HTTP/1.1 400"));
    server.stop();
}

#[test]
fn the_log_has_a_line_per_request_and_no_secret() {
    let place = Place::new();
    let server = place.start();
    server.send(
        "GET /v2/?X-Amz-Signature=5ecre7 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.9\r\n\
         Authorization: Basic c2VjcmV0\r\nConnection: close\r\n\r\n",
    );
    server.get("/layers/t0ken");
    wait_for("two lines", || (server.log().matches("tonnage::access").count() >= 2).then_some(()));
    let log = server.log();
    for word in ["path=\"/v2/\"", "source=192.0.2.9", "method=GET", "request_id=", "/layers/…"] {
        assert!(log.contains(word), "{word} is missing in {log}");
    }
    for secret in ["5ecre7", "c2VjcmV0", "t0ken"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
    server.stop();
}

#[test]
fn the_log_may_be_json() {
    let place = Place::new();
    let mut command = place.serve();
    command.args(["--log-format", "json"]);
    let server = Server::start(&place, command);
    server.get("/v2/");
    wait_for("a line", || server.log().contains("tonnage::access").then_some(()));
    for line in server.log().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["level"].is_string(), "{line}");
    }
    server.stop();
}

#[test]
fn what_arrived_before_a_connection_broke_is_kept() {
    let place = Place::new();
    let mut command = place.serve();
    command.arg("--create-on-push");
    let server = Server::start(&place, command);
    let password = printed(&mut place.command(&["docker-login", "--print"]));
    let login = STANDARD.encode(format!("AWS:{}", password.trim()));
    let head = |method: &str, path: &str, length: usize| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {login}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n",
            server.address
        )
    };
    let started = server.send(&head("POST", "/v2/my-app/blobs/uploads/", 0));
    assert_eq!(started.status, 202, "{}", started.text);
    let location = started.header("location").expect("a location");
    let path = location.split_once("/v2/").map(|(_, rest)| format!("/v2/{rest}")).unwrap();

    let mut stream = server.connect();
    stream.write_all(head("PATCH", &path, 1000).as_bytes()).unwrap();
    stream.write_all(&[7; 400]).unwrap();
    drop(stream);
    wait_for("the part that arrived", || {
        let status = server.send(&head("GET", &path, 0));
        (status.header("range").as_deref() == Some("0-399")).then_some(())
    });
    server.stop();
}

#[test]
fn a_client_that_is_refused_reads_why_even_while_it_sends() {
    let place = Place::new();
    let server = place.start();
    let mut stream = server.connect();
    let body = vec![7; 4 * 1024 * 1024];
    let head = format!(
        "PATCH /v2/my-app/blobs/uploads/00000000-0000-4000-8000-000000000000 HTTP/1.1\r\n\
         Host: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    assert_eq!(Answer::read(stream).status, 401);
    server.stop();
}
