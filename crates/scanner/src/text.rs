//! Text from strangers, brought into bounds: it ends up in findings, events and consoles.

use serde::{Deserialize, Deserializer};

/// Longest identifier of an advisory, in bytes.
pub(crate) const ID_BYTES_MAX: usize = 128;

/// Whether a text can be the identifier of an advisory or of a vulnerability: the letters that all
/// known ones consist of (`ALSA-2024:0003`, `SUSE-SU-2024:1234-1`, `x_NSWG-ECO-504`).
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(allowed)
}

/// Whether a text can be the name or the version of a package.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= crate::TEXT_BYTES_MAX && !text.contains(char::is_control)
}

/// The id in its usual spelling, if it is one of the CVE list: `CVE-`, a year, a hyphen and at
/// least four digits (CVE record format 5).
pub(crate) fn cve(id: &str) -> Option<String> {
    let (prefix, rest) = id.split_at_checked(4)?;
    let (year, number) = rest.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_cve = prefix.eq_ignore_ascii_case("CVE-")
        && year.len() == 4
        && (4..=19).contains(&number.len())
        && digits(year)
        && digits(number);
    is_cve.then(|| format!("CVE-{rest}"))
}

/// At most `bytes_max` bytes of a text, cut between characters, without control characters other
/// than line feeds and tabs.
pub(crate) fn bounded(text: &str, bytes_max: usize) -> String {
    let cut = text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default();
    cut.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect()
}

/// Like [`bounded`], on one line.
pub(crate) fn line(text: &str, bytes_max: usize) -> String {
    bounded(text, bytes_max).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An address that a console may make a link of: http or https, and nothing that needs escaping.
pub(crate) fn is_link(text: &str) -> bool {
    let web = text.starts_with("https://") || text.starts_with("http://");
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>`\\".contains(&byte);
    web && text.len() <= LINK_BYTES_MAX && text.bytes().all(plain)
}

/// Longest address of a reference, in bytes.
const LINK_BYTES_MAX: usize = 2048;

/// A time as RFC 3339 writes it, in milliseconds since 1970 UTC. Date alone is midnight.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() == "2026-01-02".len() {
        let date: jiff::civil::Date = text.parse().ok()?;
        return Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond());
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    // CVE records and RPM repositories may leave the zone out; it is UTC then.
    let time: jiff::civil::DateTime = text.parse().ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Deserialises a string, and anything else as nothing: what publishers put into fields of their
/// own is not for us to refuse.
pub(crate) fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}

/// Deserialises a list whose absence and `null` mean the same.
pub(crate) fn list<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

/// Deserialises an object whose absence and `null` mean the same.
pub(crate) fn object<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for (text, expected) in [
            ("CVE-2021-44228", true),
            ("ALSA-2024:0003", true),
            ("x_NSWG-ECO-504", true),
            ("", false),
            ("a b", false),
            ("é", false),
            ("<script>", false),
            ("a\n", false),
        ] {
            assert_eq!(is_id(text), expected, "{text:?}");
        }
        assert!(is_id(&"a".repeat(ID_BYTES_MAX)));
        assert!(!is_id(&"a".repeat(ID_BYTES_MAX + 1)));
    }

    #[test]
    fn cves() {
        for (text, expected) in [
            ("CVE-2021-44228", Some("CVE-2021-44228")),
            ("cve-1999-0001", Some("CVE-1999-0001")),
            ("CVE-2024-1000000", Some("CVE-2024-1000000")),
            ("CVE-2021-123", None),
            ("CVE-21-1234", None),
            ("DEBIAN-CVE-2021-44228", None),
            ("CVE-2021-4422a", None),
            ("CVE", None),
            ("CVÉ-2021-44228", None),
        ] {
            assert_eq!(cve(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn texts() {
        for (text, bytes_max, expected) in [
            ("plain", 10, "plain"),
            ("cut here", 3, "cut"),
            ("éé", 3, "é"),
            ("a\u{1b}[31mb\u{0}\tc\nd", 99, "a[31mb\tc\nd"),
        ] {
            assert_eq!(bounded(text, bytes_max), expected);
        }
        assert_eq!(line(" a \n\n b\tc ", 99), "a b c");
    }

    #[test]
    fn links() {
        for (text, expected) in [
            ("https://example.org/a?b=c#d", true),
            ("http://example.org", true),
            ("javascript:alert(1)", false),
            ("HTTPS://example.org", false),
            ("https://example.org/\"onclick=", false),
            ("https://example.org/a b", false),
            ("//example.org", false),
        ] {
            assert_eq!(is_link(text), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T00:00:01.5Z", Some(1_500)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-02", Some(86_400_000)),
            ("1970-01-01 00:00:01", Some(1_000)),
            ("1970-01-01T00:00:01.000", Some(1_000)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
            ("yesterday", None),
            ("", None),
            ("9999-99-99T00:00:00Z", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
