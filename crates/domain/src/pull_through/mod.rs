//! Pull-through cache: repositories whose images come from other registries when they are asked for.
//!
//! A rule says which repositories of a registry are caches, and of which upstream registry. `rules`
//! has them and what they match, `registries` the upstream registries that ECR knows, `origin` where
//! those really are and how to enter them.
//!
//! Sources: Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private registry";
//! botocore `ecr`, shape `PullThroughCacheRule`.

pub mod namespace;
mod origin;
pub mod registries;
pub mod rules;
pub mod settings;
pub mod upstream;
