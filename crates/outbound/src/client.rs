//! One request over one connection to an address that was checked.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::addresses::is_public;
use crate::connection::{Body, Connection, Held, Sender, handshake};
use crate::error::{Error, SetupError};
use crate::target::{self, Target};

/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 4;

/// What the operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Networks that are not public and may be asked all the same. Where the addresses of this
    /// machine are listed, it may also be asked without TLS.
    pub networks: Vec<IpNet>,
    /// A file with certificates of authorities in PEM form, beside those of the system.
    pub authorities: Option<PathBuf>,
}

/// What a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until there is a connection.
    pub connect: Duration,
    /// From then until the head of the answer.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), head: Duration::from_secs(10) }
    }
}

/// Asks other servers. Cheap to clone; it keeps no connection.
#[derive(Clone)]
pub struct Client {
    tls: TlsConnector,
    networks: Arc<[IpNet]>,
    limits: Limits,
}

impl Client {
    /// A client under these rules, which trusts the authorities of the system and of the rules.
    ///
    /// # Errors
    /// When the file of authorities holds none that can be used.
    pub fn new(rules: Rules) -> Result<Self, SetupError> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "authorities of the system that cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
        if let Some(path) = &rules.authorities {
            add_authorities(&mut roots, path)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            networks: rules.networks.into(),
            limits: Limits::default(),
        })
    }

    /// The same client with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The whole answer to a `GET`, if it is a success (status 200) of at most `bytes_max` bytes
    /// and comes within `time`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn get(&self, url: &str, bytes_max: usize, time: Duration) -> Result<Bytes, Error> {
        let is_good = |status: StatusCode| status == StatusCode::OK;
        self.ask(Request::new(Full::default()), url, is_good, bytes_max, time).await
    }

    /// The whole answer to a form, if its status is below 500, it has at most `bytes_max` bytes and
    /// comes within `time`. `authorization` is the value of the header, which no log shows.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn post_form(
        &self,
        url: &str,
        form: Bytes,
        authorization: Option<&str>,
        bytes_max: usize,
        time: Duration,
    ) -> Result<Bytes, Error> {
        let mut request = Request::new(Full::new(form));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, media_type);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(text) = authorization
            && let Ok(mut value) = HeaderValue::from_str(text)
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let is_good = |status: StatusCode| !status.is_server_error();
        self.ask(request, url, is_good, bytes_max, time).await
    }

    async fn ask(
        &self,
        mut request: Request<Full<Bytes>>,
        url: &str,
        is_good: impl Fn(StatusCode) -> bool,
        bytes_max: usize,
        time: Duration,
    ) -> Result<Bytes, Error> {
        let uri = target::parse(url)?;
        let target = Target::of(&uri)?;
        *request.uri_mut() = uri;
        let whole = async {
            let answer = self.send(request).await?;
            if !is_good(answer.status()) {
                return Err(Error::Status(target.host.clone(), answer.status().as_u16()));
            }
            let body = Limited::new(answer.into_body(), bytes_max).collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(|error| {
                match error.downcast::<hyper::Error>() {
                    Ok(error) => Error::Http(target.host.clone(), *error),
                    Err(error) => {
                        debug_assert!(error.is::<LengthLimitError>(), "{error}");
                        Error::Large(target.host.clone(), bytes_max)
                    }
                }
            })
        };
        timeout(time, whole).await.unwrap_or_else(|_| Err(Error::Time(target.host.clone())))
    }

    /// Sends a request whose URI is absolute; the `Host` header is set from it. Redirects are
    /// answers like others. The body of the answer has no limit but the caller's patience: read it
    /// under limits of size and time.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Error> {
        let target = Target::of(request.uri())?;
        let request = target.address(request)?;
        let request = request.map(|body| body.map_err(|never| match never {}).boxed_unsync());
        let (mut sender, connection) = self.connect(&target).await?;
        let answer = timeout(self.limits.head, sender.send_request(request));
        let answer = answer.await.map_err(|_| Error::Time(target.host.clone()))?;
        let answer = answer.map_err(|error| Error::Http(target.host.clone(), error))?;
        let held = Held::Alone { _connection: connection };
        Ok(answer.map(|incoming| Body::new(incoming, held)))
    }

    /// How long the head of an answer may take.
    pub(crate) fn head_time(&self) -> Duration {
        self.limits.head
    }

    /// A connection to an address of the target that is allowed.
    pub(crate) async fn connect(&self, target: &Target) -> Result<(Sender, Connection), Error> {
        let late = |_| Error::Time(target.host.clone());
        timeout(self.limits.connect, self.connect_patiently(target)).await.map_err(late)?
    }

    async fn connect_patiently(&self, target: &Target) -> Result<(Sender, Connection), Error> {
        let unreachable = |error| Error::Connect(target.host.clone(), error);
        let stream = self.open(target).await?;
        if !target.tls {
            return handshake(target, TokioIo::new(stream)).await;
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| Error::Url(target.host.clone()))?;
        let stream = self.tls.connect(name, stream).await.map_err(unreachable)?;
        handshake(target, TokioIo::new(stream)).await
    }

    async fn open(&self, target: &Target) -> Result<TcpStream, Error> {
        let found = match target.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, target.port)],
            Err(_) => lookup_host((target.host.as_str(), target.port))
                .await
                .map_err(|error| Error::Resolve(target.host.clone(), error))?
                .collect(),
        };
        let allowed = found.iter().filter(|address| self.allows(address.ip()));
        let mut refusal = Error::Forbidden(target.host.clone());
        for address in allowed.take(ADDRESSES_MAX) {
            if !target.tls && !address.ip().to_canonical().is_loopback() {
                refusal = Error::Plain(target.host.clone());
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refusal = Error::Connect(target.host.clone(), error),
            }
        }
        Err(refusal)
    }

    fn allows(&self, address: IpAddr) -> bool {
        let listed = |address: &IpAddr| self.networks.iter().any(|it| it.contains(address));
        is_public(address) || listed(&address.to_canonical()) || listed(&address)
    }
}

fn add_authorities(roots: &mut RootCertStore, path: &Path) -> Result<(), SetupError> {
    let unusable = |reason: String| SetupError::Authorities { path: path.to_owned(), reason };
    let before = roots.len();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.len() == before {
        return Err(unusable("it holds no certificate in PEM form".to_owned()));
    }
    Ok(())
}
