//! ECR Public: a public registry for each account, in no region, whose repositories everybody may
//! pull from.
//!
//! A public repository is a repository like any other: images, uploads, tags and policies are the
//! same operations, whose actions are those of `ecr-public` where the registry has no region
//! ([`crate::names::Region::global`]). Here is what only public registries have: aliases, what is
//! shown of repositories, the right of everybody to read, and limits of that.

pub mod aliases;
pub mod authorization;
pub mod catalog;
pub mod create_repository;
pub mod domains;
pub mod limits;
pub(crate) mod reading;
pub mod registries;
pub mod repository_settings;

/// The region that requests for public registries are in, for policies that ask
/// (`aws:RequestedRegion`); ECR Public's API is there.
pub const API_REGION: &str = "us-east-1";
