//! Destinations that are registries of another deployment: a second registry stands in for it, behind
//! a way that breaks when a test says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _};
use secrecy::SecretString;
use tonnage_domain::app::{App, Settings};
use tonnage_domain::blobs::get_blob::HeadBlob;
use tonnage_domain::context::{Principal, PrincipalKind, RequestContext};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::jobs::Worker;
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::names::{Digest, Reference, Tag};
use tonnage_domain::pull_through::upstream::{Credentials, ManifestHead, Origin, UpstreamError};
use tonnage_domain::replication::peer::{
    Outgoing, PeerAccess, PeerError, PeerLogin, PeerSettings, Peers, TagCondition,
};
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::replicate_setting::Plan;
use tonnage_domain::replication::{ReplicationConfiguration, ReplicationRule};
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{RepositoryAddress, TagMutability, TagMutabilityRule};
use tonnage_domain::secrets::create_secret::CreateSecret;
use tonnage_domain::secrets::{SecretName, Value};
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::{BodyError, UploadRules};

use super::{WEST, at, rule, to};
use crate::content::{Blob, Pushed};
use crate::registry::{ACCOUNT, Registry, by_digest, by_tag, create_repository, page};

const HOUR: i64 = 3600;

/// Another deployment, as its clients have it.
struct Away {
    app: Arc<App>,
    context: RequestContext,
    /// Requests so far.
    asked: AtomicU64,
    /// From which request on nothing gets through, and whether it is the answer that is lost.
    broken_from: AtomicU64,
    /// How many from then on.
    broken: AtomicU64,
    pushed: AtomicU64,
    mounted: AtomicU64,
    /// What somebody else puts under a tag just before the next manifest.
    meanwhile: Mutex<Option<(Tag, Pushed)>>,
    /// How often a tag was not as it had been.
    moved: AtomicU64,
}

impl Away {
    fn new(registry: &Registry) -> Arc<Self> {
        let context = registry.context();
        let region = tonnage_domain::names::Region::parse(WEST).unwrap();
        Arc::new(Self {
            app: Arc::clone(&registry.app),
            context: RequestContext { region, ..context },
            asked: AtomicU64::new(0),
            broken_from: AtomicU64::new(u64::MAX),
            broken: AtomicU64::new(0),
            pushed: AtomicU64::new(0),
            mounted: AtomicU64::new(0),
            meanwhile: Mutex::new(None),
            moved: AtomicU64::new(0),
        })
    }

    /// Every odd request that does not get through is one whose answer is lost.
    fn break_after(&self, requests: u64, count: u64) {
        self.broken_from.store(self.asked.load(Ordering::SeqCst) + requests, Ordering::SeqCst);
        self.broken.store(count, Ordering::SeqCst);
    }

    async fn ask<O>(&self, operation: O) -> Result<O::Output, PeerError>
    where
        O: Operation<Output: Send> + 'static,
    {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let from = self.broken_from.load(Ordering::SeqCst);
        let is_broken = number >= from && number - from < self.broken.load(Ordering::SeqCst);
        let cut = || PeerError::Peer(UpstreamError::Unavailable("the link is cut".to_owned()));
        if is_broken && number.is_multiple_of(2) {
            return Err(cut());
        }
        // Of another process: its transactions are not those of whoever asks.
        let (app, context) = (Arc::clone(&self.app), self.context.clone());
        let answering = tokio::spawn(async move { execute(&app, &context, operation).await });
        let answer = answering.await.unwrap();
        if is_broken {
            return Err(cut());
        }
        answer.map_err(|error| {
            let host = "away".to_owned();
            PeerError::Peer(match error.kind() {
                ErrorKind::RepositoryNotFound
                | ErrorKind::ImageNotFound
                | ErrorKind::BlobNotFound
                | ErrorKind::LayersNotFound
                | ErrorKind::ReferencedImagesNotFound => UpstreamError::NotFound(host),
                ErrorKind::AccessDenied => UpstreamError::Denied(host),
                ErrorKind::TagMoved => {
                    self.moved.fetch_add(1, Ordering::SeqCst);
                    UpstreamError::Unavailable(host)
                }
                _ => UpstreamError::Invalid(error.to_string()),
            })
        })
    }

    fn address(&self, name: &str) -> RepositoryAddress {
        at(ACCOUNT, WEST, name)
    }
}

fn precondition(condition: &TagCondition) -> Precondition {
    match condition {
        TagCondition::None => Precondition::None,
        TagCondition::Absent => Precondition::Absent,
        TagCondition::Names(digest) => Precondition::Present(vec![digest.clone()]),
    }
}

fn unless_missing<T>(found: Result<T, PeerError>) -> Result<Option<T>, PeerError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(PeerError::Peer(UpstreamError::NotFound(_))) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Peers for Away {
    fn log_in<'a>(&'a self, access: &'a PeerAccess) -> BoxFuture<'a, Result<PeerLogin, PeerError>> {
        Box::pin(async move {
            assert_eq!(
                (access.url.as_str(), access.access_key_id.as_str()),
                ("https://away", "AK")
            );
            let credentials =
                Credentials { username: "AWS".to_owned(), password: SecretString::from("token") };
            let origin = Origin { url: access.url.clone(), credentials: Some(credentials) };
            Ok(PeerLogin { origin, expires_at: None })
        })
    }

    fn create_repository<'a>(
        &'a self,
        _: &'a PeerAccess,
        repository: &'a str,
    ) -> BoxFuture<'a, Result<(), PeerError>> {
        Box::pin(async move {
            match self.ask(create_repository(repository)).await {
                Err(PeerError::Peer(UpstreamError::Invalid(_))) | Ok(_) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn tags_of<'a>(
        &'a self,
        _: &'a PeerAccess,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Vec<Tag>>, PeerError>> {
        Box::pin(async move {
            let describe = DescribeImages {
                repository: self.address(repository),
                ids: vec![by_digest(digest)],
                tag_status: TagStatus::Any,
                image_status: ImageStatusFilter::default(),
                page: page(None, 1),
            };
            let found = unless_missing(self.ask(describe).await)?;
            Ok(found.map(|page| page.items[0].tags.clone()))
        })
    }

    fn set<'a>(
        &'a self,
        _: &'a PeerAccess,
        repository: &'a str,
        plan: &'a Plan,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move {
            let Plan::PutLifecyclePolicy(text) = plan else { panic!("{plan:?} is not expected") };
            let (repository, text) = (self.address(repository), text.clone());
            let put = self.ask(PutLifecyclePolicy { repository, text }).await;
            Ok(unless_missing(put)?.is_some())
        })
    }

    fn head_manifest<'a>(
        &'a self,
        _: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<ManifestHead>, PeerError>> {
        Box::pin(async move {
            let (repository, reference) = (self.address(repository), reference.clone());
            let get = GetManifest { repository, reference, counts_as_pull: false };
            let found = unless_missing(self.ask(get).await)?;
            Ok(found.map(|found| ManifestHead { digest: Some(found.digest), quota: None }))
        })
    }

    fn has_blob<'a>(
        &'a self,
        _: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move {
            let (repository, digest) = (self.address(repository), digest.clone());
            Ok(unless_missing(self.ask(HeadBlob { repository, digest }).await)?.is_some())
        })
    }

    fn mount_blob<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Digest,
        from: &'a str,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move {
            assert!(from.starts_with("app/"), "{from}");
            self.mounted.fetch_add(1, Ordering::SeqCst);
            Ok(false)
        })
    }

    fn push_blob<'a>(
        &'a self,
        _: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
        size: u64,
        blob: Outgoing,
    ) -> BoxFuture<'a, Result<(), PeerError>> {
        Box::pin(async move {
            let (repository, rules) = (self.address(repository), UploadRules::Distribution);
            let begin = InitiateLayerUpload { repository: repository.clone(), rules };
            let upload_id = self.ask(begin).await?;
            let bytes: Vec<Bytes> = blob.try_collect().await.unwrap();
            assert_eq!(bytes.iter().map(Bytes::len).sum::<usize>() as u64, size);
            let body = futures_util::stream::iter(bytes.into_iter().map(Ok::<_, BodyError>));
            let finish = CompleteLayerUpload {
                repository,
                upload_id,
                digests: vec![digest.clone()],
                first_byte: None,
                body: Some(body.boxed()),
                rules,
            };
            self.pushed.fetch_add(1, Ordering::SeqCst);
            self.ask(finish).await.map(drop)
        })
    }

    fn put_manifest<'a>(
        &'a self,
        _: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
        media_type: &'a str,
        bytes: Bytes,
        condition: &'a TagCondition,
    ) -> BoxFuture<'a, Result<(), PeerError>> {
        Box::pin(async move {
            let put = PutImage {
                repository: self.address(repository),
                manifest: bytes,
                media_type: Some(media_type.to_owned()),
                tags: reference.tag().cloned().into_iter().collect(),
                digest: reference.digest().cloned(),
                condition: precondition(condition),
                rules: UploadRules::Distribution,
            };
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some((tag, image)) = meanwhile {
                let (manifest, condition) = (image.bytes, Precondition::None);
                let (digest, tags) = (Some(image.digest), vec![tag]);
                let first = PutImage { manifest, tags, digest, condition, ..put.clone() };
                self.ask(first).await.unwrap();
            }
            self.ask(put).await.map(drop)
        })
    }

    fn delete_manifest<'a>(
        &'a self,
        _: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
        condition: &'a TagCondition,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move {
            let (repository, reference) = (self.address(repository), reference.clone());
            let condition = precondition(condition);
            let delete = DeleteManifest { repository, reference, condition };
            Ok(unless_missing(self.ask(delete).await)?.is_some())
        })
    }
}

struct Both {
    here: Registry,
    there: Registry,
    away: Arc<Away>,
}

impl Both {
    async fn new() -> Self {
        let urls = [(WEST.to_owned(), "https://away".to_owned())].into();
        let settings = Settings { peers: PeerSettings { urls }, ..Settings::default() };
        let mut here = Registry::with_settings(settings).await;
        let there = Registry::new().await;
        let away = Away::new(&there);
        here.app_mut().set_peers(Arc::clone(&away) as Arc<dyn Peers>);
        let rule = ReplicationRule { delete_replication: Some(true), ..rule(&[to(ACCOUNT, WEST)]) };
        let configuration = ReplicationConfiguration { rules: vec![rule] };
        here.run(PutReplicationConfiguration { configuration }).await.unwrap();
        Self { here, there, away }
    }

    async fn with_key() -> Self {
        let both = Self::new().await;
        let text = r#"{"accessKeyId": "AK", "secretAccessKey": "secret"}"#;
        let create = CreateSecret {
            name: SecretName::parse(&format!("ecr-replication/{WEST}")).unwrap(),
            description: None,
            tags: Vec::new(),
            value: Some(Value::Text(SecretString::from(text))),
            token: Some("a".repeat(32)),
        };
        both.here.run(create).await.unwrap();
        both
    }

    /// Runs what is due until nothing is, whatever fails; then what is due later.
    async fn drain(&self) {
        let worker = Worker::default();
        for _ in 0..6 {
            for _ in 0..100 {
                if let Ok(None) = worker.run_one(&self.here.app).await {
                    break;
                }
            }
            if self.here.rows("SELECT id FROM replication_queue").await.is_empty() {
                break;
            }
            self.here.clock.advance_seconds(HOUR);
            self.there.clock.advance_seconds(HOUR);
        }
        let jobs = self.here.rows("SELECT state, last_error FROM jobs WHERE state <> 'DONE'").await;
        let waiting = self.here.rows("SELECT change, tag FROM replication_queue").await;
        assert_eq!(waiting, Vec::<Vec<String>>::new(), "{jobs:?}");
    }

    /// The peer has the tags that the source has, and they name the same images, which are whole.
    async fn check_equal(&self, name: &str, what: &str) {
        let (source, copy) = (crate::registry::address(name), at(ACCOUNT, WEST, name));
        let tags = self.here.tags(&source).await.unwrap();
        assert_eq!(self.there.tags(&copy).await.unwrap(), tags, "{what}");
        for tag in tags {
            let digest = self.here.resolve(&source, &tag).await;
            assert_eq!(self.there.resolve(&copy, &tag).await, digest, "{what}: {tag}");
        }
        self.there.check_images(&copy).await;
    }
}

async fn push(registry: &Registry, repository: &RepositoryAddress, label: &str) -> Pushed {
    let config = Blob::new(&format!("config {label}"), 300);
    let layer = Blob::new("layer of all", 200_000);
    for blob in [&config, &layer] {
        registry.push_blob(repository, blob).await.unwrap();
    }
    Pushed::image(&config, &[&layer])
}

#[tokio::test]
async fn a_peer_gets_what_changes_however_often_the_way_breaks() {
    let both = Both::with_key().await;
    let cuts = [(0, 0), (0, 2), (3, 1), (5, 3), (6, 1), (8, 1), (11, 2), (14, 1)];
    for (rounds, (broken_after, count)) in cuts.into_iter().enumerate() {
        let what = format!("round {rounds}: broken after {broken_after}, {count} times");
        let name = if rounds == 0 { "app/one".to_owned() } else { format!("app/n{rounds}") };
        let repository = both.here.create(&name).await;
        let first = push(&both.here, &repository, &format!("{name} first")).await;
        let second = push(&both.here, &repository, &format!("{name} second")).await;
        both.here.put(&repository, &first, Some("v1")).await.unwrap();
        // An older image is carried after the tag went on: it must not take the tag back.
        both.here.put(&repository, &second, Some("v1")).await.unwrap();
        both.here.put(&repository, &first, Some("gone")).await.unwrap();
        let index = Pushed::index(&[&first, &second]);
        both.here.put(&repository, &index, Some("all")).await.unwrap();
        let config = Blob::new(&format!("{name} signature"), 10);
        both.here.push_blob(&repository, &config).await.unwrap();
        let signature = Pushed::referrer(&config, &second, "signature");
        both.here.put(&repository, &signature, None).await.unwrap();
        both.away.break_after(broken_after, count);
        both.drain().await;
        both.check_equal(&name, &what).await;
        let copy = at(ACCOUNT, WEST, &name);
        let arrived = both.there.manifest(&copy, signature.digest.as_str()).await;
        assert!(arrived.is_ok(), "{what}: what refers to an image");
        // Each layer once, whatever broke.
        both.here.batch_delete(&repository, vec![by_tag("gone")]).await.unwrap();
        both.away.break_after(broken_after % 3, count);
        both.drain().await;
        both.check_equal(&name, &what).await;
    }
    assert!(both.away.mounted.load(Ordering::SeqCst) > 0);
    both.there.check_no_orphans().await;
    // Nothing to do: what is there is not sent again.
    let pushed = both.away.pushed.load(Ordering::SeqCst);
    let repository = crate::registry::address("app/one");
    let again = both.here.manifest(&repository, "v1").await.unwrap();
    let again = Pushed { digest: again.0, bytes: again.1 };
    both.here.put(&repository, &again, Some("v2")).await.unwrap();
    both.drain().await;
    both.check_equal("app/one", "another tag").await;
    assert_eq!(both.away.pushed.load(Ordering::SeqCst), pushed);
}

#[tokio::test]
async fn a_tag_that_moves_between_looking_and_putting_is_looked_at_again() {
    let both = Both::with_key().await;
    let repository = both.here.create("app").await;
    let mut images = Vec::new();
    for label in ["first", "second", "third"] {
        let image = push(&both.here, &repository, label).await;
        both.here.put(&repository, &image, Some(label)).await.unwrap();
        images.push(image);
    }
    both.drain().await;
    // A tag that was not there, and one that was.
    for (image, other) in [(0, 1), (2, 1)] {
        let meanwhile = (Tag::parse("v1").unwrap(), images[other].clone());
        *both.away.meanwhile.lock().unwrap() = Some(meanwhile);
        both.here.put(&repository, &images[image], Some("v1")).await.unwrap();
        let moved = both.away.moved.load(Ordering::SeqCst);
        both.drain().await;
        assert_eq!(both.away.moved.load(Ordering::SeqCst), moved + 1);
        both.check_equal("app", "v1").await;
    }
}

#[tokio::test]
async fn a_tag_of_the_peer_that_may_not_move_stays() {
    let both = Both::with_key().await;
    let repository = both.here.create("app").await;
    let first = push(&both.here, &repository, "first").await;
    both.here.put(&repository, &first, Some("v1")).await.unwrap();
    both.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    let tag_mutability = TagMutabilityRule::new(TagMutability::Immutable, Vec::new()).unwrap();
    let name = copy.name.clone();
    let put = PutImageTagMutability { registry_id: None, name, tag_mutability };
    execute(&both.there.app, &both.away.context, put).await.unwrap();
    let second = push(&both.here, &repository, "second").await;
    both.here.put(&repository, &second, Some("v1")).await.unwrap();
    both.drain().await;
    assert_eq!(both.there.resolve(&copy, "v1").await, Some(first.digest));
    assert!(both.there.manifest(&copy, second.digest.as_str()).await.is_ok());
}

#[tokio::test]
async fn without_a_key_nothing_is_sent_and_clients_are_told() {
    let both = Both::new().await;
    let repository = both.here.create("app").await;
    let image = push(&both.here, &repository, "image").await;
    both.here.put(&repository, &image, Some("v1")).await.unwrap();
    both.drain().await;
    assert_eq!(both.away.asked.load(Ordering::SeqCst), 0);
    let rows = both.here.rows("SELECT failure_code FROM replications").await;
    assert_eq!(rows, [["AccessDenied"]]);
}

#[tokio::test]
async fn what_a_copier_writes_is_not_copied_on() {
    let both = Both::with_key().await;
    let repository = both.here.create("app").await;
    let image = push(&both.here, &repository, "image").await;
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#;
    let user = both.here.principal("copier", allow).await;
    let user = Principal { kind: PrincipalKind::User, ..user };
    let copier =
        Principal { arn: user.arn.replace(":user/", ":user/replication/"), ..user.clone() };
    for (principal, expected) in [(copier, 0), (user, 1)] {
        let put = crate::registry::put_image(
            &repository,
            &image,
            Some(if expected == 0 { "copied" } else { "pushed" }),
            UploadRules::Distribution,
        );
        both.here.run_as(&principal, put).await.unwrap();
        let queued = both.here.rows("SELECT id FROM replication_queue").await.len();
        assert_eq!(queued, expected, "{}", principal.arn);
    }
}
