//! The table of pages. A page is added by a line here, a line in [`MENU`] if the menu shall have it,
//! and a module with its functions.

use std::future::Future;
use std::pin::Pin;

use tonnage_domain::error::Error;
use tonnage_domain::names::Region;

use super::asked::Asked;
use super::reply::Reply;
use super::repositories::{
    activity as repository_activity, create, history, image, images, lifecycle, permissions,
    settings,
};
use super::{
    account, activity, dashboard, iam, jobs, public, registry, repositories, sign_in, simulator,
    switching, usage,
};

/// A page on its way.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send + 'a>>;
/// What makes a page, or does what a form says.
pub(crate) type Handler = for<'a> fn(&'a Asked<'a>) -> Answering<'a>;

/// A page.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    /// Its address: after the region, or after the console where it begins with a slash. A name in
    /// braces stands for one part of it, `{repository}` for all parts up to `-` or to the end.
    pub(crate) pattern: &'static str,
    /// Shows it.
    pub(crate) get: Option<Handler>,
    /// Does what a form says that is sent there.
    pub(crate) post: Option<Handler>,
}

macro_rules! route {
    ($pattern:literal, get $get:path) => {
        Route { pattern: $pattern, get: Some(|asked| Box::pin($get(asked))), post: None }
    };
    ($pattern:literal, post $post:path) => {
        Route { pattern: $pattern, get: None, post: Some(|asked| Box::pin($post(asked))) }
    };
    ($pattern:literal, get $get:path, post $post:path) => {
        Route {
            pattern: $pattern,
            get: Some(|asked| Box::pin($get(asked))),
            post: Some(|asked| Box::pin($post(asked))),
        }
    };
}

/// Every page for people who are signed in.
pub(crate) const ROUTES: &[Route] = &[
    route!("", get dashboard::show),
    route!("create-repository", get create::show, post create::create),
    route!("open", get repositories::open),
    route!("repositories", get repositories::list),
    route!("repositories/{repository}", get images::show),
    route!("repositories/{repository}/-/activity", get repository_activity::show),
    route!("repositories/{repository}/-/delete", post settings::delete),
    route!("repositories/{repository}/-/history", get history::show),
    route!("repositories/{repository}/-/images/{digest}", get image::show, post image::act),
    route!("repositories/{repository}/-/lifecycle", get lifecycle::show, post lifecycle::act),
    route!("repositories/{repository}/-/permissions", get permissions::show, post permissions::act),
    route!("repositories/{repository}/-/settings", get settings::show, post settings::save),
    route!("simulator", get simulator::show),
    route!("iam", get iam::home),
    route!("iam/users", get iam::users::list),
    route!("iam/users/-/create", get iam::users::show_create, post iam::users::create),
    route!("iam/users/{name}", get iam::users::show),
    route!("iam/users/{name}/attached", post iam::users::attached),
    route!("iam/users/{name}/delete", post iam::users::delete),
    route!("iam/users/{name}/groups", post iam::users::groups),
    route!("iam/users/{name}/inline", get iam::users::show_inline, post iam::users::inline),
    route!("iam/users/{name}/keys", post iam::users::keys),
    route!("iam/users/{name}/password", post iam::users::password),
    route!("iam/groups", get iam::groups::list, post iam::groups::create),
    route!("iam/groups/{name}", get iam::groups::show),
    route!("iam/groups/{name}/attached", post iam::groups::attached),
    route!("iam/groups/{name}/delete", post iam::groups::delete),
    route!("iam/groups/{name}/inline", get iam::groups::show_inline, post iam::groups::inline),
    route!("iam/groups/{name}/members", post iam::groups::members),
    route!("iam/roles", get iam::roles::list),
    route!("iam/roles/-/create", get iam::roles::show_create, post iam::roles::create),
    route!("iam/roles/{name}", get iam::roles::show),
    route!("iam/roles/{name}/attached", post iam::roles::attached),
    route!("iam/roles/{name}/delete", post iam::roles::delete),
    route!("iam/roles/{name}/inline", get iam::roles::show_inline, post iam::roles::inline),
    route!("iam/roles/{name}/trust", post iam::roles::trust),
    route!("iam/policies", get iam::policies::list),
    route!("iam/policies/-/create", get iam::policies::show_create, post iam::policies::create),
    route!("iam/policies/-/edit", get iam::policies::show_edit, post iam::policies::edit),
    route!("iam/policy", get iam::policies::show, post iam::policies::act),
    route!("registry", get registry::show),
    route!("registry/account", get registry::account_settings::show, post registry::account_settings::save),
    route!("registry/policy", get registry::policy::show, post registry::policy::act),
    route!("registry/pull-through", get registry::pull_through::list),
    route!("registry/pull-through/-/create", get registry::pull_through::show_create, post registry::pull_through::create),
    route!("registry/pull-through/-/rule", get registry::pull_through::show, post registry::pull_through::act),
    route!("registry/pull-times", get registry::exclusions::show, post registry::exclusions::act),
    route!("registry/replication", get registry::replication::show, post registry::replication::act),
    route!("registry/scanning", get registry::scanning::show, post registry::scanning::save),
    route!("registry/signing", get registry::signing::show, post registry::signing::act),
    route!("registry/templates", get registry::templates::list),
    route!("registry/templates/-/create", get registry::templates::show_create, post registry::templates::create),
    route!("registry/templates/-/template", get registry::templates::show, post registry::templates::act),
    route!("public", get public::list),
    route!("public/-/create", get public::show_create, post public::create),
    route!("public/registry", get public::registry::show, post public::registry::act),
    route!("public/repositories/{repository}", get public::catalog::show, post public::catalog::act),
    route!("public/repositories/{repository}/-/logo", get public::catalog::show_logo),
    route!("public/repositories/{repository}/-/pulls", get public::pulls::show),
    route!("public/repositories/{repository}/-/delete", post public::delete),
    route!("activity", get activity::list),
    route!("activity/events", get activity::events::list),
    route!("activity/{id}", get activity::show),
    route!("usage", get usage::show),
    route!("jobs", get jobs::list),
    route!("jobs/{id}", get jobs::show, post jobs::act),
    route!("/account", get account::show),
    route!("/go", get account::go),
    route!("/password", get sign_in::password::show, post sign_in::password::change),
    route!("/switch-role", get switching::show, post switching::switch),
    route!("/leave-role", post switching::leave),
    route!("/sign-out", post account::sign_out),
    route!("/sign-out-everywhere", post account::sign_out_everywhere),
];

/// The menu: groups of pages, by title; a page by its pattern and title.
pub(crate) const MENU: &[(&str, &[(&str, &str)])] = &[
    ("Registry", &[("", "Overview"), ("repositories", "Repositories"), ("registry", "Settings")]),
    (
        "Access",
        &[
            ("iam/users", "Users"),
            ("iam/groups", "Groups"),
            ("iam/roles", "Roles"),
            ("iam/policies", "Policies"),
            ("simulator", "Who may do what"),
        ],
    ),
    ("Public", &[("public", "Public repositories"), ("public/registry", "Public registry")]),
    (
        "Operation",
        &[("activity", "Events and audit"), ("usage", "Storage and usage"), ("jobs", "Jobs")],
    ),
    ("You", &[("/account", "Account and sessions")]),
];

/// A route with what the address has in place of names.
pub(crate) struct Found {
    pub(crate) get: Option<Handler>,
    pub(crate) post: Option<Handler>,
    pub(crate) parameters: Vec<(&'static str, String)>,
    /// The entry of the menu that the page belongs to.
    pub(crate) menu_path: &'static str,
}

/// No page.
pub(crate) const MISSING: Found =
    Found { get: None, post: None, parameters: Vec::new(), menu_path: "-" };

/// Whether every region has a page of this path.
pub(crate) fn is_page(path: &str) -> bool {
    let is_one = |route: &Route| route.pattern == path && route.get.is_some();
    !path.starts_with('/') && ROUTES.iter().any(is_one)
}

/// The page at a path after the console's own, and the region that it is of.
pub(crate) fn find(path: &str) -> Option<(Option<Region>, Found)> {
    let whole = format!("/{path}");
    if let Some(found) = find_in(&whole) {
        return Some((None, found));
    }
    let (region, rest) = path.split_once('/')?;
    let region = Region::parse(region).ok()?;
    let found = if rest.starts_with('/') { None } else { find_in(rest) };
    Some((Some(region), found.unwrap_or(MISSING)))
}

fn find_in(path: &str) -> Option<Found> {
    ROUTES.iter().find_map(|route| {
        let parameters = matches(route.pattern, path)?;
        let menu = MENU.iter().flat_map(|(_, pages)| pages.iter());
        let menu_path = menu
            .map(|(known, _)| *known)
            .filter(|known| {
                let rest = route.pattern.strip_prefix(known);
                rest.is_some_and(|rest| {
                    rest.is_empty() || (!known.is_empty() && rest.starts_with('/'))
                })
            })
            .max_by_key(|known| known.len());
        Some(Found {
            get: route.get,
            post: route.post,
            parameters,
            menu_path: menu_path.unwrap_or("-"),
        })
    })
}

fn matches(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut parts = path.split('/').peekable();
    let mut parameters = Vec::new();
    for wanted in pattern.split('/') {
        let name = wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        match name {
            None => {
                if parts.next() != Some(wanted) {
                    return None;
                }
            }
            Some("repository") => {
                let mut name = Vec::new();
                while let Some(part) = parts.next_if(|part| *part != "-") {
                    name.push(part);
                }
                if name.is_empty() {
                    return None;
                }
                parameters.push(("repository", name.join("/")));
            }
            Some(name) => {
                let part = parts.next().filter(|part| !part.is_empty())?;
                parameters.push((name, part.to_owned()));
            }
        }
    }
    parts.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let rows: &[(&'static str, &str, Option<&[&str]>)] = &[
            ("repositories", "repositories", Some(&[])),
            ("repositories", "repositories/", None),
            ("repositories/{repository}", "repositories/app", Some(&["app"])),
            ("repositories/{repository}", "repositories/team/app", Some(&["team/app"])),
            ("repositories/{repository}", "repositories/team/app/-/lifecycle", None),
            ("repositories/{repository}", "repositories", None),
            (
                "repositories/{repository}/-/images/{digest}",
                "repositories/team/app/-/images/sha256:00",
                Some(&["team/app", "sha256:00"]),
            ),
            ("repositories/{repository}/-/images/{digest}", "repositories/a/-/images/", None),
            ("", "", Some(&[])),
        ];
        for (pattern, path, expected) in rows {
            let found = matches(pattern, path);
            let found: Option<Vec<&str>> =
                found.as_ref().map(|found| found.iter().map(|(_, value)| value.as_str()).collect());
            assert_eq!(found.as_deref(), *expected, "{pattern} {path}");
        }
    }

    #[test]
    fn every_page_of_the_menu_is_one() {
        for (path, title) in MENU.iter().flat_map(|(_, pages)| pages.iter()) {
            let route = ROUTES.iter().find(|route| route.pattern == *path);
            assert!(route.is_some_and(|route| route.get.is_some()), "{title}");
        }
    }

    #[test]
    fn patterns_are_there_once() {
        let mut all: Vec<_> = ROUTES.iter().map(|route| route.pattern).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), ROUTES.len());
    }
}
