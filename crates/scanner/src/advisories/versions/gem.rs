//! `Gem::Version` of RubyGems: numbers and words, a word being older than any number.

use std::cmp::Ordering;

use super::digits::{Digits, split_while};

#[derive(Clone, Debug)]
pub(super) struct Version<'a>(Vec<Segment<'a>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Word(&'a [u8]),
    Number(Digits<'a>),
}

const ZERO: Segment<'static> = Segment::Number(Digits::ZERO);

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let well_formed = text.as_bytes().first().is_some_and(u8::is_ascii_digit)
            && text.split(['.', '-']).all(|part| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if !well_formed {
            return None;
        }
        let mut segments = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            match first {
                b'.' => rest = after,
                // A hyphen is short for `.pre.`.
                b'-' => {
                    segments.push(Segment::Word(b"pre"));
                    rest = after;
                }
                b'0'..=b'9' => {
                    let (digits, after) = split_while(rest, |byte| byte.is_ascii_digit());
                    segments.push(Segment::Number(Digits::new(digits)));
                    rest = after;
                }
                _ => {
                    let (word, after) = split_while(rest, |byte| byte.is_ascii_alphabetic());
                    segments.push(Segment::Word(word));
                    rest = after;
                }
            }
        }
        // Zeros at the end of the release, and at the end of all, mean nothing.
        let release = segments.iter().take_while(|s| matches!(s, Segment::Number(_))).count();
        let pre = segments.split_off(release);
        let trim = |mut segments: Vec<Segment<'a>>| {
            while segments.last() == Some(&ZERO) {
                segments.pop();
            }
            segments
        };
        let mut segments = trim(segments);
        segments.extend(trim(pre));
        Some(Self(segments))
    }

    /// What is missing counts as zero.
    pub(super) fn compare(&self, other: &Version<'_>) -> Ordering {
        for position in 0..self.0.len().max(other.0.len()) {
            let left = self.0.get(position).unwrap_or(&ZERO);
            let right = other.0.get(position).unwrap_or(&ZERO);
            let ordering = left.cmp(right);
            if ordering.is_ne() {
                return ordering;
            }
        }
        Ordering::Equal
    }
}
