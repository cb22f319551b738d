//! Versions of managed policies: at most five, one of them in force.

use tonnage_policy::PolicyKind;

use super::{Found, MANAGED_CHARS_MAX, PolicyVersion, by_arn, document, find, find_own};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Tx};
use crate::identities::{IamOperation, entities};
use crate::metadata::Row;
use crate::params;

/// Versions of a policy; AWS's quota.
const VERSIONS_MAX: usize = 5;

fn from_row(row: &Row) -> Result<PolicyVersion> {
    Ok(PolicyVersion {
        version: row.get(0)?,
        document: row.get(1)?,
        is_default: row.get(2)?,
        created_at: row.get(3)?,
    })
}

/// All versions, the newest first.
pub(crate) async fn list(tx: &mut Tx, policy_id: i64) -> Result<Vec<PolicyVersion>> {
    let rows = tx
        .all(
            "SELECT version, document, is_default, created_at FROM iam_policy_versions \
             WHERE policy_id = $1 ORDER BY version DESC LIMIT 10",
            params![policy_id],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

pub(crate) async fn default_of(tx: &mut Tx, policy_id: i64) -> Result<PolicyVersion> {
    let all = list(tx, policy_id).await?;
    all.into_iter()
        .find(|version| version.is_default)
        .ok_or_else(|| Error::internal(format!("policy {policy_id} has no default version")))
}

pub(crate) async fn insert(
    tx: &mut Tx,
    call: &Call<'_>,
    policy_id: i64,
    version: i64,
    document: &str,
    is_default: bool,
) -> Result<()> {
    tx.execute(
        "INSERT INTO iam_policy_versions (policy_id, version, document, is_default, created_at) \
         VALUES ($1, $2, $3, $4, $5)",
        params![policy_id, version, document, is_default, call.now()],
    )
    .await?;
    Ok(())
}

/// A number that was never given before.
pub(crate) async fn next_number(tx: &mut Tx, policy_id: i64) -> Result<i64> {
    tx.execute(
        "INSERT INTO iam_policies (policy_id, last_version) VALUES ($1, 1) \
         ON CONFLICT (policy_id) DO UPDATE SET last_version = iam_policies.last_version + 1",
        params![policy_id],
    )
    .await?;
    let row = tx
        .optional("SELECT last_version FROM iam_policies WHERE policy_id = $1", params![policy_id])
        .await?;
    Ok(row.map_or(Ok(1), |row| row.get(0))?)
}

async fn set_default(tx: &mut Tx, policy_id: i64, version: i64) -> Result<()> {
    tx.execute(
        "UPDATE iam_policy_versions SET is_default = CASE WHEN version = $2 THEN 1 ELSE 0 END \
         WHERE policy_id = $1",
        params![policy_id, version],
    )
    .await?;
    Ok(())
}

/// The number in `v12`.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
fn number(arn: &str, version_id: &str) -> Result<i64> {
    version_id
        .strip_prefix('v')
        .and_then(|digits| digits.parse::<i64>().ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| no_such(arn, version_id))
}

fn no_such(arn: &str, version_id: &str) -> Error {
    Error::new(
        ErrorKind::NoSuchEntity,
        format!("Policy {arn} version {version_id} does not exist or is not attachable."),
    )
}

async fn get(tx: &mut Tx, policy_id: i64, arn: &str, version_id: &str) -> Result<PolicyVersion> {
    let number = number(arn, version_id)?;
    let all = list(tx, policy_id).await?;
    all.into_iter()
        .find(|version| version.version == number)
        .ok_or_else(|| no_such(arn, version_id))
}

/// Adds a version to a managed policy.
#[derive(Clone, Debug)]
pub struct CreatePolicyVersion {
    /// The policy's ARN.
    pub arn: String,
    /// The document.
    pub document: String,
    /// Whether it is in force at once.
    pub set_as_default: bool,
}

impl IamOperation for CreatePolicyVersion {
    const ACTION: &'static str = "iam:CreatePolicyVersion";
    type Output = PolicyVersion;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<PolicyVersion> {
        let entity = find_own(tx, call, &self.arn).await?;
        let whose = format!("policy {}", entity.name);
        document::check(&self.document, PolicyKind::Identity, MANAGED_CHARS_MAX, &whose)?;
        let all = list(tx, entity.id).await?;
        if all.len() >= VERSIONS_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a \
                     new version, you must delete an existing version."
                ),
            ));
        }
        let next = next_number(tx, entity.id).await?;
        insert(tx, call, entity.id, next, &self.document, false).await?;
        if self.set_as_default {
            set_default(tx, entity.id, next).await?;
        }
        entities::touch(tx, call, &entity).await?;
        get(tx, entity.id, &self.arn, &format!("v{next}")).await
    }
}

/// One version of a managed policy.
#[derive(Clone, Debug)]
pub struct GetPolicyVersion {
    /// The policy's ARN.
    pub arn: String,
    /// `v1` and so on.
    pub version_id: String,
}

impl IamOperation for GetPolicyVersion {
    const ACTION: &'static str = "iam:GetPolicyVersion";
    const CHANGES: bool = false;
    type Output = PolicyVersion;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<PolicyVersion> {
        let found = find(tx, call, &self.arn).await?;
        let number = number(&self.arn, &self.version_id)?;
        all_of(tx, &found)
            .await?
            .into_iter()
            .find(|version| version.version == number)
            .ok_or_else(|| no_such(&self.arn, &self.version_id))
    }
}

pub(crate) async fn all_of(tx: &mut Tx, found: &Found) -> Result<Vec<PolicyVersion>> {
    match found {
        Found::Own(entity) => list(tx, entity.id).await,
        Found::Aws(policy) => Ok(vec![PolicyVersion {
            version: policy.version,
            document: policy.document.to_owned(),
            is_default: true,
            created_at: super::AWS_CREATED_AT,
        }]),
    }
}

/// The versions of a managed policy, the newest first.
#[derive(Clone, Debug)]
pub struct ListPolicyVersions {
    /// The policy's ARN.
    pub arn: String,
}

impl IamOperation for ListPolicyVersions {
    const ACTION: &'static str = "iam:ListPolicyVersions";
    const CHANGES: bool = false;
    type Output = Vec<PolicyVersion>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Vec<PolicyVersion>> {
        let found = find(tx, call, &self.arn).await?;
        all_of(tx, &found).await
    }
}

/// Deletes a version that is not in force.
#[derive(Clone, Debug)]
pub struct DeletePolicyVersion {
    /// The policy's ARN.
    pub arn: String,
    /// `v1` and so on.
    pub version_id: String,
}

impl IamOperation for DeletePolicyVersion {
    const ACTION: &'static str = "iam:DeletePolicyVersion";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = find_own(tx, call, &self.arn).await?;
        let version = get(tx, entity.id, &self.arn, &self.version_id).await?;
        if version.is_default {
            return Err(Error::new(
                ErrorKind::DeleteConflict,
                "Cannot delete the default version of a policy.",
            ));
        }
        tx.execute(
            "DELETE FROM iam_policy_versions WHERE policy_id = $1 AND version = $2",
            params![entity.id, version.version],
        )
        .await?;
        entities::touch(tx, call, &entity).await
    }
}

/// Puts a version of a managed policy in force. Idempotent.
#[derive(Clone, Debug)]
pub struct SetDefaultPolicyVersion {
    /// The policy's ARN.
    pub arn: String,
    /// `v1` and so on.
    pub version_id: String,
}

impl IamOperation for SetDefaultPolicyVersion {
    const ACTION: &'static str = "iam:SetDefaultPolicyVersion";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = find_own(tx, call, &self.arn).await?;
        let version = get(tx, entity.id, &self.arn, &self.version_id).await?;
        set_default(tx, entity.id, version.version).await?;
        entities::touch(tx, call, &entity).await
    }
}
