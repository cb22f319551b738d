//! Where a registry keeps things: metadata on SQLite or PostgreSQL, blob objects on files.
//!
//! Implements the traits of `tonnage_domain::{metadata, objects}` and knows nothing of what is
//! kept. The feature `testing` adds fault injectors, crash points and the suites every backend must
//! pass.

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod crash;
#[cfg(not(feature = "testing"))]
#[path = "no_crash.rs"]
mod crash;
mod dialect;
pub mod disk;
#[cfg(feature = "testing")]
pub mod faulty;
pub mod files;
pub mod postgres;
pub mod schema;
pub mod sqlite;
pub mod vault;
