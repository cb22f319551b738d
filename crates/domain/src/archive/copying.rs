//! Which blobs are being copied to another tier, in this process. An object store belongs to one
//! process, so a copy that nobody here makes was left by a process that is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::gc;
use crate::objects::ObjectId;

/// The copies under way.
#[derive(Clone, Debug)]
pub(crate) struct Copying(Arc<State>);

#[derive(Debug)]
struct State {
    /// The new object of each blob.
    held: Mutex<HashMap<i64, ObjectId>>,
    freed: Notify,
    garbage: gc::Wake,
}

impl Copying {
    /// None under way; `garbage` wakes the sweeper.
    pub(crate) fn new(garbage: gc::Wake) -> Self {
        let state = State { held: Mutex::default(), freed: Notify::new(), garbage };
        Self(Arc::new(state))
    }

    /// Waits until nobody copies the blob, and claims it, with an id for the new object.
    pub(super) async fn claim(&self, blob_id: i64) -> Copy {
        loop {
            // Before the look, or a claim that ends in between would wake nobody.
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            if let Some(copy) = self.try_claim(blob_id) {
                return copy;
            }
            freed.await;
        }
    }

    fn try_claim(&self, blob_id: i64) -> Option<Copy> {
        let mut held = self.held();
        if held.contains_key(&blob_id) {
            return None;
        }
        let object_id = ObjectId::random();
        held.insert(blob_id, object_id.clone());
        drop(held);
        Some(Copy { copying: self.clone(), blob_id, object_id })
    }

    /// Whether somebody may be writing `object`.
    pub(crate) fn may_write(&self, object: &ObjectId) -> bool {
        self.held().values().any(|written| written == object)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<i64, ObjectId>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to copy a blob, until it is dropped.
#[derive(Debug)]
pub(super) struct Copy {
    copying: Copying,
    blob_id: i64,
    pub(super) object_id: ObjectId,
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.copying.held().remove(&self.blob_id);
        self.copying.0.freed.notify_waiters();
        // What came of the copy may be garbage, which the sweeper left alone until now.
        self.copying.0.garbage.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn a_blob_is_copied_once_at_a_time() {
        let copying = Copying::new(gc::Wake::default());
        let first = copying.claim(1).await;
        let _other = copying.claim(2).await;
        assert!(copying.may_write(&first.object_id));
        assert!(!copying.may_write(&ObjectId::random()));
        let mut second = Box::pin(copying.claim(1));
        let pending =
            std::future::poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_pending()));
        assert!(pending.await);
        let object = first.object_id.clone();
        drop(first);
        assert!(!copying.may_write(&object));
        assert_eq!(second.await.blob_id, 1);
    }
}
