//! Making shares, listing them and ending them.

use super::{
    ImageShare, LISTED_MS, NewImageShare, SECONDS_MAX, SECONDS_MIN, SHARES_MAX, USES_MAX, hash_of,
    make_password, parse_id, share_from,
};
use crate::authorize;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::images::{ImageIdentifier, not_found, resolve_active};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};
use secrecy::ExposeSecret as _;

/// Makes a share of a private image; a tag is followed to the image that it names now. It takes the
/// permission to make one, and those to pull the image: whoever may not pull cannot share.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] while the operator does not allow shares,
/// [`ErrorKind::LimitExceeded`], [`ErrorKind::RepositoryNotFound`], [`ErrorKind::ImageNotFound`].
#[derive(Clone, Debug)]
pub struct CreateImageShare {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which image.
    pub id: ImageIdentifier,
    /// How long it is good, in seconds.
    pub seconds: i64,
    /// How often it may be used; nothing for any number.
    pub uses_max: Option<u32>,
}

impl Operation for CreateImageShare {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "CreateImageShare" };
    type Output = NewImageShare;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let resource = self.repository.resource();
        vec![
            Demand::new("tonnage:CreateImageShare", resource.clone()),
            Demand {
                keys: self.id.condition_keys(),
                ..Demand::new("ecr:BatchGetImage", resource.clone())
            },
            Demand::new("ecr:GetDownloadUrlForLayer", resource),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<NewImageShare> {
        self.check(&call)?;
        let now = call.now();
        let principal = &call.context.principal;
        let session = principal.session.as_ref().map(|principal| &principal.session);
        let mut expires_at = now.plus_seconds(self.seconds);
        if let Some(session) = session {
            expires_at = expires_at.min(Millis(session.expires_at));
        }
        let session = session.map(serde_json::to_string).transpose().map_err(Error::internal)?;

        let mut tx = call.write().await?;
        let Some(repository) = repositories::find(&mut tx, &self.repository).await? else {
            return call.refuse(tx, repositories::not_found(&self.repository)).await;
        };
        let Ok(image) = resolve_active(&mut tx, &repository, &self.id).await? else {
            return call.refuse(tx, not_found(&self.repository, &self.id)).await;
        };
        // Pulls name the digest, whatever the share was asked for by.
        let by_digest = ImageIdentifier { digest: Some(image.digest.clone()), tag: None };
        let pull = Demand::new("ecr:BatchGetImage", self.repository.resource());
        let pull = Demand { keys: by_digest.condition_keys(), ..pull };
        authorize::require_now(call.app, call.context, pull, &mut tx).await?;

        tx.execute(
            "DELETE FROM image_shares WHERE repository_id = $1 AND expires_at < $2",
            params![repository.id, Millis(now.0.saturating_sub(LISTED_MS))],
        )
        .await?;
        let row = tx
            .optional(
                "SELECT COUNT(*) FROM image_shares \
                 WHERE repository_id = $1 AND expires_at > $2 AND revoked_at IS NULL",
                params![repository.id, now],
            )
            .await?;
        if row.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(0) >= SHARES_MAX {
            let refusal = Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "A repository has at most {SHARES_MAX} shares that are good; revoke one first."
                ),
            );
            return call.refuse(tx, refusal).await;
        }
        let id = call.next_id();
        let password = make_password(id)?;
        tx.execute(
            "INSERT INTO image_shares (id, repository_id, digest, secret_hash, principal_id, \
             principal_arn, access_key_id, session, created_at, expires_at, uses_max, uses) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0)",
            params![
                id,
                repository.id,
                image.digest.as_str(),
                hash_of(password.expose_secret()),
                principal.id,
                &principal.arn,
                principal.access_key_id.as_deref(),
                session,
                now,
                expires_at,
                self.uses_max.map(i64::from)
            ],
        )
        .await?;
        call.commit(tx).await?;
        let share = ImageShare {
            id: super::shown_id(id),
            digest: image.digest,
            made_by: principal.arn.clone(),
            created_at: now,
            expires_at,
            revoked_at: None,
            uses_max: self.uses_max,
            uses: 0,
            used_at: None,
        };
        Ok(NewImageShare { share, password })
    }
}

impl CreateImageShare {
    fn check(&self, call: &Call<'_>) -> Result<()> {
        if !call.app.settings.image_shares {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "Images are not shared here; the operator allows it by the setting image_shares.",
            ));
        }
        if self.repository.region.is_global() {
            let wanted = "One in a private registry; everybody may pull from public ones";
            return Err(Error::invalid_parameter("repository", wanted));
        }
        if !(SECONDS_MIN..=SECONDS_MAX).contains(&self.seconds) {
            return Err(Error::invalid_parameter("for", "From one minute to seven days"));
        }
        if self.uses_max.is_some_and(|uses| !(1..=USES_MAX).contains(&uses)) {
            return Err(Error::invalid_parameter("uses", format_args!("From 1 to {USES_MAX}")));
        }
        Ok(())
    }
}

/// Lists the shares of a repository, the newest first: those that are good, and those that ended in
/// the last thirty days.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`].
#[derive(Clone, Debug)]
pub struct ListImageShares {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListImageShares {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListImageShares" };
    type Output = Page<ImageShare>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:ListImageShares", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<ImageShare>> {
        let before = match self.page.after.as_deref() {
            None => i64::MAX,
            Some(after) => {
                parse_id(after).ok_or_else(|| Error::invalid_parameter("after", "Invalid token"))?
            }
        };
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let rows = tx
            .all(
                "SELECT id, digest, principal_arn, created_at, expires_at, revoked_at, uses_max, \
                 uses, used_at FROM image_shares \
                 WHERE repository_id = $1 AND id < $2 AND expires_at >= $3 \
                 ORDER BY id DESC LIMIT $4",
                params![
                    repository.id,
                    before,
                    Millis(call.now().0.saturating_sub(LISTED_MS)),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let shares = rows.iter().map(share_from).collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(shares, |share| share.id.clone()))
    }
}

/// Ends a share at once. Idempotent.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`]; [`ErrorKind::InvalidParameter`] when the repository has no such
/// share.
#[derive(Clone, Debug)]
pub struct RevokeImageShare {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The share's id, or its password.
    pub share: String,
}

impl Operation for RevokeImageShare {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "RevokeImageShare" };
    type Output = ImageShare;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:RevokeImageShare", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<ImageShare> {
        let mut tx = call.write().await?;
        let Some(repository) = repositories::find(&mut tx, &self.repository).await? else {
            return call.refuse(tx, repositories::not_found(&self.repository)).await;
        };
        let id = self.share.split('.').next().and_then(parse_id);
        tx.execute(
            "UPDATE image_shares SET revoked_at = $3 \
             WHERE id = $1 AND repository_id = $2 AND revoked_at IS NULL",
            params![id, repository.id, call.now()],
        )
        .await?;
        let row = tx
            .optional(
                "SELECT id, digest, principal_arn, created_at, expires_at, revoked_at, uses_max, \
                 uses, used_at FROM image_shares WHERE id = $1 AND repository_id = $2",
                params![id, repository.id],
            )
            .await?;
        let Some(row) = row else {
            let wanted = "The id of a share of this repository";
            return call.refuse(tx, Error::invalid_parameter("share", wanted)).await;
        };
        let share = share_from(&row)?;
        call.commit(tx).await?;
        Ok(share)
    }
}
