//! Moving and removing tags. Every way a tag can change goes through here, so the immutability
//! rule is enforced in one place, in the transaction of the change.

use super::ImageRecord;
use super::precondition::Precondition;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::gallery;
use crate::names::{Digest, Tag};
use crate::params;
use crate::repositories::Repository;
use crate::scanning::review_findings;

/// Tags per image; ECR's quota.
const TAGS_PER_IMAGE_MAX: i64 = 1_000;

/// What putting a tag came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The tag is new, or names another image now.
    Moved,
    /// The tag named the image already.
    Unchanged,
}

/// A tag that does not exist or may move, in the transaction that found it so.
pub(crate) struct Movable<'t> {
    tag: &'t Tag,
    current: Option<ImageRecord>,
}

impl Movable<'_> {
    pub(super) fn tag(&self) -> &Tag {
        self.tag
    }
}

/// Whether `tag` may come to name an image. The refusal is [`ErrorKind::TagMoved`] when it is not
/// what the client said, and [`ErrorKind::ImageTagAlreadyExists`]
/// when the tag exists and may not move, even to the image it already names, as in ECR.
pub(crate) async fn movable<'t>(
    tx: &mut Tx,
    repository: &Repository,
    tag: &'t Tag,
    condition: &Precondition,
) -> Result<Result<Movable<'t>, Error>> {
    let current = super::find_by_tag(tx, repository, tag).await?;
    if let Some(refusal) = condition.refusal(&format!("The image tag '{tag}'"), current.as_ref()) {
        return Ok(Err(refusal));
    }
    if current.is_some() && !repository.tag_mutability.may_move(tag) {
        return Ok(Err(Error::new(
            ErrorKind::ImageTagAlreadyExists,
            format!(
                "The image tag '{tag}' already exists in the '{}' repository and cannot be \
                 overwritten because the tag is immutable.",
                repository.address.name
            ),
        )));
    }
    Ok(Ok(Movable { tag, current }))
}

/// Makes a tag name `image`.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`] when the image has too many tags.
pub(crate) async fn put(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    Movable { tag, current }: Movable<'_>,
    image_id: i64,
    digest: &Digest,
) -> Result<Put> {
    if current.as_ref().is_some_and(|current| current.id == image_id) {
        return Ok(Put::Unchanged);
    }
    let full = tx
        .optional(
            "SELECT 1 FROM tags WHERE image_id = $1 LIMIT 1 OFFSET $2",
            params![image_id, TAGS_PER_IMAGE_MAX - 1],
        )
        .await?;
    if full.is_some() {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("An image can have at most {TAGS_PER_IMAGE_MAX} tags."),
        ));
    }
    let version = call.next_id();
    tx.execute(
        "INSERT INTO tags (repository_id, name, image_id, version, updated_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (repository_id, name) DO UPDATE SET \
         image_id = excluded.image_id, version = excluded.version, \
         updated_at = excluded.updated_at, validated_at = NULL",
        params![repository.id, tag.as_str(), image_id, version, call.now()],
    )
    .await?;
    let previous = current.map(|current| current.digest);
    record(tx, call, repository, tag, version, Some(digest), previous.as_ref()).await?;
    gallery::note(tx, call, repository).await?;
    review_findings::note_tags(tx, call, repository).await?;
    Ok(Put::Moved)
}

/// Removes a tag from the image it names.
pub(crate) async fn remove(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    tag: &Tag,
    image: &ImageRecord,
) -> Result<()> {
    tx.execute(
        "DELETE FROM tags WHERE repository_id = $1 AND name = $2",
        params![repository.id, tag.as_str()],
    )
    .await?;
    let version = call.next_id();
    gallery::note(tx, call, repository).await?;
    review_findings::note_tags(tx, call, repository).await?;
    record(tx, call, repository, tag, version, None, Some(&image.digest)).await
}

/// The tags of an image, by name.
pub(crate) async fn of_image(tx: &mut Tx, image_id: i64) -> Result<Vec<Tag>> {
    let rows = tx
        .all(
            "SELECT name FROM tags WHERE image_id = $1 ORDER BY name LIMIT $2",
            params![image_id, TAGS_PER_IMAGE_MAX],
        )
        .await?;
    rows.iter().map(|row| Tag::parse(&row.get::<String>(0)?).map_err(Error::internal)).collect()
}

async fn record(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    tag: &Tag,
    version: i64,
    digest: Option<&Digest>,
    previous: Option<&Digest>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO tag_history (id, repository_id, tag, version, digest, previous_digest, \
         principal_arn, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            call.next_id(),
            repository.id,
            tag.as_str(),
            version,
            digest.map(Digest::as_str),
            previous.map(Digest::as_str),
            &call.context.principal.arn,
            call.now(),
        ],
    )
    .await?;
    Ok(())
}
