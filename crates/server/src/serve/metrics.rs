//! What the server counts, and who may read it. No label holds a name that a client chose.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context as _, Result, bail};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret, SecretString};
use tonnage_api::request::Response;

use super::arrival::Origin;
use super::respond::text;
use crate::config::MetricsAccess;

/// The OpenMetrics 1.0 text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    status: u16,
}

/// The server's counters, and the registry with everybody's.
#[derive(Clone)]
pub(super) struct Metrics(Arc<Parts>);

struct Parts {
    registry: Registry,
    connections: Counter<u64, AtomicU64>,
    connections_open: Gauge,
    connections_exhausted: Counter<u64, AtomicU64>,
    requests: Family<RequestLabels, Counter<u64, AtomicU64>>,
    bytes_received: Counter<u64, AtomicU64>,
    bytes_sent: Counter<u64, AtomicU64>,
}

/// Counts a connection as open until it is dropped.
pub(super) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// The server's counters beside those of the domain.
    pub(super) fn new(domain: &tonnage_domain::metrics::Metrics) -> Self {
        let mut registry = Registry::with_prefix("tonnage");
        domain.register(&mut registry);
        let mut parts = Parts {
            registry: Registry::default(),
            connections: Counter::default(),
            connections_open: Gauge::default(),
            connections_exhausted: Counter::default(),
            requests: Family::default(),
            bytes_received: Counter::default(),
            bytes_sent: Counter::default(),
        };
        registry.register("connections", "Connections accepted", parts.connections.clone());
        registry.register(
            "connections_open",
            "Connections open now",
            parts.connections_open.clone(),
        );
        registry.register(
            "connections_exhausted",
            "How often a connection had to wait because as many as are allowed were open",
            parts.connections_exhausted.clone(),
        );
        registry.register("requests", "Requests by method and status", parts.requests.clone());
        registry.register(
            "received_bytes",
            "Bytes received on all connections",
            parts.bytes_received.clone(),
        );
        registry.register("sent_bytes", "Bytes sent on all connections", parts.bytes_sent.clone());
        parts.registry = registry;
        Self(Arc::new(parts))
    }

    pub(super) fn connection_opened(&self) -> OpenConnection {
        self.0.connections.inc();
        self.0.connections_open.inc();
        OpenConnection(self.0.connections_open.clone())
    }

    pub(super) fn connections_exhausted(&self) {
        self.0.connections_exhausted.inc();
    }

    pub(super) fn request_answered(&self, method: &Method, status: StatusCode) {
        let labels = RequestLabels { method: known_method(method), status: status.as_u16() };
        self.0.requests.get_or_create(&labels).inc();
    }

    pub(super) fn bytes_received(&self, bytes: usize) {
        self.0.bytes_received.inc_by(bytes as u64);
    }

    pub(super) fn bytes_sent(&self, bytes: usize) {
        self.0.bytes_sent.inc_by(bytes as u64);
    }
}

/// Clients may invent methods; labels may not grow with them.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Who may read the metrics: this machine, and whoever has the token.
#[derive(Debug)]
pub(super) struct Access(Option<SecretString>);

impl Access {
    /// Reads the token.
    ///
    /// # Errors
    /// When its file cannot be read or is empty.
    pub(super) fn read(settings: &MetricsAccess) -> Result<Self> {
        let Some(path) = &settings.token_file else { return Ok(Self(None)) };
        let token = fs::read_to_string(path)
            .with_context(|| format!("the metrics token {} cannot be read", path.display()))?;
        let token = token.trim();
        if token.is_empty() {
            bail!("the metrics token {} is empty", path.display());
        }
        Ok(Self(Some(SecretString::from(token))))
    }

    /// The metrics, or a refusal.
    pub(super) fn answer(
        &self,
        metrics: &Metrics,
        origin: &Origin,
        headers: &HeaderMap,
    ) -> Response {
        // A proxy on this machine that does not say for whom it asks may ask for anybody.
        let is_local = origin.source_address.is_loopback() && !origin.forwarded;
        if !is_local && !self.is_given(headers) {
            return text(
                StatusCode::FORBIDDEN,
                "Metrics are for this machine, or for whoever has the token of \
                 `metrics_token_file`.\n",
            );
        }
        let mut encoded = String::new();
        if let Err(error) = encode(&mut encoded, &metrics.0.registry) {
            tracing::error!(%error, "metrics cannot be encoded");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be encoded\n");
        }
        let mut response = text(StatusCode::OK, encoded);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
        response
    }

    fn is_given(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.0 else { return false };
        headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .is_some_and(|token| {
                verify_slices_are_equal(token, expected.expose_secret().as_bytes()).is_ok()
            })
    }
}
