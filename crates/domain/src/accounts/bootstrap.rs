//! The first start, and every later one: metadata, object store and root key must belong together.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{Account, insert};
use crate::app::{App, Settings};
use crate::authorize::Permit;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::identities::access_keys::{self, AccessKey};
use crate::ids::Ids;
use crate::metadata::{Metadata, Mode};
use crate::names::{AccountId, Region};
use crate::objects::Objects;
use crate::params;
use crate::root_key::RootKey;
use crate::transfer::RETIRED;

/// What a registry is made of.
pub struct Parts {
    /// The metadata database, migrated.
    pub metadata: Arc<dyn Metadata>,
    /// The object store.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The root key.
    pub root_key: RootKey,
    /// What the operator set.
    pub settings: Settings,
    /// The account the operator asked for, if any.
    pub account: Option<AccountId>,
    /// The region the operator asked for, if any.
    pub region: Option<Region>,
    /// The root access key the operator brings, if any.
    pub root_access_key: Option<AccessKey>,
}

/// Why metadata, objects, key and settings do not fit; one sentence each, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The root key is not the one that sealed this metadata.
    #[error(
        "the root key is not the one this metadata was sealed with; put the right root key back, nothing can be read without it"
    )]
    WrongRootKey,
    /// The object store is another deployment's.
    #[error(
        "the metadata belongs to another object store (it remembers {expected}, this one is {found}); start with the data directory they were made in"
    )]
    ForeignObjectStore {
        /// What metadata remembers.
        expected: String,
        /// What was opened.
        found: String,
    },
    /// There is no object store where the one of this metadata should be.
    #[error(
        "the metadata belongs to an object store that is not there; start with the data directory they were made in, or put its objects back from a backup"
    )]
    NoObjectStore,
    /// `tonnage migrate metadata` has left this database.
    #[error(
        "the registry in this database was moved to another database by `tonnage migrate metadata`; let `metadata_url` name that one, or leave it out if the metadata are in the data directory"
    )]
    Retired,
    /// The operator asked for another account than the one that was made.
    #[error(
        "this data directory was made for account {expected}, not {found}; leave --account out, or create the other account with `tonnage account create`"
    )]
    OtherAccount {
        /// The management account.
        expected: AccountId,
        /// What was asked for.
        found: AccountId,
    },
    /// The operator brings another root key pair than the first start had.
    #[error(
        "the root access key was set on the first start and is another one; unset TONNAGE_ROOT_ACCESS_KEY_ID and TONNAGE_ROOT_SECRET_ACCESS_KEY, or start with an empty data directory"
    )]
    OtherRootAccessKey,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// An opened registry.
pub struct Opened {
    /// The registry.
    pub app: App,
    /// The root access key, if this was the first start.
    pub first_access_key: Option<AccessKey>,
}

/// The account of a first start that names none.
pub const DEFAULT_ACCOUNT: &str = "123456789012";
/// The region of a first start that names none.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Whether a first start was committed to this metadata.
///
/// # Errors
/// When the database fails.
pub async fn exists(metadata: &dyn Metadata) -> Result<bool> {
    let mut tx = Tx::begin(metadata, Mode::Read, &Permit::maintenance()).await?;
    Ok(tx.optional("SELECT 1 FROM deployment WHERE id = 1", &[]).await?.is_some())
}

/// Whether the parts of a registry belong together: [`open`]'s refusals, by reading only.
/// `object_store` is the identity of the object store, `None` when there is none. Metadata without a
/// registry belong to everything.
///
/// # Errors
/// As [`open`].
pub async fn check(
    metadata: &dyn Metadata,
    object_store: Option<&str>,
    root_key: &RootKey,
    account: Option<AccountId>,
    root_access_key: Option<&AccessKey>,
) -> Result<(), OpenError> {
    let mut tx = Tx::begin(metadata, Mode::Read, &Permit::maintenance()).await?;
    let Some(deployment) = Deployment::read(&mut tx).await? else { return Ok(()) };
    deployment.check_parts(&mut tx, object_store, root_key, root_access_key).await?;
    deployment.check_account(account)
}

/// What metadata remember of the other parts.
struct Deployment {
    object_store: String,
    root_key_check: Vec<u8>,
    management_account: AccountId,
    region: Region,
}

impl Deployment {
    async fn read(tx: &mut Tx) -> Result<Option<Self>> {
        let row = tx
            .optional(
                "SELECT object_store_id, root_key_check, management_account_id, default_region \
                 FROM deployment WHERE id = 1",
                &[],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (account, region): (String, String) = (row.get(2)?, row.get(3)?);
        Ok(Some(Self {
            object_store: row.get(0)?,
            root_key_check: row.get(1)?,
            management_account: AccountId::parse(&account).map_err(Error::internal)?,
            region: Region::parse(&region).map_err(Error::internal)?,
        }))
    }

    async fn check_parts(
        &self,
        tx: &mut Tx,
        object_store: Option<&str>,
        root_key: &RootKey,
        root_access_key: Option<&AccessKey>,
    ) -> Result<(), OpenError> {
        if self.object_store == RETIRED {
            return Err(OpenError::Retired);
        }
        match object_store {
            None => return Err(OpenError::NoObjectStore),
            Some(found) if found != self.object_store => {
                let (expected, found) = (self.object_store.clone(), found.to_owned());
                return Err(OpenError::ForeignObjectStore { expected, found });
            }
            Some(_) => {}
        }
        if !root_key.matches(&self.root_key_check) {
            return Err(OpenError::WrongRootKey);
        }
        let Some(given) = root_access_key else { return Ok(()) };
        let account = &self.management_account;
        let stored = access_keys::find_root_secret(tx, root_key, account, &given.id).await?;
        match stored {
            Some(secret) if secret.expose_secret() == given.secret.expose_secret() => Ok(()),
            _ => Err(OpenError::OtherRootAccessKey),
        }
    }

    fn check_account(&self, asked: Option<AccountId>) -> Result<(), OpenError> {
        let expected = self.management_account;
        match asked {
            Some(found) if found != expected => Err(OpenError::OtherAccount { expected, found }),
            _ => Ok(()),
        }
    }
}

/// Opens a registry, making its first account on the first start.
///
/// # Errors
/// When the parts do not belong together, or a store fails.
pub async fn open(parts: Parts) -> Result<Opened, OpenError> {
    let mut tx = Tx::begin(parts.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    let ids = Ids::new();
    let (management_account, stored_region, first_access_key) =
        match Deployment::read(&mut tx).await? {
            Some(deployment) => {
                let (identity, key) = (parts.objects.identity(), parts.root_access_key.as_ref());
                deployment.check_parts(&mut tx, Some(identity), &parts.root_key, key).await?;
                // Every change ends with its access record, whose id is the greatest of its transaction.
                let last_id = tx.optional("SELECT MAX(id) FROM access_records", &[]).await;
                let last_id: Option<i64> = match last_id.map_err(Error::from)? {
                    Some(row) => row.get(0).map_err(Error::from)?,
                    None => None,
                };
                ids.start_after(last_id.unwrap_or(0));
                tx.commit().await.map_err(Error::from)?;
                deployment.check_account(parts.account)?;
                (deployment.management_account, deployment.region, None)
            }
            None => {
                let (account, region, key) = first_start(&mut tx, &parts, &ids).await?;
                tx.commit().await.map_err(Error::from)?;
                (account, region, Some(key))
            }
        };
    let garbage = crate::gc::Wake::default();
    let root_key = Arc::new(parts.root_key);
    let replication_pace =
        crate::replication::pace::Pace::new(parts.settings.replication_bytes_per_second);
    let app = App {
        metadata: parts.metadata,
        objects: parts.objects,
        clock: parts.clock,
        settings: parts.settings,
        management_account,
        default_region: parts.region.unwrap_or(stored_region),
        metrics: crate::metrics::Metrics::default(),
        key_wrapper: root_key.clone(),
        root_key,
        ids,
        domain_keys: crate::encryption::DomainKeys::default(),
        token_keys: crate::identities::token_keys::TokenKeys::default(),
        documents: Arc::new(crate::identities::web_identity::NoDocuments),
        downloads: Arc::new(crate::advisories::source::NoDownloads),
        adapters: Arc::new(crate::scanning::external::NoAdapters),
        upstreams: Arc::new(crate::pull_through::upstream::NoUpstreams),
        imports: crate::pull_through::imports::Imports::default(),
        key_sets: crate::identities::web_identity::KeySets::default(),
        known_tokens: crate::identities::authorization_token::KnownTokens::default(),
        policies: crate::authorize::PolicyCache::default(),
        resource_policies: crate::policies::governing::ResourcePolicyCache::default(),
        key_uses: crate::identities::access_keys::uses::Uses::default(),
        sign_ins: crate::identities::console_sessions::attempts::Attempts::default(),
        federation: crate::identities::console_sessions::federation::Provider::default(),
        denials: crate::audit::Denials::default(),
        sums: crate::overview::kept::Sums::default(),
        copying: crate::archive::copying::Copying::new(garbage.clone()),
        upload_locks: crate::uploads::UploadLocks::new(garbage.clone()),
        garbage,
        collector: crate::gc::Collector::default(),
        pulls: crate::images::pulls::Pulls::default(),
        public_pulls: crate::gallery::pulls::PublicPulls::default(),
        throttle: crate::throttle::Throttle::default(),
        room: crate::quotas::Room::default(),
        traffic: Arc::default(),
        scrub: tokio::sync::Notify::new(),
        jobs: crate::jobs::Wake::default(),
        replication_pace: Arc::new(replication_pace),
        peers: None,
        peer_sessions: crate::replication::peers::Sessions::default(),
    };
    Ok(Opened { app, first_access_key })
}

async fn first_start(
    tx: &mut Tx,
    parts: &Parts,
    ids: &Ids,
) -> Result<(AccountId, Region, AccessKey)> {
    let now = parts.clock.now();
    let account = match &parts.account {
        Some(account) => *account,
        None => AccountId::parse(DEFAULT_ACCOUNT).map_err(Error::internal)?,
    };
    let region = match &parts.region {
        Some(region) => region.clone(),
        None => Region::parse(DEFAULT_REGION).map_err(Error::internal)?,
    };
    let key = match &parts.root_access_key {
        Some(key) => key.clone(),
        None => AccessKey::random()?,
    };
    tx.execute(
        "INSERT INTO deployment (id, deployment_id, object_store_id, root_key_check, \
         management_account_id, default_region, created_at) VALUES (1, $1, $2, $3, $4, $5, $6)",
        params![
            uuid::Uuid::new_v4().to_string(),
            parts.objects.identity(),
            parts.root_key.check_value()?,
            account.as_str(),
            region.as_str(),
            now,
        ],
    )
    .await?;
    let record =
        Account { id: account, name: "management".to_owned(), active: true, created_at: now };
    insert(tx, ids, &parts.root_key, &record, &region, &key).await?;
    Ok((account, region, key))
}
