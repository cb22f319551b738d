//! Connections that are used again. A handshake takes longer than most answers of a registry, so
//! a connection whose answer was read to its end is kept for the next request to the same server.
//! Its address was checked when it was made, under rules that never change.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::client::Client;
use crate::connection::{Body, Connection, Held, Payload, Sender};
use crate::error::Error;
use crate::target::Target;

/// How long a kept connection may take to show that it is ready; it is, or it is not.
const READY_TIME: Duration = Duration::from_millis(500);

/// How many requests and connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Requests under way to one server; a request ends with the body of its answer.
    pub requests_per_server: usize,
    /// Requests under way to all of them.
    pub requests: usize,
    /// Requests that wait until they may begin, for each server.
    pub waiting_per_server: usize,
    /// How long they wait.
    pub wait: Duration,
    /// Connections that are kept for later requests, for each server.
    pub idle_per_server: usize,
    /// How long they are kept.
    pub idle: Duration,
    /// Servers that are remembered.
    pub servers: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            requests_per_server: 32,
            requests: 256,
            waiting_per_server: 256,
            wait: Duration::from_secs(30),
            idle_per_server: 8,
            idle: Duration::from_secs(30),
            servers: 256,
        }
    }
}

/// A request whose URI is absolute.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

/// The body of a request.
pub(crate) enum Content {
    /// All of it; it can be sent again.
    Whole(Bytes),
    /// As it arrives from somewhere. It can be sent once.
    Stream(Payload),
}

/// A client with its connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    client: Client,
    limits: PoolLimits,
    permits: Arc<Semaphore>,
    servers: Mutex<Servers>,
}

#[derive(Default)]
struct Servers {
    known: HashMap<Key, Server>,
    /// Whether a task looks for connections that were kept for too long.
    reaping: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    tls: bool,
    host: String,
    port: u16,
}

struct Server {
    gate: Arc<Gate>,
    /// The one that was used last is at the end and used next.
    idle: Vec<Idle>,
}

struct Gate {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

struct Idle {
    sender: Sender,
    connection: Connection,
    since: Instant,
}

/// Leave to have a request under way.
struct Permit {
    _server: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
    _gate: Arc<Gate>,
}

/// A connection of the pool while an answer is read from it.
pub(crate) struct Lease {
    pool: Weak<Inner>,
    key: Key,
    sender: Sender,
    connection: Connection,
    sent: Arc<Sent>,
    permit: Permit,
}

impl Lease {
    /// Keeps the connection for the next request; its answer was read to the end.
    pub(crate) fn give_back(self) {
        let Self { pool, key, sender, connection, sent, permit } = self;
        if sent.is_complete()
            && !sender.is_closed()
            && let Some(pool) = pool.upgrade()
        {
            pool.keep(&key, Idle { sender, connection, since: Instant::now() });
        }
        // Only now may the next request begin, so that it finds the connection.
        drop(permit);
    }
}

/// Why a request had no answer.
struct Failure {
    error: Error,
    /// The request, if nothing of it went over the connection.
    request: Option<Request<Payload>>,
    /// Whether the connection broke before any answer: a server may close a kept one at any time.
    broken: bool,
}

impl Pool {
    pub(crate) fn new(client: Client, limits: PoolLimits) -> Self {
        Self(Arc::new(Inner {
            client,
            limits,
            permits: Arc::new(Semaphore::new(limits.requests)),
            servers: Mutex::default(),
        }))
    }

    /// Sends a request; redirects are answers like others. The next request to the server uses the
    /// same connection if the body of the answer is read to its end.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<Response<Body>, Error> {
        let Outgoing { method, uri, headers, content } = outgoing;
        let target = Target::of(&uri)?;
        let key = Key { tls: target.tls, host: target.host.clone(), port: target.port };
        let again = match &content {
            Content::Whole(bytes) if method.is_idempotent() => {
                Some((method.clone(), uri.clone(), headers.clone(), bytes.clone()))
            }
            _ => None,
        };
        let permit = self.0.admit(&key, &target).await?;
        let (mut request, sent) = build(&target, method, uri, headers, content)?;
        if let Some(Idle { sender, connection, .. }) = self.0.take(&key).await {
            match self.0.exchange(&target, sender, request, &sent).await {
                Ok((answer, sender)) => {
                    return Ok(self.lease(answer, key, sender, connection, sent, permit));
                }
                Err(Failure { request: Some(unsent), .. }) => request = unsent,
                Err(Failure { error, broken, .. }) => {
                    let Some((method, uri, headers, bytes)) = again.filter(|_| broken) else {
                        return Err(error);
                    };
                    request = build(&target, method, uri, headers, Content::Whole(bytes))?.0;
                }
            }
        }
        let (sender, connection) = self.0.client.connect(&target).await?;
        match self.0.exchange(&target, sender, request, &sent).await {
            Ok((answer, sender)) => Ok(self.lease(answer, key, sender, connection, sent, permit)),
            Err(failure) => Err(failure.error),
        }
    }

    fn lease(
        &self,
        answer: Response<Incoming>,
        key: Key,
        sender: Sender,
        connection: Connection,
        sent: Arc<Sent>,
        permit: Permit,
    ) -> Response<Body> {
        let pool = Arc::downgrade(&self.0);
        let lease = Lease { pool, key, sender, connection, sent, permit };
        answer.map(|incoming| Body::new(incoming, Held::Shared(lease)))
    }
}

fn build(
    target: &Target,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    content: Content,
) -> Result<(Request<Payload>, Arc<Sent>), Error> {
    let sent = Arc::new(Sent::new(matches!(content, Content::Whole(_))));
    let has_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut request = Request::new(match content {
        Content::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        Content::Stream(payload) => Watched { payload, sent: Arc::clone(&sent) }.boxed_unsync(),
    });
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    if has_body && http_body::Body::is_end_stream(request.body()) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok((target.address(request)?, sent))
}

impl Inner {
    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn admit(&self, key: &Key, target: &Target) -> Result<Permit, Error> {
        let busy = || Error::Busy(target.host.clone());
        let gate = self.gate(key).ok_or_else(busy)?;
        let waiting = Waiting::join(&gate, self.limits.waiting_per_server).ok_or_else(busy)?;
        let permits = async {
            let server = Arc::clone(&gate.permits).acquire_owned().await.ok()?;
            let all = Arc::clone(&self.permits).acquire_owned().await.ok()?;
            Some((server, all))
        };
        let permits = timeout(self.limits.wait, permits).await;
        let (server, all) = permits.ok().flatten().ok_or_else(busy)?;
        drop(waiting);
        Ok(Permit { _server: server, _all: all, _gate: gate })
    }

    fn gate(&self, key: &Key) -> Option<Arc<Gate>> {
        let mut servers = self.servers();
        if let Some(server) = servers.known.get(key) {
            return Some(Arc::clone(&server.gate));
        }
        if servers.known.len() >= self.limits.servers {
            // Whoever names servers cannot drive out those that are in use.
            servers.known.retain(|_, server| server.is_used());
            if servers.known.len() >= self.limits.servers {
                return None;
            }
        }
        let gate = Arc::new(Gate {
            permits: Arc::new(Semaphore::new(self.limits.requests_per_server)),
            waiting: AtomicUsize::new(0),
        });
        servers.known.insert(key.clone(), Server { gate: Arc::clone(&gate), idle: Vec::new() });
        Some(gate)
    }

    /// A kept connection that can be used.
    async fn take(&self, key: &Key) -> Option<Idle> {
        loop {
            let mut idle = self.servers().known.get_mut(key)?.idle.pop()?;
            if idle.since.elapsed() >= self.limits.idle || idle.sender.is_closed() {
                continue;
            }
            if let Ok(Ok(())) = timeout(READY_TIME, idle.sender.ready()).await {
                return Some(idle);
            }
        }
    }

    fn keep(self: &Arc<Self>, key: &Key, idle: Idle) {
        // Bodies may be dropped where nothing runs that could watch over the connection.
        let Ok(runtime) = Handle::try_current() else { return };
        let mut servers = self.servers();
        let Some(server) = servers.known.get_mut(key) else { return };
        if server.idle.len() >= self.limits.idle_per_server {
            server.idle.remove(0);
        }
        server.idle.push(idle);
        if !servers.reaping {
            servers.reaping = true;
            runtime.spawn(reap(Arc::downgrade(self), self.limits.idle));
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        mut sender: Sender,
        request: Request<Payload>,
        sent: &Sent,
    ) -> Result<(Response<Incoming>, Sender), Failure> {
        sent.moved();
        let mut answer = pin!(sender.try_send_request(request));
        loop {
            // While a body goes out, only a pause counts.
            let since = sent.last();
            let answered = timeout_at(since + self.client.head_time(), &mut answer).await;
            match answered {
                Ok(Ok(answer)) => return Ok((answer, sender)),
                Ok(Err(mut failed)) => {
                    let request = failed.take_message();
                    let error = failed.into_error();
                    let broken = error.is_incomplete_message()
                        || error.is_canceled()
                        || error.is_closed()
                        || is_io(&error);
                    let error = Error::Http(target.host.clone(), error);
                    return Err(Failure { error, request, broken });
                }
                Err(_) if sent.last() > since => {}
                Err(_) => {
                    let error = Error::Time(target.host.clone());
                    return Err(Failure { error, request: None, broken: false });
                }
            }
        }
    }
}

impl Server {
    /// Whether a request to it is under way or waits.
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.gate) > 1
    }
}

fn is_io(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// Closes connections that nobody used for a while, until none is left.
async fn reap(pool: Weak<Inner>, idle: Duration) {
    loop {
        sleep(idle / 2).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut servers = pool.servers();
        for server in servers.known.values_mut() {
            server.idle.retain(|kept| kept.since.elapsed() < idle && !kept.sender.is_closed());
        }
        servers.known.retain(|_, server| server.is_used() || !server.idle.is_empty());
        if servers.known.values().all(|server| server.idle.is_empty()) {
            servers.reaping = false;
            return;
        }
    }
}

/// A place among those who wait.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn join(gate: &'a Gate, max: usize) -> Option<Self> {
        let before = gate.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Self(gate);
        (before < max).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How far the body of a request has gone out.
struct Sent(Mutex<SentSoFar>);

struct SentSoFar {
    last: Instant,
    complete: bool,
}

impl Sent {
    fn new(complete: bool) -> Self {
        Self(Mutex::new(SentSoFar { last: Instant::now(), complete }))
    }

    fn lock(&self) -> MutexGuard<'_, SentSoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> Instant {
        self.lock().last
    }

    fn moved(&self) {
        self.lock().last = Instant::now();
    }

    fn is_complete(&self) -> bool {
        self.lock().complete
    }
}

/// A body that notes how far it went.
struct Watched {
    payload: Payload,
    sent: Arc<Sent>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = crate::connection::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.payload).poll_frame(context);
        if let Poll::Ready(frame) = &polled {
            let mut sent = self.sent.lock();
            sent.last = Instant::now();
            sent.complete |= frame.is_none();
        }
        if self.payload.is_end_stream() {
            self.sent.lock().complete = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.payload.size_hint()
    }
}
