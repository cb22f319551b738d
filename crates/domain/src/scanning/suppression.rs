//! What does not count of what was found, and who says so: rules of the registry.

use serde::{Deserialize, Serialize};

use super::describe_image_scan_findings::ScannedImage;
use super::findings::StoredFinding;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::inspector::criteria::Subject;
use crate::inspector::filters::{self, Filter};

/// What is said of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Whether the finding does not count.
    pub suppresses: bool,
    /// Who says so: the ARN of a rule.
    pub by: String,
    /// Why, in words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Suppression {
    pub(super) fn to_stored(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }

    pub(super) fn from_stored(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(Error::internal)
    }
}

/// What a registry says of findings.
pub(crate) struct Suppressions {
    filters: Vec<Filter>,
}

impl Suppressions {
    pub(crate) async fn load(tx: &mut Tx, registry_id: i64, now: Millis) -> Result<Self> {
        Ok(Self { filters: filters::suppressing(tx, registry_id, now).await? })
    }

    /// With the image that has the findings.
    pub(crate) fn of(self, image: ScannedImage) -> Judge {
        Judge { suppressions: self, image }
    }
}

/// What a registry says of the findings of an image.
pub(crate) struct Judge {
    suppressions: Suppressions,
    image: ScannedImage,
}

impl Judge {
    /// The image.
    pub(super) fn image(&self) -> &ScannedImage {
        &self.image
    }

    /// What is said of a finding. Of several rules the one that comes first by name counts.
    pub(super) fn decide(&self, found: &StoredFinding, platform: &str) -> Option<Suppression> {
        let subject = Subject { image: &self.image, platform, found };
        let filter = self.suppressions.filters.iter().find(|it| it.criteria.mean(&subject))?;
        Some(Suppression {
            suppresses: true,
            by: filter.arn(&self.image.repository.account, &self.image.repository.region),
            reason: filter.reason.clone().unwrap_or_default(),
        })
    }
}
