//! What the fuzz targets do, one function each. See `README.md`.

pub mod advisories;
pub mod bundles;
pub mod evidence;
pub mod layers;
pub mod manifests;
pub mod policies;
pub mod ranges;
pub mod references;
pub mod routes;
pub mod versions;
pub mod vex;
