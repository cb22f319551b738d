//! Manifests held against what was stored from them at their push. For `fsck` and the scrub.

use bytes::Bytes;

use super::manifest::Manifest;
use super::put_image::{CONFIG_POSITION, PARSER_VERSION, kind_text, platform_text};
use super::{ImageRecord, ImageStatus, manifest_of_account};
use crate::app::App;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::Tx;
use crate::names::{AccountId, Digest};
use crate::params;

/// An image of some repository.
pub(crate) struct Subject {
    pub(crate) id: i64,
    /// `{account}/{region}/{repository}@{digest}`.
    pub(crate) name: String,
    account: String,
    digest: String,
    media_type: String,
    parser_version: i64,
    stored: Stored,
}

/// What the image's row says of its manifest.
#[derive(PartialEq)]
struct Stored {
    kind: String,
    media_type: String,
    artifact_type: Option<String>,
    config_media_type: Option<String>,
    subject_digest: Option<String>,
    annotations: String,
    size: u64,
}

/// An edge as stored: position, digest, media type, size, platform, and whether it leads to a row.
type Edge = (i64, String, String, u64, String, bool);

/// The image of a row.
pub(crate) async fn load(tx: &mut Tx, id: i64) -> Result<Option<Subject>> {
    let page = page(tx, id.saturating_sub(1), 1).await?;
    Ok(page.into_iter().find(|image| image.id == id))
}

/// Images whose ids follow `after`.
pub(crate) async fn page(tx: &mut Tx, after: i64, limit: usize) -> Result<Vec<Subject>> {
    let rows = tx
        .all(
            "SELECT images.id, images.digest, images.media_type, images.parser_version, \
             images.kind, images.artifact_type, images.config_media_type, images.subject_digest, \
             images.annotations, images.manifest_size, registries.account_id, registries.region, \
             repositories.name FROM images \
             JOIN repositories ON repositories.id = images.repository_id \
             JOIN registries ON registries.id = repositories.registry_id \
             WHERE images.id > $1 ORDER BY images.id LIMIT $2",
            params![after, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let (account, region): (String, String) = (row.get(10)?, row.get(11)?);
            let (digest, repository): (String, String) = (row.get(1)?, row.get(12)?);
            let media_type: String = row.get(2)?;
            Ok(Subject {
                id: row.get(0)?,
                name: format!("{account}/{region}/{repository}@{digest}"),
                account,
                digest,
                parser_version: row.get(3)?,
                stored: Stored {
                    kind: row.get(4)?,
                    media_type: media_type.clone(),
                    artifact_type: row.get(5)?,
                    config_media_type: row.get(6)?,
                    subject_digest: row.get(7)?,
                    annotations: row.get(8)?,
                    size: row.get(9)?,
                },
                media_type,
            })
        })
        .collect()
}

/// Why the manifest is not the one that was pushed, if so.
///
/// # Errors
/// When metadata cannot be read.
pub(crate) async fn content_problem(
    app: &App,
    tx: &mut Tx,
    image: &Subject,
) -> Result<Option<String>> {
    Ok(manifest(app, tx, image).await?.err())
}

/// The manifest's bytes, or why they are not those that were pushed.
async fn manifest(app: &App, tx: &mut Tx, image: &Subject) -> Result<Result<Bytes, String>> {
    let (account, expected) = match (AccountId::parse(&image.account), Digest::parse(&image.digest))
    {
        (Ok(account), Ok(digest)) => (account, digest),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error.to_string())),
    };
    let record = ImageRecord {
        id: image.id,
        digest: expected.clone(),
        media_type: image.media_type.clone(),
        // Archived or not, it is examined alike.
        status: ImageStatus::Active,
        validated_at: None,
    };
    let bytes: Bytes = match manifest_of_account(app, tx, &account, &record).await {
        Ok(bytes) => bytes,
        // Nothing is known of the manifest when the database does not answer.
        Err(error) if error.kind() != ErrorKind::Internal => return Err(error),
        Err(error) => {
            return Ok(Err(format!("its manifest cannot be read: {}", chain(&error))));
        }
    };
    let digest = Digest::of(expected.algorithm(), &bytes);
    if digest == expected {
        Ok(Ok(bytes))
    } else {
        Ok(Err(format!("its manifest has the digest {digest}")))
    }
}

/// What is wrong with an image, in sentences without full stops.
pub(crate) async fn problems(app: &App, tx: &mut Tx, image: &Subject) -> Result<Vec<String>> {
    let bytes = match manifest(app, tx, image).await? {
        Ok(bytes) => bytes,
        Err(problem) => return Ok(vec![problem]),
    };
    let manifest = match Manifest::parse(&bytes, Some(&image.media_type)) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(vec![format!("its manifest is not valid: {error}")]),
    };
    if image.parser_version != PARSER_VERSION {
        return Ok(Vec::new());
    }
    let mut problems = Vec::new();
    if image.stored != described(&manifest, bytes.len() as u64)? {
        problems.push("its row does not say what its manifest says".to_owned());
    }
    if !agree(&expected_blobs(&manifest), &blob_edges(tx, image.id).await?) {
        problems.push("its edges to blobs are not those of its manifest".to_owned());
    }
    if !agree(&expected_children(&manifest), &child_edges(tx, image.id).await?) {
        problems.push("its edges to images are not those of its manifest".to_owned());
    }
    Ok(problems)
}

fn described(manifest: &Manifest, size: u64) -> Result<Stored> {
    Ok(Stored {
        kind: kind_text(manifest.kind()).to_owned(),
        media_type: manifest.media_type.as_str().to_owned(),
        artifact_type: manifest.artifact_type.clone(),
        config_media_type: manifest.config.as_ref().map(|config| config.media_type.clone()),
        subject_digest: manifest.subject.as_ref().map(|subject| subject.digest.to_string()),
        annotations: serde_json::to_string(&manifest.annotations).map_err(Error::internal)?,
        size,
    })
}

/// Whether the edges are those expected; those that need not lead to a row may.
fn agree(expected: &[Edge], stored: &[Edge]) -> bool {
    expected.len() == stored.len()
        && expected.iter().zip(stored).all(|(expected, stored)| {
            let mut stored = stored.clone();
            stored.5 &= expected.5;
            stored == *expected
        })
}

async fn blob_edges(tx: &mut Tx, image: i64) -> Result<Vec<Edge>> {
    edges(
        tx,
        "SELECT position, digest, media_type, size, '', blob_id FROM image_blobs \
         WHERE image_id = $1 ORDER BY position",
        image,
    )
    .await
}

async fn child_edges(tx: &mut Tx, image: i64) -> Result<Vec<Edge>> {
    edges(
        tx,
        "SELECT position, digest, media_type, size, platform, child_image_id FROM image_children \
         WHERE image_id = $1 ORDER BY position",
        image,
    )
    .await
}

async fn edges(tx: &mut Tx, sql: &'static str, image: i64) -> Result<Vec<Edge>> {
    let rows = tx.all(sql, params![image]).await?;
    rows.iter()
        .map(|row| {
            let leads = row.get::<Option<i64>>(5)?.is_some();
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, leads))
        })
        .collect()
}

/// A foreign layer need not lead to a row.
fn expected_blobs(manifest: &Manifest) -> Vec<Edge> {
    let config = manifest.config.iter().map(|config| (CONFIG_POSITION, config));
    config
        .chain((0_i64..).zip(&manifest.layers))
        .map(|(position, descriptor)| {
            let media_type = descriptor.media_type.clone();
            let digest = descriptor.digest.to_string();
            let leads = !descriptor.is_foreign();
            (position, digest, media_type, descriptor.size, String::new(), leads)
        })
        .collect()
}

fn expected_children(manifest: &Manifest) -> Vec<Edge> {
    (0_i64..)
        .zip(&manifest.children)
        .map(|(position, child)| {
            let descriptor = &child.descriptor;
            let (digest, media_type) = (descriptor.digest.to_string(), &descriptor.media_type);
            (position, digest, media_type.clone(), descriptor.size, platform_text(child), true)
        })
        .collect()
}
