//! What a record tells beside who did what to what, in members of a record of AWS CloudTrail.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// Members of a record; what is absent was not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// What was asked for, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<Value>,
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_elements: Option<Value>,
    /// What there is beside both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<Value>,
}

impl Details {
    /// As stored; nothing of what tells nothing.
    ///
    /// # Errors
    /// Never, as all of it is JSON.
    pub(super) fn stored(&self) -> Result<Option<String>> {
        if *self == Self::default() {
            return Ok(None);
        }
        serde_json::to_string(self).map(Some).map_err(Error::internal)
    }

    pub(super) fn read(stored: Option<String>) -> Result<Self> {
        stored.map_or(Ok(Self::default()), |text| {
            serde_json::from_str(&text).map_err(Error::internal)
        })
    }
}
