//! The table of pages. A page is added by a line here, a line in [`MENU`] if the menu shall have it,
//! and a module with its functions.

use std::future::Future;
use std::pin::Pin;

use tonnage_domain::error::Error;
use tonnage_domain::names::Region;

use super::asked::Asked;
use super::reply::Reply;
use super::repositories::{create, image, images, lifecycle, permissions, settings};
use super::{account, dashboard, repositories, sign_in, simulator};

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
    route!("repositories/{repository}/-/delete", post settings::delete),
    route!("repositories/{repository}/-/images/{digest}", get image::show, post image::act),
    route!("repositories/{repository}/-/lifecycle", get lifecycle::show, post lifecycle::act),
    route!("repositories/{repository}/-/permissions", get permissions::show, post permissions::act),
    route!("repositories/{repository}/-/settings", get settings::show, post settings::save),
    route!("simulator", get simulator::show),
    route!("/account", get account::show),
    route!("/go", get account::go),
    route!("/password", get sign_in::password::show, post sign_in::password::change),
    route!("/sign-out", post account::sign_out),
    route!("/sign-out-everywhere", post account::sign_out_everywhere),
];

/// The menu: groups of pages, by title; a page by its pattern and title.
pub(crate) const MENU: &[(&str, &[(&str, &str)])] = &[
    ("Registry", &[("", "Overview"), ("repositories", "Repositories")]),
    ("Access", &[("simulator", "Permissions")]),
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
