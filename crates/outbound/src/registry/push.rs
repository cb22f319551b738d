//! What is written to a registry.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt as _;

use super::answer::Answer;
use super::ask::{Body, Question};
use super::error::Error;
use super::place::{self, Origin, Place};
use super::scope::{Rights, Scope};
use super::source::Source;
use super::{Registries, digest, headers};
use crate::connection::BoxError;
use crate::target::{self, Target, resolve};

/// What a tag or a digest is to name before a change (`If-None-Match`, `If-Match`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Anything.
    None,
    /// Nothing.
    Absent,
    /// The manifest of this digest.
    Names(&'a str),
}

/// An upload that was begun and is not finished. It goes on at the origin where it was begun.
#[derive(Debug)]
pub struct Upload {
    uri: Uri,
    /// What one logged in for: bytes that are sent once cannot wait for another login.
    scope: Scope,
    /// Bytes that the registry has.
    received: u64,
}

/// What came of a mount.
#[derive(Debug)]
pub enum Mounted {
    /// The blob is there.
    Done,
    /// The registry did not mount it and began an upload instead.
    Upload(Upload),
}

impl Registries {
    /// Uploads a blob of `size` bytes. An upload that fails is given up.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Source`] when the stream fails or has another length,
    /// [`Error::Invalid`] when its bytes do not have the digest.
    pub async fn push_blob(
        &self,
        origin: &Origin,
        repository: &str,
        digest: &str,
        size: u64,
        stream: BoxStream<'static, Result<Bytes, BoxError>>,
    ) -> Result<(), Error> {
        let upload = self.start_upload(origin, repository).await?;
        let given_up = Upload { uri: upload.uri.clone(), scope: upload.scope.clone(), received: 0 };
        let sent = async {
            let upload = self.patch_upload(origin, upload, size, stream).await?;
            self.finish_upload(origin, upload, digest).await
        };
        let sent = sent.await;
        if sent.is_err() {
            // The registry forgets it by itself if this fails.
            let _ = self.cancel_upload(origin, given_up).await;
        }
        sent
    }

    /// Whether a repository has a blob.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn has_blob(
        &self,
        origin: &Origin,
        repository: &str,
        digest: &str,
    ) -> Result<bool, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let (name, digest) = (place::repository(repository)?, place::known_digest(digest)?);
            let scope = Scope::of(name, Rights::Push);
            let uri = place.url(&format!("{name}/blobs/{digest}"))?;
            let answer = self.ask(Question::new(&place, &scope, Method::HEAD, uri)).await?;
            match answer.status() {
                StatusCode::OK => Ok(true),
                StatusCode::NOT_FOUND => Ok(false),
                _ => Err(answer.refuse().await),
            }
        };
        self.in_time(origin, work).await
    }

    /// Gives a repository a blob that another repository of the registry has. Repeating it changes
    /// nothing.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn mount(
        &self,
        origin: &Origin,
        repository: &str,
        digest: &str,
        from: &str,
    ) -> Result<Mounted, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let (name, digest) = (place::repository(repository)?, place::known_digest(digest)?);
            let from = place::repository(from)?;
            let scope = Scope::of(name, Rights::Push).with_source(from);
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("mount", digest)
                .append_pair("from", from)
                .finish();
            let uri = place.url(&format!("{name}/blobs/uploads/?{query}"))?;
            let question = Question::new(&place, &scope, Method::POST, uri.clone());
            let answer = self.ask(question).await?;
            match answer.status() {
                StatusCode::CREATED => {
                    answer.drain().await;
                    Ok(Mounted::Done)
                }
                StatusCode::ACCEPTED => {
                    let uri = place_of_upload(&place, &uri, answer).await?;
                    Ok(Mounted::Upload(Upload { uri, scope, received: 0 }))
                }
                _ => Err(answer.refuse().await),
            }
        };
        self.in_time(origin, work).await
    }

    /// Begins the upload of a blob.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start_upload(&self, origin: &Origin, repository: &str) -> Result<Upload, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let name = place::repository(repository)?;
            let scope = Scope::of(name, Rights::Push);
            let uri = place.url(&format!("{name}/blobs/uploads/"))?;
            let question = Question::new(&place, &scope, Method::POST, uri.clone());
            let answer = expect(self.ask(question).await?, StatusCode::ACCEPTED).await?;
            let uri = place_of_upload(&place, &uri, answer).await?;
            Ok(Upload { uri, scope, received: 0 })
        };
        self.in_time(origin, work).await
    }

    /// Sends the next `size` bytes of an upload. The stream must have so many; it is read as the
    /// registry takes it, however long that takes in all, but no chunk may take longer than the
    /// head of an answer.
    ///
    /// # Errors
    /// [`Error`]; after any, the upload is over. [`Error::Source`] when the stream fails or has
    /// another length.
    pub async fn patch_upload(
        &self,
        origin: &Origin,
        upload: Upload,
        size: u64,
        stream: BoxStream<'static, Result<Bytes, BoxError>>,
    ) -> Result<Upload, Error> {
        if size == 0 {
            return Ok(upload);
        }
        let place = Place::of(origin)?;
        let Upload { uri, scope, received } = upload;
        let end = received.saturating_add(size);
        let range = HeaderValue::from_str(&format!("{received}-{}", end - 1));
        let range = range.map_err(|_| Error::Invalid("a range without end".to_owned()))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_RANGE, range);
        let body = Body::Stream { headers, payload: Source::new(stream, size).boxed_unsync() };
        let question = Question::new(&place, &scope, Method::PATCH, uri.clone()).with(body);
        let answer = expect(self.ask(question).await?, StatusCode::ACCEPTED).await?;
        let uri = place_of_upload(&place, &uri, answer).await?;
        Ok(Upload { uri, scope, received: end })
    }

    /// Makes a blob of an upload; the registry verifies its digest.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Invalid`] when the bytes do not have the digest.
    pub async fn finish_upload(
        &self,
        origin: &Origin,
        upload: Upload,
        digest: &str,
    ) -> Result<(), Error> {
        let work = async {
            let place = Place::of(origin)?;
            let digest = place::known_digest(digest)?;
            let scope = upload.scope;
            let uri = upload.uri.to_string();
            let separator = if upload.uri.query().is_some() { '&' } else { '?' };
            let uri = target::parse(&format!("{uri}{separator}digest={digest}"))?;
            let question = Question::new(&place, &scope, Method::PUT, uri);
            let answer = expect(self.ask(question).await?, StatusCode::CREATED).await?;
            if headers::digest(answer.headers()).is_some_and(|said| said != digest) {
                return Err(answer.invalid("took a blob under another digest"));
            }
            answer.drain().await;
            Ok(())
        };
        self.in_time(origin, work).await
    }

    /// Gives an upload up. The registry forgets uploads by itself, too.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn cancel_upload(&self, origin: &Origin, upload: Upload) -> Result<(), Error> {
        let work = async {
            let place = Place::of(origin)?;
            let Upload { uri, scope, .. } = upload;
            let question = Question::new(&place, &scope, Method::DELETE, uri);
            let answer = self.ask(question).await?;
            match answer.status() {
                StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => {
                    answer.drain().await;
                    Ok(())
                }
                _ => Err(answer.refuse().await),
            }
        };
        self.in_time(origin, work).await
    }

    /// Puts a manifest under a tag or its digest, while the condition holds of that; registries that
    /// know no conditions put it in any case. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Changed`] where the condition does not hold, [`Error::Invalid`] when the bytes do not have the digest that they are to be put
    /// under, or the registry says that they have another one.
    pub async fn put_manifest(
        &self,
        origin: &Origin,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
        condition: Condition<'_>,
    ) -> Result<(), Error> {
        let work = async {
            let place = Place::of(origin)?;
            let (name, reference) = (place::repository(repository)?, place::reference(reference)?);
            if digest::is_known(reference) && !digest::is_of(reference, &bytes) {
                return Err(Error::Invalid(format!("the manifest does not have {reference}")));
            }
            let wrong = |_| Error::Invalid("a manifest has no such media type".to_owned());
            let media_type = HeaderValue::from_str(media_type).map_err(wrong)?;
            let scope = Scope::of(name, Rights::Push);
            let uri = place.url(&format!("{name}/manifests/{reference}"))?;
            let body = Body::Whole { media_type, bytes: bytes.clone() };
            let question = Question::new(&place, &scope, Method::PUT, uri).with(body);
            let answer = self.ask(question.only(condition)?).await?;
            let answer = expect(answer, StatusCode::CREATED).await?;
            if headers::digest(answer.headers()).is_some_and(|said| !digest::is_of(said, &bytes)) {
                return Err(answer.invalid("took a manifest under another digest"));
            }
            answer.drain().await;
            Ok(())
        };
        self.in_time(origin, work).await
    }

    /// Removes a manifest by its digest, or a tag where the registry allows that, while the condition
    /// holds of it, as in [`Self::put_manifest`]. False when it was not there.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Changed`] where the condition does not hold.
    pub async fn delete_manifest(
        &self,
        origin: &Origin,
        repository: &str,
        reference: &str,
        condition: Condition<'_>,
    ) -> Result<bool, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let (name, reference) = (place::repository(repository)?, place::reference(reference)?);
            let scope = Scope::of(name, Rights::Delete);
            let uri = place.url(&format!("{name}/manifests/{reference}"))?;
            let question = Question::new(&place, &scope, Method::DELETE, uri).only(condition)?;
            let answer = self.ask(question).await?;
            let removed = match answer.status() {
                StatusCode::ACCEPTED => true,
                StatusCode::NOT_FOUND => false,
                _ => return Err(answer.refuse().await),
            };
            answer.drain().await;
            Ok(removed)
        };
        self.in_time(origin, work).await
    }
}

async fn expect(answer: Answer, status: StatusCode) -> Result<Answer, Error> {
    if answer.status() == status { Ok(answer) } else { Err(answer.refuse().await) }
}

/// Where an upload goes on. It stays with the registry: what is sent there comes with a login.
async fn place_of_upload(place: &Place, uri: &Uri, answer: Answer) -> Result<Uri, Error> {
    let elsewhere = || answer.invalid("goes on with an upload elsewhere");
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let next = resolve(uri, location.ok_or_else(elsewhere)?).map_err(|_| elsewhere())?;
    let target = Target::of(&next).map_err(|_| elsewhere())?;
    if !target.is_same_server(&place.target) {
        return Err(elsewhere());
    }
    answer.drain().await;
    Ok(next)
}
