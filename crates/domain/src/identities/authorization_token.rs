//! Authorization tokens: what `docker login` sends as the password.
//!
//! The password is base64 of a JSON object, like ECR's, and has no colon, because clients split
//! on it. It carries the account, region, principal and access key it was made for, and is signed;
//! nothing of it is stored. Whether the key and the account are still active is looked up at every
//! use, so switching a key off ends its tokens at once. The token of a session carries the session,
//! and ends with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::sessions::{Session, SessionKind, refuse_expired};
use super::token_keys::{self, Signature};
use super::{begin_remembered, get_principal, recall};
use crate::app::App;
use crate::clock::Millis;
use crate::context::Principal;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::names::{AccountId, Region};
use crate::services;

const PURPOSE: &str = "authorization-token";
const CLAIMS_VERSION: u32 = 1;
/// The longest password that is looked at, in bytes.
const PASSWORD_BYTES_MAX: usize = 24 * 1024;
/// How many tokens are kept verified, and of how many bytes at most: 8 MiB of them.
const KNOWN_MAX: usize = 2048;
const KNOWN_BYTES_MAX: usize = 4096;

/// The outer form; the names are those that ECR's tokens show.
#[derive(Serialize, Deserialize)]
struct Envelope {
    payload: String,
    datakey: String,
    version: String,
    #[serde(rename = "type")]
    kind: String,
    expiration: i64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    version: u32,
    account: String,
    region: String,
    principal: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<Session>,
    expires_at: i64,
}

/// Whom a valid token speaks for, and which registry it was made for.
#[derive(Clone, Debug)]
pub struct TokenIdentity {
    /// The principal.
    pub principal: Principal,
    /// The registry's account.
    pub account: AccountId,
    /// The registry's region; the global one for every public registry.
    pub region: Region,
}

/// What a token says, and the key that signed it.
struct Opened {
    key_id: String,
    claims: Claims,
    account: AccountId,
    region: Region,
}

/// Tokens that were verified, by the credentials they came in: a signature that was good once stays
/// good. Whatever may change (time, the key that signed it, the principal) is looked at every time.
#[derive(Default)]
pub(crate) struct KnownTokens(Mutex<HashMap<String, Arc<Opened>, RandomState>>);

impl KnownTokens {
    fn find(&self, credentials: &str) -> Option<Arc<Opened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(credentials).cloned()
    }

    fn keep(&self, credentials: &str, opened: &Arc<Opened>) {
        if credentials.len() > KNOWN_BYTES_MAX {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(credentials.to_owned(), Arc::clone(opened));
    }
}

/// Makes the password of a token.
pub(crate) async fn make(
    app: &App,
    principal: &Principal,
    account: &AccountId,
    region: &Region,
    expires_at: Millis,
) -> Result<String> {
    let claims = serde_json::to_vec(&Claims {
        version: CLAIMS_VERSION,
        account: account.to_string(),
        region: region.to_string(),
        principal: principal.id,
        access_key: principal.access_key_id.clone(),
        session: principal.session.as_ref().map(|principal| principal.session.clone()),
        expires_at: expires_at.0,
    })
    .map_err(Error::internal)?;
    let signature = token_keys::sign(app, PURPOSE, &claims).await?;
    let envelope = serde_json::to_vec(&Envelope {
        payload: STANDARD.encode(&claims),
        datakey: format!("{}.{}", signature.key_id, STANDARD.encode(&signature.tag)),
        version: "2".to_owned(),
        kind: "DATA_KEY".to_owned(),
        expiration: expires_at.0 / 1000,
    })
    .map_err(Error::internal)?;
    Ok(STANDARD.encode(envelope))
}

/// Whom the credentials of HTTP's Basic scheme speak for: base64 of `AWS:{password}`.
///
/// # Errors
/// As [`verify`].
pub async fn verify_basic(app: &App, credentials: &str, now: Millis) -> Result<TokenIdentity> {
    let opened = match app.known_tokens.find(credentials) {
        Some(opened) => opened,
        None => {
            let password = password_in(credentials).ok_or_else(invalid)?;
            let opened = Arc::new(open(app, &password).await?);
            app.known_tokens.keep(credentials, &opened);
            opened
        }
    };
    identity_of(app, &opened, now).await
}

/// What HTTP's Basic scheme carries for a password.
pub(crate) fn credentials(password: &str) -> String {
    STANDARD.encode(format!("AWS:{password}"))
}

/// The password in what HTTP's Basic scheme carries.
pub fn password_in(credentials: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    decoded.strip_prefix("AWS:").map(str::to_owned)
}

/// Whom a password speaks for.
///
/// # Errors
/// [`ErrorKind::TokenInvalid`] for what we did not make, [`ErrorKind::TokenExpired`],
/// [`ErrorKind::Unauthenticated`] when the principal is gone.
pub async fn verify(app: &App, password: &str, now: Millis) -> Result<TokenIdentity> {
    identity_of(app, &open(app, password).await?, now).await
}

async fn open(app: &App, password: &str) -> Result<Opened> {
    let (claims, signature) = decode(password).ok_or_else(invalid)?;
    if !token_keys::verify(app, PURPOSE, &claims, &signature).await? {
        return Err(invalid());
    }
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| invalid())?;
    if claims.version != CLAIMS_VERSION {
        return Err(invalid());
    }
    Ok(Opened {
        account: AccountId::parse(&claims.account).map_err(|_| invalid())?,
        region: Region::parse_stored(&claims.region).map_err(|_| invalid())?,
        key_id: signature.key_id,
        claims,
    })
}

async fn identity_of(app: &App, opened: &Opened, now: Millis) -> Result<TokenIdentity> {
    let claims = &opened.claims;
    if !token_keys::verifies(app, &opened.key_id).await? {
        return Err(invalid());
    }
    if claims.expires_at <= now.0 {
        return Err(expired());
    }
    if let Some(session) = &claims.session {
        refuse_expired(session, now)?;
    }
    Ok(TokenIdentity {
        principal: principal_of(app, claims).await?,
        account: opened.account,
        region: opened.region.clone(),
    })
}

async fn principal_of(app: &App, claims: &Claims) -> Result<Principal> {
    if let Some(mut tx) = recall(app) {
        let found = principal_in(&mut tx, claims).await;
        if !tx.missed() {
            return found;
        }
    }
    principal_in(&mut begin_remembered(app).await?, claims).await
}

async fn principal_in(tx: &mut Tx, claims: &Claims) -> Result<Principal> {
    let access_key = claims.access_key.clone();
    match claims.session.clone() {
        Some(session) if session.kind == SessionKind::Service => {
            let account = AccountId::parse(&claims.account).map_err(|_| invalid())?;
            Ok(services::ECR.session(account, session))
        }
        Some(session) => session.principal(tx, access_key).await,
        None => get_principal(tx, claims.principal, access_key).await,
    }
}

fn decode(password: &str) -> Option<(Vec<u8>, Signature)> {
    if password.len() > PASSWORD_BYTES_MAX {
        return None;
    }
    let envelope: Envelope = serde_json::from_slice(&STANDARD.decode(password).ok()?).ok()?;
    let (key_id, tag) = envelope.datakey.split_once('.')?;
    let signature = Signature { key_id: key_id.to_owned(), tag: STANDARD.decode(tag).ok()? };
    Some((STANDARD.decode(&envelope.payload).ok()?, signature))
}

/// In ECR's words.
pub(crate) fn expired() -> Error {
    Error::new(
        ErrorKind::TokenExpired,
        "Your authorization token has expired. Reauthenticate and try again.",
    )
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::TokenInvalid,
        "The authorization token is not valid for this registry. Log in again with the password \
         that `aws ecr get-login-password` prints.",
    )
}
