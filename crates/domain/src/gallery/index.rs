//! The rows that lists and search are made from.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{self, Words};
use super::{config, names_of_platform};
use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::names::{AccountId, RepositoryName};
use crate::params;
use crate::public::registries::RegistryCatalogData;
use crate::public::{aliases, catalog, domains};
use crate::registries::Document as _;
use crate::repositories::{self, RepositoryAddress};

/// Changes that one transaction takes.
const CHANGES_MAX: u32 = 200;
/// The newest tags of a repository, by which it is found.
const TAGS_MAX: i64 = 100;
/// Images whose configuration is read for their platform.
const CONFIGS_MAX: usize = 5;

const NAME: i64 = 8;
const ALIAS: i64 = 5;
const DESCRIPTION: i64 = 3;
const TAG: i64 = 1;
const FILTER: i64 = 0;

/// Writes the rows of what has changed; how many repositories that were.
///
/// # Errors
/// When the database fails. What was not written is, the next time.
pub async fn update(app: &App) -> Result<usize> {
    let mut updated = 0;
    loop {
        let permit = Permit::maintenance();
        let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Read, &permit).await?;
        let changed = tx.optional("SELECT 1 FROM gallery_changes LIMIT 1", &[]).await?;
        drop(tx);
        if changed.is_none() {
            return Ok(updated);
        }
        let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &permit).await?;
        tx.execute("UPDATE gallery SET passes = passes + 1 WHERE id = 1", &[]).await?;
        let rows = tx
            .all(
                "SELECT id, repository_id FROM gallery_changes ORDER BY id, repository_id LIMIT $1",
                params![CHANGES_MAX],
            )
            .await?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in &rows {
            changes.push((row.get::<i64>(0)?, row.get::<i64>(1)?));
        }
        let repositories: BTreeSet<i64> = changes.iter().map(|(_, id)| *id).collect();
        for id in &repositories {
            write(app, &mut tx, *id).await?;
        }
        for (id, repository_id) in changes {
            tx.execute(
                "DELETE FROM gallery_changes WHERE id = $1 AND repository_id = $2",
                params![id, repository_id],
            )
            .await?;
        }
        tx.commit().await?;
        updated += repositories.len();
    }
}

/// What is known of a repository's tags.
#[derive(Default)]
struct Tagged {
    count: i64,
    names: Vec<String>,
    updated_at: Option<Millis>,
    platforms: BTreeSet<String>,
}

async fn write(app: &App, tx: &mut Tx, repository_id: i64) -> Result<()> {
    let row = tx
        .optional(
            "SELECT repositories.name, registries.account_id, repositories.registry_id \
             FROM repositories JOIN registries ON registries.id = repositories.registry_id \
             WHERE repositories.id = $1 AND registries.region = ''",
            params![repository_id],
        )
        .await?;
    let Some(row) = row else {
        replace_words(tx, repository_id, BTreeMap::new()).await?;
        for statement in [
            "DELETE FROM gallery_repositories WHERE repository_id = $1",
            "DELETE FROM public_pulls WHERE repository_id = $1",
            "DELETE FROM public_pull_networks WHERE repository_id = $1",
        ] {
            tx.execute(statement, params![repository_id]).await?;
        }
        return Ok(());
    };
    let account = AccountId::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
    let address = RepositoryAddress {
        account,
        region: crate::names::Region::global(),
        name: RepositoryName::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
    };
    let registry_id: i64 = row.get(2)?;
    let data = catalog::load(tx, repository_id).await?;
    let owner = RegistryCatalogData::load(tx, Some(registry_id)).await?;
    let domains::Known { verified, domain } = domains::known(tx, Some(registry_id)).await?;
    let tagged = read_tags(app, tx, &address).await?;

    let mut systems = data.operating_systems.clone();
    let mut architectures = data.architectures.clone();
    for platform in &tagged.platforms {
        let (system, architecture) = names_of_platform(platform);
        add_missing(&mut systems, system);
        add_missing(&mut architectures, architecture);
    }
    let mut words = Words::default();
    words.add_name(address.name.as_str(), NAME);
    for alias in aliases::of_account(tx, &account).await? {
        if alias.status == aliases::AliasStatus::Active {
            words.add_name(alias.name.as_str(), ALIAS);
        }
    }
    words.add(owner.display_name.as_deref().unwrap_or_default(), ALIAS);
    systems.iter().for_each(|name| words.add_word(words::of_operating_system(name), FILTER));
    architectures.iter().for_each(|name| words.add_word(words::of_architecture(name), FILTER));
    words.add(domain.as_ref().map_or("", |domain| domain.as_str()), ALIAS);
    if verified {
        words.add_word(words::VERIFIED.to_owned(), FILTER);
    }
    words.add(data.description.as_deref().unwrap_or_default(), DESCRIPTION);
    tagged.names.iter().for_each(|name| words.add(name, TAG));
    replace_words(tx, repository_id, words.into_map()).await?;

    let created_at = tx
        .optional("SELECT created_at FROM repositories WHERE id = $1", params![repository_id])
        .await?;
    let created_at = created_at.map(|row| row.get::<Millis>(0)).transpose()?.unwrap_or(Millis(0));
    tx.execute(
        "INSERT INTO gallery_repositories (repository_id, registry_id, verified, tag_count, \
         operating_systems, architectures, updated_at, pulls) VALUES ($1, $2, $3, $4, $5, $6, $7, \
         (SELECT CAST(COALESCE(SUM(pulls), 0) AS BIGINT) FROM public_pulls \
         WHERE public_pulls.repository_id = $1)) \
         ON CONFLICT (repository_id) DO UPDATE SET verified = excluded.verified, \
         tag_count = excluded.tag_count, operating_systems = excluded.operating_systems, \
         architectures = excluded.architectures, updated_at = excluded.updated_at",
        params![
            repository_id,
            registry_id,
            verified,
            tagged.count,
            serde_json::to_string(&systems).map_err(Error::internal)?,
            serde_json::to_string(&architectures).map_err(Error::internal)?,
            tagged.updated_at.unwrap_or(created_at),
        ],
    )
    .await?;
    Ok(())
}

fn add_missing(names: &mut Vec<String>, name: Option<String>) {
    if let Some(name) = name
        && names.iter().all(|known| !known.eq_ignore_ascii_case(&name))
    {
        names.push(name);
    }
}

async fn read_tags(app: &App, tx: &mut Tx, address: &RepositoryAddress) -> Result<Tagged> {
    let Some(repository) = repositories::find(tx, address).await? else {
        return Ok(Tagged::default());
    };
    let mut tagged = Tagged::default();
    let counted = tx
        .optional("SELECT COUNT(*) FROM tags WHERE repository_id = $1", params![repository.id])
        .await?;
    tagged.count = counted.map(|row| row.get(0)).transpose()?.unwrap_or(0);
    let rows = tx
        .all(
            "SELECT tags.name, tags.updated_at, images.id, images.kind FROM tags \
             JOIN images ON images.id = tags.image_id \
             WHERE tags.repository_id = $1 ORDER BY tags.version DESC LIMIT $2",
            params![repository.id, TAGS_MAX],
        )
        .await?;
    let mut configs = BTreeSet::new();
    for row in &rows {
        tagged.names.push(row.get(0)?);
        tagged.updated_at = tagged.updated_at.max(Some(row.get(1)?));
        if row.get::<String>(3)? == "image" && configs.len() < CONFIGS_MAX {
            configs.insert(row.get::<i64>(2)?);
        }
    }
    for image_id in configs {
        // What cannot be read now is not worth the rest.
        if let Ok(Some(config)) = config::read(app, tx, &repository, image_id).await {
            tagged.platforms.insert(config.platform);
        }
    }
    let rows = tx
        .all(
            "SELECT DISTINCT image_children.platform FROM image_children \
             JOIN images ON images.id = image_children.image_id \
             WHERE images.repository_id = $1 ORDER BY image_children.platform LIMIT 100",
            params![repository.id],
        )
        .await?;
    for row in &rows {
        tagged.platforms.insert(row.get(0)?);
    }
    Ok(tagged)
}

/// Changes only what differs: most changes leave most words as they are.
async fn replace_words(
    tx: &mut Tx,
    repository_id: i64,
    mut wanted: BTreeMap<String, i64>,
) -> Result<()> {
    let rows = tx
        .all(
            "SELECT word, weight FROM gallery_words WHERE repository_id = $1",
            params![repository_id],
        )
        .await?;
    for row in &rows {
        let word: String = row.get(0)?;
        if wanted.get(&word) == Some(&row.get::<i64>(1)?) {
            wanted.remove(&word);
        } else {
            tx.execute(
                "DELETE FROM gallery_words WHERE word = $1 AND repository_id = $2",
                params![&word, repository_id],
            )
            .await?;
        }
    }
    for (word, weight) in wanted {
        tx.execute(
            "INSERT INTO gallery_words (word, repository_id, weight) VALUES ($1, $2, $3)",
            params![word, repository_id, weight],
        )
        .await?;
    }
    Ok(())
}
