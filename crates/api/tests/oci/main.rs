//! The distribution protocol, requirement by requirement: a registry inside the test process, on
//! a database in memory and objects in a directory of its own.
//!
//! Names of tests begin with the endpoint of the OCI distribution specification 1.1 that they hold
//! (`end_4a`), where there is one. What every answer must fulfil is checked in [`client`].

#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

mod client;
mod content;
mod registry;

mod authentication;
mod cached_pushes;
mod conditions;
mod deletion;
mod downloads;
mod isolation;
mod listings;
mod manifests;
mod mounting;
mod profiles;
mod public;
mod pulls;
mod pulls_through;
mod ranges;
mod referrers;
mod routes;
mod shares;
mod sizes;
mod sparse;
mod uploads;
mod warnings;
