//! Every call to a store fails in turn while an image is pushed: the error says what kind of
//! failure it was, nothing half-done is seen, and the same registry goes on once the store does.

use bytes::Bytes;
use tonnage_domain::error::{Error, ErrorKind, Result, chain};
use tonnage_domain::gc;
use tonnage_domain::images::batch_get_image::BatchGetImage;
use tonnage_domain::names::{Algorithm, Digest};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::uploads::cancel::CancelUpload;
use tonnage_domain::uploads::describe::DescribeUpload;
use tonnage_store::faulty::{Call, Fault};

use crate::content::{Blob, Pushed};
use crate::registry::{Registry, address, by_tag, create_repository, faulted};

const FAULTS: [Fault; 3] = [Fault::Full, Fault::Unavailable, Fault::Other];

fn is_of_objects(call: Call) -> bool {
    matches!(
        call,
        Call::Create
            | Call::Resume
            | Call::Write
            | Call::Sync
            | Call::Open
            | Call::Read
            | Call::Delete
    )
}

fn expected_kind(call: Call, fault: Fault) -> ErrorKind {
    match fault {
        Fault::Full => ErrorKind::StorageFull,
        Fault::Unavailable if !is_of_objects(call) => ErrorKind::Unavailable,
        Fault::Unavailable | Fault::Other => ErrorKind::Internal,
    }
}

/// What a script pushes; every script has blobs of its own, so that each makes its objects.
struct Script {
    repository: RepositoryAddress,
    config: Blob,
    layer: Blob,
    spare: Blob,
    image: Pushed,
    sha512: Digest,
}

impl Script {
    fn new(number: usize, layer_size: usize) -> Self {
        let config = Blob::new(&format!("config {number}"), 500);
        let layer = Blob::new(&format!("layer {number}"), layer_size);
        let spare = Blob::new(&format!("spare {number}"), 100_000);
        let image = Pushed::image(&config, &[&layer]);
        let sha512 = Digest::of(Algorithm::Sha512, &spare.bytes);
        let repository = address(&format!("script/{number}"));
        Self { repository, config, layer, spare, image, sha512 }
    }

    /// Everything a client does, in order, up to the first failure.
    async fn run(&self, registry: &Registry) -> Result<()> {
        let repository = &self.repository;
        match registry.run(create_repository(repository.name.as_str())).await {
            Err(error) if error.kind() == ErrorKind::RepositoryAlreadyExists => {}
            created => drop(created?),
        }
        registry.push_blob(repository, &self.config).await?;
        let upload = registry.initiate(repository).await?;
        let half = self.layer.bytes.len() / 2;
        registry.append(repository, &upload, &self.layer.bytes.slice(..half)).await?;
        let rest = self.layer.bytes.slice(half..);
        registry.complete(repository, &upload, &self.layer.digest, Some(&rest)).await?;
        registry.put(repository, &self.image, Some("v1")).await?;
        registry.put(repository, &self.image, Some("latest")).await?;
        registry.blob(repository, &self.layer.digest).await?;
        registry.batch_delete(repository, vec![by_tag("v1")]).await?;

        let upload = registry.initiate(repository).await?;
        registry.append(repository, &upload, &self.spare.bytes).await?;
        registry.complete(repository, &upload, &self.sha512, None).await?;
        let upload = registry.initiate(repository).await?;
        registry.append(repository, &upload, &self.spare.bytes).await?;
        let cancel = CancelUpload { repository: repository.clone(), upload_id: upload };
        registry.run(cancel).await?;
        gc::sweep(&registry.app).await?;
        Ok(())
    }

    async fn check_done(&self, registry: &Registry) {
        assert_eq!(registry.tags(&self.repository).await.unwrap(), ["latest"]);
        registry.check_images(&self.repository).await;
        let ids = vec![by_tag("latest")];
        let get = BatchGetImage { repository: self.repository.clone(), ids };
        let got = registry.run(get).await.unwrap();
        assert_eq!(got.images[0].1.bytes, self.image.bytes);
        let spare = registry.blob(&self.repository, &self.sha512).await.unwrap();
        assert_eq!(spare, self.spare.bytes);
    }
}

async fn fail_each(call: Call, layer_size: usize) {
    let registry = Registry::new().await;
    let before = registry.plan.count(call);
    let script = Script::new(0, layer_size);
    script.run(&registry).await.unwrap();
    script.check_done(&registry).await;
    let before_checks = registry.plan.count(call);
    Script::new(1, layer_size).run(&registry).await.unwrap();
    let count = registry.plan.count(call) - before_checks;
    assert!(count > 0 && before_checks >= before, "{call:?} is not made");

    let mut number = 1;
    for nth in faulted(count) {
        // Statements are many and fail alike, so each gets one kind of failure.
        let many = matches!(call, Call::Query | Call::Execute | Call::BeginRead);
        let faults = FAULTS.into_iter().enumerate();
        for (_, fault) in faults.filter(|(n, _)| !many || nth % 3 == *n as u64) {
            number += 1;
            let script = Script::new(number, layer_size);
            let injected = registry.plan.injected();
            registry.plan.fail(call, nth, fault);
            let result = script.run(&registry).await;
            let at = format!("{call:?} {nth} {fault:?}");
            assert_eq!(registry.plan.injected(), injected + 1, "{at}");
            registry.plan.heal();
            let error: Error = result.expect_err(&at);
            assert_eq!(error.kind(), expected_kind(call, fault), "{at}: {}", chain(&error));
            assert!(!error.message().contains("injected"), "{at}: {}", error.message());
            match registry.images(&script.repository).await {
                Ok(_) => registry.check_images(&script.repository).await,
                Err(error) => assert_eq!(error.kind(), ErrorKind::RepositoryNotFound, "{at}"),
            }
            script.run(&registry).await.unwrap();
            script.check_done(&registry).await;
        }
    }
    registry.check_no_orphans().await;
}

/// One test for each kind of call, so that they run beside each other.
macro_rules! fail_each {
    ($($name:ident: $call:ident, $size:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                fail_each(Call::$call, $size).await;
            }
        )*
    };
}

const MIB: usize = 1024 * 1024;

fail_each! {
    begin_read: BeginRead, 200_000;
    begin_write: BeginWrite, 200_000;
    execute: Execute, 200_000;
    query: Query, 200_000;
    commit_before: CommitBefore, 3 * MIB;
    commit_after_durable: CommitAfterDurable, 200_000;
    create: Create, 3 * MIB;
    resume: Resume, 3 * MIB;
    write: Write, 3 * MIB;
    sync: Sync, 3 * MIB;
    read: Read, 3 * MIB;
    delete: Delete, 3 * MIB;
}

#[tokio::test]
async fn open() {
    // Completing a small upload looks for an object that an earlier request may have left, and
    // does without the answer. So the first call is not one that fails a push.
    let registry = Registry::new().await;
    let script = Script::new(0, 200_000);
    registry.plan.fail(Call::Open, 1, Fault::Other);
    script.run(&registry).await.unwrap();
    script.check_done(&registry).await;
    for (number, fault) in (1..).zip(FAULTS) {
        for nth in 2..=3 {
            let script = Script::new(number * 10 + usize::try_from(nth).unwrap(), 200_000);
            registry.plan.fail(Call::Open, nth, fault);
            let error = script.run(&registry).await.unwrap_err();
            assert_eq!(error.kind(), expected_kind(Call::Open, fault));
            registry.check_images(&script.repository).await;
            script.run(&registry).await.unwrap();
            script.check_done(&registry).await;
        }
    }
    registry.check_no_orphans().await;
}

/// An upload goes on after a failure where its row says, and the blob is whole.
#[tokio::test]
async fn an_upload_goes_on_after_a_failure() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let calls = [
        (Call::Create, 1),
        (Call::Resume, 1),
        (Call::Write, 1),
        (Call::Write, 2),
        (Call::Write, 3),
        (Call::Sync, 1),
        (Call::Sync, 2),
        (Call::Delete, 1),
        (Call::CommitBefore, 1),
        (Call::CommitBefore, 2),
        (Call::CommitBefore, 3),
        (Call::BeginWrite, 2),
        (Call::Execute, 1),
        (Call::Execute, 3),
    ];
    for (number, (call, nth)) in calls.into_iter().enumerate() {
        let blob = Blob::new(&format!("blob {number}"), 2 * MIB + 12_345);
        let upload = registry.initiate(&app).await.unwrap();
        registry.plan.fail(call, nth, Fault::Other);
        let injected = registry.plan.injected();
        // The first chunk stays in metadata, the second makes the object, the third resumes it.
        let ends = [40_000, MIB + 100_000, 2 * MIB];
        let mut received = 0;
        let mut failures = 0;
        while received < ends[2] {
            let end = ends.into_iter().find(|end| *end > received).unwrap();
            let chunk: Bytes = blob.bytes.slice(received..end);
            match registry.append(&app, &upload, &chunk).await {
                Ok(now) => assert_eq!(now, end as u64),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Internal, "{}", chain(&error));
                    failures += 1;
                }
            }
            let describe = DescribeUpload { repository: app.clone(), upload_id: upload.clone() };
            let described = registry.run(describe).await.unwrap();
            received = usize::try_from(described.received).unwrap();
        }
        let last = blob.bytes.slice(received..);
        assert_eq!((failures, registry.plan.injected()), (1, injected + 1), "{call:?} {nth}");
        registry.complete(&app, &upload, &blob.digest, Some(&last)).await.unwrap();
        assert_eq!(registry.blob(&app, &blob.digest).await.unwrap(), blob.bytes);
    }
    registry.check_no_orphans().await;
}
