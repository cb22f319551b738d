//! An access record as somebody reads it, in the words of AWS CloudTrail.

use super::details::Details;
use crate::clock::Millis;
use crate::error::Result;
use crate::metadata::Row;

/// In place of a secret, and of a name that nobody has, as people type passwords there (CloudTrail
/// user guide, "AWS Management Console sign-in events").
pub const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Names of operations that change nothing begin so. What is of the registry and of the past alone
/// has no such beginning.
const READING: [&str; 11] = [
    "BatchCheck",
    "BatchGet",
    "Browse",
    "Decode",
    "Describe",
    "Explain",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Search",
];
const READING_TOO: [&str; 4] = ["Simulate", "Summarize", "Validate", "View"];

/// What was done, or was not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRecord {
    /// Its row.
    pub id: i64,
    /// The request that did it.
    pub request_id: String,
    /// When.
    pub occurred_at: Millis,
    /// The account that was addressed.
    pub account: String,
    /// The region that was addressed.
    pub region: String,
    /// Who did it.
    pub principal_arn: String,
    /// The access key that it was signed with.
    pub access_key_id: Option<String>,
    /// Where it came from.
    pub source_address: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// The service, as IAM has it: `ecr`.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The ARNs of what it was done to; `*` where it was to nothing in particular.
    pub resources: Vec<String>,
    /// Why it was not allowed; nothing where it was done.
    pub denial: Option<String>,
    /// What else it tells.
    pub details: Details,
}

/// The columns that [`AccessRecord::from_row`] reads.
macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, request_id, occurred_at, account_id, region, principal_arn, \
             access_key_id, source_address, user_agent, service, operation, resources, denial, \
             details FROM access_records ",
            $rest
        )
    };
}
pub(super) use columns;

impl AccessRecord {
    pub(super) fn from_row(row: &Row) -> Result<Self> {
        let resources: String = row.get(11)?;
        let mut record = Self {
            id: row.get(0)?,
            request_id: row.get(1)?,
            occurred_at: row.get(2)?,
            account: row.get(3)?,
            region: row.get(4)?,
            principal_arn: row.get(5)?,
            access_key_id: row.get(6)?,
            source_address: row.get(7)?,
            user_agent: row.get(8)?,
            service: row.get(9)?,
            operation: row.get(10)?,
            resources: resources
                .split(' ')
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect(),
            denial: row.get(12)?,
            details: Details::read(row.get(13)?)?,
        };
        record.keep_to_itself();
        Ok(record)
    }

    /// The reason of a denial names the statement that decided, which is for those only whose account
    /// has all that took part.
    fn keep_to_itself(&mut self) {
        let is_other = |arn: &str| account_of(arn).is_some_and(|account| account != self.account);
        let others = self.resources.iter().map(String::as_str).any(is_other);
        if !others && !is_other(&self.principal_arn) {
            return;
        }
        if let Some(denial) = &mut self.denial
            && let Some((told, _)) = denial.split_once(" on resource: ")
        {
            *denial = told.to_owned();
        }
    }

    /// The id as CloudTrail has it: a UUID that is made from the row's.
    pub fn event_id(&self) -> String {
        let hex = format!("{:016x}", self.id);
        let (time, rest) = hex.split_at(8);
        let (middle, end) = rest.split_at(4);
        format!("{time}-{middle}-8{}-8{}00-000000000000", &end[..3], &end[3..])
    }

    /// The row's id in what [`AccessRecord::event_id`] made.
    pub(super) fn id_of(event_id: &str) -> Option<i64> {
        let digits: String = event_id.split('-').collect();
        if digits.len() != 32 || !digits.is_ascii() {
            return None;
        }
        let hex = format!("{}{}{}", &digits[..12], &digits[13..16], &digits[17..18]);
        i64::from_str_radix(&hex, 16).ok().filter(|id| *id >= 0)
    }

    /// What CloudTrail calls the service: `ecr.amazonaws.com`.
    pub fn source(&self) -> String {
        match self.service.as_str() {
            "tonnage" => "tonnage".to_owned(),
            service => format!("{service}.amazonaws.com"),
        }
    }

    /// The name of the user or of the session; of the root of an account, `root`.
    pub fn user_name(&self) -> &str {
        let arn = self.principal_arn.as_str();
        match arn.rsplit_once('/') {
            Some((_, name)) => name,
            None => arn.rsplit(':').next().unwrap_or(arn),
        }
    }

    /// What is done by whoever may do nothing but look.
    pub fn is_read_only(&self) -> bool {
        READING.iter().chain(&READING_TOO).any(|begin| self.operation.starts_with(begin))
    }

    /// What somebody is (CloudTrail user guide, "CloudTrail userIdentity element").
    pub fn identity_type(&self) -> &'static str {
        let arn = self.principal_arn.as_str();
        match arn.splitn(6, ':').nth(5) {
            Some("root") => "Root",
            Some(rest) if rest.starts_with("user/") => "IAMUser",
            Some(rest) if rest.starts_with("assumed-role/") => "AssumedRole",
            Some(rest) if rest.starts_with("role/") => "AssumedRole",
            Some(rest) if rest.starts_with("federated-user/") => "FederatedUser",
            Some(rest) if rest.starts_with("oidc-provider/") => "WebIdentityUser",
            Some(_) => "Unknown",
            None if arn == "anonymous" => "Unknown",
            None => "AWSService",
        }
    }

    /// What it was done to that has a name: types as CloudFormation spells them, and ARNs.
    pub fn named_resources(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let arns = self.resources.iter().map(String::as_str);
        arns.filter(|arn| !arn.contains('*')).filter_map(|arn| Some((type_of(arn)?, arn)))
    }
}

/// The account that an ARN has.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (!account.is_empty()).then_some(account)
}

/// What an ARN names within its service: `team/app` of a repository.
pub(super) fn name_in(arn: &str) -> &str {
    let rest = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    match rest.split_once('/') {
        Some((_, name)) => name,
        None => rest.split_once(':').map_or(rest, |(_, name)| name),
    }
}

fn type_of(arn: &str) -> Option<&'static str> {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2)?;
    let kind = parts.nth(2)?.split(['/', ':']).next()?;
    Some(match (service, kind) {
        ("ecr", "repository") => "AWS::ECR::Repository",
        ("ecr-public", "repository") => "AWS::ECR::PublicRepository",
        ("iam", "user") => "AWS::IAM::User",
        ("iam", "group") => "AWS::IAM::Group",
        ("iam", "role") => "AWS::IAM::Role",
        ("iam", "policy") => "AWS::IAM::Policy",
        ("iam", "instance-profile") => "AWS::IAM::InstanceProfile",
        ("iam", "oidc-provider") => "AWS::IAM::OIDCProvider",
        ("secretsmanager", "secret") => "AWS::SecretsManager::Secret",
        ("signer", _) => "AWS::Signer::SigningProfile",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(principal: &str, resources: &str, denial: Option<&str>) -> AccessRecord {
        AccessRecord {
            id: 249_108_103_167_180_000,
            request_id: "r".to_owned(),
            occurred_at: Millis(0),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            principal_arn: principal.to_owned(),
            access_key_id: None,
            source_address: "127.0.0.1".to_owned(),
            user_agent: String::new(),
            service: "ecr".to_owned(),
            operation: "PutImage".to_owned(),
            resources: resources.split(' ').map(str::to_owned).collect(),
            denial: denial.map(str::to_owned),
            details: Details::default(),
        }
    }

    #[test]
    fn ids_come_back() {
        for id in [0, 1, 249_108_103_167_180_123, i64::MAX] {
            let event_id = AccessRecord { id, ..record("anonymous", "*", None) }.event_id();
            assert_eq!(event_id.len(), 36, "{event_id}");
            assert_eq!(AccessRecord::id_of(&event_id), Some(id), "{event_id}");
        }
        for wrong in ["", "1", "zz", "ffffffff-ffff-8fff-8f00-000000000000", "é"] {
            assert_eq!(AccessRecord::id_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn who_somebody_is() {
        for (arn, name, kind) in [
            ("arn:aws:iam::123456789012:root", "root", "Root"),
            ("arn:aws:iam::123456789012:user/team/ada", "ada", "IAMUser"),
            ("arn:aws:sts::123456789012:assumed-role/build/job-7", "job-7", "AssumedRole"),
            ("arn:aws:sts::123456789012:federated-user/eve", "eve", "FederatedUser"),
            ("ecr.amazonaws.com", "ecr.amazonaws.com", "AWSService"),
            ("anonymous", "anonymous", "Unknown"),
        ] {
            let found = record(arn, "*", None);
            assert_eq!((found.user_name(), found.identity_type()), (name, kind), "{arn}");
        }
    }

    #[test]
    fn reasons_stay_in_their_account() {
        let denial = "User: a is not authorized to perform: ecr:PutImage on resource: b because: c";
        let (own, other) = ("123456789012", "210987654321");
        let arn = |account: &str| format!("arn:aws:ecr:us-east-1:{account}:repository/app");
        let user = |account: &str| format!("arn:aws:iam::{account}:user/ada");
        let short = "User: a is not authorized to perform: ecr:PutImage";
        for (principal, resource, expected) in [
            (user(own), arn(own), denial),
            (user(own), arn(other), short),
            (user(other), arn(own), short),
            ("ecr.amazonaws.com".to_owned(), "*".to_owned(), denial),
        ] {
            let mut found = record(&principal, &resource, Some(denial));
            found.keep_to_itself();
            assert_eq!(found.denial.as_deref(), Some(expected), "{principal} {resource}");
        }
    }

    #[test]
    fn things_have_types() {
        let found = record(
            "anonymous",
            "arn:aws:ecr:us-east-1:123456789012:repository/team/app \
             arn:aws:ecr:us-east-1:123456789012:repository/* * arn:aws:x:::y",
            None,
        );
        let named: Vec<_> = found.named_resources().collect();
        let arn = "arn:aws:ecr:us-east-1:123456789012:repository/team/app";
        assert_eq!(named, [("AWS::ECR::Repository", arn)]);
        assert_eq!(name_in(arn), "team/app");
    }
}
