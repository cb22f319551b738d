//! What TLS protects stays protected.

use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

/// What serves `localhost`, and the file with its authority.
fn certificate(directory: &std::path::Path) -> (TlsAcceptor, std::path::PathBuf) {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let path = directory.join("ca.pem");
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
    (TlsAcceptor::from(Arc::new(config)), path)
}

#[tokio::test]
async fn no_way_leads_out_of_tls() {
    let directory = tempfile::tempdir().unwrap();
    let (tls, authorities) = certificate(directory.path());
    let plain = Server::start(|_| Reply::ok("{}")).await;
    let (plain_url, plain_port) = (plain.url(), plain.port);
    let server = Server::start_with(Some(tls), move |asked| {
        let repository = asked.path.split('/').nth(2).unwrap_or_default();
        match (repository, asked.login()) {
            ("moved", _) => Reply::of(302).with("location", plain_url.clone()),
            ("around", _) => Reply::of(302).with("location", "/v2/moved/"),
            ("token", "-") => {
                let realm = format!("Bearer realm=\"http://localhost:{plain_port}/token\"");
                Reply::of(401).with("www-authenticate", realm)
            }
            ("near", _) => Reply::of(302).with("location", "/v2/a/"),
            ("a", _) => Reply::ok("{}"),
            _ => Reply::of(404),
        }
    })
    .await;
    let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let rules = Rules { networks, authorities: Some(authorities) };
    let registries = Registries::new(Client::new(rules).unwrap(), limits(), Vec::new());
    let url = format!("https://localhost:{}", server.port);
    for origin in [anonymous(&url), named(&url, "a")] {
        for (repository, expected) in [
            ("a", "{}"),
            ("near", "{}"),
            ("moved", "forbidden: localhost"),
            ("moved", "sends clients to 127.0.0.1"),
            ("around", "which is not https"),
            ("token", "forbidden: localhost"),
            ("token", "which is not https"),
        ] {
            let found = shown_blob(registries.blob(&origin, repository, EMPTY).await).await;
            assert_says(&found, expected, repository);
        }
    }
    assert_eq!(plain.log(), [""; 0]);
    assert_eq!(server.connections(), 1);
}
