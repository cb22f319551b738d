//! One writer per object within the process.
//!
//! A write goes on after its future was dropped: its bytes are on a blocking thread. Whoever
//! resumes the object must not come before them, or old bytes would fall on new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tonnage_domain::objects::ObjectId;

/// The objects that are being written.
#[derive(Default)]
pub(crate) struct Claims {
    held: Mutex<HashMap<ObjectId, Arc<AsyncMutex<()>>>>,
}

impl Claims {
    /// Waits until nobody writes the object, and claims it.
    pub(crate) async fn claim(self: &Arc<Self>, id: &ObjectId) -> Claim {
        // Made before the wait, so that a cancelled wait tidies up as well.
        let mut claim = Claim { guard: None, claims: Arc::clone(self), id: id.clone() };
        let entry = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(held.entry(id.clone()).or_default())
        };
        claim.guard = Some(entry.lock_owned().await);
        claim
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The right to write an object, until dropped.
pub(crate) struct Claim {
    guard: Option<OwnedMutexGuard<()>>,
    claims: Arc<Claims>,
    id: ObjectId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut held = self.claims.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Others that hold or await the claim have a clone, and clones are made under this lock.
        if held.get(&self.id).is_some_and(|entry| Arc::strong_count(entry) == 1) {
            held.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;

    async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test]
    async fn a_claim_is_exclusive_and_leaves_nothing_behind() {
        let claims = Arc::new(Claims::default());
        let id = ObjectId::random();
        let first = claims.claim(&id).await;
        let _other = claims.claim(&ObjectId::random()).await;
        {
            let mut second = Box::pin(claims.claim(&id));
            assert!(is_pending(second.as_mut()).await);
        }
        assert_eq!(claims.len(), 2);
        let mut third = Box::pin(claims.claim(&id));
        assert!(is_pending(third.as_mut()).await);
        drop(first);
        let third = third.await;
        drop(third);
        assert_eq!(claims.len(), 1);
    }
}
