//! How adapters of other scanners are asked.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::timeout;
use tonnage_domain::scanning::external::{
    Adapter, AdapterAnswer, AdapterFailure, AdapterRequest, Adapters,
};
use tonnage_outbound::{Client, Error, Limits};

/// How long an adapter may take until there is a connection, and from then until it answers.
const LIMITS: Limits = Limits { connect: Duration::from_secs(10), head: Duration::from_secs(30) };
/// How long one request may take.
const TIME: Duration = Duration::from_secs(120);
/// Bytes of a file with a credential.
const CREDENTIAL_BYTES_MAX: u64 = 16 << 10;
/// Bytes of a header that is looked at.
const HEADER_BYTES_MAX: usize = 1_024;
/// What the protocol has for `Retry-After`.
const REFRESH_AFTER: HeaderName = HeaderName::from_static("refresh-after");

/// Asks adapters under the operator's rules.
pub(super) struct GuardedAdapters(Client);

impl GuardedAdapters {
    pub(super) fn new(client: Client) -> Self {
        Self(client.with_limits(LIMITS))
    }

    async fn get(&self, adapter: &Adapter, asked: AdapterRequest) -> Result<AdapterAnswer> {
        let AdapterRequest { path, accept, body, bytes_max } = asked;
        let mut request = Request::builder()
            .method(if body.is_some() { Method::POST } else { Method::GET })
            .uri(format!("{}{path}", adapter.url))
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("tonnage/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &adapter.credential_file {
            let file = file.clone();
            let credential = tokio::task::spawn_blocking(move || credential(&file)).await??;
            request = request.header(AUTHORIZATION, credential);
        }
        let mut content = Bytes::new();
        if let Some((content_type, bytes)) = body {
            request = request.header(CONTENT_TYPE, content_type);
            content = bytes;
        }
        let answer = self.0.send(request.body(Full::new(content))?).await?;
        let status = answer.status().as_u16();
        let content_type = text_of(answer.headers(), &CONTENT_TYPE);
        let again = text_of(answer.headers(), &REFRESH_AFTER)
            .or_else(|| text_of(answer.headers(), &RETRY_AFTER));
        let again_seconds = again.and_then(|text| text.trim().parse().ok());
        let body = Limited::new(answer.into_body(), bytes_max).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => Error::Http(adapter.name.clone(), *error),
            Err(_) => Error::Large(adapter.name.clone(), bytes_max),
        })?;
        Ok(AdapterAnswer { status, content_type, again_seconds, body: body.to_bytes() })
    }
}

impl Adapters for GuardedAdapters {
    fn ask<'a>(
        &'a self,
        adapter: &'a Adapter,
        request: AdapterRequest,
    ) -> BoxFuture<'a, Result<AdapterAnswer, AdapterFailure>> {
        Box::pin(async move {
            let late = |_| Err(Error::Time(adapter.name.clone()).into());
            let answer = timeout(TIME, self.get(adapter, request)).await.unwrap_or_else(late);
            answer.map_err(|error| AdapterFailure {
                is_transient: error.downcast_ref::<Error>().is_some_and(Error::is_transient),
                reason: format!("{error:#}"),
            })
        })
    }
}

/// What a file of `USER:PASSWORD` or `Bearer TOKEN` is sent as. Read every time, so that it may be
/// replaced while the server runs. Nothing that goes wrong repeats its content.
fn credential(path: &Path) -> Result<HeaderValue> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(CREDENTIAL_BYTES_MAX).read_to_string(&mut text))
        .with_context(|| format!("the credential in {} cannot be read", path.display()))?;
    let text = text.trim();
    let header = match text.split_once(' ') {
        Some(("Bearer", _)) => text.to_owned(),
        _ if text.contains(':') => format!("Basic {}", STANDARD.encode(text)),
        _ => bail!("{} holds neither USER:PASSWORD nor Bearer TOKEN", path.display()),
    };
    let mut value = HeaderValue::try_from(header)
        .map_err(|_| anyhow!("{} holds what no header may have", path.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= HEADER_BYTES_MAX).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credential");
        for (content, expected) in [
            ("user:secret\n", Ok("Basic dXNlcjpzZWNyZXQ=")),
            ("Bearer abc.def\n", Ok("Bearer abc.def")),
            ("secret", Err("neither")),
            ("", Err("neither")),
            ("Bearer a\u{1}b", Err("no header")),
        ] {
            std::fs::write(&path, content).unwrap();
            match (credential(&path), expected) {
                (Ok(value), Ok(expected)) => assert_eq!(value, expected),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{error}");
                    assert!(!error.to_string().contains("secret"), "{error}");
                }
                (found, _) => panic!("{content:?}: {found:?}"),
            }
        }
        assert!(credential(&directory.path().join("none")).is_err());
    }
}
