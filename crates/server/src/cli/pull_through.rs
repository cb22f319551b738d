//! `tonnage pull-through`.

use clap::Subcommand;

use super::{PlaceArguments, RegistryArguments};

/// What may be done with the pull-through cache, beside ECR's own API.
#[derive(Debug, Subcommand)]
pub(crate) enum PullThroughCommands {
    /// Ask the upstream now where tags of a repository point, however young its last word is.
    ///
    /// A tag that is not there yet is brought, as by a pull. The exit status is 1 where the upstream
    /// did not say; what is stored stays then.
    #[command(after_help = "\
Examples:
  tonnage pull-through refresh docker-hub/library/alpine
  tonnage pull-through refresh docker-hub/library/alpine --tag 3 --tag latest")]
    Refresh {
        #[command(flatten)]
        place: PlaceArguments,
        /// The repository.
        #[arg(value_name = "NAME")]
        repository: String,
        /// These tags only; all that are there otherwise.
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}
