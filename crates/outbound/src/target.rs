//! Where a URL leads.

use http::header::{HOST, HeaderValue};
use http::{Request, Uri};

use crate::error::Error;

/// The longest URL that is looked at, in bytes. Signed ones of object stores have some thousand.
const URL_BYTES_MAX: usize = 8192;

/// A server and what to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the `Host` header has it.
    pub(crate) authority: String,
}

impl Target {
    pub(crate) fn of(uri: &Uri) -> Result<Self, Error> {
        let wrong = || Error::Url(uri.to_string().chars().take(200).collect());
        let authority = uri.authority().ok_or_else(wrong)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let default = if tls { 443 } else { 80 };
        // The parser takes ports that are too large for none.
        let rest = authority.as_str().strip_prefix(authority.host()).ok_or_else(wrong)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None if rest.is_empty() => default,
            None => return Err(wrong()),
        };
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port,
            authority: authority.as_str().to_ascii_lowercase(),
        })
    }

    /// Whether both are the same server: scheme, host and port.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }

    /// The request in the form that goes over a connection: a path, and the authority in a header.
    pub(crate) fn address<B>(&self, mut request: Request<B>) -> Result<Request<B>, Error> {
        let authority = HeaderValue::from_str(&self.authority)
            .map_err(|_| Error::Url(self.authority.clone()))?;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let path: Uri = path.parse().map_err(|_| Error::Url(path.to_owned()))?;
        *request.uri_mut() = path;
        request.headers_mut().insert(HOST, authority);
        Ok(request)
    }
}

/// A URL as text; one with a fragment is refused, because nobody means it.
pub(crate) fn parse(url: &str) -> Result<Uri, Error> {
    let wrong = || Error::Url(url.chars().take(200).collect());
    if url.len() > URL_BYTES_MAX || url.contains('#') {
        return Err(wrong());
    }
    url.parse().map_err(|_| wrong())
}

/// Where a reference (RFC 3986, section 4.1) that was found at `base` leads. A fragment says
/// nothing to a server and is dropped; dots in paths are left to the server.
pub(crate) fn resolve(base: &Uri, reference: &str) -> Result<Uri, Error> {
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str().unwrap_or("https");
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let has_scheme = reference.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && !scheme.contains(['/', '?']) && scheme.is_ascii()
    });
    let absolute = if has_scheme {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.is_empty() || reference.starts_with('?') {
        format!("{scheme}://{authority}{}{reference}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{reference}")
    };
    parse(&absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_one_server_or_are_refused() {
        let check = |url: &str, expected: Option<(bool, &str, u16, &str)>| {
            let found = parse(url).and_then(|uri| Target::of(&uri));
            let found = found.ok();
            let found =
                found.as_ref().map(|it| (it.tls, it.host.as_str(), it.port, it.authority.as_str()));
            assert_eq!(found, expected, "{url}");
        };
        check("https://a.example/b?c", Some((true, "a.example", 443, "a.example")));
        check("https://A.example:8443", Some((true, "a.example", 8443, "a.example:8443")));
        check("http://127.0.0.1/", Some((false, "127.0.0.1", 80, "127.0.0.1")));
        check("https://[::1]:1/", Some((true, "::1", 1, "[::1]:1")));
        check("https://user@a.example/", None);
        check("https://user:b@a.example/", None);
        check("https://a.example/#b", None);
        check("https://a.example:99999/", None);
        check("https:///a", None);
        check("//a.example/", None);
        check("/a", None);
        check("a.example", None);
        check("ftp://a.example/", None);
        check("file:///etc/passwd", None);
        check("https://a.example/\r\nb: c", None);
        check(&format!("https://a.example/{}", "a".repeat(9000)), None);
    }

    #[test]
    fn references_are_resolved_where_they_were_found() {
        let check = |reference: &str, expected: &str| {
            let base = parse("https://a.example:1/b/c?d").unwrap();
            let found = resolve(&base, reference).and_then(|uri| {
                Target::of(&uri)?;
                Ok(uri.to_string())
            });
            assert_eq!(found.unwrap_or_default(), expected, "{reference}");
        };
        check("https://e.example/f?g#h", "https://e.example/f?g");
        check("http://e.example/f", "http://e.example/f");
        check("//e.example/f", "https://e.example/f");
        check("/e/f?g", "https://a.example:1/e/f?g");
        check("e/f?g", "https://a.example:1/b/e/f?g");
        check("?g", "https://a.example:1/b/c?g");
        check("", "https://a.example:1/b/c");
        check("/e:f", "https://a.example:1/e:f");
        check("file:///etc/passwd", "");
        check("gopher://e.example/", "");
        check("https:e", "");
        check("https://user@e.example/", "");
        check("/e f", "");
        check("///e", "");
    }
}
