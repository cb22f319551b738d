//! Values of conditions: how they are read and compared.
//!
//! The policy's value is read once, when the policy is; the request's value on each comparison.
//! A request value of the wrong type cannot be compared, which the caller turns into a deny for
//! a `Deny` and into nothing for an `Allow`.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use super::operators::Base;
use crate::arn::ArnPattern;
use crate::context::Context;
use crate::glob;
use crate::pattern::{Expanded, Pattern, Syntax, literal_text};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(Pattern),
    Number(Decimal),
    Date(Timestamp),
    Bool(bool),
    Binary(Vec<u8>),
    Network(IpNet),
    Arn(ArnPattern),
}

impl Value {
    /// Policy variables work in string and ARN operators only (IAM guide, "IAM policy elements:
    /// Variables and tags", where you can use policy variables).
    pub(crate) fn parse(base: Base, text: &str, variables: bool) -> Result<Self, String> {
        let wildcards = matches!(base, Base::TextLike | Base::Arn);
        let syntax = Syntax { wildcards, variables };
        match base {
            Base::Text | Base::TextIgnoringCase | Base::TextLike => {
                Pattern::parse(text, syntax).map(Self::Text)
            }
            Base::Arn => ArnPattern::parse(text, syntax).map(Self::Arn),
            Base::Number(_) => Decimal::parse(text)
                .map(Self::Number)
                .ok_or_else(|| "expected a decimal number".to_owned()),
            Base::Date(_) => parse_date(text)
                .map(Self::Date)
                .ok_or_else(|| "expected an ISO 8601 date or seconds since 1970".to_owned()),
            Base::Bool | Base::Null => {
                parse_bool(text).map(Self::Bool).ok_or_else(|| "expected true or false".to_owned())
            }
            Base::Binary => {
                decode_base64(text).map(Self::Binary).ok_or_else(|| "expected base64".to_owned())
            }
            Base::Address => parse_network(text)
                .map(Self::Network)
                .ok_or_else(|| "expected an address or a CIDR block".to_owned()),
        }
    }
}

impl Value {
    /// Shows `visit` every condition key that a variable reads.
    pub(crate) fn visit_keys(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Text(pattern) => pattern.visit_keys(visit),
            Self::Arn(pattern) => pattern.visit_keys(visit),
            Self::Number(_)
            | Self::Date(_)
            | Self::Bool(_)
            | Self::Binary(_)
            | Self::Network(_) => {}
        }
    }
}

/// Compares a value of the policy with one of the request. `Err` says why that is impossible.
pub(crate) fn compare(
    base: Base,
    expected: &Value,
    found: &str,
    context: &Context<'_>,
) -> Result<bool, &'static str> {
    match (base, expected) {
        (Base::Text | Base::TextIgnoringCase | Base::TextLike, Value::Text(pattern)) => {
            match pattern.expand(context) {
                Expanded::Null => Ok(false),
                Expanded::Unknown(why) => Err(why),
                Expanded::Tokens(tokens) if base == Base::TextIgnoringCase => {
                    Ok(literal_text(&tokens).to_lowercase() == found.to_lowercase())
                }
                Expanded::Tokens(tokens) => Ok(glob::matches(&tokens, found)),
            }
        }
        (Base::Arn, Value::Arn(pattern)) => pattern.matches(found, context),
        (Base::Number(relation), Value::Number(expected)) => {
            let found = Decimal::parse(found).ok_or("the value is not a number")?;
            Ok(relation.holds(found.cmp(expected)))
        }
        (Base::Date(relation), Value::Date(expected)) => {
            let found = parse_date(found).ok_or("the value is not a date")?;
            Ok(relation.holds(found.cmp(expected)))
        }
        (Base::Bool, Value::Bool(expected)) => {
            Ok(parse_bool(found).ok_or("the value is not a boolean")? == *expected)
        }
        (Base::Binary, Value::Binary(expected)) => {
            Ok(decode_base64(found).ok_or("the value is not base64")? == *expected)
        }
        (Base::Address, Value::Network(network)) => {
            let found: IpAddr = found.parse().map_err(|_| "the value is not an address")?;
            Ok(network.contains(&found.to_canonical()))
        }
        _ => Err("operator and value disagree"),
    }
}

/// A decimal number of any length, compared exactly: binary floating point would make
/// neighbouring large numbers equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let is_digit = |byte: u8| byte.is_ascii_digit();
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(is_digit) {
            return None;
        }
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole, fraction })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = (self.whole.len().cmp(&other.whole.len()))
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction));
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A W3C profile date (year to fraction of a second) or seconds since the epoch. Four digits are
/// a year; a date or time without zone is in UTC.
fn parse_date(text: &str) -> Option<Timestamp> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if text.len() != 4 {
            return Timestamp::from_second(text.parse().ok()?).ok();
        }
        return start_of(text, "-01-01");
    }
    if text.len() == 7 {
        return start_of(text, "-01");
    }
    if !text.bytes().next()?.is_ascii_digit() || text.contains(['[', ' ']) {
        return None;
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let local: civil::DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}

fn start_of(text: &str, rest: &str) -> Option<Timestamp> {
    let date: civil::Date = format!("{text}{rest}").parse().ok()?;
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A CIDR block, or an address that stands for itself. IPv4 inside IPv6 becomes IPv4, so that a
/// dual-stack socket cannot change what an address is.
fn parse_network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    if let IpNet::V6(v6) = network
        && v6.prefix_len() >= 96
        && let Some(v4) = Ipv6Addr::to_ipv4_mapped(&v6.addr())
    {
        return Ipv4Net::new(v4, v6.prefix_len() - 96).ok().map(IpNet::V4);
    }
    Some(network)
}

/// Standard alphabet; padding may be missing, surplus bits must be zero.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) || body.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len());
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for symbol in body.bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits).ok()?);
            buffer &= (1 << bits) - 1;
        }
    }
    (buffer == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_compare_exactly() {
        for (left, right, expected) in [
            ("1", "1.0", Ordering::Equal),
            ("-0", "0.00", Ordering::Equal),
            ("007", "7", Ordering::Equal),
            ("9", "10", Ordering::Less),
            ("0.5", "0.25", Ordering::Greater),
            ("-2", "-10", Ordering::Greater),
            ("-1", "1", Ordering::Less),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("0.1", "0.10000000000000000001", Ordering::Less),
        ] {
            let read = |text| Decimal::parse(text).expect(text);
            assert_eq!(read(left).cmp(&read(right)), expected, "{left} and {right}");
        }
        for text in ["", "-", ".", "1.", ".5", "1e3", "0x1", " 1", "１", "1.2.3", "--1", "NaN"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn dates_have_many_forms() {
        for (text, seconds) in [
            ("1970", 0),
            ("1970-01", 0),
            ("1970-01-02", 86_400),
            ("1970-01-01T00:01Z", 60),
            ("1970-01-01T00:00:30Z", 30),
            ("1970-01-01T01:00:30+01:00", 30),
            ("1970-01-01T00:00:30", 30),
            ("0", 0),
            ("-60", -60),
            ("1609459200", 1_609_459_200),
            ("2021-01-01T00:00:00Z", 1_609_459_200),
        ] {
            assert_eq!(parse_date(text).map(Timestamp::as_second), Some(seconds), "{text}");
        }
        for text in ["", "today", "2021-13-01", "2021-02-30", "99999999999999999999", "-", "10:00"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_ne!(parse_date("2021-01-01T00:00:00.5Z"), parse_date("2021-01-01T00:00:00Z"));
    }

    #[test]
    fn base64_is_strict() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("QmluYXJ5", Some(b"Binary")),
            ("Zg==", Some(b"f")),
            ("Zg", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("//8=", Some(b"\xff\xff")),
            ("Zh==", None),
            ("Z", None),
            ("Zg=", None),
            ("Zg===", None),
            ("Z g=", None),
            ("-_8=", None),
        ] {
            assert_eq!(decode_base64(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn networks_contain_addresses() {
        for (network, address, expected) in [
            ("203.0.113.0/24", "203.0.113.9", true),
            ("203.0.113.7/24", "203.0.113.9", true),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8::5", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ] {
            let network = parse_network(network).expect(network);
            let address: IpAddr = address.parse().expect(address);
            assert_eq!(network.contains(&address.to_canonical()), expected, "{network} {address}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0", "010.0.0.1", "10.0.0.0/8/8", "host"] {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }
}
