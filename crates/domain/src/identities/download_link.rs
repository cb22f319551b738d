//! Download links: what `GetDownloadUrlForLayer` hands out.

use serde::{Deserialize, Serialize};

use super::sessions::Session;
use super::{begin, get_principal, token_keys};
use crate::app::App;
use crate::clock::Millis;
use crate::context::Principal;
use crate::error::{Error, ErrorKind, Result};
use crate::names::{AccountId, Digest, Region, RepositoryName};
use crate::repositories::RepositoryAddress;

const PURPOSE: &str = "download-link";
/// The longest link that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The right of a principal to download one layer for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadLink {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The layer.
    pub digest: Digest,
    /// Whose right it is.
    pub principal_id: i64,
    /// The key the link was asked for with.
    pub access_key_id: Option<String>,
    /// The session it was asked for with.
    pub(crate) session: Option<Session>,
    /// When it stops working.
    pub expires_at: Millis,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    account: String,
    region: String,
    name: String,
    digest: String,
    principal: i64,
    access_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<Session>,
    expires_at: i64,
}

impl DownloadLink {
    pub(crate) async fn sign(&self, app: &App) -> Result<String> {
        let claims = Claims {
            account: self.repository.account.to_string(),
            region: self.repository.region.to_string(),
            name: self.repository.name.to_string(),
            digest: self.digest.to_string(),
            principal: self.principal_id,
            access_key: self.access_key_id.clone(),
            session: self.session.clone(),
            expires_at: self.expires_at.0,
        };
        let claims = serde_json::to_vec(&claims).map_err(Error::internal)?;
        token_keys::sign_text(app, PURPOSE, &claims).await
    }

    /// Reads a link back, with the principal whose right it is. The right itself is decided when
    /// the layer is opened.
    ///
    /// # Errors
    /// [`ErrorKind::AccessDenied`] for every link that we did not make or that has expired.
    pub async fn open(app: &App, token: &str, now: Millis) -> Result<(Self, Principal)> {
        let refused = || {
            Error::new(
                ErrorKind::AccessDenied,
                "The download link is not valid or has expired; ask for a new one.",
            )
        };
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused());
        }
        let claims = token_keys::open_text(app, PURPOSE, token).await?.ok_or_else(refused)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| refused())?;
        if claims.expires_at <= now.0 {
            return Err(refused());
        }
        let link = Self {
            repository: RepositoryAddress {
                account: AccountId::parse(&claims.account).map_err(|_| refused())?,
                region: Region::parse(&claims.region).map_err(|_| refused())?,
                name: RepositoryName::parse(&claims.name).map_err(|_| refused())?,
            },
            digest: Digest::parse(&claims.digest).map_err(|_| refused())?,
            principal_id: claims.principal,
            access_key_id: claims.access_key.clone(),
            session: claims.session.clone(),
            expires_at: Millis(claims.expires_at),
        };
        let mut tx = begin(app).await?;
        let principal = match claims.session {
            Some(session) => session.principal(&mut tx, claims.access_key).await?,
            None => get_principal(&mut tx, claims.principal, claims.access_key).await?,
        };
        Ok((link, principal))
    }
}
