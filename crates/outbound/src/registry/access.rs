//! Logging in: which way a registry wants it, and the tokens that were got for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::Answer;
use super::challenge::{Bearer, Challenge};
use super::error::Error;
use super::place::Place;
use super::scope::Scope;
use super::{Limits, USER_AGENT, trust};
use crate::pool::{Content, Outgoing, Pool};
use crate::target::{self, Target};

/// Ways to log in that are remembered; what was not used for longest is forgotten.
const SLOTS_MAX: usize = 1024;
/// How long a token holds whose answer says nothing (distribution's token specification).
const LIFETIME: Duration = Duration::from_secs(60);
/// Longest time for which a token is used.
const LIFETIME_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// How long before its end a token is not used any more: requests take time, and clocks differ.
const MARGIN: Duration = Duration::from_secs(30);
/// Longest token: it must fit into the head of a request.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Logs in. What it remembers is kept apart by registry, credentials and scope.
pub(super) struct Access {
    pool: Pool,
    limits: Limits,
    token_hosts: Vec<String>,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    kept: HashMap<Key, (u64, Arc<Slot>)>,
    /// Counts uses.
    now: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    base: String,
    credentials: Option<[u8; 32]>,
    scope: Scope,
}

/// One at a time logs in; the others wait for what it gets.
type Slot = tokio::sync::Mutex<Known>;

#[derive(Default)]
struct Known {
    way: Option<Challenge>,
    token: Option<Token>,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    until: Instant,
}

impl Known {
    fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref().filter(|token| Instant::now() < token.until).map(|token| &token.header)
    }
}

impl Access {
    pub(super) fn new(pool: Pool, limits: Limits, token_hosts: Vec<String>) -> Self {
        Self { pool, limits, token_hosts, slots: Mutex::default() }
    }

    /// What to log in with before the registry asks for it, as far as that is known.
    pub(super) async fn known(
        &self,
        place: &Place,
        scope: &Scope,
    ) -> Result<Option<HeaderValue>, Error> {
        let slot = self.slot(place, scope);
        let mut known = slot.lock().await;
        if let Some(token) = known.token() {
            return Ok(Some(token.clone()));
        }
        known.token = None;
        let bearer = match &known.way {
            None => return Ok(None),
            Some(Challenge::Basic) => return Ok(place.basic()),
            Some(Challenge::Bearer(bearer)) => bearer.clone(),
        };
        match self.fetch(place, &bearer, scope).await {
            Ok(token) => Ok(Some(known.token.insert(token).header.clone())),
            Err(error) => {
                // The token service may have moved: the registry says where it is.
                known.way = None;
                match error {
                    Error::TooManyRequests { .. } => Err(error),
                    _ => Ok(None),
                }
            }
        }
    }

    /// What to log in with when the registry answered a request with these challenges, which was
    /// sent with `used`.
    pub(super) async fn answer(
        &self,
        place: &Place,
        scope: &Scope,
        challenges: Vec<Challenge>,
        used: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Error> {
        let denied = || Error::Denied(place.name());
        let slot = self.slot(place, scope);
        let mut known = slot.lock().await;
        if let Some(token) = known.token()
            && Some(token) != used
        {
            return Ok(token.clone());
        }
        let is_bearer = |challenge: &Challenge| matches!(challenge, Challenge::Bearer(_));
        let position = challenges.iter().position(is_bearer).unwrap_or(0);
        let way = challenges.into_iter().nth(position).ok_or_else(denied)?;
        *known = Known { way: Some(way.clone()), token: None };
        match way {
            Challenge::Basic => match place.basic() {
                Some(basic) if Some(&basic) != used => Ok(basic),
                _ => Err(denied()),
            },
            Challenge::Bearer(bearer) => {
                let token = self.fetch(place, &bearer, scope).await?;
                Ok(known.token.insert(token).header.clone())
            }
        }
    }

    fn slot(&self, place: &Place, scope: &Scope) -> Arc<Slot> {
        let key = Key {
            base: place.base().to_owned(),
            credentials: place.fingerprint(),
            scope: scope.clone(),
        };
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.now += 1;
        let now = slots.now;
        if slots.kept.len() >= SLOTS_MAX && !slots.kept.contains_key(&key) {
            let oldest = slots.kept.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                slots.kept.remove(&oldest);
            }
        }
        let (used, slot) = slots.kept.entry(key).or_default();
        *used = now;
        Arc::clone(slot)
    }

    async fn fetch(&self, place: &Place, bearer: &Bearer, scope: &Scope) -> Result<Token, Error> {
        let uri = token_url(bearer, scope)?;
        let service = Target::of(&uri)?;
        let mut headers = HeaderMap::new();
        headers.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if place.target.tls && !service.tls {
            let text = format!(
                "{} has its token service at {}, which is not https",
                place.name(),
                service.authority
            );
            return Err(Error::Forbidden(text));
        }
        if let Some(basic) = place.basic() {
            let (origin, realm) = (&place.target.host, &service.host);
            if !trust::may_see_credentials(origin, realm, &self.token_hosts) {
                return Err(Error::Forbidden(format!(
                    "{} has its token service at {realm}, which is not of its site; credentials \
                     are sent there only if the operator lists it in `upstream_token_host`",
                    place.name(),
                )));
            }
            headers.insert(AUTHORIZATION, basic);
        }
        let content = Content::Whole(Bytes::new());
        let outgoing = Outgoing { method: Method::GET, uri, headers, content };
        let response = self.pool.send(outgoing).await?;
        let answer = Answer::new(response, service.authority);
        match answer.status() {
            StatusCode::OK => {}
            // Some say so of credentials that they do not like.
            StatusCode::BAD_REQUEST => return Err(Error::Denied(answer.host)),
            // That is not what was asked for in the first place.
            StatusCode::NOT_FOUND => {
                let text = format!("there is no token service at {}", answer.host);
                return Err(Error::Invalid(text));
            }
            _ => return Err(answer.refuse().await),
        }
        let host = answer.host.clone();
        let body = answer.collect(self.limits.token_bytes_max, self.limits.stall).await?;
        let wrong = || Error::Invalid(format!("the token service {host} sent no usable token"));
        let said: Said = serde_json::from_slice(&body).map_err(|_| wrong())?;
        said.token(Instant::now()).ok_or_else(wrong)
    }
}

fn token_url(bearer: &Bearer, scope: &Scope) -> Result<Uri, Error> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(service) = &bearer.service {
        query.append_pair("service", service);
    }
    for text in scope.texts(bearer.scope.as_deref()) {
        query.append_pair("scope", &text);
    }
    let (realm, query) = (&bearer.realm, query.finish());
    let separator = match realm.split_once('?') {
        _ if query.is_empty() => "",
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    Ok(target::parse(&format!("{realm}{separator}{query}"))?)
}

/// The answer of a token service (distribution's token specification, and OAuth 2.0's name).
#[derive(Deserialize)]
struct Said {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    expires_in: Option<serde_json::Value>,
}

impl Said {
    fn token(&self, now: Instant) -> Option<Token> {
        let given = [&self.token, &self.access_token];
        let mut given = given.into_iter().flatten().map(ExposeSecret::expose_secret);
        let token = given.find(|token| !token.is_empty())?;
        let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.len() > TOKEN_BYTES_MAX || !plain {
            return None;
        }
        let text = zeroize::Zeroizing::new(format!("Bearer {token}"));
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(Token { header, until: now + self.used_for() })
    }

    fn used_for(&self) -> Duration {
        let seconds = self.expires_in.as_ref().and_then(|value| {
            value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        });
        let lifetime = seconds.map_or(LIFETIME, Duration::from_secs).min(LIFETIME_MAX);
        lifetime - MARGIN.min(lifetime / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::Rights;
    use super::*;

    #[test]
    fn token_services_are_asked_for_a_service_and_a_scope() {
        let check = |realm: &str, service: Option<&str>, expected: &str| {
            let service = service.map(ToOwned::to_owned);
            let bearer = Bearer { realm: realm.to_owned(), service, scope: None };
            let scope = Scope::of("a/b", Rights::Pull);
            let found = token_url(&bearer, &scope).map(|uri| uri.to_string());
            assert_eq!(found.unwrap_or_default(), expected, "{realm}");
        };
        let scope = "scope=repository%3Aa%2Fb%3Apull";
        check("https://a/b", Some("c&d"), &format!("https://a/b?service=c%26d&{scope}"));
        check("https://a/b", None, &format!("https://a/b?{scope}"));
        check("https://a/b?", None, &format!("https://a/b?{scope}"));
        check("https://a/b?c=d", None, &format!("https://a/b?c=d&{scope}"));
        check("https://a/b#c", None, "");
        check("/b", None, "/b?scope=repository%3Aa%2Fb%3Apull");
        check("https://a b", None, "");
    }

    #[test]
    fn tokens_are_used_until_shortly_before_they_end() {
        let check = |answer: &str, expected: Option<(&str, u64)>| {
            let now = Instant::now();
            let said = serde_json::from_str::<Said>(answer).ok();
            let found = said.and_then(|said| said.token(now)).map(|token| {
                let seconds = token.until.duration_since(now).as_secs();
                (token.header.to_str().unwrap().to_owned(), seconds)
            });
            let found = found.as_ref().map(|(header, seconds)| (header.as_str(), *seconds));
            assert_eq!(found, expected, "{answer}");
        };
        check(r#"{"token": "a", "expires_in": 300}"#, Some(("Bearer a", 270)));
        check(r#"{"access_token": "a", "expires_in": 300}"#, Some(("Bearer a", 270)));
        check(r#"{"token": "", "access_token": "a", "x": [1]}"#, Some(("Bearer a", 30)));
        check(r#"{"token": "a", "access_token": "b"}"#, Some(("Bearer a", 30)));
        check(r#"{"token": "a", "expires_in": "300"}"#, Some(("Bearer a", 270)));
        check(r#"{"token": "a", "expires_in": -5}"#, Some(("Bearer a", 30)));
        check(r#"{"token": "a", "expires_in": 10}"#, Some(("Bearer a", 5)));
        check(r#"{"token": "a", "expires_in": 0}"#, Some(("Bearer a", 0)));
        let longest = 12 * 60 * 60 - 30;
        check(r#"{"token": "a", "expires_in": 18446744073709551615}"#, Some(("Bearer a", longest)));
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"token": null}"#,
            r#"{"token": ""}"#,
            r#"{"token": 1}"#,
            r#"{"token": "a b"}"#,
            r#"{"token": "a\r\nb: c"}"#,
            r#"{"token": "ä"}"#,
        ] {
            check(wrong, None);
        }
        check(&format!(r#"{{"token": "{}"}}"#, "a".repeat(TOKEN_BYTES_MAX + 1)), None);
    }
}
