//! A server that answers from a script and notes what it was asked.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What was asked.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("-", |value| value.to_str().unwrap())
    }

    /// What it logs in with.
    pub(crate) fn login(&self) -> &str {
        self.header("authorization")
    }

    /// The URL of the server.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.header("host"))
    }
}

/// What is answered.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: ReplyBody,
}

#[derive(Clone)]
enum ReplyBody {
    Whole(Bytes),
    Endless,
    /// Some bytes, and nothing after them.
    Stalled,
    /// Some bytes, and the end of the connection.
    Broken,
}

impl Reply {
    pub(crate) fn of(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: ReplyBody::Whole(Bytes::new()) }
    }

    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Self { body: ReplyBody::Whole(body.into()), ..Self::of(200) }
    }

    pub(crate) fn endless() -> Self {
        Self { body: ReplyBody::Endless, ..Self::of(200) }
    }

    pub(crate) fn stalled() -> Self {
        Self { body: ReplyBody::Stalled, ..Self::of(200) }
    }

    pub(crate) fn broken() -> Self {
        Self { body: ReplyBody::Broken, ..Self::of(200) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn response(self) -> Response<UnsyncBoxBody<Bytes, std::io::Error>> {
        let chunk = |bytes: Bytes| Ok(Frame::data(bytes));
        let body = match self.body {
            ReplyBody::Whole(bytes) => {
                http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
            }
            ReplyBody::Endless => {
                let chunks = stream::repeat(Bytes::from(vec![b'a'; 8192])).map(chunk);
                StreamBody::new(chunks).boxed_unsync()
            }
            ReplyBody::Stalled => {
                let begin = stream::iter([chunk(Bytes::from_static(b"begin"))]);
                StreamBody::new(begin.chain(stream::pending())).boxed_unsync()
            }
            ReplyBody::Broken => {
                let begin = stream::iter([chunk(Bytes::from_static(b"begin"))]);
                // What was sent goes out while there is nothing more.
                let end = stream::once(async {
                    tokio::task::yield_now().await;
                    Err(std::io::Error::other("broken"))
                });
                StreamBody::new(begin.chain(end)).boxed_unsync()
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status.try_into().unwrap();
        for (name, value) in self.headers {
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

pub(crate) struct Server {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    log: Mutex<Vec<String>>,
    connections: AtomicUsize,
    running: AtomicUsize,
    running_max: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, script).await
    }

    pub(crate) async fn start_with(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            log: Mutex::default(),
            connections: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            running_max: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&accepting);
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                let tls = tls.clone();
                tokio::spawn(async move {
                    let http = http1::Builder::new();
                    let Some(tls) = tls else {
                        drop(http.serve_connection(TokioIo::new(stream), service).await);
                        return;
                    };
                    let Ok(stream) = tls.accept(stream).await else { return };
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was asked since the last look: method, path, login.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.log.lock().unwrap())
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Most requests that were under way at a time.
    pub(crate) fn running_max(&self) -> usize {
        self.shared.running_max.load(Ordering::SeqCst)
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, std::io::Error>>, Infallible> {
    let running = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
    shared.running_max.fetch_max(running, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body,
    };
    let line = format!("{} {} {}", asked.method, asked.path, asked.login());
    shared.log.lock().unwrap().push(line);
    let reply = (shared.script)(&asked);
    // Others get their turn while this one is under way.
    tokio::task::yield_now().await;
    shared.running.fetch_sub(1, Ordering::SeqCst);
    Ok(reply.response())
}
