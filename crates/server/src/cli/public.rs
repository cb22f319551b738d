//! `tonnage public`.

use clap::{Args, Subcommand, ValueEnum};

use super::PlaceArguments;

/// What may be done with public registries beside ECR Public's own operations.
#[derive(Debug, Subcommand)]
pub(crate) enum PublicCommands {
    /// The names by which public registries are known.
    #[command(subcommand, arg_required_else_help = true)]
    Aliases(PublicAliasCommands),
    /// The domains that owners of public registries prove to have.
    #[command(subcommand, arg_required_else_help = true)]
    Domains(PublicDomainCommands),
    /// Show how often a public repository was pulled.
    ///
    /// Every count by day, tag, digest and platform, or the sums of one of these or of the networks
    /// that clients are in.
    #[command(after_help = "\
Examples:
  tonnage public pulls 111122223333 web/server --days 7
  tonnage public pulls 111122223333 web/server --by network --json")]
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
        /// What is added up. [default: nothing]
        #[arg(long, value_name = "KIND", value_parser = ["day", "tag", "digest", "platform", "network"])]
        by: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show whether tags of a public repository may move, and whether its images are scanned.
    #[command(after_help = "Examples:\n  tonnage public settings 111122223333 web/server")]
    Settings {
        #[command(flatten)]
        place: PlaceArguments,
        /// Whose registry it is in, 12 digits.
        #[arg(value_name = "ID")]
        account: String,
        /// The repository.
        #[arg(value_name = "REPOSITORY")]
        repository: String,
    },
    /// Set whether tags of a public repository may move, and whether its images are scanned.
    ///
    /// What is not given stays. The gallery shows both; findings are shown to everybody as long as
    /// images are scanned.
    #[command(
        after_help = "Examples:\n  tonnage public set 111122223333 web/server --tags immutable --except latest --scan on"
    )]
    Set(PublicSetArguments),
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

/// What may be done with domains of public registries.
///
/// The gallery shows a domain that is proven beside the name of the publisher. A proof is looked for
/// again every day.
#[derive(Debug, Subcommand)]
pub(crate) enum PublicDomainCommands {
    /// List the domains of a public registry, with what proves them.
    #[command(after_help = "Examples:\n  tonnage public domains list 111122223333")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
        /// Whose registry it is, 12 digits.
        #[arg(value_name = "ID")]
        account: String,
    },
    /// Say what proves a domain, and look for it now.
    #[command(after_help = "Examples:\n  tonnage public domains prove 111122223333 example.com")]
    Prove(PublicDomainArguments),
    /// Remove a domain.
    #[command(after_help = "Examples:\n  tonnage public domains remove 111122223333 example.com")]
    Remove(PublicDomainArguments),
    /// Have a domain shown no more, whatever proves it.
    #[command(after_help = "Examples:\n  tonnage public domains revoke 111122223333 example.com")]
    Revoke(PublicDomainArguments),
    /// Let a domain that was revoked be proven again.
    #[command(after_help = "Examples:\n  tonnage public domains allow 111122223333 example.com")]
    Allow(PublicDomainArguments),
}

/// A domain of an account.
#[derive(Debug, Args)]
pub(crate) struct PublicDomainArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Whose registry it is, 12 digits.
    #[arg(value_name = "ID")]
    pub(crate) account: String,
    /// The domain, in ASCII: `xn--…` for one with other letters.
    #[arg(value_name = "DOMAIN")]
    pub(crate) domain: String,
}

/// New settings of a public repository.
#[derive(Debug, Args)]
#[group(id = "wanted", required = true, multiple = true, args = ["tags", "scan"])]
pub(crate) struct PublicSetArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Whose registry it is in, 12 digits.
    #[arg(value_name = "ID")]
    pub(crate) account: String,
    /// The repository.
    #[arg(value_name = "REPOSITORY")]
    pub(crate) repository: String,
    /// Whether a push may make a tag name another image.
    #[arg(long, value_name = "CHOICE")]
    pub(crate) tags: Option<Movable>,
    /// Tags for which the opposite holds, with `*` for anything; up to five times.
    #[arg(long, value_name = "PATTERN", requires = "tags")]
    pub(crate) except: Vec<String>,
    /// Whether images are scanned: those that are there now, and those that are pushed. Once more
    /// `on` scans again what was not scanned within a day.
    #[arg(long, value_name = "CHOICE")]
    pub(crate) scan: Option<OnOff>,
}

/// Whether tags may move.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Movable {
    /// They may.
    Mutable,
    /// They may not.
    Immutable,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    /// It is.
    On,
    /// It is not.
    Off,
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
