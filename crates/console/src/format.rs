//! Numbers and times as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use tonnage_domain::clock::Millis;

/// A number with its thousands apart.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with the noun that it counts.
pub(crate) fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// A size with three digits, in powers of 1,000 as `docker` has it.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    // Tenths, to keep to whole numbers.
    let mut tenths = u128::from(bytes) / 100;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    match tenths {
        0..1000 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", tenths / 10, UNITS[unit]),
    }
}

/// A day, and for machines the second.
pub(crate) fn day(at: Millis) -> Markup {
    let Ok(at) = Timestamp::from_millisecond(at.0) else { return html! { "unknown" } };
    let day = at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y").to_string();
    let machine = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    html! { time datetime=(machine) { (day) } }
}

/// A second of a day, in UTC.
pub(crate) fn moment(at: Millis) -> Markup {
    let Ok(at) = Timestamp::from_millisecond(at.0) else { return html! { "unknown" } };
    let text = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string();
    let machine = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    html! { time datetime=(machine) title=(machine) { (text) } }
}

/// A second of a day as a text, in UTC.
pub(crate) fn clock(at: Millis) -> String {
    Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string())
        .unwrap_or_default()
}

/// A length of time in one unit, rounded down.
pub(crate) fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let one =
        |value: i64, unit: &str| format!("{} {unit}{}", value, if value == 1 { "" } else { "s" });
    match seconds {
        0..60 => one(seconds, "second"),
        60..3600 => one(seconds / 60, "minute"),
        3600..172_800 => one(seconds / 3600, "hour"),
        _ => one(seconds / 86_400, "day"),
    }
}

/// A day without its year.
pub(crate) fn short_day(at: Millis) -> String {
    Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(TimeZone::UTC).strftime("%-d %b").to_string())
        .unwrap_or_default()
}

/// A second, as site maps have it.
pub(crate) fn machine_time(at: Millis) -> String {
    Timestamp::from_millisecond(at.0)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// As much of a digest as tells two apart.
pub(crate) fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (value, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(number(value), expected);
        }
        assert_eq!(count(1, "pull", "pulls"), "1 pull");
        assert_eq!(count(0, "pull", "pulls"), "0 pulls");
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1550, "1.5 kB"),
            (99_900, "99.9 kB"),
            (123_456, "123 kB"),
            (1_000_000, "1.0 MB"),
            (5_400_000_000, "5.4 GB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
        assert!(size(u64::MAX).ends_with(" PB"));
    }

    #[test]
    fn spans() {
        for (millis, expected) in [
            (-5, "0 seconds"),
            (1000, "1 second"),
            (61_000, "1 minute"),
            (7_200_000, "2 hours"),
            (200_000_000, "2 days"),
        ] {
            assert_eq!(span(millis), expected);
        }
    }

    #[test]
    fn times() {
        let text = day(Millis(1_790_000_000_000)).into_string();
        assert_eq!(text, "<time datetime=\"2026-09-21T14:13:20Z\">21 September 2026</time>");
        assert_eq!(day(Millis(i64::MAX)).into_string(), "unknown");
    }
}
