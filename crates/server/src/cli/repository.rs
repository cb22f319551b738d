//! `tonnage repository`.

use clap::Subcommand;

use super::{PlaceArguments, RegistryArguments};

/// What may be done with repositories.
#[derive(Debug, Subcommand)]
pub(crate) enum RepositoryCommands {
    /// Give a repository another name in its registry.
    ///
    /// It stays the same repository: images, tags, policies, settings, resource tags and what waits
    /// to be replicated stay with it. Clients find it under the new name only; what identity policies
    /// say of the old name does not follow. Copies at replication destinations keep the old name.
    #[command(after_help = "\
Examples:
  tonnage repository rename team/app platform/app
  tonnage repository rename app api --account 111122223333 --in-region eu-west-1")]
    Rename {
        #[command(flatten)]
        place: PlaceArguments,
        /// The repository.
        #[arg(value_name = "OLD")]
        repository: String,
        /// Its new name, which no repository has.
        #[arg(value_name = "NEW")]
        new_name: String,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Print where tags pointed, since when, and who moved them: the last move first.
    ///
    /// Every push, deletion and copy that moved a tag is kept, also after the tag or its image is
    /// gone.
    #[command(after_help = "\
Examples:
  tonnage repository tag-history team/app
  tonnage repository tag-history team/app latest --limit 5
  tonnage repository tag-history team/app stable --account 111122223333 --in-region eu-west-1")]
    TagHistory {
        #[command(flatten)]
        place: PlaceArguments,
        /// The repository.
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// Of this tag only.
        #[arg(value_name = "TAG")]
        tag: Option<String>,
        /// So many moves at most.
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Say whether manifests may refer to layers and images that the repository does not hold.
    ///
    /// By default they may not, as in ECR, unless the server runs with `sparse_manifests`. What is
    /// missing can be pushed later; until then pulling it fails.
    #[command(after_help = "\
Examples:
  tonnage repository sparse-manifests allow mirror/app
  tonnage repository sparse-manifests refuse mirror/app --account 111122223333 --in-region eu-west-1
  tonnage repository sparse-manifests default mirror/app")]
    SparseManifests {
        #[command(flatten)]
        place: PlaceArguments,
        /// Whether they may, or what the server does in general.
        #[arg(value_enum)]
        choice: SparseChoice,
        /// The repository.
        #[arg(value_name = "NAME")]
        repository: String,
        /// Its account. [default: the management account]
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Its region. [default: the server's]
        #[arg(long, value_name = "REGION")]
        in_region: Option<String>,
    },
}

/// Whether manifests may refer to what a repository does not hold.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum SparseChoice {
    /// They may.
    Allow,
    /// They may not.
    Refuse,
    /// As the server says.
    Default,
}
