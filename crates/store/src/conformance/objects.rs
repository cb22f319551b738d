//! The suite for object stores.
#![expect(clippy::unwrap_used, reason = "a failure of the suite is a panic")]

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;
use tonnage_domain::objects::{
    ObjectError, ObjectErrorKind, ObjectId, ObjectReader, ObjectWriter, Objects, SPAN_BYTES_MAX,
};

type Store = Arc<dyn Objects>;

/// Checks everything the trait promises; `make` makes an empty store for each check.
pub async fn objects_suite(make: impl AsyncFn() -> Store) {
    what_was_written_is_read(make().await).await;
    ranges(make().await).await;
    an_id_is_used_once(make().await).await;
    an_absent_object_is_not_found(make().await).await;
    resuming_goes_on_and_cuts(make().await).await;
    resuming_waits_for_a_cancelled_write(make().await).await;
    deleting_is_idempotent_and_spares_open_readers(make().await).await;
    many_objects_at_once(make().await).await;
    too_long_a_span_is_refused(make().await).await;
}

/// One step of a generated test on one object.
#[derive(Clone, Debug)]
pub enum ObjectStep {
    /// Append this many bytes.
    Write(usize),
    /// Make them durable.
    Sync,
    /// Drop the writer and resume at this share (of 255) of the length.
    Resume(u8),
    /// Read this many bytes from this share (of 255) of the length.
    Read(u8, usize),
}

/// Does the steps on a new object and on a vector, and compares them.
pub async fn objects_follow_model(store: &dyn Objects, steps: &[ObjectStep]) {
    let id = ObjectId::random();
    let mut model: Vec<u8> = Vec::new();
    let mut writer = store.create(&id).await.unwrap();
    for (number, step) in steps.iter().enumerate() {
        let share = |share: u8| model.len() * usize::from(share) / 255;
        match *step {
            ObjectStep::Write(length) => {
                let span = pattern(number as u64, length);
                writer.write(span.clone()).await.unwrap();
                model.extend_from_slice(&span);
            }
            ObjectStep::Sync => writer.sync().await.unwrap(),
            ObjectStep::Resume(at) => {
                model.truncate(share(at));
                drop(writer);
                writer = store.resume(&id, model.len() as u64).await.unwrap();
            }
            ObjectStep::Read(at, length) => {
                let reader = store.open(&id).await.unwrap();
                assert_eq!(reader.size(), model.len() as u64);
                check_read(&*reader, &model, share(at), length).await;
            }
        }
    }
    writer.sync().await.unwrap();
    assert_eq!(read_all(&*store.open(&id).await.unwrap()).await, model);
    drop(writer);
    store.delete(&id).await.unwrap();
}

fn pattern(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes = (0..length).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    });
    bytes.collect()
}

fn kind<T>(result: Result<T, ObjectError>) -> Option<ObjectErrorKind> {
    result.err().map(|error| error.kind())
}

async fn read_all(reader: &dyn ObjectReader) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let span = reader.read_at(bytes.len() as u64, SPAN_BYTES_MAX).await.unwrap();
        if span.is_empty() {
            return bytes;
        }
        bytes.extend_from_slice(&span);
    }
}

async fn check_read(reader: &dyn ObjectReader, model: &[u8], offset: usize, length: usize) {
    let from = offset.min(model.len());
    let to = offset.saturating_add(length.min(SPAN_BYTES_MAX)).min(model.len());
    let read = reader.read_at(offset as u64, length).await.unwrap();
    assert!(read == model[from..to], "{length} bytes from {offset} of {}", model.len());
}

async fn put(store: &Store, spans: &[Bytes]) -> ObjectId {
    let id = ObjectId::random();
    let mut writer = store.create(&id).await.unwrap();
    append(&mut *writer, spans).await;
    writer.sync().await.unwrap();
    id
}

async fn append(writer: &mut dyn ObjectWriter, spans: &[Bytes]) {
    for span in spans {
        writer.write(span.clone()).await.unwrap();
    }
}

async fn what_was_written_is_read(store: Store) {
    assert!(!store.identity().is_empty());
    for lengths in [&[][..], &[0], &[1], &[3, 0, 5], &[SPAN_BYTES_MAX, SPAN_BYTES_MAX, 7]] {
        let spans: Vec<Bytes> = lengths
            .iter()
            .enumerate()
            .map(|(seed, length)| pattern(seed as u64, *length))
            .collect();
        let id = put(&store, &spans).await;
        let reader = store.open(&id).await.unwrap();
        let expected = spans.concat();
        assert_eq!(reader.size(), expected.len() as u64);
        assert!(read_all(&*reader).await == expected, "{lengths:?}");
    }
}

async fn ranges(store: Store) {
    let bytes = pattern(1, 200_000);
    let id = put(&store, std::slice::from_ref(&bytes)).await;
    let reader = store.open(&id).await.unwrap();
    for (offset, length) in [
        (0, 0),
        (0, 1),
        (1, 4096),
        (4095, 4098),
        (0, usize::MAX),
        (199_999, 1),
        (199_999, 2),
        (200_000, 1),
        (200_001, 1),
        (usize::MAX, 1),
    ] {
        check_read(&*reader, &bytes, offset, length).await;
    }
}

async fn an_id_is_used_once(store: Store) {
    let bytes = pattern(1, 10);
    let id = put(&store, std::slice::from_ref(&bytes)).await;
    assert_eq!(kind(store.create(&id).await), Some(ObjectErrorKind::Other));
    assert_eq!(read_all(&*store.open(&id).await.unwrap()).await, bytes);
}

async fn an_absent_object_is_not_found(store: Store) {
    let id = ObjectId::random();
    assert_eq!(kind(store.open(&id).await), Some(ObjectErrorKind::NotFound));
    assert_eq!(kind(store.resume(&id, 0).await), Some(ObjectErrorKind::NotFound));
    store.delete(&id).await.unwrap();
}

async fn resuming_goes_on_and_cuts(store: Store) {
    let id = put(&store, &[pattern(1, 100)]).await;
    assert_eq!(
        kind(store.resume(&id, 101).await),
        Some(ObjectErrorKind::NotFound),
        "shorter than what is to be kept"
    );
    let mut expected = pattern(1, 100).to_vec();
    for (length, seed) in [(100, 2), (150, 3), (30, 4), (0, 5)] {
        let mut writer = store.resume(&id, length).await.unwrap();
        let span = pattern(seed, 60);
        append(&mut *writer, std::slice::from_ref(&span)).await;
        writer.sync().await.unwrap();
        expected.truncate(usize::try_from(length).unwrap());
        expected.extend_from_slice(&span);
        assert_eq!(read_all(&*store.open(&id).await.unwrap()).await, expected, "at {length}");
    }
}

/// The bytes of a write whose future was dropped must not fall on what a later writer wrote.
async fn resuming_waits_for_a_cancelled_write(store: Store) {
    for seed in 0..20 {
        let id = ObjectId::random();
        let mut writer = store.create(&id).await.unwrap();
        {
            let mut write = writer.write(pattern(seed, SPAN_BYTES_MAX));
            let poll = std::future::poll_fn(|context| {
                std::task::Poll::Ready(write.as_mut().poll(context).is_ready())
            });
            poll.await;
        }
        drop(writer);
        let mut writer = store.resume(&id, 0).await.unwrap();
        let expected = pattern(seed + 100, SPAN_BYTES_MAX);
        append(&mut *writer, std::slice::from_ref(&expected)).await;
        writer.sync().await.unwrap();
        assert!(read_all(&*store.open(&id).await.unwrap()).await == expected);
        drop(writer);
        store.delete(&id).await.unwrap();
    }
}

async fn deleting_is_idempotent_and_spares_open_readers(store: Store) {
    let bytes = pattern(1, 300_000);
    let id = put(&store, std::slice::from_ref(&bytes)).await;
    let reader = store.open(&id).await.unwrap();
    store.delete(&id).await.unwrap();
    store.delete(&id).await.unwrap();
    assert_eq!(kind(store.open(&id).await), Some(ObjectErrorKind::NotFound));
    assert!(read_all(&*reader).await == bytes);
}

async fn many_objects_at_once(store: Store) {
    let mut tasks = JoinSet::new();
    for seed in 0..64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let spans: Vec<Bytes> = (0..4).map(|span| pattern(seed * 4 + span, 10_000)).collect();
            let id = put(&store, &spans).await;
            assert!(read_all(&*store.open(&id).await.unwrap()).await == spans.concat());
        });
    }
    tasks.join_all().await;
}

async fn too_long_a_span_is_refused(store: Store) {
    let id = ObjectId::random();
    let mut writer = store.create(&id).await.unwrap();
    let too_long = Bytes::from(vec![0; SPAN_BYTES_MAX + 1]);
    assert_eq!(kind(writer.write(too_long).await), Some(ObjectErrorKind::Other));
}
