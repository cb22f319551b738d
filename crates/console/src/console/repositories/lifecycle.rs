//! Which images of a repository go by themselves: the policy, and what it would do.

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::lifecycle::PolicyOfRepository;
use tonnage_domain::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, PreviewOfRepository, PreviewStatus, StartLifecyclePolicyPreview,
};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::lifecycle::validate;
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use super::lifecycle_form::{self, Written};
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
}

/// What somebody is writing, and has not put in force.
#[derive(Default)]
pub(crate) struct Draft {
    /// The rules of the form; nothing where the document is none that a form can show.
    rules: Option<Vec<Written>>,
    /// The document.
    text: String,
    /// Why it is not in force.
    error: Option<Error>,
    /// Whether the JSON was sent.
    is_json: bool,
}

impl Draft {
    fn of_text(text: &str, error: Option<Error>) -> Self {
        let policy = validate::parse(text);
        Self {
            rules: policy.as_ref().ok().map(lifecycle_form::of_policy),
            text: readable(text),
            error,
            is_json: policy.is_err(),
        }
    }

    /// What the form was sent with, and the document if it is complete.
    fn sent(asked: &Asked<'_>) -> (Self, Result<String, Error>) {
        if asked.form.text("editor") != "form" {
            let text = asked.form.text("policy");
            return (Self::of_text(text, None), Ok(text.to_owned()));
        }
        let rules = lifecycle_form::sent(&asked.form);
        let document = lifecycle_form::document(&rules);
        let text = document.as_ref().cloned().unwrap_or_default();
        (Self { rules: Some(rules), text, error: None, is_json: false }, document)
    }
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, draft: Option<Draft>) -> Result<Reply, Error> {
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
    let shown = Shown { policy, preview };
    let stored = shown.policy.as_ref().ok().and_then(Option::as_ref);
    let tried = shown.preview.as_ref().ok().and_then(Option::as_ref);
    let draft = draft.unwrap_or_else(|| match (stored, tried) {
        // What was tried last, to be made the policy or changed.
        (_, Some(preview)) => Draft::of_text(&preview.text, None),
        (Some(policy), None) => Draft::of_text(&policy.text, None),
        (None, None) => Draft::of_text(EXAMPLE, None),
    });
    let page = page(asked, &repository, &shown, &draft);
    Ok(match &draft.error {
        Some(error) => page.with_status(parts::status_of(error)).into(),
        None => page.into(),
    })
}

pub(crate) fn page(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    shown: &Shown,
    draft: &Draft,
) -> Page {
    let name = &repository.name;
    let stored = shown.policy.as_ref().ok().and_then(Option::as_ref);
    let is_suggestion = matches!((&shown.policy, &shown.preview), (Ok(None), Ok(None)))
        && asked.form.text("do").is_empty();
    let content = html! {
        (parts::refusal(draft.error.as_ref()))
        @match &shown.policy {
            Err(error) => (parts::denied("The policy", error)),
            Ok(None) => div.notice { p {
                "This repository has no lifecycle policy: every image stays until somebody deletes it."
                @if is_suggestion { " The rules below are a suggestion to begin with." }
            } },
            Ok(Some(policy)) => div."notice"."good" { p {
                "A policy is in force. It was last carried out "
                @match policy.last_evaluated_at { Some(at) => { (format::moment(at)) " UTC." }, None => "never yet." }
                @if is_other(policy, draft) { " What is below is another one, and not in force." }
            } },
        }
        (editors(asked, repository, draft, stored.is_some()))
        @match &shown.preview {
            Err(error) => section { (parts::denied("The preview", error)) },
            Ok(None) => {},
            Ok(Some(preview)) => (preview_section(asked, repository, preview)),
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr start-lifecycle-policy-preview", &[("repository-name", name.as_str()), ("lifecycle-policy-text", "file://policy.json")]),
            parts::aws(asked, "ecr get-lifecycle-policy-preview", &[("repository-name", name.as_str())]),
            parts::aws(asked, "ecr put-lifecycle-policy", &[("repository-name", name.as_str()), ("lifecycle-policy-text", "file://policy.json")]),
        ]))
    };
    super::page(asked, repository, "lifecycle", &content)
}

/// Whether what is written is not what is in force.
fn is_other(policy: &PolicyOfRepository, draft: &Draft) -> bool {
    match (validate::parse(&policy.text), validate::parse(&draft.text)) {
        (Ok(policy), Ok(draft)) => policy != draft,
        _ => true,
    }
}

/// The rules as a form, and the same document as JSON.
fn editors(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    draft: &Draft,
    is_stored: bool,
) -> Markup {
    let own = asked.repository_path(&repository.name, "lifecycle");
    html! {
        section aria-labelledby="policy" {
            h2 #policy { "Rules" }
            @if let Some(rules) = &draft.rules {
                p.quiet { "The first rule goes first, and what it is about no later rule takes. A preview changes nothing." }
                (parts::form(asked, &own, &html! {
                    (lifecycle_form::fields(rules))
                    div.submit {
                        button type="submit" name="do" value="preview" { "Preview" }
                        button.plain type="submit" name="do" value="put" { "Put in force" }
                        @if is_stored { button.plain.ends type="submit" name="do" value="delete" { "Take the policy away" } }
                    }
                }))
            } @else {
                p.quiet { "A form cannot show this document. Mend it below." }
            }
            details open[draft.is_json] {
                summary { "The same as JSON" }
                (parts::form(asked, &own, &html! {
                    (parts::text_area("policy", "Rules as JSON", "As the API has it. Rules are applied by priority, the lowest number first.", &draft.text, 22))
                    div.submit {
                        button type="submit" name="do" value="preview" { "Preview JSON" }
                        button.plain type="submit" name="do" value="put" { "Put JSON in force" }
                        button.plain type="submit" name="do" value="edit" { "Show as a form" }
                    }
                }))
            }
        }
    }
}

/// A document with line ends, if it is one.
pub(crate) fn readable(text: &str) -> String {
    if let Ok(policy) = validate::parse(text)
        && let Ok(text) = serde_json::to_string_pretty(&policy)
    {
        return text;
    }
    let value = serde_json::from_str::<serde_json::Value>(text);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| text.to_owned())
}

fn preview_section(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    preview: &PreviewOfRepository,
) -> Markup {
    let name = &repository.name;
    let own = asked.repository_path(name, "lifecycle");
    html! {
        section aria-labelledby="preview" {
            h2 #preview { "Preview" }
            @match preview.status {
                PreviewStatus::InProgress => {
                    p data-again="" { "The preview is being made." }
                    p { a.button.plain href=(own) { "Look again" } }
                }
                PreviewStatus::Expired => p.quiet { "The last preview is more than a day old. Make it again to see what the policy would do now." },
                PreviewStatus::Failed => p { "The preview could not be made; the operator of the registry sees why among the jobs." },
                PreviewStatus::Complete => {
                    (sums(preview))
                    @if preview.images.items.is_empty() {
                        p.quiet { "Every image stays." }
                    } @else {
                        (by_rule(asked, repository, preview))
                        h3 #going { "Images" }
                        (images(asked, repository, preview))
                        (parts::pages(asked, &format!("repositories/{name}/-/lifecycle"), &[], preview.images.next.as_deref()))
                    }
                    (parts::form(asked, &own, &html! {
                        input type="hidden" name="policy" value=(preview.text);
                        div.submit { button type="submit" name="do" value="put" { "Put this policy in force" } }
                    }))
                }
            }
        }
    }
}

fn sums(preview: &PreviewOfRepository) -> Markup {
    let effects = &preview.effects;
    let attached: u64 = effects.rules.iter().map(|rule| rule.attached).sum();
    html! {
        dl.numbers {
            div {
                dt { "Images that would go" } dd { (format::number(preview.expiring)) }
                @if attached > 0 { dd.small { "and " (format::count(attached, "attached document", "attached documents")) } }
            }
            div { dt { "Images that would be archived" } dd { (format::number(preview.transitioning)) } }
            div {
                dt { "Would be freed" } dd { (format::size(effects.freed_bytes())) }
                dd.small { "exactly " (format::number(effects.freed_bytes())) " bytes that nothing else needs" }
            }
            @if effects.shared_bytes() > 0 { div {
                dt { "Would stay elsewhere" } dd { (format::size(effects.shared_bytes())) }
                dd.small { "leaves this repository; another one of the account has it too" }
            } }
        }
        @if effects.left_behind > 0 {
            div.notice { p {
                "With their indexes gone, " (format::count(effects.left_behind, "image of a platform would stay", "images of platforms would stay"))
                " by themselves, mostly without a tag. A rule for images without a tag takes them on another day; their bytes are not counted here."
            } }
        }
    }
}

fn by_rule(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    preview: &PreviewOfRepository,
) -> Markup {
    let policy = validate::parse(&preview.text).ok();
    let told = |priority: u64| {
        let rules = policy.iter().flat_map(|policy| &policy.rules);
        let rule = rules.into_iter().find(|rule| rule.rule_priority == priority)?;
        Some((lifecycle_form::sentence(rule), rule.description.clone()))
    };
    let path = format!("repositories/{}/-/lifecycle", repository.name);
    // Images are listed by rule; where those of one begin is known from how many are before it.
    let mut before = 0_u64;
    html! {
        (parts::table("What each rule would take", &["Rule", "#Priority", "#Images", "#Freed", "#Stays elsewhere", ""], &html! {
            @for rule in &preview.effects.rules { tr {
                @let images = rule.expiring + rule.transitioning;
                @let after = before.checked_sub(1).map(|last| last.to_string()).unwrap_or_default();
                th scope="row" {
                    @if let Some((sentence, description)) = told(rule.rule_priority) {
                        (sentence)
                        @if let Some(description) = description { div.quiet.small.light { (description) } }
                    }
                }
                td.number { (rule.rule_priority) }
                td.number { (format::number(images)) @if rule.transitioning > 0 { div.quiet.small { "archived" } } }
                td.number { (format::size(rule.freed_bytes)) }
                td.number { (format::size(rule.shared_bytes)) }
                td { a href={ (asked.path_with(&path, &[("after", &after)])) "#going" } { "Show images" span.hidden { " of rule " (rule.rule_priority) } } }
                @let () = before += images;
            } }
        }))
    }
}

fn images(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    preview: &PreviewOfRepository,
) -> Markup {
    parts::table(
        "Images of the preview",
        &["Tags", "What happens", "#Rule", "Pushed", "Digest"],
        &html! {
            @for image in &preview.images.items { tr {
                th scope="row" { @if image.tags.is_empty() { span.quiet { "no tag" } } @else { (image.tags.join(", ")) } }
                td { @if image.transitions { (parts::badge("warn", "archived")) } @else { (parts::badge("bad", "deleted")) } }
                td.number { (image.rule_priority) }
                td { (format::moment(image.pushed_at)) }
                td { a.mono href=(asked.repository_path(&repository.name, &format!("images/{}", image.digest))) { (format::short(image.digest.as_str())) } }
            } }
        },
    )
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    let own = asked.repository_path(&repository.name, "lifecycle");
    let what = asked.form.text("do");
    let (draft, document) = Draft::sent(asked);
    let done = match (what, document) {
        ("delete", _) => {
            let delete = DeleteLifecyclePolicy { repository };
            asked.run(delete).await.map(|_| "The policy is taken away; every image stays.")
        }
        ("preview" | "put", Err(incomplete)) => Err(incomplete),
        ("preview", Ok(text)) => {
            let start = StartLifecyclePolicyPreview { repository, text: Some(text) };
            asked.run(start).await.map(|_| "The preview is being made; it is below in a moment.")
        }
        ("put", Ok(text)) => {
            let put = PutLifecyclePolicy { repository, text };
            asked.run(put).await.map(|_| "The policy is in force. It is carried out once a day.")
        }
        ("edit", _) => {
            let error = validate::parse(asked.form.text("policy")).err();
            return respond(asked, Some(Draft { error, ..draft })).await;
        }
        // A form with one rule more or less, or in another order; nothing is saved.
        _ if asked.form.text("editor") == "form" => return respond(asked, Some(draft)).await,
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok(text) => Ok(Reply::done(own, text)),
        Err(error) if parts::is_mendable(&error) => {
            respond(asked, Some(Draft { error: Some(error), ..draft })).await
        }
        Err(error) => Err(error),
    }
}
