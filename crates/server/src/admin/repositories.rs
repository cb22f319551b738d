//! What the socket answers about repositories.

use http::StatusCode;
use tonnage_domain::accounts;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::images::list_tag_history::ListTagHistory;
use tonnage_domain::names::{Region, RepositoryName, Tag};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::repositories::put_sparse_manifests::PutSparseManifests;
use tonnage_domain::repositories::rename::RenameRepository;

use super::server::{Admin, Answer, json, malformed, parse_id};
use super::{NewName, SparseManifests, TagMove, TagMoves};

/// Moves of tags of one answer.
const MOVES: u32 = 100;

impl Admin {
    /// A request of the root of an account to its registry in a region: the socket acts for whichever
    /// account is meant.
    pub(super) async fn context_in(
        &self,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Result<RequestContext, Error> {
        let mut context = self.context().await?;
        if let Some(account) = account.map(parse_id).transpose()?
            && account != context.principal.account
        {
            context.principal = accounts::root_of(&self.app, &account).await?;
            context.account = account;
        }
        if let Some(region) = region {
            context.region =
                Region::parse(region).map_err(|error| Error::invalid_parameter("region", error))?;
        }
        Ok(context)
    }

    pub(super) async fn put_sparse_manifests(
        &self,
        given: SparseManifests,
    ) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let name = name("repository", &given.repository)?;
        let repository = RepositoryAddress::new(&context, None, name);
        let operation = PutSparseManifests { repository, allowed: given.allowed };
        execute(&self.app, &context, operation).await?;
        Ok(json(StatusCode::OK, &given))
    }

    pub(super) async fn list_tag_history(&self, query: &str) -> Result<Answer, Error> {
        let value = |key: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
        };
        let (account, region) = (value("account"), value("region"));
        let context = self.context_in(account.as_deref(), region.as_deref()).await?;
        let repository = value("repository").ok_or_else(|| malformed("a repository"))?;
        let name = name("repository", &repository)?;
        let tag = value("tag")
            .map(|tag| Tag::parse(&tag).map_err(|error| Error::invalid_parameter("tag", error)));
        let operation = ListTagHistory {
            repository: RepositoryAddress::new(&context, None, name),
            tag: tag.transpose()?,
            page: PageRequest { after: value("after"), limit: MOVES },
        };
        let page = execute(&self.app, &context, operation).await?;
        let moves = page.items.into_iter().map(|moved| TagMove {
            at: moved.at.timestamp().to_string(),
            tag: moved.tag.to_string(),
            digest: moved.digest.map(|digest| digest.to_string()),
            previous: moved.previous.map(|digest| digest.to_string()),
            principal: moved.principal_arn,
        });
        Ok(json(StatusCode::OK, &TagMoves { moves: moves.collect(), next: page.next }))
    }

    pub(super) async fn rename_repository(&self, given: NewName) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let old = name("repository", &given.repository)?;
        let repository = RepositoryAddress::new(&context, None, old);
        let new_name = name("new_name", &given.new_name)?;
        execute(&self.app, &context, RenameRepository { repository, new_name }).await?;
        Ok(json(StatusCode::OK, &given))
    }
}

pub(super) fn name(field: &'static str, text: &str) -> Result<RepositoryName, Error> {
    RepositoryName::parse(text).map_err(|error| Error::invalid_parameter(field, error))
}
