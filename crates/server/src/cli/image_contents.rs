//! `tonnage images`: what is in them.

use clap::Subcommand;

use super::{PlaceArguments, RegistryArguments};

/// What may be asked of the images of a registry.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageContentCommands {
    /// Find the images that have a package, of all that were scanned.
    ///
    /// Versions are compared in the order of their ecosystem, with epoch and release where it has
    /// them. Packages of Debian, Ubuntu and Alpine are found by their own name, libssl3, and by that
    /// of their source package, openssl, as advisories have it. An image that is a part of an index
    /// has the index's tags, and is pulled when the index is.
    #[command(after_help = "\
Examples:
  tonnage images find --package openssl --below 3.0.15 --pulled-since 7d
  tonnage images find --package openssl --ecosystem Debian:12 --below 3.0.15-1~deb12u1
  tonnage images find --package org.apache.logging.log4j:log4j-core --below 2.17.1 --repository prod/ --json")]
    Find {
        #[command(flatten)]
        place: PlaceArguments,
        /// The name of the package, as its ecosystem spells it.
        #[arg(long, value_name = "NAME")]
        package: String,
        /// Its ecosystem, with a release or without: `Debian:12`, `Debian`, `npm`.
        #[arg(long, value_name = "NAME")]
        ecosystem: Option<String>,
        /// Only versions before this one.
        #[arg(long, value_name = "VERSION")]
        below: Option<String>,
        /// Only this version and those after it.
        #[arg(long, value_name = "VERSION")]
        at_least: Option<String>,
        /// Only images that were pulled since: a time, a day, or how long ago (`12h`, `7d`, `2w`).
        #[arg(long, value_name = "TIME")]
        pulled_since: Option<String>,
        /// Only repositories whose names begin so.
        #[arg(long, value_name = "PREFIX")]
        repository: Option<String>,
        /// Only images with this tag.
        #[arg(long, value_name = "TAG")]
        tag: Option<String>,
        /// Print a JSON object for each image, on a line of its own.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Show what is wrong with an image, by the layer that brought it.
    ///
    /// Says of each package whether it comes from the image that this one was built on: that which
    /// the annotations name, or the image of the registry whose layers are the longest beginning of
    /// this one's.
    #[command(after_help = "\
Examples:
  tonnage images findings team/app v1
  tonnage images findings team/app v1 --from own
  tonnage images findings team/app sha256:… --json")]
    Findings {
        #[command(flatten)]
        place: PlaceArguments,
        /// The repository.
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// The image: a tag or a digest.
        #[arg(value_name = "IMAGE")]
        image: String,
        /// Only what comes from the base, or only what does not.
        #[arg(long, value_name = "ORIGIN", value_enum)]
        from: Option<FindingOrigin>,
        /// Print one JSON object.
        #[arg(long, conflicts_with = "from")]
        json: bool,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Print the bill of materials of an image that was scanned, or attach it to the image.
    ///
    /// Attached, it is a manifest that refers to the image, as `oras attach` and `cosign attach`
    /// make them: clients find it with the referrers API, and it goes with the image. The same bill
    /// is attached once.
    #[command(after_help = "\
Examples:
  tonnage images sbom team/app v1 > app.cdx.json
  tonnage images sbom team/app v1 --attach
  tonnage images sbom team/app sha256:… --format spdx-2.3 --attach")]
    Sbom {
        #[command(flatten)]
        place: PlaceArguments,
        /// The repository.
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// The image: a tag or a digest.
        #[arg(value_name = "IMAGE")]
        image: String,
        /// How it is written.
        #[arg(
            long,
            value_name = "FORMAT",
            default_value = "cyclonedx-1.6",
            value_parser = ["cyclonedx-1.5", "cyclonedx-1.6", "spdx-2.3"]
        )]
        format: String,
        /// Attach it to the image instead of printing it.
        #[arg(long)]
        attach: bool,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Show or say which bills of materials are attached to every image that is pushed.
    ///
    /// Says it for the whole registry, in the place of what was said before; without any option it
    /// shows what holds. Layers of these images are read whether they are scanned or not.
    #[command(after_help = "\
Examples:
  tonnage images sbom-on-push
  tonnage images sbom-on-push --format cyclonedx-1.6 --format spdx-2.3 --repository 'prod/*'
  tonnage images sbom-on-push --off")]
    SbomOnPush {
        #[command(flatten)]
        place: PlaceArguments,
        /// A format in which they are attached; may be given for each.
        #[arg(
            long = "format",
            value_name = "FORMAT",
            value_parser = ["cyclonedx-1.5", "cyclonedx-1.6", "spdx-2.3"]
        )]
        formats: Vec<String>,
        /// Only in these repositories: without `*` a part of the name, with `*` a pattern for all of
        /// it; may be given up to 100 times.
        #[arg(long = "repository", value_name = "FILTER", requires = "formats")]
        repositories: Vec<String>,
        /// Attach nothing any more.
        #[arg(long, conflicts_with_all = ["formats", "repositories"])]
        off: bool,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}

/// Where a package that has a flaw comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FindingOrigin {
    /// From the image that this one was built on.
    Base,
    /// From a layer above it, or nobody knows.
    Own,
}
