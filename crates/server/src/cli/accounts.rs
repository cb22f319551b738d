//! `tonnage account`.

use std::path::PathBuf;

use clap::Subcommand;

use super::PlaceArguments;

/// What may be done with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommands {
    /// Create an account, and print its root access key once.
    #[command(after_help = "\
Examples:
  tonnage account create
  tonnage account create 111122223333 --name harbour")]
    Create {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits. [default: random]
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// What people call it, 1 to 64 characters. [default: the id]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// List the accounts.
    #[command(after_help = "Examples:\n  tonnage account list")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Read and change what an account's principals may be allowed at most.
    #[command(subcommand, arg_required_else_help = true)]
    Limit(AccountLimitCommands),
    /// Refuse everything an account's keys, tokens and links ask for; its images stay.
    #[command(after_help = "Examples:\n  tonnage account suspend 111122223333")]
    Suspend {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Take a suspended account back.
    #[command(after_help = "Examples:\n  tonnage account resume 111122223333")]
    Resume {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits.
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// What may be done with the limit of an account.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountLimitCommands {
    /// Set the most that an account's principals may be allowed, its root included.
    ///
    /// The document is a policy without principals. It allows nothing by itself: what it does not
    /// allow, no other policy of the account can. The management account cannot be limited.
    #[command(after_help = "\
Examples:
  tonnage account limit put 111122223333 limit.json
  tonnage account limit put 111122223333 - < limit.json")]
    Put {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits.
        #[arg(value_name = "ID")]
        id: String,
        /// The document; `-` is the standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the limit of an account, byte for byte; nothing when it has none.
    #[command(after_help = "Examples:\n  tonnage account limit get 111122223333")]
    Get {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Take the limit of an account away.
    #[command(after_help = "Examples:\n  tonnage account limit delete 111122223333")]
    Delete {
        #[command(flatten)]
        place: PlaceArguments,
        /// 12 digits.
        #[arg(value_name = "ID")]
        id: String,
    },
}
