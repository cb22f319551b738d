//! Roles: who may take them, and what they may then do.

use maud::html;
use tonnage_domain::error::Error;
use tonnage_domain::identities::inline_policies::Role as Kind;
use tonnage_domain::identities::roles::{
    CreateRole, DeleteRole, GetRole, ListRoles, Role, UpdateAssumeRolePolicy,
};
use tonnage_domain::pages::Page as Items;

use super::super::PolicyOf;
use super::super::asked::{Asked, Part};
use super::super::forms::{self, Draft};
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use super::super::statements;
use super::super::switching;
use super::{PAGE, Policies, Whose};
use crate::format;

/// How long a session of a role may last when nothing else is said, in seconds.
const SESSION_SECONDS: i64 = 3600;
/// Session lengths that AWS allows, in seconds.
const SESSION_RANGE: std::ops::RangeInclusive<i64> = 3600..=43_200;
/// The most characters of a description.
const DESCRIPTION_MAX: usize = 1000;

fn whose(name: &str) -> Whose<'_> {
    Whose { list: "roles", title: "Roles", noun: "role", name }
}

/// A trust policy to begin with: whoever in the account may take roles takes this one.
fn example(asked: &Asked<'_>) -> String {
    format!(
        r#"{{
  "Version": "2012-10-17",
  "Statement": [
    {{
      "Effect": "Allow",
      "Principal": {{ "AWS": "arn:aws:iam::{}:root" }},
      "Action": "sts:AssumeRole"
    }}
  ]
}}"#,
        asked.context.account
    )
}

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let list = ListRoles { path_prefix: "/".to_owned(), page: asked.page(PAGE) };
    let roles = asked.part(list).await?;
    Ok(list_page(asked, &roles).into())
}

pub(crate) fn list_page(asked: &Asked<'_>, roles: &Part<Items<Role>>) -> Page {
    let create = html! { a.button href=(asked.path("iam/roles/-/create")) { "Create role" } };
    let content = html! {
        @match roles {
            Err(error) => (parts::denied("The list of roles", error)),
            Ok(roles) if roles.items.is_empty() => (parts::empty("There is no role yet", &html! {
                p {
                    "A role has no keys of its own: whoever its trust policy names takes it for an hour or so. That is how "
                    "programs of another account, or a build with a token of its own, come in without a secret that lasts."
                }
                p { a.button href=(asked.path("iam/roles/-/create")) { "Create a role" } }
            })),
            Ok(roles) => {
                (parts::table("Roles", &["Name", "ARN", "Created"], &html! {
                    @for role in &roles.items { tr {
                        th scope="row" { a href=(whose(&role.entity.name).path(asked, "")) { (role.entity.name) } }
                        td { code { (role.entity.arn) } }
                        td { (format::day(role.entity.created_at)) }
                    } }
                }))
                (parts::pages(asked, "iam/roles", &[], roles.next.as_deref()))
            }
        }
        (parts::same_with_aws(&[parts::aws_global("iam list-roles", &[])]))
    };
    Page::new("Roles", content).with_actions(create)
}

pub(crate) async fn show_create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let draft = Draft { text: example(asked), ..Draft::default() };
    Ok(create_page(asked, &draft).into())
}

pub(crate) fn create_page(asked: &Asked<'_>, draft: &Draft) -> Page {
    let form = &asked.form;
    let content = html! {
        (forms::remarks(draft))
        (parts::form(asked, &asked.path("iam/roles/-/create"), &html! {
            (Field { name: "name", label: "Name", value: form.text("name"), help: "Letters, digits and +=,.@-_ without spaces.", required: true, ..Field::default() }.render())
            (Field { name: "description", label: "Description", value: form.text("description"), ..Field::default() }.render())
            (Field { name: "hours", label: "Longest session, in hours", value: form.optional("hours").unwrap_or("1"), kind: "number", help: "1 to 12.", ..Field::default() }.render())
            (parts::text_area("document", "Trust policy", "Who may take the role, as JSON.", &draft.text, 16))
            (statements::builder(asked, PolicyOf::Trust))
            div.submit { (forms::check_and_save("Create role")) a href=(asked.path("iam/roles")) { "Cancel" } }
        }))
        (parts::same_with_aws(&[
            parts::aws_global("iam create-role", &[("role-name", "NAME"), ("assume-role-policy-document", "file://trust.json")]),
        ]))
    };
    Page::new("Create role", content).under("Roles", asked.path("iam/roles"))
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let text = asked.form.text("document");
    let draft = match asked.form.text("do") {
        "check" => Draft::checked(asked, PolicyOf::Trust, text),
        statements::ADD => Draft::added(asked, PolicyOf::Trust, text),
        _ => match try_create(asked, text).await {
            Ok(role) => {
                let name = &role.entity.name;
                let told =
                    format!("The role {name} is created. Give it a policy for what it may do.");
                return Ok(Reply::done(whose(name).path(asked, ""), told));
            }
            Err(error) if parts::is_mendable(&error) => {
                Draft::refused(asked, PolicyOf::Trust, text, error)
            }
            Err(error) => return Err(error),
        },
    };
    Ok(forms::shown(create_page(asked, &draft), draft.error.as_ref()))
}

async fn try_create(asked: &Asked<'_>, text: &str) -> Result<Role, Error> {
    let form = &asked.form;
    let hours = form.optional("hours").map_or(Some(1), |hours| hours.parse::<i64>().ok());
    let seconds = hours.and_then(|hours| hours.checked_mul(SESSION_SECONDS));
    let seconds = seconds.filter(|seconds| SESSION_RANGE.contains(seconds));
    forms::require(seconds.is_some(), "A session of a role lasts 1 to 12 hours.")?;
    let description = form.text("description").trim().to_owned();
    forms::require(
        description.chars().count() <= DESCRIPTION_MAX,
        "A description has at most 1,000 characters.",
    )?;
    let create = CreateRole {
        name: form.text("name").trim().to_owned(),
        path: None,
        trust_policy: text.to_owned(),
        description,
        session_seconds_max: seconds.unwrap_or(SESSION_SECONDS),
        boundary: None,
        tags: Vec::new(),
    };
    asked.run(create).await
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None, None).await
}

async fn respond(
    asked: &Asked<'_>,
    trust: Option<&Draft>,
    refused: Option<&Error>,
) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    let role = asked.part(GetRole { name: name.clone() }).await?;
    let policies = super::policies_of(asked, Kind, &name).await?;
    let error = refused.or_else(|| trust.and_then(|trust| trust.error.as_ref()));
    Ok(forms::shown(page(asked, &name, &role, &policies, trust, refused), error))
}

pub(crate) fn page(
    asked: &Asked<'_>,
    name: &str,
    role: &Part<Role>,
    policies: &Policies,
    trust: Option<&Draft>,
    refused: Option<&Error>,
) -> Page {
    let whose = whose(name);
    let stored = role.as_ref().ok().map(|role| forms::readable(&role.trust_policy));
    let content = html! {
        (parts::refusal(refused))
        @match role {
            Err(error) => (parts::denied("The role itself", error)),
            Ok(role) => (parts::facts(&[
                ("ARN", html! { code { (role.entity.arn) } }),
                ("Description", html! { @if role.entity.description.is_empty() { span.quiet { "none" } } @else { (role.entity.description) } }),
                ("Longest session", html! { (format::count(u64::try_from(role.session_seconds_max / 60).unwrap_or_default(), "minute", "minutes")) }),
                ("Last taken", html! { @match &role.last_used { Some((at, region)) => { (format::moment(*at)) " " span.quiet { (region) } }, None => span.quiet { "never" } } }),
                ("Created", format::moment(role.entity.created_at)),
                ("Take it", html! { a href=(switching::path_for(role.entity.account.as_str(), switching::role_in(&role.entity.arn))) { "Switch to this role" } span.quiet { ", a link for whoever may" } }),
                ("Permissions", html! { a href=(asked.path_with("simulator", &[("principal", &role.entity.arn)])) { "Ask the simulator what it may do" } }),
            ])),
        }
        section aria-labelledby="trust" {
            h2 #trust { "Who may take it" }
            @if let Some(trust) = trust { (forms::remarks(trust)) }
            @let text = trust.map(|trust| trust.text.clone()).or(stored).unwrap_or_default();
            (parts::form(asked, &whose.path(asked, "trust"), &html! {
                (parts::text_area("document", "Trust policy", "Statements as JSON; principals are users, roles, accounts and identity providers.", &text, 16))
                (statements::builder(asked, PolicyOf::Trust))
                div.submit { (forms::check_and_save("Save trust policy")) }
            }))
        }
        (super::policies_section(asked, &whose, policies))
        (forms::end(asked, &whose.path(asked, "delete"), "Delete role", name, &html! {
            p { "The role goes with its policies, and its sessions end." }
        }))
        (parts::same_with_aws(&[
            parts::aws_global("iam get-role", &[("role-name", name)]),
            parts::aws_global("iam update-assume-role-policy", &[("role-name", name), ("policy-document", "file://trust.json")]),
            parts::aws_global("iam attach-role-policy", &[("role-name", name), ("policy-arn", super::SOME_POLICY)]),
        ]))
    };
    whose.page(asked, content)
}

pub(crate) async fn trust(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    let text = asked.form.text("document");
    let draft = match asked.form.text("do") {
        "check" => Draft::checked(asked, PolicyOf::Trust, text),
        statements::ADD => Draft::added(asked, PolicyOf::Trust, text),
        "save" => {
            let path = whose(&name).path(asked, "");
            let update = UpdateAssumeRolePolicy { name, trust_policy: text.to_owned() };
            match asked.run(update).await {
                Ok(()) => return Ok(Reply::done(path, "The trust policy is in force.")),
                Err(error) if parts::is_mendable(&error) => {
                    Draft::refused(asked, PolicyOf::Trust, text, error)
                }
                Err(error) => return Err(error),
            }
        }
        _ => return Ok(Reply::Missing),
    };
    respond(asked, Some(&draft), None).await
}

pub(crate) async fn attached(asked: &Asked<'_>) -> Result<Reply, Error> {
    super::change_attached(asked, Kind, &whose(asked.parameter("name"))).await
}

pub(crate) async fn show_inline(asked: &Asked<'_>) -> Result<Reply, Error> {
    super::show_inline(asked, Kind, &whose(asked.parameter("name"))).await
}

pub(crate) async fn inline(asked: &Asked<'_>) -> Result<Reply, Error> {
    super::change_inline(asked, Kind, &whose(asked.parameter("name"))).await
}

pub(crate) async fn delete(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    match delete_whole(asked, &name).await {
        Ok(()) => Ok(Reply::done(asked.path("iam/roles"), format!("The role {name} is deleted."))),
        Err(error) if parts::is_mendable(&error) => respond(asked, None, Some(&error)).await,
        Err(error) => Err(error),
    }
}

async fn delete_whole(asked: &Asked<'_>, name: &str) -> Result<(), Error> {
    forms::confirmed(asked, name)?;
    super::take_policies(asked, Kind, name).await?;
    asked.run(DeleteRole { name: name.to_owned() }).await
}
