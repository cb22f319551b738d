//! Names of aliases: which there may be.

use std::fmt;
use std::sync::Arc;

use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};

/// The name of an alias: 2 to 50 characters, a letter first (botocore `ecr-public`, shape
/// `RegistryAliasName`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AliasName(Arc<str>);

impl AliasName {
    /// The pattern a name satisfies.
    pub const PATTERN: &'static str = "[a-z][a-z0-9]+(?:[._-][a-z0-9]+)*";
    /// The longest name, in characters.
    pub const MAXIMUM_LENGTH: usize = 50;

    /// Reads a name; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut words = text.split(['.', '_', '-']);
        let first = words.next()?;
        let fits = (2..=Self::MAXIMUM_LENGTH).contains(&text.len())
            && first.len() >= 2
            && first.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && first.as_bytes().iter().all(&is_word)
            && words.all(|word| !word.is_empty() && word.as_bytes().iter().all(&is_word));
        fits.then(|| Self(text.into()))
    }

    /// A default alias: eight characters, letters and digits by turns, as those of ECR Public.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub(super) fn random() -> Result<Self> {
        let text =
            random::<8>()?.into_iter().enumerate().map(|(position, byte)| match position % 2 {
                0 => char::from(b'a' + byte % 26),
                _ => char::from(b'0' + byte % 10),
            });
        Ok(Self(text.collect::<String>().into()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What names share that people take for each other: without separators, and with one character
    /// for those that look alike.
    pub fn skeleton(&self) -> String {
        skeleton_of(&self.0)
    }

    /// Refuses names that nobody shall have.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`], with the reason.
    pub(super) fn refuse_reserved(&self) -> Result<()> {
        let skeleton = self.skeleton();
        let alike = |name: &&&str| Self(Arc::from(**name)).skeleton() == skeleton;
        let of_aws = |name: &&&str| {
            let owned = Self(Arc::from(**name)).skeleton();
            let words = self.0.split(['.', '_', '-']);
            words.into_iter().any(|word| Self(word.into()).skeleton() == owned)
                || skeleton.starts_with(&owned)
        };
        let reason = if let Some(name) = OWNERS.iter().find(of_aws) {
            format!("it looks like a name of {name}")
        } else if let Some(name) = SERVICES.iter().find(alike) {
            format!("it looks like the AWS service {name}")
        } else if let Some(name) = GENERIC.iter().find(alike) {
            format!("it looks like the word {name}, which belongs to nobody")
        } else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("The alias '{self}' is reserved: {reason}. Ask for another one."),
        ))
    }
}

/// What a text shares with others that people take for it.
pub(crate) fn skeleton_of(text: &str) -> String {
    let bare: String = text.chars().filter(|character| !".-_".contains(*character)).collect();
    let alike = bare.replace("rn", "m").replace("vv", "w").replace("cl", "d");
    alike
        .chars()
        .map(|character| match character {
            '0' => 'o',
            '1' | 'i' => 'l',
            '5' => 's',
            '8' => 'b',
            other => other,
        })
        .collect()
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names that no alias begins with, nor has as a word. Source of this and the next two: Amazon ECR
/// Public user guide, "Public registry settings" (naming of custom aliases).
const OWNERS: &[&str] = &["aws", "amazon"];

/// Services of AWS.
const SERVICES: &[&str] = &[
    "apigateway",
    "appconfig",
    "appmesh",
    "apprunner",
    "appsync",
    "athena",
    "aurora",
    "backup",
    "batch",
    "bedrock",
    "bottlerocket",
    "cloud9",
    "cloudformation",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codedeploy",
    "codepipeline",
    "cognito",
    "corretto",
    "docdb",
    "dynamodb",
    "ebs",
    "ec2",
    "ecr",
    "ecrpublic",
    "ecs",
    "efs",
    "eks",
    "elasticache",
    "elasticbeanstalk",
    "elb",
    "emr",
    "eventbridge",
    "fargate",
    "firecracker",
    "fsx",
    "glacier",
    "glue",
    "greengrass",
    "guardduty",
    "iam",
    "inspector",
    "iot",
    "karpenter",
    "kinesis",
    "kms",
    "lambda",
    "lightsail",
    "macie",
    "marketplace",
    "msk",
    "neptune",
    "opensearch",
    "outposts",
    "proton",
    "quicksight",
    "rds",
    "redshift",
    "rekognition",
    "route53",
    "s3",
    "sagemaker",
    "secretsmanager",
    "ses",
    "signer",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "stepfunctions",
    "timestream",
    "vpc",
    "waf",
    "xray",
];

/// Words that stand for no owner in particular.
const GENERIC: &[&str] = &[
    "admin",
    "administrator",
    "all",
    "anonymous",
    "assets",
    "api",
    "app",
    "apps",
    "base",
    "blobs",
    "catalog",
    "container",
    "containers",
    "default",
    "demo",
    "dev",
    "docker",
    "dockerhub",
    "example",
    "examples",
    "gallery",
    "github",
    "google",
    "help",
    "image",
    "images",
    "internal",
    "kubernetes",
    "latest",
    "library",
    "linux",
    "login",
    "manifests",
    "marketplace",
    "microsoft",
    "mirror",
    "my",
    "null",
    "oci",
    "official",
    "operator",
    "private",
    "prod",
    "production",
    "public",
    "quay",
    "registries",
    "registry",
    "repositories",
    "repository",
    "root",
    "scratch",
    "search",
    "security",
    "shared",
    "staging",
    "status",
    "support",
    "system",
    "tag",
    "tags",
    "team",
    "test",
    "testing",
    "tests",
    "token",
    "tonnage",
    "undefined",
    "user",
    "users",
    "verified",
    "www",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        let check = |text: &str, valid: bool| {
            assert_eq!(AliasName::parse(text).is_some(), valid, "{text:?}");
        };
        for text in ["ab", "a1b2c3d4", "my-team", "my.team_b-c", "a0", &"a".repeat(50)] {
            check(text, true);
        }
        for text in [
            "",
            "a",
            "1a",
            "A1",
            "a-b",
            "ab-",
            "-ab",
            "ab--c",
            "ab._c",
            "ab/c",
            "ab c",
            "äb",
            &"a".repeat(51),
        ] {
            check(text, false);
        }
    }

    #[test]
    fn names_that_look_alike_share_a_skeleton() {
        let check = |one: &str, other: &str, alike: bool| {
            let skeleton = |text| AliasName::parse(text).unwrap().skeleton();
            assert_eq!(skeleton(one) == skeleton(other), alike, "{one} {other}");
        };
        check("my-team", "myteam", true);
        check("my-team", "my.team", true);
        check("my_team", "my.te.am", true);
        check("google", "g00gle", true);
        check("paypal", "paypa1", true);
        check("paypal", "paypai", true);
        check("modern", "modem", true);
        check("rnodern", "modern", true);
        check("window", "vvindow", true);
        check("clean", "dean", true);
        check("base", "ba5e", true);
        check("my-team", "my-teams", false);
        check("acme", "acne", false);
    }

    #[test]
    fn reserved_names() {
        let check = |text: &str, reserved: bool| {
            let refused = AliasName::parse(text).unwrap().refuse_reserved();
            assert_eq!(refused.is_err(), reserved, "{text}");
        };
        for text in [
            "aws",
            "amazon",
            "aws-tools",
            "awstools",
            "arnazon",
            "amaz0n-linux",
            "my-aws",
            "lambda",
            "iambda",
            "ec2",
            "test",
            "te5t",
            "te-st",
            "public",
            "pub1ic",
            "marketplace",
            "registry",
            "assets",
            "search",
        ] {
            check(text, true);
        }
        for text in ["acme", "testing-acme", "public-good", "lambdatest", "laws", "my-bucket"] {
            check(text, false);
        }
    }

    proptest! {
        #[test]
        fn a_random_alias_is_a_name(_seed in any::<u8>()) {
            let name = AliasName::random().unwrap();
            prop_assert_eq!(AliasName::parse(name.as_str()), Some(name.clone()));
            let alternates = name.as_str().bytes().enumerate().all(|(position, byte)| {
                if position % 2 == 0 { byte.is_ascii_lowercase() } else { byte.is_ascii_digit() }
            });
            prop_assert!(alternates && name.as_str().len() == 8);
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            if let Some(name) = AliasName::parse(&text) {
                let _ = name.skeleton();
                let _ = name.refuse_reserved();
            }
        }

        #[test]
        fn separators_do_not_matter(text in "[a-z][a-z0-9]{1,8}", at in 2_usize..8) {
            let name = AliasName::parse(&text).unwrap();
            let (left, right) = text.split_at(at.min(text.len()));
            if let Some(other) = AliasName::parse(&format!("{left}-{right}")) {
                prop_assert_eq!(name.skeleton(), other.skeleton());
            }
        }
    }
}
