//! The rules of the registry as specifications, through the one door that front ends use, on a
//! real database and a real object store.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

mod advisories;
mod archive;
mod audit;
mod authorization;
mod backup;
mod bootstrap;
mod collection;
mod console_roles;
mod content;
mod crash;
mod demands;
mod faults;
mod fsck;
mod gallery;
mod histories;
mod identities;
mod images;
mod interposed;
mod jobs;
mod key_wrapper;
mod lifecycle;
mod listing;
mod lost_commits;
mod overview;
mod policies;
mod public;
mod pull_through;
mod pull_through_data;
mod quotas;
mod races;
mod registry;
mod replication;
mod repositories;
mod resource_tags;
mod root_key;
mod scanning;
mod scrub;
mod secrets;
mod signing;
mod templates;
mod throttling;
mod transfer;
mod uploads;
mod web_identity;
