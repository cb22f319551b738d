//! Public registries: the token that clients fetch, pulls without credentials, pushes with them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tonnage_api::oci::profile::Profile;
use tonnage_domain::app::Settings;
use tonnage_domain::context::RequestContext;
use tonnage_domain::execute::execute;
use tonnage_domain::names::{Digest, Region, RepositoryName};
use tonnage_domain::public::aliases::primary_of;
use tonnage_domain::public::authorization::GetPublicAuthorizationToken;
use tonnage_domain::public::create_repository::CreatePublicRepository;

use crate::client::Call;
use crate::content;
use crate::registry::Registry;

const HOST: &str = "public.example.com";

struct Public {
    registry: Registry,
    alias: String,
    /// Of the root.
    token: String,
}

impl Public {
    async fn open() -> Self {
        Self::under(Profile::Specification).await
    }

    /// With the empty repository `app`.
    async fn under(profile: Profile) -> Self {
        let registry = Registry::under(profile, Settings::default()).await;
        let context = registry.context(&registry.root, "us-east-1");
        let context = RequestContext { region: Region::global(), ..context };
        let create = CreatePublicRepository {
            name: RepositoryName::parse_public("app").unwrap(),
            data: None,
            tags: Vec::new(),
        };
        execute(&registry.app, &context, create).await.unwrap();
        let token = GetPublicAuthorizationToken { seconds: 3600 };
        let token = execute(&registry.app, &context, token).await.unwrap().token;
        let alias = primary_of(&registry.app, &context.account).await.unwrap().unwrap();
        Self { registry, alias: alias.to_string(), token }
    }

    /// A call with this in `Authorization`; nothing for none.
    fn call(&self, request: &str, authorization: &str) -> Call<'_> {
        let request = request.replace("{app}", &format!("{}/app", self.alias));
        self.registry.call(request).at(HOST).with("authorization", authorization)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    async fn fetch(&self, authorization: &str) -> String {
        let answer = self
            .call("GET /token/?service=public.example.com&scope=aws", authorization)
            .await
            .check("200", &[("content-type", "application/json")]);
        let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        document["token"].as_str().unwrap().to_owned()
    }

    async fn push(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of_sha256(bytes);
        self.call(&format!("POST /v2/{{app}}/blobs/uploads/?digest={digest}"), &self.bearer())
            .body(bytes.to_vec())
            .await
            .check("201", &[("docker-content-digest", digest.as_str())]);
        digest
    }

    async fn push_image(&self) -> Vec<u8> {
        self.push(content::CONFIG).await;
        self.push(content::LAYER).await;
        let manifest = content::text(&content::image("v1"));
        self.call("PUT /v2/{app}/manifests/v1", &self.bearer())
            .with("content-type", content::OCI_IMAGE)
            .body(manifest.clone())
            .await
            .check("201", &[]);
        manifest
    }
}

#[tokio::test]
async fn without_a_token_everybody_is_told_where_to_get_one() {
    let public = Public::open().await;
    let challenge = r#"Bearer realm="http://public.example.com/token/",service="public.example.com",scope="aws""#;
    for request in ["GET /v2/", "GET /v2/{app}/manifests/v1", "POST /v2/{app}/blobs/uploads/"] {
        for authorization in ["", "AWS4-HMAC-SHA256 Credential=AKIA"] {
            public
                .call(request, authorization)
                .await
                .check("401", &[("www-authenticate", challenge)]);
        }
    }
    public.call("GET /v2/", "").secure().await.check(
        "401",
        &[(
            "www-authenticate",
            r#"Bearer realm="https://public.example.com/token/",service="public.example.com",scope="aws""#,
        )],
    );
}

#[tokio::test]
async fn an_anonymous_token_pulls_and_does_not_push() {
    let public = Public::open().await;
    let manifest = public.push_image().await;
    let token = format!("Bearer {}", public.fetch("").await);
    public.call("GET /v2/", &token).await.check("200", &[]);
    let pulled = public.call("GET /v2/{app}/manifests/v1", &token).await.check("200", &[]);
    assert_eq!(pulled.body, manifest);
    let layer = Digest::of_sha256(content::LAYER);
    let blob = format!("/v2/{{app}}/blobs/{layer}");
    let whole = public.call(&format!("GET {blob}"), &token).await.check("200", &[]);
    assert_eq!(whole.body, content::LAYER);
    public.call(&format!("HEAD {blob}"), &token).await.check("200", &[]);
    let range = public.call(&format!("GET {blob}"), &token).with("range", "bytes=1-2").await;
    assert_eq!(range.check("206", &[]).body, content::LAYER[1..3]);
    let tags = public.call("GET /v2/{app}/tags/list", &token).await.check("200", &[]);
    let name = format!("{}/app", public.alias);
    let document: serde_json::Value = serde_json::from_slice(&tags.body).unwrap();
    assert_eq!(document, serde_json::json!({ "name": name, "tags": ["v1"] }));
    public.call(&format!("GET /v2/{{app}}/referrers/{layer}"), &token).await.check("200", &[]);
    for request in [
        "POST /v2/{app}/blobs/uploads/",
        "PUT /v2/{app}/manifests/v2",
        "DELETE /v2/{app}/manifests/v1",
    ] {
        public.call(request, &token).body(manifest.clone()).await.check("403 DENIED", &[]);
    }
}

#[tokio::test]
async fn the_password_is_good_as_basic_as_bearer_and_for_a_token() {
    let public = Public::open().await;
    let basic = format!("Basic {}", public.token);
    let fetched = public.fetch(&basic).await;
    assert_eq!(fetched, public.token);
    for authorization in [basic, public.bearer(), format!("Bearer {fetched}")] {
        public
            .call("POST /v2/{app}/blobs/uploads/", &authorization)
            .await
            .check("202", &[("location", "*")]);
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_as_the_profile_says() {
    for (profile, status, challenge) in
        [(Profile::Specification, "401", "*"), (Profile::Ecr, "400", "-")]
    {
        let public = Public::under(profile).await;
        let private = format!("Bearer {}", public.registry.token);
        let nonsense = format!("Basic {}", STANDARD.encode("AWS:nonsense"));
        for authorization in ["Bearer nonsense", private.as_str(), nonsense.as_str()] {
            for request in ["GET /v2/", "GET /v2/{app}/manifests/v1", "GET /token/"] {
                public
                    .call(request, authorization)
                    .await
                    .check(&format!("{status} UNAUTHORIZED"), &[("www-authenticate", challenge)]);
            }
        }
        let anonymous = format!("Bearer {}", public.fetch("").await);
        public.registry.clock.advance_seconds(3600);
        for authorization in [public.bearer(), anonymous] {
            public
                .call("GET /v2/", &authorization)
                .await
                .check(&format!("{status} DENIED"), &[("www-authenticate", challenge)]);
        }
    }
}

#[tokio::test]
async fn a_public_token_opens_no_private_registry() {
    let public = Public::open().await;
    public.registry.create("app").await;
    let basic = format!("Basic {}", public.token);
    public
        .registry
        .call("GET /v2/app/tags/list")
        .with("authorization", &basic)
        .await
        .check("400 UNAUTHORIZED", &[]);
}

#[tokio::test]
async fn paths_that_name_nothing() {
    let public = Public::open().await;
    let token = format!("Bearer {}", public.fetch("").await);
    for (request, expected) in [
        ("GET /v2/_catalog", "404"),
        ("GET /v2/app/manifests/v1", "404 NAME_UNKNOWN"),
        ("GET /v2/nobody/app/manifests/v1", "404 NAME_UNKNOWN"),
        ("GET /v2/{app}/more/manifests/v1", "404 NAME_UNKNOWN"),
        ("GET /v2/{app}/manifests/absent", "404 MANIFEST_UNKNOWN"),
        ("GET /v2/{app}--more/manifests/v1", "400 NAME_INVALID"),
        ("POST /token/", "405 UNSUPPORTED"),
        ("PUT /v2/", "405 UNSUPPORTED"),
    ] {
        public.call(request, &token).await.check(expected, &[]);
    }
}

#[tokio::test]
async fn a_mount_that_is_not_allowed_is_an_upload() {
    let public = Public::open().await;
    let digest = public.push(content::LAYER).await;
    for from in [format!("{}/app", public.alias), "other/app".to_owned(), "app".to_owned()] {
        let request = format!("POST /v2/{{app}}/blobs/uploads/?mount={digest}&from={from}");
        // The setting of the registry is off, so that every answer is an upload.
        public.call(&request, &public.bearer()).await.check("202", &[("location", "*")]);
    }
}
