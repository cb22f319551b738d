//! `tonnage policy`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::{PlaceArguments, ReportFormat};

/// What may be asked of policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommands {
    /// Say whether a principal may do something, and which statement or missing allow decides.
    ///
    /// Asks the running server, which decides as for a request of the principal, from every policy
    /// that has a say. Changes nothing. Ends with 0 if it is allowed and with 1 if it is denied.
    #[command(after_help = "\
Examples:
  tonnage policy explain --principal arn:aws:iam::111122223333:root --action ecr:PutImage --resource arn:aws:ecr:us-east-1:123456789012:repository/app
  tonnage policy explain --principal arn:aws:iam::123456789012:root --action ecr:BatchGetImage --resource arn:aws:ecr:us-east-1:123456789012:repository/app --context aws:SourceIp=192.0.2.7 --context tonnage:ImageTag=v1")]
    Explain {
        #[command(flatten)]
        place: PlaceArguments,
        /// The ARN of a principal.
        #[arg(long, value_name = "ARN")]
        principal: String,
        /// The action, such as `ecr:BatchGetImage`.
        #[arg(long, value_name = "ACTION")]
        action: String,
        /// The ARN of a resource, or `*`.
        #[arg(long, value_name = "ARN")]
        resource: String,
        /// A condition key of the request; may be repeated, also for several values of one key.
        #[arg(long, value_name = "KEY=VALUE")]
        context: Vec<String>,
        /// How to print it.
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
    /// Look for mistakes in the text of a policy, without a server.
    ///
    /// Ends with 0 if there are none, with 1 if there are, and with 2 if the file cannot be read.
    #[command(after_help = "\
Examples:
  tonnage policy lint policy.json
  tonnage policy lint --kind repository - < policy.json")]
    Lint {
        /// The policy; `-` is the standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What it is attached to. [default: a resource if it names principals, else an identity]
        #[arg(long, value_enum, value_name = "KIND")]
        kind: Option<LintKind>,
    },
}

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintKind {
    /// A user, a group or a role.
    Identity,
    /// A repository.
    Repository,
    /// A registry.
    Registry,
    /// A role, saying who may assume it.
    Trust,
    /// An account.
    Limit,
}
