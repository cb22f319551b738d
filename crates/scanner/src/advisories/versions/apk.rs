//! The order of apk-tools 3:
//! `number{.number}{letter}{_suffix{number}}{~hash}{-rnumber}`.

use std::cmp::Ordering;

use super::digits::{Digits, split_while};

/// A version that has been seen to follow the grammar.
#[derive(Clone, Debug)]
pub(super) struct Version<'a>(&'a [u8]);

/// In the order of apk-tools: those before the empty name come before a release.
const SUFFIXES: [&[u8]; 10] =
    [b"alpha", b"beta", b"pre", b"rc", b"", b"cvs", b"svn", b"git", b"hg", b"p"];
const RELEASE: usize = 4;

/// One part of a version. At the same place, the order of the variants is that of versions: what
/// is followed by `_rc` is older than what ends there, and that is older than what goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    PreSuffix(usize),
    End,
    Revision(Digits<'a>),
    Hash(&'a [u8]),
    SuffixNumber(Digits<'a>),
    PostSuffix(usize),
    Letter(u8),
    Number(Number<'a>),
}

/// A number after a dot. With a leading zero it is a decimal fraction, and as such before all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Number<'a> {
    Fraction(&'a [u8]),
    Whole(Digits<'a>),
}

/// How far the grammar has got.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Start,
    Number,
    Letter,
    Suffix,
    SuffixNumber,
    Hash,
    Revision,
}

fn next(bytes: &[u8], stage: Stage) -> Option<(Token<'_>, Stage, &[u8])> {
    let Some((first, rest)) = bytes.split_first() else {
        return (stage != Stage::Start).then_some((Token::End, stage, bytes));
    };
    let number = |bytes| {
        let (digits, rest) = split_while(bytes, |byte| byte.is_ascii_digit());
        (!digits.is_empty()).then_some((digits, rest))
    };
    Some(match first {
        b'0'..=b'9' if stage == Stage::Start => {
            let (digits, rest) = number(bytes)?;
            (Token::Number(Number::Whole(Digits::new(digits))), Stage::Number, rest)
        }
        // After a letter, too: apk-tools 2 took it, and so old releases have `1.8.31p1-r0`.
        b'0'..=b'9' if matches!(stage, Stage::Letter | Stage::Suffix) => {
            let (digits, rest) = number(bytes)?;
            (Token::SuffixNumber(Digits::new(digits)), Stage::SuffixNumber, rest)
        }
        b'.' if stage == Stage::Number => {
            let (digits, rest) = number(rest)?;
            let value = match digits.first() {
                Some(b'0') => Number::Fraction(digits),
                _ => Number::Whole(Digits::new(digits)),
            };
            (Token::Number(value), Stage::Number, rest)
        }
        b'a'..=b'z' if stage == Stage::Number => (Token::Letter(*first), Stage::Letter, rest),
        b'_' if (Stage::Number..=Stage::SuffixNumber).contains(&stage) => {
            let (name, rest) = split_while(rest, |byte| byte.is_ascii_lowercase());
            let place = SUFFIXES.iter().position(|suffix| *suffix == name)?;
            let token = match place.cmp(&RELEASE) {
                Ordering::Less => Token::PreSuffix(place),
                Ordering::Equal => return None,
                Ordering::Greater => Token::PostSuffix(place),
            };
            (token, Stage::Suffix, rest)
        }
        b'~' if (Stage::Number..Stage::Hash).contains(&stage) => {
            let is_hash = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            let (hash, rest) = split_while(rest, is_hash);
            if hash.is_empty() {
                return None;
            }
            (Token::Hash(hash), Stage::Hash, rest)
        }
        b'-' if (Stage::Number..Stage::Revision).contains(&stage) => {
            let (digits, rest) = number(rest.strip_prefix(b"r")?)?;
            (Token::Revision(Digits::new(digits)), Stage::Revision, rest)
        }
        _ => return None,
    })
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let mut stage = Stage::Start;
        loop {
            let (token, next_stage, next_rest) = next(rest, stage)?;
            if token == Token::End {
                return Some(Self(text.as_bytes()));
            }
            (stage, rest) = (next_stage, next_rest);
        }
    }

    pub(super) fn compare(&self, other: &Version<'_>) -> Ordering {
        let (mut left, mut left_stage) = (self.0, Stage::Start);
        let (mut right, mut right_stage) = (other.0, Stage::Start);
        loop {
            // Both were read to their ends before, so neither fails.
            let left_next = next(left, left_stage);
            let right_next = next(right, right_stage);
            let (Some(left_next), Some(right_next)) = (left_next, right_next) else {
                return Ordering::Equal;
            };
            let ordering = left_next.0.cmp(&right_next.0);
            if ordering.is_ne() || left_next.0 == Token::End {
                return ordering;
            }
            (left_stage, left) = (left_next.1, left_next.2);
            (right_stage, right) = (right_next.1, right_next.2);
        }
    }
}
