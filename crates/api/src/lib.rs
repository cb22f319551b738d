//! Machine protocols: each decodes its own wire shapes, authenticates, and runs one operation of
//! the domain.

pub mod aws;
pub mod body;
mod denial;
pub mod host;
mod logos;
pub mod oci;
pub mod request;
pub mod sigv4;

use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, REFERER, USER_AGENT};
use tonnage_domain::app::App;
use tonnage_domain::clock::Millis;
use tonnage_domain::context::{Endpoint, Principal, RequestContext};
use tonnage_domain::names::{AccountId, Region};

use crate::host::Host;
use crate::request::{Request, Response};

/// How a request reached us.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Where it came from, behind trusted proxies.
    pub source_address: IpAddr,
    /// Whether it came over TLS, here or at a trusted proxy.
    pub secure_transport: bool,
    /// The endpoint it came through, where the listener is one.
    pub endpoint: Option<Endpoint>,
    /// The host that the client used.
    pub host: Host,
    /// Its id.
    pub request_id: String,
    /// When it arrived.
    pub now: Millis,
}

impl Arrival {
    /// `http` or `https`, as the client used it.
    pub fn scheme(&self) -> &'static str {
        if self.secure_transport { "https" } else { "http" }
    }

    /// What an operation that it asks for knows of it.
    pub fn context(
        &self,
        headers: &HeaderMap,
        principal: Principal,
        account: AccountId,
        region: Region,
    ) -> RequestContext {
        const HEADER_BYTES_MAX: usize = 512;
        // Header values that are text are ASCII, so every byte is a boundary.
        let text_of = |name: HeaderName| {
            let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            text.get(..text.len().min(HEADER_BYTES_MAX)).unwrap_or_default().to_owned()
        };
        RequestContext {
            principal,
            account,
            region,
            source_address: self.source_address,
            secure_transport: self.secure_transport,
            endpoint: self.endpoint.clone(),
            user_agent: text_of(USER_AGENT),
            referer: text_of(REFERER),
            input: None,
            request_id: self.request_id.clone(),
            now: self.now,
        }
    }
}

/// Whether a request is for a page for people: it reads under the host of public registries, and no
/// protocol has its path.
pub fn is_for_people(request: &Request, arrival: &Arrival) -> bool {
    let path = request.uri().path();
    let of_protocol = path == "/v2"
        || path.starts_with("/v2/")
        || path.starts_with(oci::DOWNLOAD_PREFIX)
        || path.starts_with(logos::PREFIX)
        || matches!(path, "/token" | "/token/");
    let query = request.uri().query().unwrap_or_default();
    arrival.host.is_public()
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && !of_protocol
        && !request.headers().contains_key(AUTHORIZATION)
        // Requests of AWS Query, and signed links.
        && !query.split('&').any(|pair| pair.starts_with("Action=") || pair.starts_with("X-Amz-"))
}

/// Whether a request is for the console: under a host that stands for no registry and no API, and no
/// protocol has its path. At the root, whoever asks for a page is shown the way there.
pub fn is_for_console(request: &Request, arrival: &Arrival) -> bool {
    let path = request.uri().path();
    let of_console = path == "/console"
        || path.starts_with("/console/")
        || (path.starts_with("/assets/") && !path.starts_with(logos::PREFIX));
    let wants_page = || {
        let accepted = request.headers().get(http::header::ACCEPT);
        let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
        path == "/"
            && request.uri().query().is_none()
            && accepted.split(',').any(|kind| kind.trim_start().starts_with("text/html"))
    };
    arrival.host.is_bare()
        && !request.headers().contains_key(AUTHORIZATION)
        && (of_console || (matches!(*request.method(), Method::GET | Method::HEAD) && wants_page()))
}

/// The front ends.
#[derive(Clone)]
pub struct Api {
    app: Arc<App>,
    profile: oci::profile::Profile,
}

impl Api {
    /// The front ends of a registry; the distribution protocol as specified.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, profile: oci::profile::Profile::default() }
    }

    /// The same, with the distribution protocol as `profile` has it.
    #[must_use]
    pub fn with_profile(mut self, profile: oci::profile::Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Answers a request of any protocol served here.
    pub async fn handle(&self, request: Request, arrival: &Arrival) -> Response {
        let path = request.uri().path();
        if path == "/v2" || path.starts_with("/v2/") || path.starts_with(oci::DOWNLOAD_PREFIX) {
            oci::handle(&self.app, self.profile, request, arrival).await
        } else if arrival.host.is_public() && matches!(path, "/token" | "/token/") {
            Box::pin(oci::public::token(&self.app, self.profile, request, arrival)).await
        } else if path.starts_with(logos::PREFIX) {
            Box::pin(logos::get(&self.app, request, arrival)).await
        } else {
            Box::pin(aws::handle(&self.app, request, arrival)).await
        }
    }
}
