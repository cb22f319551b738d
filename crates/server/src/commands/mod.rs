//! The subcommands.

mod account;
mod advisories;
mod api;
mod authorization_token;
mod aws_settings;
mod backup;
mod compatibility;
mod docker_credential;
mod docker_login;
mod doctor;
mod engine;
mod env;
mod events;
mod fsck;
mod gc;
mod http_client;
mod image_contents;
mod images;
mod jobs;
mod keys;
mod migrate;
mod own_api;
mod place;
mod policy;
mod policy_actions;
mod profile;
mod programs;
mod public;
mod pull_through;
mod reference;
mod replication;
mod repository;
mod restore;
mod scanners;
mod scrub;
mod signed_call;
mod vex;

pub(crate) use self::policy::{known_actions, lint_policy};

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use crate::cli::{Arguments, ConfigCommands, SettingFlags, Subcommands};
use crate::config::{Config, environment};
use crate::data_directory::Layout;
use crate::examine::examine;

/// How long threads that wait for the disk may keep a stopped server.
const EXIT_TIME: Duration = Duration::from_secs(5);

/// Does what the command line says.
///
/// # Errors
/// One sentence for whoever typed it.
pub(crate) fn run(command: Subcommands) -> Result<ExitCode> {
    match command {
        Subcommands::Serve(flags) => serve(flags),
        Subcommands::Env(arguments) => env::run(&arguments),
        Subcommands::DockerLogin(arguments) => block_on(docker_login::run(arguments)),
        Subcommands::DockerCredential { action } => block_on(docker_credential::run(action)),
        Subcommands::Doctor(arguments) => block_on(doctor::run(arguments)),
        Subcommands::Account(command) => block_on(account::run(command)),
        Subcommands::Public(command) => block_on(public::run(command)),
        Subcommands::Policy(command) => policy::run(command),
        Subcommands::Images(command) => block_on(images::run(command)),
        Subcommands::Repository(command) => block_on(repository::run(command)),
        Subcommands::Vex(command) => block_on(vex::run(command)),
        Subcommands::PullThrough(command) => block_on(pull_through::run(command)),
        Subcommands::Replication(command) => block_on(replication::run(command)),
        Subcommands::Gc(arguments) => block_on(gc::run(arguments)),
        Subcommands::Scanners(command) => block_on(scanners::run(command)),
        Subcommands::Advisories(command) => block_on(advisories::run(command)),
        Subcommands::Scrub(arguments) => block_on(scrub::run(arguments)),
        Subcommands::Backup(arguments) => block_on(backup::run(arguments)),
        Subcommands::Restore(arguments) => block_on(restore::run(arguments)),
        Subcommands::Fsck(arguments) => fsck::run(&arguments),
        Subcommands::Events(command) => block_on(events::run(command)),
        Subcommands::Jobs(command) => block_on(jobs::run(command)),
        Subcommands::Keys(command) => block_on(keys::run(command)),
        Subcommands::Migrate(command) => block_on(migrate::run(command)),
        Subcommands::Config(ConfigCommands::Check(flags)) => block_on(check_config(flags)),
        Subcommands::Version => {
            say!("tonnage {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Subcommands::Completions { shell } => {
            let mut command = Arguments::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "tonnage", &mut script);
            say_part!("{}", String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
        Subcommands::Api(command) => block_on(api::run(command)),
        Subcommands::Reference { directory, check } => reference::run(&directory, check),
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
    let served = runtime.block_on(crate::serve::serve(config));
    // What still waits for a disk that does not answer must not keep the process.
    runtime.shutdown_timeout(EXIT_TIME);
    served.map(|()| ExitCode::SUCCESS)
}

fn block_on(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?
        .block_on(work)
}

async fn check_config(flags: SettingFlags) -> Result<ExitCode> {
    let config = load(flags)?;
    examine(&Layout::new(config.storage.data_dir.clone()), &config).await?;
    let addresses: Vec<String> =
        config.listeners.addresses.iter().map(ToString::to_string).collect();
    say!("The configuration is right.");
    say!("  data directory  {}", config.storage.data_dir.display());
    say!("  listen          {}", addresses.join(", "));
    if !config.public.addresses.is_empty() {
        let addresses = config.public.addresses.iter();
        let addresses: Vec<String> = addresses.map(ToString::to_string).collect();
        say!("  public listen   {}", addresses.join(", "));
    }
    if let Some(domain) = &config.registry.domain {
        say!("  domain          {domain}");
    }
    Ok(ExitCode::SUCCESS)
}
