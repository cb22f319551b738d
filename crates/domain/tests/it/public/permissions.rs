use tonnage_domain::accounts::CreateAccount;
use tonnage_domain::blobs::get_blob::{GetBlob, HeadBlob};
use tonnage_domain::context::{Principal, PrincipalKind, RequestContext};
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_image_referrers::ListImageReferrers;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::names::{AccountId, Digest, Reference};
use tonnage_domain::policies::repository_policy::SetRepositoryPolicy;
use tonnage_domain::public::authorization::{
    GetPublicAuthorizationToken, PublicIdentity, anonymous_token, verify_basic, verify_bearer,
};
use tonnage_domain::public::catalog::operations::GetRepositoryCatalogData;
use tonnage_domain::uploads::UploadRules::Distribution;
use tonnage_domain::uploads::mount::{MountLayer, Mounted};

use super::{OTHER, asking, create, public, push, push_blob, run};
use crate::content::Blob;
use crate::registry::{ACCOUNT, Registry, address, by_tag, check_kind, page, put_image};

fn anonymous() -> Principal {
    Principal::anonymous(AccountId::parse(ACCOUNT).unwrap())
}

pub(super) async fn other_root(registry: &Registry) -> Principal {
    let management_account = registry.app.management_account;
    let id = AccountId::parse(OTHER).unwrap();
    let name = "other".to_owned();
    registry.run(CreateAccount { management_account, id, name }).await.unwrap();
    let sql = "SELECT id, arn, unique_id FROM principals WHERE account_id = '210987654321'";
    let row = registry.rows(sql).await.remove(0);
    Principal {
        id: row[0].parse().unwrap(),
        kind: PrincipalKind::Root,
        account: id,
        arn: row[1].clone(),
        unique_id: row[2].clone(),
        access_key_id: None,
        session: None,
        share: None,
    }
}

/// What comes of every kind of read.
async fn reads(registry: &Registry, context: &RequestContext, layer: &Digest) -> Vec<ErrorKind> {
    let (repository, digest) = (public("app"), layer.clone());
    let reference = Reference::parse("v1").unwrap();
    let kind = |result: Result<()>| result.err().map(|error| error.kind());
    let manifest = GetManifest { repository: repository.clone(), reference, counts_as_pull: true };
    let referrers = ListImageReferrers {
        repository: repository.clone(),
        subject: digest.clone(),
        artifact_types: Vec::new(),
        artifact_status: ImageStatusFilter::default(),
        page: page(None, 10),
    };
    let blob = GetBlob { repository: repository.clone(), digest: digest.clone() };
    let head = HeadBlob { repository: repository.clone(), digest };
    let tags = ListTags { repository, page: page(None, 10) };
    [
        kind(registry.run_in(context, manifest).await.map(drop)),
        kind(registry.run_in(context, referrers).await.map(drop)),
        kind(registry.run_in(context, blob).await.map(drop)),
        kind(registry.run_in(context, head).await.map(drop)),
        kind(registry.run_in(context, tags).await.map(drop)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const DENY_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr-public:*"}}"#;
const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr-public:*"}}"#;

async fn set_policy(registry: &Registry, text: &str) -> Result<()> {
    let (repository, text) = (public("app"), text.to_owned());
    run(registry, SetRepositoryPolicy { repository, text, force: true }).await.map(drop)
}

#[tokio::test]
async fn everybody_may_read_whatever_policies_say() {
    let registry = Registry::new().await;
    let (_, layer) = push(&registry, "app").await;
    let other = other_root(&registry).await;
    let deny = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    let powerless = registry.principal("nobody", deny).await;
    for policy in [None, Some(DENY_ALL)] {
        if let Some(policy) = policy {
            set_policy(&registry, policy).await.unwrap();
        }
        for principal in [&anonymous(), &other, &powerless, &registry.root] {
            let context = asking(&registry, principal, ACCOUNT);
            assert_eq!(reads(&registry, &context, &layer.digest).await, [], "{}", principal.arn);
        }
    }
    // A policy binds everything else.
    let mine = asking(&registry, &registry.root, ACCOUNT);
    let blob = Blob::new("new", 10);
    check_kind(push_blob(&registry, &mine, "app", &blob).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn nobody_without_credentials_may_write_whatever_policies_say() {
    let registry = Registry::new().await;
    let (image, _) = push(&registry, "app").await;
    let other = other_root(&registry).await;
    let context = asking(&registry, &anonymous(), ACCOUNT);
    let foreign = asking(&registry, &other, ACCOUNT);
    let blob = Blob::new("new", 10);
    for policy in [None, Some(ALLOW_ALL)] {
        if let Some(policy) = policy {
            set_policy(&registry, policy).await.unwrap();
        }
        let repository = public("app");
        let put = put_image(&repository, &image, Some("v2"), Distribution);
        let delete = BatchDeleteImage { repository: repository.clone(), ids: vec![by_tag("v1")] };
        let describe = GetRepositoryCatalogData { repository };
        check_kind(push_blob(&registry, &context, "app", &blob).await, ErrorKind::AccessDenied);
        check_kind(registry.run_in(&context, put).await, ErrorKind::AccessDenied);
        check_kind(registry.run_in(&context, delete).await, ErrorKind::AccessDenied);
        check_kind(registry.run_in(&context, describe).await, ErrorKind::AccessDenied);
        check_kind(registry.run_in(&context, create("new")).await, ErrorKind::AccessDenied);
        // A policy of the repository is what lets other accounts push.
        let pushed = push_blob(&registry, &foreign, "app", &blob).await;
        assert_eq!(pushed.is_ok(), policy.is_some());
    }
}

#[tokio::test]
async fn a_policy_names_actions_of_ecr_public() {
    let registry = Registry::new().await;
    run(&registry, create("app")).await.unwrap();
    let private = ALLOW_ALL.replace("ecr-public:", "ecr:");
    let refused = set_policy(&registry, &private).await.unwrap_err();
    assert!(refused.message().contains("ecr:* is no action of ecr-public"), "{refused}");
    set_policy(&registry, ALLOW_ALL).await.unwrap();
}

#[tokio::test]
async fn private_and_public_repositories_of_one_name_are_two() {
    let registry = Registry::new().await;
    push(&registry, "app").await;
    let private = registry.create("app").await;
    assert_eq!(registry.tags(&private).await.unwrap(), Vec::<String>::new());
    check_kind(registry.manifest(&address("app"), "v1").await, ErrorKind::ImageNotFound);
    // Permissions of one are none of the other.
    let allow = r#"{"Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
    let user = registry.principal("user", allow).await;
    let context = asking(&registry, &user, ACCOUNT);
    let blob = Blob::new("new", 10);
    check_kind(push_blob(&registry, &context, "app", &blob).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn nothing_is_mounted_from_a_private_registry() {
    let settings = tonnage_domain::app::Settings {
        blob_mounting: true,
        create_on_push: true,
        ..tonnage_domain::app::Settings::default()
    };
    let registry = Registry::with_settings(settings).await;
    let private = registry.create("secret").await;
    let blob = Blob::new("secret", 100);
    registry.push_blob(&private, &blob).await.unwrap();
    run(&registry, create("app")).await.unwrap();
    for from in [Some(private.name), None] {
        let (repository, digest) = (public("app"), blob.digest.clone());
        let mounted = run(&registry, MountLayer { repository, digest, from }).await.unwrap();
        assert!(matches!(mounted, Mounted::Upload(_)), "{mounted:?}");
    }
    // Nor does a push make what everybody may see.
    let context = asking(&registry, &registry.root, ACCOUNT);
    let pushed = push_blob(&registry, &context, "absent", &blob).await;
    check_kind(pushed, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn tokens_are_for_one_kind_of_registry() {
    let registry = Registry::new().await;
    let (app, now) = (&registry.app, registry.context().now);
    let seconds = 3600;
    let token = run(&registry, GetPublicAuthorizationToken { seconds }).await.unwrap().token;
    for verified in [verify_bearer(app, &token, now).await, verify_basic(app, &token, now).await] {
        let PublicIdentity::Known(principal) = verified.unwrap() else { panic!("not anonymous") };
        assert_eq!(principal.arn, registry.root.arn);
    }
    let private = GetAuthorizationToken { registry_ids: Vec::new() };
    let private = registry.run(private).await.unwrap().remove(0).token;
    check_kind(verify_bearer(app, &private, now).await, ErrorKind::TokenInvalid);
    let nobody = anonymous_token(app, now).await.unwrap();
    assert!(matches!(verify_bearer(app, &nobody, now).await, Ok(PublicIdentity::Anonymous)));
    check_kind(verify_basic(app, &nobody, now).await, ErrorKind::TokenInvalid);
    check_kind(verify_bearer(app, "nonsense", now).await, ErrorKind::TokenInvalid);
    let late = now.plus_seconds(seconds);
    check_kind(verify_bearer(app, &token, late).await, ErrorKind::TokenExpired);
    check_kind(verify_bearer(app, &nobody, late).await, ErrorKind::TokenExpired);
}

#[tokio::test]
async fn a_token_takes_the_permission_of_sts_too() {
    let registry = Registry::new().await;
    let check = async |name: &str, actions: &str, allowed: bool| {
        let policy =
            format!(r#"{{"Statement":{{"Effect":"Allow","Action":{actions},"Resource":"*"}}}}"#);
        let user = registry.principal(name, &policy).await;
        let context = asking(&registry, &user, ACCOUNT);
        let token = GetPublicAuthorizationToken { seconds: 60 };
        assert_eq!(registry.run_in(&context, token).await.is_ok(), allowed, "{actions}");
    };
    check("a", r#""ecr-public:GetAuthorizationToken""#, false).await;
    check("bb", r#""sts:GetServiceBearerToken""#, false).await;
    check("ccc", r#"["ecr-public:GetAuthorizationToken","sts:GetServiceBearerToken"]"#, true).await;
}
