//! One kept HTTP/1.1 connection, with TLS or without, that reads answers and throws their bytes away.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long anything may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The file with the certificate of servers that speak TLS.
const CERTIFICATE: &str = "BENCH_CERTIFICATE";

/// What a URL names.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    pub(crate) path: String,
}

impl Target {
    /// Of `http://127.0.0.1:PORT/PATH` or `https://…`; other machines are none of our business.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").context("the URL has a scheme")?;
        let (address, path) = rest.split_once('/').context("the URL has a path")?;
        let address: SocketAddr = address.parse().context("the URL has an address and a port")?;
        ensure!(address.ip().is_loopback(), "only loopback is loaded");
        let tls = match scheme {
            "http" => None,
            "https" => Some(Arc::new(trusting_one_certificate()?)),
            other => bail!("`{other}` is neither http nor https"),
        };
        Ok(Self { address, tls, path: format!("/{path}") })
    }
}

fn trusting_one_certificate() -> Result<ClientConfig> {
    let file = std::env::var_os(CERTIFICATE).with_context(|| format!("{CERTIFICATE}?"))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&file)?)?;
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// What requests go through.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(target.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Some(config) = &target.tls else { return Ok(Self::Plain(stream)) };
        let name = target.address.ip().into();
        let connection = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, stream))))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// What came back.
pub(crate) struct Answer {
    status: u16,
    pub(crate) location: Option<String>,
    pub(crate) bytes: u64,
}

impl Answer {
    pub(crate) fn expect(&self, statuses: &[u16]) -> Result<()> {
        ensure!(statuses.contains(&self.status), "status {}", self.status);
        Ok(())
    }

    pub(crate) fn is(&self, status: u16) -> bool {
        self.status == status
    }
}

pub(crate) struct Client {
    stream: BufReader<Stream>,
    host: SocketAddr,
    authorization: Option<String>,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(target: &Target, authorization: Option<String>) -> Result<Self> {
        Ok(Self {
            stream: BufReader::with_capacity(256 * 1024, Stream::connect(target)?),
            host: target.address,
            authorization,
            buffer: vec![0; 256 * 1024],
        })
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        if let Some(authorization) = &self.authorization {
            head.push_str(&format!("Authorization: {authorization}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if matches!(method, "GET" | "HEAD") {
            // Without it distribution hides manifests of OCI.
            head.push_str("Accept: application/vnd.oci.image.manifest.v1+json, */*\r\n");
        } else {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut message = head.into_bytes();
        let small = body.len() <= 64 * 1024;
        if small {
            message.extend_from_slice(body);
        }
        self.stream.get_mut().write_all(&message)?;
        if !small {
            self.stream.get_mut().write_all(body)?;
        }
        self.stream.get_mut().flush()?;
        self.answer(method == "HEAD")
    }

    fn answer(&mut self, is_head: bool) -> Result<Answer> {
        let (mut status, mut location, mut length) = (None, None, None);
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the server closed the connection");
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if status.is_none() {
                status = text.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
                ensure!(status.is_some(), "no status line");
            } else if let Some((name, value)) = text.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = Some(value.trim().parse::<u64>()?);
                } else if name.eq_ignore_ascii_case("location") {
                    location = Some(value.trim().to_owned());
                }
            }
        }
        let status = status.context("no status line")?;
        let has_body = !is_head && status != 204 && status != 304;
        let bytes = if has_body { length.context("an answer without a length")? } else { 0 };
        let mut rest = bytes;
        while rest > 0 {
            let most = usize::try_from(rest).unwrap_or(usize::MAX).min(self.buffer.len());
            let buffer = self.buffer.get_mut(..most).context("buffer")?;
            let count = self.stream.read(buffer)?;
            ensure!(count > 0, "the body ended early");
            rest -= count as u64;
        }
        Ok(Answer { status, location, bytes })
    }
}
