//! What a registry of another deployment is told, and by whom the requests are carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use secrecy::SecretString;

use super::ReplicationDestination;
use super::replicate_setting::Plan;
use crate::app::App;
use crate::clock::Millis;
use crate::error::Error;
use crate::names::{Digest, Reference, Tag};
use crate::pull_through::upstream::{ManifestHead, Origin, UpstreamError};

/// Which destinations are registries of other deployments, and where those are. Only the operator
/// says so: whoever writes rules would otherwise choose whom the server talks to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerSettings {
    /// Scheme, host and perhaps a port, by what the destinations have in common: a region, an
    /// account, or `{account}/{region}`.
    pub urls: BTreeMap<String, String>,
}

impl PeerSettings {
    /// Every destination is a registry of this deployment.
    pub const NONE: Self = Self { urls: BTreeMap::new() };

    /// The name and the URL of the peer that has a destination. What says most about it counts.
    pub(crate) fn of(&self, destination: &ReplicationDestination) -> Option<(&str, &str)> {
        let ReplicationDestination { account, region } = destination;
        let whole = format!("{account}/{region}");
        [&whole, account, region].into_iter().find_map(|name| {
            self.urls.get_key_value(name).map(|(name, url)| (name.as_str(), url.as_str()))
        })
    }
}

/// Which registry of a peer is meant, and by whose key it is entered.
#[derive(Clone, Debug)]
pub struct PeerAccess {
    /// Scheme, host and perhaps a port.
    pub url: String,
    /// The registry.
    pub registry: ReplicationDestination,
    /// The key that requests are signed with.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
}

/// What a peer gave for a key.
#[derive(Clone, Debug)]
pub struct PeerLogin {
    /// Where the registry is asked in the distribution protocol, with an authorization token.
    pub origin: Origin,
    /// When the token ends, if the peer said so.
    pub expires_at: Option<Millis>,
}

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

/// What a reference is to name at a peer before a change, held against it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagCondition {
    /// Anything.
    None,
    /// Nothing.
    Absent,
    /// This image.
    Names(Digest),
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
    /// Gets an authorization token for a registry (`GetAuthorizationToken`).
    fn log_in<'a>(&'a self, access: &'a PeerAccess) -> BoxFuture<'a, Result<PeerLogin, PeerError>>;

    /// Makes a repository; one that is there stays as it is (`CreateRepository`).
    fn create_repository<'a>(
        &'a self,
        access: &'a PeerAccess,
        repository: &'a str,
    ) -> BoxFuture<'a, Result<(), PeerError>>;

    /// The tags of an image; none where the peer does not have it (`DescribeImages`).
    fn tags_of<'a>(
        &'a self,
        access: &'a PeerAccess,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Vec<Tag>>, PeerError>>;

    /// Carries out what is planned for a repository. What goes only where it is as it was carried is
    /// held against `was`. False when there is no such repository.
    fn set<'a>(
        &'a self,
        access: &'a PeerAccess,
        repository: &'a str,
        plan: &'a Plan,
        was: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, PeerError>>;

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

    /// Puts a manifest under a tag or its digest while the condition holds of that; a transient error
    /// where it does not. A tag that is there moves, unless the peer does not let it.
    fn put_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
        media_type: &'a str,
        bytes: Bytes,
        condition: &'a TagCondition,
    ) -> BoxFuture<'a, Result<(), PeerError>>;

    /// Removes a manifest by its digest, or a tag, as [`Self::put_manifest`] puts one. False when it
    /// was not there.
    fn delete_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
        condition: &'a TagCondition,
    ) -> BoxFuture<'a, Result<bool, PeerError>>;
}

impl App {
    /// Says how peers are written to; before that, none is.
    pub fn set_peers(&mut self, peers: Arc<dyn Peers>) {
        self.peers = Some(peers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_most_about_a_destination_counts() {
        let urls = [
            ("eu-west-1", "https://region.example"),
            ("111122223333", "https://account.example"),
            ("111122223333/eu-west-1", "https://both.example"),
        ];
        let urls = urls.map(|(name, url)| (name.to_owned(), url.to_owned()));
        let settings = PeerSettings { urls: urls.into() };
        let rows = [
            ("123456789012", "eu-west-1", Some("https://region.example")),
            ("111122223333", "us-east-1", Some("https://account.example")),
            ("111122223333", "eu-west-1", Some("https://both.example")),
            ("123456789012", "us-east-1", None),
        ];
        for (account, region, expected) in rows {
            let destination =
                ReplicationDestination { region: region.to_owned(), account: account.to_owned() };
            let found = settings.of(&destination).map(|(_, url)| url);
            assert_eq!(found, expected, "{account} {region}");
        }
    }
}
