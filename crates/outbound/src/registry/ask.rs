//! One request to a registry: logged in, and followed to where the registry sends it.
//!
//! Registries send clients elsewhere for blobs, and some for manifests too. Every hop is a request
//! like the first one and passes the same guard; none goes from https to http; and what one logs in
//! with stays with the server that it was got for, however the way leads back to it.

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_NONE_MATCH, LOCATION, USER_AGENT,
};
use http::{Method, StatusCode, Uri};
use tokio::time::timeout;

use super::answer::Answer;
use super::challenge::challenges;
use super::error::Error;
use super::place::Place;
use super::push::Condition;
use super::scope::Scope;
use super::{Registries, USER_AGENT as AGENT};
use crate::connection::Payload;
use crate::pool::{Content, Outgoing};
use crate::target::{Target, resolve};

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) place: &'a Place,
    pub(super) scope: &'a Scope,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) accept: Option<&'static str>,
    /// What makes the registry refuse.
    pub(super) condition: Option<(HeaderName, HeaderValue)>,
    pub(super) body: Body,
}

/// What a request carries.
pub(super) enum Body {
    Nothing,
    Whole {
        media_type: HeaderValue,
        bytes: Bytes,
    },
    /// Bytes that cannot be sent twice.
    Stream {
        headers: HeaderMap,
        payload: Payload,
    },
}

impl<'a> Question<'a> {
    pub(super) fn new(place: &'a Place, scope: &'a Scope, method: Method, uri: Uri) -> Self {
        Self { place, scope, method, uri, accept: None, condition: None, body: Body::Nothing }
    }

    pub(super) fn accepting(mut self, media_types: &'static str) -> Self {
        self.accept = Some(media_types);
        self
    }

    /// # Errors
    /// [`Error::Invalid`] for what is no entity tag.
    pub(super) fn only(mut self, condition: Condition<'_>) -> Result<Self, Error> {
        self.condition = match condition {
            Condition::None => None,
            Condition::Absent => Some((IF_NONE_MATCH, HeaderValue::from_static("*"))),
            Condition::Names(digest) => {
                let wrong = |_| Error::Invalid("a digest is no entity tag".to_owned());
                let entity = HeaderValue::from_str(&format!("\"{digest}\"")).map_err(wrong)?;
                Some((IF_MATCH, entity))
            }
        };
        Ok(self)
    }

    pub(super) fn with(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

impl Registries {
    /// Asks; what is denied without a login is asked once more with one.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Answer, Error> {
        let Question { place, scope, method, uri, accept, condition, body } = question;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        headers.extend(condition);
        let (content, again) = match body {
            Body::Nothing => (Content::Whole(Bytes::new()), Some(Bytes::new())),
            Body::Whole { media_type, bytes } => {
                headers.insert(CONTENT_TYPE, media_type);
                (Content::Whole(bytes.clone()), Some(bytes))
            }
            Body::Stream { headers: more, payload } => {
                headers.extend(more);
                (Content::Stream(payload), None)
            }
        };
        let late = |_| Error::Unavailable(format!("no login to {} in time", place.name()));
        let used = timeout(self.limits.request, self.access.known(place, scope)).await;
        let used = used.map_err(late)??;
        let outgoing = Outgoing { method, uri, headers, content };
        let (method, uri, headers) =
            (outgoing.method.clone(), outgoing.uri.clone(), outgoing.headers.clone());
        let (answer, is_home) = self.follow(place, outgoing, used.as_ref()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || !is_home {
            return Ok(answer);
        }
        let Some(bytes) = again else {
            let text = format!("{} wants another login in the middle of an upload", answer.host);
            return Err(Error::Unavailable(text));
        };
        let challenges = challenges(answer.headers());
        answer.drain().await;
        let login = self.access.answer(place, scope, challenges, used.as_ref()).await?;
        let outgoing = Outgoing { method, uri, headers, content: Content::Whole(bytes) };
        Ok(self.follow(place, outgoing, Some(&login)).await?.0)
    }

    /// The answer at the end of the way, and whether it is the registry's own.
    async fn follow(
        &self,
        place: &Place,
        mut outgoing: Outgoing,
        login: Option<&HeaderValue>,
    ) -> Result<(Answer, bool), Error> {
        let (method, headers) = (outgoing.method.clone(), outgoing.headers.clone());
        let may_move = matches!(method, Method::GET | Method::HEAD);
        let mut is_home = Target::of(&outgoing.uri)?.is_same_server(&place.target);
        if let Some(login) = login.filter(|_| is_home) {
            outgoing.headers.insert(AUTHORIZATION, login.clone());
        }
        for _ in 0..=self.limits.redirects_max {
            let uri = outgoing.uri.clone();
            let target = Target::of(&uri)?;
            let answer = Answer::new(self.pool.send(outgoing).await?, target.authority.clone());
            if !may_move || !is_redirect(answer.status()) {
                return Ok((answer, is_home));
            }
            let place_said = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
            let next = place_said.and_then(|place| resolve(&uri, place).ok());
            let Some((next, next_target)) =
                next.and_then(|next| Target::of(&next).ok().map(|target| (next, target)))
            else {
                return Err(answer.invalid("sends clients to no URL"));
            };
            if target.tls && !next_target.tls {
                return Err(Error::Forbidden(format!(
                    "{} sends clients to {}, which is not https",
                    target.authority, next_target.authority,
                )));
            }
            answer.drain().await;
            is_home = is_home && next_target.is_same_server(&place.target);
            let mut headers = headers.clone();
            if let Some(login) = login.filter(|_| is_home) {
                headers.insert(AUTHORIZATION, login.clone());
            }
            let content = Content::Whole(Bytes::new());
            outgoing = Outgoing { method: method.clone(), uri: next, headers, content };
        }
        Err(Error::Invalid(format!(
            "{} sends clients on more than {} times",
            place.name(),
            self.limits.redirects_max
        )))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}
