//! How a secret is named: by its name, its ARN, or its ARN without the random end.

use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};
use crate::names::{AccountId, Arn, Partition, Region};

/// Longest name in characters (botocore `secretsmanager`, shape `NameType`).
const NAME_MAX: usize = 512;
/// What stands for the random end of an ARN that is not known: policies that cover every such end
/// cover this too.
const ANY_END: &str = "-??????";
/// Characters of the random end.
const END_LENGTH: usize = 6;

/// The name of a secret: 1 to 512 ASCII letters, digits and `/_+=.@-`.
///
/// Source: AWS Secrets Manager API reference, `CreateSecret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretName(String);

impl SecretName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`ErrorKind::NameInvalid`].
    pub fn parse(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(allowed) {
            return Err(Error::new(
                ErrorKind::NameInvalid,
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of \
                 the following: -/_+=.@",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What names a secret, whether there is one or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretId {
    account: AccountId,
    region: Region,
    named: Named,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Name(SecretName),
    /// The ARN as it was given, and what of it follows `secret:`.
    Arn(Arn, String),
}

impl SecretId {
    /// The secret of this name.
    pub fn of_name(account: AccountId, region: Region, name: SecretName) -> Self {
        Self { account, region, named: Named::Name(name) }
    }

    /// Reads a name or an ARN; a name is one of the given account and region. The end of an ARN may
    /// be left out.
    ///
    /// # Errors
    /// [`ErrorKind::NameInvalid`] for what is neither; `InvalidParameter` for an ARN of something
    /// else.
    pub fn parse(text: &str, account: &AccountId, region: &Region) -> Result<Self> {
        if !text.starts_with("arn:") {
            return Ok(Self::of_name(*account, region.clone(), SecretName::parse(text)?));
        }
        Self::parse_arn(text)
    }

    /// Reads an ARN, whole or without its end.
    ///
    /// # Errors
    /// As [`SecretId::parse`].
    pub fn parse_arn(text: &str) -> Result<Self> {
        let invalid = || {
            let message = "Invalid ARN: a secret's is arn:{partition}:secretsmanager:{region}:\
                           {account}:secret:{name}-{6 random characters}.";
            Error::new(ErrorKind::InvalidParameter, message)
        };
        let arn = Arn::parse(text).map_err(|_| invalid())?;
        let region = Region::parse(arn.region()).map_err(|_| invalid())?;
        let account = AccountId::parse(arn.account()).map_err(|_| invalid())?;
        let rest = arn.resource().strip_prefix("secret:").unwrap_or_default().to_owned();
        let is_secret = arn.service() == "secretsmanager"
            && arn.partition() == Partition::of(&region).as_str()
            && !rest.is_empty();
        if !is_secret {
            return Err(invalid());
        }
        Ok(Self { account, region, named: Named::Arn(arn, rest) })
    }

    /// The account that has it.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The region that it is in.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The ARN to be looked for first, if one was given.
    pub(super) fn arn(&self) -> Option<&str> {
        match &self.named {
            Named::Name(_) => None,
            Named::Arn(arn, _) => Some(arn.as_str()),
        }
    }

    /// The name to be looked for.
    pub(super) fn name(&self) -> &str {
        match &self.named {
            Named::Name(name) => name.as_str(),
            Named::Arn(_, rest) => rest,
        }
    }

    /// The name or the ARN as it was given.
    pub fn given(&self) -> &str {
        self.arn().unwrap_or(self.name())
    }

    /// The ARN as policies match it while it is not known whether there is such a secret.
    pub(crate) fn pattern(&self) -> String {
        match &self.named {
            Named::Arn(arn, rest) if has_end(rest) => arn.as_str().to_owned(),
            Named::Arn(arn, _) => format!("{arn}{ANY_END}"),
            Named::Name(name) => arn_of(&self.account, &self.region, name.as_str(), ANY_END),
        }
    }
}

fn has_end(rest: &str) -> bool {
    rest.rsplit_once('-').is_some_and(|(name, end)| {
        !name.is_empty()
            && end.len() == END_LENGTH
            && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn arn_of(account: &AccountId, region: &Region, name: &str, end: &str) -> String {
    let partition = Partition::of(region);
    format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}{end}")
}

/// An ARN for a new secret.
///
/// # Errors
/// Only when the system has no randomness to give.
pub(super) fn new_arn(account: &AccountId, region: &Region, name: &SecretName) -> Result<String> {
    let symbols = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let bytes: [u8; END_LENGTH] = random()?;
    let mut end = String::from("-");
    for byte in bytes {
        let symbol = symbols.get(usize::from(byte) % symbols.len()).copied().unwrap_or(b'A');
        end.push(char::from(symbol));
    }
    Ok(arn_of(account, region, name.as_str(), &end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PREFIX: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";

    fn here() -> (AccountId, Region) {
        (AccountId::parse("123456789012").unwrap(), Region::parse("us-east-1").unwrap())
    }

    #[test]
    fn names() {
        let check = |text: &str, valid: bool| {
            assert_eq!(SecretName::parse(text).is_ok(), valid, "{text:?}");
        };
        check("a", true);
        check("ecr-pullthroughcache/docker-hub", true);
        check("A9/_+=.@-", true);
        check(&"x".repeat(512), true);
        check(&"x".repeat(513), false);
        check("", false);
        check("a b", false);
        check("a!b", false);
        check("a:b", false);
        check("é", false);
        check("a\n", false);
    }

    #[test]
    fn what_policies_match() {
        let (account, region) = here();
        let check = |text: &str, expected: Option<&str>| {
            let id = SecretId::parse(text, &account, &region).ok();
            let expected = expected.map(|rest| format!("{PREFIX}{rest}"));
            assert_eq!(id.map(|id| id.pattern()), expected, "{text:?}");
        };
        check("app", Some("app-??????"));
        check("app-AbCd12", Some("app-AbCd12-??????"));
        check(&format!("{PREFIX}app"), Some("app-??????"));
        check(&format!("{PREFIX}app-AbCd12"), Some("app-AbCd12"));
        check(&format!("{PREFIX}-AbCd12"), Some("-AbCd12-??????"));
        check(&format!("{PREFIX}app-AbCd1"), Some("app-AbCd1-??????"));
        check(&format!("{PREFIX}app-AbC/12"), Some("app-AbC/12-??????"));
        check(PREFIX, None);
        check("arn:aws:secretsmanager:us-east-1:123456789012:app", None);
        check("arn:aws:secretsmanager::123456789012:secret:app", None);
        check("arn:aws:secretsmanager:us-east-1::secret:app", None);
        check("arn:aws-cn:secretsmanager:us-east-1:123456789012:secret:app", None);
        check("arn:aws:s3:us-east-1:123456789012:secret:app", None);
        check("arn:", None);
        check("a b", None);
    }

    #[test]
    fn another_account_and_region_come_from_the_arn() {
        let (account, region) = here();
        let text = "arn:aws-cn:secretsmanager:cn-north-1:000000000001:secret:app-AbCd12";
        let id = SecretId::parse(text, &account, &region).unwrap();
        assert_eq!(id.account().as_str(), "000000000001");
        assert_eq!(id.region().as_str(), "cn-north-1");
        assert_eq!(id.pattern(), text);
    }

    #[test]
    fn new_arns_have_an_end() {
        let (account, region) = here();
        let name = SecretName::parse("a/b").unwrap();
        let made = new_arn(&account, &region, &name).unwrap();
        let rest = made.strip_prefix(PREFIX).unwrap();
        assert!(rest.starts_with("a/b-") && has_end(rest), "{rest}");
        assert_eq!(SecretId::parse(&made, &account, &region).unwrap().pattern(), made);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(arn:aws:secretsmanager:us-east-1:123456789012:secret:)?[ -~é]{0,30}") {
            let (account, region) = here();
            if let Ok(id) = SecretId::parse(&text, &account, &region) {
                prop_assert!(id.pattern().contains(":secret:"));
            }
        }
    }
}
