//! What the socket answers about the pull-through cache.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::names::{Reference, Tag};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::pull_through::import_image::ImportUpstreamImage;
use tonnage_domain::repositories::RepositoryAddress;

use super::repositories::name;
use super::server::{Admin, Answer, json};

/// Tags of one answer: each may take as long as its upstream.
const PAGE: u32 = 5;

/// What `POST /pull-through/refresh` takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    /// The account of the repository; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// The repository.
    pub(crate) repository: String,
    /// One tag; the next few that are there when absent.
    pub(crate) tag: Option<String>,
    /// Where an earlier answer left off.
    pub(crate) after: Option<String>,
}

/// What came of a tag.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefreshedTag {
    /// The tag.
    pub(crate) tag: String,
    /// What it names now, if anything.
    pub(crate) digest: Option<String>,
    /// Whether it named something else, or nothing, before.
    pub(crate) is_new: bool,
    /// Why its upstream did not say.
    pub(crate) failure: Option<String>,
}

/// What `POST /pull-through/refresh` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refreshed {
    /// By name.
    pub(crate) tags: Vec<RefreshedTag>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

impl Admin {
    pub(super) async fn refresh_cache(&self, given: Refresh) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let name = name("repository", &given.repository)?;
        let repository = RepositoryAddress::new(&context, None, name);
        let (tags, next) = match given.tag {
            Some(tag) => {
                let tag =
                    Tag::parse(&tag).map_err(|error| Error::invalid_parameter("tag", error))?;
                (vec![tag], None)
            }
            None => {
                let page = PageRequest { after: given.after, limit: PAGE };
                let list = ListTags { repository: repository.clone(), page };
                let listed = execute(&self.app, &context, list).await?;
                (listed.items, listed.next)
            }
        };
        let mut refreshed = Vec::new();
        for tag in tags {
            refreshed.push(self.refresh_tag(&context, &repository, tag).await);
        }
        Ok(json(StatusCode::OK, &Refreshed { tags: refreshed, next }))
    }

    async fn refresh_tag(
        &self,
        context: &RequestContext,
        repository: &RepositoryAddress,
        tag: Tag,
    ) -> RefreshedTag {
        let context = RequestContext { now: self.app.clock.now(), ..context.clone() };
        let text = tag.to_string();
        let reference = Reference::Tag(tag);
        let digest = async || {
            let get = GetManifest {
                repository: repository.clone(),
                reference: reference.clone(),
                counts_as_pull: false,
            };
            execute(&self.app, &context, get).await.ok().map(|found| found.digest.to_string())
        };
        let before = digest().await;
        let import = ImportUpstreamImage {
            repository: repository.clone(),
            reference: reference.clone(),
            is_forced: true,
        };
        let imported = execute(&self.app, &context, import).await;
        let after = digest().await;
        RefreshedTag {
            tag: text,
            is_new: after != before,
            digest: after,
            failure: imported.err().map(|error| error.message().to_owned()),
        }
    }
}
