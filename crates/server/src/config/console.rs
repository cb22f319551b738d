//! Whether and how people see the registry in a browser.

use anyhow::Result;

use super::registry::parse_seconds;
use super::{Kind, Setting, Values};

const IDLE_SECONDS: i64 = 30 * 60;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "console",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "true",
        help: "Shows the console for people under `/console/` of every address of `listen`, and \
               under `console.NAME` where `domain` is NAME.",
    },
    Setting {
        key: "console_idle",
        kind: Kind::Text,
        value_name: "TIME",
        default: "30m",
        help: "After how much time without a page people must sign in again, in seconds, minutes or \
               hours, from 60 seconds; after twelve hours they must in any case.",
    },
    Setting {
        key: "console_plain_http",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Shows the console over plain HTTP to other machines too. Keys and sessions can then \
               be read on the way; only for networks that are private in another way.",
    },
];

/// Whether and how people see the registry in a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Console {
    /// Whether there is a console.
    pub(crate) enabled: bool,
    /// After how many seconds without a page a session ends.
    pub(crate) idle_seconds: i64,
    /// Whether it is shown over plain HTTP to other machines.
    pub(crate) plain_http: bool,
}

impl Console {
    pub(super) fn read(values: &Values) -> Result<Self> {
        let idle = |text: &str| {
            parse_seconds(text).and_then(|seconds| match seconds {
                60.. => Ok(seconds),
                _ => Err(format!("{text:?} is less than 60 seconds")),
            })
        };
        Ok(Self {
            enabled: values.switch("console")?.unwrap_or(true),
            idle_seconds: values.one("console_idle", idle)?.unwrap_or(IDLE_SECONDS),
            plain_http: values.switch("console_plain_http")?.unwrap_or(false),
        })
    }
}
