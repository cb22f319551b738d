//! One request: its id, its origin, its answer, its line in the log.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use futures_util::{FutureExt as _, StreamExt as _};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use tonnage_api::body::Body;
use tonnage_api::host::PublicPlace;
use tonnage_api::request::{Request, Response};
use tonnage_api::{Api, Arrival};
use tonnage_console::console;
use tonnage_console::gallery::{self, Visit};
use tonnage_domain::app::App;
use tonnage_domain::context::{Endpoint, Principal};
use tonnage_domain::names::{AccountId, Region};

use super::access_log::{Line, Logged};
use super::arrival::Origin;
use super::metrics::{Access, Metrics};
use super::{Lifecycle, body, health};
use crate::config::{Console, TrustedProxies};

/// Who is connected, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// The other end of the connection.
    pub(super) peer: SocketAddr,
    /// Whether the connection is one of TLS.
    pub(super) secure: bool,
}

/// Answers requests.
#[derive(Clone)]
pub(super) struct Responder {
    parts: Arc<Parts>,
    endpoint: Option<Arc<Endpoint>>,
    /// Whether the listener is that of public registries.
    public: bool,
}

struct Parts {
    api: Api,
    app: Arc<App>,
    health: health::Readiness,
    metrics: Metrics,
    access: Access,
    trusted_proxies: TrustedProxies,
    public: PublicPlace,
    console: Console,
    lifecycle: Lifecycle,
}

impl Responder {
    /// Answers with the front ends and with what the server says of itself.
    pub(super) fn new(
        api: Api,
        app: Arc<App>,
        (metrics, access): (Metrics, Access),
        trusted_proxies: TrustedProxies,
        (public, console): (PublicPlace, Console),
        lifecycle: Lifecycle,
    ) -> Self {
        let health = health::Readiness::default();
        let parts = Parts {
            api,
            app,
            health,
            metrics,
            access,
            trusted_proxies,
            public,
            console,
            lifecycle,
        };
        Self { parts: Arc::new(parts), endpoint: None, public: false }
    }

    /// The same for a listener that is an endpoint, or is not, or is that of public registries.
    pub(super) fn through(&self, endpoint: Option<Endpoint>, public: bool) -> Self {
        Self { parts: Arc::clone(&self.parts), endpoint: endpoint.map(Arc::new), public }
    }

    /// Whether what this address says of its clients is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.parts.trusted_proxies.contains(address)
    }

    /// Answers a request of a client.
    pub(super) async fn respond(
        &self,
        request: http::Request<Incoming>,
        client: Client,
    ) -> http::Response<Logged> {
        let started = Instant::now();
        let request_id = uuid::Uuid::new_v4().to_string();
        let origin =
            Origin::of(client, request.uri(), request.headers(), &self.parts.trusted_proxies);
        let line = Line::new(&request, &origin, request_id.clone(), started);
        let response = self.answer(body::convert(request), origin, request_id).await;
        self.parts.metrics.request_answered(line.method(), response.status());
        Logged::new(response, line)
    }

    async fn answer(&self, request: Request, origin: Origin, request_id: String) -> Response {
        match request.uri().path() {
            "/healthz" => return text(StatusCode::OK, "ok\n"),
            "/readyz" => return self.parts.health.answer(&self.parts.app).await,
            "/metrics" => {
                return self.parts.access.answer(&self.parts.metrics, &origin, request.headers());
            }
            _ => {}
        }
        let Some(host) = origin.host else {
            return text(
                StatusCode::BAD_REQUEST,
                "The request names no valid host; send one `Host` header with a name or an \
                 address, and a port if need be.\n",
            );
        };
        let host = host.beside(self.parts.public.clone());
        let host = if self.public { host.at_public_listener() } else { host };
        let arrival = Arrival {
            source_address: origin.source_address,
            secure_transport: origin.secure_transport,
            endpoint: self.endpoint.as_deref().cloned(),
            host,
            request_id,
            now: self.parts.app.clock.now(),
        };
        if takes_uploads(&request) {
            // When a connection breaks, the HTTP engine drops whoever was answering on it. These
            // go on, so that what a client sent until then is kept.
            let parts = Arc::clone(&self.parts);
            let task = self
                .parts
                .lifecycle
                .work
                .spawn(async move { parts.handle(request, &arrival).await });
            task.await.unwrap_or_else(|_| failed("unknown"))
        } else {
            self.parts.handle(request, &arrival).await
        }
    }
}

impl Parts {
    async fn handle(&self, request: Request, arrival: &Arrival) -> Response {
        let answer = async {
            if tonnage_api::is_for_people(&request, arrival) {
                Box::pin(self.show(request, arrival)).await
            } else if self.console.enabled && tonnage_api::is_for_console(&request, arrival) {
                Box::pin(self.show_console(request, arrival)).await
            } else {
                self.api.handle(request, arrival).await
            }
        };
        AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(request_id = arrival.request_id, "a request panicked");
            failed(&arrival.request_id)
        })
    }
}

impl Parts {
    /// Answers people who browse.
    async fn show(&self, request: Request, arrival: &Arrival) -> Response {
        let (request, _) = request.into_parts();
        let account = self.app.management_account;
        let principal = Principal::anonymous(account);
        let visit = Visit {
            method: &request.method,
            uri: &request.uri,
            headers: &request.headers,
            scheme: arrival.scheme(),
            authority: arrival.host.authority(),
            context: arrival.context(&request.headers, principal, account, Region::global()),
        };
        gallery::answer(&self.app, &visit).await.map(Body::full)
    }

    /// Answers people who look after their registries.
    async fn show_console(&self, request: Request, arrival: &Arrival) -> Response {
        let (request, mut body) = request.into_parts();
        let mut sent = Some(BytesMut::new());
        while let Some(part) = body.next().await {
            let Ok(part) = part else {
                return text(StatusCode::BAD_REQUEST, "The form did not arrive whole.\n");
            };
            match &mut sent {
                Some(known) if known.len() + part.len() <= console::FORM_BYTES_MAX => {
                    known.extend_from_slice(&part);
                }
                _ => {
                    sent = None;
                    break;
                }
            }
        }
        let account = self.app.management_account;
        let principal = Principal::anonymous(account);
        let region = self.app.default_region.clone();
        let is_whole = sent.is_some();
        let registry = |account: &AccountId, region: &Region| match &self.public.domain {
            // The name that the operator gave stands for one registry, this host for all of them.
            Some(domain) if arrival.host.authority() == format!("console.{domain}") => {
                format!("{account}.dkr.ecr.{region}.{domain}")
            }
            _ => arrival.host.registry_authority(account, region),
        };
        let visit = console::Visit {
            method: &request.method,
            uri: &request.uri,
            headers: &request.headers,
            scheme: arrival.scheme(),
            authority: arrival.host.authority(),
            registry_authority: &registry,
            lint: &crate::commands::lint_policy,
            actions: &crate::commands::known_actions,
            body: sent.unwrap_or_default().freeze(),
            plain_http: self.console.plain_http,
            context: arrival.context(&request.headers, principal, account, region),
        };
        match is_whole {
            true => console::answer(&self.app, &visit).await.map(Body::full),
            false => console::too_large(&visit).map(Body::full),
        }
    }
}

fn takes_uploads(request: &Request) -> bool {
    request.uri().path().starts_with("/v2/")
        && matches!(*request.method(), Method::PUT | Method::PATCH | Method::POST)
}

fn failed(request_id: &str) -> Response {
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!(
            "The server failed because of a defect; its log says more under request id \
             {request_id}.\n"
        ),
    )
}

/// An answer for people.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = Response::new(Body::full(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
