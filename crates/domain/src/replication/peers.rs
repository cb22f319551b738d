//! How registries of other deployments are entered: the key that a secret of the source's account
//! holds, and what the peer gave for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::ReplicationDestination;
use super::peer::{PeerAccess, PeerError, PeerLogin, Peers};
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::execute;
use crate::jobs::Run;
use crate::pull_through::upstream::{Origin, UpstreamError};
use crate::repositories::RepositoryAddress;
use crate::secrets::get_secret_value::GetSecretValue;
use crate::secrets::{SecretId, SecretName, Value};
use crate::services;

/// How long a key and a token are used before the secret is read again, in seconds.
const SESSION_SECONDS: i64 = 5 * 60;
/// How long before its end a token is not used any more, in seconds: one push may take that long.
const MARGIN_SECONDS: i64 = 60;
/// Sessions that are remembered; one for each destination that is copied to.
const SESSIONS_MAX: usize = 1_024;

/// What is known of the destinations at peers.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Key, Arc<Session>>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    account: String,
    region: String,
    to_account: String,
    to_region: String,
}

/// A registry of a peer that was entered.
pub(super) struct Session {
    pub(super) access: PeerAccess,
    pub(super) origin: Origin,
    until: Millis,
}

/// What a secret holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    access_key_id: String,
    secret_access_key: SecretString,
}

impl Key {
    fn new(source: &RepositoryAddress, to: &ReplicationDestination) -> Self {
        Self {
            account: source.account.to_string(),
            region: source.region.to_string(),
            to_account: to.account.clone(),
            to_region: to.region.clone(),
        }
    }
}

impl Sessions {
    fn known(&self, key: &Key, now: Millis) -> Option<Arc<Session>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|session| now < session.until).cloned()
    }

    fn remember(&self, key: Key, session: Arc<Session>, now: Millis) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SESSIONS_MAX {
            known.retain(|_, session| now < session.until);
        }
        if known.len() >= SESSIONS_MAX {
            known.clear();
        }
        known.insert(key, session);
    }

    /// Forgets what a peer does not take any more.
    pub(super) fn forget(&self, source: &RepositoryAddress, to: &ReplicationDestination) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&Key::new(source, to));
    }
}

/// Who writes to peers.
///
/// # Errors
/// [`ErrorKind::UnsupportedUpstreamRegistry`] in a program that reaches none.
pub(super) fn writer<'a>(run: &'a Run<'_>) -> Result<&'a Arc<dyn Peers>> {
    run.app.peers.as_ref().ok_or_else(|| {
        let message = "Requests to other deployments are not set up.";
        Error::new(ErrorKind::UnsupportedUpstreamRegistry, message)
    })
}

/// Enters the registry of a peer, by the key in the secret of the source's registry.
///
/// # Errors
/// [`ErrorKind::CredentialNotFound`], [`ErrorKind::CredentialInaccessible`] or
/// [`ErrorKind::CredentialUnreadable`] where there is something about the secret; those of
/// [`error_of`].
pub(super) async fn enter(
    run: &Run<'_>,
    (source, to): (&RepositoryAddress, &ReplicationDestination),
    (peer, url): (&str, &str),
) -> Result<Arc<Session>> {
    let (key, now) = (Key::new(source, to), run.app.clock.now());
    if let Some(known) = run.app.peer_sessions.known(&key, now) {
        return Ok(known);
    }
    let body = open(run, source, peer).await?;
    let access = PeerAccess {
        url: url.to_owned(),
        registry: to.clone(),
        access_key_id: body.access_key_id,
        secret_access_key: body.secret_access_key,
    };
    let login = writer(run)?.log_in(&access).await;
    let PeerLogin { origin, expires_at } = login.map_err(error_of)?;
    let longest = now.plus_seconds(SESSION_SECONDS);
    let until = expires_at.map_or(longest, |at| longest.min(at.plus_seconds(-MARGIN_SECONDS)));
    let session = Arc::new(Session { access, origin, until });
    run.app.peer_sessions.remember(key, Arc::clone(&session), now);
    Ok(session)
}

/// Opens the secret, as the service's linked role: whoever writes rules needs no right to read it.
async fn open(run: &Run<'_>, source: &RepositoryAddress, peer: &str) -> Result<Body> {
    let text = format!("ecr-replication/{peer}");
    let (account, region) = (source.account, source.region.clone());
    let id = SecretId::of_name(account, region.clone(), SecretName::parse(&text)?);
    let context = run.linked_context(services::REPLICATION, account, (account, region));
    let get = GetSecretValue { id, version_id: None, stage: None };
    let opened = execute(run.app, &context, get).await.map_err(|error| match error.kind() {
        ErrorKind::NoSuchEntity | ErrorKind::InvalidState => Error::new(
            ErrorKind::CredentialNotFound,
            format!(
                "There is no secret `{text}` in the account and region that is copied; it holds \
                 the access key for the deployment at the destination."
            ),
        ),
        ErrorKind::AccessDenied => Error::new(
            ErrorKind::CredentialInaccessible,
            format!("The secret `{text}` may not be read by replication."),
        )
        .caused_by(error),
        ErrorKind::Internal => {
            tracing::error!(secret = text, cause = chain(&error), "a secret does not open");
            unreadable(&text)
        }
        _ => error,
    })?;
    parse(&opened.value).ok_or_else(|| unreadable(&text))
}

fn parse(value: &Value) -> Option<Body> {
    match value {
        // The parser would take a list for an object.
        Value::Text(text) if text.expose_secret().trim_start().starts_with('{') => {
            serde_json::from_str(text.expose_secret()).ok()
        }
        Value::Text(_) | Value::Binary(_) => None,
    }
}

fn unreadable(name: &str) -> Error {
    Error::new(
        ErrorKind::CredentialUnreadable,
        format!(
            "The secret `{name}` does not hold an access key. Store a JSON object with the keys \
             `accessKeyId` and `secretAccessKey` in it."
        ),
    )
}

/// What a peer's answer means for what is copied to it.
pub(super) fn error_of(error: PeerError) -> Error {
    let kind = match &error {
        PeerError::Peer(UpstreamError::TooManyRequests { .. } | UpstreamError::Unavailable(_)) => {
            ErrorKind::Unavailable
        }
        // Somebody removes there what was brought; or a store does not answer here.
        PeerError::Peer(UpstreamError::NotFound(_)) | PeerError::Source(..) => {
            ErrorKind::Unavailable
        }
        PeerError::Peer(UpstreamError::Denied(_)) => ErrorKind::AccessDenied,
        PeerError::Peer(UpstreamError::Forbidden(_) | UpstreamError::Invalid(_)) => {
            ErrorKind::UnsupportedUpstreamRegistry
        }
    };
    Error::new(kind, "The deployment at the destination did not take it.").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_json_with_two_keys() {
        let rows: &[(&str, Option<(&str, &str)>)] = &[
            (r#"{"accessKeyId":"AKIA","secretAccessKey":"s"}"#, Some(("AKIA", "s"))),
            (r#" {"accessKeyId":"AKIA","secretAccessKey":"s","note":1}"#, Some(("AKIA", "s"))),
            (r#"{"accessKeyId":"AKIA"}"#, None),
            (r#"{"username":"AKIA","accessToken":"s"}"#, None),
            (r#"["AKIA","s"]"#, None),
            ("", None),
        ];
        for (text, expected) in rows {
            let found = parse(&Value::Text(SecretString::from(*text)));
            let found = found.as_ref();
            let found =
                found.map(|it| (it.access_key_id.as_str(), it.secret_access_key.expose_secret()));
            assert_eq!(found, *expected, "{text}");
        }
    }
}
