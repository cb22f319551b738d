//! `tonnage images`.

use clap::{Args, Subcommand};

use super::{ImageContentCommands, PlaceArguments, RegistryArguments};

/// What may be done with images that ECR does not have.
#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommands {
    #[command(flatten)]
    Contents(ImageContentCommands),
    /// Let somebody without an account pull one image for a while.
    ///
    /// Prints a user name and a password that are good for this image and nothing else; a tag is
    /// followed to the image that it names now. Whoever makes a share needs the permissions to pull
    /// the image, and it is good only as long as they have them. The server has to run with
    /// `image_shares`.
    #[command(after_help = "\
Examples:
  tonnage images share team/app:v1 --for 24h
  tonnage images share team/app@sha256:… --for 7d --uses 3 --as alice")]
    Share(ShareArguments),
    /// List the shares of a repository: those that are good, and those that ended in the last thirty
    /// days.
    #[command(after_help = "Examples:\n  tonnage images shares team/app")]
    Shares {
        #[command(flatten)]
        place: PlaceArguments,
        /// The repository.
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// End a share at once.
    #[command(after_help = "Examples:\n  tonnage images unshare team/app share-1f2e3d4c5b6a")]
    Unshare {
        #[command(flatten)]
        place: PlaceArguments,
        /// The repository.
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// The share's id.
        #[arg(value_name = "SHARE")]
        share: String,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}

/// What is shared.
#[derive(Debug, Args)]
pub(crate) struct ShareArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The image: `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// How long, in seconds, minutes, hours or days: from one minute to seven days.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) time: String,
    /// How often it may be pulled. [default: any number]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) uses: Option<u32>,
    /// The user who shares it, in whose name it is pulled. [default: the root of the account]
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: Option<String>,
    /// The registry's host as it stands before the names of images, for what is printed. [default:
    /// this machine's]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
}
