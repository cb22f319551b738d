//! What the operator says about advisories.

use super::source::Source;

/// Where advisories come from, and how often they are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisorySettings {
    /// The sources, by name, each name once.
    pub sources: Vec<Source>,
    /// How long after a source was read it is read again, in seconds.
    pub interval_seconds: i64,
}

impl AdvisorySettings {
    /// No sources; what there will be is read every six hours.
    pub const NONE: Self = Self { sources: Vec::new(), interval_seconds: 6 * 3600 };
}
