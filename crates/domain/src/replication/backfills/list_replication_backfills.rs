//! `ListReplicationBackfills`.

use super::{Backfill, from_row, select_backfills};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::pages::{Page, PageRequest};
use crate::{params, registries};

/// Lists the backfills of the addressed registry by id.
#[derive(Clone, Debug)]
pub struct ListReplicationBackfills {
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListReplicationBackfills {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "ListReplicationBackfills" };
    type Output = Page<Backfill>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:ListReplicationBackfills", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Backfill>> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let rows = tx
            .all(
                select_backfills!("WHERE registry_id = $1 AND id > $2 ORDER BY id LIMIT $3"),
                params![
                    registry_id,
                    self.page.after.as_deref().unwrap_or_default(),
                    self.page.limit_and_one(),
                ],
            )
            .await?;
        let mut backfills = Vec::with_capacity(rows.len());
        for row in &rows {
            backfills.push(from_row(&mut tx, row).await?);
        }
        Ok(self.page.cut(backfills, |backfill| backfill.id.clone()))
    }
}
