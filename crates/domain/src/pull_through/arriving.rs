//! Images whose manifests are there and whose layers or children are not yet.
//!
//! What an image waits for are its own edges: rows of `image_blobs` and `image_children` that name a
//! digest and no row. They are filled in by whatever brings the blob or the child, in its own
//! transaction. A row of `arriving_images` says that somebody must fetch them.

use serde::{Deserialize, Serialize};

use super::complete::CompleteImages;
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::images::manifest::Manifest;
use crate::names::{Digest, Tag};
use crate::replication::{self, Change};
use crate::repositories::Repository;
use crate::{jobs, params};

/// Indexes below indexes that are followed unasked. What lies deeper comes when it is asked for.
const DEPTH_MAX: u64 = 3;
/// How often the rest of an image is fetched unasked before it is left until somebody asks for it.
const ATTEMPTS_MAX: u32 = 10;
/// The pause after the first failure, in seconds; it doubles with every further one.
const PAUSE_SECONDS: i64 = 15;

/// An image that was just stored.
#[derive(Clone, Copy)]
pub(super) struct Arriving<'m> {
    pub(super) image_id: i64,
    pub(super) manifest: &'m Manifest,
    pub(super) digest: &'m Digest,
}

/// What an image waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Layers and the configuration; foreign layers are not waited for.
    pub blobs: Vec<Digest>,
    /// Images below an index.
    pub children: Vec<Digest>,
}

impl Missing {
    /// Whether it waits for nothing.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.children.is_empty()
    }

    pub(super) async fn of(tx: &mut Tx, image_id: i64, manifest: &Manifest) -> Result<Self> {
        let rows = tx
            .all(
                "SELECT DISTINCT digest FROM image_blobs WHERE image_id = $1 AND blob_id IS NULL",
                params![image_id],
            )
            .await?;
        let without: Vec<String> = rows.iter().map(|row| Ok(row.get(0)?)).collect::<Result<_>>()?;
        let mut blobs: Vec<Digest> = Vec::new();
        for required in manifest.required_blobs() {
            let is_missing = without.iter().any(|digest| digest == required.digest.as_str());
            if is_missing && !blobs.contains(&required.digest) {
                blobs.push(required.digest.clone());
            }
        }
        let rows = tx
            .all(
                "SELECT digest, MIN(position) FROM image_children \
                 WHERE image_id = $1 AND child_image_id IS NULL GROUP BY digest ORDER BY 2",
                params![image_id],
            )
            .await?;
        let children = rows
            .iter()
            .map(|row| Digest::parse(&row.get::<String>(0)?).map_err(Error::internal))
            .collect::<Result<_>>()?;
        Ok(Self { blobs, children })
    }
}

/// The tags that came with an image, and nothing for one that came without.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Changes(Vec<Option<String>>);

impl Changes {
    fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(Error::internal)
    }

    fn with(mut self, changes: &[Option<Tag>]) -> Self {
        for change in changes {
            let change = change.as_ref().map(ToString::to_string);
            if !self.0.contains(&change) {
                self.0.push(change);
            }
        }
        self
    }

    fn tags(&self) -> Result<Vec<Option<Tag>>> {
        let parse = |tag: &String| Tag::parse(tag).map_err(Error::internal);
        self.0.iter().map(|tag| tag.as_ref().map(parse).transpose()).collect()
    }
}

/// Notes what an image waits for, and has it fetched; one that waits for nothing has arrived.
pub(super) async fn note(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image: Arriving<'_>,
    changes: Vec<Option<Tag>>,
    depth: u64,
) -> Result<()> {
    let missing = Missing::of(tx, image.image_id, image.manifest).await?;
    if missing.is_empty() {
        return arrived(tx, call, repository, image.image_id, image.digest, &changes).await;
    }
    let known = tx
        .optional(
            "SELECT tags, depth FROM arriving_images WHERE image_id = $1",
            params![image.image_id],
        )
        .await?;
    let (known, depth) = match known {
        None => (Changes::default(), depth),
        Some(row) => (Changes::read(&row.get::<String>(0)?)?, depth.min(row.get(1)?)),
    };
    let now = call.app.clock.now();
    let is_fetched = call.app.settings.pull_through_whole_images && depth <= DEPTH_MAX;
    let try_at = is_fetched.then_some(now);
    tx.execute(
        "INSERT INTO arriving_images (image_id, repository_id, tags, depth, attempts, try_at, \
         arrived_at) VALUES ($1, $2, $3, $4, 0, $5, $6) ON CONFLICT (image_id) DO UPDATE SET \
         tags = excluded.tags, depth = excluded.depth, attempts = 0, try_at = excluded.try_at",
        params![
            image.image_id,
            repository.id,
            serde_json::to_string(&known.with(&changes)).map_err(Error::internal)?,
            depth,
            try_at,
            now,
        ],
    )
    .await?;
    if is_fetched {
        let job = CompleteImages::new(&repository.address.account, repository.id);
        jobs::enqueue(tx, call.app, &job, now).await?;
    }
    Ok(())
}

/// An image with everything that it refers to is there: from here on it is like any other.
pub(super) async fn arrived(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image_id: i64,
    digest: &Digest,
    changes: &[Option<Tag>],
) -> Result<()> {
    let row = tx
        .optional("SELECT tags FROM arriving_images WHERE image_id = $1", params![image_id])
        .await?;
    let known = row.map_or(Ok(Changes::default()), |row| Changes::read(&row.get::<String>(0)?))?;
    tx.execute("DELETE FROM arriving_images WHERE image_id = $1", params![image_id]).await?;
    let changes = known.with(changes).tags()?;
    replication::note(tx, call, repository, Change::Push, digest, &changes).await
}

/// An index that waits for an image.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    /// What it says the image is.
    pub(super) media_type: String,
    /// How many bytes it says the image's manifest has.
    pub(super) size: u64,
    /// How many indexes led to it.
    pub(super) depth: u64,
}

/// The indexes of a repository that wait for an image.
pub(super) async fn parents(
    tx: &mut Tx,
    repository_id: i64,
    digest: &Digest,
) -> Result<Vec<Parent>> {
    let rows = tx
        .all(
            "SELECT image_children.media_type, image_children.size, \
             COALESCE(arriving_images.depth, 0) FROM image_children \
             JOIN images ON images.id = image_children.image_id \
             LEFT JOIN arriving_images ON arriving_images.image_id = images.id \
             WHERE image_children.digest = $2 AND image_children.child_image_id IS NULL \
             AND images.repository_id = $1 AND images.status = 'ACTIVE' \
             ORDER BY images.id LIMIT 100",
            params![repository_id, digest.as_str()],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(Parent { media_type: row.get(0)?, size: row.get(1)?, depth: row.get(2)? }))
        .collect()
}

/// An image of a repository that waits for something.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) image_id: i64,
    pub(super) digest: Digest,
    attempts: u32,
}

/// The image whose turn it is.
pub(super) async fn next(tx: &mut Tx, repository_id: i64, now: Millis) -> Result<Option<Waiting>> {
    let row = tx
        .optional(
            "SELECT images.id, images.digest, arriving_images.attempts FROM arriving_images \
             JOIN images ON images.id = arriving_images.image_id \
             WHERE arriving_images.repository_id = $1 AND arriving_images.try_at <= $2 \
             ORDER BY arriving_images.try_at, images.id LIMIT 1",
            params![repository_id, now],
        )
        .await?;
    row.map(|row| {
        Ok(Waiting {
            image_id: row.get(0)?,
            digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            attempts: row.get(2)?,
        })
    })
    .transpose()
}

/// When the next image of a repository has its turn, if one ever has.
pub(super) async fn next_turn(tx: &mut Tx, repository_id: i64) -> Result<Option<Millis>> {
    let row = tx
        .optional(
            "SELECT MIN(try_at) FROM arriving_images WHERE repository_id = $1",
            params![repository_id],
        )
        .await?;
    Ok(row.map_or(Ok(None), |row| row.get(0))?)
}

/// Something of an image could not be fetched: later again, or when somebody asks for it.
pub(super) async fn put_off(tx: &mut Tx, app: &App, waiting: &Waiting) -> Result<()> {
    let attempts = waiting.attempts + 1;
    let pause = PAUSE_SECONDS << waiting.attempts.min(10);
    let try_at = (attempts < ATTEMPTS_MAX).then(|| app.clock.now().plus_seconds(pause));
    if try_at.is_none() {
        tracing::warn!(
            digest = %waiting.digest,
            "an image from an upstream registry stays incomplete until somebody asks for the rest"
        );
    }
    tx.execute(
        "UPDATE arriving_images SET attempts = $2, try_at = $3 WHERE image_id = $1",
        params![waiting.image_id, attempts, try_at],
    )
    .await?;
    Ok(())
}
