//! Who may do what: decisions from stored policies, in AWS's words, made anew when what they were
//! made from changes before the operation acts.

use tonnage_domain::accounts::{CreateAccount, ListAccounts, SetAccountState};
use tonnage_domain::app::Settings;
use tonnage_domain::blobs::delete_blob::DeleteBlob;
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::error::{Error, ErrorKind, Result};
use tonnage_domain::execute::Operation;
use tonnage_domain::identities::access_keys::{self, AccessKey};
use tonnage_domain::identities::get_caller_identity::GetCallerIdentity;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_images::{ListImages, TagStatus};
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::names::{AccountId, Digest, Reference, RepositoryName};
use tonnage_domain::params;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::resource_tags::{ListTagsForResource, TagResource, UntagResource};
use tonnage_domain::uploads::UploadRules;
use tonnage_domain::uploads::append::UploadLayerPart;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::mount::{MountLayer, Mounted};

use crate::content::{Blob, Pushed};
use crate::interposed::Statement;
use crate::registry::{
    ACCOUNT, Registry, address, body, bump, by_digest, by_tag, check_error, check_kind,
    create_repository, page, put_image, resource_tags,
};

fn allow(action: &str, resource: &str, condition: &str) -> String {
    let condition =
        if condition.is_empty() { String::new() } else { format!(r#","Condition":{condition}"#) };
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{action},"Resource":"{resource}"{condition}}}]}}"#
    )
}

const TEAM: &str = "arn:aws:ecr:us-east-1:123456789012:repository/team/*";

fn list(name: &str) -> ListTags {
    ListTags { repository: address(name), page: page(None, 10) }
}

#[tokio::test]
async fn only_allowed_actions_on_allowed_resources() {
    let registry = Registry::new().await;
    registry.create("team/app").await;
    registry.create("other").await;
    let policy = allow(r#"["ecr:ListImages","ecr:Describe*"]"#, TEAM, "");
    let reader = registry.principal("reader", &policy).await;
    registry.run_as(&reader, list("team/app")).await.unwrap();
    let denied = |action: &str, repository: &str| {
        format!(
            "User: arn:aws:iam::123456789012:user/reader is not authorized to perform: {action} \
             on resource: arn:aws:ecr:us-east-1:123456789012:repository/{repository} because no \
             identity-based policy allows the {action} action"
        )
    };
    let kind = ErrorKind::AccessDenied;
    let other = registry.run_as(&reader, list("other")).await;
    check_error(other, kind, &denied("ecr:ListImages", "other"));
    let initiate =
        InitiateLayerUpload { repository: address("team/app"), rules: UploadRules::Distribution };
    let pushed = registry.run_as(&reader, initiate).await;
    check_error(pushed, kind, &denied("ecr:InitiateLayerUpload", "team/app"));
    let describe = |names| DescribeRepositories { registry_id: None, names, page: page(None, 100) };
    let name = |name| RepositoryName::parse(name).unwrap();
    registry.run_as(&reader, describe(vec![name("team/app")])).await.unwrap();
    let both = registry.run_as(&reader, describe(vec![name("team/app"), name("other")])).await;
    check_error(both, kind, &denied("ecr:DescribeRepositories", "other"));
    let all = registry.run_as(&reader, describe(vec![])).await;
    check_error(all, kind, &denied("ecr:DescribeRepositories", "*"));
}

#[tokio::test]
async fn an_explicit_deny_wins_and_says_so() {
    let registry = Registry::new().await;
    registry.create("team/app").await;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"ecr:DeleteRepository","Resource":"*"}]}"#;
    let user = registry.principal("user", policy).await;
    let name = RepositoryName::parse("team/app").unwrap();
    let delete = DeleteRepository { registry_id: None, name, force: true };
    check_error(
        registry.run_as(&user, delete).await,
        ErrorKind::AccessDenied,
        "User: arn:aws:iam::123456789012:user/user is not authorized to perform: \
         ecr:DeleteRepository on resource: \
         arn:aws:ecr:us-east-1:123456789012:repository/team/app with an explicit deny in an \
         identity-based policy",
    );
    registry.run_as(&user, list("team/app")).await.unwrap();
}

async fn refusal<O: Operation>(registry: &Registry, principal: &Principal, operation: O) -> String {
    let error: Error = registry.run_as(principal, operation).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AccessDenied, "{}", O::ENTRY.name);
    error.message().to_owned()
}

/// Everything a stranger may try on a repository, and what it is told.
async fn attempts(registry: &Registry, principal: &Principal) -> Vec<String> {
    let name = || RepositoryName::parse("team/secret").unwrap();
    let repository = || address("team/secret");
    let digest = Digest::of_sha256(b"x");
    let reference = Reference::parse("v1").unwrap();
    let image = Pushed::image(&Blob::new("secret", 100), &[]);
    let rules = UploadRules::Distribution;
    let names = vec![name()];
    let ids = vec![by_tag("v1"), by_digest(&digest)];
    vec![
        refusal(registry, principal, create_repository("team/secret")).await,
        refusal(
            registry,
            principal,
            DescribeRepositories { registry_id: None, names, page: page(None, 9) },
        )
        .await,
        refusal(
            registry,
            principal,
            DeleteRepository { registry_id: None, name: name(), force: true },
        )
        .await,
        refusal(registry, principal, list("team/secret")).await,
        refusal(
            registry,
            principal,
            GetManifest { repository: repository(), reference, counts_as_pull: true },
        )
        .await,
        refusal(registry, principal, BatchDeleteImage { repository: repository(), ids }).await,
        refusal(registry, principal, put_image(&repository(), &image, Some("v1"), rules)).await,
        refusal(registry, principal, InitiateLayerUpload { repository: repository(), rules }).await,
        refusal(registry, principal, ListTagsForResource { resource: repository() }).await,
        refusal(
            registry,
            principal,
            TagResource { resource: repository(), tags: resource_tags(&[("team", "mine")]) },
        )
        .await,
    ]
}

#[tokio::test]
async fn a_denial_does_not_tell_whether_the_repository_exists() {
    let condition = r#"{"StringEquals":{"aws:ResourceTag/team":"mine"}}"#;
    let policies = [
        ("nobody", allow(r#""sts:*""#, "*", "")),
        (
            "other-team",
            allow(r#""ecr:*""#, "arn:aws:ecr:us-east-1:123456789012:repository/x/*", ""),
        ),
        ("by-tag", allow(r#""ecr:*""#, "*", condition)),
    ];
    for (name, policy) in policies {
        let registry = Registry::new().await;
        let principal = registry.principal(name, &policy).await;
        let missing = attempts(&registry, &principal).await;
        let secret = registry.create("team/secret").await;
        registry.push_image(&secret, "secret", &["v1"]).await;
        let tags = resource_tags(&[("team", "theirs")]);
        registry.run(TagResource { resource: secret.clone(), tags }).await.unwrap();
        assert_eq!(attempts(&registry, &principal).await, missing, "{name}");
        registry.check_images(&secret).await;
        let tags = registry.run(ListTagsForResource { resource: secret }).await.unwrap();
        assert_eq!(tags, resource_tags(&[("team", "theirs")]));
    }
}

#[tokio::test]
async fn another_account_is_a_stranger() {
    let registry = Registry::new().await;
    let stranger = second_account(&registry).await;
    registry.create("app").await;
    let mut context = registry.context_of(&stranger);
    let registry_id = Some(AccountId::parse(ACCOUNT).unwrap());
    let all = DescribeRepositories { registry_id, names: vec![], page: page(None, 100) };
    check_kind(registry.run_in(&context, all.clone()).await, ErrorKind::AccessDenied);
    for name in ["app", "missing"] {
        let denied = format!(
            "User: arn:aws:iam::210987654321:root is not authorized to perform: ecr:ListImages on \
             resource: arn:aws:ecr:us-east-1:123456789012:repository/{name} because no \
             resource-based policy allows the ecr:ListImages action"
        );
        let listed = registry.run_in(&context, list(name)).await;
        check_error(listed, ErrorKind::AccessDenied, &denied);
    }
    context.account = AccountId::parse(ACCOUNT).unwrap();
    let all = DescribeRepositories { registry_id: None, ..all };
    check_kind(registry.run_in(&context, all).await, ErrorKind::AccessDenied);

    // Under its own roof it is root.
    let own = registry.context_of(&stranger);
    let created = registry.run_in(&own, create_repository("app")).await.unwrap();
    assert_eq!(created.address.account, stranger.account);
    registry.run(list("app")).await.unwrap();
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let accounts = registry.run_in(&own, ListAccounts { management_account }).await;
    check_kind(accounts, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn conditions_on_the_tags_of_a_repository() {
    let registry = Registry::new().await;
    let condition = r#"{"StringEquals":{"aws:ResourceTag/env":"dev"}}"#;
    let user = registry.principal("user", &allow(r#""ecr:*""#, "*", condition)).await;
    for (name, env) in [("dev", Some("dev")), ("prod", Some("prod")), ("none", None)] {
        let tags = resource_tags(&env.map(|env| ("env", env)).into_iter().collect::<Vec<_>>());
        registry.run(CreateRepository { tags, ..create_repository(name) }).await.unwrap();
    }
    registry.run_as(&user, list("dev")).await.unwrap();
    for name in ["prod", "none", "missing"] {
        check_kind(registry.run_as(&user, list(name)).await, ErrorKind::AccessDenied);
    }
    // From the moment the tag changes.
    let untag = UntagResource { resource: address("dev"), keys: vec!["env".to_owned()] };
    registry.run(untag).await.unwrap();
    check_kind(registry.run_as(&user, list("dev")).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn conditions_on_the_tags_of_a_request() {
    let registry = Registry::new().await;
    let condition = r#"{"StringEquals":{"aws:RequestTag/team":"mine"},
        "ForAllValues:StringEquals":{"aws:TagKeys":["team","env"]}}"#;
    let user = registry.principal("user", &allow(r#""ecr:*""#, "*", condition)).await;
    let create = async |name: &str, tags: &[(&str, &str)]| -> Result<()> {
        let tags = resource_tags(tags);
        let create = CreateRepository { tags, ..create_repository(name) };
        registry.run_as(&user, create).await.map(|_| ())
    };
    create("one", &[("team", "mine"), ("env", "dev")]).await.unwrap();
    for tags in [&[][..], &[("team", "theirs")], &[("team", "mine"), ("cost", "1")]] {
        check_kind(create("two", tags).await, ErrorKind::AccessDenied);
    }
}

#[tokio::test]
async fn conditions_on_image_tags_hold_for_every_image_of_a_batch() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let condition = r#"{"StringLike":{"tonnage:ImageTag":"dev-*"}}"#;
    let user = registry.principal("user", &allow(r#""ecr:*""#, "*", condition)).await;
    let image = registry.push_image(&app, "one", &["dev-1", "dev-2", "prod-1"]).await;
    let put = |tag| put_image(&app, &image, Some(tag), UploadRules::Distribution);
    registry.run_as(&user, put("dev-3")).await.unwrap();
    check_kind(registry.run_as(&user, put("prod-2")).await, ErrorKind::AccessDenied);
    for ids in [
        vec![by_tag("prod-1")],
        vec![by_tag("dev-1"), by_tag("prod-1")],
        vec![by_tag("dev-1"), by_digest(&image.digest)],
        vec![by_digest(&image.digest)],
        vec![],
    ] {
        let delete = BatchDeleteImage { repository: app.clone(), ids };
        check_kind(registry.run_as(&user, delete).await, ErrorKind::AccessDenied);
    }
    assert_eq!(registry.tags(&app).await.unwrap(), ["dev-1", "dev-2", "dev-3", "prod-1"]);
    let ids = vec![by_tag("dev-1"), by_tag("dev-2"), by_tag("dev-missing")];
    let delete = BatchDeleteImage { repository: app.clone(), ids };
    registry.run_as(&user, delete).await.unwrap();
    assert_eq!(registry.tags(&app).await.unwrap(), ["dev-3", "prod-1"]);
}

#[tokio::test]
async fn a_push_creates_a_repository_only_for_who_may() {
    let create_on_push = Settings { create_on_push: true, ..Settings::default() };
    let registry = Registry::with_settings(create_on_push).await;
    let rules = UploadRules::Distribution;
    let initiate = |name: &str| InitiateLayerUpload { repository: address(name), rules };
    let pusher = allow(r#""ecr:InitiateLayerUpload""#, "*", "");
    let pusher = registry.principal("pusher", &pusher).await;
    let both = allow(r#"["ecr:InitiateLayerUpload","ecr:CreateRepository"]"#, TEAM, "");
    let creator = registry.principal("creator", &both).await;
    let refused = registry.run_as(&pusher, initiate("team/new")).await;
    check_error(
        refused,
        ErrorKind::AccessDenied,
        "User: arn:aws:iam::123456789012:user/pusher is not authorized to perform: \
         ecr:CreateRepository on resource: \
         arn:aws:ecr:us-east-1:123456789012:repository/team/new because no identity-based policy \
         allows the ecr:CreateRepository action",
    );
    registry.run_as(&creator, initiate("team/new")).await.unwrap();
    registry.run_as(&pusher, initiate("team/new")).await.unwrap();
    let by_parts =
        InitiateLayerUpload { repository: address("team/parts"), rules: UploadRules::LayerParts };
    check_kind(registry.run_as(&creator, by_parts).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn a_blob_is_mounted_only_for_who_may_pull_it_and_finish_an_upload() {
    let mounting = Settings { blob_mounting: true, ..Settings::default() };
    let registry = Registry::with_settings(mounting).await;
    registry.create("team/app").await;
    let source = registry.create("secret/source").await;
    let blob = Blob::new("shared", 10);
    registry.push_blob(&source, &blob).await.unwrap();
    let push = r#""ecr:InitiateLayerUpload","ecr:CompleteLayerUpload""#;
    for (name, actions, denied, is_mounted) in [
        ("pushes", format!("[{push}]"), "", false),
        ("pulls", format!("[{push},\"ecr:GetDownloadUrlForLayer\"]"), "", true),
        (
            "denied",
            format!("[{push},\"ecr:GetDownloadUrlForLayer\"]"),
            r#",{"Effect":"Deny","Action":"ecr:*","Resource":"arn:aws:ecr:*:*:repository/secret/*"}"#,
            false,
        ),
        (
            "begins",
            r#"["ecr:InitiateLayerUpload","ecr:GetDownloadUrlForLayer"]"#.to_owned(),
            "",
            false,
        ),
    ] {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"*"}}{denied}]}}"#
        );
        let user = registry.principal(name, &policy).await;
        for from in [Some(source.name.clone()), None] {
            let mount =
                MountLayer { repository: address("team/app"), digest: blob.digest.clone(), from };
            let mounted = registry.run_as(&user, mount.clone()).await.unwrap();
            assert_eq!(mounted == Mounted::Blob, is_mounted, "{name}: {mount:?}");
            let delete =
                DeleteBlob { repository: address("team/app"), digest: blob.digest.clone() };
            assert_eq!(registry.run(delete).await.is_ok(), is_mounted, "{name}: {mount:?}");
        }
    }
}

// --- what changes between the decision and the transaction

fn set_policy(principal: &Principal, document: &str) -> Vec<Statement> {
    vec![
        (
            "UPDATE principal_policies SET document = $2 WHERE principal_id = $1",
            params![principal.id, document].to_vec(),
        ),
        bump(ACCOUNT),
    ]
}

/// Runs an operation while `statements` are committed just before its `nth` transaction. The first
/// is the decision's.
async fn run_interposed<O: Operation>(
    registry: &Registry,
    context: &RequestContext,
    nth: u32,
    statements: Vec<Statement>,
    operation: O,
) -> Result<O::Output> {
    registry.interposed.before(nth, statements);
    let result = registry.run_in(context, operation).await;
    assert!(registry.interposed.has_run(), "the operation has no transaction {nth}");
    result
}

const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

#[tokio::test]
async fn a_permission_that_goes_before_the_transaction_is_not_used() {
    let registry = Registry::new().await;
    let user = registry.principal("user", EVERYTHING).await;
    let context = registry.context_of(&user);
    let other = allow(r#""ecr:DeleteRepository""#, "*", "");
    let create = create_repository("app");
    let denied =
        run_interposed(&registry, &context, 2, set_policy(&user, &other), create.clone()).await;
    check_kind(denied, ErrorKind::AccessDenied);
    check_kind(registry.run(list("app")).await, ErrorKind::RepositoryNotFound);
    registry.write(&set_policy(&user, EVERYTHING)).await;

    // Another policy that still allows it.
    let narrower = allow(r#"["ecr:CreateRepository","ecr:UploadLayerPart"]"#, "*", "");
    run_interposed(&registry, &context, 2, set_policy(&user, &narrower), create).await.unwrap();

    // The third transaction of an upload part is the one that writes.
    registry.write(&set_policy(&user, EVERYTHING)).await;
    let rules = UploadRules::Distribution;
    let initiate = InitiateLayerUpload { repository: address("app"), rules };
    let upload_id = registry.run_in(&context, initiate).await.unwrap();
    for nth in [2, 3] {
        registry.write(&set_policy(&user, EVERYTHING)).await;
        let part = UploadLayerPart {
            repository: address("app"),
            upload_id: upload_id.clone(),
            first_byte: None,
            length: None,
            body: body(&Blob::new("part", 100_000).bytes),
            rules,
        };
        let change = set_policy(&user, &other);
        let denied = run_interposed(&registry, &context, nth, change, part).await;
        check_kind(denied, ErrorKind::AccessDenied);
    }
    assert_eq!(registry.rows("SELECT received FROM uploads").await, [["0"]]);
}

#[tokio::test]
async fn an_optional_permission_that_goes_is_not_used_either() {
    let create_on_push = Settings { create_on_push: true, ..Settings::default() };
    let registry = Registry::with_settings(create_on_push).await;
    let user = registry.principal("user", EVERYTHING).await;
    let pusher = allow(r#""ecr:InitiateLayerUpload""#, "*", "");
    let rules = UploadRules::Distribution;
    let initiate = InitiateLayerUpload { repository: address("app"), rules };
    let context = registry.context_of(&user);
    let change = set_policy(&user, &pusher);
    let refused = run_interposed(&registry, &context, 2, change, initiate).await;
    check_kind(refused, ErrorKind::Unavailable);
    check_kind(registry.run(list("app")).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn a_decision_from_resource_tags_holds_for_the_tags_it_acts_under() {
    let registry = Registry::new().await;
    let condition = r#"{"StringEquals":{"aws:ResourceTag/env":"dev"}}"#;
    let user = registry.principal("user", &allow(r#""ecr:*""#, "*", condition)).await;
    let app = registry.create("app").await;
    let tags = resource_tags(&[("env", "dev")]);
    registry.run(TagResource { resource: app.clone(), tags }).await.unwrap();
    registry.push_image(&app, "one", &["v1"]).await;
    let to_prod = || vec![("UPDATE resource_tags SET tag_value = 'prod'", Vec::new())];
    let delete = BatchDeleteImage { repository: app.clone(), ids: vec![by_tag("v1")] };
    let context = registry.context_of(&user);
    let denied = run_interposed(&registry, &context, 2, to_prod(), delete.clone()).await;
    check_kind(denied, ErrorKind::AccessDenied);
    assert_eq!(registry.tags(&app).await.unwrap(), ["v1"]);
    let tags = resource_tags(&[("env", "dev")]);
    registry.run(TagResource { resource: app.clone(), tags }).await.unwrap();
    registry.run_as(&user, delete).await.unwrap();
}

// --- accounts and keys

async fn second_account(registry: &Registry) -> Principal {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let id = AccountId::parse("210987654321").unwrap();
    let create = CreateAccount { management_account, id, name: "team".to_owned() };
    let (account, key) = registry.run(create).await.unwrap();
    assert_eq!((account.id, account.active), (id, true));
    access_keys::find_active(&registry.app, &key.id).await.unwrap().unwrap().principal
}

async fn set_state(registry: &Registry, active: bool) {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let id = AccountId::parse("210987654321").unwrap();
    registry.run(SetAccountState { management_account, id, active }).await.unwrap();
}

const INVALID: &str = "The security token included in the request is invalid.";

#[tokio::test]
async fn a_suspended_account_does_nothing_from_that_moment_on() {
    let registry = Registry::new().await;
    let root = second_account(&registry).await;
    let key = root.access_key_id.clone().unwrap();
    registry.run_as(&root, create_repository("app")).await.unwrap();
    set_state(&registry, false).await;
    set_state(&registry, false).await;
    let refused = registry.run_as(&root, GetCallerIdentity).await;
    check_error(refused, ErrorKind::Unauthenticated, INVALID);
    assert!(access_keys::find_active(&registry.app, &key).await.unwrap().is_none());
    set_state(&registry, true).await;
    registry.run_as(&root, GetCallerIdentity).await.unwrap();

    let suspend = || {
        vec![
            ("UPDATE accounts SET state = 'SUSPENDED' WHERE id = '210987654321'", Vec::new()),
            bump("210987654321"),
        ]
    };
    let context = registry.context_of(&root);
    let late = run_interposed(&registry, &context, 2, suspend(), create_repository("late")).await;
    check_error(late, ErrorKind::Unauthenticated, INVALID);
    set_state(&registry, true).await;
    let tag_status = TagStatus::Any;
    let mut repository = address("late");
    repository.account = root.account;
    let listing = ListImages {
        repository,
        tag_status,
        image_status: ImageStatusFilter::default(),
        page: page(None, 10),
    };
    check_kind(registry.run_as(&root, listing).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn a_key_that_is_switched_off_does_nothing_from_that_moment_on() {
    let registry = Registry::new().await;
    let root = second_account(&registry).await;
    let key = root.access_key_id.clone().unwrap();
    let switch = |state: &str| {
        let set = "UPDATE access_keys SET state = $2 WHERE id = $1";
        vec![(set, params![&key, state].to_vec()), bump("210987654321")]
    };
    registry.write(&switch("INACTIVE")).await;
    let refused = registry.run_as(&root, GetCallerIdentity).await;
    check_error(refused, ErrorKind::Unauthenticated, INVALID);
    let without_key = Principal { access_key_id: None, ..root.clone() };
    registry.run_as(&without_key, GetCallerIdentity).await.unwrap();
    registry.write(&switch("ACTIVE")).await;
    let context = registry.context_of(&root);
    let change = switch("INACTIVE");
    let late = run_interposed(&registry, &context, 2, change, create_repository("app")).await;
    check_error(late, ErrorKind::Unauthenticated, INVALID);
    let foreign_key = Principal { access_key_id: Some(key), ..registry.root.clone() };
    check_kind(registry.run_as(&foreign_key, GetCallerIdentity).await, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn accounts_are_made_once_and_the_first_cannot_be_suspended() {
    let registry = Registry::new().await;
    second_account(&registry).await;
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let id = AccountId::parse("210987654321").unwrap();
    let create = |name: &str| CreateAccount { management_account, id, name: name.to_owned() };
    check_error(
        registry.run(create("again")).await,
        ErrorKind::AccountAlreadyExists,
        "Account 210987654321 exists already.",
    );
    let long = "x".repeat(65);
    for name in ["", "a\nb", long.as_str()] {
        check_kind(registry.run(create(name)).await, ErrorKind::InvalidParameter);
    }
    let state = |id, active| SetAccountState { management_account, id, active };
    let refused = registry.run(state(management_account, false)).await;
    check_kind(refused, ErrorKind::InvalidParameter);
    let unknown = AccountId::parse("999999999999").unwrap();
    check_kind(registry.run(state(unknown, false)).await, ErrorKind::AccountNotFound);
    let accounts = registry.run(ListAccounts { management_account }).await.unwrap();
    let ids: Vec<_> = accounts.iter().map(|account| account.id.to_string()).collect();
    assert_eq!(ids, ["123456789012", "210987654321"]);
}

#[tokio::test]
async fn a_random_key_has_the_form_of_aws() {
    let key = AccessKey::random().unwrap();
    assert!(key.id.starts_with("AKIA") && key.id.len() == 20);
}
