//! VEX documents beside an image: artifacts that have the image, or an index that it is in, as their
//! subject. Who may push into a repository may say what its images are affected by. Beside them
//! there are those that hold for the registry.
//!
//! Source: OpenVEX specification, "Attaching OpenVEX documents"; OCI image specification,
//! "Guidelines for artifact usage".

use std::collections::HashSet;

use tonnage_scanner::Purl;
use tonnage_scanner::vex::{self, Decision, Document, Place, Target};

use super::findings::Finding;
use super::review_findings::ReviewFindings;
use super::suppression::Suppression;
use super::vex_documents;
use crate::blobs::get_blob::GetBlob;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx, execute};
use crate::jobs::Run;
use crate::metadata::Value;
use crate::names::Digest;
use crate::params;
use crate::repositories::{Repository, RepositoryAddress};
use crate::services;

/// Types of artifacts that are documents of OpenVEX, or of CSAF's profile for VEX.
const ARTIFACT_TYPES: [&str; 7] = [
    "application/csaf+json",
    "application/json+openvex",
    "application/openvex+json",
    "application/vnd.csaf+json",
    "application/vnd.csaf.vex+json",
    "application/vnd.openvex+json",
    "text/openvex+json",
];
/// Artifacts beside one image that are read, the newest; and documents of one artifact.
const ARTIFACTS_MAX: usize = 16;
const DOCUMENTS_MAX: usize = 4;
/// The longest document that is read, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
/// Indexes that an image is looked for in.
const INDEXES_MAX: usize = 20;
/// Documents that could not be read and are told of.
const REMARKS_MAX: usize = 3;

/// Whether artifacts of a type are VEX documents.
pub(crate) fn is_artifact_type(artifact_type: &str) -> bool {
    ARTIFACT_TYPES.contains(&artifact_type)
}

/// The documents beside an image, and those of its registry.
#[derive(Debug, Default)]
pub(crate) struct Vex {
    /// The image's digest, and those of the indexes that it is in.
    digests: Vec<String>,
    artifacts: Vec<Artifact>,
    documents: Vec<Document>,
    /// Of which artifact each document is.
    sources: Vec<String>,
    refused: Vec<String>,
    /// Name and digest of each document of the registry.
    registry_names: Vec<(String, String)>,
    registry_documents: Vec<Document>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Artifact {
    image_id: i64,
    digest: String,
}

/// The digests that statements may name an image by, its own first.
async fn digests(tx: &mut Tx, image_id: i64) -> Result<Vec<String>> {
    let rows = tx
        .all(
            "SELECT digest, 0 FROM images WHERE id = $1 UNION ALL \
             SELECT DISTINCT images.digest, 1 FROM image_children \
             JOIN images ON images.id = image_children.image_id \
             WHERE image_children.child_image_id = $1 ORDER BY 2, 1 LIMIT $2",
            params![image_id, INDEXES_MAX],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// The artifacts beside an image, the oldest first.
async fn artifacts(tx: &mut Tx, repository_id: i64, subjects: &[String]) -> Result<Vec<Artifact>> {
    let rows = tx
        .all(
            "SELECT id, digest FROM images WHERE repository_id = $1 AND subject_digest IN_LIST($2) \
             AND artifact_type IN_LIST($3) AND status = 'ACTIVE' \
             ORDER BY pushed_at DESC, id DESC LIMIT $4",
            params![
                repository_id,
                Value::list(subjects),
                Value::list(ARTIFACT_TYPES),
                ARTIFACTS_MAX
            ],
        )
        .await?;
    let mut found = rows
        .iter()
        .map(|row| Ok(Artifact { image_id: row.get(0)?, digest: row.get(1)? }))
        .collect::<Result<Vec<_>>>()?;
    found.reverse();
    Ok(found)
}

/// The images of a range that have documents beside them, or beside an index that they are in.
pub(super) async fn beside(tx: &mut Tx, (first, last): (i64, i64)) -> Result<HashSet<i64>> {
    let rows = tx
        .all(
            "SELECT images.id FROM images JOIN images AS artifacts \
             ON artifacts.repository_id = images.repository_id \
             AND artifacts.subject_digest = images.digest \
             WHERE images.id >= $1 AND images.id <= $2 AND artifacts.artifact_type IN_LIST($3) \
             UNION SELECT image_children.child_image_id FROM image_children \
             JOIN images ON images.id = image_children.image_id JOIN images AS artifacts \
             ON artifacts.repository_id = images.repository_id \
             AND artifacts.subject_digest = images.digest \
             WHERE image_children.child_image_id >= $1 AND image_children.child_image_id <= $2 \
             AND artifacts.artifact_type IN_LIST($3)",
            params![first, last, Value::list(ARTIFACT_TYPES)],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

impl Vex {
    /// Reads what is beside an image. What cannot be read is left out, and told by [`Vex::remark`].
    pub(super) async fn read(
        run: &Run<'_>,
        repository: &Repository,
        image_id: i64,
    ) -> Result<Self> {
        let mut tx = run.read().await?;
        let digests = digests(&mut tx, image_id).await?;
        let artifacts = artifacts(&mut tx, repository.id, &digests).await?;
        let mut read = Self { digests, artifacts, ..Self::default() };
        let mut blobs = Vec::new();
        for artifact in &read.artifacts {
            let rows = tx
                .all(
                    "SELECT digest, size FROM image_blobs WHERE image_id = $1 AND position >= 0 \
                     ORDER BY position LIMIT $2",
                    params![artifact.image_id, DOCUMENTS_MAX],
                )
                .await?;
            for row in &rows {
                blobs.push((artifact.digest.clone(), row.get::<String>(0)?, row.get::<u64>(1)?));
            }
        }
        read.registry_names = vex_documents::names(&mut tx, repository.registry_id).await?;
        let texts = match read.registry_names.is_empty() {
            true => Vec::new(),
            false => vex_documents::texts(&mut tx, repository.registry_id).await?,
        };
        drop(tx);
        read.registry_documents = parsed(texts).await?;
        for (artifact, blob, size) in blobs {
            match document(run, &repository.address, &blob, size).await? {
                Ok(document) => {
                    read.documents.push(document);
                    read.sources.push(artifact);
                }
                Err(reason) => read.refused.push(format!("{artifact}: {reason}")),
            }
        }
        Ok(read)
    }

    /// Whether there still is beside the image what was read.
    pub(super) async fn is_current(
        &self,
        tx: &mut Tx,
        repository: &Repository,
        image_id: i64,
    ) -> Result<bool> {
        let digests = digests(tx, image_id).await?;
        Ok(digests == self.digests
            && vex_documents::names(tx, repository.registry_id).await? == self.registry_names
            && artifacts(tx, repository.id, &digests).await? == self.artifacts)
    }

    /// What is to be told of documents that could not be read; empty where there are none.
    pub(super) fn remark(&self) -> String {
        if self.refused.is_empty() {
            return String::new();
        }
        let mut reasons: Vec<&str> = self.refused.iter().map(String::as_str).collect();
        reasons.truncate(REMARKS_MAX);
        format!("VEX documents were left out: {}.", reasons.join("; "))
    }

    /// What the documents say of a finding. It does not count if that is said of each of its
    /// packages.
    pub(super) fn decide(
        &self,
        repository: &RepositoryAddress,
        finding: &Finding,
    ) -> Option<Suppression> {
        if self.documents.is_empty() && self.registry_documents.is_empty() {
            return None;
        }
        let names = [&finding.name].into_iter().chain(&finding.aliases).chain(&finding.advisories);
        let names: Vec<&str> = names.map(String::as_str).collect();
        let digests: Vec<&str> = self.digests.iter().map(String::as_str).collect();
        let place = Place::Named(repository.name.as_str());
        let decisions: Vec<_> = finding
            .packages
            .iter()
            .map(|package| {
                let package = package.purls.iter().filter_map(|purl| Purl::parse(purl)).collect();
                self.decide_of(&names, &digests, package, place)
            })
            .collect();
        let suppresses = decisions.iter().all(|decision| {
            decision.as_ref().is_some_and(|decision| decision.statement.status.suppresses())
        });
        // Where it counts, what makes it count is told rather than what does not.
        let decision = decisions
            .into_iter()
            .flatten()
            .max_by_key(|decision| suppresses == decision.statement.status.suppresses())?;
        if !suppresses && decision.statement.status.suppresses() {
            return None;
        }
        let at = |documents: &[Document]| {
            documents.iter().position(|it| std::ptr::eq(it, decision.document))
        };
        let by = match at(&self.registry_documents) {
            Some(at) => {
                let name = self.registry_names.get(at).map_or("", |(name, _)| name.as_str());
                vex_documents::arn(&repository.account, &repository.region, name)
            }
            None => {
                let source = at(&self.documents).and_then(|at| self.sources.get(at));
                format!("{}/{}", repository.arn(), source.map_or("", String::as_str))
            }
        };
        let statement = decision.statement;
        let words = [statement.justification.as_deref().unwrap_or_default(), &statement.note];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        Some(Suppression {
            suppresses,
            by,
            reason: words.join(": "),
            vex_status: Some(statement.status.as_str().to_owned()),
        })
    }
}

impl Vex {
    /// What is said of one package: the newest statement, and of the same time the one that is beside
    /// the image. Only what holds for the registry may name the image by its repository.
    fn decide_of(
        &self,
        names: &[&str],
        digests: &[&str],
        package: Vec<Purl>,
        place: Place<'_>,
    ) -> Option<Decision<'_>> {
        let target = Target { digests, repository: None, package };
        let beside = vex::decide(&self.documents, names, &target);
        let target = Target { repository: Some(place), ..target };
        let general = vex::decide(&self.registry_documents, names, &target);
        let time = |it: &Decision<'_>| it.statement.issued.or(it.document.issued);
        general.into_iter().chain(beside).max_by_key(time)
    }
}

/// The documents of these texts. They could be read when they were put.
async fn parsed(texts: Vec<String>) -> Result<Vec<Document>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let parse = |text: String| {
        // Another release read it; what this one cannot says nothing, and lets scans go on.
        let parsed = vex::parse(text.as_bytes());
        parsed.inspect_err(|error| tracing::warn!(%error, "a VEX document")).unwrap_or_default()
    };
    let parse_all = move || texts.into_iter().map(parse).collect();
    tokio::task::spawn_blocking(parse_all).await.map_err(Error::internal)
}

/// Reads a document; the inner error says why nothing can be made of it.
async fn document(
    run: &Run<'_>,
    repository: &RepositoryAddress,
    blob: &str,
    size: u64,
) -> Result<Result<Document, String>> {
    if size > DOCUMENT_BYTES_MAX {
        return Ok(Err(format!("it is longer than {DOCUMENT_BYTES_MAX} bytes")));
    }
    let digest = Digest::parse(blob).map_err(Error::internal)?;
    let context = run.context(services::ECR, repository.account, repository.region.clone());
    let operation = GetBlob { repository: repository.clone(), digest };
    let bytes = match execute(run.app, &context, operation).await {
        Ok(reader) => {
            let length = usize::try_from(size).map_err(Error::internal)?;
            reader.read_at(0, length).await
        }
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) if error.is_fault() => return Err(error),
        // A policy forbids it, or it is gone.
        Err(error) => return Ok(Err(error.message().to_owned())),
    };
    let parsed = tokio::task::spawn_blocking(move || vex::parse(&bytes));
    let parsed = parsed.await.map_err(Error::internal)?;
    Ok(parsed.map_err(|refused| refused.to_string()))
}

/// Has the findings of an image judged anew beside which a document was put or removed, and those of
/// the images in it if it is an index.
pub(super) async fn note(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    subject: &str,
) -> Result<()> {
    let rows = tx
        .all(
            "SELECT id FROM images WHERE repository_id = $1 AND digest = $2 UNION \
             SELECT image_children.child_image_id FROM image_children \
             JOIN images ON images.id = image_children.image_id \
             WHERE images.repository_id = $1 AND images.digest = $2 ORDER BY 1 LIMIT 100",
            params![repository.id, subject],
        )
        .await?;
    for row in &rows {
        ReviewFindings::enqueue_image(tx, call.app, repository, row.get(0)?).await?;
    }
    Ok(())
}

/// As [`note`], before an image is removed that may be such a document.
pub(crate) async fn note_removal(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image_id: i64,
) -> Result<()> {
    let row = tx
        .optional(
            "SELECT subject_digest FROM images WHERE id = $1 AND subject_digest IS NOT NULL \
             AND artifact_type IN_LIST($2)",
            params![image_id, Value::list(ARTIFACT_TYPES)],
        )
        .await?;
    match row {
        Some(row) => note(tx, call, repository, &row.get::<String>(0)?).await,
        None => Ok(()),
    }
}
