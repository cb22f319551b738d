//! AWS account ids.

use super::error::{Constraint, NameError, NameKind};

/// An AWS account id: exactly 12 digits (botocore shape `RegistryId`, `[0-9]{12}`).
///
/// A private registry's id is the id of its account. Leading zeros are part of the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
// INVARIANT: every byte is an ASCII digit.
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The pattern an account id satisfies.
    pub const PATTERN: &'static str = "[0-9]{12}";

    /// Reads an account id.
    ///
    /// # Errors
    /// When `text` is not 12 ASCII digits; the constraint is [`Self::PATTERN`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match <[u8; 12]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(NameError::new(NameKind::AccountId, text, Constraint::Pattern(Self::PATTERN))),
        }
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

super::text_conversions!(AccountId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn twelve_digits() {
        let check = |text: &str, valid: bool| {
            assert_eq!(AccountId::parse(text).is_ok(), valid, "{text:?}");
        };
        check("123456789012", true);
        check("000000000000", true);
        check("", false);
        check("12345678901", false);
        check("1234567890123", false);
        check("12345678901a", false);
        check(" 12345678901", false);
        check("１２３４", false);
        check("aws", false);
    }

    proptest! {
        #[test]
        fn what_parses_prints_back(text in "[0-9]{12}") {
            prop_assert_eq!(AccountId::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn agrees_with_the_pattern(text in "[0-9a٣]{10,14}") {
            let expected = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(AccountId::parse(&text).is_ok(), expected);
        }
    }
}
