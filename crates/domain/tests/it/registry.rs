//! A registry for one test, and the requests that tests send to it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use prometheus_client::registry::Registry as Metrics;
use tempfile::TempDir;
use tonnage_domain::accounts::bootstrap::{self, OpenError, Opened, Parts};
use tonnage_domain::accounts::{self};
use tonnage_domain::app::{App, Settings};
use tonnage_domain::blobs::get_blob::GetBlob;
use tonnage_domain::clock::{Clock, ManualClock, Millis};
use tonnage_domain::context::{Principal, PrincipalKind, RequestContext};
use tonnage_domain::error::{Error, ErrorKind, Result};
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::gc;
use tonnage_domain::identities::access_keys::AccessKey;
use tonnage_domain::images::batch_delete_image::{BatchDeleteImage, BatchDeleteImageOutput};
use tonnage_domain::images::describe_images::{DescribeImages, ImageDetail};
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::{PutImage, PutImageOutput};
use tonnage_domain::images::{ImageIdentifier, ImageStatusFilter};
use tonnage_domain::metadata::{Metadata, Mode};
use tonnage_domain::names::{AccountId, Digest, Reference, Region, RepositoryName, Tag};
use tonnage_domain::objects::{Objects, SPAN_BYTES_MAX};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::params;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::{
    Repository, RepositoryAddress, TagMutability, TagMutabilityRule,
};
use tonnage_domain::resource_tags::ResourceTag;
use tonnage_domain::root_key::RootKey;
use tonnage_domain::uploads::append::UploadLayerPart;
use tonnage_domain::uploads::finish::{CompleteLayerUpload, UploadedBlob};
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::{BodyError, BodyStream, UploadId, UploadRules};
use tonnage_store::faulty::{FaultPlan, FaultyMetadata, FaultyObjects};
use tonnage_store::files::{FileObjects, OpenError as OpenObjectsError};
use tonnage_store::postgres::{PostgresOptions, testing};
use tonnage_store::sqlite::SqliteMetadata;

use crate::content::{self, Blob, Pushed};
use crate::interposed::{self, Interposed, Statement};

pub(crate) const ACCOUNT: &str = "123456789012";
/// When every test begins.
pub(crate) const START: Millis = Millis(1_790_000_000_000);

/// A registry on a database and a directory of its own. The wrappers around the stores do nothing
/// unless a test asks for it.
pub(crate) struct Registry {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) plan: Arc<FaultPlan>,
    pub(crate) interposed: Arc<Interposed>,
    /// The database itself, past every wrapper.
    pub(crate) metadata: Arc<dyn Metadata>,
    objects: Arc<dyn Objects>,
    pub(crate) root: Principal,
    /// Of the first start only.
    pub(crate) first_access_key: Option<AccessKey>,
    /// The object store itself, past every wrapper.
    pub(crate) inventory: Arc<FileObjects>,
    directory: PathBuf,
    _temporary: Option<Arc<TempDir>>,
}

/// A directory whose syncs cost nothing, where there is one.
pub(crate) fn temporary_directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

/// The objects of a directory, once nobody has them. Another test that starts a child at this moment
/// holds a copy of every open file until the child runs.
async fn open_objects(directory: &Path) -> FileObjects {
    const TRIES: u32 = 10_000;
    for _ in 0..TRIES {
        match FileObjects::open(directory) {
            Err(OpenObjectsError::InUse { .. }) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays in use", directory.display());
}

/// An empty database: on PostgreSQL when the environment names a server, else on SQLite.
pub(crate) async fn empty_database() -> Arc<dyn Metadata> {
    if !on_postgres() {
        return Arc::new(SqliteMetadata::open_in_memory().unwrap());
    }
    let server = testing::server("a registry").unwrap();
    Arc::new(testing::empty_database(&server).await.unwrap())
}

/// An empty database as two processes have it: by two pools on PostgreSQL; SQLite has one process.
pub(crate) async fn empty_database_twice() -> [Arc<dyn Metadata>; 2] {
    if !on_postgres() {
        let one = empty_database().await;
        return [Arc::clone(&one), one];
    }
    let server = testing::server("two processes").unwrap();
    let database = testing::borrow(&server).await.unwrap();
    let options = || PostgresOptions { connections: 4, ..PostgresOptions::default() };
    let [first, second] = [database.open(options()).await, database.open(options()).await];
    [Arc::new(first.unwrap()), Arc::new(second.unwrap())]
}

/// Whether this run is on PostgreSQL.
pub(crate) fn on_postgres() -> bool {
    std::env::var_os(testing::URL_VARIABLE).is_some()
}

/// Which of `count` calls to a store fail, one in each run of a test: every one of them; on
/// PostgreSQL, where a run costs many times as much, some all over them, unless
/// `TONNAGE_TEST_EVERY_FAULT` is set.
pub(crate) fn faulted(count: u64) -> impl Iterator<Item = u64> {
    sampled(1..=count, 8)
}

/// All of these points; on PostgreSQL about `most` of them, as [`faulted`] has it.
pub(crate) fn sampled(points: RangeInclusive<u64>, most: u64) -> impl Iterator<Item = u64> {
    let every = !on_postgres() || std::env::var_os("TONNAGE_TEST_EVERY_FAULT").is_some();
    let last = *points.end();
    let stride = if every { 1 } else { last.div_ceil(most).max(1) };
    // The last always, since a commit often is.
    points.filter(move |point| (last - point).is_multiple_of(stride))
}

impl Registry {
    /// The value of a metric, which is named with its labels.
    pub(crate) fn metric(&self, name: &str) -> String {
        let mut metrics = Metrics::default();
        self.app.metrics.register(&mut metrics);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in {text}")).to_owned()
    }

    pub(crate) async fn new() -> Self {
        Self::with_settings(Settings::default()).await
    }

    pub(crate) async fn with_settings(settings: Settings) -> Self {
        Self::on(empty_database().await, settings).await
    }

    /// A registry on a database that the test may open beside it.
    pub(crate) async fn on(metadata: Arc<dyn Metadata>, settings: Settings) -> Self {
        let temporary = temporary_directory();
        let registry = Self::at(temporary.path(), metadata, settings).await;
        Self { _temporary: Some(Arc::new(temporary)), ..registry }
    }

    /// A registry that was made in these stores before, with its root access key.
    pub(crate) async fn made_before(
        metadata: Arc<dyn Metadata>,
        directory: TempDir,
        access_key: Option<&AccessKey>,
    ) -> Self {
        let registry = Self::at(directory.path(), metadata, Settings::default()).await;
        let first_access_key = access_key.cloned();
        Self { first_access_key, _temporary: Some(Arc::new(directory)), ..registry }
    }

    /// A registry whose objects are in a directory that the test keeps.
    pub(crate) async fn at(
        directory: &Path,
        metadata: Arc<dyn Metadata>,
        settings: Settings,
    ) -> Self {
        let plan = FaultPlan::new();
        let faulty = FaultyMetadata::new(Arc::clone(&metadata), Arc::clone(&plan));
        let interposed = Arc::new(Interposed::new(Arc::new(faulty), Arc::clone(&metadata)));
        let inventory = Arc::new(open_objects(directory).await);
        let objects = Arc::clone(&inventory) as Arc<dyn Objects>;
        let objects: Arc<dyn Objects> = Arc::new(FaultyObjects::new(objects, Arc::clone(&plan)));
        let clock = Arc::new(ManualClock::new(START));
        let root_key = RootKey::new(&root_key(ROOT_KEY)).unwrap();
        let opened = open(&interposed, &objects, &clock, settings, root_key).await.unwrap();
        let (app, first_access_key) = (Arc::new(opened.app), opened.first_access_key);
        let root = accounts::management_root(&app).await.unwrap();
        Self {
            app,
            clock,
            plan,
            interposed,
            metadata,
            objects,
            root,
            first_access_key,
            inventory,
            directory: directory.to_owned(),
            _temporary: None,
        }
    }

    /// The same registry in a second process: another pool of connections to the same database, the
    /// same objects.
    pub(crate) async fn beside(&self, metadata: Arc<dyn Metadata>) -> Self {
        let plan = FaultPlan::new();
        let interposed = Arc::new(Interposed::new(Arc::clone(&metadata), Arc::clone(&metadata)));
        let settings = self.app.settings.clone();
        let root_key = RootKey::new(&root_key(ROOT_KEY)).unwrap();
        let opened = open(&interposed, &self.objects, &self.clock, settings, root_key).await;
        Self {
            app: Arc::new(opened.unwrap().app),
            clock: Arc::clone(&self.clock),
            plan,
            interposed,
            metadata,
            objects: Arc::clone(&self.objects),
            root: self.root.clone(),
            first_access_key: self.first_access_key.clone(),
            inventory: Arc::clone(&self.inventory),
            directory: self.directory.clone(),
            _temporary: self._temporary.clone(),
        }
    }

    /// Opens the registry again, as a new process would.
    pub(crate) async fn reopen(&mut self) {
        self.reopen_with(&root_key(ROOT_KEY)).await.unwrap();
    }

    /// Opens the registry again with another root key.
    pub(crate) async fn reopen_with(&mut self, root_key: &[u8; 32]) -> Result<(), OpenError> {
        let settings = self.app.settings.clone();
        let root_key = RootKey::new(root_key).unwrap();
        let opened = open(&self.interposed, &self.objects, &self.clock, settings, root_key).await?;
        self.app = Arc::new(opened.app);
        Ok(())
    }

    /// The registry, before anything else has it.
    pub(crate) fn app_mut(&mut self) -> &mut App {
        Arc::get_mut(&mut self.app).unwrap()
    }

    /// A request of the management account's root.
    pub(crate) fn context(&self) -> RequestContext {
        self.context_of(&self.root)
    }

    /// A request of `principal` to its own account's registry.
    pub(crate) fn context_of(&self, principal: &Principal) -> RequestContext {
        context(principal, self.clock.now())
    }

    /// Runs an operation for root.
    pub(crate) async fn run<O: Operation>(&self, operation: O) -> Result<O::Output> {
        self.run_in(&self.context(), operation).await
    }

    /// Runs an operation for `principal`.
    pub(crate) async fn run_as<O: Operation>(
        &self,
        principal: &Principal,
        operation: O,
    ) -> Result<O::Output> {
        self.run_in(&self.context_of(principal), operation).await
    }

    /// Runs an operation. What it acknowledges it must have committed, and a refusal that clients
    /// take for a success is an acknowledgement.
    pub(crate) async fn run_in<O: Operation>(
        &self,
        context: &RequestContext,
        operation: O,
    ) -> Result<O::Output> {
        let dropped = self.interposed.dropped();
        let result = execute(&self.app, context, operation).await;
        let acknowledged = match &result {
            Ok(_) => true,
            Err(error) => matches!(
                (error.kind(), O::ENTRY.name),
                (
                    ErrorKind::RepositoryAlreadyExists
                        | ErrorKind::AccountAlreadyExists
                        | ErrorKind::ImageAlreadyExists
                        | ErrorKind::ImageTagAlreadyExists
                        | ErrorKind::LayerAlreadyExists,
                    _
                ) | (ErrorKind::RepositoryNotFound, "DeleteRepository")
                    | (ErrorKind::ImageNotFound, "DeleteManifest")
                    | (ErrorKind::EntityAlreadyExists, "CreateSecret")
                    | (ErrorKind::NoSuchEntity | ErrorKind::InvalidState, "DeleteSecret")
            ),
        };
        if acknowledged {
            let name = O::ENTRY.name;
            assert_eq!(self.interposed.dropped(), dropped, "{name} answers from what it dropped");
        }
        result
    }

    pub(crate) async fn sweep(&self) -> gc::Swept {
        gc::sweep(&self.app).await.unwrap()
    }

    /// Runs statements on the database, past the registry.
    pub(crate) async fn write(&self, statements: &[Statement]) {
        interposed::write(self.metadata.as_ref(), statements).await;
    }

    /// The rows of a query on the database, each column as text.
    pub(crate) async fn rows(&self, sql: &'static str) -> Vec<Vec<String>> {
        let mut transaction = self.metadata.begin(Mode::Read).await.unwrap();
        let rows = transaction.query(sql, &[]).await.unwrap();
        let columns = |row: &tonnage_domain::metadata::Row| {
            let text = |index| {
                row.get::<String>(index)
                    .or_else(|_| row.get::<i64>(index).map(|number| number.to_string()))
            };
            (0..).map_while(|index| text(index).ok()).collect()
        };
        rows.iter().map(columns).collect()
    }

    // --- principals

    /// A principal of the management account that is allowed what the document says.
    pub(crate) async fn principal(&self, name: &str, document: &str) -> Principal {
        let id =
            1_000_000 + i64::try_from(name.len()).unwrap() * 1000 + i64::from(name.as_bytes()[0]);
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
        let unique_id = format!("AIDA{id}");
        self.write(&[
            (
                "INSERT INTO principals (id, account_id, kind, name, arn, unique_id, created_at) \
                 VALUES ($1, $2, 'root', $3, $4, $5, 0)",
                params![id, ACCOUNT, name, &arn, &unique_id].to_vec(),
            ),
            (
                "INSERT INTO principal_policies (principal_id, name, document) \
                 VALUES ($1, 'inline', $2)",
                params![id, document].to_vec(),
            ),
            bump(ACCOUNT),
        ])
        .await;
        Principal {
            id,
            kind: PrincipalKind::Root,
            account: AccountId::parse(ACCOUNT).unwrap(),
            arn,
            unique_id,
            access_key_id: None,
            session: None,
            share: None,
        }
    }

    // --- repositories and images

    pub(crate) async fn create(&self, name: &str) -> RepositoryAddress {
        self.create_with(name, TagMutabilityRule::default()).await
    }

    pub(crate) async fn create_with(
        &self,
        name: &str,
        tag_mutability: TagMutabilityRule,
    ) -> RepositoryAddress {
        let operation = CreateRepository { tag_mutability, ..create_repository(name) };
        self.run(operation).await.unwrap().address
    }

    pub(crate) async fn delete(&self, name: &str, force: bool) -> Result<Repository> {
        let name = RepositoryName::parse(name).unwrap();
        self.run(DeleteRepository { registry_id: None, name, force }).await
    }

    /// Begins an upload.
    pub(crate) async fn initiate(&self, repository: &RepositoryAddress) -> Result<UploadId> {
        let rules = UploadRules::Distribution;
        self.run(InitiateLayerUpload { repository: repository.clone(), rules }).await
    }

    /// Adds bytes to an upload; how many it has then.
    pub(crate) async fn append(
        &self,
        repository: &RepositoryAddress,
        upload_id: &UploadId,
        bytes: &Bytes,
    ) -> Result<u64> {
        let progress = self
            .run(UploadLayerPart {
                repository: repository.clone(),
                upload_id: upload_id.clone(),
                first_byte: None,
                length: None,
                body: body(bytes),
                rules: UploadRules::Distribution,
            })
            .await?;
        Ok(progress.received)
    }

    /// Finishes an upload, with its last bytes if there are any.
    pub(crate) async fn complete(
        &self,
        repository: &RepositoryAddress,
        upload_id: &UploadId,
        digest: &Digest,
        last: Option<&Bytes>,
    ) -> Result<UploadedBlob> {
        self.run(CompleteLayerUpload {
            repository: repository.clone(),
            upload_id: upload_id.clone(),
            digests: vec![digest.clone()],
            first_byte: None,
            body: last.map(body),
            rules: UploadRules::Distribution,
        })
        .await
    }

    /// Pushes a blob with one request for its bytes.
    pub(crate) async fn push_blob(
        &self,
        repository: &RepositoryAddress,
        blob: &Blob,
    ) -> Result<()> {
        let upload_id = self.initiate(repository).await?;
        self.complete(repository, &upload_id, &blob.digest, Some(&blob.bytes)).await?;
        Ok(())
    }

    pub(crate) async fn put(
        &self,
        repository: &RepositoryAddress,
        manifest: &Pushed,
        tag: Option<&str>,
    ) -> Result<PutImageOutput> {
        self.run(put_image(repository, manifest, tag, UploadRules::Distribution)).await
    }

    /// Pushes an image of two small blobs; images of one label are equal.
    pub(crate) async fn push_image(
        &self,
        repository: &RepositoryAddress,
        label: &str,
        tags: &[&str],
    ) -> Pushed {
        let (config, layer) = (Blob::new(label, 100), Blob::new("layer", 2000));
        for blob in [&config, &layer] {
            self.push_blob(repository, blob).await.unwrap();
        }
        let image = Pushed::image(&config, &[&layer]);
        if tags.is_empty() {
            self.put(repository, &image, None).await.unwrap();
        }
        for tag in tags {
            self.put(repository, &image, Some(tag)).await.unwrap();
        }
        image
    }

    pub(crate) async fn batch_delete(
        &self,
        repository: &RepositoryAddress,
        ids: Vec<ImageIdentifier>,
    ) -> Result<BatchDeleteImageOutput> {
        self.run(BatchDeleteImage { repository: repository.clone(), ids }).await
    }

    /// The digest that a tag names.
    pub(crate) async fn resolve(
        &self,
        repository: &RepositoryAddress,
        tag: &str,
    ) -> Option<Digest> {
        match self.manifest(repository, tag).await {
            Ok((digest, _)) => Some(digest),
            Err(error) if error.kind() == ErrorKind::ImageNotFound => None,
            Err(error) => panic!("{tag}: {}", tonnage_domain::error::chain(&error)),
        }
    }

    /// A manifest by tag or digest.
    pub(crate) async fn manifest(
        &self,
        repository: &RepositoryAddress,
        reference: &str,
    ) -> Result<(Digest, Bytes)> {
        let reference = Reference::parse(reference).unwrap();
        let repository = repository.clone();
        let stored = self.run(GetManifest { repository, reference, counts_as_pull: false }).await?;
        Ok((stored.digest, stored.bytes))
    }

    /// All images of a repository.
    pub(crate) async fn images(&self, repository: &RepositoryAddress) -> Result<Vec<ImageDetail>> {
        let page = self
            .run(DescribeImages {
                repository: repository.clone(),
                ids: Vec::new(),
                tag_status: TagStatus::Any,
                image_status: ImageStatusFilter::default(),
                page: page(None, 1000),
            })
            .await?;
        assert_eq!(page.next, None);
        Ok(page.items)
    }

    /// All tags of a repository.
    pub(crate) async fn tags(&self, repository: &RepositoryAddress) -> Result<Vec<String>> {
        let listing = ListTags { repository: repository.clone(), page: page(None, 1000) };
        Ok(self.run(listing).await?.items.iter().map(ToString::to_string).collect())
    }

    /// A whole blob.
    pub(crate) async fn blob(
        &self,
        repository: &RepositoryAddress,
        digest: &Digest,
    ) -> Result<Vec<u8>> {
        let operation = GetBlob { repository: repository.clone(), digest: digest.clone() };
        let reader = self.run(operation).await?;
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < reader.size() {
            let span = reader.read_at(bytes.len() as u64, SPAN_BYTES_MAX).await?;
            assert!(!span.is_empty(), "{digest} ends early");
            bytes.extend_from_slice(&span);
        }
        Ok(bytes)
    }

    // --- invariants

    /// Every listed image of a repository is complete and byte-identical, and every tag resolves
    /// to a listed image.
    pub(crate) async fn check_images(&self, repository: &RepositoryAddress) {
        let images = self.images(repository).await.unwrap();
        let listed: BTreeSet<_> = images.iter().map(|image| image.digest.to_string()).collect();
        let mut named = Vec::new();
        for image in &images {
            let (digest, manifest) =
                self.manifest(repository, image.digest.as_str()).await.unwrap();
            assert_eq!(digest, image.digest);
            assert_eq!(Digest::of(digest.algorithm(), &manifest), digest, "manifest {digest}");
            let referred = content::referred(&manifest);
            for (blob, size) in referred.blobs {
                let bytes = self.blob(repository, &blob).await.unwrap();
                assert_eq!(bytes.len() as u64, size, "blob {blob}");
                assert_eq!(Digest::of(blob.algorithm(), &bytes), blob, "blob {blob}");
            }
            for child in referred.children {
                assert!(listed.contains(child.as_str()), "{digest} refers to {child}");
            }
            for tag in &image.tags {
                let names = self.resolve(repository, tag.as_str()).await;
                assert_eq!(names.as_ref(), Some(&digest), "tag {tag}");
                named.push(tag.to_string());
            }
        }
        named.sort();
        assert_eq!(named, self.tags(repository).await.unwrap());
    }

    /// After uploads have expired and a sweep, exactly the objects that blob rows name are there.
    pub(crate) async fn check_no_orphans(&self) {
        self.clock.advance_seconds(self.app.settings.upload_idle_seconds + 1);
        self.sweep().await;
        for table in ["SELECT id FROM uploads", "SELECT object_id FROM garbage_objects"] {
            assert_eq!(self.rows(table).await, Vec::<Vec<String>>::new(), "{table}");
        }
        let named = self.rows("SELECT object_id FROM blobs WHERE object_id IS NOT NULL").await;
        let named: BTreeSet<String> = named.into_iter().flatten().collect();
        assert_eq!(self.objects_present(), named);
    }

    /// No blob, no object and nothing that garbage collection would have to remember.
    pub(crate) async fn check_nothing_left(&self) {
        for table in [
            "SELECT id FROM blobs",
            "SELECT repository_id FROM repository_blobs",
            "SELECT repository_id FROM garbage_candidates",
            "SELECT object_id FROM garbage_objects",
            "SELECT id FROM uploads",
        ] {
            assert_eq!(self.rows(table).await, Vec::<Vec<String>>::new(), "{table}");
        }
        assert_eq!(self.objects_present(), BTreeSet::new());
    }

    /// Where an object's file lies.
    pub(crate) fn object_file(&self, id: &str) -> PathBuf {
        self.directory.join("objects").join(&id[..2]).join(&id[2..4]).join(id)
    }

    /// The names of all objects in the object store, of both tiers.
    pub(crate) fn objects_present(&self) -> BTreeSet<String> {
        fn walk(directory: &Path, found: &mut BTreeSet<String>) {
            let Ok(entries) = std::fs::read_dir(directory) else { return };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = BTreeSet::new();
        for tier in ["objects", "archive/objects"] {
            walk(&self.directory.join(tier), &mut found);
        }
        found
    }
}

async fn open(
    metadata: &Arc<Interposed>,
    objects: &Arc<dyn Objects>,
    clock: &Arc<ManualClock>,
    settings: Settings,
    root_key: RootKey,
) -> Result<Opened, OpenError> {
    let parts = Parts {
        metadata: Arc::clone(metadata) as Arc<dyn Metadata>,
        objects: Arc::clone(objects),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        root_key,
        settings,
        account: None,
        region: None,
        root_access_key: None,
    };
    bootstrap::open(parts).await
}

/// The root key of every test's registry.
pub(crate) const ROOT_KEY: u8 = 7;

/// Some root key.
pub(crate) fn root_key(number: u8) -> [u8; 32] {
    [number; 32]
}

/// Makes decisions from what an account's identities were worthless.
pub(crate) fn bump(account: &str) -> Statement {
    (
        "UPDATE versions SET version = version + 1 WHERE name = $1",
        params![format!("identities:{account}")].to_vec(),
    )
}

pub(crate) fn context(principal: &Principal, now: Millis) -> RequestContext {
    RequestContext {
        principal: principal.clone(),
        account: principal.account,
        region: Region::parse("us-east-1").unwrap(),
        source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        secure_transport: false,
        endpoint: None,
        user_agent: "test/1".to_owned(),
        referer: String::new(),
        input: None,
        request_id: "request-1".to_owned(),
        now,
    }
}

/// A repository of the management account in us-east-1.
pub(crate) fn address(name: &str) -> RepositoryAddress {
    RepositoryAddress {
        account: AccountId::parse(ACCOUNT).unwrap(),
        region: Region::parse("us-east-1").unwrap(),
        name: RepositoryName::parse(name).unwrap(),
    }
}

pub(crate) fn create_repository(name: &str) -> CreateRepository {
    CreateRepository {
        registry_id: None,
        name: RepositoryName::parse(name).unwrap(),
        tags: Vec::new(),
        tag_mutability: TagMutabilityRule::default(),
        scan_on_push: false,
    }
}

pub(crate) fn put_image(
    repository: &RepositoryAddress,
    manifest: &Pushed,
    tag: Option<&str>,
    rules: UploadRules,
) -> PutImage {
    PutImage {
        repository: repository.clone(),
        manifest: manifest.bytes.clone(),
        media_type: None,
        tags: tag.map(|tag| Tag::parse(tag).unwrap()).into_iter().collect(),
        digest: None,
        condition: Precondition::None,
        rules,
    }
}

pub(crate) fn rule(setting: TagMutability, filters: &[&str]) -> TagMutabilityRule {
    let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
    TagMutabilityRule::new(setting, filters).unwrap()
}

pub(crate) fn page(after: Option<&str>, limit: u32) -> PageRequest {
    PageRequest { after: after.map(ToOwned::to_owned), limit }
}

pub(crate) fn by_tag(tag: &str) -> ImageIdentifier {
    ImageIdentifier { digest: None, tag: Some(Tag::parse(tag).unwrap()) }
}

pub(crate) fn by_digest(digest: &Digest) -> ImageIdentifier {
    ImageIdentifier { digest: Some(digest.clone()), tag: None }
}

pub(crate) fn by_both(digest: &Digest, tag: &str) -> ImageIdentifier {
    ImageIdentifier { digest: Some(digest.clone()), tag: Some(Tag::parse(tag).unwrap()) }
}

pub(crate) fn resource_tags(tags: &[(&str, &str)]) -> Vec<ResourceTag> {
    let tag = |&(key, value): &(&str, &str)| ResourceTag { key: key.into(), value: value.into() };
    tags.iter().map(tag).collect()
}

/// A body that arrives in chunks of uneven length.
pub(crate) fn body(bytes: &Bytes) -> BodyStream {
    let mut chunks = Vec::new();
    let mut rest = bytes.clone();
    let mut length = 10_007;
    while !rest.is_empty() {
        chunks.push(Ok(rest.split_to(length.min(rest.len()))));
        length = length * 3 / 2;
    }
    Box::pin(stream::iter(chunks))
}

/// A body that breaks off after these bytes.
pub(crate) fn broken_body(bytes: &Bytes) -> BodyStream {
    let broken = Err(BodyError("the peer went away".to_owned()));
    Box::pin(stream::iter([Ok(bytes.clone()), broken]))
}

#[track_caller]
pub(crate) fn check_error<T>(result: Result<T>, kind: ErrorKind, message: &str) {
    let error: Error = result.err().unwrap();
    assert_eq!((error.kind(), error.message()), (kind, message));
}

#[track_caller]
pub(crate) fn check_kind<T>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(result.err().map(|error| error.kind()), Some(kind));
}
