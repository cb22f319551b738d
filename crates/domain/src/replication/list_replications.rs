//! `ListReplications`: where the copies of a repository's images stand, and how long they took.

use std::collections::BTreeMap;

use super::ReplicationDestination;
use super::describe_image_replication_status::{GIVEN_UP, ReplicationStatus, is_given_up};
use super::settings::{self, SettingStatus};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::images::tags;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Settings told: four for each of 250 destinations.
const SETTINGS_MAX: i64 = 1_000;

/// Lists the copies of a repository's images, newest image first, and with the first page what came
/// of its settings.
#[derive(Clone, Debug)]
pub struct ListReplications {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which page.
    pub page: PageRequest,
}

/// The newest copy of an image to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationDetail {
    /// The image.
    pub digest: Digest,
    /// The tags it has now.
    pub tags: Vec<Tag>,
    /// Where it goes.
    pub destination: ReplicationDestination,
    /// Where it stands.
    pub status: ReplicationStatus,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// When it was queued.
    pub queued_at: Millis,
    /// When it ended; the time between is the lag.
    pub ended_at: Option<Millis>,
    image_id: i64,
}

impl Operation for ListReplications {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListReplications" };
    type Output = (Page<ReplicationDetail>, Vec<SettingStatus>);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:ListReplications", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Self::Output> {
        let (image_id, region, account) = after(self.page.after.as_deref())?;
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let rows = tx
            .all(
                "SELECT images.id, images.digest, replications.account_id, replications.region, \
                 replications.status, replications.failure_code, replications.queued_at, \
                 replications.ended_at FROM images \
                 JOIN replications ON replications.image_id = images.id \
                 WHERE images.repository_id = $1 AND (images.id < $2 OR (images.id = $2 \
                 AND (replications.region > $3 OR (replications.region = $3 \
                 AND replications.account_id > $4)))) \
                 ORDER BY images.id DESC, replications.region, replications.account_id LIMIT $5",
                params![repository.id, image_id, region, account, self.page.limit_and_one()],
            )
            .await?;
        let mut given_up = BTreeMap::new();
        let mut copies = Vec::with_capacity(rows.len());
        for row in &rows {
            let destination = ReplicationDestination { account: row.get(2)?, region: row.get(3)? };
            let image_id: i64 = row.get(0)?;
            let mut copy = ReplicationDetail {
                digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
                tags: tags::of_image(&mut tx, image_id).await?,
                status: ReplicationStatus::from_stored(&row.get::<String>(4)?)?,
                failure_code: row.get(5)?,
                queued_at: row.get(6)?,
                ended_at: row.get(7)?,
                destination,
                image_id,
            };
            if copy.status == ReplicationStatus::InProgress {
                let is_dead = match given_up.get(&copy.destination) {
                    Some(is_dead) => *is_dead,
                    None => is_given_up(&mut tx, &repository, &copy.destination).await?,
                };
                given_up.insert(copy.destination.clone(), is_dead);
                if is_dead {
                    copy.status = ReplicationStatus::Failed;
                    copy.failure_code = Some(GIVEN_UP.to_owned());
                }
            }
            copies.push(copy);
        }
        let settings = match self.page.after {
            None => settings::statuses(&mut tx, repository.id, SETTINGS_MAX).await?,
            Some(_) => Vec::new(),
        };
        let key = |copy: &ReplicationDetail| {
            let ReplicationDestination { region, account } = &copy.destination;
            format!("{} {region} {account}", copy.image_id)
        };
        Ok((self.page.cut(copies, key), settings))
    }
}

fn after(token: Option<&str>) -> Result<(i64, &str, &str)> {
    let Some(token) = token else { return Ok((i64::MAX, "", "")) };
    let mut parts = token.splitn(3, ' ');
    let id = parts.next().and_then(|id| id.parse().ok());
    match (id, parts.next(), parts.next()) {
        (Some(id), Some(region), Some(account)) => Ok((id, region, account)),
        _ => Err(Error::invalid_parameter("after", "Invalid token")),
    }
}
