//! rpm-version(7): `epoch:version-release`, each part compared segment by segment.

use std::cmp::Ordering;

use super::digits::{Digits, split_while};

#[derive(Clone, Debug)]
pub(super) struct Version<'a> {
    epoch: Digits<'a>,
    version: &'a [u8],
    /// None, where nothing was said of it, comes before all releases.
    release: Option<&'a [u8]>,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        // Only digits are an epoch; any other colon is a separator like all punctuation.
        let (epoch, rest) = text
            .split_once(':')
            .and_then(|(epoch, rest)| Some((Digits::parse(epoch)?, rest)))
            .unwrap_or((Digits::ZERO, text));
        if rest.is_empty() || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release.as_bytes())),
            None => (rest, None),
        };
        Some(Self { epoch, version: version.as_bytes(), release })
    }

    pub(super) fn compare(&self, other: &Version<'_>) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(self.version, other.version))
            .then_with(|| match (self.release, other.release) {
                (Some(left), Some(right)) => compare_part(left, right),
                (left, right) => left.is_some().cmp(&right.is_some()),
            })
    }
}

/// What stands at a place: a tilde sorts before the end, and a caret right after it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Caret,
    Letters(&'a [u8]),
    Number(Digits<'a>),
}

fn next(bytes: &[u8]) -> (Segment<'_>, &[u8]) {
    let separates = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'~' && byte != b'^';
    let (_, bytes) = split_while(bytes, separates);
    match bytes.split_first() {
        None => (Segment::End, bytes),
        Some((b'~', rest)) => (Segment::Tilde, rest),
        Some((b'^', rest)) => (Segment::Caret, rest),
        Some((first, _)) if first.is_ascii_digit() => {
            let (digits, rest) = split_while(bytes, |byte| byte.is_ascii_digit());
            (Segment::Number(Digits::new(digits)), rest)
        }
        Some(_) => {
            let (letters, rest) = split_while(bytes, |byte| byte.is_ascii_alphabetic());
            (Segment::Letters(letters), rest)
        }
    }
}

fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    loop {
        let (left_segment, left_rest) = next(left);
        let (right_segment, right_rest) = next(right);
        let ordering = left_segment.cmp(&right_segment);
        if ordering.is_ne() || left_segment == Segment::End {
            return ordering;
        }
        (left, right) = (left_rest, right_rest);
    }
}
