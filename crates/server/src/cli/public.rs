//! `tonnage public`.

use clap::{Args, Subcommand};

use super::PlaceArguments;

/// What may be done with public registries beside ECR Public's own operations.
#[derive(Debug, Subcommand)]
pub(crate) enum PublicCommands {
    /// The names by which public registries are known.
    #[command(subcommand, arg_required_else_help = true)]
    Aliases(PublicAliasCommands),
    /// Show how often a public repository was pulled, by day, tag, digest and platform.
    #[command(after_help = "Examples:\n  tonnage public pulls 111122223333 web/server --days 7")]
    Pulls {
        #[command(flatten)]
        place: PlaceArguments,
        /// Whose registry it is in, 12 digits.
        #[arg(value_name = "ID")]
        account: String,
        /// The repository.
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// How many days, today among them; days are of UTC.
        #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36500))]
        days: u32,
    },
    /// Say that the owner of a public registry is who they say.
    #[command(after_help = "Examples:\n  tonnage public verify 111122223333")]
    Verify {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits.
        #[arg(value_name = "ID")]
        account: String,
    },
    /// Take that back.
    #[command(after_help = "Examples:\n  tonnage public unverify 111122223333")]
    Unverify {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits.
        #[arg(value_name = "ID")]
        account: String,
    },
}

/// What may be done with aliases of public registries.
///
/// A registry gets a random alias with its first repository. Every active alias works; answers have
/// the primary one.
#[derive(Debug, Subcommand)]
pub(crate) enum PublicAliasCommands {
    /// List the aliases of all accounts, with who asked for them and when.
    #[command(after_help = "Examples:\n  tonnage public aliases list")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Ask for an alias; it works once it is approved.
    ///
    /// Names of AWS and its services, words that belong to nobody, and names that look like an
    /// active alias are refused.
    #[command(
        after_help = "Examples:\n  tonnage public aliases request harbour --account 111122223333"
    )]
    Request(PublicAliasArguments),
    /// Let an alias work that somebody asked for.
    #[command(
        after_help = "Examples:\n  tonnage public aliases approve harbour --account 111122223333"
    )]
    Approve(PublicAliasArguments),
    /// Refuse an alias, or end it; the primary one stays.
    #[command(
        after_help = "Examples:\n  tonnage public aliases reject harbour --account 111122223333"
    )]
    Reject(PublicAliasArguments),
    /// Make an active alias the one that answers have.
    #[command(
        after_help = "Examples:\n  tonnage public aliases primary harbour --account 111122223333"
    )]
    Primary(PublicAliasArguments),
}

/// An alias of an account.
#[derive(Debug, Args)]
pub(crate) struct PublicAliasArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// 2 to 50 characters: lower-case letters and digits, a letter first, with single `.`, `_` or
    /// `-` between.
    #[arg(value_name = "ALIAS")]
    pub(crate) name: String,
    /// Whose registry it is for, 12 digits.
    #[arg(long, value_name = "ID")]
    pub(crate) account: String,
}
