//! The policy of a repository.

use std::borrow::Cow;

use maud::html;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, RepositoryPolicy, SetRepositoryPolicy,
};
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use super::super::statements;
use super::super::{Mistake, PolicyOf};
use super::lifecycle::readable;

/// A policy to begin with: another account may pull.
const EXAMPLE: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "PullFromAnotherAccount",
      "Effect": "Allow",
      "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
      "Action": [
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchCheckLayerAvailability"
      ]
    }
  ]
}"#;

/// What was tried, and what came of it.
pub(crate) struct Tried<'t> {
    pub(crate) text: Cow<'t, str>,
    pub(crate) error: Option<Error>,
    /// What is probably wrong; nothing when it was not looked for.
    pub(crate) mistakes: Option<Vec<Mistake>>,
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, tried: Option<Tried<'_>>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    let policy = GetRepositoryPolicy { repository: repository.clone() };
    let policy = asked.part_or_none(policy, ErrorKind::RepositoryPolicyNotFound).await?;
    let page = page(asked, &repository, &policy, tried.as_ref());
    Ok(match tried.as_ref().and_then(|tried| tried.error.as_ref()) {
        Some(error) => page.with_status(parts::status_of(error)).into(),
        None => page.into(),
    })
}

pub(crate) fn page(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    policy: &Part<Option<RepositoryPolicy>>,
    tried: Option<&Tried<'_>>,
) -> Page {
    let name = &repository.name;
    let stored = policy.as_ref().ok().and_then(Option::as_ref);
    let text = match (tried, stored) {
        (Some(tried), _) => tried.text.as_ref().to_owned(),
        (None, Some(policy)) => readable(&policy.text),
        (None, None) => EXAMPLE.to_owned(),
    };
    let content = html! {
        (parts::refusal(tried.and_then(|tried| tried.error.as_ref())))
        @if let Some(mistakes) = tried.and_then(|tried| tried.mistakes.as_deref()) {
            @if mistakes.is_empty() {
                div."notice"."good" role="status" { p { "No mistake was found. Nothing is saved yet." } }
            } @else {
                div."notice"."warn" role="status" {
                    p { strong { "This is probably not what you mean. Nothing is saved yet." } }
                    ul { @for mistake in mistakes { li { code { (mistake.path) } ": " (mistake.message) } } }
                }
            }
        }
        @match policy {
            Err(error) => (parts::denied("The policy", error)),
            Ok(None) => div.notice { p {
                "This repository has no policy of its own: people of this account may do what their \
                 policies allow, and nobody else anything."
            } },
            Ok(Some(_)) => {},
        }
        section aria-labelledby="policy" {
            h2 #policy { "Policy" }
            (parts::form(asked, &asked.repository_path(name, "permissions"), &html! {
                (parts::text_area("policy", "Statements as JSON", "Who may do what with this repository, beside what their own policies say.", &text, 20))
                (statements::builder(asked, PolicyOf::Resource))
                (parts::check("force", "Save it even if it locks me out", "Without this, a policy under which you could not set it again is refused.", false))
                div.submit {
                    button type="submit" name="do" value="check" { "Check" }
                    button.plain type="submit" name="do" value="set" { "Save" }
                    @if stored.is_some() { button.plain.ends type="submit" name="do" value="delete" { "Take the policy away" } }
                }
            }))
            p { "Who may do what in the end says " a href=(asked.path_with("simulator", &[("resource", &repository.arn())])) { "the simulator" } "." }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr get-repository-policy", &[("repository-name", name.as_str())]),
            parts::aws(asked, "ecr set-repository-policy", &[("repository-name", name.as_str()), ("policy-text", "file://policy.json")]),
            "tonnage policy lint policy.json".to_owned(),
        ]))
    };
    super::page(asked, repository, "permissions", &content)
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    let own = asked.repository_path(&repository.name, "permissions");
    let text = asked.form.text("policy");
    let done = match asked.form.text("do") {
        "check" => {
            let tried = match (asked.visit.lint)(PolicyOf::Resource, text) {
                Ok(mistakes) => Tried { text: text.into(), error: None, mistakes: Some(mistakes) },
                Err(wrong) => {
                    let error = Error::new(ErrorKind::InvalidParameter, wrong);
                    Tried { text: text.into(), error: Some(error), mistakes: None }
                }
            };
            return respond(asked, Some(tried)).await;
        }
        statements::ADD => {
            let tried = match statements::added(&asked.form, PolicyOf::Resource, text) {
                Ok(text) => Tried { text: text.into(), error: None, mistakes: None },
                Err(error) => Tried { text: text.into(), error: Some(error), mistakes: None },
            };
            return respond(asked, Some(tried)).await;
        }
        "set" => {
            let force = asked.form.checked("force");
            let set = SetRepositoryPolicy { repository, text: text.to_owned(), force };
            asked.run(set).await.map(|_| "The policy is in force.")
        }
        "delete" => {
            let delete = DeleteRepositoryPolicy { repository };
            asked.run(delete).await.map(|_| "The policy is taken away.")
        }
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok(text) => Ok(Reply::done(own, text)),
        Err(error) if parts::is_mendable(&error) => {
            respond(asked, Some(Tried { text: text.into(), error: Some(error), mistakes: None }))
                .await
        }
        Err(error) => Err(error),
    }
}
