//! `tonnage advisories`.

use clap::Subcommand;

use super::PlaceArguments;

/// What may be done with sources of advisories.
#[derive(Debug, Subcommand)]
pub(crate) enum AdvisoriesCommands {
    /// List the sources, how much they have, how old it is, and what failed.
    #[command(after_help = "Examples:\n  tonnage advisories list")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Read the sources now, and wait until that is done. Ends with 1 when one cannot be read.
    ///
    /// The running server does this by itself, at the interval of the setting `advisory_interval`.
    #[command(after_help = "\
Examples:
  tonnage advisories sync
  tonnage advisories sync debian --force")]
    Sync {
        #[command(flatten)]
        place: PlaceArguments,
        /// Only this source.
        #[arg(value_name = "NAME")]
        source: Option<String>,
        /// Read it although it has not changed, and take it although it has lost more than half of
        /// its records.
        #[arg(long)]
        force: bool,
    },
}
