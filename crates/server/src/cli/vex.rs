//! `tonnage vex`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{PlaceArguments, RegistryArguments};

/// What may be done with the VEX documents of a registry.
#[derive(Debug, Subcommand)]
pub(crate) enum VexCommands {
    /// Put a document of OpenVEX or CSAF that holds for all images of a registry.
    ///
    /// It replaces one of the same name, and takes effect within moments. A statement is about an
    /// image by its digest or its repository (`pkg:oci/app?repository_url=registry.example.com/team/app`),
    /// and about the packages in it that it names as parts; or about a package wherever it is.
    #[command(after_help = "\
Examples:
  tonnage vex put not-called.openvex.json
  tonnage vex put - --name vendor < vendor.csaf.json")]
    Put {
        #[command(flatten)]
        place: PlaceArguments,
        /// The file, or `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Its name in the registry. [default: that of the file]
        #[arg(long, value_name = "NAME", required_if_eq("file", "-"))]
        name: Option<String>,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// List the documents of a registry.
    #[command(after_help = "\
Examples:
  tonnage vex list")]
    List {
        #[command(flatten)]
        place: PlaceArguments,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Print a document as it was put.
    #[command(after_help = "\
Examples:
  tonnage vex show not-called.openvex.json")]
    Show {
        #[command(flatten)]
        place: PlaceArguments,
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Remove a document; what it suppressed counts again.
    #[command(after_help = "\
Examples:
  tonnage vex delete not-called.openvex.json")]
    Delete {
        #[command(flatten)]
        place: PlaceArguments,
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}
