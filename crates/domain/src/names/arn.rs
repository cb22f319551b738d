//! Amazon resource names.

use std::sync::Arc;

use super::account_id::AccountId;
use super::error::{Constraint, NameError, NameKind, check_length};
use super::partition::Partition;
use super::region::Region;
use super::repository_name::RepositoryName;

/// A concrete Amazon resource name, `arn:partition:service:region:account:resource`.
///
/// Region and account may be empty (IAM and ECR Public have no region); the resource may contain
/// colons and slashes. At most 2,048 characters (botocore `iam`, shape `arnType`). Patterns with
/// wildcards belong to policies and are not this type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
// INVARIANT: begins with `arn:` and has at least five colons.
pub struct Arn(Arc<str>);

impl Arn {
    /// Longest resource name, in characters.
    pub const MAXIMUM_LENGTH: usize = 2048;

    /// What every refused text failed to be, in the words of the ECR API.
    const RULE: &'static str = "Invalid ARN";

    /// Reads a resource name.
    ///
    /// # Errors
    /// When one of the six fields is missing, partition, service or resource is empty, a field has
    /// characters it cannot have, or the text is longer than [`Self::MAXIMUM_LENGTH`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(NameKind::Arn, text, 0, Self::MAXIMUM_LENGTH)?;
        let lower = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let mut fields = text.splitn(6, ':');
        let mut next = || fields.next().unwrap_or_default();
        let well_formed = next() == "arn"
            && is_field(next(), lower, true)
            && is_field(next(), lower, true)
            && is_field(next(), lower, false)
            && is_field(next(), lower, false)
            && {
                let resource = next();
                !resource.is_empty() && !resource.chars().any(char::is_control)
            };
        if !well_formed {
            return Err(NameError::new(NameKind::Arn, text, Constraint::Rule(Self::RULE)));
        }
        Ok(Self(text.into()))
    }

    /// A private repository: `arn:{partition}:ecr:{region}:{account}:repository/{name}`; without a
    /// region, a public one.
    pub fn repository(
        partition: Partition,
        region: &Region,
        account: &AccountId,
        name: &RepositoryName,
    ) -> Self {
        if region.is_global() {
            return Self::public_repository(partition, account, name);
        }
        Self(format!("arn:{partition}:ecr:{region}:{account}:repository/{name}").into())
    }

    /// A public repository, which has no region:
    /// `arn:{partition}:ecr-public::{account}:repository/{name}`.
    pub fn public_repository(
        partition: Partition,
        account: &AccountId,
        name: &RepositoryName,
    ) -> Self {
        Self(format!("arn:{partition}:ecr-public::{account}:repository/{name}").into())
    }

    /// The root of an account: `arn:{partition}:iam::{account}:root`.
    pub fn account_root(partition: Partition, account: &AccountId) -> Self {
        Self(format!("arn:{partition}:iam::{account}:root").into())
    }

    /// The resource name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition, for instance `aws`; not necessarily one [`Partition`] knows.
    pub fn partition(&self) -> &str {
        self.field(1)
    }

    /// The service, for instance `ecr`.
    pub fn service(&self) -> &str {
        self.field(2)
    }

    /// The region, possibly empty.
    pub fn region(&self) -> &str {
        self.field(3)
    }

    /// The account, possibly empty, possibly not a number (`arn:aws:iam::aws:policy/…`).
    pub fn account(&self) -> &str {
        self.field(4)
    }

    /// Everything after the fifth colon.
    pub fn resource(&self) -> &str {
        self.field(5)
    }

    /// The repository's name, when this names a private or public repository.
    pub fn repository_name(&self) -> Option<RepositoryName> {
        let name = self.resource().strip_prefix("repository/")?;
        match self.service() {
            "ecr" => RepositoryName::parse(name).ok(),
            "ecr-public" => RepositoryName::parse_public(name).ok(),
            _ => None,
        }
    }

    fn field(&self, index: usize) -> &str {
        self.0.splitn(6, ':').nth(index).unwrap_or_default()
    }
}

fn is_field(field: &str, allowed: impl Fn(u8) -> bool, required: bool) -> bool {
    (!required || !field.is_empty()) && field.bytes().all(allowed)
}

super::text_conversions!(Arn);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn six_fields() {
        let check = |text: &str, expected: Option<[&str; 5]>| {
            let read = Arn::parse(text).ok();
            let fields = read.as_ref().map(|arn| {
                [arn.partition(), arn.service(), arn.region(), arn.account(), arn.resource()]
            });
            assert_eq!(fields, expected, "{text:?}");
        };
        check(
            "arn:aws:ecr:us-east-1:123456789012:repository/team/app",
            Some(["aws", "ecr", "us-east-1", "123456789012", "repository/team/app"]),
        );
        check("arn:aws:iam::123456789012:root", Some(["aws", "iam", "", "123456789012", "root"]));
        check("arn:aws:iam::aws:policy/X", Some(["aws", "iam", "", "aws", "policy/X"]));
        check("arn:aws:s3:::bucket/Key", Some(["aws", "s3", "", "", "bucket/Key"]));
        check(
            "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a-b",
            Some(["aws-cn", "secretsmanager", "cn-north-1", "123456789012", "secret:a-b"]),
        );
        check(
            "arn:aws:signer:us-east-1:123456789012:/signing-profiles/p",
            Some(["aws", "signer", "us-east-1", "123456789012", "/signing-profiles/p"]),
        );
        check("", None);
        check("arn", None);
        check("arn:aws:ecr:us-east-1:123456789012", None);
        check("arn:aws:ecr:us-east-1:123456789012:", None);
        check("arn::ecr:us-east-1:123456789012:x", None);
        check("arn:aws::us-east-1:123456789012:x", None);
        check("ARN:aws:ecr:us-east-1:123456789012:x", None);
        check("urn:aws:ecr:us-east-1:123456789012:x", None);
        check("arn:aws:ecr:*:123456789012:x", None);
        check("arn:aws:e cr:us-east-1:123456789012:x", None);
        check("arn:aws:ecr:us-east-1:123456789012:x\n", None);
        check(
            &format!("arn:aws:ecr:::{}", "x".repeat(2034)),
            Some(["aws", "ecr", "", "", &"x".repeat(2034)]),
        );
        check(&format!("arn:aws:ecr:::{}", "x".repeat(2035)), None);
    }

    #[test]
    fn constructors() {
        let region = Region::parse("us-gov-west-1").unwrap();
        let account = AccountId::parse("000000000001").unwrap();
        let name = RepositoryName::parse("team/app").unwrap();
        let partition = Partition::of(&region);
        let check = |arn: Arn, expected: &str, repository: Option<&str>| {
            assert_eq!(arn.as_str(), expected);
            assert_eq!(Arn::parse(expected).unwrap(), arn);
            assert_eq!(arn.repository_name().as_ref().map(RepositoryName::as_str), repository);
        };
        check(
            Arn::repository(partition, &region, &account, &name),
            "arn:aws-us-gov:ecr:us-gov-west-1:000000000001:repository/team/app",
            Some("team/app"),
        );
        check(
            Arn::public_repository(Partition::Aws, &account, &name),
            "arn:aws:ecr-public::000000000001:repository/team/app",
            Some("team/app"),
        );
        check(
            Arn::account_root(Partition::AwsCn, &account),
            "arn:aws-cn:iam::000000000001:root",
            None,
        );
    }

    #[test]
    fn only_repositories_have_a_repository_name() {
        let check = |text: &str| assert_eq!(Arn::parse(text).unwrap().repository_name(), None);
        check("arn:aws:s3:us-east-1:123456789012:repository/app");
        check("arn:aws:ecr:us-east-1:123456789012:repository/App");
        check("arn:aws:ecr:us-east-1:123456789012:repository/");
        check("arn:aws:ecr:us-east-1:123456789012:registry/app");
        check("arn:aws:ecr-public::123456789012:repository/a--b");
    }

    proptest! {
        #[test]
        fn fields_put_in_come_out(
            partition in "[a-z0-9-]{1,8}",
            service in "[a-z0-9-]{1,8}",
            region in "[a-z0-9-]{0,8}",
            account in "[a-z0-9-]{0,12}",
            resource in "[ -~é]{1,40}",
        ) {
            let text = format!("arn:{partition}:{service}:{region}:{account}:{resource}");
            let arn = Arn::parse(&text).unwrap();
            prop_assert_eq!(arn.partition(), partition);
            prop_assert_eq!(arn.service(), service);
            prop_assert_eq!(arn.region(), region);
            prop_assert_eq!(arn.account(), account);
            prop_assert_eq!(arn.resource(), resource);
            prop_assert_eq!(arn.to_string(), text);
        }

        #[test]
        fn never_panics(text in "(arn)?[:a-z*/\\né]{0,30}") {
            let _ = Arn::parse(&text);
        }
    }
}
