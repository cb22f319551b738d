//! Every operation and route against every kind of identity, as a reviewed text: a reviewer sees
//! who may do what in one file. `UPDATE_SNAPSHOTS=1` writes it anew. An operation or route without
//! a row fails the test.
//!
//! Operations on a registry as a whole act on the registry of whoever asks, so that the root of
//! another account may do there what it likes.
//!
//! Every cell is a registry of its own, with the empty repository `app` and a secret of that name. A cell that a policy
//! decides is asked again for a repository that does not exist, and must be told the same.

mod operator;
mod public;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tonnage_api::oci::ROUTES;
use tonnage_api::sigv4::Credentials;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::error::Result;
use tonnage_domain::execute::{Operation, Service, execute};
use tonnage_domain::identities::access_keys;
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;
use tonnage_domain::metadata::Mode;
use tonnage_domain::names::AccountId;
use tonnage_domain::operations::OPERATIONS;
use tonnage_domain::params;

use crate::registry::{ACCOUNT, Answer, Plain, REGION, REQUEST_ID, Registry, foreign_credentials};

const AWAY: &str = "210987654321";
/// The account that the operations of the admin socket are about.
const THIRD: &str = "333333333333";
const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
const UPLOAD: &str = "6a0d56f3-9a0f-4c8e-9d62-6c1f6a1f9a3e";
const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
/// What a principal without permissions may do: log in, so that it can ask at all.
const LOGIN_ONLY: &str = r#"{"Statement":{"Effect":"Allow","Resource":"*","Action":["ecr:GetAuthorizationToken",
    "ecr-public:GetAuthorizationToken","sts:GetServiceBearerToken"]}}"#;
const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#;
const SHARED: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"210987654321"},"Action":"ecr:*"}}"#;

/// The id of a version of a secret.
const TOKEN: &str = "00000000-0000-0000-0000-000000000001";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    /// No credentials.
    Anonymous,
    /// Credentials that nobody has.
    Unknown,
    /// The root of the registry's account.
    Root,
    /// A principal of the registry's account without permissions.
    Limited,
    /// The root of another account, which the repository's policy does not know.
    Foreign,
    /// The root of another account, which the repository's policy allows everything.
    Shared,
}

const IDENTITIES: [(Identity, &str); 6] = [
    (Identity::Anonymous, "anonymous"),
    (Identity::Unknown, "unknown key"),
    (Identity::Root, "own root"),
    (Identity::Limited, "no permissions"),
    (Identity::Foreign, "other account"),
    (Identity::Shared, "other account, allowed by the policy"),
];

/// A registry and somebody who asks.
struct Asking {
    registry: Registry,
    /// Absent for nobody and for somebody unknown.
    known: Option<(Credentials, Principal)>,
    identity: Identity,
}

impl Asking {
    async fn new(identity: Identity) -> Self {
        let registry = Registry::open().await;
        registry.create_account(THIRD).await;
        let create = r#"{"repositoryName":"app"}"#;
        ecr(&registry, "CreateRepository", create).await;
        let create = json!({ "Name": "app", "SecretString": "text", "ClientRequestToken": TOKEN });
        let answer = registry.send(&secrets("CreateSecret", &create)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        if identity == Identity::Shared {
            registry.create_account(AWAY).await;
            let policy = json!({ "repositoryName": "app", "policyText": SHARED }).to_string();
            ecr(&registry, "SetRepositoryPolicy", &policy).await;
        }
        public::prepare(&registry, identity == Identity::Shared).await;
        let credentials = match identity {
            Identity::Anonymous | Identity::Unknown => None,
            Identity::Root => Some(registry.credentials.clone()),
            Identity::Limited => Some(registry.create_account("111111111111").await),
            Identity::Foreign => Some(registry.create_account(AWAY).await),
            Identity::Shared => {
                // The account exists already; its key is made by another account's creation.
                Some(registry.create_account("222222222222").await)
            }
        };
        if let Some(credentials) = &credentials {
            let key = credentials.access_key_id.as_str();
            match identity {
                Identity::Limited => adopt(&registry, key, ACCOUNT, Some(LOGIN_ONLY)).await,
                Identity::Shared => adopt(&registry, key, AWAY, None).await,
                _ => {}
            }
        }
        let known = match credentials {
            None => None,
            Some(credentials) => {
                let active =
                    access_keys::find_active(&registry.app, &credentials.access_key_id).await;
                Some((credentials, active.unwrap().unwrap().principal))
            }
        };
        Self { registry, known, identity }
    }

    fn context(&self, principal: &Principal) -> RequestContext {
        RequestContext {
            principal: principal.clone(),
            account: principal.account,
            region: self.registry.app.default_region.clone(),
            source_address: [127, 0, 0, 1].into(),
            secure_transport: false,
            endpoint: None,
            user_agent: String::new(),
            referer: String::new(),
            input: None,
            request_id: REQUEST_ID.to_owned(),
            now: self.registry.clock.now(),
        }
    }

    /// A signed request of an AWS API.
    async fn signed(&self, plain: &Plain) -> Answer {
        match (&self.known, self.identity) {
            (Some((credentials, _)), _) => self.registry.send_as(credentials, plain).await,
            (None, Identity::Anonymous) => self.registry.send_with(plain, plain.header_map()).await,
            (None, _) => self.registry.send_as(&foreign_credentials(), plain).await,
        }
    }

    /// A request of the distribution protocol to the registry of the account.
    async fn oci(&self, plain: &Plain) -> Answer {
        let mut headers = plain.header_map();
        let password = match (&self.known, self.identity) {
            (Some((_, principal)), _) => {
                let registry_ids = vec![AccountId::parse(ACCOUNT).unwrap()];
                let operation = GetAuthorizationToken { registry_ids };
                let context = self.context(principal);
                let mut tokens = execute(&self.registry.app, &context, operation).await.unwrap();
                Some(tokens.remove(0).token)
            }
            (None, Identity::Anonymous) => None,
            (None, _) => Some(STANDARD.encode("AWS:nonsense")),
        };
        if let Some(password) = password {
            headers.insert(AUTHORIZATION, format!("Basic {password}").parse().unwrap());
        }
        self.registry.send_with(plain, headers).await
    }

    /// An operation that only the admin socket has, asked by somebody who got there all the same.
    async fn run<O: Operation>(&self, operation: O) -> String {
        let Some((_, principal)) = &self.known else { return "no access".to_owned() };
        let result: Result<O::Output> =
            execute(&self.registry.app, &self.context(principal), operation).await;
        result.err().map_or_else(|| "allowed".to_owned(), |error| format!("{:?}", error.kind()))
    }
}

async fn ecr(registry: &Registry, name: &str, body: &str) {
    let plain = Plain::json(&target(name), body.to_owned());
    let answer = registry.send(&plain).await;
    assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.body);
}

fn target(name: &str) -> String {
    format!("AmazonEC2ContainerRegistry_V20150921.{name}")
}

/// Moves the principal of a key to another account, with another policy if need be.
async fn adopt(registry: &Registry, key: &str, account: &str, policy: Option<&str>) {
    let mut tx = registry.app.metadata.begin(Mode::Write).await.unwrap();
    let name = if policy.is_some() { "limited" } else { "shared" };
    let arn = format!("arn:aws:iam::{account}:user/{name}");
    tx.execute(
        "UPDATE principals SET account_id = $2, name = $3, arn = $4 \
         WHERE id = (SELECT principal_id FROM access_keys WHERE id = $1)",
        params![key, account, name, arn],
    )
    .await
    .unwrap();
    if let Some(policy) = policy {
        tx.execute(
            "UPDATE principal_policies SET document = $2 \
             WHERE principal_id = (SELECT principal_id FROM access_keys WHERE id = $1)",
            params![key, policy],
        )
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
}

/// `STATUS CODE`.
fn outcome(answer: &Answer) -> String {
    let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let code = document["__type"]
        .as_str()
        .or_else(|| document["errors"][0]["code"].as_str())
        .map(str::to_owned)
        .or_else(|| {
            let (_, rest) = answer.body.split_once("<Code>")?;
            rest.split_once("</Code>").map(|(code, _)| code.to_owned())
        });
    let status = answer.status.as_u16();
    code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"))
}

/// The input of an operation of ECR, for a repository of this name.
fn input(operation: &str, name: &str) -> Value {
    let mut input = json!({ "registryId": ACCOUNT, "repositoryName": name });
    let more = match operation {
        "GetAccountSetting" => return json!({ "name": "BLOB_MOUNTING" }),
        "PutAccountSetting" => return json!({ "name": "BLOB_MOUNTING", "value": "ENABLED" }),
        "GetRegistryPolicy"
        | "DeleteRegistryPolicy"
        | "DescribeRegistry"
        | "DescribeRepositoryCreationTemplates"
        | "GetRegistryScanningConfiguration"
        | "ListPullTimeUpdateExclusions"
        | "ListReplicationBackfills"
        | "PutRegistryScanningConfiguration" => return json!({}),
        "DeleteSigningConfiguration" | "GetSigningConfiguration" => return json!({}),
        "PutSigningConfiguration" => {
            return json!({ "signingConfiguration": { "rules": [] } });
        }
        "CreateRepositoryCreationTemplate" => {
            return json!({ "prefix": name, "appliedFor": ["CREATE_ON_PUSH"] });
        }
        "DeleteRepositoryCreationTemplate" | "UpdateRepositoryCreationTemplate" => {
            return json!({ "prefix": name });
        }
        "CreatePullThroughCacheRule" => {
            return json!({ "ecrRepositoryPrefix": name, "upstreamRegistryUrl": "quay.io" });
        }
        "DeletePullThroughCacheRule"
        | "UpdatePullThroughCacheRule"
        | "ValidatePullThroughCacheRule" => return json!({ "ecrRepositoryPrefix": name }),
        "DescribePullThroughCacheRules" => return json!({ "ecrRepositoryPrefixes": [name] }),
        "DeregisterPullTimeUpdateExclusion" | "RegisterPullTimeUpdateExclusion" => {
            return json!({ "principalArn": format!("arn:aws:iam::{ACCOUNT}:role/{name}") });
        }
        "StartReplicationBackfill" => {
            return json!({ "destination": { "region": "eu-west-1", "registryId": ACCOUNT } });
        }
        "DescribeReplicationBackfillResults" | "StopReplicationBackfill" => {
            return json!({ "replicationBackfillId": "8b5c9d04-0000-4000-8000-000000000000" });
        }
        "PutReplicationConfiguration" => {
            return json!({ "replicationConfiguration": { "rules": [] } });
        }
        "BatchGetRepositoryScanningConfiguration" => return json!({ "repositoryNames": [name] }),
        "PutRegistryPolicy" => return json!({ "policyText": SHARED.replace(AWAY, ACCOUNT) }),
        "GetAuthorizationToken" => return json!({ "registryIds": [ACCOUNT] }),
        "DescribeRepositories" => {
            return json!({ "registryId": ACCOUNT, "repositoryNames": [name] });
        }
        "ListTagsForResource" | "TagResource" | "UntagResource" => {
            let arn = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}");
            let mut input = json!({ "resourceArn": arn });
            match operation {
                "TagResource" => input["tags"] = json!([{ "Key": "k", "Value": "v" }]),
                "UntagResource" => input["tagKeys"] = json!(["k"]),
                _ => {}
            }
            return input;
        }
        "PutLifecyclePolicy" | "StartLifecyclePolicyPreview" => {
            json!({ "lifecyclePolicyText": LIFECYCLE })
        }
        "CreateRepository"
        | "DeleteLifecyclePolicy"
        | "DeleteRepository"
        | "DeleteRepositoryPolicy"
        | "DescribeImages"
        | "GetLifecyclePolicy"
        | "GetLifecyclePolicyPreview"
        | "GetRepositoryPolicy"
        | "InitiateLayerUpload"
        | "ListImages" => json!({}),
        "UpdateImageStorageClass" => {
            json!({ "imageId": { "imageTag": "v1" }, "targetStorageClass": "ARCHIVE" })
        }
        "DescribeImageReplicationStatus"
        | "DescribeImageScanFindings"
        | "DescribeImageSigningStatus"
        | "StartImageScan" => {
            json!({ "imageId": { "imageTag": "v1" } })
        }
        "ListImageReferrers" => json!({ "subjectId": { "imageDigest": DIGEST } }),
        "PutImageScanningConfiguration" => {
            json!({ "imageScanningConfiguration": { "scanOnPush": false } })
        }
        "BatchCheckLayerAvailability" => json!({ "layerDigests": [DIGEST] }),
        "BatchDeleteImage" | "BatchGetImage" => json!({ "imageIds": [{ "imageTag": "v1" }] }),
        "CompleteLayerUpload" => json!({ "uploadId": UPLOAD, "layerDigests": [DIGEST] }),
        "GetDownloadUrlForLayer" => json!({ "layerDigest": DIGEST }),
        "PutImage" => json!({ "imageManifest": MANIFEST, "imageTag": "v1" }),
        "PutImageTagMutability" => json!({ "imageTagMutability": "IMMUTABLE" }),
        "SetRepositoryPolicy" => {
            json!({ "policyText": SHARED.replace(AWAY, ACCOUNT), "force": true })
        }
        "UploadLayerPart" => json!({
            "uploadId": UPLOAD, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "YQ==",
        }),
        other => panic!("ecr:{other} has no row in the matrix: say here what its input is"),
    };
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

/// What somebody is told of a repository that exists and of one that does not, when a policy
/// refuses, may differ in the name alone.
fn check_secrecy(row: &str, existing: &Answer, missing: &Answer) {
    if outcome(existing).contains("AccessDenied") || outcome(existing).contains("DENIED") {
        assert_eq!(missing.status, existing.status, "{row}");
        assert_eq!(missing.body.replace("missing", "app"), existing.body, "{row}");
        let names = |answer: &Answer| -> BTreeSet<String> {
            answer.headers.keys().map(ToString::to_string).collect()
        };
        assert_eq!(names(missing), names(existing), "{row}");
    }
}

/// A row's name, and how it is asked.
type Asked = (String, Box<dyn Ask>);

fn rows() -> Vec<Asked> {
    let mut rows: Vec<Asked> = Vec::new();
    let mut add = |row: &str, ask: Box<dyn Ask>| rows.push((row.to_owned(), ask));
    let mut by_route = BTreeSet::new();
    for (path, methods) in ROUTES {
        for (method, operation) in *methods {
            by_route.insert(*operation);
            add(&format!("{method} {path}"), Box::new(Route { method, path }));
            if *operation == "InitiateLayerUpload" {
                by_route.insert("MountLayer");
                let row = format!("{method} {path}?mount={{digest}}&from={{other}}");
                add(&row, Box::new(Mount));
            }
        }
    }
    for method in ["GET", "HEAD"] {
        let path = "/layers/nonsense";
        add(&format!("{method} /layers/{{token}}"), Box::new(Route { method, path }));
    }
    for (method, path, operation) in public::ROUTES {
        if let Some(operation) = operation {
            by_route.insert(operation);
        }
        add(&format!("public {method} {path}"), Box::new(public::Route { method, path }));
    }
    for entry in OPERATIONS {
        let row = format!("{}:{}", entry.service.as_str(), entry.name);
        match entry.service {
            Service::CloudTrail => add(&row, Box::new(CloudTrail(entry.name))),
            Service::Ecr => add(&row, Box::new(Json(entry.name))),
            Service::EcrPublic => add(&row, Box::new(public::Json(entry.name))),
            Service::Iam => add(&row, Box::new(Form("iam", entry.name))),
            Service::Inspector2 => add(&row, Box::new(rest::Inspector(entry.name))),
            Service::SecretsManager => add(&row, Box::new(Secrets(entry.name))),
            Service::Signer => add(&row, Box::new(rest::Signer(entry.name))),
            Service::Sts => add(&row, Box::new(Form("sts", entry.name))),
            Service::Tonnage if by_route.contains(entry.name) => {}
            Service::Tonnage => add(&row, Box::new(operator::Admin(entry.name))),
        }
    }
    rows
}

/// What everybody gets for one row, each of a registry of their own.
async fn cells((row, ask): &Asked) -> String {
    let mut text = format!("{row}\n");
    for (identity, name) in IDENTITIES {
        let asking = Asking::new(identity).await;
        let found = ask.ask(&asking, row).await;
        writeln!(text, "    {name:38}{found}").unwrap();
    }
    text
}

#[test]
fn who_may_do_what_is_reviewed() {
    let rows = rows();
    let found = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        while let Some((number, row)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            rows.get(number).map(|row| (number, row))
        } {
            let text = runtime.block_on(cells(row));
            found.lock().unwrap().insert(number, text);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
        work();
    });
    let text: String = found.into_inner().unwrap().into_values().collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/matrix.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    for ((found, reviewed), line) in text.lines().zip(reviewed.lines()).zip(1..) {
        assert_eq!(found, reviewed, "matrix.txt differs in line {line}");
    }
    assert_eq!(text.lines().count(), reviewed.lines().count(), "matrix.txt has other rows");
}

type Told<'a> = std::pin::Pin<Box<dyn Future<Output = String> + 'a>>;

/// How a row is asked.
trait Ask: Sync {
    fn ask<'a>(&'a self, asking: &'a Asking, row: &'a str) -> Told<'a>;
}

struct Route {
    method: &'static str,
    path: &'static str,
}

impl Ask for Route {
    fn ask<'a>(&'a self, asking: &'a Asking, row: &'a str) -> Told<'a> {
        let plain = |name: &str| {
            let target = self
                .path
                .replace("{name}", name)
                .replace("{reference}", "v1")
                .replace("{digest}", DIGEST)
                .replace("{id}", UPLOAD);
            let mut headers = Vec::new();
            let mut body = "";
            if (self.method, self.path.contains("manifests")) == ("PUT", true) {
                let media_type = "application/vnd.oci.image.index.v1+json".to_owned();
                headers.push(("content-type", media_type));
                body = MANIFEST;
            }
            let target = if (self.method, self.path.contains("uploads/{id}")) == ("PUT", true) {
                format!("{target}?digest={DIGEST}")
            } else {
                target
            };
            Plain { method: self.method, target, headers, body: body.into(), ..Plain::default() }
        };
        Box::pin(async move {
            let missing = asking.oci(&plain("missing")).await;
            let existing = asking.oci(&plain("app")).await;
            check_secrecy(row, &existing, &missing);
            outcome(&existing)
        })
    }
}

/// Mounting a blob from a repository that does not exist.
struct Mount;

impl Ask for Mount {
    fn ask<'a>(&'a self, asking: &'a Asking, row: &'a str) -> Told<'a> {
        let plain = |name: &str| {
            let target = format!("/v2/{name}/blobs/uploads/?mount={DIGEST}&from=other");
            Plain { method: "POST", target, ..Plain::default() }
        };
        Box::pin(async move {
            let missing = asking.oci(&plain("missing")).await;
            let existing = asking.oci(&plain("app")).await;
            check_secrecy(row, &existing, &missing);
            outcome(&existing)
        })
    }
}

/// An operation of ECR.
struct Json(&'static str);

impl Ask for Json {
    fn ask<'a>(&'a self, asking: &'a Asking, row: &'a str) -> Told<'a> {
        let plain = |name: &str| Plain::json(&target(self.0), input(self.0, name).to_string());
        Box::pin(async move {
            let missing = asking.signed(&plain("missing")).await;
            let existing = asking.signed(&plain("app")).await;
            check_secrecy(row, &existing, &missing);
            outcome(&existing)
        })
    }
}

/// An operation of IAM or STS. The form has the members of all of them; each takes its own.
struct Form(&'static str, &'static str);

const TRUST: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}}"#;

fn members() -> Vec<(&'static str, &'static str)> {
    vec![
        ("UserName", "somebody"),
        ("GroupName", "some"),
        ("RoleName", "worker"),
        ("RoleSessionName", "session"),
        ("WebIdentityToken", "no-token"),
        ("RoleArn", "arn:aws:iam::123456789012:role/worker"),
        ("InstanceProfileName", "profile"),
        ("PolicyName", "policy"),
        ("PolicyArn", "arn:aws:iam::123456789012:policy/policy"),
        ("PolicySourceArn", "arn:aws:iam::123456789012:user/somebody"),
        ("PolicyDocument", LOGIN_ONLY),
        ("PolicyInputList.member.1", LOGIN_ONLY),
        ("AssumeRolePolicyDocument", TRUST),
        ("PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ("VersionId", "v1"),
        ("ActionNames.member.1", "ecr:PutImage"),
        ("AccessKeyId", "AKIAEXAMPLEEXAMPLE23"),
        ("EncodedMessage", "nonsense"),
        ("Status", "Inactive"),
        ("AccountAlias", "alias"),
        ("Description", "text"),
        ("Name", "federated"),
        ("OldPassword", "an-old-password-1"),
        ("NewPassword", "a-new-password-2"),
        ("Password", "a-new-password-2"),
        ("Url", "https://issuer.example.com"),
        ("ThumbprintList.member.1", "0123456789012345678901234567890123456789"),
        ("ClientID", "client"),
        ("OpenIDConnectProviderArn", "arn:aws:iam::123456789012:oidc-provider/issuer.example.com"),
        ("Tags.member.1.Key", "key"),
        ("Tags.member.1.Value", "value"),
        ("TagKeys.member.1", "key"),
    ]
}

impl Ask for Form {
    fn ask<'a>(&'a self, asking: &'a Asking, _row: &'a str) -> Told<'a> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", self.1);
        let mut members = members();
        if self.1 == "UpdateAssumeRolePolicy" {
            members.push(("PolicyDocument", TRUST));
            members.retain(|member| *member != ("PolicyDocument", LOGIN_ONLY));
        }
        // A session of STS is tagged only where the policies say so.
        members.retain(|(name, _)| self.0 == "iam" || !name.starts_with("Tag"));
        form.extend_pairs(members);
        let body = form.finish();
        Box::pin(async move {
            let answer = asking.signed(&Plain::form(self.0, body)).await;
            let found = outcome(&answer);
            assert!(!answer.body.contains("validation error"), "{}: {}", self.1, answer.body);
            found
        })
    }
}

/// An operation of AWS Secrets Manager.
struct Secrets(&'static str);

fn secrets(operation: &str, input: &Value) -> Plain {
    let target = format!("secretsmanager.{operation}");
    Plain { service: "secretsmanager".to_owned(), ..Plain::json(&target, input.to_string()) }
}

impl Ask for Secrets {
    fn ask<'a>(&'a self, asking: &'a Asking, row: &'a str) -> Told<'a> {
        let plain = |name: &str| {
            let mut input = json!({ "SecretId": name });
            let more = match self.0 {
                "CreateSecret" => json!({ "Name": format!("new/{name}") }),
                "PutSecretValue" | "UpdateSecret" => {
                    json!({ "SecretString": "text", "ClientRequestToken": TOKEN })
                }
                "TagResource" => json!({ "Tags": [{ "Key": "key", "Value": "value" }] }),
                "UntagResource" => json!({ "TagKeys": ["key"] }),
                "UpdateSecretVersionStage" => {
                    json!({ "VersionStage": "blue", "MoveToVersionId": TOKEN })
                }
                _ => json!({}),
            };
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            secrets(self.0, &input)
        };
        Box::pin(async move {
            let missing = asking.signed(&plain("missing")).await;
            let existing = asking.signed(&plain("app")).await;
            check_secrecy(row, &existing, &missing);
            assert!(!existing.body.contains("validation error"), "{}", existing.body);
            outcome(&existing)
        })
    }
}

/// An operation of AWS CloudTrail.
struct CloudTrail(&'static str);

impl Ask for CloudTrail {
    fn ask<'a>(&'a self, asking: &'a Asking, _row: &'a str) -> Told<'a> {
        let target = format!("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{}", self.0);
        let service = "cloudtrail".to_owned();
        let plain = Plain { service, ..Plain::json(&target, "{}".to_owned()) };
        Box::pin(async move { outcome(&asking.signed(&plain).await) })
    }
}
