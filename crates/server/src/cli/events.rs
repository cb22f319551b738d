//! `tonnage events`.

use clap::Subcommand;

use super::{PlaceArguments, RegistryArguments};

/// What may be done with events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommands {
    /// List what happened in a registry, newest first: pushes, scans, copies, deletions.
    ///
    /// Who did it is in `aws cloudtrail lookup-events`.
    #[command(after_help = "\
Examples:
  tonnage events list
  tonnage events list --kind image-deleted --repository team/app
  tonnage events list --from 2026-01-31T00:00:00Z --until 2026-02-01T00:00:00Z --limit 1000")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
        #[command(flatten)]
        registry: RegistryArguments,
        /// Only of this kind, such as `image-pushed`.
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Only of this repository.
        #[arg(long, value_name = "NAME")]
        repository: Option<String>,
        /// Not before this time.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Not after this time.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: u32,
    },
}
