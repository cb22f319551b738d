//! What the socket answers about shares of images.

use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::image_shares::operations::{
    CreateImageShare, ListImageShares, RevokeImageShare,
};
use tonnage_domain::image_shares::{self, ImageShare};
use tonnage_domain::names::Reference;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;

use super::repositories::name;
use super::server::{Admin, Answer, json};

/// Shares of one answer.
const PAGE: u32 = 200;

/// A repository, as a command names it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareRepository {
    /// Its account; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// Its name.
    pub(crate) repository: String,
    /// The user of that account for whom it is asked; its root when absent.
    pub(crate) user: Option<String>,
}

/// What `POST /image-shares` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedShare {
    /// The repository.
    pub(crate) repository: ShareRepository,
    /// A tag or a digest.
    pub(crate) image: String,
    /// How long it is to be good, in seconds.
    pub(crate) seconds: i64,
    /// How often it may be used.
    pub(crate) uses: Option<u32>,
}

/// What `POST /image-shares/list` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedShares {
    /// The repository.
    pub(crate) repository: ShareRepository,
    /// The `next` of the page before.
    pub(crate) after: Option<String>,
}

/// What `POST /image-shares/revoke` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnwantedShare {
    /// The repository.
    pub(crate) repository: ShareRepository,
    /// The share's id.
    pub(crate) share: String,
}

/// A share.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Share {
    /// Its id.
    pub(crate) id: String,
    /// `ACTIVE`, `EXPIRED`, `REVOKED` or `USED`.
    pub(crate) status: String,
    /// The image.
    pub(crate) digest: String,
    /// Who made it.
    pub(crate) made_by: String,
    /// When it was made, in RFC 3339.
    pub(crate) created_at: String,
    /// When it ends.
    pub(crate) expires_at: String,
    /// How often it was used.
    pub(crate) uses: u32,
    /// How often it may be.
    pub(crate) uses_max: Option<u32>,
    /// When it was last used.
    pub(crate) used_at: Option<String>,
}

/// A share that was just made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MadeShare {
    /// The share.
    pub(crate) share: Share,
    /// The registry's account.
    pub(crate) account: String,
    /// The registry's region.
    pub(crate) region: String,
    /// The user name that clients show.
    pub(crate) user: String,
    /// The password that goes with it.
    pub(crate) password: String,
}

/// A page of shares.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shares {
    /// The newest first.
    pub(crate) shares: Vec<Share>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

impl Admin {
    async fn of_share(
        &self,
        given: &ShareRepository,
    ) -> Result<(RequestContext, RepositoryAddress), Error> {
        let mut context =
            self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        if let Some(user) = &given.user {
            context.principal = image_shares::user(&self.app, &context.account, user).await?;
        }
        let name = name("repository", &given.repository)?;
        let repository = RepositoryAddress::new(&context, None, name);
        Ok((context, repository))
    }

    pub(super) async fn create_image_share(&self, wanted: WantedShare) -> Result<Answer, Error> {
        let WantedShare { repository, image, seconds, uses } = wanted;
        let (context, repository) = self.of_share(&repository).await?;
        let reference =
            Reference::parse(&image).map_err(|error| Error::invalid_parameter("image", error))?;
        let operation =
            CreateImageShare { repository, id: reference.into(), seconds, uses_max: uses };
        let made = execute(&self.app, &context, operation).await?;
        let made = MadeShare {
            share: shown(&made.share, context.now),
            account: context.account.to_string(),
            region: context.region.to_string(),
            user: image_shares::USER.to_owned(),
            password: made.password.expose_secret().to_owned(),
        };
        Ok(json(StatusCode::CREATED, &made))
    }

    pub(super) async fn list_image_shares(&self, wanted: WantedShares) -> Result<Answer, Error> {
        let (context, repository) = self.of_share(&wanted.repository).await?;
        let page = PageRequest { after: wanted.after, limit: PAGE };
        let page = execute(&self.app, &context, ListImageShares { repository, page }).await?;
        let shares = page.items.iter().map(|share| shown(share, context.now)).collect();
        Ok(json(StatusCode::OK, &Shares { shares, next: page.next }))
    }

    pub(super) async fn revoke_image_share(
        &self,
        unwanted: UnwantedShare,
    ) -> Result<Answer, Error> {
        let (context, repository) = self.of_share(&unwanted.repository).await?;
        let operation = RevokeImageShare { repository, share: unwanted.share };
        let share = execute(&self.app, &context, operation).await?;
        Ok(json(StatusCode::OK, &shown(&share, context.now)))
    }
}

fn shown(share: &ImageShare, now: Millis) -> Share {
    let time = |at: Millis| at.timestamp().to_string();
    Share {
        id: share.id.clone(),
        status: share.status(now).as_str().to_owned(),
        digest: share.digest.to_string(),
        made_by: share.made_by.clone(),
        created_at: time(share.created_at),
        expires_at: time(share.expires_at),
        uses: share.uses,
        uses_max: share.uses_max,
        used_at: share.used_at.map(time),
    }
}
