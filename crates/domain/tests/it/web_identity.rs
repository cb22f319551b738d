//! Tokens of identity providers: which stand for their subject, and what a role does with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tonnage_domain::clock::Clock as _;
use tonnage_domain::context::Principal;
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::identities::console_sessions::federation::{
    self, Back, FederationSettings, RoleRule,
};
use tonnage_domain::identities::console_sessions::{self, NewSession};
use tonnage_domain::identities::get_caller_identity::GetCallerIdentity;
use tonnage_domain::identities::oidc_providers::CreateOpenIdConnectProvider;
use tonnage_domain::identities::roles::CreateRole;
use tonnage_domain::identities::sessions::assume_role::AssumedRole;
use tonnage_domain::identities::sessions::assume_role_with_web_identity::AssumeRoleWithWebIdentity;
use tonnage_domain::identities::web_identity::{Documents, authenticate};

use crate::registry::{Registry, check_kind};

const ISSUER: &str = "https://issuer.example/team";
const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

/// A provider's servers.
#[derive(Default)]
struct Servers {
    documents: Mutex<HashMap<String, String>>,
    asked: Mutex<Vec<String>>,
}

impl Servers {
    fn serve(&self, url: &str, document: &Value) {
        self.documents.lock().unwrap().insert(url.to_owned(), document.to_string());
    }

    fn serve_keys(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        self.serve(&format!("{ISSUER}/keys"), &json!({"keys": keys}));
    }

    fn take_asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

impl Documents for Servers {
    fn get<'a>(&'a self, url: &'a str, _max: usize) -> BoxFuture<'a, Result<Bytes, String>> {
        self.asked.lock().unwrap().push(url.to_owned());
        let found = self.documents.lock().unwrap().get(url).cloned();
        Box::pin(async move { found.map(Bytes::from).ok_or_else(|| "nobody answers".to_owned()) })
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        _form: SecretString,
        _authorization: Option<SecretString>,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Bytes, String>> {
        self.get(url, bytes_max)
    }
}

/// A signing key of a provider.
struct Key {
    id: &'static str,
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl Key {
    fn new(id: &'static str) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = aws_lc_rs::rand::SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap().as_ref().to_vec();
        Self { id, pair: EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8).unwrap(), pkcs8 }
    }

    fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": x, "y": y})
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.pkcs8)).unwrap()
    }
}

struct Fixture {
    registry: Registry,
    servers: Arc<Servers>,
    key: Key,
}

impl Fixture {
    async fn new() -> Self {
        let mut registry = Registry::new().await;
        let servers = Arc::new(Servers::default());
        registry.app_mut().set_documents(servers.clone());
        let key = Key::new("first");
        servers.serve(
            &format!("{ISSUER}/.well-known/openid-configuration"),
            &json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys")}),
        );
        servers.serve_keys(&[&key]);
        let provider = CreateOpenIdConnectProvider {
            url: ISSUER.to_owned(),
            client_ids: vec!["sts.amazonaws.com".to_owned()],
            thumbprints: vec![],
            tags: vec![],
        };
        registry.run(provider).await.unwrap();
        let trust = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/issuer.example/team"},
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
            "Condition": {
                "StringEquals": {"issuer.example/team:aud": "sts.amazonaws.com"},
                "StringLike": {"issuer.example/team:sub": "repo:team/*"},
            },
        }});
        let role = CreateRole {
            name: "deploy".to_owned(),
            path: None,
            trust_policy: trust.to_string(),
            description: String::new(),
            session_seconds_max: 3600,
            boundary: None,
            tags: vec![],
        };
        registry.run(role).await.unwrap();
        Self { registry, servers, key }
    }

    fn seconds(&self) -> i64 {
        self.registry.app.clock.now().0 / 1000
    }

    /// Claims that are good, with `changes` over them.
    fn claims(&self, changes: &Value) -> Value {
        let now = self.seconds();
        let mut claims = json!({"iss": ISSUER, "sub": "repo:team/app", "aud": "sts.amazonaws.com",
            "iat": now, "exp": now + 600});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    async fn assume(&self, role: &str, token: &str) -> Result<(Principal, AssumedRole)> {
        let now = self.registry.app.clock.now();
        let (principal, identity) = authenticate(&self.registry.app, role, token, now).await?;
        let operation = AssumeRoleWithWebIdentity {
            role_arn: role.to_owned(),
            session_name: "build".to_owned(),
            identity,
            duration_seconds: None,
            policy: None,
            policy_arns: vec![],
        };
        let made = self.registry.run_as(&principal, operation).await?;
        Ok((self.registry.session(&made.credentials).await?, made))
    }

    async fn check(&self, changes: Value, expected: Option<ErrorKind>) {
        let token = self.key.sign(&self.claims(&changes));
        let found = self.assume(ROLE, &token).await.err().map(|error| error.kind());
        assert_eq!(found, expected, "{changes}");
    }
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_session() {
    let fixture = Fixture::new().await;
    let changes = json!({
        "https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]},
    });
    let token = fixture.key.sign(&fixture.claims(&changes));
    let (session, made) = fixture.assume(ROLE, &token).await.unwrap();
    assert_eq!(made.arn, "arn:aws:sts::123456789012:assumed-role/deploy/build");
    assert_eq!(session.arn, made.arn);
    fixture.registry.run_as(&session, GetCallerIdentity).await.unwrap();
    fixture.registry.clock.advance_seconds(3600);
    check_kind(fixture.registry.run_as(&session, GetCallerIdentity).await, ErrorKind::TokenExpired);
}

#[tokio::test]
async fn which_claims_are_believed() {
    let fixture = Fixture::new().await;
    let now = fixture.seconds();
    let (invalid, denied) = (Some(ErrorKind::InvalidIdentityToken), Some(ErrorKind::AccessDenied));
    fixture.check(json!({}), None).await;
    fixture.check(json!({"aud": ["other", "sts.amazonaws.com"]}), None).await;
    fixture.check(json!({"aud": "other"}), invalid).await;
    fixture.check(json!({"aud": []}), invalid).await;
    fixture.check(json!({"aud": null}), invalid).await;
    fixture.check(json!({"azp": "other"}), invalid).await;
    fixture.check(json!({"aud": "other", "azp": "sts.amazonaws.com"}), None).await;
    fixture.check(json!({"exp": now}), Some(ErrorKind::IdentityTokenExpired)).await;
    fixture.check(json!({"exp": now + 1}), None).await;
    fixture.check(json!({"exp": "tomorrow"}), invalid).await;
    fixture.check(json!({"nbf": now + 299}), None).await;
    fixture.check(json!({"nbf": now + 301}), invalid).await;
    fixture.check(json!({"iat": now + 301}), invalid).await;
    fixture.check(json!({"sub": ""}), invalid).await;
    fixture.check(json!({"sub": 7}), invalid).await;
    fixture.check(json!({"iss": "https://other.example"}), invalid).await;
    fixture.check(json!({"iss": "http://issuer.example/team"}), invalid).await;
    fixture
        .check(json!({"iss": format!("{ISSUER}/")}), Some(ErrorKind::IdentityProviderUnreachable))
        .await;
    // The trust policy has the last word.
    fixture.check(json!({"sub": "repo:others/app"}), denied).await;
    fixture.check(json!({"https://aws.amazon.com/source_identity": "alice"}), denied).await;
}

#[tokio::test]
async fn which_signatures_are_believed() {
    let fixture = Fixture::new().await;
    let claims = fixture.claims(&json!({}));
    let good = fixture.key.sign(&claims);
    let part = |index| good.split('.').nth(index).unwrap().to_owned();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let forged = encode(&fixture.claims(&json!({"sub": "repo:team/other"})));
    let other = Key::new("first");
    let public = fixture.key.public().to_string();
    let symmetric = jsonwebtoken::encode(
        &Header { kid: Some("first".to_owned()), ..Header::new(Algorithm::HS256) },
        &claims,
        &EncodingKey::from_secret(public.as_bytes()),
    );
    for token in [
        String::new(),
        "no-token".to_owned(),
        "a.b.c".to_owned(),
        format!("{}.{}.", part(0), part(1)),
        format!("{}.{forged}.{}", part(0), part(2)),
        format!("{}.{}.", encode(&json!({"alg": "none"})), part(1)),
        other.sign(&claims),
        symmetric.unwrap(),
        "x".repeat(20_001),
    ] {
        let refused = fixture.assume(ROLE, &token).await;
        check_kind(refused, ErrorKind::InvalidIdentityToken);
    }
    fixture.assume(ROLE, &good).await.unwrap();
    // Neither a role that is not there nor one that trusts nobody tells which it is.
    let stranger = "arn:aws:iam::123456789012:role/nobody";
    check_kind(fixture.assume(stranger, &good).await, ErrorKind::AccessDenied);
    let elsewhere = "arn:aws:iam::210987654321:role/deploy";
    check_kind(fixture.assume(elsewhere, &good).await, ErrorKind::InvalidIdentityToken);
    check_kind(fixture.assume("no-arn", &good).await, ErrorKind::InvalidParameter);
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_when_they_change() {
    let fixture = Fixture::new().await;
    let (servers, clock) = (&fixture.servers, &fixture.registry.clock);
    let good = |key: &Key| key.sign(&fixture.claims(&json!({"exp": fixture.seconds() + 100_000})));
    let first = good(&fixture.key);
    fixture.assume(ROLE, &first).await.unwrap();
    fixture.assume(ROLE, &first).await.unwrap();
    assert_eq!(servers.take_asked(), 2);
    // A key that nobody knows: asked again, once a minute at most.
    let second = Key::new("second");
    let rotated = good(&second);
    for (seconds, asked) in [(0, 0), (60, 2), (0, 0)] {
        clock.advance_seconds(seconds);
        check_kind(fixture.assume(ROLE, &rotated).await, ErrorKind::InvalidIdentityToken);
        assert_eq!(servers.take_asked(), asked, "{seconds}");
    }
    servers.serve_keys(&[&second]);
    clock.advance_seconds(60);
    fixture.assume(ROLE, &rotated).await.unwrap();
    check_kind(fixture.assume(ROLE, &first).await, ErrorKind::InvalidIdentityToken);
    // The provider is down: what is known serves for a day.
    servers.documents.lock().unwrap().clear();
    clock.advance_seconds(3600);
    fixture.assume(ROLE, &rotated).await.unwrap();
    clock.advance_seconds(24 * 3600);
    let unreachable = ErrorKind::IdentityProviderUnreachable;
    let later = second.sign(&fixture.claims(&json!({})));
    check_kind(fixture.assume(ROLE, &later).await, unreachable);
}

/// A console that this provider lets people in to.
async fn federated() -> Fixture {
    let mut fixture = Fixture::new().await;
    let settings = FederationSettings {
        issuer: ISSUER.to_owned(),
        client_id: "sts.amazonaws.com".to_owned(),
        client_secret: Some(SecretString::from("secret")),
        scopes: "openid".to_owned(),
        roles: vec![RoleRule::parse(&format!("groups=staff={ROLE}")).unwrap()],
    };
    fixture.registry.app_mut().settings.federation = Some(settings);
    fixture.servers.serve(
        &format!("{ISSUER}/.well-known/openid-configuration"),
        &json!({
            "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys"),
            "authorization_endpoint": format!("{ISSUER}/authorize?tenant=1"),
            "token_endpoint": format!("{ISSUER}/token"),
        }),
    );
    fixture
}

impl Fixture {
    /// Signs in, with claims of the ID token changed, and the answer of the browser.
    async fn sign_in(&self, changes: &Value, state: Option<&str>) -> Result<NewSession> {
        let begun = federation::begin(&self.registry.app, "https://c.example/back").await?;
        assert!(
            begun.address.starts_with(&format!("{ISSUER}/authorize?tenant=1&response_type=code"))
        );
        assert!(!begun.address.contains(&begun.secret));
        let sent = |name: &str| {
            let rest = begun.address.split(&format!("&{name}=")).nth(1).unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        let mut claims = self.claims(&json!({"nonce": sent("nonce"), "groups": ["staff"]}));
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let answer = json!({"id_token": self.key.sign(&claims)});
        self.servers.serve(&format!("{ISSUER}/token"), &answer);
        let expected = sent("state");
        let back = Back {
            secret: &begun.secret,
            state: state.unwrap_or(&expected),
            code: "code",
            issuer: None,
            redirect_uri: "https://c.example/back",
        };
        federation::finish(&self.registry.app, &self.registry.context(), &back).await
    }
}

#[tokio::test]
async fn a_provider_lets_people_in_to_the_console() {
    let fixture = federated().await;
    let (app, now) = (&fixture.registry.app, || fixture.registry.clock.now());
    let email = json!({"email": "ada@example.com", "email_verified": true});
    let new = fixture.sign_in(&email, None).await.unwrap();
    let arn = "arn:aws:sts::123456789012:assumed-role/deploy/ada@example.com";
    assert_eq!((new.session.principal.arn.as_str(), new.session.federated), (arn, true));
    let found =
        console_sessions::find(app, new.token.expose_secret(), now()).await.unwrap().unwrap();
    assert_eq!(found.principal, new.session.principal);
    fixture.registry.run_as(&found.principal, GetCallerIdentity).await.unwrap();
    // Whoever else has the role has sessions of their own.
    let other = fixture.sign_in(&json!({"sub": "repo:team/other"}), None).await.unwrap();
    assert!(other.session.principal.arn.ends_with("/repo-team-other"));
    assert_eq!(console_sessions::list(app, &found, now()).await.unwrap().len(), 1);
    assert_eq!(
        console_sessions::end_all(app, &fixture.registry.context(), &found).await.unwrap(),
        1
    );
    let gone = console_sessions::find(app, new.token.expose_secret(), now()).await.unwrap();
    assert!(gone.is_none());
    let token = other.token.expose_secret();
    assert!(console_sessions::find(app, token, now()).await.unwrap().is_some());

    let kind = async |changes: Value, state: Option<&str>| {
        fixture.sign_in(&changes, state).await.err().map(|error| error.kind())
    };
    let (invalid, denied) = (Some(ErrorKind::InvalidIdentityToken), Some(ErrorKind::AccessDenied));
    assert_eq!(kind(json!({}), Some("other")).await, Some(ErrorKind::Unauthenticated));
    assert_eq!(kind(json!({}), Some("")).await, Some(ErrorKind::Unauthenticated));
    assert_eq!(kind(json!({"nonce": "other"}), None).await, invalid);
    assert_eq!(kind(json!({"nonce": null}), None).await, invalid);
    assert_eq!(kind(json!({"aud": "other"}), None).await, invalid);
    assert_eq!(kind(json!({"iss": "https://other.example"}), None).await, invalid);
    assert_eq!(kind(json!({"groups": "guests"}), None).await, denied);
    assert_eq!(kind(json!({"sub": "stranger"}), None).await, denied);
    assert_eq!(kind(json!({"groups": "staff"}), None).await, None);

    // It ends with its session of the role, which lasts an hour.
    fixture.registry.clock.advance_seconds(1700);
    assert!(console_sessions::find(app, token, now()).await.unwrap().is_some());
    fixture.registry.clock.advance_seconds(1700);
    assert!(console_sessions::find(app, token, now()).await.unwrap().is_some());
    fixture.registry.clock.advance_seconds(200);
    assert!(console_sessions::find(app, token, now()).await.unwrap().is_none());
}
