//! Rules of the pull-through cache: what they cover, what they keep out, what is said of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tonnage_domain::app::Settings;
use tonnage_domain::error::{Error, ErrorKind, Result};
use tonnage_domain::identities::authorization_token;
use tonnage_domain::identities::inline_policies::{InlinePolicy, PutPolicy, Role};
use tonnage_domain::identities::roles::CreateRole;
use tonnage_domain::names::{AccountId, Digest, Reference};
use tonnage_domain::pages::Page;
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;
use tonnage_domain::pull_through::delete::DeletePullThroughCacheRule;
use tonnage_domain::pull_through::describe::DescribePullThroughCacheRules;
use tonnage_domain::pull_through::registries::UpstreamRegistry;
use tonnage_domain::pull_through::rules::Rule;
use tonnage_domain::pull_through::settings::UpstreamSettings;
use tonnage_domain::pull_through::update::UpdatePullThroughCacheRule;
use tonnage_domain::pull_through::upstream::{
    Blob, Manifest, ManifestHead, Origin, UpstreamError, Upstreams,
};
use tonnage_domain::pull_through::validate::ValidatePullThroughCacheRule;
use tonnage_domain::secrets::create_secret::CreateSecret;
use tonnage_domain::secrets::delete_secret::DeleteSecret;
use tonnage_domain::secrets::{SecretId, SecretName, Value as SecretContent};
use tonnage_domain::uploads::UploadRules;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::mount::MountLayer;

use crate::content::{Blob as Layer, Pushed};
use crate::registry::{ACCOUNT, Registry, address, check_kind, page};

/// A rule without anything that may be left out.
pub(crate) fn rule(prefix: &str, upstream_url: &str) -> CreatePullThroughCacheRule {
    CreatePullThroughCacheRule {
        registry_id: None,
        prefix: prefix.to_owned(),
        upstream_url: upstream_url.to_owned(),
        upstream_registry: None,
        upstream_prefix: None,
        credential_arn: None,
        custom_role_arn: None,
    }
}

async fn describe(registry: &Registry, prefixes: &[&str]) -> Result<Vec<Rule>> {
    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    let page = page(None, 100);
    let described = DescribePullThroughCacheRules { registry_id: None, prefixes, page };
    registry.run(described).await.map(|page| page.items)
}

fn delete(prefix: &str) -> DeletePullThroughCacheRule {
    DeletePullThroughCacheRule { registry_id: None, prefix: prefix.to_owned() }
}

fn validate(prefix: &str) -> ValidatePullThroughCacheRule {
    ValidatePullThroughCacheRule { registry_id: None, prefix: prefix.to_owned() }
}

fn update(prefix: &str, secret: Option<&str>, role: Option<&str>) -> UpdatePullThroughCacheRule {
    UpdatePullThroughCacheRule {
        registry_id: None,
        prefix: prefix.to_owned(),
        credential_arn: secret.map(str::to_owned),
        custom_role_arn: role.map(str::to_owned),
    }
}

/// A registry of this deployment as its operator told where it is.
const ELSEWHERE: &str = "123456789012.dkr.ecr.eu-west-1.registry.example";

fn settings() -> Settings {
    let location = |name: &str| (name.to_owned(), "http://127.0.0.1:4510".to_owned());
    Settings {
        upstreams: UpstreamSettings {
            hosts: ["harbor.example.com:8443".to_owned()].into(),
            locations: BTreeMap::from([location(ELSEWHERE), location("quay")]),
        },
        ..Settings::default()
    }
}

const SECRET: &str =
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/hub-AbCdEf";

#[tokio::test]
async fn what_can_be_a_rule() {
    let registry = Registry::with_settings(settings()).await;
    let role = format!("arn:aws:iam::{ACCOUNT}:role/upstream");
    let with_prefix = |prefix: &str, url: &str, upstream: &str| CreatePullThroughCacheRule {
        upstream_prefix: Some(upstream.to_owned()),
        ..rule(prefix, url)
    };
    let with_role = |url: &str, role: &str| CreatePullThroughCacheRule {
        custom_role_arn: Some(role.to_owned()),
        ..rule("mirror", url)
    };
    let of = |registry, url: &str| CreatePullThroughCacheRule {
        upstream_registry: Some(registry),
        ..rule("mirror", url)
    };
    let with_secret = |secret: &str| CreatePullThroughCacheRule {
        credential_arn: Some(secret.to_owned()),
        ..rule("mirror", "registry-1.docker.io")
    };
    use ErrorKind as Kind;
    use UpstreamRegistry as Is;
    type Row<'a> = (CreatePullThroughCacheRule, Result<(Is, &'a str), Kind>);
    let rows: Vec<Row<'_>> = vec![
        (rule("mirror", "public.ecr.aws"), Ok((Is::EcrPublic, "ROOT"))),
        (rule("mirror", "PUBLIC.ecr.aws"), Ok((Is::EcrPublic, "ROOT"))),
        (rule("mirror", "public.ecr.aws/docker/library"), Ok((Is::EcrPublic, "docker/library"))),
        (rule("mirror", "quay.io"), Ok((Is::Quay, "ROOT"))),
        (rule("mirror", "registry.k8s.io"), Ok((Is::K8s, "ROOT"))),
        (rule("mirror", "harbor.example.com:8443"), Ok((Is::Other, "ROOT"))),
        (rule("mirror", "harbor.example.com:8443/team"), Ok((Is::Other, "team"))),
        (of(Is::Quay, "quay.io"), Ok((Is::Quay, "ROOT"))),
        (with_prefix("mirror", "quay.io", "team"), Ok((Is::Quay, "team"))),
        (with_prefix("mirror", "quay.io", "team/"), Ok((Is::Quay, "team"))),
        (with_prefix("mirror", "quay.io", "ROOT"), Ok((Is::Quay, "ROOT"))),
        (with_prefix("ROOT", "quay.io", "ROOT"), Ok((Is::Quay, "ROOT"))),
        (with_role(ELSEWHERE, &role), Ok((Is::Ecr, "ROOT"))),
        (rule("mirror", "harbor.example.com"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", "https://quay.io"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", "docker.io"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", "127.0.0.1:5000"), Err(Kind::UnsupportedUpstreamRegistry)),
        // Whoever wants credentials is not asked without.
        (rule("mirror", "registry-1.docker.io"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", "ghcr.io"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", "registry.gitlab.com"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", "cgr.dev"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", "mine.azurecr.io"), Err(Kind::UnsupportedUpstreamRegistry)),
        (rule("mirror", ELSEWHERE), Err(Kind::UnsupportedUpstreamRegistry)),
        // Nobody said where this one is, and AWS would want its own credentials.
        (
            with_role("123456789012.dkr.ecr.us-west-2.amazonaws.com", &role),
            Err(Kind::UnsupportedUpstreamRegistry),
        ),
        (of(Is::K8s, "quay.io"), Err(Kind::InvalidParameter)),
        (of(Is::Quay, "harbor.example.com:8443"), Err(Kind::InvalidParameter)),
        (with_prefix("mirror", "quay.io/team", "team"), Err(Kind::InvalidParameter)),
        (with_prefix("ROOT", "quay.io", "team"), Err(Kind::InvalidParameter)),
        (rule("ROOT", "quay.io/team"), Err(Kind::InvalidParameter)),
        (with_role("quay.io", &role), Err(Kind::InvalidParameter)),
        (with_role(ELSEWHERE, "no-arn"), Err(Kind::InvalidParameter)),
        (
            with_role("123456789012.dkr.ecr.us-east-1.amazonaws.com", &role),
            Err(Kind::InvalidParameter),
        ),
        (with_role(ELSEWHERE, "arn:aws:iam::123456789012:user/me"), Err(Kind::InvalidParameter)),
        (
            with_role(ELSEWHERE, "arn:aws:iam::210987654321:role/theirs"),
            Err(Kind::InvalidParameter),
        ),
        (with_secret(SECRET), Err(Kind::CredentialNotFound)),
        (with_secret(&SECRET.replace("us-east-1", "us-west-2")), Err(Kind::CredentialInaccessible)),
        (with_secret(&SECRET.replace(ACCOUNT, "210987654321")), Err(Kind::CredentialInaccessible)),
        (
            with_secret(&SECRET.replace("ecr-pullthroughcache/", "")),
            Err(Kind::CredentialInaccessible),
        ),
    ];
    for (create, expected) in rows {
        let said = format!("{create:?}");
        let (prefix, url) = (create.prefix.clone(), create.upstream_url.clone());
        let upstream_prefix = create.upstream_prefix.clone();
        let found = registry.run(create).await;
        let outcome = found
            .as_ref()
            .map(|rule| (rule.upstream_registry, rule.upstream_prefix.as_str().to_owned()));
        let outcome = outcome.map_err(Error::kind);
        let expected = expected.map(|(registry, prefix)| (registry, prefix.to_owned()));
        assert_eq!(outcome, expected, "{said}: {found:?}");
        if let Ok(created) = found {
            assert_eq!(
                describe(&registry, &[&prefix]).await.unwrap(),
                std::slice::from_ref(&created)
            );
            // What was given comes back as it was given.
            assert_eq!((created.given_prefix.as_str(), created.upstream_url), (&*prefix, url));
            assert_eq!(created.given_upstream_prefix, upstream_prefix);
            registry.run(delete(&prefix)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn rules_are_listed_and_named() {
    let registry = Registry::new().await;
    let missing = ErrorKind::PullThroughCacheRuleNotFound;
    assert_eq!(describe(&registry, &[]).await.unwrap(), []);
    check_kind(describe(&registry, &["quay"]).await, missing);
    for prefix in ["quay", "a/b", "ROOT", "slash/"] {
        registry.run(rule(prefix, "quay.io")).await.unwrap();
    }
    let names = async |prefixes: &[&str]| -> Vec<String> {
        let rules = describe(&registry, prefixes).await.unwrap();
        rules.into_iter().map(|rule| rule.given_prefix).collect()
    };
    assert_eq!(names(&[]).await, ["ROOT", "a/b", "quay", "slash/"]);
    assert_eq!(names(&["slash", "a/b/", "ROOT"]).await, ["slash/", "a/b", "ROOT"]);
    check_kind(describe(&registry, &["quay", "a"]).await, missing);

    let mut after = None;
    let mut paged = Vec::new();
    loop {
        let page = page(after.as_deref(), 3);
        let describe =
            DescribePullThroughCacheRules { registry_id: None, prefixes: Vec::new(), page };
        let Page { items, next } = registry.run(describe).await.unwrap();
        paged.extend(items.into_iter().map(|rule| rule.given_prefix));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, ["ROOT", "a/b", "quay", "slash/"]);

    // The `/` at the end is always there.
    let exists = ErrorKind::PullThroughCacheRuleAlreadyExists;
    check_kind(registry.run(rule("slash", "quay.io")).await, exists);
    check_kind(registry.run(rule("quay/", "registry.k8s.io")).await, exists);
    assert_eq!(registry.run(delete("slash")).await.unwrap().given_prefix, "slash/");
    check_kind(registry.run(delete("slash")).await, missing);
    check_kind(
        registry.run(update("slash", Some(SECRET), None)).await,
        ErrorKind::CredentialNotFound,
    );
    let role = format!("arn:aws:iam::{ACCOUNT}:role/upstream");
    check_kind(registry.run(update("slash", None, Some(&role))).await, missing);
    check_kind(registry.run(validate("slash")).await, missing);
}

/// Pushes of every kind to `name` are refused as cached, or not.
async fn check_pushes(registry: &Registry, name: &str, refused: bool) {
    let repository = address(name);
    let image = Pushed::image(&Layer::new("config", 100), &[]);
    let mount =
        MountLayer { repository: repository.clone(), digest: image.digest.clone(), from: None };
    let initiate = |rules| InitiateLayerUpload { repository: repository.clone(), rules };
    let outcomes = [
        registry.run(initiate(UploadRules::Distribution)).await.err(),
        registry.run(initiate(UploadRules::LayerParts)).await.err(),
        registry.run(mount).await.err(),
        registry.put(&repository, &image, Some("v1")).await.err(),
    ];
    for (index, error) in outcomes.into_iter().enumerate() {
        let is_cache = error.as_ref().is_some_and(|it| it.kind() == ErrorKind::RepositoryIsCache);
        assert_eq!(is_cache, refused, "{name} {index}: {error:?}");
    }
}

#[tokio::test]
async fn nobody_pushes_into_a_cache() {
    let registry = Registry::new().await;
    for name in ["quay/app", "quay", "quayside/app", "app"] {
        registry.create(name).await;
        check_pushes(&registry, name, false).await;
    }
    registry.run(rule("quay", "quay.io")).await.unwrap();
    for (name, refused) in
        [("quay/app", true), ("quay", false), ("quayside/app", false), ("app", false)]
    {
        check_pushes(&registry, name, refused).await;
    }
    let error = registry.initiate(&address("quay/app")).await.unwrap_err();
    assert_eq!(
        error.message(),
        "The repository with name 'quay/app' in the registry with id '123456789012' is a cache of \
         quay.io by the pull through cache rule with the prefix 'quay', and images come to it only \
         by being pulled. Push to another name, or delete the rule."
    );
    // Whether the repository is there makes no difference.
    check_kind(registry.initiate(&address("quay/new")).await, ErrorKind::RepositoryIsCache);
    registry.run(delete("quay")).await.unwrap();
    check_pushes(&registry, "quay/app", false).await;
    registry.run(rule("ROOT", "quay.io")).await.unwrap();
    // A rule for all names leaves alone what was made by hand.
    for name in ["quay/app", "quay", "app"] {
        check_pushes(&registry, name, false).await;
    }
}

/// Answers what it was told to, and keeps what it was asked.
#[derive(Default)]
struct Scripted {
    answer: Mutex<Option<UpstreamError>>,
    asked: Mutex<Vec<Origin>>,
}

impl Upstreams for Scripted {
    fn check<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, Result<(), UpstreamError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(origin.clone());
            self.answer.lock().unwrap().take().map_or(Ok(()), Err)
        })
    }

    fn head_manifest<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, UpstreamError>> {
        unreachable!("rules ask for no images")
    }

    fn manifest<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Reference,
    ) -> BoxFuture<'a, Result<Manifest, UpstreamError>> {
        unreachable!("rules ask for no images")
    }

    fn blob<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Digest,
    ) -> BoxFuture<'a, Result<Blob, UpstreamError>> {
        unreachable!("rules ask for no images")
    }

    fn referrers<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<bytes::Bytes>, UpstreamError>> {
        unreachable!("rules ask for no images")
    }
}

/// A registry whose upstreams are scripted.
async fn scripted() -> (Registry, Arc<Scripted>) {
    let mut registry = Registry::with_settings(settings()).await;
    let upstreams = Arc::new(Scripted::default());
    registry.app_mut().set_upstreams(Arc::clone(&upstreams) as Arc<dyn Upstreams>);
    (registry, upstreams)
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_told() {
    let (registry, upstreams) = scripted().await;
    let rows: Vec<(&str, Option<UpstreamError>, Option<&str>, &str)> = vec![
        ("registry.k8s.io", None, None, "https://registry.k8s.io"),
        ("quay.io", None, None, "http://127.0.0.1:4510"),
        ("harbor.example.com:8443", None, None, "https://harbor.example.com:8443"),
        (
            "registry.k8s.io",
            Some(UpstreamError::Denied("registry.k8s.io".to_owned())),
            Some(
                "The upstream registry registry.k8s.io wants credentials. Update the rule with the \
                 ARN of a secret.",
            ),
            "https://registry.k8s.io",
        ),
        (
            "registry.k8s.io",
            Some(UpstreamError::Unavailable("registry.k8s.io does not answer".to_owned())),
            Some("registry.k8s.io does not answer"),
            "https://registry.k8s.io",
        ),
    ];
    for (url, answer, failure, asked) in rows {
        registry.run(rule("mirror", url)).await.unwrap();
        *upstreams.answer.lock().unwrap() = answer;
        let validation = registry.run(validate("mirror/")).await.unwrap();
        assert_eq!(validation.failure.as_deref(), failure, "{url}");
        assert_eq!(validation.rule.upstream_url, url);
        let origin = upstreams.asked.lock().unwrap().pop().unwrap();
        assert_eq!(origin.url, asked, "{url}");
        assert!(origin.credentials.is_none());
        registry.run(delete("mirror")).await.unwrap();
    }
}

/// The ARN of a new secret that holds this.
async fn secret(registry: &Registry, name: &str, value: Option<SecretContent>) -> String {
    let create = CreateSecret {
        name: SecretName::parse(name).unwrap(),
        description: None,
        tags: Vec::new(),
        token: value.as_ref().map(|_| "0".repeat(32)),
        value,
    };
    registry.run(create).await.unwrap().secret.arn
}

fn text(text: &str) -> Option<SecretContent> {
    Some(SecretContent::Text(SecretString::from(text)))
}

const BODY: &str = r#"{"username":"me","accessToken":"token"}"#;
const UNREADABLE: &str = "The secret is accessible but does not hold credentials. Store a JSON \
                          object with the keys `username` and `accessToken` in it.";

#[tokio::test]
async fn a_secret_is_what_the_upstream_is_entered_with() {
    let (registry, upstreams) = scripted().await;
    let arn = secret(&registry, "ecr-pullthroughcache/hub", text(BODY)).await;
    // Whoever writes rules may read no secret.
    let allow = r#"{"Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]}"#;
    let writer = registry.principal("writer", allow).await;
    let create = |prefix: &str, arn: &str| CreatePullThroughCacheRule {
        credential_arn: Some(arn.to_owned()),
        ..rule(prefix, "registry-1.docker.io")
    };
    registry.run_as(&writer, create("hub", &arn)).await.unwrap();
    let failure = async || registry.run_as(&writer, validate("hub")).await.unwrap().failure;
    assert_eq!(failure().await, None);
    let origin = upstreams.asked.lock().unwrap().pop().unwrap();
    let credentials = origin.credentials.unwrap();
    assert_eq!(origin.url, "https://registry-1.docker.io");
    assert_eq!(credentials.username, "me");
    assert_eq!(credentials.password.expose_secret(), "token");

    *upstreams.answer.lock().unwrap() = Some(UpstreamError::Denied("the host".to_owned()));
    assert_eq!(
        failure().await.as_deref(),
        Some(
            "The authentication to the upstream registry failed. Verify that the credentials in \
             the secret are correct and try again."
        )
    );
    upstreams.asked.lock().unwrap().clear();

    // What a secret holds is looked at when it is used; a rule may name it before.
    let binary = SecretContent::Binary(SecretSlice::from(BODY.as_bytes().to_vec()));
    for (name, value, expected) in [
        ("text", text("me:token"), Some(UNREADABLE)),
        ("member", text(r#"{"username":"me"}"#), Some(UNREADABLE)),
        ("binary", Some(binary), Some(UNREADABLE)),
        ("good", text(BODY), None),
    ] {
        let arn = secret(&registry, &format!("ecr-pullthroughcache/{name}"), value).await;
        registry.run_as(&writer, update("hub", Some(&arn), None)).await.unwrap();
        assert_eq!(failure().await.as_deref(), expected, "{name}");
    }

    // One without a value, one whose name is not for rules, one that is to be deleted.
    let empty = secret(&registry, "ecr-pullthroughcache/empty", None).await;
    let found = registry.run_as(&writer, create("empty", &empty)).await;
    check_kind(found, ErrorKind::CredentialNotFound);
    let other = secret(&registry, "others/hub", text(BODY)).await;
    let found = registry.run_as(&writer, create("other", &other)).await;
    check_kind(found, ErrorKind::CredentialInaccessible);
    let delete = DeleteSecret { id: SecretId::parse_arn(&arn).unwrap(), days: None, force: false };
    registry.run(delete).await.unwrap();
    let found = registry.run_as(&writer, update("hub", Some(&arn), None)).await;
    check_kind(found, ErrorKind::CredentialNotFound);
}

#[tokio::test]
async fn a_role_asks_another_registry_of_this_deployment() {
    let (registry, upstreams) = scripted().await;
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role/upstream");
    let create = CreatePullThroughCacheRule {
        custom_role_arn: Some(role_arn.clone()),
        ..rule("mirror", ELSEWHERE)
    };
    registry.run(create).await.unwrap();
    let failure = async || registry.run(validate("mirror")).await.unwrap().failure;
    // There is no such role.
    let told = failure().await.unwrap();
    assert!(told.starts_with(&format!("The role {role_arn} cannot be used: ")), "{told}");

    let trust = |service: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",
                "Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}}}"#
        )
    };
    let make = |name: &str, service: &str| CreateRole {
        name: name.to_owned(),
        path: None,
        trust_policy: trust(service),
        description: String::new(),
        session_seconds_max: 3600,
        boundary: None,
        tags: Vec::new(),
    };
    registry.run(make("other", "ec2.amazonaws.com")).await.unwrap();
    let other = format!("arn:aws:iam::{ACCOUNT}:role/other");
    registry.run(update("mirror", None, Some(&other))).await.unwrap();
    let told = failure().await.unwrap();
    assert!(told.contains("sts:AssumeRole"), "{told}");

    registry.run(make("upstream", "pullthroughcache.ecr.amazonaws.com")).await.unwrap();
    registry.run(update("mirror", None, Some(&role_arn))).await.unwrap();
    let told = failure().await.unwrap();
    assert!(told.contains("is not authorized to perform: ecr:GetAuthorizationToken"), "{told}");
    assert!(upstreams.asked.lock().unwrap().is_empty(), "nobody is asked without credentials");

    allow(&registry, "upstream").await;
    assert_eq!(failure().await, None);
    let origin = upstreams.asked.lock().unwrap().pop().unwrap();
    assert_eq!(origin.url, "http://127.0.0.1:4510");
    let credentials = origin.credentials.unwrap();
    assert_eq!(credentials.username, "AWS");
    // What the upstream, which is this deployment, makes of it.
    let now = registry.context().now;
    let password = credentials.password.expose_secret();
    let identity = authorization_token::verify(&registry.app, password, now).await.unwrap();
    assert_eq!(
        identity.principal.arn,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/upstream/ecr-pull-through-cache")
    );
    assert_eq!((identity.account.as_str(), identity.region.as_str()), (ACCOUNT, "eu-west-1"));
}

async fn allow(registry: &Registry, role: &str) {
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*",
        "Action":"ecr:GetAuthorizationToken"}}"#;
    let policy = InlinePolicy { name: "pull".to_owned(), document: document.to_owned() };
    registry.run(PutPolicy { name: role.to_owned(), policy, kind: Role }).await.unwrap();
}

#[tokio::test]
async fn who_gives_a_role_to_a_rule_must_be_allowed_to() {
    let registry = Registry::with_settings(settings()).await;
    let role = format!("arn:aws:iam::{ACCOUNT}:role/upstream");
    let create = || CreatePullThroughCacheRule {
        custom_role_arn: Some(role.clone()),
        ..rule("mirror", ELSEWHERE)
    };
    let allow = |condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
                {{"Effect":"Allow","Action":"ecr:*","Resource":"*"}},
                {{"Effect":"Allow","Action":"iam:PassRole","Resource":"{role}",
                  "Condition":{{"StringEquals":{{"iam:PassedToService":"{condition}"}}}}}}]}}"#
        )
    };
    let other = registry.principal("other", &allow("ec2.amazonaws.com")).await;
    check_kind(registry.run_as(&other, create()).await, ErrorKind::AccessDenied);
    let fit = registry.principal("fitting", &allow("pullthroughcache.ecr.amazonaws.com")).await;
    registry.run_as(&fit, create()).await.unwrap();
}

#[tokio::test]
async fn a_registry_of_another_account_is_out_of_reach() {
    let registry = Registry::new().await;
    let foreign = Some(AccountId::parse("210987654321").unwrap());
    let prefix = "mirror".to_owned();
    let create = CreatePullThroughCacheRule { registry_id: foreign, ..rule("mirror", "quay.io") };
    check_kind(registry.run(create).await, ErrorKind::AccessDenied);
    let delete = DeletePullThroughCacheRule { registry_id: foreign, prefix: prefix.clone() };
    check_kind(registry.run(delete).await, ErrorKind::AccessDenied);
    let validate = ValidatePullThroughCacheRule { registry_id: foreign, prefix };
    check_kind(registry.run(validate).await, ErrorKind::AccessDenied);
    let update =
        UpdatePullThroughCacheRule { registry_id: foreign, ..update("mirror", Some(SECRET), None) };
    check_kind(registry.run(update).await, ErrorKind::AccessDenied);
    let describe = DescribePullThroughCacheRules {
        registry_id: foreign,
        prefixes: Vec::new(),
        page: page(None, 100),
    };
    check_kind(registry.run(describe).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn an_update_names_one_thing_to_enter_with() {
    let registry = Registry::with_settings(settings()).await;
    registry.run(rule("mirror", "quay.io")).await.unwrap();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/upstream");
    for (secret, role) in [(None, None), (Some(SECRET), Some(role.as_str()))] {
        let error = registry.run(update("mirror", secret, role)).await.unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid input: Please set either credential arn or role arn to update the credentials"
        );
    }
    // A role asks registries of ECR only.
    check_kind(
        registry.run(update("mirror", None, Some(&role))).await,
        ErrorKind::InvalidParameter,
    );
}
