//! Where a registry keeps things: metadata on SQLite, blob objects on files.
//!
//! Implements the traits of `tonnage_domain::{metadata, objects}` and knows nothing of what is kept.

pub mod files;
pub mod sqlite;
