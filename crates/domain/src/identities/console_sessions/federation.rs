//! Signing in to the console with an identity provider: the authorization code flow of OpenID Connect
//! Core 1.0 with PKCE (RFC 7636).
//!
//! What the provider says of somebody is believed as `AssumeRoleWithWebIdentity` believes it, and
//! what they may do is what the role may do that trusts them. Nothing is kept here between the two
//! halves of a sign-in: the browser has a secret in a cookie, and state, nonce and verifier are all
//! made from it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use super::records::{Tried, failed};
use super::{Found, NewSession, insert, mark, nonce};
use crate::app::App;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::execute;
use crate::identities::sessions;
use crate::identities::sessions::assume_role_with_web_identity::AssumeRoleWithWebIdentity;
use crate::identities::web_identity;

const DISCOVERY_BYTES_MAX: usize = 64 * 1024;
const TOKEN_BYTES_MAX: usize = 128 * 1024;
/// How long what a provider said of itself is believed, and how long its failure.
const FRESH_SECONDS: i64 = 3600;
const FAILED_SECONDS: i64 = 10;
/// Characters of what a provider says that are repeated.
const TOLD_MAX: usize = 300;
/// The characters of a name of a session (botocore `sts`, `roleSessionNameType`).
const NAME_MIN: usize = 2;
const NAME_MAX: usize = 64;

/// Which provider lets people in, and as what.
#[derive(Clone, Debug)]
pub struct FederationSettings {
    /// Its issuer, an URL.
    pub issuer: String,
    /// What the provider calls this console.
    pub client_id: String,
    /// What the console proves that with; a public client has none.
    pub client_secret: Option<SecretString>,
    /// What is asked for, `openid` among it.
    pub scopes: String,
    /// The roles; the first that fits is taken.
    pub roles: Vec<RoleRule>,
}

/// Who gets a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRule {
    /// A claim and the value that it must have, or that must be among its values; everybody fits
    /// where there is none.
    pub claim: Option<(String, String)>,
    /// The role.
    pub role_arn: String,
}

impl RoleRule {
    /// Reads `ARN` or `CLAIM=VALUE=ARN`.
    ///
    /// # Errors
    /// A sentence that says what it should have been.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is neither the ARN of a role nor CLAIM=VALUE=ARN, such as groups=admins=arn:aws:iam::123456789012:role/admin"
            )
        };
        let (claim, role_arn) = match text.starts_with("arn:") {
            true => (None, text),
            false => {
                let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
                let at = rest.rfind("=arn:").ok_or_else(wrong)?;
                let (value, arn) = (&rest[..at], &rest[at + 1..]);
                if name.is_empty() || value.is_empty() {
                    return Err(wrong());
                }
                (Some((name.to_owned(), value.to_owned())), arn)
            }
        };
        sessions::assume_role::role_account(role_arn).ok_or_else(wrong)?;
        Ok(Self { claim, role_arn: role_arn.to_owned() })
    }

    fn fits(&self, claims: &Value) -> bool {
        let Some((name, wanted)) = &self.claim else { return true };
        let found = claims.get(name).or_else(|| {
            // Some providers nest what they say: `realm_access.roles`.
            name.split('.').try_fold(claims, |within, part| within.get(part))
        });
        match found {
            Some(Value::Array(values)) => values.iter().any(|value| value.as_str() == Some(wanted)),
            Some(Value::String(value)) => value == wanted,
            Some(Value::Bool(value)) => value.to_string() == *wanted,
            _ => false,
        }
    }
}

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Clone, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What is remembered of the provider.
#[derive(Default)]
pub(crate) struct Provider(Mutex<Option<(Millis, Result<Discovery, String>)>>);

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// What the browser keeps until it comes back.
    pub secret: String,
    /// Where it goes.
    pub address: String,
}

/// Somebody who comes back from the provider.
#[derive(Clone, Copy, Debug)]
pub struct Back<'b> {
    /// What the browser kept.
    pub secret: &'b str,
    /// `state`
    pub state: &'b str,
    /// `code`
    pub code: &'b str,
    /// `iss`, where the provider sends it (RFC 9207).
    pub issuer: Option<&'b str>,
    /// Where the provider sent the browser, as it was told.
    pub redirect_uri: &'b str,
}

fn settings(app: &App) -> Result<&FederationSettings> {
    app.settings.federation.as_ref().ok_or_else(|| {
        let text = "No identity provider is set up: `console_oidc_issuer` names one.";
        Error::new(ErrorKind::InvalidParameter, text)
    })
}

/// What is made of the secret for one purpose: 43 characters that tell nothing of the others.
fn made(secret: &str, purpose: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{purpose} {secret}").as_bytes()))
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Begins a sign-in.
///
/// # Errors
/// [`ErrorKind::IdentityProviderUnreachable`].
pub async fn begin(app: &App, redirect_uri: &str) -> Result<Begun> {
    let settings = settings(app)?;
    let discovery = discover(app, settings).await?;
    let secret = nonce()?;
    let address = authorization_address(settings, &discovery, &secret, redirect_uri);
    Ok(Begun { secret, address })
}

/// Where a browser is sent.
fn authorization_address(
    settings: &FederationSettings,
    discovery: &Discovery,
    secret: &str,
    redirect_uri: &str,
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", &settings.scopes)
        .append_pair("state", &made(secret, "state"))
        .append_pair("nonce", &made(secret, "nonce"))
        .append_pair("code_challenge", &challenge(&made(secret, "verifier")))
        .append_pair("code_challenge_method", "S256");
    let endpoint = discovery.authorization_endpoint.as_str();
    let mark = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{mark}{}", query.finish())
}

/// Ends a sign-in with a session.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] where the two halves are not of one sign-in, or the provider does
/// not take the code; [`ErrorKind::InvalidIdentityToken`], [`ErrorKind::AccessDenied`] when no role
/// trusts whoever it is, [`ErrorKind::IdentityProviderUnreachable`], [`ErrorKind::Throttled`].
pub async fn finish(app: &App, context: &RequestContext, back: &Back<'_>) -> Result<NewSession> {
    let settings = settings(app)?;
    if back.code.is_empty() {
        return Err(of_another());
    }
    check_state(back.secret, back.state)?;
    let source = context.source_address;
    // Each sign-in is one attempt of nobody yet, so that it counts for its source only.
    let name = back.state.to_owned();
    app.sign_ins.begin(&name, source, context.now).map_err(|seconds| {
        let minutes = seconds.div_euclid(60) + 1;
        let text =
            format!("There were too many attempts to sign in. Try again in {minutes} minutes.");
        Error::new(ErrorKind::Throttled, text)
    })?;
    let finished = finish_of(app, context, back, settings).await;
    match &finished {
        Ok(_) => app.sign_ins.succeeded(&name, source),
        Err(error) if error.is_fault() => {}
        Err(error) => failed(app, context, &Tried::Provided, Some(error.message())).await?,
    }
    finished
}

/// What follows on an answer to a sign-in of this browser.
async fn finish_of(
    app: &App,
    context: &RequestContext,
    back: &Back<'_>,
    settings: &FederationSettings,
) -> Result<NewSession> {
    let source = context.source_address;
    let discovery = discover(app, settings).await?;
    let is_issuer = back.issuer.is_none_or(|issuer| issuer == discovery.issuer);
    if !is_issuer
        || (back.issuer.is_none() && discovery.authorization_response_iss_parameter_supported)
    {
        return Err(refused(
            "The answer is of another identity provider than the one that was asked.",
        ));
    }
    let token = exchange(app, settings, &discovery, back).await?;
    let claims = payload(&token).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidIdentityToken,
            "The provider sent no ID token that can be read.",
        )
    })?;
    let role = settings.roles.iter().find(|rule| rule.fits(&claims)).ok_or_else(|| {
        Error::new(
            ErrorKind::AccessDenied,
            "The identity provider knows you, but no role is meant for you: no rule of `console_oidc_role` fits what it says of you.",
        )
    })?;
    // From here on the claims are known to be the issuer's.
    let (principal, identity) =
        web_identity::authenticate(app, &role.role_arn, &token, context.now).await?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let wrong = |text: &str| Err(Error::new(ErrorKind::InvalidIdentityToken, text));
    if text("iss") != Some(settings.issuer.as_str()) || identity.audience != settings.client_id {
        return wrong("The ID token is not meant for this console.");
    }
    let nonce = made(back.secret, "nonce");
    let is_same = nonce.as_bytes().ct_eq(text("nonce").unwrap_or_default().as_bytes());
    if !bool::from(is_same) {
        return wrong("The ID token is of another sign-in. Begin again.");
    }
    let subject_mark = mark(&format!("{}\0{}", settings.issuer, identity.subject));
    let is_verified = claims.get("email_verified") == Some(&Value::Bool(true));
    let email = text("email").filter(|_| is_verified);
    let session_name = session_name(email.unwrap_or(&identity.subject), &subject_mark);
    let assuming = RequestContext {
        account: principal.account,
        region: app.default_region.clone(),
        principal,
        ..context.clone()
    };
    let assume = AssumeRoleWithWebIdentity {
        role_arn: role.role_arn.clone(),
        session_name,
        identity,
        duration_seconds: None,
        policy: None,
        policy_arns: Vec::new(),
    };
    let credentials = execute(app, &assuming, assume).await?.credentials;
    let session_token = credentials.token.expose_secret().to_owned();
    let key_id = &credentials.access_key_id;
    let active = sessions::authenticate(app, key_id, Some(&session_token), context.now).await?;
    let active = active.ok_or_else(|| Error::internal("a session that has just begun is none"))?;
    tracing::info!(principal = active.principal.arn, %source, "signed in to the console");
    let found = Found {
        principal: active.principal,
        password_mark: None,
        must_change_password: false,
        federated: Some((session_token, subject_mark)),
    };
    insert(app, context, found, &Tried::Provided).await
}

/// Refuses what is no answer to the sign-in that this browser began.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`].
pub fn check_state(secret: &str, state: &str) -> Result<()> {
    let is_one = made(secret, "state").as_bytes().ct_eq(state.as_bytes());
    match !secret.is_empty() && bool::from(is_one) {
        true => Ok(()),
        false => Err(of_another()),
    }
}

fn of_another() -> Error {
    refused("This sign-in was begun in another browser, or more than ten minutes ago. Begin again.")
}

fn refused(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unauthenticated, text.into())
}

fn unreachable() -> Error {
    Error::new(
        ErrorKind::IdentityProviderUnreachable,
        "The identity provider does not answer, or not as one does; the log of the registry says more.",
    )
}

async fn discover(app: &App, settings: &FederationSettings) -> Result<Discovery> {
    let mut known = app.federation.0.lock().await;
    let now = app.clock.now();
    if let Some((at, found)) = known.as_ref() {
        let seconds = if found.is_ok() { FRESH_SECONDS } else { FAILED_SECONDS };
        if now < at.plus_seconds(seconds) {
            return found.clone().map_err(|_| unreachable());
        }
    }
    let found = fetch(app, &settings.issuer).await;
    if let Err(reason) = &found {
        let issuer = settings.issuer.as_str();
        tracing::warn!(issuer, reason, "the identity provider of the console cannot be asked");
    }
    *known = Some((now, found.clone()));
    found.map_err(|_| unreachable())
}

async fn fetch(app: &App, issuer: &str) -> Result<Discovery, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let text = app.documents.get(&url, DISCOVERY_BYTES_MAX).await?;
    let found: Discovery =
        serde_json::from_slice(&text).map_err(|error| format!("{url}: {error}"))?;
    if found.issuer != issuer {
        return Err(format!("{url} is of another issuer: {}", found.issuer));
    }
    // A provider that is asked without TLS, on this machine, may have its other pages there too.
    let is_plain = issuer.starts_with("http://");
    for endpoint in [&found.authorization_endpoint, &found.token_endpoint] {
        let has_scheme =
            endpoint.starts_with("https://") || (is_plain && endpoint.starts_with("http://"));
        let is_address = endpoint.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !has_scheme || !is_address {
            return Err(format!("{url} names {endpoint:?}, which is no https address"));
        }
    }
    Ok(found)
}

/// The ID token that a code is good for.
async fn exchange(
    app: &App,
    settings: &FederationSettings,
    discovery: &Discovery,
    back: &Back<'_>,
) -> Result<String> {
    #[derive(Deserialize)]
    struct Answer {
        id_token: Option<String>,
        error: Option<String>,
        error_description: Option<String>,
    }
    let (form, authorization) = request(settings, discovery, back);
    let endpoint = discovery.token_endpoint.as_str();
    let answer = app.documents.post(endpoint, form, authorization, TOKEN_BYTES_MAX).await;
    let bytes = answer.map_err(|reason| {
        tracing::warn!(endpoint, reason, "the identity provider of the console cannot be asked");
        unreachable()
    })?;
    let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| {
        tracing::warn!(endpoint, %error, "the identity provider of the console does not answer as one does");
        unreachable()
    })?;
    if let Some(token) = answer.id_token {
        return Ok(token);
    }
    let code = told(answer.error.as_deref().unwrap_or("no ID token"));
    let more = told(answer.error_description.as_deref().unwrap_or_default());
    tracing::warn!(endpoint, code, more, "the identity provider of the console refuses a code");
    let advice = match code.as_str() {
        "invalid_client" | "unauthorized_client" => {
            " Whoever runs the registry has to compare `console_oidc_client_id` and its secret with what the provider has."
        }
        "invalid_grant" => " Begin again.",
        "no ID token" => " The setting `console_oidc_scopes` must have openid.",
        _ => "",
    };
    Err(refused(format!("The identity provider did not take the sign-in: {code}.{advice}")))
}

/// The form that a code is exchanged with, and what proves that this console does it.
fn request(
    settings: &FederationSettings,
    discovery: &Discovery,
    back: &Back<'_>,
) -> (SecretString, Option<SecretString>) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", back.code)
        .append_pair("redirect_uri", back.redirect_uri)
        .append_pair("code_verifier", &made(back.secret, "verifier"))
        .append_pair("client_id", &settings.client_id);
    let methods = &discovery.token_endpoint_auth_methods_supported;
    let has = |name: &str| methods.iter().any(|method| method == name);
    let in_form = has("client_secret_post") && !has("client_secret_basic");
    let mut authorization = None;
    if let Some(secret) = &settings.client_secret {
        let secret = secret.expose_secret();
        if in_form {
            form.append_pair("client_secret", secret);
        } else {
            // RFC 6749, section 2.3.1.
            let escaped =
                |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", escaped(&settings.client_id), escaped(secret));
            authorization = Some(SecretString::from(format!("Basic {}", STANDARD.encode(pair))));
        }
    }
    (SecretString::from(form.finish()), authorization)
}

/// As much of a text of a provider as is repeated.
pub fn told(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(TOLD_MAX).collect()
}

/// What a token says; nothing of it is believed before its signature is.
fn payload(token: &str) -> Option<Value> {
    let part = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// A name for a session that tells people apart.
pub(super) fn session_name(text: &str, subject_mark: &str) -> String {
    let is_of_name =
        |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
    let name: String = text
        .chars()
        .take(NAME_MAX)
        .map(|character| if is_of_name(character) { character } else { '-' })
        .collect();
    match name.len() >= NAME_MIN {
        true => name,
        false => subject_mark.chars().filter(char::is_ascii_alphanumeric).take(NAME_MAX).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:iam::123456789012:role/team/admin";

    #[test]
    fn rules_of_roles() {
        let rule = |claim: Option<(&str, &str)>| RoleRule {
            claim: claim.map(|(name, value)| (name.to_owned(), value.to_owned())),
            role_arn: ARN.to_owned(),
        };
        for (text, expected) in [
            (ARN.to_owned(), Some(rule(None))),
            (format!("groups=admins={ARN}"), Some(rule(Some(("groups", "admins"))))),
            (format!("groups=cn=a,dc=b={ARN}"), Some(rule(Some(("groups", "cn=a,dc=b"))))),
            (format!("groups={ARN}"), None),
            (format!("=x={ARN}"), None),
            ("groups=admins".to_owned(), None),
            ("arn:aws:iam::123456789012:user/ada".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(RoleRule::parse(&text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn who_fits() {
        let claims = json!({
            "groups": ["dev", "admins"], "department": "it", "email_verified": true, "level": 1,
            "https://a.example/roles": ["x"], "realm_access": {"roles": ["auditor"]},
        });
        for (name, value, expected) in [
            ("groups", "admins", true),
            ("groups", "admin", false),
            ("department", "it", true),
            ("email_verified", "true", true),
            ("level", "1", false),
            ("https://a.example/roles", "x", true),
            ("realm_access.roles", "auditor", true),
            ("realm_access.none", "auditor", false),
            ("none", "", false),
        ] {
            let claim = Some((name.to_owned(), value.to_owned()));
            let rule = RoleRule { claim, role_arn: ARN.to_owned() };
            assert_eq!(rule.fits(&claims), expected, "{name} {value}");
        }
    }

    #[test]
    fn names_of_sessions() {
        for (text, expected) in [
            ("ada@example.com", "ada@example.com"),
            ("auth0|5f 7", "auth0-5f-7"),
            ("x", "sha25600"),
            ("ü", "sha25600"),
        ] {
            assert_eq!(session_name(text, "sha256:00"), expected, "{text}");
        }
        assert_eq!(session_name(&"a".repeat(100), "").len(), NAME_MAX);
    }

    #[test]
    fn the_example_of_pkce() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let secret = nonce().unwrap();
        let all = ["state", "nonce", "verifier"].map(|purpose| made(&secret, purpose));
        assert!(all.iter().all(|text| text.len() == 43 && !text.contains(&secret)));
        assert!(all[0] != all[1] && all[1] != all[2]);
    }
}
