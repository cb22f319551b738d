//! Principals whose pulls do not count for `lastRecordedPullTime`:
//! `RegisterPullTimeUpdateExclusion`, `DeregisterPullTimeUpdateExclusion`,
//! `ListPullTimeUpdateExclusions`. `images/pulls.rs` reads the rows when it writes the times.
//!
//! Source: Amazon ECR API reference, `RegisterPullTimeUpdateExclusion`.

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::pages::{Page, PageRequest};
use crate::{params, registries};

/// Exclusions per registry; the service quota of ECR.
const EXCLUSIONS_MAX: i64 = 100;

/// Adds a principal. Not idempotent, as in ECR.
#[derive(Clone, Debug)]
pub struct RegisterPullTimeUpdateExclusion {
    /// The ARN of a role or user, as the shape allows it.
    pub principal_arn: String,
}

impl Operation for RegisterPullTimeUpdateExclusion {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "RegisterPullTimeUpdateExclusion" };
    type Output = Millis;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:RegisterPullTimeUpdateExclusion", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Millis> {
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        let known = tx
            .all(
                "SELECT principal_arn FROM pull_time_exclusions WHERE registry_id = $1 LIMIT $2",
                params![registry_id, EXCLUSIONS_MAX],
            )
            .await?;
        for row in &known {
            if row.get::<String>(0)? == self.principal_arn {
                let exists = Error::new(
                    ErrorKind::ExclusionAlreadyExists,
                    format!(
                        "A pull time update exclusion for '{}' already exists in the registry \
                         with id '{}'",
                        self.principal_arn, call.context.account
                    ),
                );
                return call.refuse(tx, exists).await;
            }
        }
        if i64::try_from(known.len()).unwrap_or(i64::MAX) >= EXCLUSIONS_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "A registry can have at most {EXCLUSIONS_MAX} pull time update exclusions; \
                     deregister one first."
                ),
            ));
        }
        tx.execute(
            "INSERT INTO pull_time_exclusions (registry_id, principal_arn, created_at) \
             VALUES ($1, $2, $3)",
            params![registry_id, self.principal_arn, call.now()],
        )
        .await?;
        call.commit(tx).await?;
        Ok(call.now())
    }
}

/// Removes a principal.
#[derive(Clone, Debug)]
pub struct DeregisterPullTimeUpdateExclusion {
    /// The ARN that was registered.
    pub principal_arn: String,
}

impl Operation for DeregisterPullTimeUpdateExclusion {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeregisterPullTimeUpdateExclusion" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:DeregisterPullTimeUpdateExclusion", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let removed = match registries::find_addressed(&mut tx, &call).await? {
            None => 0,
            Some(registry_id) => {
                tx.execute(
                    "DELETE FROM pull_time_exclusions \
                     WHERE registry_id = $1 AND principal_arn = $2",
                    params![registry_id, &self.principal_arn],
                )
                .await?
            }
        };
        if removed == 0 {
            let missing = Error::new(
                ErrorKind::ExclusionNotFound,
                format!(
                    "There is no pull time update exclusion for '{}' in the registry with id '{}'",
                    self.principal_arn, call.context.account
                ),
            );
            return call.refuse(tx, missing).await;
        }
        call.commit(tx).await
    }
}

/// Lists the ARNs, in their order.
#[derive(Clone, Debug)]
pub struct ListPullTimeUpdateExclusions {
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListPullTimeUpdateExclusions {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "ListPullTimeUpdateExclusions" };
    type Output = Page<String>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:ListPullTimeUpdateExclusions", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<String>> {
        let mut tx = call.read().await?;
        let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let rows = tx
            .all(
                "SELECT principal_arn FROM pull_time_exclusions \
                 WHERE registry_id = $1 AND principal_arn > $2 ORDER BY principal_arn LIMIT $3",
                params![
                    registry_id,
                    self.page.after.as_deref().unwrap_or(""),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let items = rows.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<String>>>()?;
        Ok(self.page.cut(items, Clone::clone))
    }
}
