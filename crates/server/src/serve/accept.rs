//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Lifecycle;
use super::connection::Connection;
use super::metrics::Metrics;
use super::respond::{Client, Responder};
use super::tls;

/// How long a client may take to send the head of a request, and how long a connection may rest
/// between two.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long the handshake of TLS may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How often an HTTP/2 connection is asked whether its client is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long the client may take to answer that.
const PING_TIME: Duration = Duration::from_secs(20);
/// Bytes of an HTTP/1.1 connection's buffers: the largest head, and the largest chunk of a body.
const BUFFER_BYTES: usize = 256 * 1024;
/// Bytes under way to us on one HTTP/2 stream; the default of 64 KiB starves uploads.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes under way to us on one HTTP/2 connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Requests at a time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Bytes of the headers of an HTTP/2 request.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// The pause after the system had no descriptor or memory for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Serves the connections of one listener until the server stops.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    responder: Responder,
    metrics: Metrics,
    slots: Arc<Semaphore>,
    lifecycle: Lifecycle,
) {
    let builder = builder();
    loop {
        if slots.available_permits() == 0 {
            metrics.connections_exhausted();
        }
        let accepted = tokio::select! {
            biased;
            () = lifecycle.stopping.cancelled() => return,
            accepted = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, listener.accept().await)
            } => accepted,
        };
        let (slot, (stream, peer)) = match accepted {
            (Ok(slot), Ok(accepted)) => (slot, accepted),
            (Err(_), _) => return,
            (_, Err(error)) if is_of_one_connection(&error) => continue,
            (_, Err(error)) => {
                tracing::error!(%error, "connections cannot be accepted");
                sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        let serving = Serving {
            builder: builder.clone(),
            peer,
            responder: responder.clone(),
            metrics: metrics.clone(),
            lifecycle: lifecycle.clone(),
        };
        // Answers are written whole; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "a connection was gone before it was served");
            continue;
        }
        let tls = tls.clone();
        lifecycle.work.spawn(async move {
            match tls {
                Some(tls) => serving.secured(stream, tls).await,
                None => serving.serve(stream, false).await,
            }
            drop(slot);
        });
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER_BYTES)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIME);
    builder
}

/// What serves one connection.
struct Serving {
    builder: Builder<TokioExecutor>,
    peer: SocketAddr,
    responder: Responder,
    metrics: Metrics,
    lifecycle: Lifecycle,
}

impl Serving {
    /// Serves a client that speaks TLS, or may do without it.
    async fn secured(self, stream: TcpStream, tls: TlsAcceptor) {
        let peer = self.peer;
        let reached = stream.local_addr().ok().map(|address| address.ip());
        let begun = tokio::select! {
            begun = timeout(HEAD_TIME, tls::begins(&stream)) => begun,
            () = self.lifecycle.stopping.cancelled() => return,
        };
        match begun {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => {
                if tls::is_local(peer.ip(), reached) || self.responder.trusts(peer.ip()) {
                    return self.serve(stream, false).await;
                }
                return tls::refuse_plain(stream).await;
            }
            Ok(Err(_)) | Err(_) => {
                tracing::debug!(%peer, "a connection sent nothing in time");
                return;
            }
        }
        let accepted = tokio::select! {
            accepted = timeout(HANDSHAKE_TIME, tls.accept(stream)) => accepted,
            () = self.lifecycle.cutting.cancelled() => return,
        };
        match accepted {
            Ok(Ok(stream)) => self.serve(stream, true).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a client and we agree on no TLS"),
            Err(_) => tracing::debug!(%peer, "a client began TLS and did not go on"),
        }
    }

    /// Serves HTTP until the client goes or the server stops.
    async fn serve<S>(self, stream: S, secure: bool)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { builder, peer, responder, metrics, lifecycle } = self;
        let _open = metrics.connection_opened();
        let client = Client { peer, secure };
        let first_request = Arc::new(AtomicBool::new(false));
        let service = service_fn({
            let first_request = Arc::clone(&first_request);
            move |request: http::Request<Incoming>| {
                first_request.store(true, Ordering::Relaxed);
                let responder = responder.clone();
                // The state of a request is large, and a connection without one does without it.
                async move { Ok::<_, Infallible>(Box::pin(responder.respond(request, client)).await) }
            }
        });
        let io = TokioIo::new(Connection::new(stream, metrics));
        let mut connection = pin!(builder.serve_connection(io, service));
        // The head timer runs only once the protocol is known.
        let mut protocol_deadline = pin!(sleep(HEAD_TIME));
        let mut protocol_known = false;
        let mut stopping = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(error = error.to_string(), %peer, "a connection broke");
                    }
                    return;
                }
                () = protocol_deadline.as_mut(), if !protocol_known => {
                    if !first_request.load(Ordering::Relaxed) {
                        tracing::debug!(%peer, "a connection sent no request in time");
                        return;
                    }
                    protocol_known = true;
                }
                () = lifecycle.stopping.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = lifecycle.cutting.cancelled() => return,
            }
        }
    }
}
