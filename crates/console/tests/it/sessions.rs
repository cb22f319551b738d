//! Signing in and out.

use secrecy::{ExposeSecret as _, SecretString};
use tonnage_domain::identities::access_keys::operations::{CreateAccessKey, UpdateAccessKey};
use tonnage_domain::identities::login_profiles::{CreateLoginProfile, UpdateLoginProfile};
use tonnage_domain::identities::roles::{CreateRole, DeleteRole};
use tonnage_domain::identities::users::{CreateUser, DeleteUser};

use crate::browser::{ACCOUNT, Browser, Registry, csrf_of};

pub(crate) const PASSWORD: &str = "Correct-Horse-1";

pub(crate) async fn user(registry: &Registry, name: &str, reset_required: bool) {
    let (path, boundary, tags) = (None, None, Vec::new());
    registry.run(CreateUser { name: name.to_owned(), path, boundary, tags }).await;
    let password = SecretString::from(PASSWORD);
    let user_name = Some(name.to_owned());
    registry.run(CreateLoginProfile { user_name, password, reset_required }).await;
}

#[tokio::test]
async fn a_key_signs_in_and_what_is_wrong_does_not() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    let wanted = "/console/us-east-1/repositories?q=a";
    let first = browser.get(wanted).await;
    first.check(303, &[]);
    assert!(first.location().starts_with("/console/sign-in?next=%2Fconsole%2Fus-east-1"));

    let (id, secret) = (registry.key.id.clone(), registry.key.secret.expose_secret().to_owned());
    let sent = |key: &str, secret: &str, next: &str| {
        [("with", "key"), ("key", key), ("secret", secret), ("next", next)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    for (key, secret) in [(id.as_str(), "wrong"), ("AKIANOBODYHASTHISONE", secret.as_str())] {
        let fields = sent(key, secret, "");
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = browser.submit("/console/sign-in", "/console/sign-in", &fields).await;
        answer.check(401, &["These do not fit together."]);
        assert!(!answer.body.contains("value=\"wrong\""));
    }
    for (next, expected) in [
        (wanted, wanted),
        ("//evil.example/console/", "/console/"),
        ("/console//evil.example", "/console/"),
        ("https://evil.example", "/console/"),
    ] {
        let mut browser = Browser::new(&registry);
        let fields = sent(&id, &secret, next);
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = browser.submit("/console/sign-in", "/console/sign-in", &fields).await;
        answer.check(303, &[]);
        assert_eq!(answer.location(), expected);
        browser.get("/console/us-east-1/").await.check(200, &["This registry is empty"]);
    }
}

#[tokio::test]
async fn forms_come_from_the_page_of_the_session() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    browser.sign_in().await;
    let page = browser.get("/console/us-east-1/create-repository").await;
    let csrf = csrf_of(&page.body);
    let path = "/console/us-east-1/create-repository";
    let create = |csrf: &str| {
        [
            ("csrf", csrf.to_owned()),
            ("name", "app".to_owned()),
            ("mutability", "MUTABLE".to_owned()),
        ]
    };
    let other = Browser::new(&registry).get("/console/sign-in").await;
    for (csrf, origin) in [
        ("", Some("http://localhost:4510")),
        (csrf_of(&other.body).as_str(), Some("http://localhost:4510")),
        (csrf.as_str(), Some("http://evil.example")),
        (csrf.as_str(), Some("null")),
        (csrf.as_str(), Some("http://localhost:4511")),
        (csrf.as_str(), None),
    ] {
        browser.origin = origin;
        let fields = create(csrf);
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        browser.post(path, &fields).await.check(403, &["That was not sent from this console"]);
    }
    browser.origin = Some("http://localhost:4510");
    browser.get("/console/us-east-1/repositories").await.check(200, &["There is no repository"]);
    let fields = create(&csrf);
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    browser.post(path, &fields).await.check(303, &[]);
    // The form of signing in has one too.
    let fields = [("with", "key"), ("key", "AKIA"), ("secret", "x"), ("csrf", csrf.as_str())];
    browser.post("/console/sign-in", &fields).await.check(403, &[]);
}

#[tokio::test]
async fn sessions_end() {
    let registry = Registry::open().await;
    let home = "/console/us-east-1/";
    let signed_in = async |registry| {
        let mut browser = Browser::new(registry);
        browser.sign_in().await;
        browser
    };
    let minutes = |count: i64| registry.clock.advance_seconds(count * 60);

    let mut idle = signed_in(&registry).await;
    for _ in 0..3 {
        minutes(29);
        idle.get(home).await.check(200, &[]);
    }
    minutes(31);
    idle.get(home).await.check(303, &[]);

    // A page that looks by itself for what is new keeps nobody signed in.
    let mut open = signed_in(&registry).await;
    open.looks_again = true;
    minutes(29);
    open.get(home).await.check(200, &[]);
    minutes(2);
    open.get(home).await.check(303, &[]);

    let mut long = signed_in(&registry).await;
    for _ in 0..25 {
        minutes(28);
        long.get(home).await.check(200, &[]);
    }
    minutes(25);
    long.get(home).await.check(303, &[]);

    let (mut one, mut two) = (signed_in(&registry).await, signed_in(&registry).await);
    let token = one.cookies.clone();
    one.submit(home, "/console/sign-out", &[]).await.check(303, &[]);
    one.cookies = token;
    one.get(home).await.check(303, &[]);
    let mut three = signed_in(&registry).await;
    two.get("/console/account").await.check(200, &["This one", "Another"]);
    two.submit("/console/account", "/console/sign-out-everywhere", &[]).await.check(303, &[]);
    three.get(home).await.check(303, &[]);

    let key = registry.run(CreateAccessKey { user_name: None }).await;
    let mut by_key = Browser::new(&registry);
    let fields =
        [("with", "key"), ("key", key.info.id.as_str()), ("secret", key.secret.expose_secret())];
    by_key.submit("/console/sign-in", "/console/sign-in", &fields).await.check(303, &[]);
    by_key.get(home).await.check(200, &[]);
    registry.run(UpdateAccessKey { user_name: None, id: key.info.id, active: false }).await;
    by_key.get(home).await.check(303, &[]);
}

#[tokio::test]
async fn passwords() {
    let registry = Registry::open().await;
    user(&registry, "ada", true).await;
    let mut ada = Browser::new(&registry);
    ada.try_password("nobody", PASSWORD).await.check(401, &["These do not fit together."]);
    ada.try_password("ada", "Wrong-Horse-1").await.check(401, &["These do not fit together."]);
    ada.try_password("ADA", PASSWORD).await.check(303, &[]);
    // Nothing else before the password is changed.
    let home = ada.get("/console/us-east-1/").await;
    assert_eq!(home.location(), "/console/password");
    let change = |new: &'static str, again: &'static str| {
        [("old", PASSWORD), ("new", new), ("again", again)]
    };
    let page = "/console/password";
    ada.submit(page, page, &change("short", "short")).await.check(403, &["iam:ChangePassword"]);
    let document =
        r#"{"Statement":{"Effect":"Allow","Action":["iam:ChangePassword"],"Resource":"*"}}"#;
    allow(&registry, "ada", document).await;
    ada.submit(page, page, &change("short", "short")).await.check(400, &["password policy"]);
    ada.submit(page, page, &change("New-Horse-22", "Other")).await.check(400, &["differ"]);
    let before = ada.cookies.clone();
    ada.submit(page, page, &change("New-Horse-22", "New-Horse-22")).await.check(303, &[]);
    ada.get("/console/us-east-1/").await.check(200, &["is not shown"]);
    ada.cookies = before;
    ada.get("/console/us-east-1/").await.check(303, &[]);

    // A new password of somebody else's making, and the end of the user.
    ada.try_password("ada", "New-Horse-22").await.check(303, &[]);
    let password = Some(SecretString::from("Their-Horse-3"));
    let (user_name, reset_required) = ("ada".to_owned(), None);
    registry.run(UpdateLoginProfile { user_name, password, reset_required }).await;
    ada.get("/console/us-east-1/").await.check(303, &[]);
    user(&registry, "bob", false).await;
    let mut bob = Browser::new(&registry);
    bob.try_password("bob", PASSWORD).await.check(303, &[]);
    bob.get("/console/account").await.check(200, &["a password", ACCOUNT]);
    registry
        .run(tonnage_domain::identities::login_profiles::DeleteLoginProfile {
            user_name: Some("bob".to_owned()),
        })
        .await;
    registry.run(DeleteUser { name: "bob".to_owned() }).await;
    bob.get("/console/account").await.check(303, &[]);
}

pub(crate) async fn allow(registry: &Registry, user: &str, document: &str) {
    use tonnage_domain::identities::inline_policies::{InlinePolicy, PutPolicy, User};
    let policy = InlinePolicy { name: "console".to_owned(), document: document.to_owned() };
    registry.run(PutPolicy { name: user.to_owned(), policy, kind: User }).await;
}

#[tokio::test]
async fn somebody_takes_a_role_and_goes_back() {
    let registry = Registry::open().await;
    user(&registry, "ada", false).await;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ada"},"Action":"sts:AssumeRole"}}"#;
    let role = || CreateRole {
        name: "deploy".to_owned(),
        path: None,
        trust_policy: trust.to_owned(),
        description: String::new(),
        session_seconds_max: 3600,
        boundary: None,
        tags: Vec::new(),
    };
    registry.run(role()).await;
    use tonnage_domain::identities::inline_policies::{InlinePolicy, PutPolicy, Role};
    let document = r#"{"Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#.to_owned();
    let policy = InlinePolicy { name: "p".to_owned(), document };
    registry.run(PutPolicy { name: "deploy".to_owned(), policy, kind: Role }).await;

    let mut ada = Browser::new(&registry);
    ada.try_password("ada", PASSWORD).await.check(303, &[]);
    let (page, create) = ("/console/switch-role", "/console/eu-west-1/create-repository");
    let asked = format!("{page}?account={ACCOUNT}&roleName=deploy");
    ada.get(&asked).await.check(200, &["value=\"deploy\"", ACCOUNT]);
    let none = [("account", ACCOUNT), ("roleName", "none")];
    ada.submit(page, page, &none).await.check(403, &["You cannot take this role"]);
    ada.submit(page, page, &[("roleName", "a b")]).await.check(400, &["no name of a role"]);
    let before = csrf_of(&ada.get(create).await.body);
    let deploy = [("account", ACCOUNT), ("roleName", "deploy"), ("region", "eu-west-1")];
    let taken = ada.submit(create, page, &deploy).await;
    assert_eq!(taken.location(), "/console/eu-west-1/");
    let home = ada.get("/console/eu-west-1/").await;
    home.check(200, &["You act as deploy", "Back to ada", "assumed-role/deploy/ada"]);
    crate::browser::check_page("home of a role", &home.body);
    // What the role may do is done, by a form that was opened as the role.
    let repository = [("name", "app"), ("mutability", "MUTABLE")];
    let stale = [("csrf", before.as_str()), repository[0], repository[1]];
    ada.post(create, &stale).await.check(403, &["took another role"]);
    ada.submit(create, create, &repository).await.check(303, &[]);
    ada.get("/console/account").await.check(200, &["You act as", "assumed-role/deploy/ada"]);
    ada.get("/console/eu-west-1/iam/users").await.check(200, &["is not shown"]);
    let left = ada.submit(create, "/console/leave-role", &[("region", "eu-west-1")]).await;
    assert_eq!(left.location(), "/console/eu-west-1/");
    ada.get("/console/eu-west-1/").await.check(200, &["You are ada again", "role/deploy"]);
    ada.submit(create, create, &repository).await.check(403, &["ecr:CreateRepository"]);

    // A role that is over is said to be, and nothing that was sent is done.
    ada.submit(create, page, &deploy).await.check(303, &[]);
    let csrf = csrf_of(&ada.get(create).await.body);
    use tonnage_domain::identities::inline_policies::DeletePolicy;
    let (name, policy) = ("deploy".to_owned(), "p".to_owned());
    registry.run(DeletePolicy { name, policy_name: policy, kind: Role }).await;
    registry.run(DeleteRole { name: "deploy".to_owned() }).await;
    let sent = [("csrf", csrf.as_str()), ("name", "other"), ("mutability", "MUTABLE")];
    let over = ada.post(create, &sent).await;
    assert_eq!(over.location(), "/console/");
    ada.get("/console/us-east-1/").await.check(200, &["The role that you took is over"]);
}

#[tokio::test]
async fn nobody_guesses() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    for attempt in 0..=10 {
        let fields = [("with", "key"), ("key", registry.key.id.as_str()), ("secret", "wrong")];
        let answer = browser.submit("/console/sign-in", "/console/sign-in", &fields).await;
        answer.check(if attempt < 10 { 401 } else { 429 }, &[]);
    }
    registry.clock.advance_seconds(15 * 60);
    browser.sign_in().await;
}

#[tokio::test]
async fn secrets_do_not_travel_where_others_read() {
    let registry = Registry::open().await;
    for (scheme, authority, plain_http, shown) in [
        ("http", "localhost:4510", false, true),
        ("http", "127.0.0.1:4510", false, true),
        ("http", "[::1]:4510", false, true),
        ("http", "[::1]", false, true),
        ("http", "console.localhost", false, true),
        ("http", "registry.example.com:4510", false, false),
        ("http", "10.0.0.1:4510", false, false),
        ("http", "localhost.example.com", false, false),
        ("http", "registry.example.com:4510", true, true),
        ("https", "registry.example.com", false, true),
    ] {
        let mut browser = Browser::new(&registry);
        (browser.scheme, browser.authority, browser.plain_http) = (scheme, authority, plain_http);
        let answer = browser.get("/console/sign-in").await;
        let words = if shown { "Sign in" } else { "This connection is not private" };
        answer.check(if shown { 200 } else { 403 }, &[words]);
        assert_eq!(browser.cookies.is_empty(), !shown);
    }
}
