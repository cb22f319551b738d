//! How the server logs.

use anyhow::Result;
use tracing_subscriber::EnvFilter;

use super::{Kind, Setting, Values};

/// The filter of a server that was told nothing.
const DEFAULT_FILTER: &str = "warn,tonnage=info";

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "log_format",
        kind: Kind::Text,
        value_name: "FORMAT",
        default: "human",
        help: "The form of log lines on standard error: `human` or `json`.",
    },
    Setting {
        key: "log",
        kind: Kind::Text,
        value_name: "FILTER",
        default: "warn,tonnage=info",
        help: "Which log lines are written: a level (`debug`), or levels by module \
               (`info,tonnage::access=off` leaves out the line per request).",
    },
];

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// How the server logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logs {
    /// The form of lines.
    pub(crate) format: LogFormat,
    /// Which lines; known to parse.
    pub(crate) filter: String,
}

impl Logs {
    pub(super) fn read(values: &Values) -> Result<Self> {
        let format = values.one("log_format", |text| match text {
            "human" => Ok(LogFormat::Human),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{text:?} is neither `human` nor `json`")),
        })?;
        let filter = values.one("log", |text| {
            EnvFilter::builder()
                .parse(text)
                .map(|_| text.to_owned())
                .map_err(|error| format!("{text:?} is not a log filter: {error}"))
        })?;
        Ok(Self {
            format: format.unwrap_or(LogFormat::Human),
            filter: filter.unwrap_or_else(|| DEFAULT_FILTER.to_owned()),
        })
    }
}
