//! The keys that sign what we hand out and take back: authorization tokens, download links, page
//! tokens. A key signs for a week and verifies for as long as anything it signed may live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::encryption::sealing_key::random;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::{Mode, Row};
use crate::params;
use crate::root_key::{Purpose, RootKey, rotate};

const SIGNS_SECONDS: i64 = 7 * 24 * 3600;
const VERIFIES_SECONDS: i64 = 9 * 24 * 3600;
/// How many keys are kept in memory; more than ever verify at once.
const CACHED_MAX: usize = 64;

/// A signature and the key that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) key_id: String,
    pub(crate) tag: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct TokenKeys {
    keys: Mutex<HashMap<String, Arc<TokenKey>>>,
}

struct TokenKey {
    id: String,
    key: hmac::Key,
    signs_until: Millis,
    verifies_until: Millis,
}

/// Signs `message`; `purpose` keeps a token of one kind from passing as another.
pub(crate) async fn sign(app: &App, purpose: &str, message: &[u8]) -> Result<Signature> {
    let key = current(app).await?;
    let tag = hmac::sign(&key.key, &signed_bytes(purpose, message));
    Ok(Signature { key_id: key.id.clone(), tag: tag.as_ref().to_vec() })
}

/// What only we can calculate from `message`, with the key of this id while it verifies.
pub(crate) async fn derive(
    app: &App,
    key_id: &str,
    purpose: &str,
    message: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(key) = find(app, key_id).await? else { return Ok(None) };
    if key.verifies_until <= app.clock.now() {
        return Ok(None);
    }
    let tag = hmac::sign(&key.key, &signed_bytes(purpose, message));
    Ok(Some(Zeroizing::new(tag.as_ref().to_vec())))
}

/// Whether a signature is one of ours. The comparison takes the same time wherever they differ.
pub(crate) async fn verify(
    app: &App,
    purpose: &str,
    message: &[u8],
    signature: &Signature,
) -> Result<bool> {
    let Some(key) = find(app, &signature.key_id).await? else { return Ok(false) };
    if key.verifies_until <= app.clock.now() {
        return Ok(false);
    }
    Ok(hmac::verify(&key.key, &signed_bytes(purpose, message), &signature.tag).is_ok())
}

/// Whether what this key signed is still good.
pub(crate) async fn verifies(app: &App, key_id: &str) -> Result<bool> {
    let key = find(app, key_id).await?;
    Ok(key.is_some_and(|key| key.verifies_until > app.clock.now()))
}

/// A signed text of the form `{key id}.{claims}.{signature}`.
pub(crate) async fn sign_text(app: &App, purpose: &str, claims: &[u8]) -> Result<String> {
    let signature = sign(app, purpose, claims).await?;
    Ok(format!(
        "{}.{}.{}",
        signature.key_id,
        URL_SAFE_NO_PAD.encode(claims),
        URL_SAFE_NO_PAD.encode(signature.tag)
    ))
}

/// The claims of a text that [`sign_text`] made for the same purpose; `None` for every other text.
pub(crate) async fn open_text(app: &App, purpose: &str, text: &str) -> Result<Option<Vec<u8>>> {
    let mut parts = text.split('.');
    let (Some(key_id), Some(claims), Some(tag), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    let (Ok(claims), Ok(tag)) = (URL_SAFE_NO_PAD.decode(claims), URL_SAFE_NO_PAD.decode(tag))
    else {
        return Ok(None);
    };
    let signature = Signature { key_id: key_id.to_owned(), tag };
    Ok(verify(app, purpose, &claims, &signature).await?.then_some(claims))
}

fn signed_bytes(purpose: &str, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(purpose.len() + 1 + message.len());
    bytes.extend_from_slice(purpose.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(message);
    bytes
}

async fn current(app: &App) -> Result<Arc<TokenKey>> {
    let now = app.clock.now();
    let cached = app
        .token_keys
        .keys
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .values()
        .filter(|key| key.signs_until > now)
        .max_by_key(|key| key.signs_until)
        .cloned();
    if let Some(key) = cached {
        return Ok(key);
    }
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    let row = tx
        .optional(
            "SELECT id, sealed_secret, signs_until, verifies_until FROM token_keys \
             WHERE signs_until > $1 ORDER BY signs_until DESC LIMIT 1",
            params![now],
        )
        .await?;
    if let Some(row) = row {
        // The key may be of a commit that is still under way; nothing is signed with it before.
        tx.commit().await?;
        return remember(app, &row);
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let secret = Zeroizing::new(random::<32>()?);
    let signs_until = now.plus_seconds(SIGNS_SECONDS);
    let verifies_until = now.plus_seconds(VERIFIES_SECONDS);
    tx.execute(
        "INSERT INTO token_keys (id, sealed_secret, created_at, signs_until, verifies_until) \
         VALUES ($1, $2, $3, $4, $5)",
        params![
            &id,
            app.root_key.seal(Purpose::TokenKey, &id, secret.as_slice())?,
            now,
            signs_until,
            verifies_until
        ],
    )
    .await?;
    tx.execute("DELETE FROM token_keys WHERE verifies_until <= $1", params![now]).await?;
    tx.commit().await?;
    Ok(keep(app, new_key(id, secret.as_slice(), signs_until, verifies_until)))
}

async fn find(app: &App, id: &str) -> Result<Option<Arc<TokenKey>>> {
    let cached =
        app.token_keys.keys.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
    if cached.is_some() {
        return Ok(cached);
    }
    let mut tx = super::begin(app).await?;
    let row = tx
        .optional(
            "SELECT id, sealed_secret, signs_until, verifies_until FROM token_keys WHERE id = $1",
            params![id],
        )
        .await?;
    row.map(|row| remember(app, &row)).transpose()
}

fn remember(app: &App, row: &Row) -> Result<Arc<TokenKey>> {
    let id: String = row.get(0)?;
    let secret = app.root_key.open(Purpose::TokenKey, &id, &row.get::<Vec<u8>>(1)?)?;
    if secret.len() != 32 {
        return Err(Error::internal("a token key does not have 32 bytes"));
    }
    Ok(keep(app, new_key(id, &secret, row.get(2)?, row.get(3)?)))
}

/// Seals every key with the new root key; how many there are.
pub(crate) async fn seal_anew(tx: &mut Tx, old: &RootKey, new: &RootKey) -> Result<u64> {
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let rows = tx
            .all(
                "SELECT id, sealed_secret FROM token_keys WHERE id > $1 ORDER BY id LIMIT $2",
                params![&after, rotate::PAGE],
            )
            .await?;
        if rows.is_empty() {
            return Ok(count);
        }
        for row in &rows {
            after = row.get(0)?;
            let sealed = new.seal_anew(old, Purpose::TokenKey, &after, &row.get::<Vec<u8>>(1)?)?;
            count += tx
                .execute(
                    "UPDATE token_keys SET sealed_secret = $2 WHERE id = $1",
                    params![&after, sealed],
                )
                .await?;
        }
    }
}

fn new_key(id: String, secret: &[u8], signs_until: Millis, verifies_until: Millis) -> TokenKey {
    TokenKey { id, key: hmac::Key::new(hmac::HMAC_SHA256, secret), signs_until, verifies_until }
}

fn keep(app: &App, key: TokenKey) -> Arc<TokenKey> {
    let key = Arc::new(key);
    let mut keys = app.token_keys.keys.lock().unwrap_or_else(PoisonError::into_inner);
    if keys.len() >= CACHED_MAX {
        keys.clear();
    }
    keys.insert(key.id.clone(), Arc::clone(&key));
    key
}
