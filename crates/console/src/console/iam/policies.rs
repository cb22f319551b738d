//! Managed policies: the account's own with their versions, and AWS's.

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::attachments::ListEntitiesForPolicy;
use tonnage_domain::identities::entities::{Entity, EntityKind};
use tonnage_domain::identities::policies::versions::{
    CreatePolicyVersion, DeletePolicyVersion, GetPolicyVersion, ListPolicyVersions,
    SetDefaultPolicyVersion,
};
use tonnage_domain::identities::policies::{
    CreatePolicy, DeletePolicy, GetPolicy, ListPolicies, ManagedPolicy, PolicyScope, PolicyVersion,
};
use tonnage_domain::pages::Page as Items;

use super::super::PolicyOf;
use super::super::asked::{Asked, Part};
use super::super::forms::{self, Draft};
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use super::super::statements;
use super::{EXAMPLE, PAGE, all, policy_path};
use crate::format;

/// The most characters of a description.
const DESCRIPTION_MAX: usize = 1000;
/// Versions that a policy has at most; the oldest makes room.
const VERSIONS_MAX: usize = 5;
/// The most characters of a document, without white space (IAM user guide, "IAM and AWS STS quotas").
const DOCUMENT_MAX: usize = 6144;

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let scope = match asked.query.text("scope") {
        "aws" => PolicyScope::Aws,
        "own" => PolicyScope::Local,
        _ => PolicyScope::All,
    };
    let list = ListPolicies {
        scope,
        only_attached: false,
        path_prefix: "/".to_owned(),
        page: asked.page(PAGE),
    };
    let policies = asked.part(list).await?;
    Ok(list_page(asked, &policies).into())
}

pub(crate) fn list_page(asked: &Asked<'_>, policies: &Part<Items<ManagedPolicy>>) -> Page {
    let create = html! { a.button href=(asked.path("iam/policies/-/create")) { "Create policy" } };
    let scope = asked.query.text("scope");
    let content = html! {
        nav.tabs aria-label="Whose policies" {
            @for (value, title) in [("", "All"), ("own", "Of this account"), ("aws", "Of AWS")] {
                @let path = asked.path_with("iam/policies", &[("scope", value)]);
                @if value == scope { a href=(path) aria-current="page" { (title) } } @else { a href=(path) { (title) } }
            }
        }
        @match policies {
            Err(error) => (parts::denied("The list of policies", error)),
            Ok(policies) if policies.items.is_empty() => (parts::empty("This account has no policy of its own", &html! {
                p { "A managed policy is written once and attached to many users, groups and roles." }
                p { a.button href=(asked.path("iam/policies/-/create")) { "Create a policy" } }
            })),
            Ok(policies) => {
                (parts::table("Policies", &["Name", "Whose", "#Attached to", "Version", "Changed"], &html! {
                    @for policy in &policies.items { tr {
                        th scope="row" { a href=(policy_path(asked, &policy.arn)) { (policy.name) } }
                        td { @if is_of_aws(&policy.arn) { span.quiet { "AWS" } } @else { "this account" } }
                        td.number { (policy.attachments) }
                        td { "v" (policy.default_version) }
                        td { @if is_of_aws(&policy.arn) { span.quiet { "–" } } @else { (format::day(policy.updated_at)) } }
                    } }
                }))
                (parts::pages(asked, "iam/policies", &[("scope", scope)], policies.next.as_deref()))
            }
        }
        (parts::same_with_aws(&[parts::aws_global("iam list-policies", &[("scope", "Local")])]))
    };
    Page::new("Policies", content).with_actions(create)
}

fn is_of_aws(arn: &str) -> bool {
    arn.contains(":iam::aws:policy/")
}

pub(crate) async fn show_create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let draft = Draft { text: EXAMPLE.to_owned(), ..Draft::default() };
    Ok(create_page(asked, &draft).into())
}

pub(crate) fn create_page(asked: &Asked<'_>, draft: &Draft) -> Page {
    let form = &asked.form;
    let content = html! {
        (forms::remarks(draft))
        (parts::form(asked, &asked.path("iam/policies/-/create"), &html! {
            (Field { name: "name", label: "Name", value: form.text("name"), help: "Letters, digits and +=,.@-_ without spaces.", required: true, ..Field::default() }.render())
            (Field { name: "description", label: "Description", value: form.text("description"), help: "It cannot be changed later.", ..Field::default() }.render())
            (parts::text_area("document", "Statements as JSON", "What is not allowed by a statement is denied.", &draft.text, 22))
            (statements::builder(asked, PolicyOf::Identity))
            div.submit { (forms::check_and_save("Create policy")) a href=(asked.path("iam/policies")) { "Cancel" } }
        }))
        (parts::same_with_aws(&[
            parts::aws_global("iam create-policy", &[("policy-name", "NAME"), ("policy-document", "file://policy.json")]),
            "tonnage policy lint policy.json".to_owned(),
        ]))
    };
    Page::new("Create policy", content).under("Policies", asked.path("iam/policies"))
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let text = asked.form.text("document");
    let draft = match asked.form.text("do") {
        "check" => Draft::checked(asked, PolicyOf::Identity, text),
        statements::ADD => Draft::added(asked, PolicyOf::Identity, text),
        _ => match try_create(asked, text).await {
            Ok(policy) => {
                let told =
                    format!("The policy {} is created. Attach it to whom it is for.", policy.name);
                return Ok(Reply::done(policy_path(asked, &policy.arn), told));
            }
            Err(error) if parts::is_mendable(&error) => {
                Draft::refused(asked, PolicyOf::Identity, text, error)
            }
            Err(error) => return Err(error),
        },
    };
    Ok(forms::shown(create_page(asked, &draft), draft.error.as_ref()))
}

async fn try_create(asked: &Asked<'_>, text: &str) -> Result<ManagedPolicy, Error> {
    let description = asked.form.text("description").trim().to_owned();
    forms::require(
        description.chars().count() <= DESCRIPTION_MAX,
        "A description has at most 1,000 characters.",
    )?;
    let create = CreatePolicy {
        name: asked.form.text("name").trim().to_owned(),
        path: None,
        document: text.to_owned(),
        description,
        tags: Vec::new(),
    };
    asked.run(create).await
}

/// What is known of a policy.
pub(crate) struct Known {
    pub(crate) policy: Part<ManagedPolicy>,
    pub(crate) versions: Part<Vec<PolicyVersion>>,
    /// A version that was asked for, else the one in force.
    pub(crate) shown: Part<Option<PolicyVersion>>,
    pub(crate) entities: Part<Items<Entity>>,
}

async fn known(asked: &Asked<'_>, arn: &str) -> Result<Known, Error> {
    let policy = asked.part(GetPolicy { arn: arn.to_owned() }).await?;
    let versions = asked.part(ListPolicyVersions { arn: arn.to_owned() }).await?;
    let wanted = asked.query.optional("version").map(str::to_owned);
    let wanted = wanted
        .or_else(|| policy.as_ref().ok().map(|policy| format!("v{}", policy.default_version)));
    let shown = match wanted {
        Some(version_id) => {
            let get = GetPolicyVersion { arn: arn.to_owned(), version_id };
            asked.part(get).await?.map(Some)
        }
        None => Ok(None),
    };
    let entities = ListEntitiesForPolicy {
        policy_arn: arn.to_owned(),
        kind: None,
        usage: None,
        path_prefix: "/".to_owned(),
        page: all(),
    };
    Ok(Known { policy, versions, shown, entities: asked.part(entities).await? })
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(arn) = asked.query.optional("arn") else { return Ok(Reply::Missing) };
    let known = known(asked, arn).await?;
    Ok(page(asked, arn, &known, None).into())
}

pub(crate) fn page(asked: &Asked<'_>, arn: &str, known: &Known, refused: Option<&Error>) -> Page {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let is_own = !is_of_aws(arn);
    let edit = asked.path_with("iam/policies/-/edit", &[("arn", arn)]);
    let content = html! {
        (parts::refusal(refused))
        @match &known.policy {
            Err(error) => (parts::denied("The policy itself", error)),
            Ok(policy) => (parts::facts(&[
                ("ARN", html! { code { (policy.arn) } }),
                ("Description", html! { @if policy.description.is_empty() { span.quiet { "none" } } @else { (policy.description) } }),
                ("In force", html! { "version " (policy.default_version) }),
                ("Whose", html! { @if is_own { "this account" } @else { "AWS; it cannot be changed, and can be attached like your own" } }),
            ])),
        }
        section aria-labelledby="document" {
            h2 #document { "Statements" @if let Ok(Some(shown)) = &known.shown { " of version " (shown.version) } }
            @match &known.shown {
                Err(error) => (parts::denied("What it says", error)),
                Ok(None) => p.quiet { "Nothing is shown." },
                Ok(Some(shown)) => pre.document tabindex="0" role="group" aria-label="Statements" { (forms::readable(&shown.document)) },
            }
        }
        (entities_section(asked, &known.entities))
        @if is_own { (versions_section(asked, arn, &known.versions)) }
        @if is_own {
            (forms::end(asked, &asked.path("iam/policy"), "Delete policy", name, &html! {
                p { "A policy that is still attached stays: detach it first." }
                input type="hidden" name="arn" value=(arn);
            }))
        }
        (parts::same_with_aws(&[
            parts::aws_global("iam get-policy", &[("policy-arn", arn)]),
            parts::aws_global("iam get-policy-version", &[("policy-arn", arn), ("version-id", "v1")]),
            parts::aws_global("iam create-policy-version", &[("policy-arn", arn), ("policy-document", "file://policy.json"), ("set-as-default", "")]),
        ]))
    };
    let page = Page::new(name, content).under("Policies", asked.path("iam/policies"));
    match is_own {
        true => page.with_actions(html! { a.button href=(edit) { "Edit" } }),
        false => page,
    }
}

fn entities_section(asked: &Asked<'_>, entities: &Part<Items<Entity>>) -> Markup {
    html! {
        section aria-labelledby="entities" {
            h2 #entities { "Attached to" }
            @match entities {
                Err(error) => (parts::denied("Whom it is attached to", error)),
                Ok(entities) if entities.items.is_empty() => p.quiet { "Nobody has this policy. Attach it on the page of a user, a group or a role." },
                Ok(entities) => (parts::table("Attached to", &["Name", "Kind"], &html! {
                    @for entity in &entities.items { tr {
                        th scope="row" {
                            @match entity.kind {
                                EntityKind::User => a href=(asked.path(&format!("iam/users/{}", entity.name))) { (entity.name) },
                                EntityKind::Group => a href=(asked.path(&format!("iam/groups/{}", entity.name))) { (entity.name) },
                                EntityKind::Role => a href=(asked.path(&format!("iam/roles/{}", entity.name))) { (entity.name) },
                                EntityKind::Policy | EntityKind::InstanceProfile | EntityKind::OidcProvider => (entity.name),
                            }
                        }
                        td { (entity.kind.as_str()) }
                    } }
                })),
            }
        }
    }
}

fn versions_section(asked: &Asked<'_>, arn: &str, versions: &Part<Vec<PolicyVersion>>) -> Markup {
    let path = asked.path("iam/policy");
    html! {
        section aria-labelledby="versions" {
            h2 #versions { "Versions" }
            @match versions {
                Err(error) => (parts::denied("Versions", error)),
                Ok(versions) => (parts::table("Versions", &["Version", "Created", ""], &html! {
                    @for version in versions {
                        @let id = format!("v{}", version.version);
                        tr {
                            th scope="row" { a href=(asked.path_with("iam/policy", &[("arn", arn), ("version", &id)])) { (id) } }
                            td { (format::moment(version.created_at)) }
                            td {
                                @if version.is_default { (parts::badge("good", "in force")) }
                                @else {
                                    (parts::button(asked, &path, "Put in force", &[("do", "default"), ("arn", arn), ("version", &id)])) " "
                                    (parts::end_button(asked, &path, "Delete", &[("do", "delete-version"), ("arn", arn), ("version", &id)]))
                                }
                            }
                        }
                    }
                })),
            }
        }
    }
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let arn = asked.form.text("arn").to_owned();
    let path = policy_path(asked, &arn);
    let version_id = asked.form.text("version").to_owned();
    match asked.form.text("do") {
        "default" => {
            let told = format!("Version {version_id} is in force.");
            forms::came(asked.run(SetDefaultPolicyVersion { arn, version_id }).await, path, told)
        }
        "delete-version" => {
            let told = format!("Version {version_id} is deleted.");
            forms::came(asked.run(DeletePolicyVersion { arn, version_id }).await, path, told)
        }
        "delete" => match delete_whole(asked, &arn).await {
            Ok(()) => Ok(Reply::done(asked.path("iam/policies"), "The policy is deleted.")),
            failed => forms::came(failed, path, ""),
        },
        _ => Ok(Reply::Missing),
    }
}

/// Deletes a policy with its versions, unless somebody still has it.
async fn delete_whole(asked: &Asked<'_>, arn: &str) -> Result<(), Error> {
    forms::confirmed(asked, arn.rsplit('/').next().unwrap_or_default())?;
    let entities = ListEntitiesForPolicy {
        policy_arn: arn.to_owned(),
        kind: None,
        usage: None,
        path_prefix: "/".to_owned(),
        page: all(),
    };
    let entities = asked.run(entities).await?;
    if entities.items.is_empty() {
        for version in asked.run(ListPolicyVersions { arn: arn.to_owned() }).await? {
            if !version.is_default {
                let version_id = format!("v{}", version.version);
                let delete = DeletePolicyVersion { arn: arn.to_owned(), version_id };
                super::unless_absent(asked.run(delete).await)?;
            }
        }
    }
    asked.run(DeletePolicy { arn: arn.to_owned() }).await
}

pub(crate) async fn show_edit(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(arn) = asked.query.optional("arn") else { return Ok(Reply::Missing) };
    let policy = asked.run(GetPolicy { arn: arn.to_owned() }).await?;
    let version_id = format!("v{}", policy.default_version);
    let version = asked.run(GetPolicyVersion { arn: arn.to_owned(), version_id }).await?;
    let draft = Draft { text: forms::readable(&version.document), ..Draft::default() };
    Ok(edit_page(asked, arn, &draft).into())
}

pub(crate) fn edit_page(asked: &Asked<'_>, arn: &str, draft: &Draft) -> Page {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let content = html! {
        (forms::remarks(draft))
        (parts::form(asked, &asked.path("iam/policies/-/edit"), &html! {
            input type="hidden" name="arn" value=(arn);
            (parts::text_area("document", "Statements as JSON", "Saving makes a new version and puts it in force. The last five are kept.", &draft.text, 24))
            (statements::builder(asked, PolicyOf::Identity))
            div.submit { (forms::check_and_save("Save as new version")) a href=(policy_path(asked, arn)) { "Cancel" } }
        }))
        (parts::same_with_aws(&[
            parts::aws_global("iam create-policy-version", &[("policy-arn", arn), ("policy-document", "file://policy.json"), ("set-as-default", "")]),
            "tonnage policy lint policy.json".to_owned(),
        ]))
    };
    Page::new("Edit", content)
        .under("Policies", asked.path("iam/policies"))
        .under(name, policy_path(asked, arn))
}

pub(crate) async fn edit(asked: &Asked<'_>) -> Result<Reply, Error> {
    let (arn, text) = (asked.form.text("arn").to_owned(), asked.form.text("document"));
    let draft = match asked.form.text("do") {
        "check" => Draft::checked(asked, PolicyOf::Identity, text),
        statements::ADD => Draft::added(asked, PolicyOf::Identity, text),
        _ => match save(asked, &arn, text).await {
            Ok(version) => {
                let told = format!("Version {} is in force.", version.version);
                return Ok(Reply::done(policy_path(asked, &arn), told));
            }
            Err(error) if parts::is_mendable(&error) => {
                Draft::refused(asked, PolicyOf::Identity, text, error)
            }
            Err(error) => return Err(error),
        },
    };
    Ok(forms::shown(edit_page(asked, &arn, &draft), draft.error.as_ref()))
}

/// Makes a version, for which the oldest that is not in force makes room.
async fn save(asked: &Asked<'_>, arn: &str, text: &str) -> Result<PolicyVersion, Error> {
    let create = || CreatePolicyVersion {
        arn: arn.to_owned(),
        document: text.to_owned(),
        set_as_default: true,
    };
    let chars = text.chars().filter(|character| !character.is_whitespace()).count();
    let full = match asked.run(create()).await {
        Err(error) if error.kind() == ErrorKind::LimitExceeded && chars <= DOCUMENT_MAX => error,
        created => return created,
    };
    let versions = asked.run(ListPolicyVersions { arn: arn.to_owned() }).await?;
    let oldest =
        versions.iter().filter(|version| !version.is_default).map(|version| version.version);
    let Some(oldest) = oldest.min().filter(|_| versions.len() >= VERSIONS_MAX) else {
        return Err(full);
    };
    asked
        .run(DeletePolicyVersion { arn: arn.to_owned(), version_id: format!("v{oldest}") })
        .await?;
    asked.run(create()).await
}
