//! What is read from a registry.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::answer::{Answer, Blob};
use super::ask::Question;
use super::error::Error;
use super::headers::{self, Quota};
use super::place::{self, Origin, Place};
use super::scope::{Rights, Scope};
use super::{Registries, digest};

/// Every kind of manifest but the first one of Docker, which has no digest of its own bytes.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
                         application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

/// What a manifest is, without its bytes.
#[derive(Clone, Debug)]
pub struct ManifestHead {
    /// Its digest, if the registry says it in an algorithm that is known.
    pub digest: Option<String>,
    /// `Content-Type` without parameters, if the registry says it.
    pub media_type: Option<String>,
    /// `Content-Length`, if the registry says it.
    pub size: Option<u64>,
    /// What may still be asked, if the registry says it.
    pub quota: Option<Quota>,
}

/// A manifest whose digest was verified where the request or the registry named one.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The bytes.
    pub bytes: Bytes,
    /// `Content-Type` without parameters, if the registry says it.
    pub media_type: Option<String>,
    /// The digest that was asked for, or SHA-256 of the bytes.
    pub digest: String,
    /// What may still be asked, if the registry says it.
    pub quota: Option<Quota>,
}

impl Registries {
    /// Whether the registry answers and takes the credentials (`GET /v2/`). One that lets anybody
    /// in does not look at them.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn check(&self, origin: &Origin) -> Result<(), Error> {
        let work = async {
            let place = Place::of(origin)?;
            let scope = Scope::login();
            let question = Question::new(&place, &scope, Method::GET, place.url("")?);
            let answer = expect_ok(self.ask(question).await?).await?;
            answer.drain().await;
            Ok(())
        };
        self.in_time(origin, work).await
    }

    /// What a manifest is (`HEAD`).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn head_manifest(
        &self,
        origin: &Origin,
        repository: &str,
        reference: &str,
    ) -> Result<ManifestHead, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let answer = self.ask_manifest(&place, Method::HEAD, repository, reference).await?;
            let digest = headers::digest(answer.headers());
            if digest::is_known(reference) && digest.is_some_and(|digest| digest != reference) {
                return Err(answer.invalid("says another digest than the one asked for"));
            }
            Ok(ManifestHead {
                digest: digest.map(ToOwned::to_owned),
                media_type: headers::media_type(answer.headers()),
                size: headers::length(answer.headers()),
                quota: headers::quota(answer.headers()),
            })
        };
        self.in_time(origin, work).await
    }

    /// A manifest.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Invalid`] when the bytes do not have the digest that was asked for, or
    /// the one that the registry says.
    pub async fn manifest(
        &self,
        origin: &Origin,
        repository: &str,
        reference: &str,
    ) -> Result<Manifest, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let answer = self.ask_manifest(&place, Method::GET, repository, reference).await?;
            let said = headers::digest(answer.headers()).map(ToOwned::to_owned);
            let media_type = headers::media_type(answer.headers());
            let quota = headers::quota(answer.headers());
            let host = answer.host.clone();
            let bytes = answer.collect(self.limits.manifest_bytes_max, self.limits.stall).await?;
            let asked = digest::is_known(reference).then_some(reference);
            for expected in [asked, said.as_deref()].into_iter().flatten() {
                if !digest::is_of(expected, &bytes) {
                    let text = format!("{host} sent a manifest whose digest is not {expected}");
                    return Err(Error::Invalid(text));
                }
            }
            let digest = asked.map_or_else(|| digest::sha256(&bytes), ToOwned::to_owned);
            Ok(Manifest { bytes, media_type, digest, quota })
        };
        self.in_time(origin, work).await
    }

    /// A blob, as it arrives. It holds a connection until it was read or is dropped.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn blob(
        &self,
        origin: &Origin,
        repository: &str,
        digest: &str,
    ) -> Result<Blob, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let (name, digest) = (place::repository(repository)?, place::known_digest(digest)?);
            let scope = Scope::of(name, Rights::Pull);
            let uri = place.url(&format!("{name}/blobs/{digest}"))?;
            let answer = self.ask(Question::new(&place, &scope, Method::GET, uri)).await?;
            expect_ok(answer).await?.stream(self.limits.stall)
        };
        self.in_time(origin, work).await
    }

    pub(super) async fn ask_manifest(
        &self,
        place: &Place,
        method: Method,
        repository: &str,
        reference: &str,
    ) -> Result<Answer, Error> {
        let (name, reference) = (place::repository(repository)?, place::reference(reference)?);
        let scope = Scope::of(name, Rights::Pull);
        let uri = place.url(&format!("{name}/manifests/{reference}"))?;
        let question = Question::new(place, &scope, method, uri).accepting(MANIFESTS);
        expect_ok(self.ask(question).await?).await
    }
}

pub(super) async fn expect_ok(answer: Answer) -> Result<Answer, Error> {
    match answer.status() {
        StatusCode::OK => Ok(answer),
        _ => Err(answer.refuse().await),
    }
}
