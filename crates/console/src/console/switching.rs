//! Taking a role without signing out, and the menu of who somebody is.

use bytes::Bytes;
use http::Response;
use maud::{Markup, html};
use tonnage_domain::app::App;
use tonnage_domain::context::PrincipalKind;
use tonnage_domain::error::Error;
use tonnage_domain::identities::console_sessions::ConsoleSession;
use tonnage_domain::identities::console_sessions::switching::{
    RememberedRole, leave_role, switch_role,
};
use tonnage_domain::names::Region;

use super::asked::Asked;
use super::cookies::{Cookie, Cookies};
use super::forms;
use super::parts::{self, Field};
use super::reply::{Flash, Page, Reply};
use super::{PREFIX, Visit, broken, redirect};
use crate::format;

const PATH: &str = "/console/switch-role";
const TITLE: &str = "Switch role";

/// How people name themselves: a user without its path, a session by its name, `root`.
pub(super) fn name_of(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}

/// The role in the ARN of a session of it.
pub(super) fn role_of(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

/// The path and name of a role in its ARN.
pub(super) fn role_in(arn: &str) -> &str {
    arn.split_once(":role/").map_or(arn, |(_, name)| name)
}

/// The path of the page that has a role filled in, for whoever shall take it; the names of what it
/// asks are those of AWS's page.
pub(super) fn path_for(account: &str, role: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("account", account).append_pair("roleName", role);
    format!("{PATH}?{}", query.finish())
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let own = asked.context.account.to_string();
    let account = asked.query.optional("account").unwrap_or(&own);
    Ok(page(asked, (account, asked.query.text("roleName")), None).into())
}

pub(crate) async fn switch(asked: &Asked<'_>) -> Result<Reply, Error> {
    let named = (asked.form.text("account").trim(), asked.form.text("roleName").trim());
    let taken = switch_role(asked.app, &asked.visit.context, &asked.session, named).await;
    match taken {
        Ok(role) => Ok(Reply::done(
            home(asked),
            format!(
                "You act as {} in account {} now, until {} UTC at the latest.",
                role_of(&role.principal.arn),
                role.principal.account,
                format::clock(role.expires_at)
            ),
        )),
        Err(error) if parts::is_mendable(&error) => {
            Ok(forms::shown(page(asked, named, Some(&error)), Some(&error)))
        }
        Err(error) => Err(error),
    }
}

pub(crate) async fn leave(asked: &Asked<'_>) -> Result<Reply, Error> {
    leave_role(asked.app, &asked.visit.context, &asked.session).await?;
    let own = name_of(&asked.session.principal.arn);
    Ok(Reply::done(home(asked), format!("You are {own} again.")))
}

/// The overview of the region that a form came from.
fn home(asked: &Asked<'_>) -> String {
    match Region::parse(asked.form.text("region")) {
        Ok(region) => format!("{PREFIX}/{region}/"),
        Err(_) => format!("{PREFIX}/"),
    }
}

/// Whoever took a role that is over is told so, before anything is done as somebody else.
pub(super) async fn over(
    app: &App,
    visit: &Visit<'_>,
    cookies: &Cookies<'_>,
    session: &ConsoleSession,
) -> Response<Bytes> {
    if let Err(error) = leave_role(app, &visit.context, session).await {
        return broken(visit, &error);
    }
    let own = name_of(&session.principal.arn);
    let flash = Flash {
        good: false,
        text: format!(
            "The role that you took is over: its time has passed, or it was deleted. You are {own} \
             again, and nothing that you sent was done."
        ),
    };
    redirect(&format!("{PREFIX}/"), &[cookies.set(Cookie::Flash, &flash.write())])
}

fn page(asked: &Asked<'_>, (account, role): (&str, &str), error: Option<&Error>) -> Page {
    let is_root = asked.session.principal.kind == PrincipalKind::Root;
    let content = html! {
        (parts::refusal(error))
        @if is_root {
            div."notice" { p { "You are the root of an account, which cannot take roles. Sign in as a user, or with a provider." } }
        }
        p {
            "You act as the role on every page until you go back, and may do what the role may do: nothing of \
             your own. Its trust policy and your policies decide whether you may take it."
        }
        @if !is_root { (parts::form(asked, PATH, &html! {
            (Field {
                name: "account", label: "Account", value: account,
                help: "12 digits, or the alias of the account.", ..Field::default()
            }.render())
            (Field {
                name: "roleName", label: "Role", value: role, required: true,
                help: "Its name, after its path if it has one; or its ARN, which says the account too.",
                ..Field::default()
            }.render())
            div.submit { button type="submit" { "Switch role" } }
        })) }
        @if !asked.session.recent_roles.is_empty() {
            section aria-labelledby="recent" {
                h2 #recent { "Roles that you took" }
                (recent(asked))
            }
        }
        (parts::same_with_aws(&[parts::aws_global("sts assume-role", &[
            ("role-arn", &arn_of(account, role)), ("role-session-name", name_of(&asked.session.principal.arn)),
        ])]))
    };
    Page::new(TITLE, content)
}

/// The ARN of a role that is named as the form has it.
fn arn_of(account: &str, role: &str) -> String {
    match role {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        "" => format!("arn:aws:iam::{account}:role/deploy"),
        role => format!("arn:aws:iam::{account}:role/{role}"),
    }
}

/// A button for each role that was taken, but for the one that is.
fn recent(asked: &Asked<'_>) -> Markup {
    let taken = asked.session.role.as_ref();
    let is_taken = |role: &RememberedRole| taken.is_some_and(|taken| taken.arn == role.arn);
    html! {
        ul.roles {
            @for role in asked.session.recent_roles.iter().filter(|role| !is_taken(role)) {
                li {
                    form method="post" action=(PATH) {
                        input type="hidden" name="csrf" value=(asked.csrf);
                        input type="hidden" name="roleName" value=(role.arn);
                        input type="hidden" name="region" value=(asked.context.region);
                        button.plain type="submit" title=(role.arn) {
                            span.who-account { (role.account()) span.slash { "/" } }
                            span { (role.name()) }
                        }
                    }
                }
            }
        }
    }
}

/// What is under the name of whoever is signed in.
pub(super) fn menu(asked: &Asked<'_>) -> Markup {
    let session = &asked.session;
    html! {
        dl {
            dt { "Signed in as" } dd { code { (session.principal.arn) } }
            @if let Some(role) = &session.role {
                dt { "Acting as" } dd { code { (role.principal.arn) } }
                dt { "Until, at the latest" } dd { (format::moment(role.expires_at)) " UTC" }
            }
        }
        (recent(asked))
        ul.ways {
            li { a href=(PATH) { "Switch role" } }
            li { a href="/console/account" { "Account and sessions" } }
        }
        @if session.role.is_some() {
            (parts::button(asked, "/console/sign-out", "Sign out", &[]))
        }
    }
}

/// The part of the page of an account about roles.
pub(super) fn section(asked: &Asked<'_>) -> Markup {
    html! {
        section aria-labelledby="roles" {
            h2 #roles { "Roles" }
            p { "Act as a role of this account or another one, without signing out." }
            (recent(asked))
            div.submit { a.button.plain href=(PATH) { "Switch role" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people() {
        for (arn, name) in [
            ("arn:aws:iam::123456789012:user/team/ada", "ada"),
            ("arn:aws:iam::123456789012:root", "root"),
            ("arn:aws:sts::123456789012:assumed-role/deploy/ada", "ada"),
        ] {
            assert_eq!(name_of(arn), name, "{arn}");
        }
        assert_eq!(role_in("arn:aws:iam::123456789012:role/team/deploy"), "team/deploy");
        assert_eq!(role_of("arn:aws:sts::123456789012:assumed-role/deploy/ada"), "deploy");
        assert_eq!(
            path_for("123456789012", "team/a+b"),
            "/console/switch-role?account=123456789012&roleName=team%2Fa%2Bb"
        );
    }
}
