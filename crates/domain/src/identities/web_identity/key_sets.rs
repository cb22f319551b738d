//! The keys of identity providers: found by OpenID Connect Discovery 1.0, remembered for an hour.
//!
//! One request at a time asks a provider, and the others wait for what it finds. A token with an
//! unknown key makes a provider be asked again, but not more than once a minute, so that nobody can
//! send a stream of requests to somebody else through us. Keys that are known stay in use for a day
//! while their provider does not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Deserialize;

use super::invalid;
use super::token::{Unverified, fits};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};

/// Providers whose keys are remembered.
const ISSUERS_MAX: usize = 256;
const FRESH_SECONDS: i64 = 3600;
const STALE_SECONDS: i64 = 24 * 3600;
const ASK_AGAIN_SECONDS: i64 = 60;
const DISCOVERY_BYTES_MAX: usize = 64 * 1024;
const KEYS_BYTES_MAX: usize = 256 * 1024;
/// Keys of a set that are looked at.
const KEYS_MAX: usize = 100;

/// What is remembered of one provider.
#[derive(Default)]
struct Known {
    keys: Vec<Jwk>,
    fetched_at: Option<Millis>,
    asked_at: Option<Millis>,
}

type Slot = Arc<tokio::sync::Mutex<Known>>;

/// The keys of providers, by issuer.
#[derive(Default)]
pub(crate) struct KeySets(Mutex<HashMap<String, Slot>>);

impl KeySets {
    fn slot(&self, issuer: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= ISSUERS_MAX && !slots.contains_key(issuer) {
            slots.clear();
        }
        Arc::clone(slots.entry(issuer.to_owned()).or_default())
    }

    /// The key that a token says it was signed with.
    ///
    /// # Errors
    /// [`ErrorKind::IdentityProviderUnreachable`], and [`ErrorKind::InvalidIdentityToken`] when the
    /// provider has no such key.
    pub(super) async fn find(&self, app: &App, issuer: &str, token: &Unverified) -> Result<Jwk> {
        let slot = self.slot(issuer);
        let mut known = slot.lock().await;
        let now = app.clock.now();
        let within =
            |at: Option<Millis>, seconds| at.is_some_and(|at| now < at.plus_seconds(seconds));
        let found = known.find(token);
        if let Some(key) = &found
            && within(known.fetched_at, FRESH_SECONDS)
        {
            return Ok(key.clone());
        }
        let usable = found.filter(|_| within(known.fetched_at, STALE_SECONDS));
        if within(known.asked_at, ASK_AGAIN_SECONDS) {
            return usable.ok_or_else(no_key);
        }
        known.asked_at = Some(now);
        match fetch(app, issuer).await {
            Ok(keys) => {
                (known.keys, known.fetched_at) = (keys, Some(now));
                known.find(token).ok_or_else(no_key)
            }
            Err(reason) => {
                tracing::warn!(
                    issuer,
                    reason,
                    "the keys of an identity provider cannot be fetched"
                );
                // Whoever comes next may try.
                known.asked_at = known.fetched_at.and(known.asked_at);
                usable.ok_or_else(unreachable)
            }
        }
    }
}

impl Known {
    fn find(&self, token: &Unverified) -> Option<Jwk> {
        let mut fitting = self.keys.iter().filter(|key| fits(key, token));
        let first = fitting.next()?;
        // A token that names no key is believed only where there is no choice.
        (token.key_id.is_some() || fitting.next().is_none()).then(|| first.clone())
    }
}

fn no_key() -> Error {
    invalid(
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
    )
}

fn unreachable() -> Error {
    Error::new(
        ErrorKind::IdentityProviderUnreachable,
        "The identity provider does not answer, or not with its configuration; try again.",
    )
}

async fn fetch(app: &App, issuer: &str) -> Result<Vec<Jwk>, String> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let text = app.documents.get(&url, DISCOVERY_BYTES_MAX).await?;
    let discovery: Discovery =
        serde_json::from_slice(&text).map_err(|error| format!("{url}: {error}"))?;
    if discovery.issuer != issuer {
        return Err(format!("{url} is of another issuer: {}", discovery.issuer));
    }
    let text = app.documents.get(&discovery.jwks_uri, KEYS_BYTES_MAX).await?;
    let set: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|error| format!("{}: {error}", discovery.jwks_uri))?;
    let keys = set.get("keys").and_then(|keys| keys.as_array());
    let keys = keys.ok_or_else(|| format!("{} has no keys", discovery.jwks_uri))?;
    // A key of a kind that nobody knows does not spoil the others.
    let known = keys
        .iter()
        .take(KEYS_MAX)
        .filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    Ok(JwkSet { keys: known.collect() }.keys)
}
