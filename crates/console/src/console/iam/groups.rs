//! Groups of users.

use maud::html;
use tonnage_domain::error::Error;
use tonnage_domain::identities::entities::Entity;
use tonnage_domain::identities::groups::{
    AddUserToGroup, CreateGroup, DeleteGroup, GetGroup, ListGroups, RemoveUserFromGroup,
};
use tonnage_domain::identities::inline_policies::Group as Kind;
use tonnage_domain::pages::Page as Items;

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use super::{PAGE, Policies, Whose, all};
use crate::format;

fn whose(name: &str) -> Whose<'_> {
    Whose { list: "groups", title: "Groups", noun: "group", name }
}

/// The path of a group.
pub(crate) fn path(asked: &Asked<'_>, name: &str) -> String {
    whose(name).path(asked, "")
}

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let list = ListGroups { path_prefix: "/".to_owned(), page: asked.page(PAGE) };
    let groups = asked.part(list).await?;
    Ok(list_page(asked, &groups, None).into())
}

pub(crate) fn list_page(
    asked: &Asked<'_>,
    groups: &Part<Items<Entity>>,
    refused: Option<&Error>,
) -> Page {
    let content = html! {
        (parts::refusal(refused))
        @match groups {
            Err(error) => (parts::denied("The list of groups", error)),
            Ok(groups) if groups.items.is_empty() => (parts::empty("There is no group yet", &html! {
                p { "A group gives its policies to every user in it: one for developers who push, one for servers that only pull." }
            })),
            Ok(groups) => {
                (parts::table("Groups", &["Name", "ARN", "Created"], &html! {
                    @for group in &groups.items { tr {
                        th scope="row" { a href=(path(asked, &group.name)) { (group.name) } }
                        td { code { (group.arn) } }
                        td { (format::day(group.created_at)) }
                    } }
                }))
                (parts::pages(asked, "iam/groups", &[], groups.next.as_deref()))
            }
        }
        section aria-labelledby="create" {
            h2 #create { "Create a group" }
            (parts::form(asked, &asked.path("iam/groups"), &html! {
                (Field { name: "name", label: "Name", value: asked.form.text("name"), help: "Letters, digits and +=,.@-_ without spaces.", required: true, ..Field::default() }.render())
                div.submit { button type="submit" { "Create group" } }
            }))
        }
        (parts::same_with_aws(&[
            parts::aws_global("iam list-groups", &[]),
            parts::aws_global("iam create-group", &[("group-name", "NAME")]),
        ]))
    };
    Page::new("Groups", content)
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.form.text("name").trim().to_owned();
    match asked.run(CreateGroup { name, path: None }).await {
        Ok(group) => Ok(Reply::done(
            path(asked, &group.name),
            format!("The group {} is created.", group.name),
        )),
        Err(error) if parts::is_mendable(&error) => {
            let list = ListGroups { path_prefix: "/".to_owned(), page: asked.page(PAGE) };
            let groups = asked.part(list).await?;
            Ok(forms::shown(list_page(asked, &groups, Some(&error)), Some(&error)))
        }
        Err(error) => Err(error),
    }
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    let group = asked.part(GetGroup { name: name.clone(), page: asked.page(PAGE) }).await?;
    let policies = super::policies_of(asked, Kind, &name).await?;
    Ok(forms::shown(page(asked, &name, &group, &policies, refused), refused))
}

pub(crate) fn page(
    asked: &Asked<'_>,
    name: &str,
    group: &Part<(Entity, Items<Entity>)>,
    policies: &Policies,
    refused: Option<&Error>,
) -> Page {
    let whose = whose(name);
    let members = whose.path(asked, "members");
    let content = html! {
        (parts::refusal(refused))
        @match group {
            Err(error) => (parts::denied("The group and its users", error)),
            Ok((group, users)) => {
                (parts::facts(&[
                    ("ARN", html! { code { (group.arn) } }),
                    ("Unique id", html! { code { (group.unique_id) } }),
                    ("Created", format::moment(group.created_at)),
                ]))
                section aria-labelledby="members" {
                    h2 #members { "Users" }
                    @if users.items.is_empty() { p.quiet { "Nobody is in this group." } }
                    @else {
                        (parts::table("Users", &["User", ""], &html! {
                            @for user in &users.items { tr {
                                th scope="row" { a href=(asked.path(&format!("iam/users/{}", user.name))) { (user.name) } }
                                td { (parts::end_button(asked, &members, "Remove", &[("do", "remove"), ("user", &user.name)])) }
                            } }
                        }))
                        (parts::pages(asked, &format!("iam/groups/{name}"), &[], users.next.as_deref()))
                    }
                    (parts::form(asked, &members, &html! {
                        input type="hidden" name="do" value="add";
                        div.filters {
                            (Field { name: "user", label: "Name of a user", required: true, ..Field::default() }.render())
                            button.plain type="submit" { "Add to group" }
                        }
                    }))
                }
            }
        }
        (super::policies_section(asked, &whose, policies))
        (forms::end(asked, &whose.path(asked, "delete"), "Delete group", name, &html! {
            p { "Its users stay, without the policies of the group." }
        }))
        (parts::same_with_aws(&[
            parts::aws_global("iam get-group", &[("group-name", name)]),
            parts::aws_global("iam add-user-to-group", &[("group-name", name), ("user-name", "USER")]),
            parts::aws_global("iam attach-group-policy", &[("group-name", name), ("policy-arn", super::SOME_POLICY)]),
        ]))
    };
    whose.page(asked, content)
}

pub(crate) async fn members(asked: &Asked<'_>) -> Result<Reply, Error> {
    let group_name = asked.parameter("name").to_owned();
    let path = path(asked, &group_name);
    let user_name = asked.form.text("user").trim().to_owned();
    match asked.form.text("do") {
        "add" => {
            let told = format!("{user_name} is in the group.");
            forms::came(asked.run(AddUserToGroup { group_name, user_name }).await, path, told)
        }
        "remove" => {
            let told = format!("{user_name} is no longer in the group.");
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

pub(crate) async fn delete(asked: &Asked<'_>) -> Result<Reply, Error> {
    let name = asked.parameter("name").to_owned();
    match delete_whole(asked, &name).await {
        Ok(()) => {
            Ok(Reply::done(asked.path("iam/groups"), format!("The group {name} is deleted.")))
        }
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

async fn delete_whole(asked: &Asked<'_>, name: &str) -> Result<(), Error> {
    forms::confirmed(asked, name)?;
    // Those who leave are no longer on the first page.
    loop {
        let (_, users) = asked.run(GetGroup { name: name.to_owned(), page: all() }).await?;
        for user in users.items {
            let remove = RemoveUserFromGroup { group_name: name.to_owned(), user_name: user.name };
            super::unless_absent(asked.run(remove).await)?;
        }
        if users.next.is_none() {
            break;
        }
    }
    super::take_policies(asked, Kind, name).await?;
    asked.run(DeleteGroup { name: name.to_owned() }).await
}
