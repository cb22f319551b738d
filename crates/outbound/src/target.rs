//! Where a URL leads.

use http::Uri;

use crate::error::Error;

/// The longest URL that is looked at, in bytes.
const URL_BYTES_MAX: usize = 4096;

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
}

/// A URL as text; one with a fragment is refused, because nobody means it.
pub(crate) fn parse(url: &str) -> Result<Uri, Error> {
    let wrong = || Error::Url(url.chars().take(200).collect());
    if url.len() > URL_BYTES_MAX || url.contains('#') {
        return Err(wrong());
    }
    url.parse().map_err(|_| wrong())
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
        check(&format!("https://a.example/{}", "a".repeat(5000)), None);
    }
}
