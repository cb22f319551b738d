//! What the socket answers about public registries.

use form_urlencoded::parse;
use http::StatusCode;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::Error;
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::gallery::get_pull_statistics::{GetPullStatistics, PullGroup};
use tonnage_domain::names::{AccountId, Region, RepositoryName};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, ListPublicAliases, RequestPublicAlias, SetPrimaryPublicAlias,
    VerifyPublicRegistry,
};
use tonnage_domain::public::aliases::{self, AliasName};
use tonnage_domain::public::domains::operations::{
    DecidePublicDomain, ListPublicDomains, ProvePublicDomain, RemovePublicDomain,
};
use tonnage_domain::public::domains::{DomainName, DomainProof};
use tonnage_domain::public::repository_settings::{
    GetPublicRepositorySettings, PublicRepositorySettings, PutPublicRepositorySettings,
};
use tonnage_domain::repositories::{RepositoryAddress, TagMutability, TagMutabilityRule};

use super::server::{Admin, Answer, json};
use super::{
    PublicAlias, PublicAliases, PublicDomain, PublicDomains, PublicSettings, PullCount, PullCounts,
};

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
        let given = |wanted| given(query, wanted);
        let (context, repository) =
            self.public_repository(account, &given("repository").unwrap_or_default()).await?;
        let days = given("days").unwrap_or_else(|| "30".to_owned()).parse();
        let days = days.map_err(|error| Error::invalid_parameter("days", error))?;
        let by = given("by").map(|by| {
            let names = PullGroup::ALL.map(PullGroup::as_str).join(", ");
            let wanted = format!("one of {names}");
            PullGroup::parse(&by).ok_or_else(|| Error::invalid_parameter("by", wanted))
        });
        let operation = GetPullStatistics {
            repository,
            days,
            by: by.transpose()?,
            page: PageRequest { after: given("after"), limit: PAGE },
        };
        let page = execute(&self.app, &context, operation).await?;
        let counts = page.items.into_iter().map(|count| PullCount {
            day: count.date(),
            tag: count.tag,
            digest: count.digest.map(|digest| digest.to_string()),
            platform: count.platform,
            network: count.network,
            pulls: count.pulls,
        });
        let (counts, next) = (counts.collect(), page.next);
        Ok(json(StatusCode::OK, &PullCounts { counts, next }))
    }

    /// A repository of an account, and a request of its root.
    async fn public_repository(
        &self,
        account: &str,
        name: &str,
    ) -> Result<(RequestContext, RepositoryAddress), Error> {
        let context = self.public_registry(account).await?;
        let name = RepositoryName::parse_public(name)
            .map_err(|error| Error::invalid_parameter("repository", error))?;
        let repository = RepositoryAddress::new(&context, None, name);
        Ok((context, repository))
    }

    /// A request of the root of an account to its public registry.
    async fn public_registry(&self, account: &str) -> Result<RequestContext, Error> {
        let mut context = self.context_in(Some(account), None).await?;
        context.region = Region::global();
        Ok(context)
    }

    pub(super) async fn list_public_domains(&self, account: &str) -> Result<Answer, Error> {
        let context = self.public_registry(account).await?;
        let domains = execute(&self.app, &context, ListPublicDomains).await?;
        let domains = domains.iter().map(shown_domain).collect();
        Ok(json(StatusCode::OK, &PublicDomains { domains }))
    }

    pub(super) async fn prove_public_domain(
        &self,
        account: &str,
        domain: &str,
    ) -> Result<Answer, Error> {
        let context = self.public_registry(account).await?;
        let operation = ProvePublicDomain { domain: DomainName::parse(domain)? };
        let proof = execute(&self.app, &context, operation).await?;
        Ok(json(StatusCode::OK, &shown_domain(&proof)))
    }

    pub(super) async fn remove_public_domain(
        &self,
        account: &str,
        domain: &str,
    ) -> Result<Answer, Error> {
        let context = self.public_registry(account).await?;
        let operation = RemovePublicDomain { domain: DomainName::parse(domain)? };
        execute(&self.app, &context, operation).await?;
        Ok(json(StatusCode::OK, &serde_json::json!({})))
    }

    pub(super) async fn decide_public_domain(
        &self,
        account: &str,
        domain: &str,
        allowed: bool,
    ) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let (account, domain) = (parse_account(account)?, DomainName::parse(domain)?);
        let operation = DecidePublicDomain { management_account, account, domain, allowed };
        let proof = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &shown_domain(&proof)))
    }

    pub(super) async fn get_public_settings(
        &self,
        account: &str,
        query: &str,
    ) -> Result<Answer, Error> {
        let name = given(query, "repository").unwrap_or_default();
        let (context, repository) = self.public_repository(account, &name).await?;
        let operation = GetPublicRepositorySettings { repository };
        let settings = execute(&self.app, &context, operation).await?;
        Ok(json(StatusCode::OK, &shown_settings(name, &settings)))
    }

    pub(super) async fn put_public_settings(
        &self,
        account: &str,
        wanted: PublicSettings,
    ) -> Result<Answer, Error> {
        let PublicSettings { repository: name, tag_mutability, exclusions, scan_on_push } = wanted;
        let (context, repository) = self.public_repository(account, &name).await?;
        let tag_mutability = tag_mutability
            .map(|word| {
                let setting = TagMutability::parse(&word).ok_or_else(|| {
                    let words = TagMutability::ALL.map(TagMutability::as_str).join(", ");
                    Error::invalid_parameter("tag_mutability", format_args!("one of {words}"))
                })?;
                TagMutabilityRule::new(setting, exclusions)
            })
            .transpose()?;
        let operation = PutPublicRepositorySettings { repository, tag_mutability, scan_on_push };
        let settings = execute(&self.app, &context, operation).await?;
        Ok(json(StatusCode::OK, &shown_settings(name, &settings)))
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

fn given(query: &str, wanted: &str) -> Option<String> {
    let mut pairs = parse(query.as_bytes()).filter(|(name, _)| name == wanted);
    pairs.next().map(|(_, value)| value.into_owned())
}

fn shown_domain(proof: &DomainProof) -> PublicDomain {
    PublicDomain {
        domain: proof.domain.to_string(),
        status: proof.status.as_str().to_owned(),
        file: proof.domain.file(),
        line: proof.line(),
        record: proof.domain.record(),
        text: proof.text(),
        checked_at: proof.checked_at.map(|at| at.timestamp().to_string()),
        problem: proof.problem.clone(),
    }
}

fn shown_settings(repository: String, settings: &PublicRepositorySettings) -> PublicSettings {
    PublicSettings {
        repository,
        tag_mutability: Some(settings.tag_mutability.setting().as_str().to_owned()),
        exclusions: settings.tag_mutability.filters().to_vec(),
        scan_on_push: Some(settings.scan_on_push),
    }
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
