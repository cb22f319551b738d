//! Blobs on their way from an upstream, in this process: each is fetched once, and whoever asks for
//! it meanwhile reads what is stored of it already.
//!
//! A reader never sees the last chunk before the digest of the whole was verified and the blob is
//! published. What it has read before that is worth nothing without the rest: its connection breaks
//! where the bytes turn out to be others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::blobs::BlobReader;
use crate::encryption::container::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::names::Digest;
use crate::objects::{ObjectId, ObjectReader, Objects};
use crate::repositories::RepositoryAddress;

/// How many blobs one process fetches at a time.
const ARRIVALS_MAX: usize = 256;

/// A blob of a repository.
type Key = (RepositoryAddress, Digest);

/// What is on its way.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<HashMap<Key, Arc<Arrival>>>);

/// Whether somebody fetches a blob already.
pub(super) enum Joined {
    /// Nobody did; whoever gets this does now.
    First(Underway),
    /// Somebody does.
    Other(Arc<Arrival>),
}

impl Arrivals {
    /// Joins whoever fetches a blob, or begins to.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when too many are on their way.
    pub(super) fn join(self: &Arc<Self>, key: Key) -> Result<Joined> {
        let mut arrivals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arrival) = arrivals.get(&key) {
            return Ok(Joined::Other(Arc::clone(arrival)));
        }
        if arrivals.len() >= ARRIVALS_MAX {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "Too many layers are on their way from other registries; try again.",
            ));
        }
        let arrival = Arc::new(Arrival::new());
        arrivals.insert(key.clone(), Arc::clone(&arrival));
        Ok(Joined::First(Underway { arrivals: Arc::clone(self), key, arrival }))
    }
}

/// The duty to fetch a blob. Dropped early, as when a job is broken off, it tells all who wait.
pub(super) struct Underway {
    arrivals: Arc<Arrivals>,
    key: Key,
    arrival: Arc<Arrival>,
}

impl Underway {
    pub(super) fn arrival(&self) -> &Arc<Arrival> {
        &self.arrival
    }

    /// Says how it ended.
    pub(super) fn end(self, ended: Result<BlobReader>) -> Result<Arc<BlobReader>> {
        match ended {
            Ok(reader) => {
                let reader = Arc::new(reader);
                self.arrival.state.send_replace(State::Done(Arc::clone(&reader)));
                Ok(reader)
            }
            Err(error) => {
                self.arrival.fail(error.kind(), error.message());
                Err(error)
            }
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.arrivals.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.arrival
            .fail(ErrorKind::Unavailable, "The layer did not come to its end; ask for it again.");
    }
}

/// A blob on its way.
pub(crate) struct Arrival {
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    /// The upstream is asked.
    Asking,
    /// It has begun to answer.
    Coming(Coming),
    /// The blob is stored, verified and published.
    Done(Arc<BlobReader>),
    /// It is not, and nothing of it is kept.
    Failed(ErrorKind, Arc<str>),
}

#[derive(Clone)]
struct Coming {
    size: u64,
    /// Absent before the first byte is stored.
    growing: Option<Arc<Growing>>,
    /// How many bytes of it can be read, in whole chunks.
    readable: u64,
}

impl Arrival {
    fn new() -> Self {
        Self { state: watch::Sender::new(State::Asking) }
    }

    /// The upstream answers, with so many bytes.
    pub(super) fn begins(&self, size: u64) {
        self.state.send_replace(State::Coming(Coming { size, growing: None, readable: 0 }));
    }

    /// The bytes will be in this object.
    pub(super) fn goes_to(&self, growing: Growing) {
        self.state.send_if_modified(|state| match state {
            State::Coming(coming) => {
                coming.growing = Some(Arc::new(growing));
                true
            }
            _ => false,
        });
    }

    /// So many bytes, in whole chunks, can be read from the object.
    pub(super) fn has_stored(&self, bytes: u64) {
        self.state.send_if_modified(|state| match state {
            State::Coming(coming) if coming.readable < bytes => {
                coming.readable = bytes;
                true
            }
            _ => false,
        });
    }

    fn fail(&self, kind: ErrorKind, message: &str) {
        self.state.send_if_modified(|state| match state {
            State::Done(_) | State::Failed(..) => false,
            State::Asking | State::Coming(_) => {
                *state = State::Failed(kind, message.into());
                true
            }
        });
    }

    /// Waits until the upstream answers; how many bytes it will be.
    ///
    /// # Errors
    /// Why it does not come.
    pub(super) async fn size(&self) -> Result<u64> {
        let mut states = self.state.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Asking => changed(&mut states).await?,
                State::Coming(coming) => return Ok(coming.size),
                State::Done(reader) => return Ok(reader.size()),
                State::Failed(kind, message) => return Err(Error::new(kind, &*message)),
            }
        }
    }

    /// Waits until it is there.
    ///
    /// # Errors
    /// Why it does not come.
    pub(super) async fn done(&self) -> Result<Arc<BlobReader>> {
        let mut states = self.state.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Asking | State::Coming(_) => changed(&mut states).await?,
                State::Done(reader) => return Ok(reader),
                State::Failed(kind, message) => return Err(Error::new(kind, &*message)),
            }
        }
    }

    /// Reads up to `length` bytes from `offset`, as soon as one of them is there.
    ///
    /// # Errors
    /// When they do not come, or the store cannot read.
    pub(crate) async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes> {
        let mut states = self.state.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Done(reader) => return Box::pin(reader.read_at(offset, length)).await,
                State::Failed(kind, message) => return Err(Error::new(kind, &*message)),
                State::Coming(Coming { growing: Some(growing), readable, .. })
                    if offset < readable =>
                {
                    match growing.read_at(offset, length, readable).await {
                        Ok(bytes) => return Ok(bytes),
                        // The object goes when its bytes are others, or are there already in
                        // another one; which it was is said next.
                        Err(_) => changed(&mut states).await?,
                    }
                }
                State::Asking | State::Coming(_) => changed(&mut states).await?,
            }
        }
    }
}

/// Every wait ends: the upstream's answer is bounded in time, and whoever fetches says how it ended
/// even when it is dropped.
async fn changed(states: &mut watch::Receiver<State>) -> Result<()> {
    states.changed().await.map_err(Error::internal)
}

/// An object that is being written.
pub(super) struct Growing {
    objects: Arc<dyn Objects>,
    object: ObjectId,
    container: Arc<Container>,
    /// The object as it was when it was last opened.
    opened: Mutex<Option<Arc<dyn ObjectReader>>>,
}

impl Growing {
    pub(super) fn new(
        objects: Arc<dyn Objects>,
        object: ObjectId,
        container: Arc<Container>,
    ) -> Self {
        Self { objects, object, container, opened: Mutex::new(None) }
    }

    async fn read_at(&self, offset: u64, length: usize, readable: u64) -> Result<Bytes> {
        let left = usize::try_from(readable - offset).unwrap_or(usize::MAX);
        let reader = self.opened(self.container.stored_bytes(readable)).await?;
        // None of the chunks that can be read is the last.
        self.container.read_at(reader.as_ref(), u64::MAX / 2, offset, length.min(left)).await
    }

    /// The object with at least so many bytes.
    async fn opened(&self, bytes: u64) -> Result<Arc<dyn ObjectReader>> {
        let known = self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(reader) = known.filter(|reader| reader.size() >= bytes) {
            return Ok(reader);
        }
        let reader: Arc<dyn ObjectReader> = self.objects.open(&self.object).await?.into();
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&reader));
        Ok(reader)
    }
}
