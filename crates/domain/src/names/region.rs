//! Regions.

use std::sync::Arc;

use super::error::{Constraint, NameError, NameKind, check_length};

/// A region: one of AWS's, or any name of the deployment's own.
///
/// 1 to 63 characters, so that it fits a label of a host name. This is wider than botocore's shape
/// `Region` (`[0-9a-z-]{2,25}`), because a deployment may name its regions as it likes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// The pattern a region satisfies.
    pub const PATTERN: &'static str = "[a-z0-9][a-z0-9-]{0,62}";

    /// Reads a region.
    ///
    /// # Errors
    /// When `text` has not 1 to 63 characters or does not match [`Self::PATTERN`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(NameKind::Region, text, 1, 63)?;
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if text.starts_with('-') || !text.bytes().all(allowed) {
            return Err(NameError::new(NameKind::Region, text, Constraint::Pattern(Self::PATTERN)));
        }
        Ok(Self(text.into()))
    }

    /// Where what has no region is: the public registry of an account (an ARN of `ecr-public` has an
    /// empty region). No request names it; [`Region::parse`] refuses it.
    pub fn global() -> Self {
        Self("".into())
    }

    /// Whether this is [`Region::global`].
    pub fn is_global(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a region back that was stored, or stands in an ARN or a token of ours.
    ///
    /// # Errors
    /// As [`Region::parse`]; no text is the global region.
    pub fn parse_stored(text: &str) -> Result<Self, NameError> {
        if text.is_empty() { Ok(Self::global()) } else { Self::parse(text) }
    }

    /// The region as it was given; nothing for the global one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

super::text_conversions!(Region);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn label_syntax() {
        let check = |text: &str, valid: bool| {
            assert_eq!(Region::parse(text).is_ok(), valid, "{text:?}");
        };
        check("us-east-1", true);
        check("ap-southeast-7", true);
        check("us-gov-west-1", true);
        check("local", true);
        check("1", true);
        check(&"r".repeat(63), true);
        check("", false);
        check(&"r".repeat(64), false);
        check("-east", false);
        check("US-EAST-1", false);
        check("us_east_1", false);
        check("us.east", false);
        check("us-east-1 ", false);
        check("us/east", false);
        check("*", false);
    }

    #[test]
    fn the_error_carries_the_rule() {
        assert_eq!(
            Region::parse("A").unwrap_err().constraint(),
            Constraint::Pattern("[a-z0-9][a-z0-9-]{0,62}")
        );
        assert_eq!(Region::parse("").unwrap_err().constraint(), Constraint::MinimumLength(1));
    }

    proptest! {
        #[test]
        fn what_matches_prints_back(text in "[a-z0-9][a-z0-9-]{0,62}") {
            prop_assert_eq!(Region::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn foreign_characters_are_refused(text in "[a-z]{1,5}[^a-z0-9-][a-z]{0,5}") {
            prop_assert!(Region::parse(&text).is_err());
        }
    }
}
