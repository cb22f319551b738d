//! Encryption at rest.
//!
//! The root key seals one key per encryption domain; that key seals manifests and small blobs, and
//! wraps the random key of each object. A domain is the boundary inside which equal blobs are kept
//! once: the `AES256` repositories of an account share one. No digest of one domain is ever
//! compared with those of another.

pub(crate) mod container;
pub(crate) mod sealing_key;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use self::container::{CONTAINER_PLAIN, CONTAINER_SEALED, Container};
use self::sealing_key::{KEY_BYTES, SealingKey, random};
use crate::app::App;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::metadata::Row;
use crate::names::{AccountId, Digest};
use crate::objects::ObjectId;
use crate::params;
use crate::root_key::{Purpose, RootKey, rotate};

/// How many domains' keys are kept in memory.
const CACHED_MAX: usize = 10_000;

/// An encryption domain with its key.
pub(crate) struct EncryptionDomain {
    pub(crate) id: i64,
    key: SealingKey,
}

/// Keys of domains that are known to be committed.
#[derive(Default)]
pub(crate) struct DomainKeys(Mutex<HashMap<AccountId, Arc<EncryptionDomain>>>);

/// A key of its own for one object, while it is written.
pub(crate) struct DataKey {
    bytes: zeroize::Zeroizing<[u8; KEY_BYTES]>,
}

impl DataKey {
    pub(crate) fn random() -> Result<Self> {
        Ok(Self { bytes: zeroize::Zeroizing::new(random()?) })
    }

    fn from_slice(bytes: &[u8]) -> Result<Self> {
        let bytes: [u8; KEY_BYTES] =
            bytes.try_into().map_err(|_| Error::internal("a wrapped key has another length"))?;
        Ok(Self { bytes: zeroize::Zeroizing::new(bytes) })
    }

    pub(crate) fn sealing_key(&self) -> Result<SealingKey> {
        SealingKey::new(&self.bytes)
    }

    /// How an object under this key is kept.
    pub(crate) fn container(&self, version: i64, object_id: &ObjectId) -> Result<Container> {
        match version {
            CONTAINER_PLAIN => Ok(Container::Plain),
            CONTAINER_SEALED => {
                Ok(Container::Sealed { key: self.sealing_key()?, object_id: object_id.clone() })
            }
            other => Err(Error::internal(format!("stored container version {other}"))),
        }
    }
}

/// The container version of what is stored from now on.
pub(crate) fn container_version(app: &App) -> i64 {
    if app.settings.encrypt_at_rest { CONTAINER_SEALED } else { CONTAINER_PLAIN }
}

impl EncryptionDomain {
    /// Wraps the key of an unfinished object.
    pub(crate) fn wrap_upload_key(&self, key: &DataKey, object_id: &ObjectId) -> Result<Vec<u8>> {
        self.key.seal("upload-key", object_id.as_str(), key.bytes.as_slice())
    }

    pub(crate) fn unwrap_upload_key(
        &self,
        wrapped: &[u8],
        object_id: &ObjectId,
    ) -> Result<DataKey> {
        DataKey::from_slice(&self.key.open("upload-key", object_id.as_str(), wrapped)?)
    }

    /// Wraps the key of a finished object, for exactly this digest.
    pub(crate) fn wrap_blob_key(
        &self,
        key: &DataKey,
        object_id: &ObjectId,
        digest: &Digest,
    ) -> Result<Vec<u8>> {
        self.key.seal("blob-key", &format!("{object_id} {digest}"), key.bytes.as_slice())
    }

    pub(crate) fn unwrap_blob_key(
        &self,
        wrapped: &[u8],
        object_id: &ObjectId,
        digest: &Digest,
    ) -> Result<DataKey> {
        let owner = format!("{object_id} {digest}");
        DataKey::from_slice(&self.key.open("blob-key", &owner, wrapped)?)
    }

    /// The stored form of a manifest or small blob.
    pub(crate) fn store(
        &self,
        version: i64,
        purpose: &'static str,
        digest: &Digest,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        match version {
            CONTAINER_PLAIN => Ok(plain.to_vec()),
            CONTAINER_SEALED => self.key.seal(purpose, digest.as_str(), plain),
            other => Err(Error::internal(format!("stored container version {other}"))),
        }
    }

    /// What [`EncryptionDomain::store`] stored.
    pub(crate) fn load(
        &self,
        version: i64,
        purpose: &'static str,
        digest: &Digest,
        stored: Vec<u8>,
    ) -> Result<Bytes> {
        match version {
            // Sealed bytes prove what they are; these are held against their digest.
            CONTAINER_PLAIN => match Digest::of(digest.algorithm(), &stored) {
                found if found == *digest => Ok(Bytes::from(stored)),
                found => Err(Error::internal(format!(
                    "the stored bytes of {digest} have the digest {found}"
                ))),
            },
            CONTAINER_SEALED => {
                let mut plain = self.key.open(purpose, digest.as_str(), &stored)?;
                Ok(Bytes::from(std::mem::take(&mut *plain)))
            }
            other => Err(Error::internal(format!("stored container version {other}"))),
        }
    }
}

/// The domain of an account's `AES256` repositories. Only for transactions that read: what it
/// finds is committed, and remembered.
///
/// # Errors
/// When the account has stored nothing yet, which a caller that found something of it rules out.
pub(crate) async fn account_domain(
    app: &App,
    tx: &mut Tx,
    account: &AccountId,
) -> Result<Arc<EncryptionDomain>> {
    let cached =
        app.domain_keys.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned();
    if let Some(domain) = cached {
        return Ok(domain);
    }
    let domain = find(app, tx, account)
        .await?
        .map(Arc::new)
        .ok_or_else(|| Error::internal(format!("account {account} has no encryption domain")))?;
    let mut keys = app.domain_keys.0.lock().unwrap_or_else(PoisonError::into_inner);
    if keys.len() >= CACHED_MAX {
        keys.clear();
    }
    keys.insert(*account, Arc::clone(&domain));
    Ok(domain)
}

/// The domain of an account's `AES256` repositories, made if need be. Only for transactions that
/// write; nothing of it is remembered, because it may never be committed.
pub(crate) async fn ensure_account_domain(
    tx: &mut Tx,
    call: &Call<'_>,
    account: &AccountId,
) -> Result<EncryptionDomain> {
    if let Some(domain) = find(call.app, tx, account).await? {
        return Ok(domain);
    }
    let id = call.next_id();
    let key: zeroize::Zeroizing<[u8; KEY_BYTES]> = zeroize::Zeroizing::new(random()?);
    let wrapped = call.app.root_key.seal(Purpose::EncryptionDomain, &owner(id), key.as_slice())?;
    tx.execute(
        "INSERT INTO encryption_domains (id, account_id, region, key_arn, wrapped_key, created_at) \
         VALUES ($1, $2, '', '', $3, $4)",
        params![id, account.as_str(), wrapped, call.now()],
    )
    .await?;
    Ok(EncryptionDomain { id, key: SealingKey::new(&key)? })
}

async fn find(app: &App, tx: &mut Tx, account: &AccountId) -> Result<Option<EncryptionDomain>> {
    let row = tx
        .optional(
            "SELECT id, wrapped_key FROM encryption_domains \
             WHERE account_id = $1 AND region = '' AND key_arn = ''",
            params![account.as_str()],
        )
        .await?;
    row.map(|row| from_row(app, &row)).transpose()
}

fn from_row(app: &App, row: &Row) -> Result<EncryptionDomain> {
    let id: i64 = row.get(0)?;
    let wrapped: Vec<u8> = row.get(1)?;
    let key = app.root_key.open(Purpose::EncryptionDomain, &owner(id), &wrapped)?;
    Ok(EncryptionDomain { id, key: SealingKey::from_slice(&key)? })
}

/// Seals the key of every domain with the new root key; how many there are.
pub(crate) async fn seal_domains_anew(tx: &mut Tx, old: &RootKey, new: &RootKey) -> Result<u64> {
    let (mut after, mut count) = (i64::MIN, 0);
    loop {
        let rows = tx
            .all(
                "SELECT id, wrapped_key FROM encryption_domains WHERE id > $1 ORDER BY id LIMIT $2",
                params![after, rotate::PAGE],
            )
            .await?;
        if rows.is_empty() {
            return Ok(count);
        }
        for row in &rows {
            after = row.get(0)?;
            let wrapped: Vec<u8> = row.get(1)?;
            let wrapped = new.seal_anew(old, Purpose::EncryptionDomain, &owner(after), &wrapped)?;
            count += tx
                .execute(
                    "UPDATE encryption_domains SET wrapped_key = $2 WHERE id = $1",
                    params![after, wrapped],
                )
                .await?;
        }
    }
}

fn owner(domain_id: i64) -> String {
    domain_id.to_string()
}
