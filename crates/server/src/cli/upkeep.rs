//! What looks after a running server: `tonnage gc`, `scrub`, `jobs`.

use clap::{Args, Subcommand, ValueEnum};

use super::PlaceArguments;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
