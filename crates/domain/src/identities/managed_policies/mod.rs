//! AWS's own managed policies, `arn:aws:iam::aws:policy/…`: those about what is served here. They
//! can be attached like an account's own, and cannot be changed.
//!
//! Source: AWS managed policy reference guide.

use std::collections::HashMap;
use std::sync::LazyLock;

use tonnage_policy::{Policy, PolicyKind};

/// A policy of AWS.
#[derive(Debug)]
pub struct AwsPolicy {
    /// Its path, `/` or `/service-role/`.
    pub path: &'static str,
    /// Its name.
    pub name: &'static str,
    /// AWS's number of the version that the document is.
    pub version: i64,
    /// The document.
    pub document: &'static str,
}

macro_rules! policies {
    ($($path:literal $name:literal v $version:literal,)*) => {
        /// Every policy of AWS that is here, by name.
        pub const AWS_POLICIES: &[AwsPolicy] = &[
            $(AwsPolicy {
                path: $path,
                name: $name,
                version: $version,
                document: include_str!(concat!($name, ".json")),
            },)*
        ];
    };
}

policies! {
    "/" "AdministratorAccess" v 1,
    "/" "AmazonEC2ContainerRegistryFullAccess" v 3,
    "/" "AmazonEC2ContainerRegistryPowerUser" v 3,
    "/" "AmazonEC2ContainerRegistryPullOnly" v 1,
    "/" "AmazonEC2ContainerRegistryReadOnly" v 3,
    "/" "AmazonElasticContainerRegistryPublicFullAccess" v 1,
    "/" "AmazonElasticContainerRegistryPublicPowerUser" v 1,
    "/" "AmazonElasticContainerRegistryPublicReadOnly" v 1,
    "/" "IAMFullAccess" v 2,
    "/" "IAMReadOnlyAccess" v 4,
    "/" "ReadOnlyAccess" v 1,
}

static BY_NAME: LazyLock<HashMap<&str, &AwsPolicy>> =
    LazyLock::new(|| AWS_POLICIES.iter().map(|policy| (policy.name, policy)).collect());

impl AwsPolicy {
    /// The policy of this ARN, in any partition.
    pub fn find(arn: &str) -> Option<&'static Self> {
        let mut fields = arn.splitn(6, ':');
        let (Some("arn"), Some(_), Some("iam"), Some(""), Some("aws"), Some(resource)) = (
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
        ) else {
            return None;
        };
        let (path, name) = resource.strip_prefix("policy")?.rsplit_once('/')?;
        let policy = BY_NAME.get(name).copied()?;
        (policy.path.strip_suffix('/') == Some(path)).then_some(policy)
    }

    /// Its ARN in a partition.
    pub fn arn(&self, partition: &str) -> String {
        format!("arn:{partition}:iam::aws:policy{}{}", self.path, self.name)
    }

    /// An id made from the name, the same in every deployment.
    pub fn unique_id(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.name.as_bytes());
        let hex = hex::encode_upper(digest.as_ref());
        format!("ANPA{}", hex.get(..17).unwrap_or_default())
    }

    /// The document, compiled.
    ///
    /// # Errors
    /// Never; a test reads every document.
    pub fn policy(&self) -> Result<Policy, tonnage_policy::ParseError> {
        Policy::parse(self.document, PolicyKind::Identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_a_policy() {
        for policy in AWS_POLICIES {
            assert!(policy.policy().is_ok(), "{}", policy.name);
            let arn = policy.arn("aws");
            assert_eq!(AwsPolicy::find(&arn).map(|found| found.name), Some(policy.name), "{arn}");
        }
    }

    #[test]
    fn only_whole_arns_are_found() {
        let check = |arn: &str, expected: bool| {
            assert_eq!(AwsPolicy::find(arn).is_some(), expected, "{arn}");
        };
        check("arn:aws:iam::aws:policy/AdministratorAccess", true);
        check("arn:aws-cn:iam::aws:policy/AdministratorAccess", true);
        check("arn:aws:iam::123456789012:policy/AdministratorAccess", false);
        check("arn:aws:iam::aws:policy/service-role/AdministratorAccess", false);
        check("arn:aws:iam::aws:policyAdministratorAccess", false);
        check("arn:aws:iam::aws:policy/administratoraccess", false);
        check("AdministratorAccess", false);
        check("", false);
    }
}
