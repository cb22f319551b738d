//! `DeleteRepository`.

use super::{Repository, RepositoryAddress};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::names::{AccountId, RepositoryName};
use crate::{gallery, params, policies};

/// Deletes a repository; with `force`, with everything in it.
#[derive(Clone, Debug)]
pub struct DeleteRepository {
    /// The account, if not the one addressed.
    pub registry_id: Option<AccountId>,
    /// The name.
    pub name: RepositoryName,
    /// Whether images may be deleted with it.
    pub force: bool,
}

/// What becomes garbage with a repository: unfinished uploads and, unless something else holds
/// them, its blobs.
const QUEUE_GARBAGE: [&str; 2] = [
    "INSERT INTO garbage_objects (object_id, since) \
     SELECT object_id, CAST($2 AS BIGINT) FROM uploads WHERE repository_id = $1",
    "INSERT INTO garbage_candidates (repository_id, blob_id, since) \
     SELECT repository_id, blob_id, CAST($2 AS BIGINT) FROM repository_blobs \
     WHERE repository_id = $1 \
     ON CONFLICT (repository_id, blob_id) DO UPDATE SET since = excluded.since",
];

/// What refers to a repository, referrers before what they refer to.
const DELETE_IN_ORDER: [&str; 29] = [
    "DELETE FROM closed_findings WHERE image_id IN \
     (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM image_findings WHERE image_id IN (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM image_scans WHERE image_id IN (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM image_packages WHERE image_id IN (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM replicated_settings WHERE repository_id = $1",
    "DELETE FROM replication_queue WHERE repository_id = $1",
    "DELETE FROM replications WHERE image_id IN (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM image_signatures WHERE image_id IN \
     (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM arriving_images WHERE repository_id = $1",
    "DELETE FROM upstream_transfers WHERE repository_id = $1",
    "DELETE FROM uploads WHERE repository_id = $1",
    "DELETE FROM tags WHERE repository_id = $1",
    "DELETE FROM image_children WHERE image_id IN \
     (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM image_blobs WHERE image_id IN (SELECT id FROM images WHERE repository_id = $1)",
    "DELETE FROM images WHERE repository_id = $1",
    "DELETE FROM repository_blobs WHERE repository_id = $1",
    "DELETE FROM resource_tags WHERE repository_id = $1",
    "DELETE FROM lifecycle_preview_images WHERE preview_id IN \
     (SELECT preview_id FROM lifecycle_previews WHERE repository_id = $1)",
    "DELETE FROM lifecycle_previews WHERE repository_id = $1",
    "DELETE FROM lifecycle_expired_subjects WHERE repository_id = $1",
    "DELETE FROM lifecycle_policies WHERE repository_id = $1",
    "DELETE FROM image_shares WHERE repository_id = $1",
    "DELETE FROM public_catalog_data WHERE repository_id = $1",
    "DELETE FROM repository_activity WHERE repository_id = $1",
    "DELETE FROM public_pulls WHERE repository_id = $1",
    "DELETE FROM public_pull_networks WHERE repository_id = $1",
    "DELETE FROM gallery_words WHERE repository_id = $1",
    "DELETE FROM gallery_repositories WHERE repository_id = $1",
    "DELETE FROM repositories WHERE id = $1",
];

impl Operation for DeleteRepository {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeleteRepository" };
    type Output = Repository;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let address = RepositoryAddress::new(context, self.registry_id, self.name.clone());
        vec![address.demand(registry_action!("DeleteRepository"))]
    }

    async fn run(self, call: Call<'_>) -> Result<Repository> {
        let address = RepositoryAddress::new(call.context, self.registry_id, self.name);
        let mut tx = call.write().await?;
        let Some(repository) = super::find(&mut tx, &address).await? else {
            return call.refuse(tx, super::not_found(&address)).await;
        };
        if !self.force {
            let image = tx
                .optional(
                    "SELECT 1 FROM images WHERE repository_id = $1 LIMIT 1",
                    params![repository.id],
                )
                .await?;
            if image.is_some() {
                return Err(Error::new(
                    ErrorKind::RepositoryNotEmpty,
                    format!(
                        "The repository with name '{}' in registry with id '{}' cannot be deleted \
                         because it still contains images",
                        address.name, address.account
                    ),
                ));
            }
        }
        for statement in QUEUE_GARBAGE {
            tx.execute(statement, params![repository.id, call.now()]).await?;
        }
        policies::repository_policy::remove(&mut tx, &repository).await?;
        for statement in DELETE_IN_ORDER {
            tx.execute(statement, params![repository.id]).await?;
        }
        gallery::note(&mut tx, &call, &repository).await?;
        let event = Event::RepositoryDeleted { repository_name: address.name.to_string() };
        events::publish(&mut tx, &call, repository.registry_id, &event).await?;
        call.commit(tx).await?;
        call.app.garbage.wake();
        Ok(repository)
    }
}
