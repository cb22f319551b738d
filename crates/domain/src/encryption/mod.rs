//! Encryption domains: the boundary inside which equal blobs are kept once. `AES256` repositories
//! of an account share one; no digest of one domain is ever compared with those of another.

use crate::error::Result;
use crate::execute::{Call, Tx};
use crate::names::AccountId;
use crate::{params, root_key};

/// The domain of an account's `AES256` repositories, made if need be.
pub(crate) async fn ensure_account_domain(
    tx: &mut Tx,
    call: &Call<'_>,
    account: &AccountId,
) -> Result<i64> {
    let row = tx
        .optional(
            "SELECT id FROM encryption_domains \
             WHERE account_id = $1 AND region = '' AND key_arn = ''",
            params![account.as_str()],
        )
        .await?;
    if let Some(row) = row {
        return Ok(row.get(0)?);
    }
    let id = call.next_id();
    let key: [u8; root_key::ROOT_KEY_BYTES] = root_key::random()?;
    let wrapped = call.app.root_key.seal("encryption-domain", account.as_str(), &key)?;
    tx.execute(
        "INSERT INTO encryption_domains (id, account_id, region, key_arn, wrapped_key, created_at) \
         VALUES ($1, $2, '', '', $3, $4)",
        params![id, account.as_str(), wrapped, call.now()],
    )
    .await?;
    Ok(id)
}
