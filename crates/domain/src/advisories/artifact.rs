//! Sources that are artifacts of a registry: a manifest with one layer, which is the file.
//!
//! Requests go the way of the pull-through cache, so they pass the guard of all requests to others.
//! The manifest's digest is what an unchanged source is known by; that of the layer is verified.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::timeout;

use super::import::Failure;
use super::source::{Artifact, Fetched, Known};
use super::sync::blocking;
use crate::app::App;
use crate::names::{Digest, Hasher};
use crate::pull_through::upstream::{Credentials, Origin, UpstreamError};

/// Bytes of a layer.
const BYTES_MAX: u64 = 16 << 30;
/// How long the whole may take.
const TIME: Duration = Duration::from_secs(3 * 3600);
/// Bytes of a file with a credential.
const CREDENTIAL_BYTES_MAX: u64 = 16 << 10;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
}

/// Fetches the file of an artifact, unless it is the one that is known.
pub(super) async fn fetch(
    app: &App,
    artifact: &Artifact,
    known: &Known,
) -> Result<Fetched, Failure> {
    let late = || Failure::Passing("it takes more than three hours".to_owned());
    timeout(TIME, fetch_patiently(app, artifact, known)).await.map_err(|_| late())?
}

async fn fetch_patiently(
    app: &App,
    artifact: &Artifact,
    known: &Known,
) -> Result<Fetched, Failure> {
    let credentials = match artifact.credential_file.clone() {
        Some(file) => Some(blocking(move || credentials(&file)).await?.map_err(Failure::Refused)?),
        None => None,
    };
    let origin = Origin { url: artifact.url.clone(), credentials };
    let repository = artifact.repository.as_str();
    let manifest = app.upstreams.manifest(&origin, repository, &artifact.reference).await;
    let manifest = manifest.map_err(|error| failure(&error))?;
    let digest = manifest.digest.to_string();
    if known.etag.as_ref() == Some(&digest) {
        return Ok(Fetched::Unchanged);
    }
    let parsed: Manifest = serde_json::from_slice(&manifest.bytes)
        .map_err(|error| Failure::Refused(format!("the manifest cannot be read: {error}")))?;
    let [layer] = parsed.layers.as_slice() else {
        return Err(Failure::Refused(format!(
            "the manifest has {} layers; an artifact with advisories has one, which is the file",
            parsed.layers.len()
        )));
    };
    let layer_digest = Digest::parse(&layer.digest).map_err(|error| {
        Failure::Refused(format!("the digest of the layer cannot be used: {error}"))
    })?;
    if layer.size > BYTES_MAX {
        return Err(Failure::Refused(format!("the layer has more than {BYTES_MAX} bytes")));
    }
    let blob = app
        .upstreams
        .blob(&origin, repository, &layer_digest)
        .await
        .map_err(|error| failure(&error))?;
    let scratch = app.settings.scan_scratch.clone();
    let made = blocking(move || {
        std::fs::create_dir_all(&scratch)?;
        tempfile::NamedTempFile::new_in(&scratch)
    });
    let unwritten = |error: std::io::Error| {
        Failure::Passing(format!("what is fetched cannot be written: {error}"))
    };
    let mut file = made.await?.map_err(unwritten)?;
    let mut hasher = Hasher::new(layer_digest.algorithm());
    let mut body = blob.body;
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| failure(&error))?;
        if hasher.length() + bytes.len() as u64 > layer.size {
            return Err(Failure::Refused(format!(
                "the layer is longer than {} bytes, which the manifest says",
                layer.size
            )));
        }
        hasher.update(&bytes);
        file = blocking(move || file.write_all(&bytes).map(|()| file)).await?.map_err(unwritten)?;
    }
    if hasher.length() != layer.size || hasher.finish() != layer_digest {
        // It may have broken off.
        return Err(Failure::Passing(format!(
            "the layer does not have the size and the digest {layer_digest} of the manifest"
        )));
    }
    let known = Known { etag: Some(digest), last_modified: None };
    Ok(Fetched::File { file: file.into_temp_path(), known })
}

fn failure(error: &UpstreamError) -> Failure {
    match error.is_transient() {
        true => Failure::Passing(error.to_string()),
        false => Failure::Refused(error.to_string()),
    }
}

/// What is in a file with `USER:PASSWORD`. Nothing that goes wrong repeats it.
fn credentials(path: &Path) -> Result<Credentials, String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(CREDENTIAL_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| format!("the credential in {} cannot be read: {error}", path.display()))?;
    let (username, password) = text
        .trim()
        .split_once(':')
        .ok_or_else(|| format!("{} does not hold USER:PASSWORD", path.display()))?;
    let password = SecretString::from(password);
    Ok(Credentials { username: username.to_owned(), password })
}
