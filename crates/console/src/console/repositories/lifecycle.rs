//! Which images of a repository go by themselves: the policy, and what it would do.

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::lifecycle::PolicyOfRepository;
use tonnage_domain::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, PreviewOfRepository, PreviewStatus, StartLifecyclePolicyPreview,
};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use crate::format;

/// Images of a preview on a page; as many as one call describes.
const PAGE: u32 = 100;

/// A policy to begin with.
const EXAMPLE: &str = r#"{
  "rules": [
    {
      "rulePriority": 1,
      "description": "Images without a tag go after 14 days",
      "selection": {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14
      },
      "action": { "type": "expire" }
    },
    {
      "rulePriority": 2,
      "description": "Of the rest, the newest 100 stay",
      "selection": {
        "tagStatus": "any",
        "countType": "imageCountMoreThan",
        "countNumber": 100
      },
      "action": { "type": "expire" }
    }
  ]
}"#;

/// What the page shows.
pub(crate) struct Shown {
    pub(crate) policy: Part<Option<PolicyOfRepository>>,
    pub(crate) preview: Part<Option<PreviewOfRepository>>,
    /// The bytes of the images that the page lists and that would go.
    pub(crate) bytes: Option<u64>,
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<(Error, &str)>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    let policy = GetLifecyclePolicy { repository: repository.clone() };
    let policy = asked.part_or_none(policy, ErrorKind::LifecyclePolicyNotFound).await?;
    let preview = GetLifecyclePolicyPreview {
        repository: repository.clone(),
        ids: Vec::new(),
        tag_status: TagStatus::Any,
        page: asked.page(PAGE),
    };
    let preview = asked.part_or_none(preview, ErrorKind::LifecyclePolicyPreviewNotFound).await?;
    let bytes = match &preview {
        Ok(Some(preview)) => bytes_of(asked, &repository, preview).await,
        _ => None,
    };
    let shown = Shown { policy, preview, bytes };
    let page = page(asked, &repository, &shown, refused.as_ref());
    Ok(match &refused {
        Some((error, _)) => page.with_status(parts::status_of(error)).into(),
        None => page.into(),
    })
}

/// The bytes of the images that would go; nothing when that cannot be known.
async fn bytes_of(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    preview: &PreviewOfRepository,
) -> Option<u64> {
    let going = preview.images.items.iter().filter(|image| !image.transitions);
    let ids: Vec<ImageIdentifier> = going
        .map(|image| ImageIdentifier { digest: Some(image.digest.clone()), tag: None })
        .collect();
    if ids.is_empty() {
        return Some(0);
    }
    let describe = DescribeImages {
        repository: repository.clone(),
        ids,
        tag_status: TagStatus::Any,
        image_status: ImageStatusFilter::Any,
        page: PageRequest { after: None, limit: PAGE },
    };
    // One of them may be gone by now; the sum is then of another moment.
    let found = asked.run(describe).await.ok()?;
    Some(found.items.iter().map(|image| image.size).sum())
}

pub(crate) fn page(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    shown: &Shown,
    refused: Option<&(Error, &str)>,
) -> Page {
    let name = &repository.name;
    let own = asked.repository_path(name, "lifecycle");
    let stored = shown.policy.as_ref().ok().and_then(Option::as_ref);
    let tried = shown.preview.as_ref().ok().and_then(Option::as_ref);
    let text = match (refused, stored, tried) {
        (Some((_, text)), ..) => (*text).to_owned(),
        // What was tried last, to be made the policy or changed.
        (None, _, Some(preview)) => readable(&preview.text),
        (None, Some(policy), None) => readable(&policy.text),
        (None, None, None) => EXAMPLE.to_owned(),
    };
    let content = html! {
        (parts::refusal(refused.map(|(error, _)| error)))
        @match &shown.policy {
            Err(error) => (parts::denied("The policy", error)),
            Ok(None) => div.notice { p { "This repository has no lifecycle policy: every image stays until somebody deletes it." } },
            Ok(Some(policy)) => div."notice"."good" { p {
                "A policy is in force. It was last carried out "
                @match policy.last_evaluated_at { Some(at) => { (format::moment(at)) " UTC." }, None => "never yet." }
            } },
        }
        section aria-labelledby="policy" {
            h2 #policy { "Policy" }
            (parts::form(asked, &own, &html! {
                (parts::text_area("policy", "Rules as JSON", "Rules are applied by priority, the lowest number first. A preview changes nothing.", &text, 22))
                div.submit {
                    button type="submit" name="do" value="preview" { "Preview" }
                    button.plain type="submit" name="do" value="put" { "Put in force" }
                    @if stored.is_some() { button.plain type="submit" name="do" value="delete" { "Take the policy away" } }
                }
            }))
        }
        @match &shown.preview {
            Err(error) => section { (parts::denied("The preview", error)) },
            Ok(None) => {},
            Ok(Some(preview)) => (preview_section(asked, repository, preview, shown.bytes)),
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr start-lifecycle-policy-preview", &[("repository-name", name.as_str()), ("lifecycle-policy-text", "file://policy.json")]),
            parts::aws(asked, "ecr get-lifecycle-policy-preview", &[("repository-name", name.as_str())]),
            parts::aws(asked, "ecr put-lifecycle-policy", &[("repository-name", name.as_str()), ("lifecycle-policy-text", "file://policy.json")]),
        ]))
    };
    super::page(asked, repository, "lifecycle", &content)
}

/// A document with line ends, if it is one.
pub(crate) fn readable(text: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(text);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| text.to_owned())
}

fn preview_section(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    preview: &PreviewOfRepository,
    bytes: Option<u64>,
) -> Markup {
    let name = &repository.name;
    html! {
        section aria-labelledby="preview" {
            h2 #preview { "Preview" }
            @match preview.status {
                PreviewStatus::InProgress => {
                    p { "The preview is being made." }
                    p { a.button.plain href=(asked.repository_path(name, "lifecycle")) { "Look again" } }
                }
                PreviewStatus::Expired => p.quiet { "The last preview is more than a day old. Make it again to see what the policy would do now." },
                PreviewStatus::Failed => p { "The preview could not be made; the operator of the registry sees why among the jobs." },
                PreviewStatus::Complete => {
                    dl.numbers {
                        div { dt { "Images that would go" } dd { (format::number(preview.expiring)) } }
                        div { dt { "Images that would be archived" } dd { (format::number(preview.transitioning)) } }
                        @if let Some(bytes) = bytes { div {
                            dt { "Would be freed" } dd { "up to " (format::size(bytes)) }
                            dd.small {
                                "of the images below; layers that others need stay"
                            }
                        } }
                    }
                    @if preview.images.items.is_empty() {
                        p.quiet { "Every image stays." }
                    } @else {
                        (parts::table("Images of the preview", &["Tags", "What happens", "Rule", "Pushed", "Digest"], &html! {
                            @for image in &preview.images.items { tr {
                                th scope="row" { @if image.tags.is_empty() { span.quiet { "no tag" } } @else { (image.tags.join(", ")) } }
                                td { @if image.transitions { (parts::badge("warn", "archived")) } @else { (parts::badge("bad", "deleted")) } }
                                td { (image.rule_priority) }
                                td { (format::moment(image.pushed_at)) }
                                td { a.mono href=(asked.repository_path(name, &format!("images/{}", image.digest))) { (format::short(image.digest.as_str())) } }
                            } }
                        }))
                        (parts::pages(asked, &format!("repositories/{name}/-/lifecycle"), &[], preview.images.next.as_deref()))
                    }
                }
            }
        }
    }
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    let own = asked.repository_path(&repository.name, "lifecycle");
    let text = asked.form.text("policy");
    let done = match asked.form.text("do") {
        "preview" => {
            let start = StartLifecyclePolicyPreview { repository, text: Some(text.to_owned()) };
            asked.run(start).await.map(|_| "The preview is being made; it is below in a moment.")
        }
        "put" => {
            let put = PutLifecyclePolicy { repository, text: text.to_owned() };
            asked.run(put).await.map(|_| "The policy is in force. It is carried out once a day.")
        }
        "delete" => {
            let delete = DeleteLifecyclePolicy { repository };
            asked.run(delete).await.map(|_| "The policy is taken away; every image stays.")
        }
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok(text) => Ok(Reply::done(own, text)),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some((error, text))).await,
        Err(error) => Err(error),
    }
}
