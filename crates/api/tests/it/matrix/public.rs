//! The rows of public registries. Nobody in particular has an anonymous token there, and every
//! repository may be pulled by everybody.

use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tonnage_domain::clock::Clock as _;
use tonnage_domain::execute::execute;
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, ListPublicAliases, RequestPublicAlias, SetPrimaryPublicAlias,
    VerifyPublicRegistry,
};
use tonnage_domain::public::aliases::{AliasName, primary_of};
use tonnage_domain::public::authorization::{GetPublicAuthorizationToken, anonymous_token};
use tonnage_domain::public::domains::DomainName;
use tonnage_domain::public::domains::operations::{
    DecidePublicDomain, ListPublicDomains, ProvePublicDomain, RemovePublicDomain,
};

use super::{
    ACCOUNT, AWAY, Answer, Ask, Asking, DIGEST, Identity, MANIFEST, SHARED, Told, UPLOAD,
    check_secrecy, outcome,
};
use crate::registry::{Plain, Registry};

/// The host of public registries.
const HOST: &str = "public.example.com";

/// Routes under that host, with the operation of ours that has no other row.
pub(super) const ROUTES: [(&str, &str, Option<&str>); 12] = [
    ("GET", "/v2/", None),
    ("GET", "/v2/_catalog", None),
    ("GET", "/v2/{name}/tags/list", None),
    ("GET", "/v2/{name}/manifests/{reference}", None),
    ("PUT", "/v2/{name}/manifests/{reference}", None),
    ("DELETE", "/v2/{name}/manifests/{reference}", None),
    ("GET", "/v2/{name}/blobs/{digest}", None),
    ("HEAD", "/v2/{name}/blobs/{digest}", None),
    ("POST", "/v2/{name}/blobs/uploads/", None),
    ("GET", "/v2/{name}/referrers/{digest}", None),
    ("GET", "/token/", None),
    ("GET", "/logos/{name}/0123456789abcdef0123456789abcdef.png", Some("GetRepositoryLogo")),
];

fn target(name: &str) -> String {
    format!("SpencerFrontendService.{name}")
}

fn plain(operation: &str, input: &Value) -> Plain {
    let plain = Plain::json(&target(operation), input.to_string());
    Plain { service: "ecr-public".to_owned(), ..plain }
}

/// The public repository `app`; its policy may allow the other account everything.
pub(super) async fn prepare(registry: &Registry, shared: bool) {
    let mut calls = vec![("CreateRepository", json!({ "repositoryName": "app" }))];
    if shared {
        let policy = SHARED.replace("ecr:", "ecr-public:");
        let input = json!({ "repositoryName": "app", "policyText": policy });
        calls.push(("SetRepositoryPolicy", input));
    }
    for (name, input) in calls {
        let answer = registry.send(&plain(name, &input)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
}

pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
}

impl Ask for Route {
    fn ask<'a>(&'a self, asking: &'a Asking, row: &'a str) -> Told<'a> {
        let plain = |alias: &str, name: &str| {
            let target = self
                .path
                .replace("{name}", &format!("{alias}/{name}"))
                .replace("{reference}", "v1")
                .replace("{digest}", DIGEST);
            let is_put = self.method == "PUT";
            let media_type = "application/vnd.oci.image.index.v1+json".to_owned();
            Plain {
                method: self.method,
                target,
                host: HOST.to_owned(),
                headers: is_put.then_some(("content-type", media_type)).into_iter().collect(),
                body: if is_put { MANIFEST.into() } else { bytes::Bytes::new() },
                ..Plain::default()
            }
        };
        Box::pin(async move {
            let account = AccountId::parse(ACCOUNT).unwrap();
            let alias = primary_of(&asking.registry.app, &account).await.unwrap().unwrap();
            let missing = oci(asking, &plain(alias.as_str(), "missing")).await;
            let existing = oci(asking, &plain(alias.as_str(), "app")).await;
            check_secrecy(row, &existing, &missing);
            outcome(&existing)
        })
    }
}

/// A request with the token that somebody has at public registries.
async fn oci(asking: &Asking, plain: &Plain) -> Answer {
    let app = &asking.registry.app;
    let token = match (&asking.known, asking.identity) {
        (Some((_, principal)), _) => {
            let mut context = asking.context(principal);
            context.region = Region::global();
            let operation = GetPublicAuthorizationToken { seconds: 3600 };
            execute(app, &context, operation).await.unwrap().token
        }
        (None, Identity::Anonymous) => {
            anonymous_token(app, asking.registry.clock.now()).await.unwrap()
        }
        (None, _) => "nonsense".to_owned(),
    };
    let mut headers = plain.header_map();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    asking.registry.send_with(plain, headers).await
}

/// An operation of ECR Public.
pub(super) struct Json(pub(super) &'static str);

impl Ask for Json {
    fn ask<'a>(&'a self, asking: &'a Asking, row: &'a str) -> Told<'a> {
        Box::pin(async move {
            let missing = asking.signed(&plain(self.0, &input(self.0, "missing"))).await;
            let existing = asking.signed(&plain(self.0, &input(self.0, "app"))).await;
            check_secrecy(row, &existing, &missing);
            outcome(&existing)
        })
    }
}

fn input(operation: &str, name: &str) -> Value {
    let more = match operation {
        "DescribeRegistries"
        | "GetAuthorizationToken"
        | "GetRegistryCatalogData"
        | "PutRegistryCatalogData" => return json!({}),
        "CreateRepository" => return json!({ "repositoryName": name }),
        "DescribeRepositories" => {
            return json!({ "registryId": ACCOUNT, "repositoryNames": [name] });
        }
        "ListTagsForResource" | "TagResource" | "UntagResource" => {
            let mut input = json!({
                "resourceArn": format!("arn:aws:ecr-public::{ACCOUNT}:repository/{name}"),
            });
            match operation {
                "TagResource" => input["tags"] = json!([{ "Key": "k", "Value": "v" }]),
                "UntagResource" => input["tagKeys"] = json!(["k"]),
                _ => {}
            }
            return input;
        }
        "PutRepositoryCatalogData" => json!({ "catalogData": { "description": "d" } }),
        "SetRepositoryPolicy" => {
            let policy = SHARED.replace("ecr:", "ecr-public:").replace(AWAY, ACCOUNT);
            json!({ "policyText": policy, "force": true })
        }
        "BatchCheckLayerAvailability" => json!({ "layerDigests": [DIGEST] }),
        "BatchDeleteImage" => json!({ "imageIds": [{ "imageTag": "v1" }] }),
        "CompleteLayerUpload" => json!({ "uploadId": UPLOAD, "layerDigests": [DIGEST] }),
        "PutImage" => json!({ "imageManifest": MANIFEST, "imageTag": "v1" }),
        "UploadLayerPart" => json!({
            "uploadId": UPLOAD, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "YQ==",
        }),
        "DeleteRepository"
        | "DeleteRepositoryPolicy"
        | "DescribeImageTags"
        | "DescribeImages"
        | "GetRepositoryCatalogData"
        | "GetRepositoryPolicy"
        | "InitiateLayerUpload" => json!({}),
        other => panic!("ecr-public:{other} has no row in the matrix: say here what its input is"),
    };
    let mut input = json!({ "registryId": ACCOUNT, "repositoryName": name });
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

/// What the admin socket has for public registries.
pub(super) async fn administrate(asking: &Asking, operation: &str) -> String {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let account = management_account;
    let name = AliasName::parse("harbour").unwrap();
    let domain = || DomainName::parse("harbour.example").unwrap();
    match operation {
        "RequestPublicAlias" => {
            asking.run(RequestPublicAlias { management_account, account, name }).await
        }
        "DecidePublicAlias" => {
            let decision = Decision::Approve;
            asking.run(DecidePublicAlias { management_account, account, name, decision }).await
        }
        "SetPrimaryPublicAlias" => {
            asking.run(SetPrimaryPublicAlias { management_account, account, name }).await
        }
        "DecidePublicDomain" => {
            let (domain, allowed) = (domain(), false);
            asking.run(DecidePublicDomain { management_account, account, domain, allowed }).await
        }
        "ProvePublicDomain" => asking.run(ProvePublicDomain { domain: domain() }).await,
        "RemovePublicDomain" => asking.run(RemovePublicDomain { domain: domain() }).await,
        "ListPublicDomains" => asking.run(ListPublicDomains).await,
        "ListPublicAliases" => {
            let page = PageRequest { after: None, limit: 1 };
            asking.run(ListPublicAliases { management_account, page }).await
        }
        _ => {
            let operation = VerifyPublicRegistry { management_account, account, verified: true };
            asking.run(operation).await
        }
    }
}
