//! What narrows the rules of a registry down, by destination. ECR's rules know prefixes of
//! repository names only, so this is a document of its own beside them; a rule never changes by it.
//!
//! A repository or tag is taken if it matches some pattern of its list, or the list has none that
//! includes, and no pattern that begins with `!`. What has no tag goes with what it belongs to
//! (`DestinationRefinement::takes`).

use std::collections::{BTreeSet, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::settings::ReplicatedSetting;
use super::{DESTINATIONS_MAX, ReplicationConfiguration, ReplicationDestination};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::images::tags;
use crate::names::{Digest, RepositoryName, Tag};
use crate::registries::{self, Document};
use crate::{params, wildcard};

/// Patterns of one list.
const PATTERNS_MAX: usize = 100;
/// Bytes of one pattern; no name of a repository is longer.
const PATTERN_BYTES_MAX: usize = 256;
/// Images looked at to find what an image without a tag belongs to. One that belongs to more is
/// taken: too much arrives rather than too little.
const ABOVE_MAX: usize = 200;

/// A list of patterns: `*` is any run of characters, everything else itself, and a pattern that
/// begins with `!` excludes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patterns(pub Vec<String>);

impl Patterns {
    /// Whether the list takes a name. An empty list takes every name.
    pub fn takes(&self, name: &str) -> bool {
        let (mut includes, mut is_included) = (false, false);
        for pattern in &self.0 {
            match pattern.strip_prefix('!') {
                Some(excluded) if wildcard::matches(excluded, name) => return false,
                Some(_) => {}
                None => {
                    includes = true;
                    is_included |= wildcard::matches(pattern, name);
                }
            }
        }
        is_included || !includes
    }

    /// Whether only what matches is taken.
    pub(super) fn include(&self) -> bool {
        self.0.iter().any(|pattern| !pattern.starts_with('!'))
    }

    fn validate(&self, field: &'static str, may_stand: fn(u8) -> bool, what: &str) -> Result<()> {
        let refuse = |constraint: String| Err(Error::invalid_parameter(field, constraint));
        if self.0.len() > PATTERNS_MAX {
            return refuse(format!("At most {PATTERNS_MAX} patterns"));
        }
        for pattern in &self.0 {
            let text = pattern.strip_prefix('!').unwrap_or(pattern);
            if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
                return refuse(format!("A pattern has 1 to {PATTERN_BYTES_MAX} characters"));
            }
            if !text.bytes().all(|byte| byte == b'*' || may_stand(byte)) {
                return refuse(format!(
                    "The pattern {pattern:?} can match no {what}: it may have `*`, a `!` at its \
                     beginning, and what {what}s have"
                ));
            }
        }
        Ok(())
    }
}

/// What one destination gets of what the rules send to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationRefinement {
    /// The destination.
    pub destination: ReplicationDestination,
    /// Of which repositories; at most 100 patterns.
    #[serde(default)]
    pub repositories: Patterns,
    /// By which tags; at most 100 patterns.
    #[serde(default)]
    pub tags: Patterns,
    /// The settings of repositories that it gets too; none, as in ECR, unless they are asked for.
    #[serde(default)]
    pub settings: BTreeSet<ReplicatedSetting>,
}

impl DestinationRefinement {
    /// One that refines nothing.
    pub fn none(destination: ReplicationDestination) -> Self {
        Self {
            destination,
            repositories: Patterns::default(),
            tags: Patterns::default(),
            settings: BTreeSet::new(),
        }
    }

    fn refines(&self) -> bool {
        !(self.repositories.0.is_empty() && self.tags.0.is_empty() && self.settings.is_empty())
    }

    /// Whether only images of certain tags are taken, so that what has none is taken with them.
    pub(super) fn is_by_tag(&self) -> bool {
        self.tags.include()
    }

    /// Whether the repository's images and settings are taken.
    pub(super) fn takes_repository(&self, name: &RepositoryName) -> bool {
        self.repositories.takes(name.as_str())
    }

    /// Whether a push is taken: by its tag, or without one where no tag is asked for, or where what
    /// the image belongs to has such a tag: the image that it refers to as its subject, an index
    /// that it is in, and what these belong to.
    pub(super) async fn takes(
        &self,
        tx: &mut Tx,
        repository_id: i64,
        digest: &Digest,
        tag: Option<&str>,
    ) -> Result<bool> {
        match tag {
            Some(tag) => Ok(self.tags.takes(tag)),
            None if !self.is_by_tag() => Ok(true),
            None => self.takes_what_it_belongs_to(tx, repository_id, digest).await,
        }
    }

    async fn takes_what_it_belongs_to(
        &self,
        tx: &mut Tx,
        repository_id: i64,
        digest: &Digest,
    ) -> Result<bool> {
        let mut above = VecDeque::new();
        let image = tx
            .optional(
                "SELECT id, COALESCE(subject_digest, '') FROM images \
                 WHERE repository_id = $1 AND digest = $2",
                params![repository_id, digest.as_str()],
            )
            .await?;
        above.extend(image);
        let mut seen = HashSet::new();
        while let Some(row) = above.pop_front() {
            let (id, subject): (i64, String) = (row.get(0)?, row.get(1)?);
            if !seen.insert(id) {
                continue;
            }
            if seen.len() > ABOVE_MAX {
                return Ok(true);
            }
            let tags = tags::of_image(tx, id).await?;
            if tags.iter().any(|tag| self.tags.takes(tag.as_str())) {
                return Ok(true);
            }
            let rows = tx
                .all(
                    "SELECT images.id, COALESCE(images.subject_digest, '') FROM image_children \
                     JOIN images ON images.id = image_children.image_id \
                     WHERE image_children.child_image_id = $1 LIMIT $2",
                    params![id, ABOVE_MAX],
                )
                .await?;
            above.extend(rows);
            let subject = tx
                .optional(
                    "SELECT id, COALESCE(subject_digest, '') FROM images \
                     WHERE repository_id = $1 AND digest = $2",
                    params![repository_id, subject],
                )
                .await?;
            above.extend(subject);
        }
        Ok(false)
    }

    fn validate(&self) -> Result<()> {
        let of_repositories = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte)
        };
        let of_tags = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        self.repositories.validate("repositories", of_repositories, "repository name")?;
        self.tags.validate("tags", of_tags, "tag")
    }
}

/// Every refinement of a registry; a destination without one gets all that the rules send to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationRefinements {
    /// By destination, each once.
    pub destinations: Vec<DestinationRefinement>,
}

impl Document for ReplicationRefinements {
    const NAME: &'static str = "replication-refinements";
}

impl ReplicationRefinements {
    /// That of a destination.
    pub(super) fn of(
        &self,
        destination: &ReplicationDestination,
    ) -> Option<&DestinationRefinement> {
        self.destinations.iter().find(|refinement| refinement.destination == *destination)
    }

    /// Whether the repository is taken for a destination.
    pub(super) fn take_repository(
        &self,
        destination: &ReplicationDestination,
        name: &RepositoryName,
    ) -> bool {
        self.of(destination).is_none_or(|refinement| refinement.takes_repository(name))
    }

    /// Those of `tags` whose deletion is taken for a destination; that of an image without a tag is.
    pub(super) fn taken_tags<'t>(
        &self,
        destination: &ReplicationDestination,
        tags: &'t [Option<Tag>],
    ) -> Vec<&'t Option<Tag>> {
        let refinement = self.of(destination);
        let takes = |tag: &&Option<Tag>| match (refinement, tag) {
            (Some(refinement), Some(tag)) => refinement.tags.takes(tag.as_str()),
            _ => true,
        };
        tags.iter().filter(takes).collect()
    }

    /// Those of `tags` by which a push is taken for a destination.
    pub(super) async fn taken<'t>(
        &self,
        tx: &mut Tx,
        destination: &ReplicationDestination,
        (repository_id, digest): (i64, &Digest),
        tags: &'t [Option<Tag>],
    ) -> Result<Vec<&'t Option<Tag>>> {
        let Some(refinement) = self.of(destination) else { return Ok(tags.iter().collect()) };
        let mut taken = Vec::with_capacity(tags.len());
        for tag in tags {
            let name = tag.as_ref().map(Tag::as_str);
            if refinement.takes(tx, repository_id, digest, name).await? {
                taken.push(tag);
            }
        }
        Ok(taken)
    }
}

/// Replaces what narrows the rules down for one destination of the registry; one that refines
/// nothing is removed. What is queued already is held against it when its turn comes. Idempotent.
///
/// # Errors
/// `InvalidParameter` for a destination that no rule has, a pattern that can match nothing, or more
/// than 100 patterns of a list.
#[derive(Clone, Debug)]
pub struct PutReplicationRefinements {
    /// The refinement, with its destination.
    pub refinement: DestinationRefinement,
}

impl Operation for PutReplicationRefinements {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "PutReplicationRefinements" };
    type Output = ReplicationRefinements;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:PutReplicationRefinements", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<ReplicationRefinements> {
        let Self { refinement } = self;
        refinement.validate()?;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        let configuration = ReplicationConfiguration::load(&mut tx, Some(registry_id)).await?;
        let mut refinements = ReplicationRefinements::load(&mut tx, Some(registry_id)).await?;
        let is_known = configuration.has(&refinement.destination);
        if refinement.refines() && !is_known {
            return Err(Error::invalid_parameter(
                "destination",
                "The destination must be one of the registry's replication configuration",
            ));
        }
        refinements.destinations.retain(|other| other.destination != refinement.destination);
        if refinement.refines() {
            // Those of destinations that left the rules go when there is no room for them.
            if refinements.destinations.len() >= DESTINATIONS_MAX {
                refinements.destinations.retain(|other| configuration.has(&other.destination));
            }
            refinements.destinations.push(refinement);
            refinements.destinations.sort_by(|one, other| one.destination.cmp(&other.destination));
        }
        refinements.store(&mut tx, registry_id).await?;
        call.commit(tx).await?;
        Ok(refinements)
    }
}

/// Reads what narrows the rules of the registry down.
#[derive(Clone, Debug)]
pub struct GetReplicationRefinements;

impl Operation for GetReplicationRefinements {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetReplicationRefinements" };
    type Output = (ReplicationConfiguration, ReplicationRefinements);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:GetReplicationRefinements", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Self::Output> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let configuration = ReplicationConfiguration::load(&mut tx, registry_id).await?;
        Ok((configuration, ReplicationRefinements::load(&mut tx, registry_id).await?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By trying every way to divide the name.
    fn matches_naively(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => {
                (0..=name.len()).any(|skipped| matches_naively(rest, &name[skipped..]))
            }
            Some((wanted, rest)) => name
                .split_first()
                .is_some_and(|(found, others)| found == wanted && matches_naively(rest, others)),
        }
    }

    fn takes_naively(patterns: &[String], name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let of_sign = |excludes: bool| {
            patterns
                .iter()
                .filter(move |pattern| pattern.starts_with('!') == excludes)
                .map(|pattern| pattern.trim_start_matches('!').chars().collect::<Vec<char>>())
        };
        let is_included = of_sign(false).count() == 0
            || of_sign(false).any(|pattern| matches_naively(&pattern, &name));
        is_included && !of_sign(true).any(|pattern| matches_naively(&pattern, &name))
    }

    proptest! {
        #[test]
        fn lists_take_what_the_naive_reading_takes(
            patterns in proptest::collection::vec("!?[ab*.]{1,6}", 0..5),
            name in "[ab.]{0,7}",
        ) {
            let expected = takes_naively(&patterns, &name);
            prop_assert_eq!(Patterns(patterns).takes(&name), expected);
        }

        /// What can be stored is read back and reads the same.
        #[test]
        fn refinements_survive_storage(
            repositories in proptest::collection::vec("!?[a-z*/]{1,9}", 0..4),
            tags in proptest::collection::vec("!?[A-Za-z*.]{1,9}", 0..4),
            settings in proptest::collection::btree_set(
                proptest::sample::select(ReplicatedSetting::ALL.to_vec()), 0..4),
        ) {
            let refinement = DestinationRefinement {
                destination: ReplicationDestination {
                    region: "eu-west-1".to_owned(), account: "123456789012".to_owned() },
                repositories: Patterns(repositories),
                tags: Patterns(tags),
                settings,
            };
            prop_assert!(refinement.validate().is_ok());
            let text = serde_json::to_string(&refinement).unwrap();
            prop_assert_eq!(serde_json::from_str::<DestinationRefinement>(&text).unwrap(), refinement);
        }
    }

    #[test]
    fn rows_of_lists_and_names() {
        for (patterns, name, expected) in [
            (&[][..], "anything", true),
            (&["prod/*"], "prod/app", true),
            (&["prod/*"], "production/app", false),
            (&["prod/*", "base"], "base", true),
            (&["!prod/*"], "prod/app", false),
            (&["!prod/*"], "base", true),
            // Whatever the order, what is excluded is not taken.
            (&["!prod/tmp*", "prod/*"], "prod/tmp1", false),
            (&["prod/*", "!prod/tmp*"], "prod/tmp1", false),
            (&["prod/*", "!prod/tmp*"], "prod/app", true),
            (&["v?"], "v1", false),
            (&["v.*"], "v1", false),
        ] {
            let list = Patterns(patterns.iter().map(ToString::to_string).collect());
            assert_eq!(list.takes(name), expected, "{patterns:?} {name}");
        }
    }

    #[test]
    fn patterns_that_can_match_nothing_are_refused() {
        let of = |repositories: &[&str], tags: &[&str]| {
            let list = |texts: &[&str]| Patterns(texts.iter().map(ToString::to_string).collect());
            DestinationRefinement {
                repositories: list(repositories),
                tags: list(tags),
                ..DestinationRefinement::none(ReplicationDestination {
                    region: String::new(),
                    account: String::new(),
                })
            }
        };
        let long = "a".repeat(257);
        for (repositories, tags, expected) in [
            (&["a/*", "!a/b"][..], &["v1.*", "!V_-"][..], true),
            (&[""], &[], false),
            (&["!"], &[], false),
            (&["!!a"], &[], false),
            (&["Prod"], &[], false),
            (&["a b"], &[], false),
            (&[&long], &[], false),
            (&[], &["a/b"], false),
            (&[], &["é"], false),
            (&["a"; 101], &[], false),
        ] {
            assert_eq!(
                of(repositories, tags).validate().is_ok(),
                expected,
                "{repositories:?} {tags:?}"
            );
        }
    }
}
