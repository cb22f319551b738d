//! Semantic Versioning 2.0.0, and the two ecosystems that depart from it a little: Go and NuGet.
//!
//! More is accepted than the specification allows, as the tools do: a leading `v`, missing parts,
//! a fourth part, leading zeros, and a pre-release without its hyphen (`1.0.0rc1`).

use std::cmp::Ordering;

use super::digits::{Digits, split_while};

/// Parts of the core; NuGet has four.
const PARTS: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Version<'a> {
    core: [Digits<'a>; PARTS],
    /// Empty for a release.
    pre_release: &'a str,
    /// Whether `rc1` stands for `rc.1`.
    splits_letters: bool,
    ignores_case: bool,
}

/// An identifier of a pre-release: numbers come before words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(Digits<'a>),
    Word(&'a [u8]),
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V', '=']).unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(before, _)| before);
        let (core, pre_release) =
            text.split_at(text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count());
        let pre_release = pre_release.strip_prefix('-').unwrap_or(pre_release);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if !pre_release.bytes().all(allowed) {
            return None;
        }
        let mut parts = [Digits::ZERO; PARTS];
        for (place, part) in core.split('.').enumerate() {
            *parts.get_mut(place)? = Digits::parse(part)?;
        }
        Some(Self { core: parts, pre_release, splits_letters: false, ignores_case: false })
    }

    /// Go's modules are at `v1.2.3`, its toolchain at `go1.22rc1`, to which a vendor may add
    /// something of its own after a blank or a hyphen (`go1.21.3-vendor.1`, `go1.22.1 X:boring`).
    pub(super) fn parse_go(text: &'a str) -> Option<Self> {
        let Some(toolchain) = text.strip_prefix("go") else {
            let mut version = Self::parse(text)?;
            // `1.22rc1` is the toolchain's way; modules always have three parts and a hyphen.
            version.splits_letters = !version.pre_release.is_empty() && !text.contains('-');
            return Some(version);
        };
        let end = toolchain.find([' ', '-', '+']).unwrap_or(toolchain.len());
        let version = Self::parse(toolchain.get(..end)?)?;
        Some(Self { splits_letters: true, ..version })
    }

    pub(super) fn parse_nuget(text: &'a str) -> Option<Self> {
        Some(Self { ignores_case: true, ..Self::parse(text)? })
    }

    fn identifiers(&self) -> impl Iterator<Item = Identifier<'a>> {
        let splits_letters = self.splits_letters;
        self.pre_release
            .split('.')
            .flat_map(move |text| {
                let (letters, digits) = split_while(text.as_bytes(), |b| b.is_ascii_alphabetic());
                let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                match (letters.is_empty(), is_number) {
                    (true, true) => [Some(Identifier::Number(Digits::new(digits))), None],
                    (false, true) if splits_letters => [
                        Some(Identifier::Word(letters)),
                        Some(Identifier::Number(Digits::new(digits))),
                    ],
                    _ => [Some(Identifier::Word(text.as_bytes())), None],
                }
            })
            .flatten()
    }

    pub(super) fn compare(&self, other: &Version<'_>) -> Ordering {
        let fold = self.ignores_case || other.ignores_case;
        self.core.cmp(&other.core).then_with(|| {
            match (self.pre_release.is_empty(), other.pre_release.is_empty()) {
                (false, false) => {
                    let (mut left, mut right) = (self.identifiers(), other.identifiers());
                    loop {
                        let ordering = match (left.next(), right.next()) {
                            (None, None) => return Ordering::Equal,
                            (left, right) => compare_identifiers(left, right, fold),
                        };
                        if ordering.is_ne() {
                            return ordering;
                        }
                    }
                }
                (left_is_release, right_is_release) => left_is_release.cmp(&right_is_release),
            }
        })
    }
}

/// Fewer identifiers come before more.
fn compare_identifiers(
    left: Option<Identifier<'_>>,
    right: Option<Identifier<'_>>,
    ignores_case: bool,
) -> Ordering {
    match (left, right) {
        (Some(Identifier::Word(left)), Some(Identifier::Word(right))) if ignores_case => {
            let lower = |word: &u8| word.to_ascii_lowercase();
            left.iter().map(lower).cmp(right.iter().map(lower))
        }
        (left, right) => left.cmp(&right),
    }
}
