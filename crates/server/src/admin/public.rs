//! What the socket answers about public registries.

use form_urlencoded::parse;
use http::StatusCode;
use tonnage_domain::error::Error;
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::gallery::get_pull_statistics::GetPullStatistics;
use tonnage_domain::gallery::pulls;
use tonnage_domain::names::{AccountId, Region, RepositoryName};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, ListPublicAliases, RequestPublicAlias, SetPrimaryPublicAlias,
    VerifyPublicRegistry,
};
use tonnage_domain::public::aliases::{self, AliasName};
use tonnage_domain::repositories::RepositoryAddress;

use super::server::{Admin, Answer, json};
use super::{PublicAlias, PublicAliases, PullCount, PullCounts};

/// Aliases of one answer.
const PAGE: u32 = 500;

impl Admin {
    pub(super) async fn list_public_aliases(&self, query: &str) -> Result<Answer, Error> {
        let after = parse(query.as_bytes()).find(|(name, _)| name == "after");
        let operation = ListPublicAliases {
            management_account: self.app.management_account,
            page: PageRequest { after: after.map(|(_, value)| value.into_owned()), limit: PAGE },
        };
        let page = execute(&self.app, &self.context().await?, operation).await?;
        let aliases = page.items.iter().map(shown).collect();
        Ok(json(StatusCode::OK, &PublicAliases { aliases, next: page.next }))
    }

    /// `verb` is `request`, `approve`, `reject` or `primary`.
    pub(super) async fn change_public_alias(
        &self,
        account: &str,
        name: &str,
        verb: &str,
    ) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let account = parse_account(account)?;
        let name = AliasName::parse(name).ok_or_else(|| {
            Error::invalid_parameter(
                "alias",
                format_args!(
                    "2 to {} characters that match {}",
                    AliasName::MAXIMUM_LENGTH,
                    AliasName::PATTERN
                ),
            )
        })?;
        let decide = |decision| {
            let name = name.clone();
            DecidePublicAlias { management_account, account, name, decision }
        };
        match verb {
            "request" => {
                let name = name.clone();
                self.answer_alias(RequestPublicAlias { management_account, account, name }).await
            }
            "approve" => self.answer_alias(decide(Decision::Approve)).await,
            "reject" => self.answer_alias(decide(Decision::Reject)).await,
            _ => {
                let name = name.clone();
                let operation = SetPrimaryPublicAlias { management_account, account, name };
                self.answer_alias(operation).await
            }
        }
    }

    async fn answer_alias<O: Operation<Output = aliases::Alias>>(
        &self,
        operation: O,
    ) -> Result<Answer, Error> {
        let alias = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &shown(&alias)))
    }

    /// Acts for the root of the account whose repository it is.
    pub(super) async fn get_pull_statistics(
        &self,
        account: &str,
        query: &str,
    ) -> Result<Answer, Error> {
        let given = |wanted: &str| {
            let mut pairs = parse(query.as_bytes()).filter(|(name, _)| name == wanted);
            pairs.next().map(|(_, value)| value.into_owned())
        };
        let mut context = self.context_in(Some(account), None).await?;
        context.region = Region::global();
        let name = RepositoryName::parse_public(&given("repository").unwrap_or_default())
            .map_err(|error| Error::invalid_parameter("repository", error))?;
        let days = given("days").unwrap_or_else(|| "30".to_owned()).parse();
        let days = days.map_err(|error| Error::invalid_parameter("days", error))?;
        let operation = GetPullStatistics {
            repository: RepositoryAddress::new(&context, None, name),
            days,
            page: PageRequest { after: given("after"), limit: PAGE },
        };
        let page = execute(&self.app, &context, operation).await?;
        let counts = page.items.into_iter().map(|count| PullCount {
            day: pulls::start_of(count.day).timestamp().strftime("%Y-%m-%d").to_string(),
            tag: count.tag,
            digest: count.digest.to_string(),
            platform: count.platform,
            pulls: count.pulls,
        });
        let (counts, next) = (counts.collect(), page.next);
        Ok(json(StatusCode::OK, &PullCounts { counts, next }))
    }

    pub(super) async fn verify_public_registry(
        &self,
        account: &str,
        verified: bool,
    ) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let account = parse_account(account)?;
        let operation = VerifyPublicRegistry { management_account, account, verified };
        execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &serde_json::json!({})))
    }
}

fn parse_account(text: &str) -> Result<AccountId, Error> {
    AccountId::parse(text).map_err(|error| Error::invalid_parameter("account", error))
}

fn shown(alias: &aliases::Alias) -> PublicAlias {
    PublicAlias {
        account: alias.account.to_string(),
        name: alias.name.to_string(),
        status: alias.status.as_str().to_owned(),
        primary: alias.primary,
        default: alias.default,
        requested_at: alias.requested_at.timestamp().to_string(),
        decided_at: alias.decided_at.map(|at| at.timestamp().to_string()),
    }
}
