//! Encryption at rest.
//!
//! The root key, or a key service, wraps one key per encryption domain; that key seals manifests and small blobs, and
//! wraps the random key of each object. A domain is the boundary inside which equal blobs are kept
//! once: the `AES256` repositories of an account share one. No digest of one domain is ever
//! compared with those of another.

pub(crate) mod container;
mod key_wrapper;
pub(crate) mod sealing_key;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use self::container::{CONTAINER_PLAIN, CONTAINER_SEALED, Container};
pub use self::key_wrapper::{KeyError, KeyWrapper};
use self::sealing_key::{KEY_BYTES, SealingKey, random};
use crate::app::App;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::names::{AccountId, Digest};
use crate::objects::ObjectId;
use crate::params;
use crate::repositories::{self, RepositoryAddress};
use crate::root_key::rotate;

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

impl DomainKeys {
    fn get(&self, account: &AccountId) -> Option<Arc<EncryptionDomain>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    fn put(&self, account: AccountId, domain: &Arc<EncryptionDomain>) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= CACHED_MAX {
            keys.clear();
        }
        keys.insert(account, Arc::clone(domain));
    }
}

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
    if let Some(domain) = app.domain_keys.get(account) {
        return Ok(domain);
    }
    let wrapped = find(tx, account)
        .await?
        .ok_or_else(|| Error::internal(format!("account {account} has no encryption domain")))?;
    unwrap(app, account, wrapped).await
}

/// The domain of the `AES256` repositories of an address's account, made if need be. It is
/// committed by itself, so this comes before the transaction that stores something under it.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`](crate::error::ErrorKind::RepositoryNotFound) when there is no
/// such account.
pub(crate) async fn ensure_account_domain(
    call: &Call<'_>,
    address: &RepositoryAddress,
) -> Result<Arc<EncryptionDomain>> {
    let (app, account) = (call.app, &address.account);
    if let Some(domain) = app.domain_keys.get(account) {
        return Ok(domain);
    }
    let mut tx = call.read().await?;
    let found = find(&mut tx, account).await?;
    drop(tx);
    if let Some(wrapped) = found {
        return unwrap(app, account, wrapped).await;
    }
    let id = call.next_id();
    let key: zeroize::Zeroizing<[u8; KEY_BYTES]> = zeroize::Zeroizing::new(random()?);
    let wrapped_key = app.key_wrapper.wrap(id, key.as_slice()).await?;
    let mut tx = call.write().await?;
    let known =
        tx.optional("SELECT 1 FROM accounts WHERE id = $1", params![account.as_str()]).await?;
    if known.is_none() {
        return call.refuse(tx, repositories::not_found(address)).await;
    }
    // Of two requests that make it at a time, the first to commit decides.
    tx.execute(
        "INSERT INTO encryption_domains (id, account_id, region, key_arn, wrapped_key, created_at) \
         VALUES ($1, $2, '', '', $3, $4) ON CONFLICT (account_id, region, key_arn) DO NOTHING",
        params![id, account.as_str(), wrapped_key, call.now()],
    )
    .await?;
    let wrapped = find(&mut tx, account).await?;
    tx.commit().await?;
    let wrapped = wrapped.ok_or_else(|| Error::internal("an encryption domain vanished"))?;
    unwrap(app, account, wrapped).await
}

/// The row of a domain.
struct Wrapped {
    id: i64,
    key: Vec<u8>,
}

async fn find(tx: &mut Tx, account: &AccountId) -> Result<Option<Wrapped>> {
    let row = tx
        .optional(
            "SELECT id, wrapped_key FROM encryption_domains \
             WHERE account_id = $1 AND region = '' AND key_arn = ''",
            params![account.as_str()],
        )
        .await?;
    row.map(|row| Ok(Wrapped { id: row.get(0)?, key: row.get(1)? })).transpose()
}

/// Unwraps the key of a committed domain and remembers it.
async fn unwrap(app: &App, account: &AccountId, wrapped: Wrapped) -> Result<Arc<EncryptionDomain>> {
    let key = app.key_wrapper.unwrap(wrapped.id, &wrapped.key).await?;
    let domain = Arc::new(EncryptionDomain { id: wrapped.id, key: SealingKey::from_slice(&key)? });
    app.domain_keys.put(*account, &domain);
    Ok(domain)
}

/// Wraps the key of every domain anew; how many there are. Only where both wrappers answer at once:
/// the transaction is open all the time.
pub(crate) async fn wrap_domains_anew(
    tx: &mut Tx,
    old: &dyn KeyWrapper,
    new: &dyn KeyWrapper,
) -> Result<u64> {
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
            let wrapped = new.wrap(after, &old.unwrap(after, &wrapped).await?).await?;
            count += tx
                .execute(
                    "UPDATE encryption_domains SET wrapped_key = $2 WHERE id = $1",
                    params![after, wrapped],
                )
                .await?;
        }
    }
}
