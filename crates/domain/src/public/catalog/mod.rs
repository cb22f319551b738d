//! What is shown of public repositories: texts, platforms and a logo.

mod logo;
pub mod operations;

use crate::encryption::sealing_key::random;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::params;

pub(crate) use self::logo::check as check_logo;

/// What a request sets. How long texts and lists may be the shapes say (botocore `ecr-public`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogDataInput {
    /// A short text for search results, at most 1,024 characters.
    pub description: Option<String>,
    /// At most 50 names. `ARM`, `ARM 64`, `x86` and `x86-64` are found by search; others are kept.
    pub architectures: Vec<String>,
    /// At most 50 names. `Linux` and `Windows` are found by search; others are kept.
    pub operating_systems: Vec<String>,
    /// A PNG of at most 512,000 bytes, each side 60 to 2,048 pixels.
    pub logo: Option<Vec<u8>>,
    /// GitHub Flavored Markdown, at most 25,600 characters.
    pub about_text: Option<String>,
    /// As `about_text`.
    pub usage_text: Option<String>,
}

/// What is stored, and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogData {
    /// As in [`CatalogDataInput`].
    pub description: Option<String>,
    /// As in [`CatalogDataInput`], in the order given.
    pub architectures: Vec<String>,
    /// As in [`CatalogDataInput`], in the order given.
    pub operating_systems: Vec<String>,
    /// The name of the logo, if there is one; every logo has another.
    pub logo_id: Option<String>,
    /// As in [`CatalogDataInput`].
    pub about_text: Option<String>,
    /// As in [`CatalogDataInput`].
    pub usage_text: Option<String>,
}

/// Replaces what is shown of a repository; nothing of what was there stays, so that whoever sends a
/// whole description of it, as Terraform does, gets what they sent.
pub(super) async fn put(
    tx: &mut Tx,
    repository_id: i64,
    input: &CatalogDataInput,
) -> Result<CatalogData> {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let logo = input.logo.as_deref().filter(|logo| !logo.is_empty());
    let data = CatalogData {
        description: text(&input.description),
        architectures: input.architectures.clone(),
        operating_systems: input.operating_systems.clone(),
        logo_id: logo.map(|_| random::<16>().map(hex::encode)).transpose()?,
        about_text: text(&input.about_text),
        usage_text: text(&input.usage_text),
    };
    tx.execute(
        "INSERT INTO public_catalog_data (repository_id, description, architectures, \
         operating_systems, logo_id, logo, about_text, usage_text) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (repository_id) DO UPDATE SET \
         description = excluded.description, architectures = excluded.architectures, \
         operating_systems = excluded.operating_systems, logo_id = excluded.logo_id, \
         logo = excluded.logo, about_text = excluded.about_text, usage_text = excluded.usage_text",
        params![
            repository_id,
            data.description.as_deref(),
            serde_json::to_string(&data.architectures).map_err(Error::internal)?,
            serde_json::to_string(&data.operating_systems).map_err(Error::internal)?,
            data.logo_id.as_deref(),
            logo.map(<[u8]>::to_vec),
            data.about_text.as_deref(),
            data.usage_text.as_deref(),
        ],
    )
    .await?;
    Ok(data)
}

/// What is shown of a repository; nothing of one whose owner never said.
pub(crate) async fn load(tx: &mut Tx, repository_id: i64) -> Result<CatalogData> {
    let row = tx
        .optional(
            "SELECT description, architectures, operating_systems, logo_id, about_text, usage_text \
             FROM public_catalog_data WHERE repository_id = $1",
            params![repository_id],
        )
        .await?;
    let Some(row) = row else { return Ok(CatalogData::default()) };
    let list = |text: String| serde_json::from_str(&text).map_err(Error::internal);
    Ok(CatalogData {
        description: row.get(0)?,
        architectures: list(row.get(1)?)?,
        operating_systems: list(row.get(2)?)?,
        logo_id: row.get(3)?,
        about_text: row.get(4)?,
        usage_text: row.get(5)?,
    })
}
