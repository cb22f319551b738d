//! What is in an image, and what is wrong with it.
//!
//! [`layers`] reads the stream of a layer and finds the packages in it; [`advisories`] reads what is
//! known of weaknesses, and decides which of them a package has; [`vex`] reads what the makers of
//! software say to that; [`sbom`] writes down what was found. All take hostile input: every reader is
//! bounded, and nothing panics.

pub mod advisories;
pub mod layers;
mod package;
mod purl;
pub mod sbom;
mod text;
pub mod vex;

pub use package::{OsRelease, Package, PackageType, SourcePackage, TEXT_BYTES_MAX};
pub use purl::{PURL_BYTES_MAX, Purl};
