//! Pull-through cache: repositories whose images come from other registries when they are asked for.
//!
//! A rule says which repositories of a registry are caches, and of which upstream registry. `rules`
//! has them and what they match, `registries` the upstream registries that ECR knows, `origin` where
//! those really are and how to enter them.
//!
//! Sources: Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private registry";
//! botocore `ecr`, shape `PullThroughCacheRule`.

pub(crate) mod arrivals;
mod arriving;
pub mod complete;
pub mod import_image;
pub mod import_layer;
pub(crate) mod imports;
pub mod namespace;
mod origin;
pub mod pull;
mod refusal;
pub mod registries;
pub mod rules;
pub mod settings;
pub(crate) mod transfer_lease;
pub mod upstream;

/// What brings images from an upstream into a repository (Amazon ECR user guide, "IAM permissions
/// required to sync an upstream registry with an Amazon ECR private registry").
const IMPORT: &str = "ecr:BatchImportUpstreamImage";
/// What an import needs too where there is no repository yet.
const CREATE: &str = "ecr:CreateRepository";
