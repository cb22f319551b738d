//! `ListImageReferrers`, and `GET /v2/{name}/referrers/{digest}`.

use super::{ImageStatus, ImageStatusFilter};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::metadata::Value;
use crate::names::Digest;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Lists the manifests whose subject is a digest, oldest first. The subject itself need not exist.
#[derive(Clone, Debug)]
pub struct ListImageReferrers {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The subject.
    pub subject: Digest,
    /// Only manifests of these artifact types; of any when there are none.
    pub artifact_types: Vec<String>,
    /// Only manifests of this status.
    pub artifact_status: ImageStatusFilter,
    /// Which page.
    pub page: PageRequest,
}

/// A manifest that refers to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    row: i64,
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// Its annotations, as a JSON object.
    pub annotations: String,
    /// Whether it can be pulled.
    pub status: ImageStatus,
}

/// A page of referrers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrers {
    /// The referrers.
    pub items: Vec<Referrer>,
    /// The sort key of the last one when there are more.
    pub next: Option<String>,
    /// Whether an upstream registry may have more.
    pub is_cache: bool,
}

impl Operation for ListImageReferrers {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "ListImageReferrers" };
    type Output = Referrers;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            self.repository
                .demand(registry_action!("BatchGetImage"))
                .with_key("tonnage:ImageDigest", vec![self.subject.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<Referrers> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let after: i64 = match self.page.after.as_deref() {
            None => 0,
            Some(after) => {
                after.parse().map_err(|_| Error::invalid_parameter("nextToken", "Invalid token"))?
            }
        };
        let rows = tx
            .all(
                "SELECT id, digest, media_type, manifest_size, artifact_type, annotations, status \
                 FROM images WHERE repository_id = $1 AND subject_digest = $2 AND id > $3 \
                 AND ($4 = 1 OR artifact_type IN_LIST($5)) \
                 AND (CAST($7 AS TEXT) IS NULL OR status = CAST($7 AS TEXT)) ORDER BY id LIMIT $6",
                params![
                    repository.id,
                    self.subject.as_str(),
                    after,
                    self.artifact_types.is_empty(),
                    Value::list(&self.artifact_types),
                    self.page.limit_and_one(),
                    self.artifact_status.wanted(),
                ],
            )
            .await?;
        let referrers = rows
            .iter()
            .map(|row| {
                Ok(Referrer {
                    row: row.get(0)?,
                    digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
                    media_type: row.get(2)?,
                    size: row.get(3)?,
                    artifact_type: row.get(4)?,
                    annotations: row.get(5)?,
                    status: ImageStatus::from_stored(&row.get::<String>(6)?)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let Page { items, next } = self.page.cut(referrers, |referrer| referrer.row.to_string());
        Ok(Referrers { items, next, is_cache: repository.is_cache })
    }
}
