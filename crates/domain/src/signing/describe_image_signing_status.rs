//! `DescribeImageSigningStatus`.

use super::sign_image::SignImage;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::images::{self, ImageIdentifier, not_found, resolve};
use crate::jobs::Job as _;
use crate::names::Digest;
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// What is told of a signature whose job was given up.
const GIVEN_UP: (&str, &str) = (
    "InternalFailure",
    "The signature could not be made. The operator of the registry can try again: \
     `tonnage jobs list --state dead`.",
);

/// Tells what came of the signatures of an image, by profile. An image that no rule was for when it
/// was pushed has none.
#[derive(Clone, Debug)]
pub struct DescribeImageSigningStatus {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which image.
    pub id: ImageIdentifier,
}

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningStatus {
    /// It waits or is under way.
    InProgress,
    /// It is attached to the image.
    Complete,
    /// There is none, and none will come by itself.
    Failed,
}

impl SigningStatus {
    /// As AWS and metadata spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
        }
    }

    fn from_stored(text: &str) -> Result<Self> {
        [Self::InProgress, Self::Complete, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::internal(format!("stored signing status {text}")))
    }
}

/// The signature of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSigningStatus {
    /// The profile.
    pub profile_arn: String,
    /// Where it stands.
    pub status: SigningStatus,
    /// Why it failed, in one word and in a sentence.
    pub failure: Option<(String, String)>,
}

impl Operation for DescribeImageSigningStatus {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DescribeImageSigningStatus" };
    /// The digest of the image, and its signatures by profile.
    type Output = (Digest, Vec<ImageSigningStatus>);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        images::demands("ecr:DescribeImageSigningStatus", &self.repository, ids)
    }

    async fn run(self, call: Call<'_>) -> Result<(Digest, Vec<ImageSigningStatus>)> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let image = resolve(&mut tx, &repository, &self.id)
            .await?
            .map_err(|_| not_found(&self.repository, &self.id))?;
        let rows = tx
            .all(
                "SELECT profile_arn, status, failure_code, failure_reason, \
                 CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE jobs.kind = $2 \
                 AND jobs.job_key = image_id || ' ' || profile_arn \
                 AND jobs.state IN ('DEAD', 'CANCELLED')) THEN 1 ELSE 0 END \
                 FROM image_signatures WHERE image_id = $1 ORDER BY profile_arn",
                params![image.id, SignImage::KIND],
            )
            .await?;
        let statuses = rows
            .iter()
            .map(|row| {
                let profile_arn = row.get(0)?;
                let status = SigningStatus::from_stored(&row.get::<String>(1)?)?;
                if status == SigningStatus::InProgress && row.get::<i64>(4)? == 1 {
                    let failure = (GIVEN_UP.0.to_owned(), GIVEN_UP.1.to_owned());
                    let (status, failure) = (SigningStatus::Failed, Some(failure));
                    return Ok(ImageSigningStatus { profile_arn, status, failure });
                }
                let code: Option<String> = row.get(2)?;
                let reason: Option<String> = row.get(3)?;
                let failure = code.map(|code| (code, reason.unwrap_or_default()));
                Ok(ImageSigningStatus { profile_arn, status, failure })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((image.digest, statuses))
    }
}
