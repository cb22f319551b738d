//! Image tags.

use std::borrow::Borrow;
use std::sync::Arc;

use super::error::{Constraint, NameError, NameKind, check_length};

/// An image tag: 1 to 128 characters, case kept (OCI distribution specification 1.1, "Pulling
/// manifests").
///
/// The ECR API's shape `ImageTag` allows 300 characters of anything; a tag that no client could
/// ever pull is refused all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The pattern a tag satisfies.
    pub const PATTERN: &'static str = "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";

    /// Longest tag, in characters.
    pub const MAXIMUM_LENGTH: usize = 128;

    /// Reads a tag.
    ///
    /// # Errors
    /// When `text` has not 1 to 128 characters or does not match [`Self::PATTERN`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(NameKind::Tag, text, 1, Self::MAXIMUM_LENGTH)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if text.starts_with(['.', '-']) || !text.bytes().all(allowed) {
            return Err(NameError::new(NameKind::Tag, text, Constraint::Pattern(Self::PATTERN)));
        }
        Ok(Self(text.into()))
    }

    /// The tag as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

super::text_conversions!(Tag);

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn oci_syntax() {
        let check = |text: &str, valid: bool| {
            assert_eq!(Tag::parse(text).is_ok(), valid, "{text:?}");
        };
        check("latest", true);
        check("1", true);
        check("_", true);
        check("v1.2.3-rc.1_build", true);
        check("Latest", true);
        check("a..b", true);
        check("a-", true);
        check(&"t".repeat(128), true);
        check("", false);
        check(".a", false);
        check("-a", false);
        check("a:b", false);
        check("a/b", false);
        check("a b", false);
        check("a+b", false);
        check("a@b", false);
        check("a\n", false);
        check("\u{e9}", false);
        check(&"t".repeat(129), false);
    }

    #[test]
    fn case_is_kept() {
        let upper = Tag::parse("V1").unwrap();
        assert_eq!(upper.as_str(), "V1");
        assert_ne!(upper, Tag::parse("v1").unwrap());
    }

    proptest! {
        #[test]
        fn what_matches_prints_back(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            prop_assert_eq!(Tag::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn foreign_characters_are_refused(text in "[a-z]{0,5}[^a-zA-Z0-9._-][a-z]{0,5}") {
            prop_assert!(Tag::parse(&text).is_err());
        }
    }
}
