//! The command line. Settings are not declared here: `serve` takes every setting of the
//! configuration as a flag.

mod accounts;
mod advisories;
mod events;
mod image_contents;
mod images;
mod public;
mod pull_through;
mod replication;
mod repository;
mod scanners;
mod setting_flags;
mod vex;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::accounts::{AccountCommands, AccountLimitCommands};
pub(crate) use self::advisories::AdvisoriesCommands;
pub(crate) use self::events::EventsCommands;
pub(crate) use self::image_contents::{FindingOrigin, ImageContentCommands};
pub(crate) use self::images::{ImagesCommands, ShareArguments};
pub(crate) use self::public::{
    Movable, OnOff, PublicAliasArguments, PublicAliasCommands, PublicCommands,
    PublicDomainArguments, PublicDomainCommands, PublicSetArguments,
};
pub(crate) use self::pull_through::PullThroughCommands;
pub(crate) use self::replication::{ReplicatedSetting, ReplicationCommands};
pub(crate) use self::repository::{RepositoryCommands, SparseChoice};
pub(crate) use self::scanners::ScannersCommands;
pub(crate) use self::setting_flags::SettingFlags;
pub(crate) use self::vex::VexCommands;
use crate::config::Flags;
use crate::shell::Shell;

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

/// What may be done with the API of Tonnage's own.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiCommands {
    /// Call an operation, on this machine or another one, and print its answer.
    ///
    /// Endpoint, region and credentials are those that the AWS command line would use; where there
    /// are none, it is the server on this machine with the key of its data directory.
    #[command(after_help = "\
Examples:
  tonnage api call GetPullStatistics '{\"repositoryName\": \"web/server\", \"groupBy\": \"platform\"}'
  tonnage api call ListImageShares '{\"repositoryName\": \"team/app\"}' --endpoint https://registry.example.com")]
    Call(ApiCallArguments),
    /// Print the model for the AWS command line and SDKs, which then have the service `tonnage`.
    #[command(after_help = "\
Examples:
  tonnage api model > tonnage.json && aws configure add-model --service-name tonnage --service-model file://tonnage.json")]
    Model,
}

/// What is called.
#[derive(Debug, Args)]
pub(crate) struct ApiCallArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The operation, such as `FindImages`.
    #[arg(value_name = "OPERATION")]
    pub(crate) operation: String,
    /// What it is asked, as JSON.
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(crate) input: String,
    /// Where the server is. [default: as the AWS command line, else this machine's]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// The region. [default: as the AWS command line, else the server's]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
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

/// What `tonnage env` takes.
#[derive(Debug, Args)]
pub(crate) struct EnvArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The shell that will run the commands. [default: by the variable SHELL, else sh]
    #[arg(long, value_enum)]
    pub(crate) shell: Option<Shell>,
    /// Remove what an earlier `tonnage env` set; the lists of hosts without a proxy stay.
    #[arg(long, conflicts_with_all = ["profile", "endpoint"])]
    pub(crate) unset: bool,
    /// Write a profile into the files of the AWS command line, and use that.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The address that clients use. [default: where the server listens]
    #[arg(long, value_name = "URL", value_parser = parse_endpoint)]
    pub(crate) endpoint: Option<String>,
}

fn parse_endpoint(text: &str) -> Result<String, String> {
    let uri: http::Uri = text.parse().map_err(|error| format!("it is no URL: {error}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(_)) => Ok(text.to_owned()),
        _ => Err("it must begin with http:// or https://".to_owned()),
    }
}

/// What `tonnage docker-login` takes.
#[derive(Debug, Args)]
pub(crate) struct DockerLoginArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The registry's host as it stands before the names of images. [default: those of this
    /// machine]
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Print the password instead of calling docker.
    #[arg(long, conflicts_with = "hosts")]
    pub(crate) print: bool,
}

/// What docker asks a credential helper for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DockerCredentialAction {
    /// The user and password for the host on standard input.
    Get,
    /// The hosts that are known without being asked for.
    List,
    /// Refused: there is nothing to keep.
    Store,
    /// Done: nothing was kept.
    Erase,
    /// The release.
    Version,
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

/// What may be asked of policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommands {
    /// Say whether a principal may do something, and which statement or missing allow decides.
    ///
    /// Asks the running server, which decides as for a request of the principal, from every policy
    /// that has a say. Changes nothing. Ends with 0 if it is allowed and with 1 if it is denied.
    #[command(after_help = "\
Examples:
  tonnage policy explain --principal arn:aws:iam::111122223333:root --action ecr:PutImage --resource arn:aws:ecr:us-east-1:123456789012:repository/app
  tonnage policy explain --principal arn:aws:iam::123456789012:root --action ecr:BatchGetImage --resource arn:aws:ecr:us-east-1:123456789012:repository/app --context aws:SourceIp=192.0.2.7 --context tonnage:ImageTag=v1")]
    Explain {
        #[command(flatten)]
        place: PlaceArguments,
        /// The ARN of a principal.
        #[arg(long, value_name = "ARN")]
        principal: String,
        /// The action, such as `ecr:BatchGetImage`.
        #[arg(long, value_name = "ACTION")]
        action: String,
        /// The ARN of a resource, or `*`.
        #[arg(long, value_name = "ARN")]
        resource: String,
        /// A condition key of the request; may be repeated, also for several values of one key.
        #[arg(long, value_name = "KEY=VALUE")]
        context: Vec<String>,
        /// How to print it.
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
    /// Look for mistakes in the text of a policy, without a server.
    ///
    /// Ends with 0 if there are none, with 1 if there are, and with 2 if the file cannot be read.
    #[command(after_help = "\
Examples:
  tonnage policy lint policy.json
  tonnage policy lint --kind repository - < policy.json")]
    Lint {
        /// The policy; `-` is the standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What it is attached to. [default: a resource if it names principals, else an identity]
        #[arg(long, value_enum, value_name = "KIND")]
        kind: Option<LintKind>,
    },
}

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LintKind {
    /// A user, a group or a role.
    Identity,
    /// A repository.
    Repository,
    /// A registry.
    Registry,
    /// A role, saying who may assume it.
    Trust,
    /// An account.
    Limit,
}

/// What `tonnage gc` takes.
#[derive(Debug, Args)]
pub(crate) struct GcArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Say what would be removed now, and remove nothing.
    #[arg(long, conflicts_with = "status")]
    pub(crate) dry_run: bool,
    /// Say what waits and what was removed so far.
    #[arg(long)]
    pub(crate) status: bool,
}

/// What `tonnage scrub` takes.
#[derive(Debug, Args)]
pub(crate) struct ScrubArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Say what was read and what is damaged, and begin nothing.
    #[arg(long)]
    pub(crate) status: bool,
}

/// What may be done with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommands {
    /// List jobs, oldest first.
    #[command(after_help = "\
Examples:
  tonnage jobs list
  tonnage jobs list --state dead
  tonnage jobs list --kind expire-images")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
        /// Only those in this state.
        #[arg(long, value_enum, value_name = "STATE")]
        state: Option<JobState>,
        /// Only those of this kind.
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
    },
    /// Show all about a job: how far it has come, and what went wrong.
    #[command(after_help = "Examples:\n  tonnage jobs show 252201579132747776")]
    Show {
        #[command(flatten)]
        place: PlaceArguments,
        /// Its id.
        #[arg(value_name = "ID")]
        id: i64,
    },
    /// Cancel a job that waits or runs; what it did stays.
    #[command(after_help = "Examples:\n  tonnage jobs cancel 252201579132747776")]
    Cancel {
        #[command(flatten)]
        place: PlaceArguments,
        /// Its id.
        #[arg(value_name = "ID")]
        id: i64,
    },
    /// Have a job run now that failed too often, was cancelled or waits.
    #[command(after_help = "Examples:\n  tonnage jobs retry 252201579132747776")]
    Retry {
        #[command(flatten)]
        place: PlaceArguments,
        /// Its id.
        #[arg(value_name = "ID")]
        id: i64,
    },
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum JobState {
    /// It runs when its time comes.
    Waiting,
    /// A worker has it.
    Running,
    /// It ended well.
    Done,
    /// It failed too often.
    Dead,
    /// Somebody cancelled it.
    Cancelled,
}

/// What `tonnage backup` takes.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["to", "list", "verify"]))]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Make a backup in this directory, which holds nothing else; made when it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Then remove all but so many of the latest snapshots, the new one included, and the objects
    /// that only they needed. [default: all stay]
    #[arg(long, value_name = "NUMBER", requires = "to", value_parser = parse_keep)]
    pub(crate) keep: Option<usize>,
    /// List the snapshots in a directory of backups.
    #[arg(long, value_name = "DIR")]
    pub(crate) list: Option<PathBuf>,
    /// Read everything in a directory of backups, and compare it with its checksums.
    #[arg(long, value_name = "DIR")]
    pub(crate) verify: Option<PathBuf>,
}

fn parse_keep(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("it must be a number from 1".to_owned()),
    }
}

/// What `tonnage restore` takes.
#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The directory of backups.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Which snapshot, as `tonnage backup --list` names them. [default: the latest]
    #[arg(long, value_name = "ID")]
    pub(crate) snapshot: Option<String>,
}

/// What may be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommands {
    /// Make a new root key, and seal everything with it that the old one sealed.
    ///
    /// The server must be stopped. Images, access keys and tokens stay as they are; nothing is
    /// uploaded or signed anew. After a crash the next start goes on with whichever key holds. The
    /// old key stays in root.key.previous until the server has started once; back-ups of the
    /// metadata made before need it.
    #[command(after_help = "\
Examples:
  tonnage keys rotate-root
  tonnage keys rotate-root --data-dir /srv/tonnage
  tonnage keys rotate-root --new-key-file /etc/tonnage/root.key.new")]
    RotateRoot {
        #[command(flatten)]
        place: PlaceArguments,
        /// Where the new key is, or is written to when there is no such file. Only, and then
        /// needed, where the key is not in the data directory.
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
}

/// What may be moved.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommands {
    /// Move all metadata from SQLite to PostgreSQL or back, and compare every row.
    ///
    /// The server must be stopped. Blobs stay in the data directory. The PostgreSQL database is the
    /// one that `metadata_url` names (in the environment or the config file); what is moved to must
    /// be empty. When every row is compared, the database that was left is retired: it cannot be
    /// served any more. A move that broke off can be repeated.
    #[command(after_help = "\
Examples:
  TONNAGE_METADATA_URL=postgres://… tonnage migrate metadata --to postgres
  TONNAGE_METADATA_URL=postgres://… tonnage migrate metadata --to sqlite --data-dir /srv/tonnage")]
    Metadata {
        #[command(flatten)]
        place: PlaceArguments,
        /// Which engine is to have them.
        #[arg(long, value_enum, value_name = "ENGINE")]
        to: MetadataEngine,
    },
}

/// The engines that can hold metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MetadataEngine {
    /// The file in the data directory.
    Sqlite,
    /// The database that `metadata_url` names.
    Postgres,
}

/// What `tonnage fsck` takes.
#[derive(Debug, Args)]
pub(crate) struct FsckArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Read every blob and calculate its digest; takes as long as reading the whole store.
    #[arg(long)]
    pub(crate) contents: bool,
    /// Do the repairs that lose nothing: remove objects that no row names and that are older than
    /// an hour, forget lost blobs that no image refers to, mark the other lost ones damaged.
    #[arg(long)]
    pub(crate) repair: bool,
    /// How to print what was found.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
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
