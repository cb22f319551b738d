//! Aliases: the names by which public registries are known in the URIs of their repositories.
//!
//! A registry gets a default alias with its first repository. Others are asked for, and an operator
//! approves or rejects them, as AWS does (Amazon ECR Public user guide, "Public registry settings").
//! Every alias that is `ACTIVE` works; answers have the primary one.

mod names;
pub mod operations;

pub use self::names::AliasName;
pub(crate) use self::names::skeleton_of;

use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::identities::{begin_remembered, recall};
use crate::metadata::Row;
use crate::names::AccountId;
use crate::params;

/// Aliases of a registry, whatever their status.
pub const ALIASES_MAX: usize = 20;
/// Names that are tried for a default alias: of 6.7 * 10^7 few are taken.
const RANDOM_TRIES: usize = 20;

/// Whether an alias works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasStatus {
    /// It does.
    Active,
    /// Nobody has decided yet.
    Pending,
    /// An operator said no.
    Rejected,
}

impl AliasStatus {
    /// As AWS spells it, and as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Pending => "PENDING",
            Self::Rejected => "REJECTED",
        }
    }

    fn from_stored(text: &str) -> Result<Self> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "PENDING" => Ok(Self::Pending),
            "REJECTED" => Ok(Self::Rejected),
            _ => Err(Error::internal(format!("stored status of an alias: {text}"))),
        }
    }
}

/// An alias of a public registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The account of the registry.
    pub account: AccountId,
    /// Its name.
    pub name: AliasName,
    /// Whether it works.
    pub status: AliasStatus,
    /// Whether answers have it.
    pub primary: bool,
    /// Whether it came with the first repository.
    pub default: bool,
    /// When it was asked for.
    pub requested_at: Millis,
    /// When somebody decided.
    pub decided_at: Option<Millis>,
}

macro_rules! select_aliases {
    ($rest:literal) => {
        concat!(
            "SELECT registries.account_id, public_aliases.name, public_aliases.status, \
             public_aliases.is_primary, public_aliases.is_default, public_aliases.requested_at, \
             public_aliases.decided_at \
             FROM public_aliases JOIN registries ON registries.id = public_aliases.registry_id ",
            $rest
        )
    };
}
use select_aliases;

fn from_row(row: &Row) -> Result<Alias> {
    let name: String = row.get(1)?;
    let unreadable = || Error::internal(format!("stored alias: {name}"));
    Ok(Alias {
        account: AccountId::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
        name: AliasName::parse(&name).ok_or_else(unreadable)?,
        status: AliasStatus::from_stored(&row.get::<String>(2)?)?,
        primary: row.get(3)?,
        default: row.get(4)?,
        requested_at: row.get(5)?,
        decided_at: row.get(6)?,
    })
}

/// The aliases of an account's registry, the primary one first, then by name.
pub(crate) async fn of_account(tx: &mut Tx, account: &AccountId) -> Result<Vec<Alias>> {
    let rows = tx
        .all(
            select_aliases!(
                "WHERE registries.account_id = $1 AND registries.region = '' \
                 ORDER BY public_aliases.is_primary DESC, public_aliases.name LIMIT 100"
            ),
            params![account.as_str()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// The alias that answers have, if the registry has any.
pub(crate) async fn primary(tx: &mut Tx, account: &AccountId) -> Result<Option<AliasName>> {
    let row = tx
        .optional(
            select_aliases!(
                "WHERE registries.account_id = $1 AND registries.region = '' \
                 AND public_aliases.is_primary = 1"
            ),
            params![account.as_str()],
        )
        .await?;
    Ok(row.map(|row| from_row(&row)).transpose()?.map(|alias| alias.name))
}

/// The same for a front end that encodes an answer.
///
/// # Errors
/// When the database fails.
pub async fn primary_of(app: &App, account: &AccountId) -> Result<Option<AliasName>> {
    if let Some(mut tx) = recall(app) {
        let found = primary(&mut tx, account).await;
        if !tx.missed() {
            return found;
        }
    }
    primary(&mut begin_remembered(app).await?, account).await
}

/// Whose registry has this alias, if it is active and the account is. Which aliases there are is
/// no secret: everybody may pull by them.
///
/// # Errors
/// When the database fails.
pub async fn resolve(app: &App, alias: &str) -> Result<Option<AccountId>> {
    if AliasName::parse(alias).is_none() {
        return Ok(None);
    }
    if let Some(mut tx) = recall(app) {
        let found = resolve_in(&mut tx, alias).await;
        if !tx.missed() {
            return found;
        }
    }
    resolve_in(&mut begin_remembered(app).await?, alias).await
}

async fn resolve_in(tx: &mut Tx, alias: &str) -> Result<Option<AccountId>> {
    let row = tx
        .optional(
            "SELECT registries.account_id FROM public_aliases \
             JOIN registries ON registries.id = public_aliases.registry_id \
             JOIN accounts ON accounts.id = registries.account_id \
             WHERE public_aliases.name = $1 AND public_aliases.status = 'ACTIVE' \
             AND accounts.state = 'ACTIVE'",
            params![alias],
        )
        .await?;
    row.map(|row| AccountId::parse(&row.get::<String>(0)?).map_err(Error::internal)).transpose()
}

/// The error for a registry that an alias or id does not name.
pub fn not_found(text: &str) -> Error {
    Error::new(
        ErrorKind::RegistryNotFound,
        format!("The public registry with id or alias '{text}' does not exist"),
    )
}

/// Gives a registry its default alias unless it has an alias.
pub(super) async fn ensure_default(
    tx: &mut Tx,
    call: &Call<'_>,
    registry_id: i64,
    account: &AccountId,
) -> Result<()> {
    if primary(tx, account).await?.is_some() {
        return Ok(());
    }
    for _ in 0..RANDOM_TRIES {
        let name = AliasName::random()?;
        if look_alike(tx, &name).await?.is_some() {
            continue;
        }
        tx.execute(
            "INSERT INTO public_aliases (registry_id, name, status, active_skeleton, is_primary, \
             is_default, requested_at, decided_at) VALUES ($1, $2, 'ACTIVE', $3, 1, 1, $4, $4)",
            params![registry_id, name.as_str(), name.skeleton(), call.now()],
        )
        .await?;
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unavailable, "No default alias was found that is free; try again."))
}

/// The active alias that people would take for this name, or that is this name.
async fn look_alike(tx: &mut Tx, name: &AliasName) -> Result<Option<String>> {
    let row = tx
        .optional(
            "SELECT name FROM public_aliases WHERE active_skeleton = $1",
            params![name.skeleton()],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}
