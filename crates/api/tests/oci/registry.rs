//! A registry and the operations a test needs beside the protocol.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tonnage_api::Api;
use tonnage_api::oci::profile::Profile;
use tonnage_domain::accounts::{CreateAccount, SetAccountState, bootstrap, management_root};
use tonnage_domain::app::{App, Settings};
use tonnage_domain::clock::{Clock as _, ManualClock, Millis};
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::execute::execute;
use tonnage_domain::identities::access_keys;
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;
use tonnage_domain::metadata::Metadata;
use tonnage_domain::names::{AccountId, Digest, Region, RepositoryName};
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::put_sparse_manifests::PutSparseManifests;
use tonnage_domain::repositories::{RepositoryAddress, TagMutability, TagMutabilityRule};
use tonnage_domain::root_key::RootKey;
use tonnage_store::files::FileObjects;
use tonnage_store::postgres::testing;
use tonnage_store::sqlite::SqliteMetadata;

use crate::client::{Answer, Call};
use crate::content;

/// The account of the first start.
pub(crate) const ACCOUNT: &str = "123456789012";
/// Another account.
pub(crate) const OTHER_ACCOUNT: &str = "210987654321";
/// 2026-01-02 03:04:05 UTC.
const START: Millis = Millis(1_767_323_045_000);

pub(crate) struct Registry {
    pub(crate) app: Arc<App>,
    pub(crate) api: Api,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) root: Principal,
    /// Sent as Basic credentials unless a call says otherwise.
    pub(crate) token: String,
    directory: TempDir,
}

/// An empty database: on PostgreSQL when the environment names a server, else on SQLite.
async fn empty_database() -> Arc<dyn Metadata> {
    if std::env::var_os(testing::URL_VARIABLE).is_none() {
        return Arc::new(SqliteMetadata::open_in_memory().unwrap());
    }
    let server = testing::server("a registry").unwrap();
    Arc::new(testing::empty_database(&server).await.unwrap())
}

impl Registry {
    /// With one empty repository, `app`.
    pub(crate) async fn open() -> Self {
        let registry = Self::with(Settings::default()).await;
        registry.create("app").await;
        registry
    }

    /// Without any repository.
    pub(crate) async fn with(settings: Settings) -> Self {
        Self::under(Profile::Specification, settings).await
    }

    /// Without any repository, as `profile` has it.
    pub(crate) async fn under(profile: Profile, settings: Settings) -> Self {
        Self::set_up(profile, settings, |_| {}).await
    }

    /// Without any repository, with something of its own.
    pub(crate) async fn set_up(
        profile: Profile,
        settings: Settings,
        set_up: impl FnOnce(&mut App),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let opened = bootstrap::open(bootstrap::Parts {
            metadata: empty_database().await,
            objects: Arc::new(FileObjects::open(directory.path()).unwrap()),
            clock: Arc::clone(&clock) as _,
            root_key: RootKey::new(&[7; 32]).unwrap(),
            settings,
            account: None,
            region: None,
            root_access_key: None,
        })
        .await
        .unwrap();
        let mut app = opened.app;
        set_up(&mut app);
        let app = Arc::new(app);
        let root = management_root(&app).await.unwrap();
        let api = Api::new(Arc::clone(&app)).with_profile(profile);
        let mut registry = Self { app, api, clock, root, token: String::new(), directory };
        registry.token = registry.token_of(&registry.root, "us-east-1").await;
        registry
    }

    pub(crate) fn context(&self, principal: &Principal, region: &str) -> RequestContext {
        RequestContext {
            principal: principal.clone(),
            account: principal.account,
            region: Region::parse(region).unwrap(),
            source_address: [127, 0, 0, 1].into(),
            secure_transport: false,
            endpoint: None,
            user_agent: String::new(),
            referer: String::new(),
            input: None,
            request_id: "test".to_owned(),
            now: self.clock.now(),
        }
    }

    /// What stands behind `Basic ` for a principal.
    pub(crate) async fn token_of(&self, principal: &Principal, region: &str) -> String {
        let operation = GetAuthorizationToken { registry_ids: Vec::new() };
        let context = self.context(principal, region);
        execute(&self.app, &context, operation).await.unwrap().remove(0).token
    }

    /// Makes a second account; its root.
    pub(crate) async fn other_account(&self) -> Principal {
        let operation = CreateAccount {
            management_account: self.app.management_account,
            id: AccountId::parse(OTHER_ACCOUNT).unwrap(),
            name: "other".to_owned(),
        };
        let context = self.context(&self.root, "us-east-1");
        let (_, key) = execute(&self.app, &context, operation).await.unwrap();
        access_keys::find_active(&self.app, &key.id).await.unwrap().unwrap().principal
    }

    pub(crate) async fn set_account_active(&self, account: &str, active: bool) {
        let operation = SetAccountState {
            management_account: self.app.management_account,
            id: AccountId::parse(account).unwrap(),
            active,
        };
        execute(&self.app, &self.context(&self.root, "us-east-1"), operation).await.unwrap();
    }

    pub(crate) async fn create(&self, name: &str) {
        self.create_as(&self.root, name).await;
    }

    pub(crate) async fn put_sparse_manifests(&self, name: &str, allowed: Option<bool>) {
        let repository = RepositoryAddress {
            account: self.root.account,
            region: Region::parse("us-east-1").unwrap(),
            name: RepositoryName::parse(name).unwrap(),
        };
        let operation = PutSparseManifests { repository, allowed };
        execute(&self.app, &self.context(&self.root, "us-east-1"), operation).await.unwrap();
    }

    pub(crate) async fn create_as(&self, principal: &Principal, name: &str) {
        let operation = CreateRepository {
            registry_id: None,
            name: RepositoryName::parse(name).unwrap(),
            tags: Vec::new(),
            tag_mutability: TagMutabilityRule::default(),
            scan_on_push: false,
        };
        execute(&self.app, &self.context(principal, "us-east-1"), operation).await.unwrap();
    }

    pub(crate) async fn set_tag_mutability(&self, setting: TagMutability, filters: &[&str]) {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        let operation = PutImageTagMutability {
            registry_id: None,
            name: RepositoryName::parse("app").unwrap(),
            tag_mutability: TagMutabilityRule::new(setting, filters).unwrap(),
        };
        execute(&self.app, &self.context(&self.root, "us-east-1"), operation).await.unwrap();
    }

    /// Begins a call: `METHOD /path`.
    pub(crate) fn call(&self, request: impl Into<String>) -> Call<'_> {
        Call::new(self, request.into())
    }

    /// Starts an upload; its path.
    pub(crate) async fn start(&self, repository: &str) -> String {
        self.call(format!("POST /v2/{repository}/blobs/uploads/"))
            .await
            .check("202", &[("range", "0-0")])
            .location()
    }

    /// Pushes a blob; its digest.
    pub(crate) async fn push(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of_sha256(bytes);
        self.call(format!("POST /v2/{repository}/blobs/uploads/?digest={digest}"))
            .body(bytes.to_vec())
            .await
            .check("201", &[("docker-content-digest", digest.as_str())]);
        digest
    }

    /// Puts a manifest under a tag or digest.
    pub(crate) async fn put(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        manifest: &[u8],
    ) -> Answer {
        self.call(format!("PUT /v2/{repository}/manifests/{reference}"))
            .with("content-type", media_type)
            .body(manifest.to_vec())
            .await
    }

    /// Pushes the blobs of [`content::image`] and a manifest of it; the manifest's bytes.
    pub(crate) async fn push_image(&self, repository: &str, tag: &str) -> Vec<u8> {
        self.push(repository, content::CONFIG).await;
        self.push(repository, content::LAYER).await;
        let manifest = content::text(&content::image(tag));
        self.put(repository, tag, content::OCI_IMAGE, &manifest).await.check("201", &[]);
        manifest
    }

    /// The bytes of a blob, as a client pulls them.
    pub(crate) async fn pull(&self, repository: &str, digest: &Digest) -> Vec<u8> {
        self.call(format!("GET /v2/{repository}/blobs/{digest}"))
            .await
            .check("200", &[("docker-content-digest", digest.as_str())])
            .body
            .to_vec()
    }

    /// How many objects the store has.
    pub(crate) fn objects(&self) -> usize {
        files(&self.directory.path().join("objects")).len()
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
