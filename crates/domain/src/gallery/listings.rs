//! One repository in a list, and the home page, which is made of lists.

use std::collections::{BTreeSet, HashMap};

use super::{browse, search};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::names::{AccountId, RepositoryName};
use crate::params;
use crate::public::aliases::AliasName;
use crate::public::domains::{self, DomainName};
use crate::public::registries::RegistryCatalogData;
use crate::registries::Document as _;
use crate::some::{self, some_ids};

/// Repositories of each list of the home page.
const HOME_MAX: u32 = 6;
/// Publishers of the home page.
const PUBLISHERS_MAX: i64 = 12;
/// The most pulled repositories whose publishers are compared for that: to add up all repositories
/// of all publishers takes as long as there are many.
const CANDIDATES: i64 = 100;

/// A public repository as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Whose it is.
    pub publisher: Publisher,
    /// Its name.
    pub name: RepositoryName,
    /// The short text.
    pub description: Option<String>,
    /// What its owner says and its images show.
    pub operating_systems: Vec<String>,
    /// As `operating_systems`.
    pub architectures: Vec<String>,
    /// The name of the logo, if there is one.
    pub logo_id: Option<String>,
    /// How many tags it has.
    pub tag_count: u64,
    /// How often it was pulled.
    pub pulls: u64,
    /// When a tag last moved; of a repository without tags, when it was made.
    pub updated_at: Millis,
}

/// Whose a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// The account.
    pub account: AccountId,
    /// The name in URIs.
    pub alias: AliasName,
    /// The name for people.
    pub display_name: Option<String>,
    /// Whether the operator knows the owner, or a domain is proven.
    pub verified: bool,
    /// The domain that is proven.
    pub domain: Option<DomainName>,
}

/// A publisher with what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherSummary {
    /// The publisher.
    pub publisher: Publisher,
    /// How many repositories with a tag.
    pub repositories: u64,
    /// How often these were pulled.
    pub pulls: u64,
}

/// What the home page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// What changed last.
    pub newest: Vec<Listing>,
    /// What was pulled most.
    pub most_pulled: Vec<Listing>,
    /// Who was pulled from most.
    pub publishers: Vec<PublisherSummary>,
}

/// Reads what the home page of the gallery shows.
#[derive(Clone, Copy, Debug)]
pub struct BrowseGallery;

impl Operation for BrowseGallery {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "BrowseGallery" };
    type Output = Home;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![browse(context.account)]
    }

    async fn run(self, call: Call<'_>) -> Result<Home> {
        let mut tx = call.read().await?;
        let mut home = Home::default();
        for (sort, list) in [
            (search::Sort::Updated, &mut home.newest),
            (search::Sort::Pulls, &mut home.most_pulled),
        ] {
            let ids = search::walk(&mut tx, &search::Slots::default(), sort, HOME_MAX, 0).await?;
            *list = load_all(&mut tx, &ids).await?;
        }
        let rows = tx
            .all(
                "SELECT registry_id, COUNT(*), CAST(SUM(pulls) AS BIGINT) AS pulled \
                 FROM gallery_repositories WHERE tag_count > 0 AND registry_id IN \
                 (SELECT registry_id FROM (SELECT registry_id FROM gallery_repositories \
                 WHERE tag_count > 0 AND registry_id NOT IN (SELECT registries.id FROM registries \
                 JOIN accounts ON accounts.id = registries.account_id \
                 WHERE accounts.state <> 'ACTIVE') \
                 ORDER BY pulls DESC, repository_id DESC LIMIT $2) AS most_pulled) \
                 GROUP BY registry_id ORDER BY pulled DESC, registry_id LIMIT $1",
                params![PUBLISHERS_MAX, CANDIDATES],
            )
            .await?;
        let ids = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<i64>, _>>()?;
        let mut publishers = publishers(&mut tx, &ids).await?;
        for row in &rows {
            if let Some(publisher) = publishers.remove(&row.get::<i64>(0)?) {
                home.publishers.push(PublisherSummary {
                    publisher,
                    repositories: row.get(1)?,
                    pulls: row.get(2)?,
                });
            }
        }
        Ok(home)
    }
}

/// Whose a registry is; nobody's that has no alias.
pub(super) async fn publisher(tx: &mut Tx, registry_id: i64) -> Result<Option<Publisher>> {
    Ok(publishers(tx, &[registry_id]).await?.remove(&registry_id))
}

/// Whose registries are; those without an alias are left out. A list has few statements, however long
/// it is: a database that is not in this process is asked over a network.
async fn publishers(tx: &mut Tx, registries: &[i64]) -> Result<HashMap<i64, Publisher>> {
    let mut rows = Vec::new();
    for params in some::chunks(registries) {
        let sql = some_ids!(
            "SELECT registries.id, registries.account_id, public_aliases.name FROM registries \
             JOIN public_aliases ON public_aliases.registry_id = registries.id \
             WHERE registries.id IN " " AND public_aliases.is_primary = 1"
        );
        rows.extend(tx.all(sql, &params).await?);
    }
    let mut data = RegistryCatalogData::of_all(tx, registries).await?;
    let mut known = domains::known_of_all(tx, registries).await?;
    let mut publishers = HashMap::new();
    for row in rows {
        let (id, alias): (i64, String) = (row.get(0)?, row.get(2)?);
        let domains::Known { verified, domain } = known.remove(&id).unwrap_or_default();
        let publisher = Publisher {
            account: AccountId::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            alias: AliasName::parse(&alias)
                .ok_or_else(|| Error::internal(format!("stored alias: {alias}")))?,
            display_name: data.remove(&id).unwrap_or_default().display_name,
            verified,
            domain,
        };
        publishers.insert(id, publisher);
    }
    Ok(publishers)
}

/// A public repository as lists show it.
pub(super) async fn load(tx: &mut Tx, repository_id: i64) -> Result<Option<Listing>> {
    Ok(load_all(tx, &[repository_id]).await?.pop())
}

/// Public repositories as lists show them, in this order; those that are gone are left out.
pub(super) async fn load_all(tx: &mut Tx, repositories: &[i64]) -> Result<Vec<Listing>> {
    let mut rows = Vec::new();
    for params in some::chunks(repositories) {
        let sql = some_ids!(
            "SELECT repositories.id, repositories.registry_id, repositories.name, \
             public_catalog_data.description, public_catalog_data.logo_id, \
             COALESCE(gallery_repositories.operating_systems, '[]'), \
             COALESCE(gallery_repositories.architectures, '[]'), \
             COALESCE(gallery_repositories.tag_count, 0), COALESCE(gallery_repositories.pulls, 0), \
             COALESCE(gallery_repositories.updated_at, repositories.created_at) \
             FROM repositories JOIN registries ON registries.id = repositories.registry_id \
             LEFT JOIN public_catalog_data ON public_catalog_data.repository_id = repositories.id \
             LEFT JOIN gallery_repositories \
             ON gallery_repositories.repository_id = repositories.id \
             WHERE repositories.id IN " " AND registries.region = ''"
        );
        rows.extend(tx.all(sql, &params).await?);
    }
    let registries: BTreeSet<i64> = rows.iter().map(|row| row.get(1)).collect::<Result<_, _>>()?;
    let registries: Vec<i64> = registries.into_iter().collect();
    let publishers = publishers(tx, &registries).await?;
    let list = |text: String| serde_json::from_str(&text).map_err(Error::internal);
    let mut listings = HashMap::new();
    for row in rows {
        let Some(publisher) = publishers.get(&row.get::<i64>(1)?).cloned() else { continue };
        let listing = Listing {
            publisher,
            name: RepositoryName::parse(&row.get::<String>(2)?).map_err(Error::internal)?,
            description: row.get(3)?,
            logo_id: row.get(4)?,
            operating_systems: list(row.get(5)?)?,
            architectures: list(row.get(6)?)?,
            tag_count: row.get(7)?,
            pulls: row.get(8)?,
            updated_at: row.get(9)?,
        };
        listings.insert(row.get::<i64>(0)?, listing);
    }
    Ok(repositories.iter().filter_map(|id| listings.remove(id)).collect())
}
