//! Every page of the table, on a registry that has something to show on each.

use std::collections::BTreeSet;

use tonnage_console::console;
use tonnage_domain::names::RepositoryName;
use tonnage_domain::repositories::RepositoryAddress;

use crate::browser::{Browser, Registry, check_page};
use crate::pages::{HOSTILE, push_all};

const HERE: &str = "/console/us-east-1";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:BatchGetImage","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}"#;
const OWN_POLICY: &str = "arn:aws:iam::123456789012:policy/pull";

/// Forms that make what pages show: where each is sent, and what it says.
const MADE: &[(&str, &[(&str, &str)])] = &[
    (
        "create-repository",
        &[("name", "team/app"), ("mutability", "MUTABLE"), ("scan", "yes"), ("tags", "team=web")],
    ),
    ("iam/users/-/create", &[("name", "ada")]),
    ("iam/users/ada/keys", &[("do", "create")]),
    ("iam/users/ada/inline", &[("do", "save"), ("name", "look"), ("document", POLICY)]),
    ("iam/groups", &[("name", "developers")]),
    ("iam/groups/developers/members", &[("do", "add"), ("user", "ada")]),
    ("iam/groups/developers/inline", &[("do", "save"), ("name", "look"), ("document", POLICY)]),
    (
        "iam/roles/-/create",
        &[
            ("do", "save"),
            ("name", "builder"),
            ("description", HOSTILE),
            ("hours", "1"),
            ("document", TRUST),
        ],
    ),
    (
        "iam/roles/builder/trust",
        &[
            ("do", "add-statement"),
            ("document", TRUST),
            ("st-effect", "Allow"),
            ("st-principals", "111122223333"),
            ("st-actions", "sts:AssumeRole"),
        ],
    ),
    ("iam/roles/builder/inline", &[("do", "save"), ("name", "look"), ("document", POLICY)]),
    (
        "iam/policies/-/create",
        &[("do", "save"), ("name", "pull"), ("description", "pulls"), ("document", POLICY)],
    ),
    ("iam/users/ada/attached", &[("do", "attach"), ("arn", OWN_POLICY)]),
    ("registry/pull-through/-/create", &[("prefix", "quay"), ("kind", "quay"), ("url", "quay.io")]),
    (
        "registry/templates/-/create",
        &[
            ("prefix", "team"),
            ("description", HOSTILE),
            ("CREATE_ON_PUSH", "yes"),
            ("mutability", "MUTABLE"),
        ],
    ),
    ("registry/signing", &[("do", "profile"), ("name", "release")]),
    ("public/-/create", &[("name", "shown/server"), ("description", HOSTILE)]),
];

/// Where each page is looked at that names something, and what it must say.
const NAMED: &[(&str, &str, &str)] = &[
    ("repositories/{repository}", "repositories/team/app", "v1"),
    ("repositories/{repository}/-/activity", "repositories/team/app/-/activity", "Pulled most"),
    ("repositories/{repository}/-/history", "repositories/team/app/-/history", "v1"),
    ("repositories/{repository}/-/lifecycle", "repositories/team/app/-/lifecycle", "rulePriority"),
    ("repositories/{repository}/-/permissions", "repositories/team/app/-/permissions", "policy"),
    ("repositories/{repository}/-/settings", "repositories/team/app/-/settings", "team=web"),
    ("iam/users/{name}", "iam/users/ada", "developers"),
    ("iam/users/{name}/inline", "iam/users/ada/inline?policy=look", "ecr:BatchGetImage"),
    ("iam/groups/{name}", "iam/groups/developers", "ada"),
    ("iam/groups/{name}/inline", "iam/groups/developers/inline?policy=look", "ecr:BatchGetImage"),
    ("iam/roles/{name}", "iam/roles/builder", "sts:AssumeRole"),
    ("iam/roles/{name}/inline", "iam/roles/builder/inline?policy=look", "ecr:BatchGetImage"),
    (
        "iam/policies/-/edit",
        "iam/policies/-/edit?arn=arn:aws:iam::123456789012:policy/pull",
        "ecr:BatchGetImage",
    ),
    ("iam/policy", "iam/policy?arn=arn:aws:iam::123456789012:policy/pull", "ecr:BatchGetImage"),
    ("registry/pull-through/-/rule", "registry/pull-through/-/rule?prefix=quay", "quay.io"),
    (
        "registry/templates/-/template",
        "registry/templates/-/template?prefix=team",
        "&lt;script&gt;",
    ),
    ("public/repositories/{repository}", "public/repositories/shown/server", "&lt;script&gt;"),
    (
        "public/repositories/{repository}/-/pulls",
        "public/repositories/shown/server/-/pulls?days=364",
        "0 pulls in the last 364 days",
    ),
    (
        "activity",
        "activity?who=root&action=ecr:PutImage&resource=team/app&outcome=done",
        "ecr:PutImage",
    ),
    ("usage", "usage", "team/app"),
    ("activity/events", "activity/events?kind=image-pushed&repository=team/app", "Image pushed"),
];

/// What leads somewhere else, and a picture.
const LEADING: [&str; 4] = ["iam", "open", "/go", "public/repositories/{repository}/-/logo"];

#[tokio::test]
async fn every_page_of_the_table_is_made_of_nothing_but_text() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    browser.sign_in().await;
    for (path, fields) in MADE {
        // Any page has the token of the session.
        let made = browser.submit("/console/account", &format!("{HERE}/{path}"), fields).await;
        let is_made = made.status.as_u16() == 303 || made.status.as_u16() == 200;
        assert!(is_made, "{path}: {} {}", made.status, made.body);
    }
    let name = RepositoryName::parse("team/app").unwrap();
    let repository = RepositoryAddress::new(&registry.context(), None, name);
    let (index, _) = push_all(&registry, &repository).await;

    let mut seen = BTreeSet::new();
    let mut look =
        async |browser: &mut Browser<'_>, pattern: &'static str, path: &str, word: &str| {
            let page = browser.get(path).await;
            page.check(200, &[word]);
            check_page(path, &page.body);
            assert!(!page.body.contains(HOSTILE), "{path}");
            // Each page says which command does the same.
            assert!(page.body.contains("The same from a shell"), "{path}");
            seen.insert(pattern);
            page.body
        };
    for (pattern, path, word) in NAMED {
        look(&mut browser, pattern, &format!("{HERE}/{path}"), word).await;
    }
    let image = format!("{HERE}/repositories/team/app/-/images/{index}");
    look(&mut browser, "repositories/{repository}/-/images/{digest}", &image, "v1").await;
    let shared =
        browser.submit(&image, &image, &[("do", "share"), ("time", "60"), ("uses", "3")]).await;
    shared.check(200, &["The password is shown this once", "share:share-"]);
    check_page("a share", &shared.body);
    browser.get(&image).await.check(200, &["0 of 3", "Revoke", "tonnage images share team/app@"]);
    let id = shared.body.split("<code>share-").nth(1).and_then(|rest| rest.split('<').next());
    let id = format!("share-{}", id.unwrap_or_default());
    let revoked = browser.submit(&image, &image, &[("do", "unshare"), ("share", &id)]).await;
    revoked.check(303, &[]);
    let page = browser.get(&image).await;
    page.check(200, &["revoked"]);
    assert!(!page.body.contains(">Revoke<"), "{}", page.body);
    for (time, uses) in [("1", ""), ("x", ""), ("60", "0"), ("60", "-1")] {
        let fields = [("do", "share"), ("time", time), ("uses", uses)];
        browser.submit(&image, &image, &fields).await.check(303, &[]);
    }
    let listed = browser.get(&format!("{HERE}/activity")).await.body;
    let event = listed.split("/activity/").skip(1).find(|rest| !rest.starts_with("events"));
    let event = event.and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let event = format!("{HERE}/activity/{event}");
    look(&mut browser, "activity/{id}", &event, "arn:aws:iam::123456789012:root").await;
    let jobs = browser.get(&format!("{HERE}/jobs")).await.body;
    let job =
        jobs.split("/jobs/").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let job = format!("{HERE}/jobs/{job}");
    look(&mut browser, "jobs/{id}", &job, "Attempts").await;
    let all: Vec<&'static str> = console::pages().collect();
    for pattern in all.iter().filter(|pattern| !pattern.contains('{') && !LEADING.contains(pattern))
    {
        if NAMED.iter().any(|(named, ..)| named == pattern) {
            continue;
        }
        let path = match pattern.strip_prefix('/') {
            Some(rest) => format!("/console/{rest}"),
            None => format!("{HERE}/{pattern}"),
        };
        look(&mut browser, pattern, &path, "").await;
    }
    let missing: Vec<_> =
        all.iter().filter(|it| !seen.contains(*it) && !LEADING.contains(*it)).collect();
    assert!(missing.is_empty(), "pages that this test does not look at: {missing:?}");
}

/// What is searched for, and what is said of it.
#[tokio::test]
async fn what_was_done_is_searched() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    browser.sign_in().await;
    let create = format!("{HERE}/create-repository");
    let fields = [("name", "app"), ("mutability", "MUTABLE")];
    browser.submit(&create, &create, &fields).await.check(303, &[]);
    let here = format!("{HERE}/activity");
    for (query, words) in [
        ("", &["ecr:CreateRepository", "repository/app", "root", ">done<"][..]),
        (
            "?action=CreateRepository&who=root",
            &["ecr:CreateRepository", "AttributeKey=Username,AttributeValue=root"],
        ),
        ("?resource=app", &["AttributeKey=ResourceName,AttributeValue=app"]),
        ("?who=AKIANOBODY", &["Nothing fits", "AttributeKey=AccessKeyId"]),
        ("?outcome=denied", &["Nothing fits"]),
        ("?from=2999-01-01T00:00", &["Nothing fits", "--start-time 2999-01-01T00:00"]),
        ("/events", &["Repository created", "tonnage events list --in-region us-east-1"]),
        ("/events?kind=image-pushed", &["Nothing fits", "--kind image-pushed"]),
    ] {
        let page = browser.get(&format!("{here}{query}")).await;
        page.check(200, words);
        check_page(query, &page.body);
    }
    for query in ["?from=yesterday", "?until=1", "/events?from=x"] {
        let page = browser.get(&format!("{here}{query}")).await;
        page.check(400, &["is no time"]);
        check_page(query, &page.body);
    }
    for id in ["x", "00000000-0000-8000-8000-000000000000"] {
        browser.get(&format!("{here}/{id}")).await.check(404, &[]);
    }
    browser.get("/console/eu-west-1/activity").await.check(200, &["Nothing was done yet"]);
    browser.get("/console/eu-west-1/activity/events").await.check(200, &["Nothing happened yet"]);
    crate::sessions::user(&registry, "ada", false).await;
    let mut ada = Browser::new(&registry);
    ada.try_password("ada", crate::sessions::PASSWORD).await.check(303, &[]);
    ada.get(&here).await.check(200, &["What was done is not shown", "cloudtrail:LookupEvents"]);
    ada.get(&format!("{here}/events")).await.check(200, &["tonnage:SearchEvents"]);
}
