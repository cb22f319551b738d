//! What the fuzz targets do, one function each. See `README.md`.

pub mod evidence;
pub mod layers;
pub mod manifests;
pub mod policies;
pub mod ranges;
pub mod references;
pub mod routes;
