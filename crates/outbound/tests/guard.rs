//! What is asked, what is refused, and what an answer may be.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonnage_outbound::{Client, Limits, Rules};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server on the loopback address that answers every connection with these bytes; an empty answer
/// never comes.
async fn server(answer: &'static str, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut head = [0_u8; 4096];
                if let Some(tls) = tls {
                    let Ok(mut stream) = tls.accept(stream).await else { return };
                    let _ = stream.read(&mut head).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                    return;
                }
                let _ = stream.read(&mut head).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

fn client(networks: &[&str]) -> Client {
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    Client::new(Rules { networks, authorities: None }).unwrap()
}

async fn check(client: &Client, url: &str, expected: Result<&str, &str>) {
    let found = client.get(url, 10, PATIENCE).await;
    let found = found
        .map(|body| String::from_utf8(body.to_vec()).unwrap())
        .map_err(|error| error.to_string());
    match (&found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{url}"),
        (Err(found), Err(expected)) => {
            assert!(found.contains(expected), "{url}: {found}, not {expected}");
        }
        _ => panic!("{url}: {found:?}, not {expected:?}"),
    }
}

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

#[tokio::test]
async fn private_addresses_are_asked_only_where_the_operator_lists_them() {
    let port = server(FINE, None).await.port();
    let url = format!("http://127.0.0.1:{port}/a");
    let (closed, open) = (client(&[]), client(&["127.0.0.0/8", "::1/128", "10.0.0.0/8"]));
    check(&open, &url, Ok("fine")).await;
    check(&open, &format!("http://localhost:{port}/a"), Ok("fine")).await;
    check(&open, &format!("http://[::ffff:127.0.0.1]:{port}/a"), Ok("fine")).await;
    for url in [
        url.as_str(),
        &format!("https://127.0.0.1:{port}/"),
        &format!("http://localhost:{port}/"),
        &format!("http://[::ffff:127.0.0.1]:{port}/"),
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[fd00:ec2::254]/",
        "https://0.0.0.0/",
    ] {
        check(&closed, url, Err("leads to an address that is not public")).await;
    }
    check(&open, "http://10.1.2.3/", Err("may only be asked over https")).await;
    check(&closed, "http://1.1.1.1/", Err("may only be asked over https")).await;
    check(&open, "ftp://127.0.0.1/", Err("is not the URL of a server")).await;
    check(&open, "http://a:b@127.0.0.1/", Err("is not the URL of a server")).await;
}

#[tokio::test]
async fn an_answer_is_a_success_of_bounded_size_that_comes_in_time() {
    let open = client(&["127.0.0.0/8"]);
    for (answer, expected) in [
        (FINE, Ok("fine")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789", Ok("0123456789")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789a", Err("larger than 10 bytes")),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
            Err("larger than 10 bytes"),
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
            Err("answered with status 302"),
        ),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", Err("answered with status 503")),
        ("nonsense\r\n\r\n", Err("does not speak HTTP")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfine", Err("did not answer in time")),
        ("", Err("did not answer in time")),
    ] {
        let late = expected == Err("did not answer in time");
        let limits = if late {
            Limits { head: Duration::from_millis(200), ..Limits::default() }
        } else {
            Limits::default()
        };
        let client = open.clone().with_limits(limits);
        let url = format!("http://{}/", server(answer, None).await);
        if late {
            let time = Duration::from_millis(300);
            let error = client.get(&url, 10, time).await.unwrap_err();
            // A body that ends early is noticed as soon as the connection is.
            let text = error.to_string();
            let fits = text.contains("in time") || text.contains("as it should");
            assert!(fits && error.is_transient(), "{text}");
            continue;
        }
        check(&client, &url, expected).await;
    }
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    check(&open, &format!("http://127.0.0.1:{port}/"), Err("cannot be reached")).await;
}

#[tokio::test]
async fn a_form_is_answered_below_500_under_the_same_guard() {
    let (closed, open) = (client(&[]), client(&["127.0.0.0/8"]));
    for (answer, expected) in [
        (FINE, Ok("fine")),
        ("HTTP/1.1 400 Bad\r\ncontent-length: 5\r\n\r\nwrong", Ok("wrong")),
        ("HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n", Err("answered with status 500")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789a", Err("larger than 10 bytes")),
    ] {
        let url = format!("http://{}/", server(answer, None).await);
        let form = || Bytes::from_static(b"code=x");
        let found = open.post_form(&url, form(), Some("Basic x"), 10, PATIENCE).await;
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert!(found.to_string().contains(expected), "{found}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
        let refused = closed.post_form(&url, form(), None, 10, PATIENCE).await.unwrap_err();
        assert!(
            refused.to_string().contains("over https")
                || refused.to_string().contains("not public")
        );
    }
}

#[tokio::test]
async fn certificates_are_checked_against_the_authorities_and_the_name() {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let port = server(FINE, Some(TlsAcceptor::from(Arc::new(config)))).await.port();
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let trusting =
        Client::new(Rules { networks: networks.clone(), authorities: Some(path.clone()) });
    let trusting = trusting.unwrap();
    check(&trusting, &format!("https://localhost:{port}/"), Ok("fine")).await;
    check(&trusting, &format!("https://127.0.0.1:{port}/"), Err("cannot be reached")).await;
    let strange = Client::new(Rules { networks, authorities: None }).unwrap();
    check(&strange, &format!("https://localhost:{port}/"), Err("cannot be reached")).await;

    std::fs::write(&path, "no certificate").unwrap();
    let refused = Client::new(Rules { networks: vec![], authorities: Some(path) });
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("it holds no certificate in PEM form"), "{text}");
}
