//! How other registries are asked, and written to.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use tonnage_domain::names::{Digest, Reference, Tag};
use tonnage_domain::pull_through::upstream::{
    Blob, Manifest, ManifestHead, Origin, Quota, UpstreamError, Upstreams,
};
use tonnage_domain::replication::peer::{
    Outgoing, PeerAccess, PeerError, PeerLogin, Peers, TagCondition,
};
use tonnage_domain::replication::replicate_setting::Plan;
use tonnage_outbound::registry::{self, Mounted, Registries};
use tonnage_outbound::{Client, Limits};

use super::peers::PeerApi;
use crate::config::Outbound;

/// How long another registry may take until there is a connection, and from then until it answers.
const LIMITS: Limits = Limits { connect: Duration::from_secs(10), head: Duration::from_secs(30) };

/// Asks other registries under the operator's rules.
pub(super) struct GuardedRegistries(Registries, Client);

impl GuardedRegistries {
    pub(super) fn new(client: Client, config: &Outbound) -> Self {
        let client = client.with_limits(LIMITS);
        let limits = registry::Limits::default();
        Self(Registries::new(client.clone(), limits, config.token_hosts.clone()), client)
    }
}

impl GuardedRegistries {
    fn api<'a>(&'a self, access: &'a PeerAccess) -> PeerApi<'a> {
        PeerApi { client: &self.1, access }
    }
}

impl Upstreams for GuardedRegistries {
    fn check<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, Result<(), UpstreamError>> {
        Box::pin(async move { self.0.check(&origin_of(origin)).await.map_err(error_of) })
    }

    fn head_manifest<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, UpstreamError>> {
        Box::pin(async move {
            let origin = origin_of(origin);
            let head = self.0.head_manifest(&origin, repository, reference.as_str());
            let head = head.await.map_err(error_of)?;
            let digest = head.digest.as_deref().map(digest_of).transpose()?;
            Ok(ManifestHead { digest, quota: head.quota.map(quota_of) })
        })
    }

    fn manifest<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Manifest, UpstreamError>> {
        Box::pin(async move {
            let origin = origin_of(origin);
            let manifest = self.0.manifest(&origin, repository, reference.as_str());
            let registry::Manifest { bytes, media_type, digest, quota } =
                manifest.await.map_err(error_of)?;
            let (digest, quota) = (digest_of(&digest)?, quota.map(quota_of));
            Ok(Manifest { bytes, media_type, digest, quota })
        })
    }

    fn blob<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Blob, UpstreamError>> {
        Box::pin(async move {
            let origin = origin_of(origin);
            let blob = self.0.blob(&origin, repository, digest.as_str());
            let registry::Blob { size, body } = blob.await.map_err(error_of)?;
            Ok(Blob { size, body: body.map(|chunk| chunk.map_err(error_of)).boxed() })
        })
    }

    fn referrers<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Bytes>, UpstreamError>> {
        Box::pin(async move {
            let origin = origin_of(origin);
            let referrers = self.0.referrers(&origin, repository, digest.as_str());
            referrers.await.map_err(error_of)
        })
    }
}

impl Peers for GuardedRegistries {
    fn log_in<'a>(&'a self, access: &'a PeerAccess) -> BoxFuture<'a, Result<PeerLogin, PeerError>> {
        Box::pin(async move { self.api(access).log_in().await })
    }

    fn create_repository<'a>(
        &'a self,
        access: &'a PeerAccess,
        repository: &'a str,
    ) -> BoxFuture<'a, Result<(), PeerError>> {
        Box::pin(async move { self.api(access).create_repository(repository).await })
    }

    fn tags_of<'a>(
        &'a self,
        access: &'a PeerAccess,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Vec<Tag>>, PeerError>> {
        Box::pin(async move { self.api(access).tags_of(repository, digest).await })
    }

    fn set<'a>(
        &'a self,
        access: &'a PeerAccess,
        repository: &'a str,
        plan: &'a Plan,
        was: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move { self.api(access).set(repository, plan, was).await })
    }

    fn head_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<ManifestHead>, PeerError>> {
        Box::pin(async move {
            match Upstreams::head_manifest(self, peer, repository, reference).await {
                Ok(head) => Ok(Some(head)),
                Err(UpstreamError::NotFound(_)) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn has_blob<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move {
            let origin = origin_of(peer);
            let found = self.0.has_blob(&origin, repository, digest.as_str());
            found.await.map_err(peer_error_of)
        })
    }

    fn mount_blob<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
        from: &'a str,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move {
            let origin = origin_of(peer);
            let mounted = self.0.mount(&origin, repository, digest.as_str(), from);
            match mounted.await.map_err(peer_error_of)? {
                Mounted::Done => Ok(true),
                Mounted::Upload(upload) => {
                    // The peer forgets it by itself if this fails.
                    let _ = self.0.cancel_upload(&origin, upload).await;
                    Ok(false)
                }
            }
        })
    }

    fn push_blob<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
        size: u64,
        blob: Outgoing,
    ) -> BoxFuture<'a, Result<(), PeerError>> {
        Box::pin(async move {
            let blob = blob.map(|chunk| chunk.map_err(Into::into)).boxed();
            let origin = origin_of(peer);
            let pushed = self.0.push_blob(&origin, repository, digest.as_str(), size, blob);
            pushed.await.map_err(peer_error_of)
        })
    }

    fn put_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
        media_type: &'a str,
        bytes: Bytes,
        condition: &'a TagCondition,
    ) -> BoxFuture<'a, Result<(), PeerError>> {
        Box::pin(async move {
            let (origin, reference) = (origin_of(peer), reference.as_str());
            let condition = condition_of(condition);
            let put =
                self.0.put_manifest(&origin, repository, reference, media_type, bytes, condition);
            put.await.map_err(peer_error_of)
        })
    }

    fn delete_manifest<'a>(
        &'a self,
        peer: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
        condition: &'a TagCondition,
    ) -> BoxFuture<'a, Result<bool, PeerError>> {
        Box::pin(async move {
            let (origin, condition) = (origin_of(peer), condition_of(condition));
            let removed =
                self.0.delete_manifest(&origin, repository, reference.as_str(), condition);
            removed.await.map_err(peer_error_of)
        })
    }
}

fn condition_of(condition: &TagCondition) -> registry::Condition<'_> {
    match condition {
        TagCondition::None => registry::Condition::None,
        TagCondition::Absent => registry::Condition::Absent,
        TagCondition::Names(digest) => registry::Condition::Names(digest.as_str()),
    }
}

fn peer_error_of(error: registry::Error) -> PeerError {
    match error {
        registry::Error::Source { host, cause } => PeerError::Source(host, cause),
        error => error_of(error).into(),
    }
}

fn origin_of(origin: &Origin) -> registry::Origin {
    let credentials = origin.credentials.as_ref().map(|credentials| registry::Credentials {
        username: credentials.username.clone(),
        password: credentials.password.clone(),
    });
    registry::Origin { url: origin.url.clone(), credentials }
}

fn quota_of(quota: registry::Quota) -> Quota {
    Quota { limit: quota.limit, remaining: quota.remaining }
}

fn digest_of(text: &str) -> Result<Digest, UpstreamError> {
    Digest::parse(text).map_err(|error| UpstreamError::Invalid(error.to_string()))
}

pub(super) fn error_of(error: registry::Error) -> UpstreamError {
    match error {
        registry::Error::NotFound(host) => UpstreamError::NotFound(host),
        registry::Error::Denied(host) => UpstreamError::Denied(host),
        registry::Error::TooManyRequests { host, retry_after } => {
            UpstreamError::TooManyRequests { host, retry_after }
        }
        registry::Error::Unavailable(text) => UpstreamError::Unavailable(text),
        // Asked again, it is another question.
        error @ registry::Error::Changed(_) => UpstreamError::Unavailable(error.to_string()),
        registry::Error::Forbidden(text) => UpstreamError::Forbidden(text),
        registry::Error::Invalid(text) => UpstreamError::Invalid(text),
        // Only what is sent has a source.
        error @ registry::Error::Source { .. } => UpstreamError::Invalid(error.to_string()),
    }
}
