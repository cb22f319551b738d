//! What every page of the console has around it.

use maud::{DOCTYPE, Markup, html};

use super::asked::Asked;
use super::parts;
use super::reply::Page;
use super::routes::MENU;
use super::switching;
use super::{PREFIX, Visit};
use crate::assets::{CONSOLE_STYLE, ICON, SCRIPT};

/// Regions that the switcher offers beside the one that is shown; any other may be typed.
const REGIONS: [&str; 8] = [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "eu-central-1",
    "eu-west-1",
    "ap-northeast-1",
    "ap-southeast-1",
    "sa-east-1",
];

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            title { (title) " – Tonnage" }
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="robots" content="noindex";
            link rel="icon" type="image/svg+xml" href=(ICON.path);
            link rel="stylesheet" href=(CONSOLE_STYLE.path);
            script defer src=(SCRIPT.path) {}
        }
    }
}

fn brand() -> Markup {
    html! {
        a.brand href="/console/" { img src=(ICON.path) alt="" width="28" height="28"; span { "Tonnage" } }
    }
}

/// A page of somebody who is signed in.
pub(crate) fn render(asked: &Asked<'_>, page: &Page) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&page.title))
            body {
                a.skip href="#content" { "Skip to content" }
                header.top {
                    (brand())
                    (region_switcher(asked))
                    (who(asked))
                }
                div.frame {
                    nav.menu aria-label="Console" { (menu(asked)) }
                    main id="content" tabindex="-1" {
                        @if !page.crumbs.is_empty() {
                            nav aria-label="Breadcrumb" {
                                ol.crumbs {
                                    @for (name, path) in &page.crumbs { li { a href=(path) { (name) } } }
                                    li aria-current="page" { (page.title) }
                                }
                            }
                        }
                        div.heading {
                            h1 { (page.title) }
                            @if let Some(actions) = &page.actions { div.actions { (actions) } }
                        }
                        @if let Some(flash) = &asked.flash {
                            @if flash.good { div."notice"."good" role="status" { p { (flash.text) } } }
                            @else { div."notice"."bad" role="alert" { p { (flash.text) } } }
                        }
                        (page.content)
                    }
                }
            }
        }
    };
    markup.into_string()
}

/// A page of somebody who is not known.
pub(crate) fn render_bare(visit: &Visit<'_>, title: &str, content: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.bare {
                main id="content" {
                    div.brand-line { (brand()) }
                    (content)
                    p.quiet.small.center { (visit.authority) }
                }
            }
        }
    };
    markup.into_string()
}

fn menu(asked: &Asked<'_>) -> Markup {
    html! {
        @for (group, pages) in MENU {
            div.group {
                p.group-name { (group) }
                ul {
                    @for (path, title) in *pages {
                        @let address = match path.strip_prefix('/') {
                            Some(path) => format!("{PREFIX}/{path}"),
                            None => asked.path(path),
                        };
                        li {
                            @if *path == asked.menu_path { a href=(address) aria-current="page" { (title) } }
                            @else { a href=(address) { (title) } }
                        }
                    }
                }
            }
        }
    }
}

fn region_switcher(asked: &Asked<'_>) -> Markup {
    let region = asked.context.region.as_str();
    // The same page of another region, where it may be; of a thing that only one has, its list.
    let rest = asked.visit.uri.path().strip_prefix(&format!("{PREFIX}/{region}/"));
    let rest = rest.unwrap_or_default().split('/').next().unwrap_or_default();
    html! {
        form.regions action={ (PREFIX) "/go" } method="get" aria-label="Region" {
            label for="region" { "Region" }
            input type="hidden" name="page" value=(rest);
            input #region name="region" value=(region) list="regions" maxlength="63" size="14"
                autocomplete="off" spellcheck="false" required;
            datalist #regions { @for known in REGIONS { option value=(known) {} } }
            button."plain"."small" type="submit" { "Go" }
        }
    }
}

fn who(asked: &Asked<'_>) -> Markup {
    let session = &asked.session;
    let own = switching::name_of(&session.principal.arn);
    let acting = session.acting();
    let name = match &session.role {
        Some(_) => switching::role_of(&acting.arn).to_owned(),
        None if session.federated => format!("{}/{own}", switching::role_of(&acting.arn)),
        None => own.to_owned(),
    };
    html! {
        div.who {
            details.people {
                summary title=(acting.arn) {
                    span.hidden { "You: " }
                    span.who-account { (acting.account) span.slash aria-hidden="true" { "/" } }
                    span.who-name.role[session.role.is_some()] { (name) }
                }
                div.people-menu {
                    (switching::menu(asked))
                }
            }
            @if session.role.is_some() {
                (parts::button(asked, "/console/leave-role", &format!("Back to {own}"), &[("region", asked.context.region.as_str())]))
            } @else {
                form method="post" action="/console/sign-out" {
                    input type="hidden" name="csrf" value=(asked.csrf);
                    button.plain.small type="submit" { "Sign out" }
                }
            }
        }
    }
}
