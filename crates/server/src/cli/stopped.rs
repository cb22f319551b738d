//! Copies of a registry and what is done while no server runs: `tonnage backup`, `restore`, `keys`,
//! `migrate`, `fsck`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{PlaceArguments, ReportFormat};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
