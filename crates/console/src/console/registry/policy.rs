//! The policy of the registry.

use maud::html;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::policies::registry_policy::{
    DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy, RegistryPolicy,
};

use super::super::PolicyOf;
use super::super::asked::{Asked, Part};
use super::super::forms::{self, Draft};
use super::super::parts;
use super::super::reply::{Page, Reply};
use super::super::statements;

/// A policy to begin with: another account may copy its images here.
fn example(asked: &Asked<'_>) -> String {
    format!(
        r#"{{
  "Version": "2012-10-17",
  "Statement": [
    {{
      "Sid": "ReplicationFromAnotherAccount",
      "Effect": "Allow",
      "Principal": {{ "AWS": "arn:aws:iam::111122223333:root" }},
      "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"],
      "Resource": "arn:aws:ecr:{}:{}:repository/*"
    }}
  ]
}}"#,
        asked.context.region, asked.context.account
    )
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, draft: Option<&Draft>) -> Result<Reply, Error> {
    let policy = asked.part_or_none(GetRegistryPolicy, ErrorKind::RegistryPolicyNotFound).await?;
    let page = page(asked, &policy, draft);
    Ok(forms::shown(page, draft.and_then(|draft| draft.error.as_ref())))
}

pub(crate) fn page(
    asked: &Asked<'_>,
    policy: &Part<Option<RegistryPolicy>>,
    draft: Option<&Draft>,
) -> Page {
    let stored = policy.as_ref().ok().and_then(Option::as_ref);
    let text = match (draft, stored) {
        (Some(draft), _) => draft.text.clone(),
        (None, Some(policy)) => forms::readable(&policy.text),
        (None, None) => example(asked),
    };
    let content = html! {
        @if let Some(draft) = draft { (forms::remarks(draft)) }
        @match policy {
            Err(error) => (parts::denied("The policy", error)),
            Ok(None) => div.notice { p {
                "This registry has no policy: other accounts may not copy images here, and people of this account may do what their "
                "own policies allow. Below is an example for another account: put its number in place of 111122223333 and save it."
            } },
            Ok(Some(_)) => {},
        }
        (parts::form(asked, &asked.path("registry/policy"), &html! {
            (parts::text_area("policy", "Statements as JSON", "A Deny here holds for all repositories of the region, whoever asks.", &text, 20))
            (statements::builder(asked, PolicyOf::Resource))
            div.submit {
                (forms::check_and_save("Save policy"))
                @if stored.is_some() { button.plain.ends type="submit" name="do" value="delete" { "Take the policy away" } }
            }
        }))
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr get-registry-policy", &[]),
            parts::aws(asked, "ecr put-registry-policy", &[("policy-text", "file://policy.json")]),
            parts::aws(asked, "ecr delete-registry-policy", &[]),
            "tonnage policy lint policy.json".to_owned(),
        ]))
    };
    super::page(asked, "Registry policy", content)
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let text = asked.form.text("policy");
    let path = asked.path("registry/policy");
    let draft = match asked.form.text("do") {
        "check" => Draft::checked(asked, PolicyOf::Resource, text),
        statements::ADD => Draft::added(asked, PolicyOf::Resource, text),
        "save" => match asked.run(PutRegistryPolicy { text: text.to_owned() }).await {
            Ok(_) => return Ok(Reply::done(path, "The policy is in force.")),
            Err(error) if parts::is_mendable(&error) => {
                Draft::refused(asked, PolicyOf::Resource, text, error)
            }
            Err(error) => return Err(error),
        },
        "delete" => {
            let deleted = asked.run(DeleteRegistryPolicy).await;
            return forms::came(deleted, path, "The policy is taken away.");
        }
        _ => return Ok(Reply::Missing),
    };
    respond(asked, Some(&draft)).await
}
