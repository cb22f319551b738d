//! `tonnage replication`.

use clap::Subcommand;

use super::{PlaceArguments, RegistryArguments};

/// What may be done with replication, beside ECR's own API.
#[derive(Debug, Subcommand)]
pub(crate) enum ReplicationCommands {
    /// Say what one destination gets of what the rules send to it.
    ///
    /// Replaces what was said before; without any pattern or setting the destination gets all
    /// images again, and no settings. In a pattern `*` is any run of characters, and a `!` at the
    /// beginning excludes. A name is taken if it matches a pattern that does not exclude, or there
    /// is none, and no pattern that excludes.
    #[command(after_help = "\
Examples:
  tonnage replication refine eu-west-1 --repository 'prod/*' --repository '!prod/tmp*'
  tonnage replication refine 111122223333/us-east-1 --tag 'v*' --tag 'release-*'
  tonnage replication refine eu-west-1 --setting lifecycle-policy --setting resource-tags
  tonnage replication refine eu-west-1")]
    Refine {
        #[command(flatten)]
        place: PlaceArguments,
        /// The destination: a region, of another account with its id before it.
        #[arg(value_name = "[ACCOUNT/]REGION")]
        destination: String,
        /// Of which repositories; may be given up to 100 times.
        #[arg(long = "repository", value_name = "PATTERN")]
        repositories: Vec<String>,
        /// By which tags; may be given up to 100 times.
        #[arg(long = "tag", value_name = "PATTERN")]
        tags: Vec<String>,
        /// A setting of repositories that it gets too.
        #[arg(long = "setting", value_name = "SETTING", value_enum)]
        settings: Vec<ReplicatedSetting>,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Show the destinations of a registry, and what each gets.
    #[command(after_help = "\
Examples:
  tonnage replication show
  tonnage replication show --account 111122223333 --in-region eu-west-1")]
    Show {
        #[command(flatten)]
        place: PlaceArguments,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Show how far behind each destination is, or where the copies of a repository stand.
    #[command(after_help = "\
Examples:
  tonnage replication status
  tonnage replication status --repository prod/app")]
    Status {
        #[command(flatten)]
        place: PlaceArguments,
        /// Show the copies of this repository's images, newest first.
        #[arg(long, value_name = "NAME")]
        repository: Option<String>,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Queue again what could not be copied.
    #[command(after_help = "\
Examples:
  tonnage replication retry
  tonnage replication retry --repository prod/app --destination 111122223333/us-east-1")]
    Retry {
        #[command(flatten)]
        place: PlaceArguments,
        /// Of this repository only.
        #[arg(long, value_name = "NAME")]
        repository: Option<String>,
        /// For this destination only.
        #[arg(long, value_name = "[ACCOUNT/]REGION")]
        destination: Option<String>,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}

/// A setting of repositories that a destination can get.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ReplicatedSetting {
    /// The lifecycle policy.
    LifecyclePolicy,
    /// The repository policy.
    RepositoryPolicy,
    /// The resource tags.
    ResourceTags,
    /// Whether tags may move.
    TagMutability,
}
