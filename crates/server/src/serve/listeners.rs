//! Sockets to listen on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tonnage_domain::context::Endpoint;

use super::Lifecycle;
use super::accept::accept;
use super::metrics::Metrics;
use super::respond::Responder;
use crate::config;

/// Connections that the kernel may hold for us until they are accepted.
const BACKLOG: u32 = 1024;

/// Bound sockets.
pub(super) struct Listeners(Vec<Bound>);

struct Bound {
    listener: TcpListener,
    /// With the port it got.
    address: SocketAddr,
    endpoint: Option<Endpoint>,
    /// Whether every name is one of public registries here.
    public: bool,
}

/// Binds every address.
///
/// # Errors
/// One sentence that names the address and what to do. An IPv6 address that nobody asked for is
/// skipped on machines without IPv6.
pub(super) fn bind(settings: &config::Listeners, public: &config::Public) -> Result<Listeners> {
    let mut listeners = Vec::new();
    for &address in &settings.addresses {
        match bind_one(address) {
            Ok((listener, bound)) => {
                let named = settings.endpoints.iter().find(|(named, _)| *named == address);
                let endpoint = named.map(|(_, endpoint)| endpoint.clone());
                listeners.push(Bound { listener, address: bound, endpoint, public: false });
            }
            Err(error) if !settings.explicit && address.is_ipv6() && is_absent(&error) => {
                tracing::info!(%address, "this machine has no IPv6, listening on IPv4 only");
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
                "{address} is in use by another program; stop that one, or listen elsewhere with \
                 `--listen ADDRESS:PORT`"
            ),
            Err(error) => bail!("`--listen {address}` does not work on this machine: {error}"),
        }
    }
    for &address in &public.addresses {
        match bind_one(address) {
            Ok((listener, address)) => {
                listeners.push(Bound { listener, address, endpoint: None, public: true });
            }
            Err(error) if public.explicit => {
                bail!("`--public-listen {address}` does not work on this machine: {error}")
            }
            Err(error) if address.is_ipv6() && is_absent(&error) => {}
            Err(error) => tracing::warn!(
                %address,
                %error,
                "public registries have no port of their own; choose one with `--public-listen`"
            ),
        }
    }
    Ok(Listeners(listeners))
}

fn bind_one(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Without this, a restart would wait for the connections of the process before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

fn is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let codes = [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

impl Listeners {
    /// Where they listen, with the ports they got.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter(|bound| !bound.public).map(|bound| bound.address).collect()
    }

    /// The same of public registries.
    pub(super) fn public_addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter(|bound| bound.public).map(|bound| bound.address).collect()
    }

    /// Serves connections until the server stops.
    pub(super) fn accept(
        self,
        tls: Option<&TlsAcceptor>,
        responder: &Responder,
        metrics: &Metrics,
        connections_max: usize,
        lifecycle: &Lifecycle,
    ) {
        let slots = Arc::new(Semaphore::new(connections_max));
        for Bound { listener, endpoint, public, .. } in self.0 {
            lifecycle.background.spawn(accept(
                listener,
                tls.cloned(),
                responder.through(endpoint, public),
                metrics.clone(),
                Arc::clone(&slots),
                lifecycle.clone(),
            ));
        }
    }
}

/// Every connection and every open blob is a file descriptor; shells allow far fewer than systems.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
