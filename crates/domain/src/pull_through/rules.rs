//! Rules: which repositories are caches, and of what.

use super::namespace::Namespace;
use super::registries::{UpstreamRegistry, UpstreamUrl};
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::metadata::{Row, Value};
use crate::names::{AccountId, Region};
use crate::params;
use crate::repositories::{Repository, RepositoryAddress};

/// A stored rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The account of its registry.
    pub account: AccountId,
    /// The region of its registry.
    pub region: Region,
    /// Which repositories it covers.
    pub prefix: Namespace,
    /// The prefix as it was given.
    pub given_prefix: String,
    /// Which registry the upstream is.
    pub upstream_registry: UpstreamRegistry,
    /// The URL as it was given.
    pub upstream_url: String,
    /// The host of the URL.
    pub upstream_host: String,
    /// Which repositories upstream it takes images from.
    pub upstream_prefix: Namespace,
    /// The upstream prefix as it was given; a path of the URL is none.
    pub given_upstream_prefix: Option<String>,
    /// The secret with the name and the access token for the upstream.
    pub credential_arn: Option<String>,
    /// The role that is taken to ask another registry of ECR.
    pub custom_role_arn: Option<String>,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last updated.
    pub updated_at: Millis,
}

impl Rule {
    /// What a repository that it covers is called upstream.
    pub fn upstream_repository(&self, name: &str) -> Option<String> {
        self.prefix.strip(name).map(|rest| self.upstream_prefix.join(rest))
    }
}

/// A repository name that a rule covers.
#[derive(Clone, Debug)]
pub(crate) struct Covered {
    /// The rule.
    pub(crate) rule: Rule,
    /// What the repository is called upstream.
    pub(crate) upstream_repository: String,
}

macro_rules! select_rules {
    ($rest:literal) => {
        concat!(
            "SELECT rules.prefix, rules.given_prefix, rules.upstream_registry, \
             rules.upstream_url, rules.given_upstream_prefix, rules.credential_arn, \
             rules.custom_role_arn, rules.created_at, rules.updated_at \
             FROM pull_through_cache_rules AS rules \
             JOIN registries ON registries.id = rules.registry_id \
             WHERE registries.kind = 'private' AND registries.account_id = $1 \
             AND registries.region = $2 ",
            $rest
        )
    };
}

fn from_row(account: AccountId, region: &Region, row: &Row) -> Result<Rule> {
    let upstream_url: String = row.get(3)?;
    let url = UpstreamUrl::parse(&upstream_url)
        .ok_or_else(|| Error::internal(format!("the URL {upstream_url:?} of a rule is none")))?;
    let upstream_registry = match row.get::<Option<String>>(2)? {
        None => UpstreamRegistry::Other,
        Some(name) => UpstreamRegistry::parse(&name)
            .ok_or_else(|| Error::internal(format!("a rule is for the registry {name:?}")))?,
    };
    let given_upstream_prefix: Option<String> = row.get(4)?;
    Ok(Rule {
        account,
        region: region.clone(),
        prefix: Namespace::new(&row.get::<String>(0)?),
        given_prefix: row.get(1)?,
        upstream_registry,
        upstream_url,
        upstream_host: url.host,
        upstream_prefix: given_upstream_prefix.as_deref().map_or(url.path, Namespace::new),
        given_upstream_prefix,
        credential_arn: row.get(5)?,
        custom_role_arn: row.get(6)?,
        created_at: row.get(7)?,
        updated_at: row.get(8)?,
    })
}

/// The rule for a repository name, whether there is such a repository or not: of those whose prefix
/// it is below, the one with the longest; else the one for all names.
pub(crate) async fn covering(
    tx: &mut Tx,
    repository: &RepositoryAddress,
) -> Result<Option<Covered>> {
    let name = repository.name.as_str();
    let rows = tx
        .all(
            select_rules!("AND rules.prefix IN_LIST($3)"),
            params![
                repository.account.as_str(),
                repository.region.as_str(),
                Value::list(Namespace::around(name)),
            ],
        )
        .await?;
    let rules = rows.iter().map(|row| from_row(repository.account, &repository.region, row));
    Ok(narrowest(rules.collect::<Result<Vec<Rule>>>()?, name))
}

/// Of some rules of a registry, the one that covers a name.
fn narrowest(rules: Vec<Rule>, name: &str) -> Option<Covered> {
    let covered = rules.into_iter().filter_map(|rule| {
        let upstream_repository = rule.upstream_repository(name)?;
        Some(Covered { rule, upstream_repository })
    });
    covered.max_by_key(|covered| covered.rule.prefix.depth())
}

/// The rule of a registry with this prefix.
pub(super) async fn find(
    tx: &mut Tx,
    account: AccountId,
    region: &Region,
    prefix: &Namespace,
) -> Result<Option<Rule>> {
    let row = tx
        .optional(
            select_rules!("AND rules.prefix = $3"),
            params![account.as_str(), region.as_str(), prefix.as_str()],
        )
        .await?;
    row.map(|row| from_row(account, region, &row)).transpose()
}

/// Up to `limit` rules of a registry whose prefixes follow `after`.
pub(super) async fn list(
    tx: &mut Tx,
    account: AccountId,
    region: &Region,
    after: &str,
    limit: i64,
) -> Result<Vec<Rule>> {
    let rows = tx
        .all(
            select_rules!("AND rules.prefix > $3 ORDER BY rules.prefix LIMIT $4"),
            params![account.as_str(), region.as_str(), after, limit],
        )
        .await?;
    rows.iter().map(|row| from_row(account, region, row)).collect()
}

/// Refuses a push to a repository that has what an upstream registry has: what a client puts there
/// would pass for the upstream's, and the next import would replace it. A rule for all names leaves
/// repositories alone that a push or somebody by hand made.
///
/// # Errors
/// [`ErrorKind::RepositoryIsCache`].
pub(crate) async fn refuse_push(
    tx: &mut Tx,
    repository: &RepositoryAddress,
    existing: Option<&Repository>,
) -> Result<()> {
    let Some(Covered { rule, .. }) = covering(tx, repository).await? else { return Ok(()) };
    if rule.prefix == Namespace::Root && !existing.is_some_and(|existing| existing.is_cache) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::RepositoryIsCache,
        format!(
            "The repository with name '{}' in the registry with id '{}' is a cache of {} by the \
             pull through cache rule with the prefix '{}', and images come to it only by being \
             pulled. Push to another name, or delete the rule.",
            repository.name, repository.account, rule.upstream_url, rule.given_prefix
        ),
    ))
}

pub(super) async fn insert(tx: &mut Tx, registry_id: i64, rule: &Rule) -> Result<()> {
    tx.execute(
        "INSERT INTO pull_through_cache_rules (registry_id, prefix, given_prefix, \
         upstream_registry, upstream_url, given_upstream_prefix, credential_arn, custom_role_arn, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            registry_id,
            rule.prefix.as_str(),
            rule.given_prefix.as_str(),
            rule.upstream_registry.as_str(),
            rule.upstream_url.as_str(),
            rule.given_upstream_prefix.as_deref(),
            rule.credential_arn.as_deref(),
            rule.custom_role_arn.as_deref(),
            rule.created_at,
            rule.updated_at,
        ],
    )
    .await?;
    Ok(())
}

/// Changes what enters the upstream of a rule.
pub(super) async fn update(tx: &mut Tx, registry_id: i64, rule: &Rule) -> Result<()> {
    tx.execute(
        "UPDATE pull_through_cache_rules SET credential_arn = $3, custom_role_arn = $4, \
         updated_at = $5 WHERE registry_id = $1 AND prefix = $2",
        params![
            registry_id,
            rule.prefix.as_str(),
            rule.credential_arn.as_deref(),
            rule.custom_role_arn.as_deref(),
            rule.updated_at,
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, registry_id: i64, prefix: &Namespace) -> Result<()> {
    tx.execute(
        "DELETE FROM pull_through_cache_rules WHERE registry_id = $1 AND prefix = $2",
        params![registry_id, prefix.as_str()],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(prefix: &str, upstream_prefix: &str) -> Rule {
        Rule {
            account: AccountId::parse("123456789012").unwrap(),
            region: Region::parse("us-east-1").unwrap(),
            prefix: Namespace::new(prefix),
            given_prefix: prefix.to_owned(),
            upstream_registry: UpstreamRegistry::Quay,
            upstream_url: "quay.io".to_owned(),
            upstream_host: "quay.io".to_owned(),
            upstream_prefix: Namespace::new(upstream_prefix),
            given_upstream_prefix: None,
            credential_arn: None,
            custom_role_arn: None,
            created_at: Millis(0),
            updated_at: Millis(0),
        }
    }

    #[test]
    fn names_upstream() {
        // The table of the Amazon ECR user guide, "Customizing repository prefixes for ECR to ECR
        // pull through cache", and names that a rule does not cover.
        let rows: &[(&str, &str, &str, Option<&str>)] = &[
            ("ecr-public", "ROOT", "ecr-public/my-app/image1", Some("my-app/image1")),
            ("ecr-public", "ROOT", "ecr-public/my-app/image2", Some("my-app/image2")),
            ("ROOT", "ROOT", "my-app/image1", Some("my-app/image1")),
            ("team-a", "team-a", "team-a/myapp/image1", Some("team-a/myapp/image1")),
            ("my-app", "upstream-app", "my-app/image1", Some("upstream-app/image1")),
            ("a/b", "c/d", "a/b/e/f", Some("c/d/e/f")),
            ("my-app/", "upstream-app/", "my-app/image1", Some("upstream-app/image1")),
            ("my-app", "upstream-app", "my-app", None),
            ("my-app", "upstream-app", "my-apps/image1", None),
        ];
        for (prefix, upstream, name, expected) in rows {
            let found = rule(prefix, upstream).upstream_repository(name);
            assert_eq!(found.as_deref(), *expected, "{prefix} {upstream} {name}");
        }
    }

    const NAME: &str = "[ab]{1,2}(/[ab]{1,2}){0,3}";
    const PREFIX: &str = "ROOT|[ab]{1,2}(/[ab]{1,2}){0,2}/?";

    proptest! {
        #[test]
        fn a_namespace_is_around_what_is_in_it(prefix in PREFIX, name in NAME) {
            let namespace = Namespace::new(&prefix);
            let is_around = Namespace::around(&name).any(|around| around == namespace.as_str());
            let rest = namespace.strip(&name);
            prop_assert_eq!(rest.is_some(), is_around);
            if let Some(rest) = rest {
                prop_assert_eq!(namespace.join(rest), name);
            }
        }

        #[test]
        fn the_narrowest_rule_covers(prefixes in prop::collection::vec(PREFIX, 0..6), name in NAME) {
            let rules: Vec<Rule> = prefixes.iter().map(|prefix| rule(prefix, "ROOT")).collect();
            // Whole components, compared one by one.
            let parts: Vec<&str> = name.split('/').collect();
            let expected = rules
                .iter()
                .filter_map(|rule| match &rule.prefix {
                    Namespace::Root => Some(0),
                    Namespace::Below(prefix) => {
                        let prefix: Vec<&str> = prefix.split('/').collect();
                        let is_below = parts.len() > prefix.len() && parts.starts_with(&prefix);
                        is_below.then_some(prefix.len())
                    }
                })
                .max();
            let found = narrowest(rules, &name);
            let found = found.map(|covered| match covered.rule.prefix {
                Namespace::Root => 0,
                Namespace::Below(prefix) => prefix.split('/').count(),
            });
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn urls_are_read_back(text in "[a-zA-Z0-9.:/@?#%_ -]{0,40}|\\PC{0,40}") {
            if let Some(url) = UpstreamUrl::parse(&text) {
                prop_assert_eq!(UpstreamUrl::parse(&url.to_string()), Some(url));
            }
        }
    }
}
