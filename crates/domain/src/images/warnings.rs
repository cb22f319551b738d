//! What is odd about a manifest that is stored all the same, for people to read.

use std::collections::HashSet;

use super::manifest::Manifest;
use crate::error::Result;
use crate::execute::Tx;
use crate::names::Tag;
use crate::params;
use crate::repositories::Repository;

/// Sentences of visible ASCII without quotation marks; each at most 300 characters.
pub(super) async fn of(
    tx: &mut Tx,
    repository: &Repository,
    manifest: &Manifest,
    image_id: i64,
    tags: &[Tag],
    may_miss: bool,
) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if manifest.media_type_is_inferred {
        warnings.push(format!(
            "Neither the manifest nor the request says what the manifest is; it is stored as {}.",
            manifest.media_type
        ));
    }
    let foreign = manifest.layers.iter().filter(|layer| layer.is_foreign()).count();
    if foreign > 0 {
        warnings.push(format!(
            "{foreign} layers may live elsewhere; this registry serves only those that were pushed."
        ));
    }
    let missing = if may_miss { missing(tx, manifest, image_id).await? } else { 0 };
    if missing > 0 {
        warnings.push(format!(
            "{missing} layers or images that the manifest refers to are not in the repository."
        ));
    }
    if let Some(subject) = &manifest.subject
        && super::find_by_digest(tx, repository, &subject.digest).await?.is_none()
    {
        warnings.push(format!("The subject {} is not in the repository.", subject.digest));
    }
    if let Some(tag) = tags.iter().find(|tag| is_referrers_tag(tag)) {
        warnings.push(format!(
            "The tag {tag} follows the referrers tag schema, which this registry does not need: \
             it serves the referrers API."
        ));
    }
    Ok(warnings)
}

/// How many layers and children the repository does not have and should.
async fn missing(tx: &mut Tx, manifest: &Manifest, image_id: i64) -> Result<usize> {
    let blobs = tx
        .all(
            "SELECT DISTINCT digest FROM image_blobs WHERE image_id = $1 AND blob_id IS NULL",
            params![image_id],
        )
        .await?;
    let mut missing = HashSet::with_capacity(blobs.len());
    for row in &blobs {
        missing.insert(row.get::<String>(0)?);
    }
    for layer in manifest.layers.iter().filter(|layer| layer.is_foreign()) {
        missing.remove(layer.digest.as_str());
    }
    let children = tx
        .all(
            "SELECT DISTINCT digest FROM image_children \
             WHERE image_id = $1 AND child_image_id IS NULL",
            params![image_id],
        )
        .await?;
    Ok(missing.len() + children.len())
}

/// The tag that clients keep referrers under where there is no referrers API: `sha256-{hex}`, and
/// nothing after it, unlike the tags of cosign.
fn is_referrers_tag(tag: &Tag) -> bool {
    let hex = tag.as_str().strip_prefix("sha256-").or(tag.as_str().strip_prefix("sha512-"));
    hex.is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
