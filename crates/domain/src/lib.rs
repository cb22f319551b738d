//! What a registry does: the operations, their rules and their SQL.
//!
//! A front end authenticates, builds a [`context::RequestContext`] and hands one operation to
//! [`execute::execute`]. This crate knows no wire shapes, no HTTP and no database driver.

pub mod accounts;
pub mod advisories;
pub mod app;
pub mod archive;
pub mod audit;
pub mod authorize;
pub mod backup;
pub mod blobs;
pub mod buffers;
pub mod clock;
pub mod context;
pub mod encryption;
pub mod error;
pub mod events;
pub mod execute;
pub mod fsck;
pub mod gallery;
pub mod gc;
pub mod health;
pub mod identities;
mod ids;
pub mod images;
pub mod inspector;
pub mod jobs;
pub mod lifecycle;
pub mod metadata;
pub mod metrics;
pub mod names;
pub mod objects;
pub mod operations;
pub mod overview;
pub mod pages;
pub mod policies;
pub mod public;
pub mod pull_through;
pub mod pull_time_exclusions;
pub mod quotas;
pub mod registries;
pub mod replication;
pub mod repositories;
pub mod resource_tags;
pub mod root_key;
pub mod scanning;
pub mod schema;
pub mod scrub;
pub mod secrets;
pub mod services;
pub mod signing;
pub mod templates;
pub mod throttle;
pub mod transfer;
pub mod uploads;
mod versions;
mod wildcard;
