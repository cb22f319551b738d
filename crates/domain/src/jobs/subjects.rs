//! What jobs are about, in names that people know. Their keys have the ids of rows, since names may
//! be given to something else meanwhile.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::KINDS;
use super::operations::JobDetail;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::names::Region;
use crate::params;

/// What a word of a key is the id of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// A private or public registry.
    Registry,
    /// A repository.
    Repository,
    /// An image.
    Image,
}

/// Characters of a digest that are shown, as in lists of images.
const DIGEST_CHARS: usize = "sha256:".len() + 12;

/// Says of each job what it is about; what is gone keeps its id.
pub(super) async fn tell(tx: &mut Tx, jobs: &mut [JobDetail]) -> Result<()> {
    let mut names: HashMap<(Named, i64), Option<String>> = HashMap::new();
    for job in jobs {
        let mut told = Vec::new();
        for (word, named) in words(&job.kind, &job.key) {
            let Some((named, id)) = named.zip(word.parse().ok()) else {
                told.push(word.to_owned());
                continue;
            };
            let name = match names.entry((named, id)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(named.name(tx, id).await?),
            };
            told.push(name.clone().unwrap_or_else(|| word.to_owned()));
        }
        job.subject = told.join(", ");
    }
    Ok(())
}

impl Named {
    async fn name(self, tx: &mut Tx, id: i64) -> Result<Option<String>> {
        let sql = match self {
            Self::Registry => "SELECT account_id, region FROM registries WHERE id = $1",
            Self::Repository => {
                "SELECT account_id, region, repositories.name FROM repositories \
                 JOIN registries ON registries.id = repositories.registry_id \
                 WHERE repositories.id = $1"
            }
            Self::Image => {
                "SELECT account_id, region, repositories.name, images.digest FROM images \
                 JOIN repositories ON repositories.id = images.repository_id \
                 JOIN registries ON registries.id = repositories.registry_id \
                 WHERE images.id = $1"
            }
        };
        let Some(row) = tx.optional(sql, params![id]).await? else { return Ok(None) };
        let account: String = row.get(0)?;
        let region = Region::parse_stored(&row.get::<String>(1)?).map_err(Error::internal)?;
        let registry = match region.is_global() {
            true => format!("the public registry of {account}"),
            false => format!("{region} of {account}"),
        };
        Ok(Some(match self {
            Self::Registry => registry,
            Self::Repository => format!("{} in {registry}", row.get::<String>(2)?),
            Self::Image => {
                let digest: String = row.get::<String>(3)?.chars().take(DIGEST_CHARS).collect();
                format!("{}@{digest} in {registry}", row.get::<String>(2)?)
            }
        }))
    }
}

/// The words of a key, each with what it names.
fn words<'k>(kind: &str, key: &'k str) -> impl Iterator<Item = (&'k str, Option<Named>)> {
    let kind = KINDS.iter().find(|known| known.name == kind);
    let named = kind.map_or(&[][..], |kind| kind.key_names);
    key.split_whitespace().enumerate().map(|(index, word)| (word, named.get(index).copied()))
}
