//! Partitions of AWS.

use super::error::{Constraint, NameError, NameKind};
use super::region::Region;

/// A partition of AWS: the second field of an ARN (botocore `partitions.json`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Partition {
    /// `aws`: the commercial regions, and every region that belongs to no other partition.
    Aws,
    /// `aws-cn`: regions `cn-*`.
    AwsCn,
    /// `aws-eusc`: regions `eusc-*`.
    AwsEusc,
    /// `aws-iso`: regions `us-iso-*`.
    AwsIso,
    /// `aws-iso-b`: regions `us-isob-*`.
    AwsIsoB,
    /// `aws-iso-e`: regions `eu-isoe-*`.
    AwsIsoE,
    /// `aws-iso-f`: regions `us-isof-*`.
    AwsIsoF,
    /// `aws-us-gov`: regions `us-gov-*`.
    AwsUsGov,
}

impl Partition {
    const ALL: [Self; 8] = [
        Self::Aws,
        Self::AwsCn,
        Self::AwsEusc,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
        Self::AwsUsGov,
    ];

    /// Reads a partition.
    ///
    /// # Errors
    /// When `text` is not the name of a partition of AWS.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::ALL.into_iter().find(|partition| partition.as_str() == text).ok_or_else(|| {
            NameError::new(
                NameKind::Partition,
                text,
                Constraint::Rule("Member must be the name of a partition of AWS"),
            )
        })
    }

    /// The partition a region lies in; a region AWS does not have lies in `aws`.
    pub fn of(region: &Region) -> Self {
        const PREFIXES: [(&str, Partition); 7] = [
            ("cn-", Partition::AwsCn),
            ("eusc-", Partition::AwsEusc),
            ("us-iso-", Partition::AwsIso),
            ("us-isob-", Partition::AwsIsoB),
            ("eu-isoe-", Partition::AwsIsoE),
            ("us-isof-", Partition::AwsIsoF),
            ("us-gov-", Partition::AwsUsGov),
        ];
        PREFIXES
            .into_iter()
            .find(|(prefix, _)| region.as_str().starts_with(prefix))
            .map_or(Self::Aws, |(_, partition)| partition)
    }

    /// The name, as an ARN writes it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
            Self::AwsUsGov => "aws-us-gov",
        }
    }
}

super::text_conversions!(Partition);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn regions_lie_in_partitions() {
        let check = |region: &str, expected: &str| {
            let region = Region::parse(region).unwrap();
            assert_eq!(Partition::of(&region).as_str(), expected, "{region}");
        };
        check("us-east-1", "aws");
        check("eu-central-1", "aws");
        check("cn-north-1", "aws-cn");
        check("us-gov-west-1", "aws-us-gov");
        check("eusc-de-east-1", "aws-eusc");
        check("us-iso-east-1", "aws-iso");
        check("us-isob-east-1", "aws-iso-b");
        check("eu-isoe-west-1", "aws-iso-e");
        check("us-isof-south-1", "aws-iso-f");
        check("cn", "aws");
        check("local", "aws");
        check("us-government", "aws");
    }

    #[test]
    fn every_name_reads_back() {
        for partition in Partition::ALL {
            assert_eq!(Partition::parse(partition.as_str()).unwrap(), partition);
        }
        for wrong in ["", "AWS", "aws-", "aws-xx", "*"] {
            assert!(Partition::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_back(text in "aws(-(cn|iso|us|gov|b|e|x)){0,2}") {
            if let Ok(partition) = Partition::parse(&text) {
                prop_assert_eq!(partition.to_string(), text);
            }
        }
    }
}
