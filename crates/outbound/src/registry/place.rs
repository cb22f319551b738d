//! Where a registry is, and what may be asked of it.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use secrecy::{ExposeSecret as _, SecretString};

use super::digest;
use super::error::Error;
use crate::target::{self, Target};

/// Longest name of a repository (OCI distribution specification, "Pulling manifests").
const REPOSITORY_BYTES_MAX: usize = 255;
/// Longest tag (there, too).
const TAG_BYTES_MAX: usize = 128;

/// Where a registry is, and how to enter it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Scheme, host and perhaps a port, without a path: `https://registry-1.docker.io`.
    pub url: String,
    /// What to log in with; an anonymous request otherwise.
    pub credentials: Option<Credentials>,
}

/// A name and a password or access token.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name, without a colon.
    pub username: String,
    /// The password or access token.
    pub password: SecretString,
}

/// An origin that was read.
pub(super) struct Place {
    pub(super) target: Target,
    base: String,
    credentials: Option<Credentials>,
}

impl Place {
    pub(super) fn of(origin: &Origin) -> Result<Self, Error> {
        let uri = target::parse(&origin.url)?;
        let target = Target::of(&uri)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            let text = format!("the URL of the registry {} must have no path", target.authority);
            return Err(Error::Invalid(text));
        }
        let credentials = origin.credentials.clone();
        if credentials.as_ref().is_some_and(|credentials| credentials.username.contains(':')) {
            let text = format!("the user name for {} must have no colon", target.authority);
            return Err(Error::Invalid(text));
        }
        let scheme = if target.tls { "https" } else { "http" };
        Ok(Self { base: format!("{scheme}://{}", target.authority), target, credentials })
    }

    /// Names it in texts.
    pub(super) fn name(&self) -> String {
        self.target.authority.clone()
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Tells credentials apart without holding them.
    pub(super) fn fingerprint(&self) -> Option<[u8; 32]> {
        let credentials = self.credentials.as_ref()?;
        let mut context = Context::new(&SHA256);
        context.update(credentials.username.as_bytes());
        context.update(b":");
        context.update(credentials.password.expose_secret().as_bytes());
        context.finish().as_ref().try_into().ok()
    }

    /// The credentials as the Basic scheme has them (RFC 7617).
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let Credentials { username, password } = self.credentials.as_ref()?;
        let pair = zeroize::Zeroizing::new(format!("{username}:{}", password.expose_secret()));
        let text = zeroize::Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The URL of something under `/v2/`.
    pub(super) fn url(&self, path: &str) -> Result<Uri, Error> {
        Ok(target::parse(&format!("{}/v2/{path}", self.base))?)
    }
}

/// A repository's name that can stand in a path as it is.
pub(super) fn repository(name: &str) -> Result<&str, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_name = |part: &str| part.bytes().all(allowed) && !matches!(part, "" | "." | "..");
    if name.len() <= REPOSITORY_BYTES_MAX && name.split('/').all(is_name) {
        return Ok(name);
    }
    Err(Error::Invalid(format!("{:?} is not the name of a repository", shortened(name))))
}

/// A tag or a digest.
pub(super) fn reference(text: &str) -> Result<&str, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_tag = !text.is_empty()
        && text.len() <= TAG_BYTES_MAX
        && text.bytes().all(allowed)
        && !text.starts_with(['.', '-']);
    if is_tag || digest::is_known(text) {
        return Ok(text);
    }
    Err(Error::Invalid(format!("{:?} is neither a tag nor a digest", shortened(text))))
}

/// A digest.
pub(super) fn known_digest(text: &str) -> Result<&str, Error> {
    if digest::is_known(text) {
        return Ok(text);
    }
    Err(Error::Invalid(format!("{:?} is not a digest", shortened(text))))
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        let check = |name: &str, is_repository: bool, is_reference: bool| {
            let found = (repository(name).is_ok(), reference(name).is_ok());
            assert_eq!(found, (is_repository, is_reference), "{name}");
        };
        let digest = digest::sha256(b"");
        check("library/nginx", true, false);
        check("a.b/c_d/e-f", true, false);
        check("latest", true, true);
        check("v1.2-x_y", true, true);
        check(&digest, false, true);
        check(&digest[..70], false, false);
        check(&"a".repeat(129), true, false);
        for wrong in [
            "", "/", "a/", "/a", "a//b", "..", ".", "a/../b", "a/./b", "a?b", "a#b", "a%2fb",
            "a b", "a:b", "a\\b", "a\r\nb", "ä", "a/b@c",
        ] {
            check(wrong, false, false);
        }
        check(&"a".repeat(256), false, false);
    }

    #[test]
    fn registries_are_servers() {
        let check = |url: &str, username: &str, expected: Option<&str>| {
            let password = "b".to_owned().into();
            let credentials = Credentials { username: username.to_owned(), password };
            let origin = Origin { url: url.to_owned(), credentials: Some(credentials) };
            let found = Place::of(&origin).ok();
            let found = found.map(|place| place.url("a/manifests/b").unwrap().to_string());
            assert_eq!(found.as_deref(), expected, "{url}");
        };
        check("https://A.example", "a", Some("https://a.example/v2/a/manifests/b"));
        check("https://a.example:1/", "a", Some("https://a.example:1/v2/a/manifests/b"));
        check("https://a.example/b", "a", None);
        check("https://a.example?b", "a", None);
        check("https://a.example", "a:b", None);
        check("https://a@a.example", "a", None);
        check("a.example", "a", None);
    }
}
