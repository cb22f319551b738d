//! What headers of a registry say.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LINK, RETRY_AFTER};

use super::digest;

/// Longest media type (RFC 6838, section 4.2).
const MEDIA_TYPE_BYTES_MAX: usize = 255;
/// Longest time that a registry is believed to want to be left alone for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a registry says of how much may still be asked of it (`RateLimit-Limit` and
/// `RateLimit-Remaining`, as Docker Hub sends them: `100;w=21600`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Pulls in the window.
    pub limit: u64,
    /// Pulls that are left.
    pub remaining: u64,
}

fn text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

pub(super) fn quota(headers: &HeaderMap) -> Option<Quota> {
    let number = |name| {
        let value = text(headers, name)?;
        value.split(';').next().unwrap_or_default().trim().parse().ok()
    };
    Some(Quota { limit: number("ratelimit-limit")?, remaining: number("ratelimit-remaining")? })
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?;
    let time = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(time.min(RETRY_AFTER_MAX))
}

/// `Content-Type` without parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, CONTENT_TYPE)?.split(';').next().unwrap_or_default().trim();
    let plain = value.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = !value.is_empty() && value.len() <= MEDIA_TYPE_BYTES_MAX && plain;
    fits.then(|| value.to_ascii_lowercase())
}

/// `Content-Length`.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_LENGTH)?.parse().ok()
}

/// Whether the bytes are others than those that were asked for: nobody asks for compressed ones.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// `Docker-Content-Digest`, if it is one of a known algorithm.
pub(super) fn digest(headers: &HeaderMap) -> Option<&str> {
    text(headers, "docker-content-digest").filter(|digest| digest::is_known(digest))
}

/// Where the next page is (RFC 8288, `rel="next"`).
pub(super) fn next_page(headers: &HeaderMap) -> Option<&str> {
    text(headers, LINK)?.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            parameter.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"') == "next"
            })
        });
        is_next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn quotas() {
        let check = |limit: &str, remaining: &str, expected: Option<(u64, u64)>| {
            let given = headers(&[("ratelimit-limit", limit), ("ratelimit-remaining", remaining)]);
            let found = quota(&given).map(|quota| (quota.limit, quota.remaining));
            assert_eq!(found, expected, "{limit} {remaining}");
        };
        check("100;w=21600", "76;w=21600", Some((100, 76)));
        check("100", " 0 ", Some((100, 0)));
        check("200, 100;w=1", "1", None);
        check("-1", "1", None);
        check("100;w=21600", "", None);
        check("99999999999999999999", "1", None);
        assert_eq!(quota(&headers(&[("ratelimit-limit", "1")])), None);
    }

    #[test]
    fn when_to_ask_again() {
        // 1994-11-15T08:12:31Z.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_151);
        let check = |value: &str, expected: Option<u64>| {
            let found = retry_after(&headers(&[("retry-after", value)]), now);
            assert_eq!(found.map(|time| time.as_secs()), expected, "{value}");
        };
        check("120", Some(120));
        check("0", Some(0));
        check("99999999", Some(24 * 60 * 60));
        check("99999999999999999999999999", Some(24 * 60 * 60));
        check("Tue, 15 Nov 1994 08:13:01 GMT", Some(30));
        check("Tue, 15 Nov 1994 08:12:01 GMT", Some(0));
        check("Mon, 15 Nov 2094 08:12:01 GMT", Some(24 * 60 * 60));
        check("-1", None);
        check("soon", None);
        check("", None);
    }

    #[test]
    fn media_types() {
        let check = |value: &str, expected: Option<&str>| {
            assert_eq!(media_type(&headers(&[("content-type", value)])).as_deref(), expected);
        };
        check("application/json", Some("application/json"));
        check(" Application/JSON ; charset=utf-8", Some("application/json"));
        check("a b", None);
        check(";charset=utf-8", None);
        check(&"a".repeat(256), None);
    }

    #[test]
    fn pages() {
        let check = |value: &str, expected: Option<&str>| {
            assert_eq!(next_page(&headers(&[("link", value)])), expected, "{value}");
        };
        check("</v2/a?last=b>; rel=\"next\"", Some("/v2/a?last=b"));
        check("</v2/a>;rel=next", Some("/v2/a"));
        check("<a>; rel=\"prev\", <b>; x=y; rel=\"next\"", Some("b"));
        check("<a>; rel=\"prev\"", None);
        check("<a", None);
        check("a; rel=next", None);
        check("", None);
    }
}
