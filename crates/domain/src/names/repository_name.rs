//! Repository names.

use std::borrow::Borrow;
use std::sync::Arc;

use super::error::{Constraint, NameError, NameKind, check_length};

/// The name of a repository, unique within a registry: path components separated by `/`.
///
/// Names are at least 2 characters long. Private registries allow 256 characters (botocore `ecr`,
/// shape `RepositoryName`), public ones 205 and no repeated separators (botocore `ecr-public`).
/// Every public name is a private name too, so one type holds both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

impl RepositoryName {
    /// The pattern of names in private registries.
    pub const PATTERN: &'static str =
        r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*";

    /// The pattern of names in public registries.
    pub const PUBLIC_PATTERN: &'static str =
        "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

    /// Longest name in a private registry, in characters.
    pub const MAXIMUM_LENGTH: usize = 256;

    /// Longest name in a public registry, in characters.
    pub const PUBLIC_MAXIMUM_LENGTH: usize = 205;

    /// Reads the name of a repository in a private registry.
    ///
    /// # Errors
    /// When `text` has not 2 to 256 characters or does not match [`Self::PATTERN`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::read(text, Self::MAXIMUM_LENGTH, Self::PATTERN, is_separator)
    }

    /// Reads the name of a repository in a public registry.
    ///
    /// # Errors
    /// When `text` has not 2 to 205 characters or does not match [`Self::PUBLIC_PATTERN`].
    pub fn parse_public(text: &str) -> Result<Self, NameError> {
        let single = |separator: &[u8]| matches!(separator, b"." | b"_" | b"-");
        Self::read(text, Self::PUBLIC_MAXIMUM_LENGTH, Self::PUBLIC_PATTERN, single)
    }

    fn read(
        text: &str,
        maximum: usize,
        pattern: &'static str,
        separator: impl Fn(&[u8]) -> bool + Copy,
    ) -> Result<Self, NameError> {
        check_length(NameKind::RepositoryName, text, 2, maximum)?;
        if !text.split('/').all(|component| is_component(component.as_bytes(), separator)) {
            let constraint = Constraint::Pattern(pattern);
            return Err(NameError::new(NameKind::RepositoryName, text, constraint));
        }
        Ok(Self(text.into()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case alphanumeric words with one accepted separator between any two of them.
fn is_component(component: &[u8], separator: impl Fn(&[u8]) -> bool) -> bool {
    let is_word = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let edges = component.first().is_some_and(is_word) && component.last().is_some_and(is_word);
    // Cutting at word characters leaves the separators, and nothing between letters of one word.
    edges && component.split(is_word).filter(|between| !between.is_empty()).all(separator)
}

fn is_separator(between: &[u8]) -> bool {
    matches!(between, b"." | b"_" | b"__") || between.iter().all(|byte| *byte == b'-')
}

super::text_conversions!(RepositoryName);

impl Borrow<str> for RepositoryName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn private_and_public_names() {
        let check = |text: &str, private: bool, public: bool| {
            assert_eq!(RepositoryName::parse(text).is_ok(), private, "private {text:?}");
            assert_eq!(RepositoryName::parse_public(text).is_ok(), public, "public {text:?}");
        };
        check("app", true, true);
        check("ab", true, true);
        check("1a", true, true);
        check("team/app", true, true);
        check("a/b/c/d/e", true, true);
        check("a.b_c-d/e.f", true, true);
        check("a__b", true, false);
        check("a--b", true, false);
        check("a-----b", true, false);
        check("a", false, false);
        check("", false, false);
        check("a___b", false, false);
        check("a..b", false, false);
        check("a._b", false, false);
        check("a-_b", false, false);
        check("a.-b", false, false);
        check(".a", false, false);
        check("a.", false, false);
        check("-ab", false, false);
        check("ab-", false, false);
        check("_ab", false, false);
        check("/ab", false, false);
        check("ab/", false, false);
        check("a//b", false, false);
        check("a/-/b", false, false);
        check("a/../b", false, false);
        check("Team/app", false, false);
        check("team/app:1", false, false);
        check("team app", false, false);
        check("caf\u{e9}", false, false);
        check("ab\n", false, false);
        check("ab\0", false, false);
        check(&"a".repeat(205), true, true);
        check(&"a".repeat(206), true, false);
        check(&"a".repeat(256), true, false);
        check(&"a".repeat(257), false, false);
    }

    #[test]
    fn errors_carry_the_rule() {
        let check = |text: &str, expected: Constraint| {
            assert_eq!(RepositoryName::parse(text).unwrap_err().constraint(), expected, "{text:?}");
        };
        check("A", Constraint::MinimumLength(2));
        check("AB", Constraint::Pattern(RepositoryName::PATTERN));
        check(&"a".repeat(257), Constraint::MaximumLength(256));
        // Characters are counted, not bytes.
        check(&"é".repeat(256), Constraint::Pattern(RepositoryName::PATTERN));
    }

    proptest! {
        #[test]
        fn what_matches_prints_back(
            text in r"[a-z0-9]{2,4}((\.|_|__|-+)[a-z0-9]{1,3}){0,3}(/[a-z0-9]{1,3}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}){0,3}"
        ) {
            prop_assume!(text.len() <= 256);
            let name = RepositoryName::parse(&text).unwrap();
            prop_assert_eq!(name.as_str(), &text);
        }

        #[test]
        fn public_names_are_private_names(text in "[a-z0-9._/-]{0,12}") {
            if RepositoryName::parse_public(&text).is_ok() {
                prop_assert!(RepositoryName::parse(&text).is_ok());
            }
        }

        #[test]
        fn agrees_with_a_second_reading_of_the_pattern(text in "[a._/-]{2,8}") {
            prop_assert_eq!(RepositoryName::parse(&text).is_ok(), by_erasing(&text));
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = RepositoryName::parse(&text);
        }
    }

    /// Rewrites every legal separator between words to nothing; legal names leave only words.
    fn by_erasing(text: &str) -> bool {
        text.split('/').all(|component| {
            let mut rest = component;
            loop {
                let word = rest.trim_start_matches('a');
                if word.len() == rest.len() {
                    return false;
                }
                if word.is_empty() {
                    return true;
                }
                let dashes = word.trim_start_matches('-');
                rest = if dashes.len() < word.len() {
                    dashes
                } else if let Some(after) =
                    word.strip_prefix("__").or_else(|| word.strip_prefix('_'))
                {
                    after
                } else if let Some(after) = word.strip_prefix('.') {
                    after
                } else {
                    return false;
                };
            }
        })
    }
}
