//! A registry, and a browser that keeps cookies and follows nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, StatusCode, Uri};
use secrecy::ExposeSecret as _;
use tonnage_console::console::{self, Mistake, PolicyOf, Visit};
use tonnage_domain::accounts::bootstrap::{self, Parts};
use tonnage_domain::accounts::management_root;
use tonnage_domain::app::{App, Settings};
use tonnage_domain::clock::{Clock as _, ManualClock, Millis};
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::identities::access_keys::AccessKey;
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::root_key::RootKey;
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::SqliteMetadata;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const LOCALHOST: &str = "localhost:4510";

pub(crate) struct Registry {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) key: AccessKey,
    root: Principal,
    _blobs: tempfile::TempDir,
}

impl Registry {
    pub(crate) async fn open() -> Self {
        let blobs = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Millis(1_770_091_506_789)));
        let opened = bootstrap::open(Parts {
            metadata: Arc::new(SqliteMetadata::open_in_memory().unwrap()),
            objects: Arc::new(FileObjects::open(blobs.path()).unwrap()),
            clock: clock.clone(),
            root_key: RootKey::new(&[7; 32]).unwrap(),
            settings: Settings { image_shares: true, ..Settings::default() },
            account: Some(AccountId::parse(ACCOUNT).unwrap()),
            region: None,
            root_access_key: None,
        })
        .await
        .unwrap();
        let app = Arc::new(opened.app);
        let root = management_root(&app).await.unwrap();
        Self { app, clock, key: opened.first_access_key.unwrap(), root, _blobs: blobs }
    }

    pub(crate) fn context(&self) -> RequestContext {
        RequestContext {
            principal: self.root.clone(),
            account: AccountId::parse(ACCOUNT).unwrap(),
            region: Region::parse("us-east-1").unwrap(),
            source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure_transport: false,
            endpoint: None,
            user_agent: "tests".to_owned(),
            referer: String::new(),
            input: None,
            request_id: "1".to_owned(),
            now: self.clock.now(),
        }
    }

    /// As the root of the account.
    pub(crate) async fn run<O: Operation>(&self, operation: O) -> O::Output {
        execute(&self.app, &self.context(), operation).await.unwrap()
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn check(&self, status: u16, words: &[&str]) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        for word in words {
            assert!(self.body.contains(word), "{word:?} is not in {}", self.body);
        }
    }
}

/// A browser with one window.
#[derive(Clone)]
pub(crate) struct Browser<'r> {
    pub(crate) registry: &'r Registry,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) scheme: &'static str,
    pub(crate) authority: &'static str,
    pub(crate) plain_http: bool,
    /// What the browser says of where a form came from.
    pub(crate) origin: Option<&'static str>,
    /// Whether pages are asked for by a page that looks for what is new in it.
    pub(crate) looks_again: bool,
}

impl<'r> Browser<'r> {
    pub(crate) fn new(registry: &'r Registry) -> Self {
        Self {
            registry,
            cookies: BTreeMap::new(),
            scheme: "http",
            authority: LOCALHOST,
            plain_http: false,
            origin: Some("http://localhost:4510"),
            looks_again: false,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, "").await
    }

    /// Sends a form as it is.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.ask(Method::POST, path, &form.finish()).await
    }

    /// Sends the form of a page: with what it carries.
    pub(crate) async fn submit(
        &mut self,
        page: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let shown = self.get(page).await;
        let csrf = csrf_of(&shown.body);
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: &str) -> Answer {
        let uri: Uri = path.parse().unwrap();
        let mut headers = HeaderMap::new();
        if !self.cookies.is_empty() {
            let all = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            let all = all.collect::<Vec<_>>().join("; ");
            headers.insert(COOKIE, HeaderValue::try_from(all).unwrap());
        }
        if let Some(origin) = self.origin.filter(|_| method == Method::POST) {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            let is_same = origin == format!("{}://{}", self.scheme, self.authority);
            let site = if is_same { "same-origin" } else { "cross-site" };
            headers
                .insert(HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site));
        }
        if self.looks_again {
            let name = HeaderName::from_static("x-tonnage-looks-again");
            headers.insert(name, HeaderValue::from_static("1"));
        }
        let lint = |_: PolicyOf, text: &str| match text {
            "no policy" => Err("it is no policy".to_owned()),
            _ => Ok(vec![Mistake { path: "$".to_owned(), message: "too <broad>".to_owned() }]),
        };
        let context = self.registry.context();
        let nobody = Principal::anonymous(context.account);
        let visit = Visit {
            method: &method,
            uri: &uri,
            headers: &headers,
            scheme: self.scheme,
            authority: self.authority,
            registry_authority: &|_, _| LOCALHOST.to_owned(),
            lint: &lint,
            actions: &|| vec![("ecr", "PutImage"), ("iam", "GetUser")],
            body: Bytes::copy_from_slice(body.as_bytes()),
            plain_http: self.plain_http,
            context: RequestContext { principal: nobody, ..context },
        };
        let response = console::answer(&self.registry.app, &visit).await;
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            assert_eq!(cookie.contains("; Secure"), self.scheme == "https", "{cookie}");
            assert_eq!(cookie.starts_with("__Host-"), self.scheme == "https", "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Signs in with the key of the root.
    pub(crate) async fn sign_in(&mut self) -> Answer {
        let key = self.registry.key.clone();
        let fields =
            [("with", "key"), ("key", key.id.as_str()), ("secret", key.secret.expose_secret())];
        let answer = self.submit("/console/sign-in", "/console/sign-in", &fields).await;
        answer.check(303, &[]);
        answer
    }

    /// Tries a password.
    pub(crate) async fn try_password(&mut self, user: &str, password: &str) -> Answer {
        let fields =
            [("with", "password"), ("account", ACCOUNT), ("user", user), ("secret", password)];
        self.submit("/console/sign-in?with=password", "/console/sign-in", &fields).await
    }
}

/// What the forms of a page carry.
pub(crate) fn csrf_of(page: &str) -> String {
    let rest = page.split("name=\"csrf\" value=\"").nth(1);
    rest.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// Looks at what a page is made of.
#[track_caller]
pub(crate) fn check_page(name: &str, html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>"), "{name}");
    assert_eq!(html.matches("<h1").count(), 1, "{name}");
    assert_eq!(html.matches("<main").count(), 1, "{name}");
    // The one script is ours, and in a file.
    assert_eq!(html.matches("<script").count(), 1, "{name}");
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        for attribute in tag.split('"').step_by(2).skip(usize::from(tag.starts_with('/'))) {
            for bad in [" on", " style=", "javascript:"] {
                assert!(!attribute.contains(bad), "{name}: {tag}");
            }
        }
    }
    let ids = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut ids: Vec<&str> = ids.collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "{name} has an id twice");
    let forms = html.matches("method=\"post\"").count();
    assert_eq!(html.matches("name=\"csrf\"").count(), forms, "{name} has a form without a token");
}
