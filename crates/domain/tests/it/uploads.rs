//! Uploads: what arrived is kept, what nobody needs goes, whatever happens beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::uploads::append::{Progress, UploadLayerPart};
use tonnage_domain::uploads::cancel::CancelUpload;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::{BodyError, BodyStream, UploadId, UploadRules};

use crate::content::Blob;
use crate::registry::{
    Registry, address, body, broken_body, check_error, check_kind, create_repository,
};

fn part(upload_id: &UploadId, body: BodyStream) -> UploadLayerPart {
    UploadLayerPart {
        repository: address("app"),
        upload_id: upload_id.clone(),
        first_byte: None,
        length: None,
        body,
        rules: UploadRules::Distribution,
    }
}

#[tokio::test]
async fn a_blob_is_what_was_sent_however_it_was_cut() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    for (size, cuts) in [
        (0, vec![]),
        (1, vec![]),
        (65_536, vec![]),
        (65_537, vec![]),
        (65_537, vec![65_536]),
        (65_536, vec![30_000, 30_001]),
        (100_000, vec![40_000, 80_000]),
        (1_048_576, vec![]),
        (1_048_577, vec![1_048_576]),
        (3_000_000, vec![10, 70_000, 1_048_576, 2_500_000]),
    ] {
        let blob = Blob::new(&format!("{size} {cuts:?}"), size);
        let upload = registry.initiate(&app).await.unwrap();
        let mut start = 0;
        for cut in &cuts {
            let chunk = blob.bytes.slice(start..*cut);
            assert_eq!(registry.append(&app, &upload, &chunk).await.unwrap(), *cut as u64);
            start = *cut;
        }
        let last = blob.bytes.slice(start..);
        let done = registry.complete(&app, &upload, &blob.digest, Some(&last)).await.unwrap();
        assert_eq!((&done.digest, done.size), (&blob.digest, size as u64));
        assert_eq!(registry.blob(&app, &blob.digest).await.unwrap(), blob.bytes, "{size} {cuts:?}");
    }
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn a_part_begins_where_the_last_one_ended() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let upload = registry.initiate(&app).await.unwrap();
    let chunk = Bytes::from(vec![1; 1000]);
    registry.append(&app, &upload, &chunk).await.unwrap();
    for first_byte in [0, 999, 1001] {
        let part = UploadLayerPart { first_byte: Some(first_byte), ..part(&upload, body(&chunk)) };
        let error = registry.run(part).await.unwrap_err();
        let message = format!("First byte of the layer part is {first_byte} instead of 1000");
        assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidLayerPart, &*message));
        assert_eq!(error.detail().unwrap().received, 1000);
    }
    let short = UploadLayerPart { length: Some(1001), ..part(&upload, body(&chunk)) };
    check_kind(registry.run(short).await, ErrorKind::InvalidLayerPart);
    let right = UploadLayerPart {
        first_byte: Some(1000),
        length: Some(1000),
        ..part(&upload, body(&chunk))
    };
    assert_eq!(registry.run(right).await.unwrap(), Progress { received: 2000 });
}

#[tokio::test]
async fn what_arrived_before_a_body_broke_is_kept() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let blob = Blob::new("large", 1_500_000);
    let upload = registry.initiate(&app).await.unwrap();
    for (from, to) in [(0, 10_000), (10_000, 200_000), (200_000, 1_400_000)] {
        let chunk = blob.bytes.slice(from..to);
        let error = registry.run(part(&upload, broken_body(&chunk))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyIncomplete);
        assert_eq!(error.detail().unwrap().received, to as u64);
    }
    let last = blob.bytes.slice(1_400_000..);
    registry.complete(&app, &upload, &blob.digest, Some(&last)).await.unwrap();
    assert_eq!(registry.blob(&app, &blob.digest).await.unwrap(), blob.bytes);
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn a_wrong_digest_discards_the_upload() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    for size in [100, 200_000] {
        let blob = Blob::new("right", size);
        let upload = registry.initiate(&app).await.unwrap();
        let wrong = Blob::new("wrong", size).digest;
        check_error(
            registry.complete(&app, &upload, &wrong, Some(&blob.bytes)).await,
            ErrorKind::InvalidLayer,
            "None of the provided layer digests match the calculated layer digest",
        );
        let again = registry.complete(&app, &upload, &blob.digest, None).await;
        check_kind(again, ErrorKind::UploadNotFound);
        check_kind(registry.blob(&app, &blob.digest).await, ErrorKind::BlobNotFound);
    }
    registry.sweep().await;
    assert!(registry.objects_present().is_empty());
}

#[tokio::test]
async fn the_rules_of_layer_parts() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let complete = |upload_id: &UploadId, blob: &Blob| CompleteLayerUpload {
        repository: address("app"),
        upload_id: upload_id.clone(),
        digests: vec![Blob::new("no", 1).digest, blob.digest.clone()],
        first_byte: None,
        body: None,
        rules: UploadRules::LayerParts,
    };
    let by_parts = async |blob: &Blob, parts: &[usize]| -> Result<(), Error> {
        let upload = registry.initiate(&address("app")).await.unwrap();
        let mut start = 0;
        for length in parts {
            let chunk = blob.bytes.slice(start..start + length);
            let rules = UploadRules::LayerParts;
            let part = UploadLayerPart { rules, ..part(&upload, body(&chunk)) };
            registry.run(part).await?;
            start += length;
        }
        registry.run(complete(&upload, blob)).await.map(|_| ())
    };
    const MIB: usize = 1024 * 1024;
    let blob = Blob::new("large", 6 * MIB);
    let kind = ErrorKind::EmptyUpload;
    check_kind(by_parts(&Blob::new("empty", 0), &[]).await, kind);
    check_kind(by_parts(&blob, &[MIB, 5 * MIB]).await, ErrorKind::LayerPartTooSmall);
    check_kind(by_parts(&blob, &[5 * MIB, 10, MIB - 10]).await, ErrorKind::LayerPartTooSmall);
    by_parts(&blob, &[5 * MIB, MIB]).await.unwrap();
    let message = format!(
        "The layer with digest '{}' already exists in the repository with name 'app' in the \
         registry with id '123456789012'",
        blob.digest
    );
    let again = by_parts(&blob, &[6 * MIB]).await;
    check_error(again, ErrorKind::LayerAlreadyExists, &message);
    registry.push_blob(&address("app"), &blob).await.unwrap();
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn an_upload_belongs_to_its_principal_and_repository() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let other = registry.create("other").await;
    let everything =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let user = registry.principal("user", everything).await;
    let upload = registry.initiate(&app).await.unwrap();
    let chunk = Bytes::from_static(b"chunk");
    let foreign = registry.run_as(&user, part(&upload, body(&chunk))).await;
    check_kind(foreign, ErrorKind::UploadNotFound);
    check_kind(registry.append(&other, &upload, &chunk).await, ErrorKind::UploadNotFound);
    let cancel = CancelUpload { repository: app.clone(), upload_id: upload.clone() };
    registry.run(cancel.clone()).await.unwrap();
    check_kind(registry.run(cancel).await, ErrorKind::UploadNotFound);
}

#[tokio::test]
async fn an_upload_that_rests_too_long_is_gone() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let chunk = Blob::new("chunk", 100_000).bytes;
    let upload = registry.initiate(&app).await.unwrap();
    for _ in 0..3 {
        registry.clock.advance_seconds(23 * 3600);
        assert_eq!(registry.sweep().await.expired_uploads, 0);
        registry.append(&app, &upload, &chunk).await.unwrap();
    }
    registry.clock.advance_seconds(24 * 3600);
    check_kind(registry.append(&app, &upload, &chunk).await, ErrorKind::UploadNotFound);
    assert_eq!(registry.objects_present().len(), 1);
    let swept = registry.sweep().await;
    assert_eq!((swept.expired_uploads, swept.objects), (1, 1));
    assert!(registry.objects_present().is_empty());
    let swept = registry.sweep().await;
    assert_eq!((swept.expired_uploads, swept.objects), (0, 0));
}

type Chunk = Result<Bytes, BodyError>;

/// Feeds a body.
struct Feeder {
    chunks: mpsc::UnboundedSender<Chunk>,
    waiting: Arc<AtomicUsize>,
}

impl Feeder {
    fn send(&self, chunk: Chunk) -> Result<(), mpsc::error::SendError<Chunk>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.chunks.send(chunk)
    }

    /// Whether the reader took everything sent so far.
    fn is_taken(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }
}

fn fed_body() -> (Feeder, BodyStream) {
    let (chunks, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let feeder = Feeder { chunks, waiting: Arc::clone(&waiting) };
    let next = async |(mut receiver, waiting): (mpsc::UnboundedReceiver<_>, Arc<AtomicUsize>)| {
        let chunk = receiver.recv().await?;
        waiting.fetch_sub(1, Ordering::SeqCst);
        Some((chunk, (receiver, waiting)))
    };
    (feeder, Box::pin(stream::unfold((receiver, waiting), next)))
}

#[tokio::test]
async fn a_second_writer_is_refused_while_the_first_goes_on() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let blob = Blob::new("large", 300_000);
    let upload = registry.initiate(&app).await.unwrap();
    let (sender, body) = fed_body();
    let first = registry.run(part(&upload, body));
    let second = async {
        sender.send(Ok(blob.bytes.slice(..200_000))).unwrap();
        while !sender.is_taken() {
            tokio::task::yield_now().await;
        }
        let busy = registry.append(&app, &upload, &blob.bytes).await;
        check_kind(busy, ErrorKind::UploadBusy);
        sender.send(Ok(blob.bytes.slice(200_000..))).unwrap();
        drop(sender);
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.unwrap().received, 300_000);
    registry.complete(&app, &upload, &blob.digest, None).await.unwrap();
    assert_eq!(registry.blob(&app, &blob.digest).await.unwrap(), blob.bytes);
}

#[tokio::test]
async fn a_repository_that_goes_during_an_upload_leaves_no_object() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    // Before the object is made, and after.
    for sent in [10, 1_200_000] {
        let blob = Blob::new("large", 2_500_000);
        let upload = registry.initiate(&app).await.unwrap();
        let (sender, body) = fed_body();
        let uploading = registry.run(part(&upload, body));
        let meanwhile = async {
            sender.send(Ok(blob.bytes.slice(..sent))).unwrap();
            // Until the upload's row was read, and the object made.
            let makes_object = sent > 1_048_576;
            while !sender.is_taken() || registry.objects_present().is_empty() == makes_object {
                tokio::task::yield_now().await;
            }
            registry.delete("app", true).await.unwrap();
            registry.sweep().await;
            sender.send(Ok(blob.bytes.slice(sent..))).unwrap();
            drop(sender);
        };
        let (uploaded, ()) = tokio::join!(uploading, meanwhile);
        check_kind(uploaded, ErrorKind::UploadNotFound);
        registry.run(create_repository("app")).await.unwrap();
        // The end of the upload wakes the sweeper, which left the object alone.
        tonnage_domain::gc::garbage_made(&registry.app).await;
        registry.sweep().await;
        assert!(registry.objects_present().is_empty(), "{sent}");
    }
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn a_small_blob_after_a_large_part_that_was_refused_leaves_no_object() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let large = Blob::new("large", 200_000);
    let small = Blob::new("small", 100);
    let upload = registry.initiate(&app).await.unwrap();
    let refused = UploadLayerPart { length: Some(1), ..part(&upload, body(&large.bytes)) };
    check_kind(registry.run(refused).await, ErrorKind::InvalidLayerPart);
    assert_eq!(registry.objects_present().len(), 1);
    registry.complete(&app, &upload, &small.digest, Some(&small.bytes)).await.unwrap();
    assert_eq!(registry.blob(&app, &small.digest).await.unwrap(), small.bytes);
    registry.sweep().await;
    assert!(registry.objects_present().is_empty());
}
