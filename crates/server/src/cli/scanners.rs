//! `tonnage scanners`.

use clap::Subcommand;

use super::PlaceArguments;

/// What may be done with other scanners.
#[derive(Debug, Subcommand)]
pub(crate) enum ScannersCommands {
    /// List the scanners that the server is configured with.
    #[command(after_help = "Examples:\n  tonnage scanners list")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Ask a scanner what it is and can do. Ends with 1 when it does not answer as it should.
    #[command(after_help = "Examples:\n  tonnage scanners test trivy")]
    Test {
        #[command(flatten)]
        place: PlaceArguments,
        /// The scanner.
        #[arg(value_name = "NAME")]
        name: String,
    },
}
