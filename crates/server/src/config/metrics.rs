//! Who may read metrics.

use std::path::PathBuf;

use anyhow::Result;

use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[Setting {
    key: "metrics_token_file",
    kind: Kind::Text,
    value_name: "FILE",
    default: "none: only this machine may read /metrics",
    help: "A file with a token; whoever sends it as `Authorization: Bearer TOKEN` may read \
           `/metrics` from another machine.",
}];

/// Who may read metrics, beside this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetricsAccess {
    /// The file with the token.
    pub(crate) token_file: Option<PathBuf>,
}

impl MetricsAccess {
    pub(super) fn read(values: &Values) -> Result<Self> {
        Ok(Self { token_file: values.text("metrics_token_file")?.map(PathBuf::from) })
    }
}
