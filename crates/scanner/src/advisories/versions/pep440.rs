//! PEP 440, with everything its appendix normalises: case, separators, `v`, spellings.

use std::cmp::Ordering;

use super::digits::{Digits, split_while};

#[derive(Clone, Debug)]
pub(super) struct Version<'a> {
    epoch: Digits<'a>,
    /// Without trailing zeros.
    release: Vec<Digits<'a>>,
    pre: Pre<'a>,
    post: Option<Digits<'a>>,
    dev: Dev<'a>,
    local: Vec<Local>,
}

/// A development release of a release comes before its pre-releases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pre<'a> {
    OnlyDev,
    Some(Letter, Digits<'a>),
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Letter {
    Alpha,
    Beta,
    Candidate,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dev<'a> {
    Some(Digits<'a>),
    None,
}

/// A part of a local version. Numbers are kept by length first, as they may be of any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Local {
    Word(Vec<u8>),
    Number(usize, Vec<u8>),
}

/// What is left of the text.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn digits(&mut self) -> Option<Digits<'a>> {
        let (digits, rest) = split_while(self.0, |byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return None;
        }
        self.0 = rest;
        Some(Digits::new(digits))
    }

    fn separator(&mut self) {
        if let Some((b'-' | b'_' | b'.', rest)) = self.0.split_first() {
            self.0 = rest;
        }
    }

    /// One of several words, the longer before those it starts with, then perhaps a number.
    /// Nothing is taken if none is there.
    fn word<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<(T, Digits<'a>)> {
        let mut ahead = Rest(self.0);
        ahead.separator();
        for (word, meaning) in words {
            let Some((head, rest)) = ahead.0.split_at_checked(word.len()) else { continue };
            if head.eq_ignore_ascii_case(word.as_bytes()) {
                let mut after = Rest(rest);
                after.separator();
                let number = after.digits().unwrap_or(Digits::ZERO);
                self.0 = after.0;
                return Some((*meaning, number));
            }
        }
        None
    }
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (public, local) = match text.split_once('+') {
            Some((public, local)) => (public, Some(local)),
            None => (text, None),
        };
        let (epoch, public) = match public.split_once('!') {
            Some((epoch, public)) => (Digits::parse(epoch)?, public),
            None => (Digits::ZERO, public),
        };
        let mut rest = Rest(public.as_bytes());
        let mut release = vec![rest.digits()?];
        while let Some((b'.', after)) = rest.0.split_first() {
            let mut after = Rest(after);
            let Some(number) = after.digits() else { break };
            release.push(number);
            rest = after;
        }
        while release.last().is_some_and(|number| number.is_zero()) {
            release.pop();
        }
        let pre = rest.word(&[
            ("alpha", Letter::Alpha),
            ("a", Letter::Alpha),
            ("beta", Letter::Beta),
            ("b", Letter::Beta),
            ("preview", Letter::Candidate),
            ("pre", Letter::Candidate),
            ("rc", Letter::Candidate),
            ("c", Letter::Candidate),
        ]);
        let post = implicit_post(&mut rest).or_else(|| {
            rest.word(&[("post", ()), ("rev", ()), ("r", ())]).map(|((), number)| number)
        });
        let dev = rest.word(&[("dev", ())]).map(|((), number)| number);
        if !rest.0.is_empty() {
            return None;
        }
        let local = match local {
            Some(local) => local.split(['-', '_', '.']).map(local_part).collect::<Option<_>>()?,
            None => Vec::new(),
        };
        let pre = match (pre, post, dev) {
            (Some((letter, number)), _, _) => Pre::Some(letter, number),
            (None, None, Some(_)) => Pre::OnlyDev,
            (None, _, _) => Pre::None,
        };
        let dev = dev.map_or(Dev::None, Dev::Some);
        Some(Self { epoch, release, pre, post, dev, local })
    }

    pub(super) fn compare(&self, other: &Version<'_>) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| self.release.cmp(&other.release))
            .then_with(|| self.pre.cmp(&other.pre))
            .then_with(|| self.post.cmp(&other.post))
            .then_with(|| self.dev.cmp(&other.dev))
            .then_with(|| self.local.cmp(&other.local))
    }
}

/// `1.0-1` is `1.0.post1`.
fn implicit_post<'a>(rest: &mut Rest<'a>) -> Option<Digits<'a>> {
    let mut after = Rest(rest.0.strip_prefix(b"-")?);
    let number = after.digits()?;
    *rest = after;
    Some(number)
}

fn local_part(text: &str) -> Option<Local> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = text.trim_start_matches('0');
        return Some(Local::Number(digits.len(), digits.into()));
    }
    Some(Local::Word(text.to_ascii_lowercase().into()))
}
