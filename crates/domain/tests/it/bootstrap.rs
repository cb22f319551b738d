//! The first start, every later one, and stores that do not belong together.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tonnage_domain::accounts;
use tonnage_domain::accounts::bootstrap::{self, OpenError, Opened, Parts};
use tonnage_domain::app::Settings;
use tonnage_domain::clock::{Clock, ManualClock};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::identities::access_keys::{self, AccessKey};
use tonnage_domain::metadata::{Metadata, Mode};
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::objects::Objects;
use tonnage_domain::root_key::RootKey;
use tonnage_store::faulty::{Call, Fault, FaultPlan, FaultyMetadata};
use tonnage_store::files::FileObjects;

use crate::registry::{START, empty_database, faulted, temporary_directory};

struct Stores {
    metadata: Arc<dyn Metadata>,
    plan: Arc<FaultPlan>,
    directory: tempfile::TempDir,
}

/// What differs from the parts of an ordinary start.
#[derive(Default)]
struct Wanted {
    root_key: Option<u8>,
    account: Option<&'static str>,
    region: Option<&'static str>,
    key: Option<AccessKey>,
}

impl Stores {
    async fn new() -> Self {
        let plan = FaultPlan::new();
        let metadata = empty_database().await;
        let metadata = Arc::new(FaultyMetadata::new(metadata, Arc::clone(&plan)));
        Self { metadata, plan, directory: temporary_directory() }
    }

    async fn open(&self, wanted: Wanted) -> Result<Opened, OpenError> {
        let objects = FileObjects::open(self.directory.path()).unwrap();
        self.open_on(Arc::new(objects), wanted).await
    }

    async fn open_on(
        &self,
        objects: Arc<dyn Objects>,
        wanted: Wanted,
    ) -> Result<Opened, OpenError> {
        let parts = Parts {
            metadata: Arc::clone(&self.metadata),
            objects,
            clock: Arc::new(ManualClock::new(START)) as Arc<dyn Clock>,
            root_key: RootKey::new(&[wanted.root_key.unwrap_or(1); 32]).unwrap(),
            settings: Settings::default(),
            account: wanted.account.map(|account| AccountId::parse(account).unwrap()),
            region: wanted.region.map(|region| Region::parse(region).unwrap()),
            root_access_key: wanted.key,
        };
        bootstrap::open(parts).await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut transaction = self.metadata.begin(Mode::Read).await.unwrap();
        transaction.query(sql, &[]).await.unwrap()[0].get(0).unwrap()
    }
}

fn key(secret: &str) -> AccessKey {
    AccessKey::given("AKIAEXAMPLEEXAMPLE00", &SecretString::from(secret.to_owned())).unwrap()
}

#[tokio::test]
async fn the_first_start_makes_an_account_and_later_ones_find_it() {
    let stores = Stores::new().await;
    let first = stores.open(Wanted::default()).await.unwrap();
    let made = first.first_access_key.unwrap();
    assert_eq!(first.app.management_account.as_str(), "123456789012");
    assert_eq!(first.app.default_region.as_str(), "us-east-1");
    let root = accounts::management_root(&first.app).await.unwrap();
    assert_eq!(root.arn, "arn:aws:iam::123456789012:root");
    drop(first.app);

    let second = stores.open(Wanted::default()).await.unwrap();
    assert!(second.first_access_key.is_none());
    assert_eq!(accounts::management_root(&second.app).await.unwrap(), root);
    let found = access_keys::find_active(&second.app, &made.id).await.unwrap().unwrap();
    assert_eq!(found.secret.expose_secret(), made.secret.expose_secret());
    assert_eq!(found.principal.arn, root.arn);
    drop(second.app);

    // The region is only what requests without one mean, so it may change from start to start.
    let wanted = Wanted { region: Some("eu-west-1"), ..Wanted::default() };
    assert_eq!(stores.open(wanted).await.unwrap().app.default_region.as_str(), "eu-west-1");
    let third = stores.open(Wanted::default()).await.unwrap();
    assert_eq!(third.app.default_region.as_str(), "us-east-1");
}

#[tokio::test]
async fn the_operator_may_bring_account_region_and_key() {
    let stores = Stores::new().await;
    let wanted = || Wanted {
        account: Some("000000000042"),
        region: Some("cn-north-1"),
        key: Some(key("first-secret-of-the-operator")),
        ..Wanted::default()
    };
    let first = stores.open(wanted()).await.unwrap();
    assert_eq!(first.app.management_account.as_str(), "000000000042");
    let root = accounts::management_root(&first.app).await.unwrap();
    assert_eq!(root.arn, "arn:aws-cn:iam::000000000042:root");
    drop(first.app);
    let again = stores.open(wanted()).await.unwrap();
    assert!(again.first_access_key.is_none());
    let found = access_keys::find_active(&again.app, "AKIAEXAMPLEEXAMPLE00").await.unwrap();
    assert_eq!(found.unwrap().secret.expose_secret(), "first-secret-of-the-operator");
}

#[tokio::test]
async fn stores_that_do_not_belong_together_are_refused_in_a_sentence() {
    let stores = Stores::new().await;
    let wanted = Wanted { key: Some(key("first-secret-of-the-operator")), ..Wanted::default() };
    drop(stores.open(wanted).await.unwrap());
    let check = async |wanted: Wanted, beginning: &str| {
        let text = stores.open(wanted).await.err().unwrap().to_string();
        assert!(text.starts_with(beginning), "{text}");
    };
    let wrong_key = Wanted { root_key: Some(2), ..Wanted::default() };
    check(wrong_key, "the root key is not the one this metadata was sealed with").await;
    let account = Wanted { account: Some("210987654321"), ..Wanted::default() };
    let expected = "this data directory was made for account 123456789012, not 210987654321";
    check(account, expected).await;
    let other_secret = "the root access key was set on the first start and is another one";
    let wanted = Wanted { key: Some(key("another-secret-of-it")), ..Wanted::default() };
    check(wanted, other_secret).await;
    let wanted = Wanted { key: Some(AccessKey::random().unwrap()), ..Wanted::default() };
    check(wanted, other_secret).await;

    let elsewhere = temporary_directory();
    let foreign = Arc::new(FileObjects::open(elsewhere.path()).unwrap());
    let identity = foreign.identity().to_owned();
    let refused = stores.open_on(foreign, Wanted::default()).await.err().unwrap();
    assert!(
        matches!(&refused, OpenError::ForeignObjectStore { found, .. } if *found == identity),
        "{refused}"
    );
    // None of these attempts changed anything.
    stores.open(Wanted::default()).await.unwrap();
    assert_eq!(stores.count("SELECT COUNT(*) FROM accounts").await, 1);
}

#[tokio::test]
async fn a_first_start_that_breaks_off_anywhere_never_was() {
    let counting = Stores::new().await;
    counting.open(Wanted::default()).await.unwrap();
    let calls = [Call::BeginWrite, Call::Query, Call::Execute, Call::CommitBefore];
    for call in calls {
        let count = counting.plan.count(call);
        assert!(count > 0, "{call:?} is not made");
        for nth in faulted(count) {
            for (fault, kind) in [
                (Fault::Full, ErrorKind::StorageFull),
                (Fault::Unavailable, ErrorKind::Unavailable),
                (Fault::Other, ErrorKind::Internal),
            ] {
                let stores = Stores::new().await;
                stores.plan.fail(call, nth, fault);
                let failed = stores.open(Wanted::default()).await.err().unwrap();
                assert!(
                    matches!(&failed, OpenError::Failed(error) if error.kind() == kind),
                    "{call:?} {nth} {fault:?}: {failed}"
                );
                assert_eq!(stores.count("SELECT COUNT(*) FROM deployment").await, 0);
                assert_eq!(stores.count("SELECT COUNT(*) FROM accounts").await, 0);
                let wanted = Wanted { account: Some("210987654321"), ..Wanted::default() };
                let opened = stores.open(wanted).await.unwrap();
                assert!(opened.first_access_key.is_some(), "the next start is the first");
                assert_eq!(stores.count("SELECT COUNT(*) FROM access_keys").await, 1);
            }
        }
    }

    // The answer to the commit is lost: the next start finds everything, but nobody saw the key.
    let stores = Stores::new().await;
    stores.plan.fail(Call::CommitAfterDurable, 1, Fault::Unavailable);
    assert!(stores.open(Wanted::default()).await.is_err());
    let next = stores.open(Wanted::default()).await.unwrap();
    assert!(next.first_access_key.is_none());
    accounts::management_root(&next.app).await.unwrap();
}
