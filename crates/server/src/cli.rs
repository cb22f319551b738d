//! The command line. Settings are not declared here: `serve` takes every setting of the
//! configuration as a flag.

mod accounts;
mod advisories;
mod api;
mod clients;
mod events;
mod image_contents;
mod images;
mod policies;
mod public;
mod pull_through;
mod replication;
mod repository;
mod scanners;
mod setting_flags;
mod stopped;
mod upkeep;
mod vex;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

pub(crate) use self::accounts::{AccountCommands, AccountLimitCommands};
pub(crate) use self::advisories::AdvisoriesCommands;
pub(crate) use self::api::{ApiCallArguments, ApiCommands};
pub(crate) use self::clients::{DockerCredentialAction, DockerLoginArguments, EnvArguments};
pub(crate) use self::events::EventsCommands;
pub(crate) use self::image_contents::{FindingOrigin, ImageContentCommands};
pub(crate) use self::images::{ImagesCommands, ShareArguments};
pub(crate) use self::policies::{LintKind, PolicyCommands};
pub(crate) use self::public::{
    Movable, OnOff, PublicAliasArguments, PublicAliasCommands, PublicCommands,
    PublicDomainArguments, PublicDomainCommands, PublicSetArguments,
};
pub(crate) use self::pull_through::PullThroughCommands;
pub(crate) use self::replication::{ReplicatedSetting, ReplicationCommands};
pub(crate) use self::repository::{RepositoryCommands, SparseChoice};
pub(crate) use self::scanners::ScannersCommands;
pub(crate) use self::setting_flags::SettingFlags;
pub(crate) use self::stopped::{
    BackupArguments, FsckArguments, KeysCommands, MetadataEngine, MigrateCommands, RestoreArguments,
};
pub(crate) use self::upkeep::{GcArguments, JobState, JobsCommands, ScrubArguments};
pub(crate) use self::vex::VexCommands;
use crate::config::Flags;

/// Amazon ECR that anyone can run: a container registry with ECR's API, permissions and tokens.
#[derive(Debug, Parser)]
#[command(name = "tonnage", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Subcommands,
}

/// The name under which docker calls its helper.
const DOCKER_HELPER: &str = "docker-credential-tonnage";

/// The words of the command line. Under the name of docker's helper this program is that helper.
pub(crate) fn words(given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = given.into_iter().collect();
    let name = words.first().and_then(|path| Path::new(path).file_stem());
    if name.is_some_and(|name| name == DOCKER_HELPER) {
        words.splice(..1, ["tonnage", "docker-credential"].map(OsString::from));
    }
    words
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Subcommands {
    /// Run the registry.
    ///
    /// Every setting may also stand in the environment (`--data-dir` is `TONNAGE_DATA_DIR`) or in
    /// the config file (`data_dir = "…"`). The command line wins over the environment, that over
    /// the file. SIGTERM and SIGINT stop the server orderly, a second one at once.
    #[command(after_help = "\
Examples:
  tonnage serve
  tonnage serve --data-dir /srv/tonnage --listen 0.0.0.0:4510
  tonnage serve --config /etc/tonnage.toml")]
    Serve(SettingFlags),

    /// Print what a shell needs so that AWS clients find the registry.
    ///
    /// Sets the endpoint, the root access key of the first start and the region, removes what would
    /// win over them, and keeps proxies away from this machine. Talks to nobody.
    #[command(after_help = "\
Examples:
  eval \"$(tonnage env)\"
  tonnage env --shell fish | source
  tonnage env --shell powershell | Out-String | Invoke-Expression
  eval \"$(tonnage env --profile tonnage)\"
  eval \"$(tonnage env --unset)\"")]
    Env(EnvArguments),

    /// Log docker in to the registry; podman where there is no docker.
    ///
    /// Asks the running server for an authorization token, signed with AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY where they are set, else with the root access key of the data
    /// directory, and hands it to `docker login`.
    #[command(after_help = "\
Examples:
  tonnage docker-login
  tonnage docker-login host.docker.internal:4510
  tonnage docker-login --print | podman login --username AWS --password-stdin localhost:4510")]
    DockerLogin(DockerLoginArguments),

    /// Answer docker as its credential helper, so that no token ever expires.
    ///
    /// Docker calls this under the name `docker-credential-tonnage`: make that a link to this
    /// program, anywhere on PATH, and name the helper for a host in docker's config.json. For every
    /// push and pull it asks the registry for a fresh token, signed with what the AWS command line
    /// would use (variables, AWS_PROFILE, `credential_process`); on the machine of the server also
    /// with the root access key of the data directory. A registry that is not of this kind is left
    /// to docker.
    #[command(after_help = "\
Examples:
  ln -s \"$(command -v tonnage)\" ~/.local/bin/docker-credential-tonnage
  echo '{\"credHelpers\": {\"registry.example.com\": \"tonnage\"}}' > ~/.docker/config.json
  echo registry.example.com | tonnage docker-credential get")]
    DockerCredential {
        /// What docker asks for.
        action: DockerCredentialAction,
    },

    /// Look for what keeps clients from working, and say what to do.
    ///
    /// Looks at the data directory, the server, the clock, the disk, the clients found here and
    /// docker's daemon. Changes nothing. Ends with 1 if something fails.
    #[command(after_help = "\
Examples:
  tonnage doctor
  tonnage doctor --data-dir /srv/tonnage")]
    Doctor(PlaceArguments),

    /// Create and manage accounts of the running server.
    #[command(subcommand, arg_required_else_help = true)]
    Account(AccountCommands),

    /// Manage what the operator decides about public registries.
    #[command(subcommand, arg_required_else_help = true)]
    Public(PublicCommands),

    /// Ask what is in images, and share them with whoever has no account.
    #[command(subcommand, arg_required_else_help = true)]
    Images(ImagesCommands),

    /// Settings of repositories that ECR does not have.
    #[command(subcommand, arg_required_else_help = true)]
    Repository(RepositoryCommands),

    /// Say for a whole registry which flaws do not touch its images.
    #[command(subcommand, arg_required_else_help = true)]
    Vex(VexCommands),

    /// Look after what comes from upstream registries.
    #[command(subcommand, arg_required_else_help = true)]
    PullThrough(PullThroughCommands),

    /// Narrow down, watch and repeat what is copied to other regions and accounts.
    #[command(subcommand, arg_required_else_help = true)]
    Replication(ReplicationCommands),

    /// Ask why somebody may or may not do something, and look for mistakes in policies.
    #[command(subcommand, arg_required_else_help = true)]
    Policy(PolicyCommands),

    /// Remove what nothing needs from the running server, now.
    ///
    /// The server does this by itself, every minute; this shows what it comes to. A blob that no
    /// image refers to stays for the time of the setting `gc_grace` all the same.
    #[command(after_help = "\
Examples:
  tonnage gc
  tonnage gc --dry-run
  tonnage gc --status")]
    Gc(GcArguments),

    /// Read everything that is stored, to find damage before somebody pulls it.
    ///
    /// The running server does this by itself, at the rate of the setting `scrub_rate`, and again
    /// after the time of `scrub_interval`; this command lets the next pass begin now. What is
    /// damaged is not served; pushing an image with it again heals it.
    #[command(after_help = "\
Examples:
  tonnage scrub
  tonnage scrub --status")]
    Scrub(ScrubArguments),

    /// Look at the sources of advisories, and have them read.
    #[command(subcommand, arg_required_else_help = true)]
    Advisories(AdvisoriesCommands),

    /// Look at what happened in a registry.
    #[command(subcommand, arg_required_else_help = true)]
    Events(EventsCommands),

    /// Look at the scanners of others that the server is configured with, and try them.
    #[command(subcommand, arg_required_else_help = true)]
    Scanners(ScannersCommands),

    /// Look at the jobs of the running server, cancel them or have them tried again.
    #[command(subcommand, arg_required_else_help = true)]
    Jobs(JobsCommands),

    /// Copy the running server's registry into a directory of backups, and look after those.
    ///
    /// The server makes the copy, so the directory is one that it can write to; clients notice
    /// nothing. Every backup is a snapshot of its own, but only objects that are not there yet are
    /// copied. The root key is not in it: keep that elsewhere, nothing can be restored without it.
    /// Ends with 1 if the registry has lost objects, or if old snapshots could not be removed.
    #[command(after_help = "\
Examples:
  tonnage backup --to /mnt/backups/tonnage
  tonnage backup --to /mnt/backups/tonnage --keep 14
  tonnage backup --list /mnt/backups/tonnage
  tonnage backup --verify /mnt/backups/tonnage")]
    Backup(BackupArguments),

    /// Make a registry from a backup, in an empty data directory.
    ///
    /// The root key is given as to `tonnage serve`: in the environment, in a file, or as `root.key`
    /// in the otherwise empty data directory. With `metadata_url` the metadata go into that
    /// PostgreSQL database, which must be empty too; either engine takes a backup of either. A
    /// restore that broke off is repeated with the same command; nothing serves the directory
    /// before it has ended.
    #[command(after_help = "\
Examples:
  tonnage restore --from /mnt/backups/tonnage --data-dir /srv/tonnage
  tonnage restore --from /mnt/backups/tonnage --snapshot 20261125T031500Z-0f3c9a21")]
    Restore(RestoreArguments),

    /// Change the keys that seal what is stored, while the server is stopped.
    #[command(subcommand, arg_required_else_help = true)]
    Keys(KeysCommands),

    /// Move what is stored to another place, while the server is stopped.
    #[command(subcommand, arg_required_else_help = true)]
    Migrate(MigrateCommands),

    /// Examine what is stored, while the server is stopped.
    ///
    /// Holds metadata and objects against each other, both ways, and every manifest against what is
    /// known of it. First prints what is wrong and what would repair it; changes nothing without
    /// `--repair`. A blob whose bytes are lost is not served; pushing an image with it again heals
    /// it. Ends with 0 if nothing is wrong, with 1 if something is, repaired or not, and with 2 if
    /// it could not look.
    #[command(after_help = "\
Examples:
  tonnage fsck
  tonnage fsck --data-dir /srv/tonnage --contents
  tonnage fsck --repair
  tonnage fsck --format json")]
    Fsck(FsckArguments),

    /// Look at the configuration.
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommands),

    /// Print the release.
    Version,

    /// Print a script that completes this command's words.
    #[command(after_help = "\
Examples:
  tonnage completions bash > ~/.local/share/bash-completion/completions/tonnage
  tonnage completions fish > ~/.config/fish/completions/tonnage.fish")]
    Completions {
        /// The shell that will run the script.
        shell: clap_complete::Shell,
    },

    /// The operations that ECR does not have, for whoever has an access key.
    #[command(subcommand, arg_required_else_help = true)]
    Api(ApiCommands),

    /// Write the reference pages, or check that they are up to date.
    #[command(hide = true)]
    Reference {
        /// The directory of the pages.
        directory: PathBuf,
        /// Change nothing, and fail when a page differs.
        #[arg(long)]
        check: bool,
    },
}

/// Which server is meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArguments {
    /// The data directory of the server. [default: as `tonnage serve`] [env: TONNAGE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// The config file of the server. [default: none] [env: TONNAGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl PlaceArguments {
    /// As flags of `serve`.
    pub(crate) fn flags(&self) -> Flags {
        self.data_dir.iter().map(|text| ("data_dir", vec![text.clone()])).collect()
    }
}

/// Which registry.
#[derive(Debug, Args)]
pub(crate) struct RegistryArguments {
    /// Its account. [default: the management account]
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Its region. [default: the server's]
    #[arg(long, value_name = "REGION")]
    pub(crate) in_region: Option<String>,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    Text,
    /// For programs: a line with the plan, and with `--repair` a second one with the outcome.
    Json,
}

/// What may be done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommands {
    /// Read the command line, the environment and the config file as `serve` does, and say what is
    /// wrong or what they come to.
    #[command(after_help = "\
Examples:
  tonnage config check --config /etc/tonnage.toml")]
    Check(SettingFlags),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_dockers_name_it_is_dockers_helper() {
        for (given, expected) in [
            (&["tonnage", "serve"][..], &["tonnage", "serve"][..]),
            (&["/x/docker-credential-tonnage", "get"], &["tonnage", "docker-credential", "get"]),
            (&["docker-credential-tonnage"], &["tonnage", "docker-credential"]),
            (&[], &[]),
        ] {
            assert_eq!(words(given.iter().map(OsString::from)), expected);
        }
    }
}
