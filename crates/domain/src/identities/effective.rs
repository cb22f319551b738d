//! The policies that an identity has a say by: its own, those of its groups, those attached to
//! either, and its boundary.

use tonnage_policy::{Policy, PolicyKind};

use super::entities::tags;
use super::managed_policies::AwsPolicy;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::params;
use crate::policies::governing::Needs;
use crate::resource_tags::ResourceTag;

/// Compiled policies of an identity.
#[derive(Default)]
pub(crate) struct Effective {
    /// Its policies, inherited ones included, each with its name.
    pub(crate) documents: Vec<(String, Policy)>,
    /// Its boundary.
    pub(crate) boundary: Option<(String, Policy)>,
    /// Its tags.
    pub(crate) tags: Vec<ResourceTag>,
    /// What has to be known of a request for them.
    pub(crate) needs: Needs,
}

fn parse(document: &str) -> Result<Policy> {
    Policy::parse(document, PolicyKind::Identity)
        .map_err(|error| Error::internal(format!("stored policy: {error}")))
}

/// The policies of a principal.
pub(crate) async fn load(tx: &mut Tx, principal_id: i64) -> Result<Effective> {
    let rows = tx
        .all(
            "SELECT name, document FROM principal_policies WHERE principal_id = $1 \
             UNION ALL SELECT name, document FROM iam_inline_policies WHERE entity_id = $1 \
             UNION ALL SELECT name, document FROM iam_inline_policies WHERE entity_id IN \
             (SELECT group_id FROM iam_memberships WHERE user_id = $1) ORDER BY 1 LIMIT 10000",
            params![principal_id],
        )
        .await?;
    let mut effective = Effective::default();
    for row in rows {
        effective.add(row.get(0)?, &row.get::<String>(1)?)?;
    }
    let rows = tx
        .all(
            "SELECT policy_arn FROM iam_attachments WHERE entity_id = $1 \
             UNION SELECT policy_arn FROM iam_attachments WHERE entity_id IN \
             (SELECT group_id FROM iam_memberships WHERE user_id = $1) ORDER BY 1 LIMIT 1000",
            params![principal_id],
        )
        .await?;
    for row in rows {
        let arn: String = row.get(0)?;
        if let Some(document) = managed_document(tx, &arn).await? {
            effective.add(arn, &document)?;
        }
    }
    effective.tags = tags::list(tx, principal_id).await?;
    if let Some(arn) = super::attachments::boundary(tx, principal_id).await? {
        // A boundary that is gone allows nothing; policies in use cannot be deleted.
        let document = managed_document(tx, &arn)
            .await?
            .ok_or_else(|| Error::internal(format!("the boundary {arn} is gone")))?;
        let policy = parse(&document)?;
        effective.needs = effective.needs | Needs::of(&policy);
        effective.boundary = Some((arn, policy));
    }
    Ok(effective)
}

impl Effective {
    /// The one policy of a service.
    pub(crate) fn built_in(name: &str, document: &str) -> Result<Self> {
        let mut effective = Self::default();
        effective.add(name.to_owned(), document)?;
        Ok(effective)
    }

    fn add(&mut self, name: String, document: &str) -> Result<()> {
        let policy = parse(document)?;
        self.needs = self.needs | Needs::of(&policy);
        self.documents.push((name, policy));
        Ok(())
    }
}

/// The document in force of a managed policy, if there is such a policy.
pub(crate) async fn managed_document(tx: &mut Tx, arn: &str) -> Result<Option<String>> {
    if let Some(policy) = AwsPolicy::find(arn) {
        return Ok(Some(policy.document.to_owned()));
    }
    let row = tx
        .optional(
            "SELECT iam_policy_versions.document FROM iam_entities \
             JOIN iam_policy_versions ON iam_policy_versions.policy_id = iam_entities.id \
             WHERE iam_entities.arn = $1 AND iam_policy_versions.is_default = 1",
            params![arn],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}
