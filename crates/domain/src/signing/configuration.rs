//! Which images of a registry are signed, and by whom.
//!
//! Source: botocore `ecr`, shape `SigningConfiguration`; Amazon ECR user guide, "Managed signing".

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::names::{AccountId, Region, RepositoryName};
use crate::registries::Document;
use crate::wildcard;

const RULES_MAX: usize = 10;
const FILTERS_MAX: usize = 100;
const PROFILE_ARN_MAX: usize = 200;

/// The signing rules of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningConfiguration {
    /// At most 10; an image gets the signature of each that matches its repository.
    pub rules: Vec<SigningRule>,
}

/// Has the images of matching repositories signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningRule {
    /// The ARN of the signing profile.
    pub profile_arn: String,
    /// Patterns of repository names in which `*` is any run of characters; one of them must match
    /// the whole name. Without any, every repository matches.
    pub filters: Vec<String>,
}

impl Document for SigningConfiguration {
    const NAME: &'static str = "signing";
}

impl SigningConfiguration {
    /// Checks it for a registry in `region`.
    ///
    /// # Errors
    /// `InvalidParameter` where a rule names no profile of the region or a quota would be exceeded.
    pub fn validate(&self, region: &Region) -> Result<()> {
        let refuse =
            |constraint: &str| Err(Error::invalid_parameter("signingConfiguration", constraint));
        if self.rules.len() > RULES_MAX {
            return refuse("A signing configuration can have at most 10 rules");
        }
        for rule in &self.rules {
            if rule.filters.len() > FILTERS_MAX {
                return refuse("A signing rule can have at most 100 repository filters");
            }
            match profile_region(&rule.profile_arn) {
                None => return refuse("The signing profile ARN is invalid"),
                Some(other) if other != region.as_str() => {
                    return refuse("The signing profile must be in the region of the registry");
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The ARNs of the profiles that sign the images of `repository`, in the order of the rules
    /// and each once.
    pub fn profiles_for(&self, repository: &RepositoryName) -> Vec<&str> {
        let mut profiles = Vec::new();
        for rule in &self.rules {
            let profile = rule.profile_arn.as_str();
            if rule.matches(repository) && !profiles.contains(&profile) {
                profiles.push(profile);
            }
        }
        profiles
    }
}

impl SigningRule {
    fn matches(&self, repository: &RepositoryName) -> bool {
        self.filters.is_empty()
            || self.filters.iter().any(|filter| wildcard::matches(filter, repository.as_str()))
    }
}

/// The region of `arn:{partition}:signer:{region}:{account}:/signing-profiles/{name}`; nothing for
/// any other text.
fn profile_region(arn: &str) -> Option<&str> {
    let rest = arn.strip_prefix("arn:").filter(|_| arn.len() <= PROFILE_ARN_MAX)?;
    let mut parts = rest.splitn(5, ':');
    let (partition, service) = (parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name = resource.strip_prefix("/signing-profiles/")?;
    let named = name.len() >= 2 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let of_aws = partition == "aws" || partition.starts_with("aws-");
    let valid = of_aws && service == "signer" && named && AccountId::parse(account).is_ok();
    valid.then_some(region).filter(|region| Region::parse(region).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:signer:eu-central-1:123456789012:/signing-profiles/release";

    fn rule(profile_arn: &str, filters: &[&str]) -> SigningRule {
        SigningRule {
            profile_arn: profile_arn.to_owned(),
            filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
        }
    }

    #[test]
    fn profiles_sign_what_their_filters_match() {
        let other = ARN.replace("release", "audit");
        let check = |rules: &[(&str, &[&str])], repository: &str, expected: &[&str]| {
            let rules = rules.iter().map(|(arn, filters)| rule(arn, filters)).collect();
            let repository = RepositoryName::parse(repository).unwrap();
            let configuration = SigningConfiguration { rules };
            assert_eq!(configuration.profiles_for(&repository), expected, "{repository:?}");
        };
        check(&[], "app", &[]);
        check(&[(ARN, &[])], "any/thing", &[ARN]);
        check(&[(ARN, &["myapp/*"])], "myapp/a/b", &[ARN]);
        check(&[(ARN, &["myapp/*"])], "myapp", &[]);
        check(&[(ARN, &["myapp"])], "myapp2", &[]);
        check(&[(ARN, &["*/production"])], "team/production", &[ARN]);
        check(&[(ARN, &["no", "*prod*"])], "reproduce", &[ARN]);
        check(&[(&other, &[]), (ARN, &["app"]), (ARN, &["a*"])], "app", &[&other, ARN]);
    }

    #[test]
    fn rules_that_name_no_profile_here_are_refused() {
        let region = Region::parse("eu-central-1").unwrap();
        let check = |rules: Vec<SigningRule>, valid: bool| {
            let shown = format!("{rules:?}");
            let result = SigningConfiguration { rules }.validate(&region);
            assert_eq!(result.is_ok(), valid, "{shown}");
        };
        check(vec![], true);
        check(vec![rule(ARN, &[]); RULES_MAX], true);
        check(vec![rule(ARN, &[]); RULES_MAX + 1], false);
        check(vec![rule(ARN, &["a"; FILTERS_MAX])], true);
        check(vec![rule(ARN, &["a"; FILTERS_MAX + 1])], false);
        for (from, to, valid) in [
            ("123456789012", "210987654321", true),
            ("arn:aws:", "arn:aws-cn:", true),
            ("arn:aws:", "arn:other:", false),
            ("eu-central-1", "us-east-1", false),
            ("eu-central-1", "", false),
            ("signer:", "ecr:", false),
            ("123456789012", "1234", false),
            ("release", "r", false),
            ("release", "re-lease", false),
            ("/signing-profiles/", "/signing-jobs/", false),
            ("release", &"r".repeat(PROFILE_ARN_MAX), false),
        ] {
            check(vec![rule(&ARN.replace(from, to), &[])], valid);
        }
    }
}
