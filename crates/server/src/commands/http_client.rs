//! One HTTP request to a Tonnage server, plain or over TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonnage_api::host::Host;

/// How long the server may take, from the connection to the end of its answer.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// Bytes of an answer: a bill of materials of a large image has some ten million.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Where a server is, and whether to speak TLS to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Host and port as the `Host` header has them.
    authority: String,
    host: String,
    port: u16,
    tls: bool,
}

impl Origin {
    /// The origin of a registry's host. The port is that of the scheme where the host has none.
    pub(super) fn of_host(host: &Host, tls: bool) -> Self {
        let authority = host.authority().to_owned();
        let (name, port) = split(&authority);
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        Self { host: name.to_owned(), port, tls, authority }
    }

    /// Host and port as the `Host` header has them.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

impl From<SocketAddr> for Origin {
    /// Plain HTTP, as the server itself speaks it.
    fn from(address: SocketAddr) -> Self {
        Self {
            authority: address.to_string(),
            host: address.ip().to_string(),
            port: address.port(),
            tls: false,
        }
    }
}

/// The host without the brackets of an IPv6 address, and the port.
pub(super) fn split(authority: &str) -> (&str, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// When there is no server, it cannot be trusted, or it does not answer in time.
pub(super) async fn send(
    origin: impl Into<Origin>,
    request: http::Request<Full<Bytes>>,
) -> Result<http::Response<Bytes>> {
    let origin = origin.into();
    let answer = async {
        let stream = TcpStream::connect((origin.host.as_str(), origin.port))
            .await
            .with_context(|| format!("nothing answers on {}", origin.authority))?;
        if !origin.tls {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(origin.host.clone())
            .with_context(|| format!("{} is no name of a TLS server", origin.host))?;
        let connector = TlsConnector::from(Arc::new(trust()?));
        let stream = connector
            .connect(name, stream)
            .await
            .with_context(|| format!("no TLS with {}", origin.authority))?;
        exchange(stream, request).await
    };
    timeout(ANSWER_TIME, answer).await.map_err(|_| {
        anyhow!("{} did not answer within {} s", origin.authority, ANSWER_TIME.as_secs())
    })?
}

async fn exchange<S>(
    stream: S,
    request: http::Request<Full<Bytes>>,
) -> Result<http::Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.context("the server broke off")?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    connection.abort();
    let body = body.map_err(|error| anyhow!("the server broke off: {error}"))?;
    Ok(http::Response::from_parts(head, body.to_bytes()))
}

/// What this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name other certificates.
fn trust() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        bail!("this machine has no certificates that it trusts{reason}; install `ca-certificates`");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_host_is() {
        for (host, tls, name, port) in [
            ("localhost:4510", false, "localhost", 4510),
            ("registry.example.com", true, "registry.example.com", 443),
            ("registry.example.com", false, "registry.example.com", 80),
            ("[::1]:4510", false, "::1", 4510),
            ("[::1]", true, "::1", 443),
            ("10.0.0.1:5000", true, "10.0.0.1", 5000),
        ] {
            let origin = Origin::of_host(&Host::parse(host).unwrap(), tls);
            assert_eq!((origin.host.as_str(), origin.port), (name, port), "{host}");
            assert_eq!(origin.authority(), host);
        }
    }
}
