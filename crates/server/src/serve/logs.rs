//! Log lines on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Logs};

/// Sets up logging for the whole process. A second call has no effect.
pub(super) fn init(logs: &Logs) {
    // The filter is known to parse.
    let filter = EnvFilter::builder().parse_lossy(&logs.filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let result = match logs.format {
        LogFormat::Human => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // Only tests could have set up logging before.
    drop(result);
}
