//! Users, groups, roles and their policies.

pub(crate) mod groups;
pub(crate) mod policies;
pub(crate) mod roles;
pub(crate) mod users;

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::attachments::{
    AttachPolicy, AttachedPolicy, DetachPolicy, ListAttachedPolicies,
};
use tonnage_domain::identities::inline_policies::{
    self as inline, Identity, InlinePolicy, PutPolicy,
};
use tonnage_domain::identities::policies::{ListPolicies, ManagedPolicy, PolicyScope};
use tonnage_domain::pages::{Page as Items, PageRequest};

use super::PolicyOf;
use super::asked::{Asked, Part};
use super::forms::{self, Draft};
use super::parts::{self, Field};
use super::reply::{Page, Reply};
use super::statements;

/// A managed policy that commands name where any would do.
const SOME_POLICY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
/// What a page of a list shows.
const PAGE: u32 = 50;
/// Parts of one user, group or role, and policies to choose from.
const ALL: u32 = 1000;
/// The most characters of a name of an inline policy (botocore `iam`, shape `policyNameType`).
const POLICY_NAME_MAX: usize = 128;

/// A policy to begin with: whoever has it pulls and pushes.
const EXAMPLE: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "ecr:GetAuthorizationToken",
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage"
      ],
      "Resource": "arn:aws:ecr:*:*:repository/team/*"
    }
  ]
}"#;

/// Whoever asks for people begins with users.
pub(crate) async fn home(asked: &Asked<'_>) -> Result<Reply, Error> {
    Ok(Reply::Moved { path: asked.path("iam/users"), flash: None })
}

/// A user, group or role.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'w> {
    /// In addresses: `users`.
    pub(crate) list: &'static str,
    /// In titles: `Users`.
    pub(crate) title: &'static str,
    /// In texts and commands: `user`.
    pub(crate) noun: &'static str,
    pub(crate) name: &'w str,
}

impl Whose<'_> {
    /// The path of its page, or of one below it.
    pub(crate) fn path(&self, asked: &Asked<'_>, rest: &str) -> String {
        let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
        asked.path(&format!("iam/{}/{}{rest}", self.list, self.name))
    }

    fn page(&self, asked: &Asked<'_>, content: Markup) -> Page {
        Page::new(self.name, content).under(self.title, asked.path(&format!("iam/{}", self.list)))
    }
}

/// The first items of a list, as many as pages show of parts.
pub(crate) fn all() -> PageRequest {
    PageRequest { after: None, limit: ALL }
}

/// What a user, group or role may do.
pub(crate) struct Policies {
    pub(crate) attached: Part<Items<AttachedPolicy>>,
    pub(crate) inline: Part<Items<String>>,
    /// What could be attached.
    pub(crate) choices: Part<Items<ManagedPolicy>>,
}

pub(crate) async fn policies_of<K: Identity + Copy>(
    asked: &Asked<'_>,
    kind: K,
    name: &str,
) -> Result<Policies, Error> {
    let attached = ListAttachedPolicies {
        name: name.to_owned(),
        path_prefix: "/".to_owned(),
        page: all(),
        kind,
    };
    let inline = inline::ListPolicies { name: name.to_owned(), page: all(), kind };
    let choices = ListPolicies {
        scope: PolicyScope::All,
        only_attached: false,
        path_prefix: "/".to_owned(),
        page: all(),
    };
    Ok(Policies {
        attached: asked.part(attached).await?,
        inline: asked.part(inline).await?,
        choices: asked.part(choices).await?,
    })
}

/// The way to a managed policy.
pub(crate) fn policy_path(asked: &Asked<'_>, arn: &str) -> String {
    asked.path_with("iam/policy", &[("arn", arn)])
}

pub(crate) fn policies_section(
    asked: &Asked<'_>,
    whose: &Whose<'_>,
    policies: &Policies,
) -> Markup {
    let path = whose.path(asked, "attached");
    html! {
        section aria-labelledby="attached" {
            h2 #attached { "Attached policies" }
            @match &policies.attached {
                Err(error) => (parts::denied("What is attached", error)),
                Ok(attached) if attached.items.is_empty() => p.quiet {
                    "No managed policy is attached to this " (whose.noun) "."
                },
                Ok(attached) => (parts::table("Attached policies", &["Policy", "ARN", ""], &html! {
                    @for policy in &attached.items { tr {
                        th scope="row" { a href=(policy_path(asked, &policy.arn)) { (policy.name) } }
                        td { code { (policy.arn) } }
                        td { (parts::end_button(asked, &path, "Detach", &[("do", "detach"), ("arn", &policy.arn)])) }
                    } }
                })),
            }
            (parts::form(asked, &path, &html! {
                input type="hidden" name="do" value="attach";
                div.filters {
                    @match &policies.choices {
                        Ok(choices) => {
                            @let names: Vec<(&str, &str)> = std::iter::once(("", "Choose a policy"))
                                .chain(choices.items.iter()
                                    .filter(|policy| !is_attached(policies, &policy.arn))
                                    .map(|policy| (policy.arn.as_str(), policy.name.as_str()))).collect();
                            (parts::select("arn", "Managed policy", "", &names))
                        }
                        Err(_) => (Field { name: "arn", label: "ARN of a managed policy", required: true, ..Field::default() }.render()),
                    }
                    button.plain type="submit" { "Attach" }
                }
            }))
        }
        section aria-labelledby="inline" {
            div.section-head {
                h2 #inline { "Inline policies" }
                a."button"."plain" href=(whose.path(asked, "inline")) { "Write a policy" }
            }
            @match &policies.inline {
                Err(error) => (parts::denied("Inline policies", error)),
                Ok(names) if names.items.is_empty() => p.quiet {
                    "A policy that is written here belongs to this " (whose.noun) " alone."
                },
                Ok(names) => (parts::table("Inline policies", &["Policy", ""], &html! {
                    @for name in &names.items { tr {
                        th scope="row" { a href=(inline_path(asked, whose, name)) { (name) } }
                        td { (parts::end_button(asked, &whose.path(asked, "inline"), "Delete", &[("do", "delete"), ("name", name)])) }
                    } }
                })),
            }
        }
    }
}

fn is_attached(policies: &Policies, arn: &str) -> bool {
    let attached = policies.attached.as_ref().map(|attached| attached.items.as_slice());
    attached.unwrap_or_default().iter().any(|policy| policy.arn == arn)
}

fn inline_path(asked: &Asked<'_>, whose: &Whose<'_>, name: &str) -> String {
    asked.path_with(&format!("iam/{}/{}/inline", whose.list, whose.name), &[("policy", name)])
}

/// Attaches or detaches a managed policy.
pub(crate) async fn change_attached<K: Identity + Copy>(
    asked: &Asked<'_>,
    kind: K,
    whose: &Whose<'_>,
) -> Result<Reply, Error> {
    let (name, policy_arn) = (whose.name.to_owned(), asked.form.text("arn").trim().to_owned());
    let short = policy_arn.rsplit('/').next().unwrap_or_default().to_owned();
    let path = whose.path(asked, "");
    match asked.form.text("do") {
        "attach" if policy_arn.is_empty() => {
            Ok(Reply::failed(path, "Nothing was attached: choose a policy first."))
        }
        "attach" => {
            let attach = AttachPolicy { name, policy_arn, kind };
            forms::came(asked.run(attach).await, path, format!("{short} is attached."))
        }
        "detach" => {
            let detach = DetachPolicy { name, policy_arn, kind };
            forms::came(asked.run(detach).await, path, format!("{short} is detached."))
        }
        _ => Ok(Reply::Missing),
    }
}

/// The editor of an inline policy: one that is there, or a new one.
pub(crate) async fn show_inline<K: Identity + Copy>(
    asked: &Asked<'_>,
    kind: K,
    whose: &Whose<'_>,
) -> Result<Reply, Error> {
    let Some(policy_name) = asked.query.optional("policy") else {
        let draft = Draft { text: EXAMPLE.to_owned(), ..Draft::default() };
        return Ok(inline_page(asked, whose, "", &draft, false).into());
    };
    let (name, policy_name) = (whose.name.to_owned(), policy_name.to_owned());
    let policy = asked.run(inline::GetPolicy { name, policy_name, kind }).await?;
    let draft = Draft { text: forms::readable(&policy.document), ..Draft::default() };
    Ok(inline_page(asked, whose, &policy.name, &draft, true).into())
}

pub(crate) fn inline_page(
    asked: &Asked<'_>,
    whose: &Whose<'_>,
    name: &str,
    draft: &Draft,
    is_stored: bool,
) -> Page {
    let noun = whose.noun;
    let (option, command) = (format!("{noun}-name"), format!("iam put-{noun}-policy"));
    let shown_name = if name.is_empty() { "NAME" } else { name };
    let content = html! {
        (forms::remarks(draft))
        (parts::form(asked, &whose.path(asked, "inline"), &html! {
            @if is_stored {
                input type="hidden" name="name" value=(name);
                input type="hidden" name="stored" value="yes";
            } @else {
                (Field { name: "name", label: "Name of the policy", value: name, help: "Letters, digits and +=,.@-_", required: true, ..Field::default() }.render())
            }
            (parts::text_area("document", "Statements as JSON", "What is not allowed by a statement is denied.", &draft.text, 22))
            (statements::builder(asked, PolicyOf::Identity))
            div.submit { (forms::check_and_save("Save policy")) a href=(whose.path(asked, "")) { "Cancel" } }
        }))
        (parts::same_with_aws(&[
            parts::aws_global(&command, &[(&option, whose.name), ("policy-name", shown_name), ("policy-document", "file://policy.json")]),
            "tonnage policy lint policy.json".to_owned(),
        ]))
    };
    let title = if is_stored { name } else { "New policy" };
    Page::new(title, content)
        .under(whose.title, asked.path(&format!("iam/{}", whose.list)))
        .under(whose.name, whose.path(asked, ""))
}

/// Checks, saves or deletes an inline policy.
pub(crate) async fn change_inline<K: Identity + Copy>(
    asked: &Asked<'_>,
    kind: K,
    whose: &Whose<'_>,
) -> Result<Reply, Error> {
    let (name, text) = (asked.form.text("name").trim(), asked.form.text("document"));
    let is_stored = asked.form.checked("stored");
    let owner = whose.name.to_owned();
    let path = whose.path(asked, "");
    match asked.form.text("do") {
        what @ ("check" | statements::ADD) => {
            let draft = match what {
                "check" => Draft::checked(asked, PolicyOf::Identity, text),
                _ => Draft::added(asked, PolicyOf::Identity, text),
            };
            let page = inline_page(asked, whose, name, &draft, is_stored);
            Ok(forms::shown(page, draft.error.as_ref()))
        }
        "save" => match put_inline(asked, kind, owner, name, text).await {
            Ok(()) => Ok(Reply::done(path, format!("The policy {name} is in force."))),
            Err(error) if parts::is_mendable(&error) => {
                let draft = Draft::refused(asked, PolicyOf::Identity, text, error);
                let page = inline_page(asked, whose, name, &draft, is_stored);
                Ok(forms::shown(page, draft.error.as_ref()))
            }
            Err(error) => Err(error),
        },
        "delete" => {
            let delete = inline::DeletePolicy { name: owner, policy_name: name.to_owned(), kind };
            forms::came(asked.run(delete).await, path, format!("The policy {name} is deleted."))
        }
        _ => Ok(Reply::Missing),
    }
}

async fn put_inline<K: Identity + Copy>(
    asked: &Asked<'_>,
    kind: K,
    owner: String,
    name: &str,
    text: &str,
) -> Result<(), Error> {
    forms::require(
        forms::is_iam_name(name, POLICY_NAME_MAX),
        "The name of a policy has 1 to 128 letters, digits and +=,.@-_.",
    )?;
    let policy = InlinePolicy { name: name.to_owned(), document: text.to_owned() };
    asked.run(PutPolicy { name: owner, policy, kind }).await
}

/// Runs what may find nothing to do.
pub(crate) fn unless_absent<T>(result: Result<T, Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != ErrorKind::NoSuchEntity => Err(error),
        _ => Ok(()),
    }
}

/// Takes every policy from a user, group or role, so that it can be deleted.
///
/// # Errors
/// As the operations; what was taken away before stays so.
pub(crate) async fn take_policies<K: Identity + Copy>(
    asked: &Asked<'_>,
    kind: K,
    name: &str,
) -> Result<(), Error> {
    let attached = ListAttachedPolicies {
        name: name.to_owned(),
        path_prefix: "/".to_owned(),
        page: all(),
        kind,
    };
    for policy in asked.run(attached).await?.items {
        let detach = DetachPolicy { name: name.to_owned(), policy_arn: policy.arn, kind };
        unless_absent(asked.run(detach).await)?;
    }
    let inline = inline::ListPolicies { name: name.to_owned(), page: all(), kind };
    for policy_name in asked.run(inline).await?.items {
        let delete = inline::DeletePolicy { name: name.to_owned(), policy_name, kind };
        unless_absent(asked.run(delete).await)?;
    }
    Ok(())
}
