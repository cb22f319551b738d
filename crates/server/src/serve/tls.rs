//! TLS on the listeners: a certificate and a key from files, read again when they change.
//!
//! One port speaks both: the first byte of a connection tells TLS from HTTP. Without TLS only this
//! machine and trusted proxies are served, so that health checks and the subcommands need no
//! certificate and nobody on the network sends a password in the clear twice.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Lifecycle;
use crate::config::Tls;

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a client may take to be told that it should speak TLS.
const REFUSAL_TIME: Duration = Duration::from_secs(5);
/// The first byte of a TLS connection: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// What tells one state of a file from another.
type Stamp = (Option<SystemTime>, u64);

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Certificate {
    files: Tls,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    stamps: Mutex<[Stamp; 2]>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// One sentence for the operator: which file, and what is wrong with it.
    pub(super) fn open(files: &Tls) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let stamps = stamps(files);
        let current = RwLock::new(Arc::new(read(files, &provider)?));
        Ok(Self { files: files.clone(), provider, current, stamps: Mutex::new(stamps) })
    }

    /// Reads the files again if they changed; the old certificate stays when they cannot be used.
    fn look(&self) -> Result<bool> {
        let now = stamps(&self.files);
        {
            let mut known = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
            if *known == now {
                return Ok(false);
            }
            *known = now;
        }
        let new = Arc::new(read(&self.files, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(true)
    }
}

/// Whether a start could use these files.
///
/// # Errors
/// As [`Certificate::open`].
pub(crate) fn check(files: &Tls) -> Result<()> {
    Certificate::open(files).map(drop)
}

fn stamps(files: &Tls) -> [Stamp; 2] {
    [&files.certificate_file, &files.key_file].map(|path| match fs::metadata(path) {
        Ok(metadata) => (metadata.modified().ok(), metadata.len()),
        Err(_) => (None, 0),
    })
}

fn read(files: &Tls, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let Tls { certificate_file, key_file } = files;
    let named = |path: &Path| format!("{} cannot be used", path.display());
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| named(certificate_file))?;
    ensure!(!chain.is_empty(), "{} holds no certificate in PEM form", certificate_file.display());
    let key = PrivateKeyDer::from_pem_file(key_file).with_context(|| named(key_file))?;
    CertifiedKey::from_der(chain, key, provider).with_context(|| {
        format!("{} and {} do not belong together", certificate_file.display(), key_file.display())
    })
}

/// What accepts TLS with this certificate, over HTTP/2 or HTTP/1.1.
pub(super) fn acceptor(certificate: &Arc<Certificate>) -> Result<TlsAcceptor> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&certificate.provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(certificate) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Looks at the files until the server stops.
pub(super) async fn watch(certificate: Arc<Certificate>, lifecycle: Lifecycle) {
    loop {
        tokio::select! {
            () = lifecycle.stopping.cancelled() => return,
            () = sleep(LOOK_INTERVAL) => {}
        }
        let looking = Arc::clone(&certificate);
        match tokio::task::spawn_blocking(move || looking.look()).await {
            Ok(Ok(true)) => tracing::info!("the certificate was read again"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the new certificate cannot be used; the old one stays");
            }
        }
    }
}

/// Whether a connection begins as TLS does.
pub(super) async fn begins(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let read = stream.peek(&mut first).await?;
    Ok(read == 1 && first == [HANDSHAKE])
}

/// Whether a client is on this machine: it came from a loopback address, or from the very address
/// that it reached.
pub(super) fn is_local(peer: IpAddr, reached: Option<IpAddr>) -> bool {
    let peer = peer.to_canonical();
    peer.is_loopback() || reached.is_some_and(|reached| reached.to_canonical() == peer)
}

/// Tells a client to speak TLS, and ends its connection.
pub(super) async fn refuse_plain(mut stream: TcpStream) {
    const TEXT: &str = "This address speaks TLS: use https://.\n";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{TEXT}",
        TEXT.len()
    );
    let told = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    if let Ok(Err(error)) = timeout(REFUSAL_TIME, told).await {
        tracing::debug!(%error, "a client that should speak TLS was gone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_local(peer: &str, reached: Option<&str>, expected: bool) {
        let reached = reached.map(|text| text.parse().unwrap());
        assert_eq!(is_local(peer.parse().unwrap(), reached), expected, "{peer} {reached:?}");
    }

    #[test]
    fn who_is_on_this_machine() {
        check_local("127.0.0.1", None, true);
        check_local("127.9.9.9", Some("127.0.0.1"), true);
        check_local("::1", None, true);
        check_local("::ffff:127.0.0.1", None, true);
        check_local("10.0.0.5", Some("10.0.0.5"), true);
        check_local("::ffff:10.0.0.5", Some("10.0.0.5"), true);
        check_local("10.0.0.6", Some("10.0.0.5"), false);
        check_local("10.0.0.6", None, false);
    }
}
