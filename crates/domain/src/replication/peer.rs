//! What a registry of another deployment is told, and by whom the requests are carried out.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::error::Error;
use crate::names::{Digest, Reference};
use crate::pull_through::upstream::{ManifestHead, Origin, UpstreamError};

/// Why a peer was not told something.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The peer, or the way to it.
    #[error(transparent)]
    Peer(#[from] UpstreamError),
    /// What was to be sent cannot be read here, or is not as long as was said.
    #[error("what was to be sent to {0} cannot be read")]
    Source(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PeerError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Peer(error) if error.is_transient())
    }
}

/// A blob on its way to a peer, as it is read here.
pub type Outgoing = BoxStream<'static, Result<Bytes, Error>>;

/// Writes to registries of other deployments in the distribution protocol. Requests are bounded and
/// guarded like those of [`crate::pull_through::upstream::Upstreams`]. Every one may be repeated:
/// what is there already stays as it is.
///
/// The peer accepts a manifest only after all that it refers to, so blobs go first, then the
/// manifests of an index, then the index.
pub trait Peers: Send + Sync {
    /// What a manifest is at the peer; none where it does not have it.
    fn head_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<ManifestHead>, PeerError>>;

    /// Whether a repository of the peer has a blob.
    fn has_blob<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<bool, PeerError>>;

    /// Gives a repository of the peer a blob that another one of it has. False when the peer does
    /// not do that; the blob is to be pushed then.
    fn mount_blob<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
        from: &'a str,
    ) -> BoxFuture<'a, Result<bool, PeerError>>;

    /// Sends a blob of `size` bytes. It is not held in memory, and the peer verifies its digest.
    fn push_blob<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
        size: u64,
        blob: Outgoing,
    ) -> BoxFuture<'a, Result<(), PeerError>>;

    /// Puts a manifest under a tag or its digest. A tag that is there moves, unless the peer does
    /// not let it.
    fn put_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
        media_type: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), PeerError>>;

    /// Removes a manifest by its digest, or a tag. False when it was not there.
    fn delete_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<bool, PeerError>>;
}
