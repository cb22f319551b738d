//! Who is signed in, where else, and in which region.

use maud::html;
use tonnage_domain::context::PrincipalKind;
use tonnage_domain::error::Error;
use tonnage_domain::identities::console_sessions;
use tonnage_domain::names::Region;

use super::PREFIX;
use super::asked::Asked;
use super::parts;
use super::reply::{Page, Reply};
use super::routes;
use super::switching;
use crate::format;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let sessions = console_sessions::list(asked.app, &asked.session, asked.context.now).await?;
    let principal = &asked.session.principal;
    let role = asked.session.role.as_ref();
    let content = html! {
        (parts::facts(&[
            ("Account", html! { (principal.account) }),
            ("Signed in as", html! { code { (principal.arn) } }),
            ("With", html! {
                @match &principal.access_key_id {
                    _ if asked.session.federated => "an identity provider",
                    Some(id) => { "access key " code { (id) } }
                    None => "a password",
                }
            }),
            ("You act as", html! {
                @match role {
                    Some(role) => { code { (role.principal.arn) } " until " (format::moment(role.expires_at)) }
                    None => "yourself",
                }
            }),
        ]))
        @if principal.kind == PrincipalKind::User && role.is_none() {
            p { a href="/console/password" { "Change your password" } }
        }
        section aria-labelledby="sessions" {
            h2 #sessions { "Where you are signed in" }
            (parts::table("Sessions", &["Session", "Signed in", "Last seen", "With"], &html! {
                @for session in &sessions { tr {
                    th scope="row" { @if session.id == asked.session.id { "This one" } @else { "Another" } }
                    td { (format::moment(session.created_at)) }
                    td { (format::moment(session.last_used_at)) }
                    td { @match &session.access_key_id { _ if asked.session.federated => "an identity provider", Some(id) => code { (id) }, None => "password" } }
                } }
            }))
            p.quiet {
                "A session ends after twelve hours, or when it was not used for a while; at once when its key is \
                 switched off, its password is changed or its user is deleted. One that an identity provider began \
                 ends after an hour, when its session of the role does."
            }
            div.submit { (parts::end_button(asked, "/console/sign-out-everywhere", "Sign out everywhere", &[])) }
        }
        (switching::section(asked))
        (parts::same_with_aws(&["aws sts get-caller-identity".to_owned()]))
    };
    Ok(Page::new("Account and sessions", content).into())
}

/// Another region; a page that is there for every region, else the overview.
pub(crate) async fn go(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Ok(region) = Region::parse(asked.query.text("region").trim()) else {
        return Ok(Reply::failed(
            format!("{PREFIX}/"),
            "That is no region: a region has lower-case letters, digits and hyphens, such as eu-west-1.",
        ));
    };
    let page = asked.query.text("page");
    let page = if routes::is_page(page) { page } else { "" };
    Ok(Reply::Moved { path: format!("{PREFIX}/{region}/{page}"), flash: None })
}

pub(crate) async fn sign_out(asked: &Asked<'_>) -> Result<Reply, Error> {
    console_sessions::end(asked.app, &asked.context, &asked.session).await?;
    Ok(Reply::SignedOut)
}

pub(crate) async fn sign_out_everywhere(asked: &Asked<'_>) -> Result<Reply, Error> {
    console_sessions::end_all(asked.app, &asked.context, &asked.session).await?;
    Ok(Reply::SignedOut)
}
