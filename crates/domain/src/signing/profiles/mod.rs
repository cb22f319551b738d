//! Signing profiles: the few operations of AWS Signer that managed signing needs.
//!
//! A profile is a name for a key. Its platform is always Notation's: containers are signed and
//! nothing else. Source: botocore `signer`.

pub mod get_signing_profile;
pub mod list_signing_profiles;
pub mod put_signing_profile;

use std::collections::BTreeMap;

use super::certificates::{Authority, SigningKey};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Resource, Tx};
use crate::metadata::Row;
use crate::names::{AccountId, Partition, Region};
use crate::params;
use crate::root_key::{Purpose, RootKey, rotate};

/// The platform of every profile.
pub const PLATFORM: &str = "Notation-OCI-SHA384-ECDSA";

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningProfile {
    /// `arn:aws:signer:{region}:{account}:/signing-profiles/{name}`.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Ten letters and digits, made with the profile.
    pub version: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Millis,
}

/// The ARN of a profile.
fn arn_of(region: &Region, account: &AccountId, name: &str) -> String {
    let partition = Partition::of(region).as_str();
    format!("arn:{partition}:signer:{region}:{account}:/signing-profiles/{name}")
}

fn resource(region: &Region, account: &AccountId, name: &str) -> Resource {
    Resource::Arn { arn: arn_of(region, account, name), account: *account }
}

fn from_row(row: &Row) -> Result<SigningProfile> {
    Ok(SigningProfile {
        arn: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        tags: serde_json::from_str(&row.get::<String>(3)?).map_err(Error::internal)?,
        created_at: row.get(4)?,
    })
}

async fn find(tx: &mut Tx, arn: &str) -> Result<Option<SigningProfile>> {
    let row = tx
        .optional(
            "SELECT arn, name, version, tags, created_at FROM signing_profiles WHERE arn = $1",
            params![arn],
        )
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

fn not_found(name: &str) -> Error {
    Error::new(ErrorKind::NoSuchEntity, format!("Signing profile {name} does not exist."))
}

/// The authority of an account, made with its first profile.
async fn authority(tx: &mut Tx, call: &Call<'_>, account: &AccountId) -> Result<Authority> {
    if let Some(stored) = stored_authority(tx, call, account).await? {
        return Ok(stored);
    }
    let made = Authority::create(*account, call.now())?;
    let sealed = call.app.root_key.seal(Purpose::SigningAuthority, account.as_str(), made.key())?;
    let inserted = tx
        .execute(
            "INSERT INTO signing_authorities (account_id, certificate, sealed_key, created_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (account_id) DO NOTHING",
            params![account.as_str(), made.certificate().to_vec(), sealed, call.now()],
        )
        .await?;
    if inserted == 0 {
        return stored_authority(tx, call, account)
            .await?
            .ok_or_else(|| Error::internal("a signing authority is there and is not"));
    }
    Ok(made)
}

async fn stored_authority(
    tx: &mut Tx,
    call: &Call<'_>,
    account: &AccountId,
) -> Result<Option<Authority>> {
    let row = tx
        .optional(
            "SELECT certificate, sealed_key, created_at FROM signing_authorities \
             WHERE account_id = $1",
            params![account.as_str()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let sealed: Vec<u8> = row.get(1)?;
    let key = call.app.root_key.open(Purpose::SigningAuthority, account.as_str(), &sealed)?;
    Ok(Some(Authority::from_parts(*account, row.get(0)?, key, row.get(2)?)))
}

/// The key of a profile, with its chain.
pub(super) async fn signing_key(app: &App, tx: &mut Tx, arn: &str) -> Result<Option<SigningKey>> {
    let row = tx
        .optional(
            "SELECT signing_profiles.certificate, signing_profiles.sealed_key, \
             signing_authorities.certificate FROM signing_profiles \
             JOIN signing_authorities \
             ON signing_authorities.account_id = signing_profiles.account_id \
             WHERE signing_profiles.arn = $1",
            params![arn],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let key = app.root_key.open(Purpose::SigningProfile, arn, &row.get::<Vec<u8>>(1)?)?;
    Ok(Some(SigningKey::from_parts(vec![row.get(0)?, row.get(2)?], key)))
}

/// Seals every key with the new root key; how many there are.
pub(crate) async fn seal_anew(tx: &mut Tx, old: &RootKey, new: &RootKey) -> Result<u64> {
    let mut count = 0;
    let mut after = String::new();
    loop {
        let rows = tx
            .all(
                "SELECT arn, sealed_key FROM signing_profiles WHERE arn > $1 ORDER BY arn LIMIT $2",
                params![&after, rotate::PAGE],
            )
            .await?;
        if rows.is_empty() {
            return Ok(count);
        }
        for row in &rows {
            after = row.get(0)?;
            let sealed =
                new.seal_anew(old, Purpose::SigningProfile, &after, &row.get::<Vec<u8>>(1)?)?;
            count += tx
                .execute(
                    "UPDATE signing_profiles SET sealed_key = $2 WHERE arn = $1",
                    params![&after, sealed],
                )
                .await?;
        }
    }
}

/// As [`seal_anew`], of the authorities.
pub(crate) async fn seal_authorities_anew(
    tx: &mut Tx,
    old: &RootKey,
    new: &RootKey,
) -> Result<u64> {
    let mut count = 0;
    let mut after = String::new();
    loop {
        let rows = tx
            .all(
                "SELECT account_id, sealed_key FROM signing_authorities WHERE account_id > $1 \
                 ORDER BY account_id LIMIT $2",
                params![&after, rotate::PAGE],
            )
            .await?;
        if rows.is_empty() {
            return Ok(count);
        }
        for row in &rows {
            after = row.get(0)?;
            let sealed =
                new.seal_anew(old, Purpose::SigningAuthority, &after, &row.get::<Vec<u8>>(1)?)?;
            count += tx
                .execute(
                    "UPDATE signing_authorities SET sealed_key = $2 WHERE account_id = $1",
                    params![&after, sealed],
                )
                .await?;
        }
    }
}
