//! Image shares: a user name and a password that let somebody pull one private image for a while,
//! who has no account here.
//!
//! A share is a row; of its random password the row has a hash. It is good for one image of one
//! repository: the manifest by its digest, the images of an index, their configurations and layers,
//! and nothing else. Whoever shows it acts for whoever made it: their policies, key and session are
//! looked at anew at every request, within what the share allows, so that it never gives what its
//! maker may not have any more. It ends when its time is over, when it is revoked, when it was used
//! as often as it may be, and with its repository.

pub mod operations;

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tonnage_policy::{Policy, PolicyKind};

use crate::app::App;
use crate::audit;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::{Principal, RequestContext};
use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Entry, Tx};
use crate::identities::authorization_token::TokenIdentity;
use crate::identities::entities::{self, EntityKind};
use crate::identities::sessions::Session;
use crate::identities::{begin, get_principal};
use crate::metadata::{Mode, Row};
use crate::names::{AccountId, Algorithm, Digest, Partition, Reference, Region, RepositoryName};
use crate::params;
use crate::repositories::RepositoryAddress;

/// The user name that goes with every password.
pub const USER: &str = "share";
/// `share:` in Base64.
const USER_ENCODED: &str = "c2hhcmU6";
/// What every password begins with.
const PREFIX: &str = "share-";
/// How long a share may be good, in seconds: 7 days.
pub const SECONDS_MAX: i64 = 7 * 24 * 3600;
/// How long it has to be at least.
pub const SECONDS_MIN: i64 = 60;
/// Shares of one repository that are good at a time.
pub const SHARES_MAX: i64 = 100;
/// How often a share may be limited to be used.
pub const USES_MAX: u32 = 1_000_000;
/// How long ended shares are listed, in milliseconds: 30 days.
const LISTED_MS: i64 = 30 * 24 * 3600 * 1000;
/// How long the parts of an image can be fetched after a use began, in milliseconds.
const USE_MS: i64 = 3600 * 1000;
/// Within which time the same address asks again for the same use, in milliseconds.
const SAME_USE_MS: i64 = 5 * 60 * 1000;
/// The longest password that is looked at, in bytes.
const PASSWORD_BYTES_MAX: usize = 128;

/// A share, without what lets somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageShare {
    /// Its id: `share-` and hexadecimal digits.
    pub id: String,
    /// The image.
    pub digest: Digest,
    /// Who made it.
    pub made_by: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
    /// How often it may be used; nothing for any number.
    pub uses_max: Option<u32>,
    /// How often it was used: pulls of the image.
    pub uses: u32,
    /// When it was last used.
    pub used_at: Option<Millis>,
}

/// Whether a share is good, or why it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareStatus {
    /// It is good.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
    /// It was used as often as it may be.
    Used,
}

impl ShareStatus {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::Used => "USED",
        }
    }
}

impl ImageShare {
    /// Whether it is good at a time.
    pub fn status(&self, now: Millis) -> ShareStatus {
        match self {
            Self { revoked_at: Some(_), .. } => ShareStatus::Revoked,
            Self { expires_at, .. } if *expires_at <= now => ShareStatus::Expired,
            Self { uses_max: Some(max), uses, .. } if uses >= max => ShareStatus::Used,
            _ => ShareStatus::Active,
        }
    }
}

/// A share that was just made.
#[derive(Clone, Debug)]
pub struct NewImageShare {
    /// The share.
    pub share: ImageShare,
    /// What goes with the user name [`USER`]; told once.
    pub password: SecretString,
}

/// What a principal is limited to that came with the password of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    id: i64,
    repository_id: i64,
    repository: RepositoryAddress,
    digest: Digest,
    is_limited: bool,
}

/// What of an image an operation reads.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A manifest; whether its bytes are taken.
    Manifest(&'a Reference, bool),
    /// A configuration or a layer.
    Blob(&'a Digest),
}

fn shown_id(id: i64) -> String {
    format!("{PREFIX}{id:x}")
}

fn parse_id(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(PREFIX)?;
    let id = i64::from_str_radix(digits, 16).ok()?;
    (shown_id(id) == text).then_some(id)
}

fn make_password(id: i64) -> Result<SecretString> {
    Ok(format!("{}.{}", shown_id(id), URL_SAFE_NO_PAD.encode(random::<32>()?)).into())
}

fn hash_of(password: &str) -> String {
    Digest::of(Algorithm::Sha256, password.as_bytes()).to_string()
}

/// The password of a share in what HTTP's Basic scheme carries, or nothing where it has another
/// user's.
pub fn password_in(credentials: &str) -> Option<SecretString> {
    // Nearly all are tokens, which are long: they are told by how they begin.
    if !credentials.starts_with(USER_ENCODED) {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    (user == USER).then(|| password.into())
}

/// Whether a token of HTTP's Bearer scheme is the password of a share.
pub fn is_password(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// Whom the password of a share speaks for: whoever made it, limited to what it is for.
///
/// # Errors
/// [`ErrorKind::TokenExpired`] for every password that is not good, whatever the reason.
pub async fn verify(app: &App, password: &SecretString, now: Millis) -> Result<TokenIdentity> {
    let password = password.expose_secret();
    if !app.settings.image_shares || password.len() > PASSWORD_BYTES_MAX {
        return Err(ended());
    }
    let id = password.split_once('.').and_then(|(id, _)| parse_id(id)).ok_or_else(ended)?;
    let mut tx = begin(app).await?;
    let row = tx
        .optional(
            "SELECT image_shares.secret_hash, image_shares.digest, image_shares.principal_id, \
             image_shares.access_key_id, image_shares.session, image_shares.expires_at, \
             image_shares.revoked_at, image_shares.uses_max, repositories.id, repositories.name, \
             registries.account_id, registries.region FROM image_shares \
             JOIN repositories ON repositories.id = image_shares.repository_id \
             JOIN registries ON registries.id = repositories.registry_id \
             WHERE image_shares.id = $1",
            params![id],
        )
        .await?
        .ok_or_else(ended)?;
    let is_right = row.get::<String>(0)?.as_bytes().ct_eq(hash_of(password).as_bytes());
    let is_over = row.get::<Millis>(5)? <= now || row.get::<Option<Millis>>(6)?.is_some();
    if !bool::from(is_right) || is_over {
        return Err(ended());
    }
    let repository = RepositoryAddress {
        account: AccountId::parse(&row.get::<String>(10)?).map_err(Error::internal)?,
        region: Region::parse_stored(&row.get::<String>(11)?).map_err(Error::internal)?,
        name: RepositoryName::parse(&row.get::<String>(9)?).map_err(Error::internal)?,
    };
    let (account, region) = (repository.account, repository.region.clone());
    let grant = Grant {
        id,
        repository_id: row.get(8)?,
        repository,
        digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        is_limited: row.get::<Option<i64>>(7)?.is_some(),
    };
    let access_key: Option<String> = row.get(3)?;
    let made_by = match row.get::<Option<String>>(4)? {
        Some(session) => {
            let session: Session = serde_json::from_str(&session).map_err(Error::internal)?;
            session.principal(&mut tx, access_key).await
        }
        None => get_principal(&mut tx, row.get(2)?, access_key).await,
    };
    let mut principal = made_by.map_err(|error| match error.kind() {
        ErrorKind::Unauthenticated => ended(),
        _ => error,
    })?;
    principal.share = Some(Arc::new(grant));
    Ok(TokenIdentity { principal, account, region })
}

fn ended() -> Error {
    Error::new(
        ErrorKind::TokenExpired,
        "This is not the password of a share that is good: it may have expired, been revoked, or \
         not been copied as a whole. Ask whoever gave it to you for a new one.",
    )
}

impl Grant {
    /// How the share is named in logs and access records, beside the principal that it acts for.
    pub(crate) fn arn(&self) -> String {
        let RepositoryAddress { account, region, .. } = &self.repository;
        format!(
            "arn:{}:tonnage:{region}:{account}:{}",
            Partition::of(region).as_str(),
            shown_id(self.id)
        )
    }

    /// What no principal may do through the share, whatever policies of theirs or of the repository
    /// allow: anything but to read, and anything elsewhere.
    pub(crate) fn policy(&self) -> Result<Policy> {
        let text = json!({ "Version": "2012-10-17", "Statement": [
            { "Sid": "OnlyToRead", "Effect": "Deny", "Resource": "*", "NotAction": [
                "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"
            ] },
            { "Sid": "OnlyHere", "Effect": "Deny", "Action": "*",
                "NotResource": self.repository.arn() },
        ] });
        Policy::parse(&text.to_string(), PolicyKind::Identity)
            .map_err(|error| Error::internal(format!("policy of a share: {error}")))
    }
}

/// Lets an operation go on that somebody does with a share, if it reads a part of the image; what
/// begins a use is counted.
///
/// # Errors
/// [`ErrorKind::AccessDenied`], the same for what is not of the image and what is not there.
pub(crate) async fn admit(
    app: &App,
    context: &RequestContext,
    grant: &Grant,
    (entry, part): (Entry, Option<Part<'_>>),
    permit: &Permit,
) -> Result<()> {
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Read, permit).await?;
    let (is_root, is_covered) = match part {
        Some(Part::Manifest(Reference::Digest(digest), is_taken)) => {
            let is_root = *digest == grant.digest;
            (is_root && is_taken, is_root || grant.has_manifest(&mut tx, digest).await?)
        }
        Some(Part::Blob(digest)) => (false, grant.has_blob(&mut tx, digest).await?),
        Some(Part::Manifest(Reference::Tag(_), _)) | None => (false, false),
    };
    if !is_covered {
        return Err(Error::new(
            ErrorKind::AccessDenied,
            format!(
                "This share is for {}@{} and what belongs to it, and for nothing else.",
                grant.repository.name, grant.digest
            ),
        ));
    }
    if is_root {
        drop(tx);
        return grant.note_use(app, context, entry, permit).await;
    }
    if grant.is_limited { grant.require_use(&mut tx, context.now).await } else { Ok(()) }
}

/// A statement that begins with the images of a share as `shared`: its own, and those of an index.
macro_rules! of_shared {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE shared (id) AS ( \
             SELECT id FROM images WHERE repository_id = $1 AND digest = $2 \
             UNION SELECT image_children.child_image_id FROM image_children \
             JOIN shared ON shared.id = image_children.image_id \
             WHERE image_children.child_image_id IS NOT NULL) ",
            $rest
        )
    };
}

impl Grant {
    async fn has_manifest(&self, tx: &mut Tx, digest: &Digest) -> Result<bool> {
        let of_images = of_shared!(
            "SELECT 1 FROM images JOIN shared ON shared.id = images.id \
             WHERE images.digest = $3 LIMIT 1"
        );
        self.has(tx, of_images, digest).await
    }

    async fn has_blob(&self, tx: &mut Tx, digest: &Digest) -> Result<bool> {
        let of_blobs = of_shared!(
            "SELECT 1 FROM image_blobs JOIN shared ON shared.id = image_blobs.image_id \
             WHERE image_blobs.digest = $3 LIMIT 1"
        );
        self.has(tx, of_blobs, digest).await
    }

    async fn has(&self, tx: &mut Tx, statement: &'static str, digest: &Digest) -> Result<bool> {
        let of = params![self.repository_id, self.digest.as_str(), digest.as_str()];
        Ok(tx.optional(statement, of).await?.is_some())
    }

    /// Counts a use, unless the same address began it a moment ago: clients that look at a manifest
    /// first fetch it twice.
    async fn note_use(
        &self,
        app: &App,
        context: &RequestContext,
        entry: Entry,
        permit: &Permit,
    ) -> Result<()> {
        let (now, source) = (context.now, address_of(context.source_address));
        let recently = Millis(now.0.saturating_sub(SAME_USE_MS));
        let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, permit).await?;
        let counted = tx
            .execute(
                "UPDATE image_shares SET uses = uses + 1, used_at = $2, used_from = $3 \
                 WHERE id = $1 AND revoked_at IS NULL AND (uses_max IS NULL OR uses < uses_max) \
                 AND (used_at IS NULL OR used_from <> $3 OR used_at <= $4)",
                params![self.id, now, source.as_str(), recently],
            )
            .await?;
        if counted > 0 {
            audit::put(&mut tx, app.ids.next(now), context, entry, permit).await?;
            tx.commit().await?;
            return Ok(());
        }
        let same = tx
            .optional(
                "SELECT 1 FROM image_shares WHERE id = $1 AND revoked_at IS NULL \
                 AND used_from = $2 AND used_at > $3",
                params![self.id, source.as_str(), recently],
            )
            .await?;
        tx.commit().await?;
        same.map(drop).ok_or_else(used_up)
    }

    /// Of a share that is limited, parts can be fetched while a use is under way, and the root may be
    /// asked for while one is left.
    async fn require_use(&self, tx: &mut Tx, now: Millis) -> Result<()> {
        let row = tx
            .optional(
                "SELECT 1 FROM image_shares WHERE id = $1 AND (uses < uses_max OR used_at > $2)",
                params![self.id, Millis(now.0.saturating_sub(USE_MS))],
            )
            .await?;
        row.map(drop).ok_or_else(used_up)
    }
}

fn used_up() -> Error {
    Error::new(
        ErrorKind::AccessDenied,
        "This share was used as often as it may be. Ask whoever gave it to you for a new one.",
    )
}

fn address_of(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// A user of an account, who makes a share.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when there is none.
pub async fn user(app: &App, account: &AccountId, name: &str) -> Result<Principal> {
    let mut tx = begin(app).await?;
    let Some(entity) = entities::find(&mut tx, account, EntityKind::User, name).await? else {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("Account {account} has no user named {name:?}."),
        ));
    };
    get_principal(&mut tx, entity.id, None).await
}

fn share_from(row: &Row) -> Result<ImageShare> {
    let count = |number: i64| u32::try_from(number).map_err(Error::internal);
    Ok(ImageShare {
        id: shown_id(row.get(0)?),
        digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        made_by: row.get(2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        revoked_at: row.get(5)?,
        uses_max: row.get::<Option<i64>>(6)?.map(count).transpose()?,
        uses: count(row.get(7)?)?,
        used_at: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        let password = make_password(0x1f).unwrap();
        let text = password.expose_secret();
        assert!(text.starts_with("share-1f.") && is_password(text));
        assert_eq!(text.len(), "share-1f.".len() + 43);
        assert_eq!(STANDARD.encode(format!("{USER}:")), USER_ENCODED);
        let basic = |text: &str| password_in(&STANDARD.encode(text));
        for (given, expected) in [
            ("share:share-1f.x", Some("share-1f.x")),
            ("share:", Some("")),
            ("Share:share-1f.x", None),
            ("AWS:share-1f.x", None),
            ("share", None),
        ] {
            let found = basic(given);
            assert_eq!(found.as_ref().map(ExposeSecret::expose_secret), expected, "{given}");
        }
        for (id, expected) in [
            ("share-1f", Some(0x1f)),
            ("share-01f", None),
            ("share-1F", None),
            ("share-+1f", None),
            ("share--1", None),
            ("share-", None),
            ("1f", None),
            ("share-ffffffffffffffff", None),
        ] {
            assert_eq!(parse_id(id), expected, "{id}");
        }
    }
}
