//! An upstream registry in memory, which also does what no registry should.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio::sync::watch;
use tonnage_domain::names::{Digest, Reference};
use tonnage_domain::pull_through::upstream::{
    Blob as Answer, Manifest, ManifestHead, Origin, Quota, UpstreamError, Upstreams,
};

use crate::content::{Blob, Pushed};

/// How the next answer is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotFound,
    Denied,
    TooMany,
    Down,
    Forbidden,
    Invalid,
}

impl Fault {
    fn error(self) -> UpstreamError {
        let host = "quay.io".to_owned();
        match self {
            Self::NotFound => UpstreamError::NotFound(host),
            Self::Denied => UpstreamError::Denied(host),
            Self::TooMany => {
                UpstreamError::TooManyRequests { host, retry_after: Some(Duration::from_secs(120)) }
            }
            Self::Down => UpstreamError::Unavailable(format!("{host} cannot be reached")),
            Self::Forbidden => UpstreamError::Forbidden(format!("{host} is not to be asked")),
            Self::Invalid => UpstreamError::Invalid(format!("{host} redirects too often")),
        }
    }
}

#[derive(Default)]
struct State {
    manifests: HashMap<(String, String), (Bytes, Option<String>)>,
    blobs: HashMap<(String, String), Bytes>,
    referrers: HashMap<(String, String), Bytes>,
    faults: VecDeque<Fault>,
    is_down: Option<Fault>,
    asked: Vec<String>,
    says_no_sizes: bool,
    quota: Option<Quota>,
}

/// The upstream; its log says what was asked.
pub(crate) struct Fake {
    state: Mutex<State>,
    /// How many bytes of each blob are sent so far.
    released: watch::Sender<usize>,
}

impl Default for Fake {
    fn default() -> Self {
        Self { state: Mutex::default(), released: watch::Sender::new(usize::MAX) }
    }
}

impl Fake {
    pub(crate) fn push(&self, repository: &str, image: &Pushed, tags: &[&str]) {
        for reference in tags.iter().copied().chain([image.digest.as_str()]) {
            self.set_manifest(repository, reference, &image.bytes, None);
        }
    }

    pub(crate) fn push_blob(&self, repository: &str, blob: &Blob) {
        self.set_blob(repository, &blob.digest, &blob.bytes);
    }

    /// What it answers for a reference, right or wrong.
    pub(crate) fn set_manifest(
        &self,
        repository: &str,
        reference: &str,
        bytes: &Bytes,
        media_type: Option<&str>,
    ) {
        let media_type = media_type.map(str::to_owned);
        let key = (repository.to_owned(), reference.to_owned());
        self.state.lock().unwrap().manifests.insert(key, (bytes.clone(), media_type));
    }

    /// What it answers for a digest, right or wrong.
    pub(crate) fn set_blob(&self, repository: &str, digest: &Digest, bytes: &Bytes) {
        let key = (repository.to_owned(), digest.to_string());
        self.state.lock().unwrap().blobs.insert(key, bytes.clone());
    }

    pub(crate) fn set_referrers(&self, repository: &str, subject: &Digest, bytes: &Bytes) {
        let key = (repository.to_owned(), subject.to_string());
        self.state.lock().unwrap().referrers.insert(key, bytes.clone());
    }

    pub(crate) fn remove(&self, repository: &str) {
        let mut state = self.state.lock().unwrap();
        state.manifests.retain(|(of, _), _| of != repository);
        state.blobs.retain(|(of, _), _| of != repository);
    }

    /// The next answer is this.
    pub(crate) fn fail(&self, fault: Fault) {
        self.state.lock().unwrap().faults.push_back(fault);
    }

    /// All answers are this until it is well again.
    pub(crate) fn set_down(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().is_down = fault;
    }

    pub(crate) fn say_no_sizes(&self) {
        self.state.lock().unwrap().says_no_sizes = true;
    }

    /// Bodies go on to this many bytes and wait there.
    pub(crate) fn release(&self, bytes: usize) {
        self.released.send_replace(bytes);
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// What every answer says from now on.
    pub(crate) fn say_quota(&self, limit: u64, remaining: u64) {
        self.state.lock().unwrap().quota = Some(Quota { limit, remaining });
    }

    fn quota(&self) -> Option<Quota> {
        self.state.lock().unwrap().quota
    }

    fn ask(&self, origin: &Origin, what: String) -> Result<(), UpstreamError> {
        assert_eq!(origin.url, "https://quay.io");
        let mut state = self.state.lock().unwrap();
        state.asked.push(what);
        let fault = state.faults.pop_front().or(state.is_down);
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn found(&self, repository: &str, reference: &Reference) -> Result<Manifest, UpstreamError> {
        let key = (repository.to_owned(), reference.to_string());
        let found = self.state.lock().unwrap().manifests.get(&key).cloned();
        let (bytes, media_type) = found.ok_or_else(|| Fault::NotFound.error())?;
        let digest = Digest::of_sha256(&bytes);
        Ok(Manifest { bytes, media_type, digest, quota: self.quota() })
    }
}

impl Upstreams for Fake {
    fn check<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, Result<(), UpstreamError>> {
        Box::pin(async move { self.ask(origin, "check".to_owned()) })
    }

    fn head_manifest<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, UpstreamError>> {
        Box::pin(async move {
            self.ask(origin, format!("HEAD {repository}:{reference}"))?;
            let found = self.found(repository, reference)?;
            Ok(ManifestHead { digest: Some(found.digest), quota: found.quota })
        })
    }

    fn manifest<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Manifest, UpstreamError>> {
        Box::pin(async move {
            self.ask(origin, format!("GET {repository}:{reference}"))?;
            self.found(repository, reference)
        })
    }

    fn blob<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Answer, UpstreamError>> {
        Box::pin(async move {
            self.ask(origin, format!("GET {repository}@{digest}"))?;
            let key = (repository.to_owned(), digest.to_string());
            let (bytes, says_no_sizes) = {
                let state = self.state.lock().unwrap();
                (state.blobs.get(&key).cloned(), state.says_no_sizes)
            };
            let bytes = bytes.ok_or_else(|| Fault::NotFound.error())?;
            let size = (!says_no_sizes).then_some(bytes.len() as u64);
            Ok(Answer { size, body: Box::pin(body(bytes, self.released.subscribe())) })
        })
    }

    fn referrers<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Bytes>, UpstreamError>> {
        Box::pin(async move {
            self.ask(origin, format!("referrers {repository}@{digest}"))?;
            let key = (repository.to_owned(), digest.to_string());
            Ok(self.state.lock().unwrap().referrers.get(&key).cloned())
        })
    }
}

/// Chunks, each as soon as it is released; then it breaks off where nobody can release any more.
fn body(
    bytes: Bytes,
    released: watch::Receiver<usize>,
) -> impl futures_util::Stream<Item = Result<Bytes, UpstreamError>> + Send {
    const CHUNK: usize = 50_000;
    stream::try_unfold((bytes, 0, released), |(bytes, sent, mut released)| async move {
        if sent == bytes.len() {
            return Ok(None);
        }
        let waited = released.wait_for(|&now| now > sent).await;
        let now = *waited.map_err(|_| Fault::Down.error())?;
        let end = bytes.len().min(sent + CHUNK).min(now);
        Ok(Some((bytes.slice(sent..end), (bytes, end, released))))
    })
}

pub(crate) fn fake() -> Arc<Fake> {
    Arc::default()
}
