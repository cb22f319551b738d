//! Composer: a version is normalised to four numbers and a stability, and then compared as PHP's
//! `version_compare` does. What Composer would not normalise is left to `version_compare` alone.

use std::cmp::Ordering;

/// Numbers that Composer fills a version up to.
const NUMBERS: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Version(Vec<Part>);

/// A part, in the order that `version_compare` has for them. A number stands where `#` does in
/// PHP's table; the end does too, but is older than any number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Unknown,
    Dev,
    Alpha,
    Beta,
    Candidate,
    End,
    Number(usize, String),
    Patch,
}

impl Part {
    fn word(text: &str) -> Option<Self> {
        // PHP looks whether the word begins with one of its own.
        let begins = |name: &str| text.starts_with(name);
        Some(match () {
            () if text == "stable" => return None,
            () if begins("dev") => Self::Dev,
            () if begins("a") => Self::Alpha,
            () if begins("b") => Self::Beta,
            () if begins("rc") => Self::Candidate,
            () if begins("p") => Self::Patch,
            () => Self::Unknown,
        })
    }

    fn number(digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        Self::Number(digits.len(), digits.to_owned())
    }
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(before, _)| before).to_ascii_lowercase();
        let mut parts = Vec::new();
        let numbers = leading_numbers(&text);
        for number in numbers.split('.').filter(|number| !number.is_empty()) {
            parts.push(Part::number(number));
        }
        while !parts.is_empty() && parts.len() < NUMBERS {
            parts.push(Part::number(""));
        }
        let rest = text.get(numbers.len()..).unwrap_or_default();
        let mut start = 0;
        let mut kind = None;
        for (position, character) in rest.char_indices().chain([(rest.len(), '.')]) {
            let next = match character {
                '.' | '-' | '_' => None,
                digit => Some(digit.is_ascii_digit()),
            };
            if next != kind {
                let part = rest.get(start..position).unwrap_or_default();
                match kind {
                    Some(true) => parts.push(Part::number(part)),
                    Some(false) => parts.extend(Part::word(part)),
                    None => {}
                }
                start = position;
                kind = next;
            }
            if next.is_none() {
                start = position + 1;
            }
        }
        (!parts.is_empty()).then_some(Self(parts))
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        for position in 0..self.0.len().max(other.0.len()) {
            let left = self.0.get(position).unwrap_or(&Part::End);
            let right = other.0.get(position).unwrap_or(&Part::End);
            let ordering = left.cmp(right);
            if ordering.is_ne() {
                return ordering;
            }
        }
        Ordering::Equal
    }
}

/// The numbers with dots between them that a version begins with.
fn leading_numbers(text: &str) -> &str {
    let end = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let numbers = text.get(..end).unwrap_or_default();
    numbers.strip_suffix('.').unwrap_or(numbers)
}
