//! A registry in this process: SQLite in memory, blobs in a directory that is thrown away, a clock
//! that stands still.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use tonnage_api::host::Host;
use tonnage_api::request::Request;
use tonnage_api::sigv4::{self, Credentials, Unsigned};
use tonnage_api::{Api, Arrival};
use tonnage_domain::accounts::bootstrap::{self, Parts};
use tonnage_domain::accounts::{CreateAccount, management_root};
use tonnage_domain::app::{App, Settings};
use tonnage_domain::clock::{Clock as _, ManualClock, Millis};
use tonnage_domain::context::RequestContext;
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::identities::access_keys::AccessKey;
use tonnage_domain::names::AccountId;
use tonnage_domain::root_key::RootKey;
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::SqliteMetadata;

/// The account of the registry.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The region that requests are for unless they say otherwise.
pub(crate) const REGION: &str = "us-east-1";
/// The host that requests are for unless they say otherwise.
pub(crate) const LOCALHOST: &str = "localhost:4510";
/// 2026-02-03T04:05:06.789Z.
pub(crate) const NOW: Millis = Millis(1_770_091_506_789);
/// The id of every request.
pub(crate) const REQUEST_ID: &str = "3f2c1f66-6a1f-4b83-9ad4-5d7d5a1f0c11";

pub(crate) struct Registry {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) credentials: Credentials,
    pub(crate) api: Api,
    _blobs: tempfile::TempDir,
}

/// A request before it is signed.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Default for Plain {
    fn default() -> Self {
        Self {
            method: "POST",
            target: "/".to_owned(),
            host: LOCALHOST.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            region: REGION.to_owned(),
            service: "ecr".to_owned(),
        }
    }
}

impl Plain {
    /// A request of AWS JSON.
    pub(crate) fn json(target: &str, body: impl Into<Bytes>) -> Self {
        Self {
            headers: vec![
                ("x-amz-target", target.to_owned()),
                ("content-type", "application/x-amz-json-1.1".to_owned()),
            ],
            body: body.into(),
            ..Self::default()
        }
    }

    /// A request of AWS Query.
    pub(crate) fn form(service: &str, body: impl Into<Bytes>) -> Self {
        let content_type = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        Self {
            headers: vec![("content-type", content_type)],
            body: body.into(),
            service: service.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn header_map(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&self.host).unwrap());
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Registry {
    pub(crate) async fn open() -> Self {
        Self::open_with(Settings::default(), |_| {}).await
    }

    /// A registry as its operator set it up.
    pub(crate) async fn open_with(settings: Settings, set_up: impl FnOnce(&mut App)) -> Self {
        let blobs = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(NOW));
        let opened = bootstrap::open(Parts {
            metadata: Arc::new(SqliteMetadata::open_in_memory().unwrap()),
            objects: Arc::new(FileObjects::open(blobs.path()).unwrap()),
            clock: clock.clone(),
            root_key: RootKey::new(&[7; 32]).unwrap(),
            settings,
            account: Some(AccountId::parse(ACCOUNT).unwrap()),
            region: None,
            root_access_key: None,
        })
        .await
        .unwrap();
        let mut app = opened.app;
        set_up(&mut app);
        let app = Arc::new(app);
        let credentials = credentials(&opened.first_access_key.unwrap());
        Self { api: Api::new(Arc::clone(&app)), app, clock, credentials, _blobs: blobs }
    }

    /// Creates another account; the credentials of its root.
    pub(crate) async fn create_account(&self, id: &str) -> Credentials {
        let operation = CreateAccount {
            management_account: self.app.management_account,
            id: AccountId::parse(id).unwrap(),
            name: "another".to_owned(),
        };
        let (_, key) = self.manage(operation).await;
        credentials(&key)
    }

    /// Runs an operation as the operator.
    pub(crate) async fn manage<O: Operation>(&self, operation: O) -> O::Output {
        let principal = management_root(&self.app).await.unwrap();
        let context = RequestContext {
            account: principal.account,
            principal,
            region: self.app.default_region.clone(),
            source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure_transport: false,
            endpoint: None,
            user_agent: String::new(),
            referer: String::new(),
            input: None,
            request_id: REQUEST_ID.to_owned(),
            now: self.clock.now(),
        };
        execute(&self.app, &context, operation).await.unwrap()
    }

    /// Sends a request as the root of the registry's account.
    pub(crate) async fn send(&self, plain: &Plain) -> Answer {
        self.send_as(&self.credentials, plain).await
    }

    pub(crate) async fn send_as(&self, credentials: &Credentials, plain: &Plain) -> Answer {
        self.send_with(plain, self.signed_as(credentials, plain)).await
    }

    /// The headers of a request that the root of the registry's account signed.
    pub(crate) fn signed(&self, plain: &Plain) -> HeaderMap {
        self.signed_as(&self.credentials, plain)
    }

    fn signed_as(&self, credentials: &Credentials, plain: &Plain) -> HeaderMap {
        let mut headers = plain.header_map();
        let (path, query) = plain.target.split_once('?').unwrap_or((&plain.target, ""));
        let unsigned = Unsigned {
            method: plain.method,
            path,
            query,
            body: &plain.body,
            region: &plain.region,
            service: &plain.service,
        };
        let now = self.clock.now().timestamp();
        sigv4::sign(&unsigned, &mut headers, credentials, now).unwrap();
        headers
    }

    /// Sends a request with these headers, signed or not.
    pub(crate) async fn send_with(&self, plain: &Plain, headers: HeaderMap) -> Answer {
        self.send_over(plain, headers, false).await
    }

    /// Sends a request over TLS or not.
    pub(crate) async fn send_over(
        &self,
        plain: &Plain,
        headers: HeaderMap,
        secure_transport: bool,
    ) -> Answer {
        let body = plain.body.clone();
        // In chunks, as a connection delivers them.
        let chunks: Vec<_> = body.chunks(100_000).map(|chunk| Ok(body.slice_ref(chunk))).collect();
        let mut request = Request::new(Box::pin(futures_util::stream::iter(chunks)));
        *request.method_mut() = plain.method.parse().unwrap();
        *request.uri_mut() = plain.target.parse().unwrap();
        *request.headers_mut() = headers;
        let arrival = Arrival {
            source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure_transport,
            endpoint: None,
            host: Host::parse(&plain.host).unwrap(),
            request_id: REQUEST_ID.to_owned(),
            now: self.clock.now(),
        };
        let (parts, body) = self.api.handle(request, &arrival).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

pub(crate) fn credentials(key: &AccessKey) -> Credentials {
    Credentials { access_key_id: key.id.clone(), secret: key.secret.clone(), session_token: None }
}

/// Credentials that no registry knows.
pub(crate) fn foreign_credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: SecretString::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
        session_token: None,
    }
}
