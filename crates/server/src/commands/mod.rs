//! The subcommands.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::cli::{SettingFlags, Subcommands};
use crate::config::{Config, environment};

/// Does what the command line says.
///
/// # Errors
/// One sentence for whoever typed it.
pub(crate) fn run(command: Subcommands) -> Result<ExitCode> {
    match command {
        Subcommands::Serve(flags) => serve(flags),
    }
}

fn load(flags: SettingFlags) -> Result<Config> {
    Config::load(&flags.flags, flags.config, &environment())
}

fn serve(flags: SettingFlags) -> Result<ExitCode> {
    let config = load(flags)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(crate::serve::serve(config))?;
    Ok(ExitCode::SUCCESS)
}
