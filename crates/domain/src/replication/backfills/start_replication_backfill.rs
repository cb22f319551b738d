//! `StartReplicationBackfill`.

use super::super::{ReplicationConfiguration, ReplicationDestination};
use super::prepare::PrepareBackfill;
use super::{Backfill, BackfillStatus};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::registries::{self, Document as _};
use crate::{jobs, params};

/// Backfills of a registry that go on at a time (botocore `ecr`, `StartReplicationBackfill`).
const UNDER_WAY_MAX: usize = 10;

/// Copies every image that the rules for a destination match and that is there now. Not idempotent:
/// one goes on for a region at a time.
///
/// # Errors
/// `InvalidParameter` where no rule has the destination, [`ErrorKind::BackfillInProgress`],
/// [`ErrorKind::LimitExceeded`] past 10 in a registry.
#[derive(Clone, Debug)]
pub struct StartReplicationBackfill {
    /// Where to.
    pub destination: ReplicationDestination,
}

impl Operation for StartReplicationBackfill {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "StartReplicationBackfill" };
    type Output = Backfill;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:StartReplicationBackfill", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Backfill> {
        let ReplicationDestination { account, region } = &self.destination;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        let configuration = ReplicationConfiguration::load(&mut tx, Some(registry_id)).await?;
        if !configuration.has(&self.destination) {
            return Err(Error::invalid_parameter(
                "destination",
                "The destination must be one of the registry's replication configuration",
            ));
        }
        let under_way = tx
            .all(
                "SELECT region FROM replication_backfills WHERE registry_id = $1 \
                 AND status IN ('PREPARING', 'IN_PROGRESS') LIMIT $2",
                params![registry_id, UNDER_WAY_MAX],
            )
            .await?;
        for row in &under_way {
            if row.get::<String>(0)? == *region {
                let refusal = Error::new(
                    ErrorKind::BackfillInProgress,
                    format!("A replication backfill to the Region '{region}' is in progress."),
                );
                return call.refuse(tx, refusal).await;
            }
        }
        if under_way.len() >= UNDER_WAY_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("A registry can have at most {UNDER_WAY_MAX} backfills in progress."),
            ));
        }
        let backfill = Backfill {
            id: uuid::Uuid::new_v4().to_string(),
            destination: self.destination.clone(),
            status: BackfillStatus::Preparing,
            failure_code: None,
            progress: None,
            started_at: call.now(),
            ended_at: None,
            registry_id,
        };
        tx.execute(
            "INSERT INTO replication_backfills (id, registry_id, account_id, region, status, \
             failure_code, total, completed, failed, next_repository, next_image, started_at, \
             ended_at) VALUES ($1, $2, $3, $4, $5, NULL, 0, 0, 0, 0, 0, $6, NULL)",
            params![
                &backfill.id,
                registry_id,
                account,
                region,
                backfill.status.as_str(),
                backfill.started_at,
            ],
        )
        .await?;
        let job = PrepareBackfill::new(&call.context.account, &backfill.id);
        jobs::enqueue(&mut tx, call.app, &job, call.app.clock.now()).await?;
        call.commit(tx).await?;
        Ok(backfill)
    }
}
