//! What refers to a manifest (OCI distribution specification, "Listing Referrers").

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use serde_json::{Map, Value};

use super::Registries;
use super::answer::Answer;
use super::ask::Question;
use super::error::Error;
use super::headers;
use super::place::{self, Origin, Place};
use super::scope::{Rights, Scope};
use crate::target::{Target, resolve};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Pages of one list.
const PAGES_MAX: usize = 64;

impl Registries {
    /// The manifests that refer to a digest: the bytes of an image index, all pages of it in one.
    /// A registry without such lists is asked for the tag that stands in for one. None when it has
    /// neither.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn referrers(
        &self,
        origin: &Origin,
        repository: &str,
        digest: &str,
    ) -> Result<Option<Bytes>, Error> {
        let work = async {
            let place = Place::of(origin)?;
            let (name, digest) = (place::repository(repository)?, place::known_digest(digest)?);
            let scope = Scope::of(name, Rights::Pull);
            let uri = place.url(&format!("{name}/referrers/{digest}"))?;
            match self.pages(&place, &scope, uri).await? {
                Some(index) => Ok(Some(index)),
                None => self.tagged(&place, name, digest).await,
            }
        };
        self.in_time(origin, work).await
    }

    async fn pages(
        &self,
        place: &Place,
        scope: &Scope,
        mut uri: Uri,
    ) -> Result<Option<Bytes>, Error> {
        let mut merged: Option<Map<String, Value>> = None;
        let mut left = self.limits.referrers_bytes_max;
        for page in 0..PAGES_MAX {
            let question = Question::new(place, scope, Method::GET, uri.clone()).accepting(INDEX);
            let answer = self.ask(question).await?;
            let is_index = headers::media_type(answer.headers()).as_deref() == Some(INDEX);
            match answer.status() {
                // Registries that do not know the route answer in many ways.
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if page == 0 => {
                    answer.drain().await;
                    return Ok(None);
                }
                StatusCode::OK if is_index => {}
                StatusCode::OK if page == 0 => {
                    answer.drain().await;
                    return Ok(None);
                }
                StatusCode::OK => return Err(answer.invalid("sent a page that is no index")),
                _ => return Err(answer.refuse().await),
            }
            let next = next_page(place, &uri, &answer)?;
            let host = answer.host.clone();
            let bytes = answer.collect(left, self.limits.stall).await?;
            left -= bytes.len();
            if next.is_none() && merged.is_none() {
                return Ok(Some(bytes));
            }
            let wrong = || Error::Invalid(format!("{host} sent a page that is no index"));
            let index: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
            match &mut merged {
                None => merged = Some(index),
                Some(merged) => append(merged, index).ok_or_else(wrong)?,
            }
            match next {
                Some(next) => uri = next,
                None => {
                    return Ok(merged.map(|index| Bytes::from(Value::Object(index).to_string())));
                }
            }
        }
        Err(Error::Invalid(format!("{} sends pages without end", place.name())))
    }

    async fn tagged(
        &self,
        place: &Place,
        repository: &str,
        digest: &str,
    ) -> Result<Option<Bytes>, Error> {
        let tag: String = digest.replace(':', "-").chars().take(128).collect();
        let answer = match self.ask_manifest(place, Method::GET, repository, &tag).await {
            Ok(answer) => answer,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if headers::media_type(answer.headers()).as_deref() != Some(INDEX) {
            return Ok(None);
        }
        answer.collect(self.limits.referrers_bytes_max, self.limits.stall).await.map(Some)
    }
}

/// The next page, if there is one; it must be of the same registry.
fn next_page(place: &Place, uri: &Uri, answer: &Answer) -> Result<Option<Uri>, Error> {
    let Some(next) = headers::next_page(answer.headers()) else { return Ok(None) };
    let elsewhere = || answer.invalid("has the next page elsewhere");
    let next = resolve(uri, next).map_err(|_| elsewhere())?;
    let target = Target::of(&next).map_err(|_| elsewhere())?;
    if target.is_same_server(&place.target) { Ok(Some(next)) } else { Err(elsewhere()) }
}

fn append(index: &mut Map<String, Value>, mut page: Map<String, Value>) -> Option<()> {
    let Some(Value::Array(more)) = page.remove("manifests") else { return None };
    index.get_mut("manifests")?.as_array_mut()?.extend(more);
    Some(())
}
