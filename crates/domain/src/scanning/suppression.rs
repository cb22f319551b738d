//! What does not count of what was found, and who says so: rules of the registry, and
//! VEX documents beside the image.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::describe_image_scan_findings::ScannedImage;
use super::findings::StoredFinding;
use super::vex::Vex;
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
    /// Who says so: the ARN of a rule, or of an image with a VEX document.
    pub by: String,
    /// Why, in words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The status that a VEX document gives: `not_affected`, `fixed`, `affected`,
    /// `under_investigation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vex_status: Option<String>,
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
#[derive(Clone)]
pub(crate) struct Suppressions {
    filters: Arc<[Filter]>,
}

impl Suppressions {
    pub(crate) async fn load(tx: &mut Tx, registry_id: i64, now: Millis) -> Result<Self> {
        Ok(Self { filters: filters::suppressing(tx, registry_id, now).await?.into() })
    }

    /// With the image that has the findings.
    pub(super) fn of(self, image: ScannedImage, vex: Vex) -> Judge {
        Judge { suppressions: self, image, vex }
    }
}

/// What a registry says of the findings of an image.
pub(crate) struct Judge {
    suppressions: Suppressions,
    image: ScannedImage,
    vex: Vex,
}

impl Judge {
    /// The image.
    pub(super) fn image(&self) -> &ScannedImage {
        &self.image
    }

    /// What is said of a finding: by rules, of which the first by name counts, else by VEX documents.
    pub(super) fn decide(&self, found: &StoredFinding, platform: &str) -> Option<Suppression> {
        let subject = Subject { image: &self.image, platform, found };
        let filter = self.suppressions.filters.iter().find(|it| it.criteria.mean(&subject));
        let Some(filter) = filter else {
            return self.vex.decide(&self.image.repository, &found.finding);
        };
        Some(Suppression {
            suppresses: true,
            by: filter.arn(&self.image.repository.account, &self.image.repository.region),
            reason: filter.reason.clone().unwrap_or_default(),
            vex_status: None,
        })
    }
}
