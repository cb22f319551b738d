//! Shares of images: what whoever has the password of one may read, and until when.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use tonnage_domain::app::Settings;
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::identities::inline_policies::{InlinePolicy, PutPolicy, User};
use tonnage_domain::identities::users::CreateUser;
use tonnage_domain::image_shares;
use tonnage_domain::image_shares::operations::{
    CreateImageShare, ListImageShares, RevokeImageShare,
};
use tonnage_domain::image_shares::{ImageShare, NewImageShare};
use tonnage_domain::metadata::Mode;
use tonnage_domain::names::{Digest, Reference, RepositoryName};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::repositories::delete::DeleteRepository;

use crate::content::{CONFIG, LAYER, OCI_INDEX, image, index, plus, text};
use crate::registry::{ACCOUNT, Registry};

const PULLS: &str = r#"{"Statement":{"Effect":"Allow","Resource":"*","Action":[
    "tonnage:*ImageShare*","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:PutImage"]}}"#;
const DENIED: &str = "403 DENIED";

async fn open() -> Registry {
    let registry = Registry::with(Settings { image_shares: true, ..Settings::default() }).await;
    registry.create("app").await;
    registry.create("other").await;
    registry
}

impl Registry {
    fn app_of_shares(&self) -> RepositoryAddress {
        let context = self.context(&self.root, "us-east-1");
        RepositoryAddress::new(&context, None, RepositoryName::parse("app").unwrap())
    }

    async fn as_<O: Operation>(&self, principal: &Principal, operation: O) -> Result<O::Output> {
        execute(&self.app, &self.context(principal, "us-east-1"), operation).await
    }

    async fn share(&self, principal: &Principal, reference: &str) -> NewImageShare {
        self.limited_share(principal, reference, 3600, None).await.unwrap()
    }

    async fn limited_share(
        &self,
        principal: &Principal,
        reference: &str,
        seconds: i64,
        uses_max: Option<u32>,
    ) -> Result<NewImageShare> {
        let id = Reference::parse(reference).unwrap().into();
        let repository = self.app_of_shares();
        self.as_(principal, CreateImageShare { repository, id, seconds, uses_max }).await
    }

    async fn listed(&self) -> Vec<ImageShare> {
        let page = PageRequest { after: None, limit: 100 };
        let repository = self.app_of_shares();
        self.as_(&self.root, ListImageShares { repository, page }).await.unwrap().items
    }

    /// Sends a request with the password of a share, and holds the answer against `expected`.
    async fn ask(&self, share: &NewImageShare, request: &str, expected: &str) {
        let credentials = format!("share:{}", share.password.expose_secret());
        let answer = self
            .call(request)
            .with("authorization", format!("Basic {}", STANDARD.encode(credentials)))
            .await;
        // An answer to HEAD has no code.
        let expected = match request.starts_with("HEAD") {
            true => expected.split(' ').next().unwrap(),
            false => expected,
        };
        answer.check(expected, &[]);
    }

    async fn alice(&self, policy: &str) -> Principal {
        let (name, path, boundary, tags) = ("alice".to_owned(), None, None, Vec::new());
        self.as_(&self.root, CreateUser { name, path, boundary, tags }).await.unwrap();
        self.put_policy(policy).await;
        image_shares::user(&self.app, &self.root.account, "alice").await.unwrap()
    }

    async fn put_policy(&self, policy: &str) {
        let policy = InlinePolicy { name: "own".to_owned(), document: policy.to_owned() };
        let put = PutPolicy { name: "alice".to_owned(), policy, kind: User };
        self.as_(&self.root, put).await.unwrap();
    }
}

#[tokio::test]
async fn a_share_is_good_for_its_image_and_nothing_else() {
    let registry = open().await;
    let child = registry.push_image("app", "child").await;
    let sibling = registry.push_image("app", "sibling").await;
    registry.push_image("other", "child").await;
    let extra = registry.push("app", b"of no image").await;
    let described = |bytes: &[u8]| crate::content::descriptor(crate::content::OCI_IMAGE, bytes);
    let root = text(&index(&[described(&child)]));
    registry.put("app", "v1", OCI_INDEX, &root).await.check("201", &[]);
    let signature = text(&plus(image("signature"), "subject", described(&child)));
    registry.put("app", "sig", crate::content::OCI_IMAGE, &signature).await.check("201", &[]);
    let [child, sibling, root, signature, config, layer] =
        [&child[..], &sibling, &root, &signature, CONFIG, LAYER].map(Digest::of_sha256);

    let share = registry.share(&registry.root, "v1").await;
    assert_eq!(share.share.digest, root);
    let small = registry.share(&registry.root, child.as_str()).await;
    for (request, of_index, of_child) in [
        ("GET /v2/".to_owned(), "200", "200"),
        (format!("GET /v2/app/manifests/{root}"), "200", DENIED),
        (format!("HEAD /v2/app/manifests/{root}"), "200", DENIED),
        (format!("GET /v2/app/manifests/{child}"), "200", "200"),
        (format!("GET /v2/app/blobs/{config}"), "200", "200"),
        (format!("HEAD /v2/app/blobs/{layer}"), "200", "200"),
        (format!("GET /v2/app/manifests/{sibling}"), DENIED, DENIED),
        (format!("GET /v2/app/manifests/{signature}"), DENIED, DENIED),
        (format!("GET /v2/app/blobs/{extra}"), DENIED, DENIED),
        (format!("GET /v2/app/blobs/{}", Digest::of_sha256(b"absent")), DENIED, DENIED),
        // A tag may name another image tomorrow.
        ("GET /v2/app/manifests/v1".to_owned(), DENIED, DENIED),
        ("HEAD /v2/app/manifests/child".to_owned(), DENIED, DENIED),
        (format!("GET /v2/other/manifests/{child}"), DENIED, DENIED),
        (format!("GET /v2/other/blobs/{layer}"), DENIED, DENIED),
        (format!("GET /v2/absent/manifests/{root}"), DENIED, DENIED),
        ("GET /v2/app/tags/list".to_owned(), DENIED, DENIED),
        (format!("GET /v2/app/referrers/{child}"), DENIED, DENIED),
        ("GET /v2/_catalog".to_owned(), DENIED, DENIED),
        ("POST /v2/app/blobs/uploads/".to_owned(), DENIED, DENIED),
        (format!("POST /v2/other/blobs/uploads/?mount={layer}&from=app"), DENIED, DENIED),
        (format!("DELETE /v2/app/manifests/{child}"), DENIED, DENIED),
        (format!("DELETE /v2/app/blobs/{extra}"), DENIED, DENIED),
    ] {
        registry.ask(&share, &request, of_index).await;
        registry.ask(&small, &request, of_child).await;
    }
    // As a token too; only as a whole, and for nobody else's name.
    let password = share.password.expose_secret();
    let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
    for (credentials, expected) in [
        (format!("Bearer {password}"), "200"),
        (format!("bearer {password}"), "200"),
        (format!("Bearer {password}x"), DENIED),
        (basic(format!("share:{password}x")), DENIED),
        (basic(format!("share:{}", &password[..password.len() - 1])), DENIED),
        (basic("share:share-1.x".to_owned()), DENIED),
        (basic("share:".to_owned()), DENIED),
        (basic(format!("share:share-1.{}", "x".repeat(10_000))), DENIED),
        (basic(format!("AWS:{password}")), "400 UNAUTHORIZED"),
        (format!("Bearer AWS:{password}"), "401"),
    ] {
        let request = format!("GET /v2/app/manifests/{root}");
        registry.call(request).with("authorization", credentials).await.check(expected, &[]);
    }
    // One registry's is none of another account's or region's.
    for (host, expected) in [
        ("123456789012.dkr.ecr.us-east-1.example.com", "200"),
        ("123456789012.dkr.ecr.eu-west-1.example.com", "400 UNAUTHORIZED"),
        ("210987654321.dkr.ecr.us-east-1.example.com", DENIED),
        ("public.example.com", "401 UNAUTHORIZED"),
    ] {
        let call = registry.call(format!("GET /v2/app/manifests/{root}")).at(host);
        call.with("authorization", basic(format!("share:{password}"))).await.check(expected, &[]);
    }
}

#[tokio::test]
async fn a_share_ends() {
    let mut registry = open().await;
    let manifest = registry.push_image("app", "v1").await;
    let digest = Digest::of_sha256(&manifest);
    let get = format!("GET /v2/app/manifests/{digest}");
    let layer = format!("GET /v2/app/blobs/{}", Digest::of_sha256(LAYER));
    let short = registry.limited_share(&registry.root, "v1", 60, None).await.unwrap();
    let twice = registry.limited_share(&registry.root, "v1", 86_400, Some(2)).await.unwrap();
    let revoked = registry.share(&registry.root, "v1").await;

    registry.ask(&short, &get, "200").await;
    registry.clock.advance_seconds(59);
    registry.ask(&short, &get, "200").await;
    registry.clock.advance_seconds(1);
    registry.ask(&short, &get, DENIED).await;
    registry.ask(&short, "GET /v2/", DENIED).await;

    let unshare = |share: &str| RevokeImageShare {
        repository: registry.app_of_shares(),
        share: share.to_owned(),
    };
    registry.ask(&revoked, &layer, "200").await;
    for share in [&revoked.share.id, revoked.password.expose_secret()] {
        let ended = registry.as_(&registry.root, unshare(share)).await.unwrap();
        assert_eq!(ended.revoked_at.unwrap(), registry.context(&registry.root, "us-east-1").now);
        registry.ask(&revoked, &layer, DENIED).await;
    }
    for absent in ["share-1", "", "share-"] {
        let error = registry.as_(&registry.root, unshare(absent)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{absent}");
    }

    // The same address within five minutes is the same pull; its layers have an hour.
    for (seconds, request, expected) in [
        (0, &get, "200"),
        (299, &get, "200"),
        (1, &layer, "200"),
        (0, &get, "200"),
        (300, &get, DENIED),
        (3299, &layer, "200"),
        (1, &layer, DENIED),
    ] {
        registry.clock.advance_seconds(seconds);
        registry.ask(&twice, request, expected).await;
    }
    let listed = registry.listed().await;
    let uses: Vec<_> = listed.iter().map(|share| (share.uses, share.uses_max)).collect();
    assert_eq!(uses, [(0, None), (2, Some(2)), (1, None)]);
    registry.clock.advance_seconds(31 * 86_400);
    assert_eq!(registry.listed().await, []);
    registry.token = registry.token_of(&registry.root, "us-east-1").await;

    // A repository of the same name is another one.
    let share = registry.share(&registry.root, "v1").await;
    let name = RepositoryName::parse("app").unwrap();
    let delete = DeleteRepository { registry_id: None, name, force: true };
    registry.as_(&registry.root, delete).await.unwrap();
    registry.create("app").await;
    registry.push_image("app", "v1").await;
    registry.ask(&share, &get, DENIED).await;
}

#[tokio::test]
async fn a_share_gives_no_more_than_its_maker_has() {
    let registry = open().await;
    let manifest = registry.push_image("app", "v1").await;
    let digest = Digest::of_sha256(&manifest);
    let get = format!("GET /v2/app/manifests/{digest}");
    let alice = registry
        .alice(
            r#"{"Statement":{"Effect":"Allow","Resource":"*",
        "Action":["tonnage:CreateImageShare","ecr:BatchGetImage"]}}"#,
        )
        .await;
    let refused = async |seconds, uses, reference: &str| {
        let refused = registry.limited_share(&alice, reference, seconds, uses).await;
        refused.unwrap_err().kind()
    };
    // Whoever may not pull cannot share.
    assert_eq!(refused(60, None, "v1").await, ErrorKind::AccessDenied);
    registry.put_policy(&PULLS.replace("tonnage:*", "tonnage:none")).await;
    assert_eq!(refused(60, None, "v1").await, ErrorKind::AccessDenied);
    registry.put_policy(PULLS).await;
    for (seconds, uses, reference, expected) in [
        (59, None, "v1", ErrorKind::InvalidParameter),
        (7 * 86_400 + 1, None, "v1", ErrorKind::InvalidParameter),
        (60, Some(0), "v1", ErrorKind::InvalidParameter),
        (60, None, "v2", ErrorKind::ImageNotFound),
    ] {
        assert_eq!(refused(seconds, uses, reference).await, expected, "{seconds} {uses:?}");
    }
    let share = registry.share(&alice, "v1").await;
    assert_eq!(share.share.made_by, format!("arn:aws:iam::{ACCOUNT}:user/alice"));
    registry.ask(&share, &get, "200").await;
    // The pull is recorded as the share's.
    let sql = "SELECT principal_arn FROM access_records WHERE operation = 'GetManifest'";
    let mut tx = registry.app.metadata.begin(Mode::Read).await.unwrap();
    let rows = tx.query(sql, &[]).await.unwrap();
    drop(tx);
    let recorded: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(recorded, [format!("arn:aws:tonnage:us-east-1:{ACCOUNT}:{}", share.share.id)]);

    // What becomes of the maker becomes of the share.
    let from_elsewhere = PULLS.replace(
        r#""Resource":"*""#,
        r#""Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#,
    );
    for (policy, expected) in [
        (r#"{"Statement":{"Effect":"Deny","Resource":"*","Action":"ecr:BatchGetImage"}}"#, DENIED),
        (PULLS, "200"),
        (&from_elsewhere, DENIED),
        (PULLS, "200"),
    ] {
        registry.put_policy(policy).await;
        registry.ask(&share, &get, expected).await;
    }
    let other = registry.other_account().await;
    let foreign = registry.limited_share(&other, "v1", 60, None).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::AccessDenied);

    // The operator's setting.
    let closed = Registry::open().await;
    closed.push_image("app", "v1").await;
    let refused = closed.limited_share(&closed.root, "v1", 60, None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidParameter);
    closed.ask(&share, "GET /v2/", DENIED).await;
}

/// A context that somebody with a share could only have by mistake elsewhere.
#[tokio::test]
async fn no_other_operation_knows_a_share() {
    let registry = open().await;
    registry.push_image("app", "v1").await;
    let share = registry.share(&registry.root, "v1").await;
    let now = registry.context(&registry.root, "us-east-1").now;
    let identity = image_shares::verify(&registry.app, &share.password, now).await.unwrap();
    let context = RequestContext {
        principal: identity.principal,
        ..registry.context(&registry.root, "us-east-1")
    };
    let id = Reference::parse("v1").unwrap().into();
    let repository = registry.app_of_shares();
    let describe = tonnage_domain::overview::describe_image_content::DescribeImageContent {
        repository: repository.clone(),
        id,
    };
    let error = execute(&registry.app, &context, describe).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let id = Reference::parse("v1").unwrap().into();
    let again = CreateImageShare { repository, id, seconds: 60, uses_max: None };
    let error = execute(&registry.app, &context, again).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
}
