//! `ListSecretVersionIds`.

use super::{Secret, SecretId, demand, find, rows};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::pages::{Page, PageRequest};
use crate::params;

/// Lists the versions of a secret by id.
///
/// # Errors
/// [`crate::error::ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct ListSecretVersionIds {
    /// Which secret.
    pub id: SecretId,
    /// Also versions without labels.
    pub include_deprecated: bool,
    /// Which page.
    pub page: PageRequest,
}

/// A version without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSummary {
    /// Its id.
    pub id: String,
    /// Its labels.
    pub stages: Vec<String>,
    /// When it was made.
    pub created_at: Millis,
    /// The day on which it was last read.
    pub accessed_at: Option<Millis>,
}

impl Operation for ListSecretVersionIds {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "ListSecretVersionIds" };
    type Output = (Secret, Page<VersionSummary>);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![demand("secretsmanager:ListSecretVersionIds", &self.id)]
    }

    async fn run(self, call: Call<'_>) -> Result<(Secret, Page<VersionSummary>)> {
        let mut tx = call.read().await?;
        let secret = find(&mut tx, &call, &self.id).await??;
        let mut stages = rows::stages(&mut tx, secret.id).await?;
        let found = tx
            .all(
                "SELECT version_id, created_at, accessed_at FROM secret_versions \
                 WHERE secret_id = $1 AND version_id > $2 AND (CAST($3 AS BIGINT) = 1 OR EXISTS \
                 (SELECT 1 FROM secret_stages \
                 WHERE secret_stages.secret_id = secret_versions.secret_id \
                 AND secret_stages.version_id = secret_versions.version_id)) \
                 ORDER BY version_id LIMIT $4",
                params![
                    secret.id,
                    self.page.after.as_deref().unwrap_or_default(),
                    self.include_deprecated,
                    self.page.limit_and_one(),
                ],
            )
            .await?;
        let mut versions = Vec::with_capacity(found.len());
        for row in &found {
            let id: String = row.get(0)?;
            versions.push(VersionSummary {
                stages: stages.remove(&id).unwrap_or_default(),
                id,
                created_at: row.get(1)?,
                accessed_at: Some(row.get::<Millis>(2)?).filter(|at| at.0 != 0),
            });
        }
        Ok((secret, self.page.cut(versions, |version| version.id.clone())))
    }
}
