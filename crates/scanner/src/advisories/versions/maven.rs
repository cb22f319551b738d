//! Maven's "Version Order Specification", as its `ComparableVersion` carries it out.
//!
//! A version becomes a sequence of tokens, each with the separator before it, without what means
//! nothing at the end of each hyphenated part. Sequences are then compared like words, where the
//! end has a place among the tokens: after pre-releases and before everything else.

use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version(Vec<Token>);

/// A token with its separator, in the order that tokens have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    /// `alpha`, `beta`, `milestone`, `rc`, `snapshot`, by their place.
    PreRelease(u8),
    End,
    /// `sp`, which comes before all words that mean nothing to Maven.
    ServicePack,
    Word(String),
    HyphenNumber(Number),
    DotNumber(Number),
}

/// Digits without leading zeros, the shorter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number(usize, String);

/// A token as it is read.
struct Raw {
    hyphen: bool,
    token: Token,
}

impl Raw {
    fn new(hyphen: bool, text: &str, before_digit: bool) -> Self {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let digits = text.trim_start_matches('0');
            let number = Number(digits.len(), digits.to_owned());
            let token = if hyphen { Token::HyphenNumber(number) } else { Token::DotNumber(number) };
            return Self { hyphen, token };
        }
        let lower = text.to_lowercase();
        let token = match lower.as_str() {
            "alpha" => Token::PreRelease(0),
            "beta" => Token::PreRelease(1),
            "milestone" => Token::PreRelease(2),
            "a" if before_digit => Token::PreRelease(0),
            "b" if before_digit => Token::PreRelease(1),
            "m" if before_digit => Token::PreRelease(2),
            "rc" | "cr" => Token::PreRelease(3),
            "snapshot" => Token::PreRelease(4),
            "ga" | "final" | "release" => Token::End,
            "sp" => Token::ServicePack,
            _ => Token::Word(lower),
        };
        Self { hyphen, token }
    }

    /// Zeros and words for a release.
    fn means_nothing(&self) -> bool {
        match &self.token {
            Token::End => true,
            Token::HyphenNumber(number) | Token::DotNumber(number) => number.0 == 0,
            _ => false,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self.token, Token::HyphenNumber(_) | Token::DotNumber(_))
    }
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        Some(Self(trim(tokens(text))))
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        for position in 0..self.0.len().max(other.0.len()) {
            let left = self.0.get(position).unwrap_or(&Token::End);
            let right = other.0.get(position).unwrap_or(&Token::End);
            let ordering = left.cmp(right);
            if ordering.is_ne() {
                return ordering;
            }
        }
        Ordering::Equal
    }
}

fn tokens(text: &str) -> Vec<Raw> {
    let mut tokens = Vec::new();
    let mut hyphen = false;
    let mut start = 0;
    let mut previous: Option<char> = None;
    let push = |tokens: &mut Vec<Raw>, hyphen, text: &str, before_digit| {
        // Nothing between two separators is a zero.
        tokens.push(Raw::new(hyphen, if text.is_empty() { "0" } else { text }, before_digit));
    };
    for (position, character) in text.char_indices() {
        let token = text.get(start..position).unwrap_or_default();
        if matches!(character, '.' | '-' | '_') {
            push(&mut tokens, hyphen, token, false);
            hyphen = character != '.';
            start = position + 1;
            previous = None;
            continue;
        }
        if previous.is_some_and(|before| before.is_ascii_digit() != character.is_ascii_digit()) {
            push(&mut tokens, hyphen, token, character.is_ascii_digit());
            hyphen = true;
            start = position;
        }
        previous = Some(character);
    }
    push(&mut tokens, hyphen, text.get(start..).unwrap_or_default(), false);
    tokens
}

/// Takes away what means nothing at the end, and before every hyphen or word.
fn trim(tokens: Vec<Raw>) -> Vec<Token> {
    let mut kept: Vec<Raw> = Vec::with_capacity(tokens.len());
    for token in tokens.into_iter().rev() {
        // What was kept last stands right of this one.
        let at_end = kept.last().is_none_or(|right| right.hyphen || !right.is_number());
        if token.means_nothing() && at_end {
            // A hyphen stays where it was: what follows it is its own part.
            if let (true, Some(right)) = (token.hyphen, kept.last_mut()) {
                right.hyphen = true;
            }
            continue;
        }
        kept.push(token);
    }
    kept.into_iter().rev().map(|raw| raw.token).collect()
}
