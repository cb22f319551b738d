//! Whether an image can be pulled.

use crate::error::{Error, Result};

/// Whether an image can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageStatus {
    /// It can.
    Active,
    /// It is kept in the archive.
    Archived,
    /// It is being restored from the archive.
    Activating,
}

impl ImageStatus {
    /// As AWS and metadata spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
            Self::Activating => "ACTIVATING",
        }
    }

    pub(crate) fn from_stored(text: &str) -> Result<Self> {
        [Self::Active, Self::Archived, Self::Activating]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::internal(format!("stored image status {text}")))
    }
}

/// Which images a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageStatusFilter {
    /// All.
    Any,
    /// Those of one status.
    Only(ImageStatus),
}

impl Default for ImageStatusFilter {
    /// What can be pulled, as in ECR.
    fn default() -> Self {
        Self::Only(ImageStatus::Active)
    }
}

impl ImageStatusFilter {
    /// As AWS spells it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "ANY" => Some(Self::Any),
            "ACTIVE" => Some(Self::Only(ImageStatus::Active)),
            "ARCHIVED" => Some(Self::Only(ImageStatus::Archived)),
            "ACTIVATING" => Some(Self::Only(ImageStatus::Activating)),
            _ => None,
        }
    }

    /// Whether it shows an image of this status.
    pub fn shows(self, status: ImageStatus) -> bool {
        match self {
            Self::Any => true,
            Self::Only(wanted) => wanted == status,
        }
    }

    /// The status that rows must have; NULL for any.
    pub(crate) fn wanted(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Only(status) => Some(status.as_str()),
        }
    }
}
