//! Users: their keys, password, groups and policies.

use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::access_keys::operations::{
    AccessKeyInfo, CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, ListAccessKeys,
    NewAccessKey, UpdateAccessKey,
};
use tonnage_domain::identities::access_keys::uses::Use;
use tonnage_domain::identities::entities::Entity;
use tonnage_domain::identities::groups::{
    AddUserToGroup, ListGroups, ListGroupsForUser, RemoveUserFromGroup,
};
use tonnage_domain::identities::inline_policies::User as Kind;
use tonnage_domain::identities::login_profiles::{
    CreateLoginProfile, DeleteLoginProfile, GetLoginProfile, LoginProfile, UpdateLoginProfile,
};
use tonnage_domain::identities::users::{CreateUser, DeleteUser, GetUser, ListUsers, User};
use tonnage_domain::pages::Page as Items;

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use super::{PAGE, Policies, Whose, all};
use crate::format;

const NAME_HELP: &str = "Letters, digits and +=,.@-_ without spaces.";

fn whose(name: &str) -> Whose<'_> {
    Whose { list: "users", title: "Users", noun: "user", name }
}

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let list = ListUsers { path_prefix: "/".to_owned(), page: asked.page(PAGE) };
    let users = asked.part(list).await?;
    Ok(list_page(asked, &users).into())
}

pub(crate) fn list_page(asked: &Asked<'_>, users: &Part<Items<Entity>>) -> Page {
    let create = html! { a.button href=(asked.path("iam/users/-/create")) { "Create user" } };
    let content = html! {
        @match users {
            Err(error) => (parts::denied("The list of users", error)),
            Ok(users) if users.items.is_empty() => (parts::empty("There is no user yet", &html! {
                p {
                    "The root of the account may do everything. Give each person and each program a user of its own "
                    "instead, with a policy for what it needs: what one of them did can then be told, and one of them taken away."
                }
                p { a.button href=(asked.path("iam/users/-/create")) { "Create a user" } }
            })),
            Ok(users) => {
                (parts::table("Users", &["Name", "ARN", "Created"], &html! {
                    @for user in &users.items { tr {
                        th scope="row" { a href=(whose(&user.name).path(asked, "")) { (user.name) } }
                        td { code { (user.arn) } }
                        td { (format::day(user.created_at)) }
                    } }
                }))
                (parts::pages(asked, "iam/users", &[], users.next.as_deref()))
            }
        }
        (parts::same_with_aws(&[parts::aws_global("iam list-users", &[])]))
    };
    Page::new("Users", content).with_actions(create)
}

pub(crate) async fn show_create(asked: &Asked<'_>) -> Result<Reply, Error> {
    Ok(create_page(asked, None).into())
}

pub(crate) fn create_page(asked: &Asked<'_>, refused: Option<&Error>) -> Page {
    let form = &asked.form;
    let content = html! {
        (parts::refusal(refused))
        (parts::form(asked, &asked.path("iam/users/-/create"), &html! {
            (Field { name: "name", label: "Name", value: form.text("name"), help: NAME_HELP, required: true, ..Field::default() }.render())
            (Field { name: "path", label: "Path", value: form.text("path"), help: "Optional; puts the user below a name, such as /robots/. Policies can speak of all users of a path.", ..Field::default() }.render())
            div.submit { button type="submit" { "Create user" } a href=(asked.path("iam/users")) { "Cancel" } }
        }))
        p.quiet { "Keys, a password, groups and policies come on the next page. Until then the user may do nothing." }
        (parts::same_with_aws(&[parts::aws_global("iam create-user", &[("user-name", "NAME")])]))
    };
    Page::new("Create user", content).under("Users", asked.path("iam/users"))
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let create = CreateUser {
        name: asked.form.text("name").trim().to_owned(),
        path: asked.form.optional("path").map(str::to_owned),
        boundary: None,
        tags: Vec::new(),
    };
    match asked.run(create).await {
        Ok(user) => {
            let name = &user.entity.name;
            let told =
                format!("The user {name} is created. Give it a key or a password, and a policy.");
            Ok(Reply::done(whose(name).path(asked, ""), told))
        }
        Err(error) if parts::is_mendable(&error) => {
            Ok(forms::shown(create_page(asked, Some(&error)), Some(&error)))
        }
        Err(error) => Err(error),
    }
}

/// When a key was last used.
type LastUsed = Part<(String, Option<Use>)>;

/// What is known of a user.
pub(crate) struct Known {
    pub(crate) user: Part<User>,
    pub(crate) keys: Part<Vec<(AccessKeyInfo, LastUsed)>>,
    pub(crate) password: Part<Option<LoginProfile>>,
    pub(crate) groups: Part<Items<Entity>>,
    /// Groups that there are.
    pub(crate) choices: Part<Items<Entity>>,
    pub(crate) policies: Policies,
}

async fn known(asked: &Asked<'_>, name: &str) -> Result<Known, Error> {
    let user_name = Some(name.to_owned());
    let user = asked.part(GetUser { name: user_name.clone() }).await?;
    let list = ListAccessKeys { user_name: user_name.clone(), page: all() };
    let keys = match asked.part(list).await? {
        Err(error) => Err(error),
        Ok(keys) => {
            let mut with_uses = Vec::new();
            for key in keys.items {
                let used = asked.part(GetAccessKeyLastUsed { id: key.id.clone() }).await?;
                with_uses.push((key, used));
            }
            Ok(with_uses)
        }
    };
    let password =
        asked.part_or_none(GetLoginProfile { user_name }, ErrorKind::NoSuchEntity).await?;
    let groups = ListGroupsForUser { user_name: name.to_owned(), page: all() };
    let choices = ListGroups { path_prefix: "/".to_owned(), page: all() };
    Ok(Known {
        user,
        keys,
        password,
        groups: asked.part(groups).await?,
        choices: asked.part(choices).await?,
        policies: super::policies_of(asked, Kind, name).await?,
    })
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    let known = known(asked, &name).await?;
    Ok(forms::shown(page(asked, &name, &known, refused), refused))
}

pub(crate) fn page(asked: &Asked<'_>, name: &str, known: &Known, refused: Option<&Error>) -> Page {
    let whose = whose(name);
    let content = html! {
        (parts::refusal(refused))
        @match &known.user {
            Err(error) => (parts::denied("The user itself", error)),
            Ok(user) => (facts(asked, user)),
        }
        (keys_section(asked, &whose, &known.keys))
        (password_section(asked, &whose, &known.password))
        (groups_section(asked, &whose, known))
        (super::policies_section(asked, &whose, &known.policies))
        (forms::end(asked, &whose.path(asked, "delete"), "Delete user", name, &html! {
            p { "The user goes with its keys, its password and its policies. Whatever still uses its keys stops at once." }
        }))
        (parts::same_with_aws(&[
            parts::aws_global("iam create-access-key", &[("user-name", name)]),
            parts::aws_global("iam create-login-profile", &[("user-name", name), ("password", "PASSWORD")]),
            parts::aws_global("iam add-user-to-group", &[("user-name", name), ("group-name", "GROUP")]),
            parts::aws_global("iam attach-user-policy", &[("user-name", name), ("policy-arn", super::SOME_POLICY)]),
        ]))
    };
    whose.page(asked, content)
}

fn facts(asked: &Asked<'_>, user: &User) -> Markup {
    let entity = &user.entity;
    let mut rows = vec![
        ("ARN", html! { code { (entity.arn) } }),
        ("Unique id", html! { code { (entity.unique_id) } }),
        ("Created", format::moment(entity.created_at)),
        (
            "Permissions",
            html! { a href=(asked.path_with("simulator", &[("principal", &entity.arn)])) { "Ask the simulator what it may do" } },
        ),
    ];
    if let Some(boundary) = &user.boundary {
        rows.push(("Boundary", html! { code { (boundary) } }));
    }
    for tag in &user.tags {
        rows.push(("Tag", html! { code { (tag.key) "=" (tag.value) } }));
    }
    parts::facts(&rows)
}

fn keys_section(
    asked: &Asked<'_>,
    whose: &Whose<'_>,
    keys: &Part<Vec<(AccessKeyInfo, LastUsed)>>,
) -> Markup {
    let path = whose.path(asked, "keys");
    html! {
        section aria-labelledby="keys" {
            h2 #keys { "Access keys" }
            @match keys {
                Err(error) => (parts::denied("Access keys", error)),
                Ok(keys) => {
                    @if keys.is_empty() {
                        p.quiet { "Programs, the " code { "aws" } " command and docker sign in with an access key. This user has none." }
                    } @else {
                        (parts::table("Access keys", &["Key", "State", "Created", "Last used", ""], &html! {
                            @for (key, used) in keys { tr {
                                th scope="row" { code { (key.id) } }
                                td { @if key.active { (parts::badge("good", "active")) } @else { (parts::badge("warn", "off")) } }
                                td { (format::day(key.created_at)) }
                                td { (last_used(used)) }
                                td {
                                    @if key.active { (parts::end_button(asked, &path, "Switch off", &[("do", "off"), ("id", &key.id)])) }
                                    @else {
                                        (parts::button(asked, &path, "Switch on", &[("do", "on"), ("id", &key.id)])) " "
                                        (parts::end_button(asked, &path, "Delete", &[("do", "delete"), ("id", &key.id)]))
                                    }
                                }
                            } }
                        }))
                        p.quiet { "A key is switched off before it is deleted: whatever still needs it says so then, and it can be switched on again." }
                    }
                    @if keys.len() < 2 {
                        div.submit { (parts::button(asked, &path, "Create access key", &[("do", "create")])) }
                    } @else {
                        p.quiet { "A user has two keys at most, so that one can take the place of the other." }
                    }
                }
            }
        }
    }
}

fn last_used(used: &LastUsed) -> Markup {
    html! {
        @match used {
            Err(_) => span.quiet { "not shown" },
            Ok((_, None)) => span.quiet { "never" },
            Ok((_, Some(used))) => { (format::moment(used.at)) " " span.quiet { (used.service) } },
        }
    }
}

fn password_section(
    asked: &Asked<'_>,
    whose: &Whose<'_>,
    password: &Part<Option<LoginProfile>>,
) -> Markup {
    let has_one = matches!(password, Ok(Some(_)));
    html! {
        section aria-labelledby="password" {
            h2 #password { "Password for this console" }
            @match password {
                Err(error) => (parts::denied("Whether there is a password", error)),
                Ok(None) => p.quiet { "Without a password the user signs in here with an access key." },
                Ok(Some(profile)) => p {
                    "Set on " (format::day(profile.created_at)) "."
                    @if profile.reset_required { " It must be changed when the user signs in next." }
                },
            }
            (parts::form(asked, &whose.path(asked, "password"), &html! {
                (Field {
                    name: "password",
                    label: if has_one { "New password" } else { "Password" },
                    kind: "password",
                    help: "8 to 128 characters; three of upper case, lower case, digits and symbols.",
                    autocomplete: "new-password",
                    ..Field::default()
                }.render())
                (parts::check("reset", "The user must choose another one after signing in", "", true))
                div.submit {
                    button type="submit" name="do" value="set" { @if has_one { "Set another password" } @else { "Set password" } }
                    @if has_one { button.plain.ends type="submit" name="do" value="remove" { "Take the password away" } }
                }
            }))
        }
    }
}

fn groups_section(asked: &Asked<'_>, whose: &Whose<'_>, known: &Known) -> Markup {
    let path = whose.path(asked, "groups");
    let member_of: &[Entity] = known.groups.as_ref().map_or(&[], |groups| &groups.items);
    html! {
        section aria-labelledby="groups" {
            h2 #groups { "Groups" }
            @match &known.groups {
                Err(error) => (parts::denied("Groups of the user", error)),
                Ok(groups) if groups.items.is_empty() => p.quiet { "The user is in no group. Whoever is in a group has its policies." },
                Ok(groups) => (parts::table("Groups", &["Group", ""], &html! {
                    @for group in &groups.items { tr {
                        th scope="row" { a href=(super::groups::path(asked, &group.name)) { (group.name) } }
                        td { (parts::end_button(asked, &path, "Leave", &[("do", "leave"), ("group", &group.name)])) }
                    } }
                })),
            }
            @let names: Option<Vec<(&str, &str)>> = known.choices.as_ref().ok().map(|choices| choices.items.iter()
                .filter(|group| member_of.iter().all(|joined| joined.name != group.name))
                .map(|group| (group.name.as_str(), group.name.as_str())).collect());
            @if names.as_ref().is_none_or(|names| !names.is_empty()) {
                (parts::form(asked, &path, &html! {
                    input type="hidden" name="do" value="join";
                    div.filters {
                        @match names {
                            Some(names) => (parts::select("group", "Group", "", &names)),
                            None => (Field { name: "group", label: "Group", required: true, ..Field::default() }.render()),
                        }
                        button.plain type="submit" { "Add to group" }
                    }
                }))
            }
        }
    }
}

/// Makes, switches and deletes keys. The secret of a new one is in the answer and nowhere else.
pub(crate) async fn keys(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    let path = whose(&name).path(asked, "");
    let (user_name, id) = (Some(name.clone()), asked.form.text("id").to_owned());
    match asked.form.text("do") {
        "create" => match asked.run(CreateAccessKey { user_name }).await {
            Ok(key) => Ok(new_key_page(asked, &name, &key).into()),
            failed => forms::came(failed, path, ""),
        },
        "on" => {
            let told = format!("The key {id} is switched on.");
            forms::came(
                asked.run(UpdateAccessKey { user_name, id, active: true }).await,
                path,
                told,
            )
        }
        "off" => {
            let told = format!("The key {id} is switched off.");
            forms::came(
                asked.run(UpdateAccessKey { user_name, id, active: false }).await,
                path,
                told,
            )
        }
        "delete" => {
            let told = format!("The key {id} is deleted.");
            forms::came(asked.run(DeleteAccessKey { user_name, id }).await, path, told)
        }
        _ => Ok(Reply::Missing),
    }
}

pub(crate) fn new_key_page(asked: &Asked<'_>, name: &str, key: &NewAccessKey) -> Page {
    let (id, secret) = (key.info.id.as_str(), key.secret.expose_secret());
    let profile = format!(
        "aws configure set aws_access_key_id {id} --profile {0}\n\
         aws configure set aws_secret_access_key {secret} --profile {0}",
        parts::shell(name)
    );
    let content = html! {
        div."notice"."warn" role="status" {
            p { strong { "The secret is shown this once." } " Keep it now; nobody can look it up later. Whoever has it is this user." }
        }
        (parts::facts(&[
            ("Access key", parts::copy(id)),
            ("Secret", parts::copy(secret)),
        ]))
        section aria-labelledby="use" {
            h2 #use { "Use it" }
            @for line in profile.lines() { (parts::copy(line)) }
        }
        p { a.button href=(whose(name).path(asked, "")) { "I have kept it" } }
    };
    Page::new("New access key", content)
        .under("Users", asked.path("iam/users"))
        .under(name, whose(name).path(asked, ""))
}

pub(crate) async fn password(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    let path = whose(&name).path(asked, "");
    let done = match asked.form.text("do") {
        "set" => set_password(asked, &name).await.map(|()| "The password is set."),
        "remove" => {
            let delete = DeleteLoginProfile { user_name: Some(name) };
            asked.run(delete).await.map(
                |()| "The password is taken away, and whoever signed in with it is signed out.",
            )
        }
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok(told) => Ok(Reply::done(path, told)),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

/// Sets the first password, or another one. Which of the two it is, the attempt says: asking first
/// would want one permission more.
async fn set_password(asked: &Asked<'_>, name: &str) -> Result<(), Error> {
    let password = || SecretString::from(asked.form.text("password").to_owned());
    let reset_required = asked.form.checked("reset");
    let user_name = Some(name.to_owned());
    let create = CreateLoginProfile { user_name, password: password(), reset_required };
    match asked.run(create).await {
        Err(error) if error.kind() == ErrorKind::EntityAlreadyExists => {
            let update = UpdateLoginProfile {
                user_name: name.to_owned(),
                password: Some(password()),
                reset_required: Some(reset_required),
            };
            asked.run(update).await
        }
        created => created.map(drop),
    }
}

pub(crate) async fn groups(asked: &Asked<'_>) -> Result<Reply, Error> {
    let user_name = asked.parameter("name").to_owned();
    let path = whose(&user_name).path(asked, "");
    let group_name = asked.form.text("group").trim().to_owned();
    match asked.form.text("do") {
        "join" => {
            let told = format!("The user is in the group {group_name}.");
            forms::came(asked.run(AddUserToGroup { group_name, user_name }).await, path, told)
        }
        "leave" => {
            let told = format!("The user is no longer in the group {group_name}.");
            forms::came(asked.run(RemoveUserFromGroup { group_name, user_name }).await, path, told)
        }
        _ => Ok(Reply::Missing),
    }
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

/// Deletes a user with everything it has, in the order that IAM wants.
pub(crate) async fn delete(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    match delete_whole(asked, &name).await {
        Ok(()) => Ok(Reply::done(asked.path("iam/users"), format!("The user {name} is deleted."))),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

async fn delete_whole(asked: &Asked<'_>, name: &str) -> Result<(), Error> {
    forms::confirmed(asked, name)?;
    let user_name = || Some(name.to_owned());
    let keys = asked.run(ListAccessKeys { user_name: user_name(), page: all() }).await?;
    for key in keys.items {
        let delete = DeleteAccessKey { user_name: user_name(), id: key.id };
        super::unless_absent(asked.run(delete).await)?;
    }
    super::unless_absent(asked.run(DeleteLoginProfile { user_name: user_name() }).await)?;
    let groups = ListGroupsForUser { user_name: name.to_owned(), page: all() };
    for group in asked.run(groups).await?.items {
        let leave = RemoveUserFromGroup { group_name: group.name, user_name: name.to_owned() };
        super::unless_absent(asked.run(leave).await)?;
    }
    super::take_policies(asked, Kind, name).await?;
    asked.run(DeleteUser { name: name.to_owned() }).await
}
