//! Replication of a registry to other regions and accounts.
//!
//! What changes in a repository is queued in the transaction of the change, for each destination
//! (`note`). A job for each repository and destination carries it over in that order ([`carry`]):
//! it looks what is so *now*, so a tag that moved meanwhile arrives where it is and never goes back.
//! What arrives is written by operations of the destination, which its registry policy decides on:
//! [`replicate_image`], [`replicate_layer`], [`replicate_deletion`], [`replicate_setting`]. A copy, its status and the end
//! of its row in the queue are one transaction. What replication itself writes is not queued again,
//! so there are neither chains nor loops.
//!
//! Beside ECR's rules, [`refinements`] narrow them down for each destination, and name [`settings`]
//! of repositories that it gets too.
//!
//! A destination may be a registry of another deployment ([`peer`]). The same job writes to it in the
//! protocols that every client speaks, and what it writes there is decided there.
//!
//! Source: Amazon ECR user guide, "Private image replication"; botocore `ecr`, shape
//! `ReplicationConfiguration`. `docs/replication.md` says what is decided where ECR leaves it open.

pub mod backfills;
pub mod carry;
mod carry_to_peer;
pub mod describe_image_replication_status;
pub mod describe_replication;
pub mod describe_replication_matrix;
pub mod list_replications;
pub mod measure;
pub(crate) mod pace;
pub mod peer;
pub(crate) mod peers;
pub mod put_replication_configuration;
mod queue;
pub mod refinements;
pub mod replicate_deletion;
pub mod replicate_image;
pub mod replicate_layer;
pub mod replicate_setting;
pub mod retry;
pub mod settings;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(crate) use self::queue::note;
pub use self::queue::{Change, QueuedChange};
use crate::context::{Principal, PrincipalKind};
use crate::error::{Error, Result};
use crate::names::{AccountId, Partition, Region, RepositoryName};
use crate::registries::Document;

/// Rules per configuration; the service quota of ECR.
const RULES_MAX: usize = 10;
/// Different destinations of all rules together; the service quota of ECR.
const DESTINATIONS_MAX: usize = 25;
/// Images that one image may have below it, or carry with it.
const TREE_MAX: usize = 50_000;
/// Filters per rule; the service quota of ECR.
const FILTERS_MAX: usize = 100;

/// Whether what a principal writes is a copy, which is not copied on: that of the service, and that
/// of the users by whose keys other deployments copy here. Those have the path `/replication/`, which
/// only whoever makes users can give.
pub(crate) fn is_copier(principal: &Principal) -> bool {
    match principal.kind {
        PrincipalKind::ServiceLinkedRole => true,
        PrincipalKind::User => principal.arn.contains(":user/replication/"),
        _ => false,
    }
}

/// Where the images of a registry are copied to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationConfiguration {
    /// At most 10 rules; an image is copied to the destinations of each that matches.
    pub rules: Vec<ReplicationRule>,
}

/// Copies the images of matching repositories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationRule {
    /// The registries that get a copy.
    pub destinations: Vec<ReplicationDestination>,
    /// Prefixes of repository names, one of which must match; without any, all do. The prefix is
    /// one of text: `prod` matches `production`.
    pub prefixes: Vec<String>,
    /// Whether deletions are copied too; absent where it was never said.
    pub delete_replication: Option<bool>,
}

impl ReplicationRule {
    fn matches(&self, name: &RepositoryName) -> bool {
        self.prefixes.is_empty()
            || self.prefixes.iter().any(|prefix| name.as_str().starts_with(prefix.as_str()))
    }
}

/// Another registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReplicationDestination {
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
}

impl Document for ReplicationConfiguration {
    const NAME: &'static str = "replication";
}

impl ReplicationConfiguration {
    /// Where a repository of this name is copied to, and whether deletions are.
    pub(crate) fn destinations_of(
        &self,
        name: &RepositoryName,
    ) -> BTreeMap<&ReplicationDestination, bool> {
        let mut destinations = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| rule.matches(name)) {
            for destination in &rule.destinations {
                *destinations.entry(destination).or_default() |=
                    rule.delete_replication == Some(true);
            }
        }
        destinations
    }

    /// Whether some rule has the destination.
    pub(crate) fn has(&self, destination: &ReplicationDestination) -> bool {
        self.rules.iter().any(|rule| rule.destinations.contains(destination))
    }

    /// Checks it for the registry of `account` in `region`.
    ///
    /// # Errors
    /// `InvalidParameter` where a rule makes no sense or a quota would be exceeded.
    pub(crate) fn validate(&self, account: &AccountId, region: &Region) -> Result<()> {
        const FIELD: &str = "replicationConfiguration";
        let refuse = |constraint: &str| Err(Error::invalid_parameter(FIELD, constraint));
        if self.rules.len() > RULES_MAX {
            return refuse("A replication configuration can have at most 10 rules");
        }
        let mut destinations = BTreeSet::new();
        for rule in &self.rules {
            if rule.destinations.is_empty() {
                return refuse("A replication rule must have at least one destination");
            }
            if rule.prefixes.len() > FILTERS_MAX {
                return refuse("A replication rule can have at most 100 repository filters");
            }
            for destination in &rule.destinations {
                let other = Region::parse(&destination.region)
                    .map_err(|error| Error::invalid_parameter("region", error.constraint()))?;
                AccountId::parse(&destination.account)
                    .map_err(|error| Error::invalid_parameter("registryId", error.constraint()))?;
                if other == *region && destination.account == account.as_str() {
                    return refuse(
                        "Replication destination cannot be the same as the source registry",
                    );
                }
                if Partition::of(&other).as_str() != Partition::of(region).as_str() {
                    return refuse(
                        "Replication destination must be in the partition of the source",
                    );
                }
                destinations.insert(destination);
            }
        }
        if destinations.len() > DESTINATIONS_MAX {
            return refuse("A replication configuration can have at most 25 unique destinations");
        }
        Ok(())
    }
}
