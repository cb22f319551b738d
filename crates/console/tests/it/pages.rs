//! Every page, on a registry with something in it, and what the forms of repositories do.

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::names::{Algorithm, Digest, Tag};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::uploads::UploadRules;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;

use crate::browser::{Browser, Registry, check_page};
use crate::sessions::{PASSWORD, allow, user};

pub(crate) const HOSTILE: &str = "<script>alert(1)</script>";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

async fn push_blob(registry: &Registry, repository: &RepositoryAddress, text: String) -> Digest {
    let rules = UploadRules::Distribution;
    let repository = repository.clone();
    let upload_id =
        registry.run(InitiateLayerUpload { repository: repository.clone(), rules }).await;
    let bytes = Bytes::from(text);
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    let digests = vec![digest.clone()];
    let body = Some(Box::pin(stream::iter([Ok(bytes)])) as _);
    registry
        .run(CompleteLayerUpload { repository, upload_id, digests, first_byte: None, body, rules })
        .await;
    digest
}

async fn push(
    registry: &Registry,
    repository: &RepositoryAddress,
    (media_type, text): (&str, &str),
    tag: Option<&str>,
) -> Digest {
    let bytes = Bytes::from(text.to_owned());
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    let put = PutImage {
        repository: repository.clone(),
        manifest: bytes,
        media_type: Some(media_type.to_owned()),
        tags: tag.map(|tag| Tag::parse(tag).unwrap()).into_iter().collect(),
        digest: None,
        condition: Precondition::None,
        rules: UploadRules::Distribution,
    };
    registry.run(put).await;
    digest
}

/// An index with one image, and a signature.
pub(crate) async fn push_all(
    registry: &Registry,
    repository: &RepositoryAddress,
) -> (Digest, Digest) {
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","config":{{"Cmd":["{HOSTILE}"],"Labels":{{"{HOSTILE}":"{HOSTILE}"}}}},
           "history":[{{"created_by":"COPY {HOSTILE} /"}}],"rootfs":{{"type":"layers","diff_ids":[]}}}}"#
    );
    let config_size = config.len();
    let config = push_blob(registry, repository, config).await;
    let layer = push_blob(registry, repository, "layer".to_owned()).await;
    let image = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{{"mediaType":"{CONFIG}","digest":"{config}","size":{config_size}}},
           "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{layer}","size":5}}],
           "annotations":{{"title":"{HOSTILE}"}}}}"#
    );
    let child = push(registry, repository, (IMAGE, &image), None).await;
    let size = image.len();
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{IMAGE}","digest":"{child}","size":{size},
           "platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#
    );
    let index_digest = push(registry, repository, (INDEX, &index), Some("v1")).await;
    let empty = push_blob(registry, repository, "{}".to_owned()).await;
    let part = format!(
        r#"{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2}}"#
    );
    let size = index.len();
    let signature = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json",
           "config":{part},"layers":[{part}],"subject":{{"mediaType":"{INDEX}","digest":"{index_digest}","size":{size}}}}}"#
    );
    push(registry, repository, (IMAGE, &signature), None).await;
    (index_digest, child)
}

#[tokio::test]
async fn every_page_is_made_of_nothing_but_text() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    let hostile = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
    for path in ["/console/sign-in", "/console/sign-in?with=password"] {
        let page = browser.get(path).await;
        page.check(200, &["Sign in"]);
        check_page(path, &page.body);
    }
    browser.sign_in().await;
    let region = "/console/us-east-1";
    let create = format!("{region}/create-repository");
    let fields = [
        ("name", "team/app"),
        ("mutability", "IMMUTABLE_WITH_EXCLUSION"),
        ("filters", "latest\r\n\r\nv*"),
        ("scan", "yes"),
        ("tags", "team=web\nenvironment = test"),
    ];
    let made = browser.submit(&create, &create, &fields).await;
    assert_eq!(made.location(), format!("{region}/repositories/team/app"));
    let flash = browser.get(made.location()).await;
    flash.check(200, &["The repository team/app is there.", "docker push localhost:4510/team/app"]);
    check_page("empty repository", &flash.body);
    assert!(!browser.get(made.location()).await.body.contains("is there."));
    browser.submit(&create, &create, &fields).await.check(400, &["already exists"]);
    let fields = [("name", HOSTILE), ("mutability", "MUTABLE"), ("filters", HOSTILE)];
    let refused = browser.submit(&create, &create, &fields).await;
    refused.check(400, &["&lt;script&gt;alert(1)&lt;/script&gt;"]);
    check_page("refused form", &refused.body);

    let repository = RepositoryAddress::new(
        &registry.context(),
        None,
        tonnage_domain::names::RepositoryName::parse("team/app").unwrap(),
    );
    let (index, child) = push_all(&registry, &repository).await;
    let own = format!("{region}/repositories/team/app");
    let rows: Vec<(String, &[&str])> = vec![
        (format!("{region}/"), &["Pushed last", "team/app", ">3<"]),
        (format!("{region}/repositories"), &["team/app", "never move, with exceptions"]),
        (format!("{region}/repositories?q=TEA&sort=newest"), &["team/app"]),
        (format!("{region}/repositories?q={hostile}&sort={hostile}"), &["No repository fits"]),
        (own.clone(), &["v1", "linux/amd64", "1 attached document"]),
        (format!("{own}?q=V1&kind=tagged"), &["v1"]),
        (format!("{own}?kind=untagged"), &["No image fits"]),
        (format!("{own}?kind=all"), &["application/vnd.dev.sigstore"]),
        (format!("{own}?q={hostile}"), &["No image fits"]),
        (format!("{own}/-/settings"), &["team=web", "latest\nv*", "AES-256"]),
        (format!("{own}/-/lifecycle"), &["every image stays", "rulePriority"]),
        (format!("{own}/-/permissions"), &["no policy of its own"]),
        (format!("{own}/-/images/{index}"), &["Platforms", "linux/amd64", "Signature", "v1"]),
        (
            format!("{own}/-/activity"),
            &["No image was pulled", "Never pulled", ">v1<", "Up to a day"],
        ),
        (format!("{own}/-/history"), &[">v1<", ">set<", "root"]),
        (format!("{own}/-/history?tag={hostile}"), &["No tag of this name"]),
        (format!("{region}/repositories?sort=pushed"), &["Last push first"]),
        (format!("{region}/registry/replication"), &["Nothing is copied anywhere"]),
        (format!("{own}/-/images/{child}"), &["COPY &lt;script", "Part of", "under way"]),
        (format!("{region}/create-repository"), &["May a tag move"]),
        (format!("{region}/simulator"), &["May somebody"]),
        (
            format!(
                "{region}/simulator?principal=arn:aws:iam::123456789012:root&action=ecr:PutImage&resource=*"
            ),
            &["Yes, this is allowed."],
        ),
        (format!("{region}/simulator?principal={hostile}&action={hostile}"), &["Invalid"]),
        ("/console/account".to_owned(), &["arn:aws:iam::123456789012:root"]),
        ("/console/password".to_owned(), &["New password"]),
    ];
    for (path, words) in rows {
        let page = browser.get(&path).await;
        page.check(200, words);
        check_page(&path, &page.body);
        assert!(!page.body.contains(HOSTILE), "{path}");
    }
    for path in [
        format!("{region}/nothing"),
        format!("{region}/repositories/none"),
        format!("{region}/repositories/none/-/settings"),
        format!("{own}/-/images/sha256:00"),
        format!("{own}/-/images/sha256:{}", "0".repeat(64)),
        format!("{region}/repositories/UPPER"),
        "/console/Region/".to_owned(),
    ] {
        let page = browser.get(&path).await;
        page.check(404, &[]);
        check_page(&path, &page.body);
    }
    let moved = browser.get("/console/go?region=eu-west-1&page=repositories").await;
    assert_eq!(moved.location(), "/console/eu-west-1/repositories");
    let moved = browser.get("/console/go?region=..%2F..&page=//evil").await;
    assert_eq!(moved.location(), "/console/");
    browser.get("/console/eu-west-1/repositories").await.check(200, &["no repository yet"]);
}

#[tokio::test]
async fn a_repository_from_its_first_image_to_its_end() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    browser.sign_in().await;
    let region = "/console/us-east-1";
    let create = format!("{region}/create-repository");
    browser
        .submit(&create, &create, &[("name", "app"), ("mutability", "MUTABLE")])
        .await
        .check(303, &[]);
    let repository = RepositoryAddress::new(
        &registry.context(),
        None,
        tonnage_domain::names::RepositoryName::parse("app").unwrap(),
    );
    let (index, child) = push_all(&registry, &repository).await;
    let own = format!("{region}/repositories/app");
    let (settings, lifecycle) = (format!("{own}/-/settings"), format!("{own}/-/lifecycle"));
    let permissions = format!("{own}/-/permissions");

    for (fields, words) in [
        (vec![("what", "mutability"), ("mutability", "IMMUTABLE")], "value=\"IMMUTABLE\" checked"),
        (vec![("what", "scanning"), ("scan", "yes")], "name=\"scan\" value=\"yes\" checked"),
        (vec![("what", "tags"), ("tags", "a=1\nb=2")], "a=1\nb=2"),
        (vec![("what", "tags"), ("tags", "b=3")], "\nb=3"),
    ] {
        browser.submit(&settings, &settings, &fields).await.check(303, &[]);
        browser.get(&settings).await.check(200, &["Saved.", words]);
    }
    for fields in [
        vec![("what", "mutability"), ("mutability", "SOMETIMES")],
        vec![("what", "tags"), ("tags", "no value")],
    ] {
        browser.submit(&settings, &settings, &fields).await.check(400, &["Invalid"]);
    }

    let policy = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#;
    let put = [("do", "put"), ("policy", policy)];
    browser.submit(&lifecycle, &lifecycle, &put).await.check(303, &[]);
    browser.get(&lifecycle).await.check(200, &["A policy is in force", "imageCountMoreThan"]);
    let wrong = [("do", "put"), ("policy", HOSTILE)];
    browser.submit(&lifecycle, &lifecycle, &wrong).await.check(400, &["&lt;script&gt;"]);
    let preview = [("do", "preview"), ("policy", policy)];
    browser.submit(&lifecycle, &lifecycle, &preview).await.check(303, &[]);
    browser.get(&lifecycle).await.check(200, &["The preview is being made"]);
    // The form and JSON are one document.
    let edit = [("do", "edit"), ("policy", policy)];
    let shown = browser.submit(&lifecycle, &lifecycle, &edit).await;
    shown.check(200, &["Deletes images, all but the newest.", "Remove rule 1"]);
    check_page("rules as a form", &shown.body);
    let mut rule = vec![
        ("editor", "form"),
        ("rules", "1"),
        ("priority-0", "1"),
        ("tags-0", "prefixes"),
        ("list-0", "dev\r\ntmp"),
        ("count-0", "sinceImagePushed"),
        ("number-0", "0"),
        ("action-0", "expire"),
        ("do", "put"),
    ];
    let refused = browser.submit(&lifecycle, &lifecycle, &rule).await;
    refused.check(400, &["Rule 1: the number is a whole one", "dev\r\ntmp"]);
    rule[6].1 = "14";
    rule[8].1 = "add";
    let more = browser.submit(&lifecycle, &lifecycle, &rule).await;
    more.check(
        200,
        &["begins with dev and tmp 14 days after the push", "Rule 2", "Move rule 2 up"],
    );
    rule[8].1 = "put";
    browser.submit(&lifecycle, &lifecycle, &rule).await.check(303, &[]);
    let away = [("do", "delete"), ("policy", policy)];
    browser.submit(&lifecycle, &lifecycle, &away).await.check(303, &[]);

    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}"#;
    let check =
        browser.submit(&permissions, &permissions, &[("do", "check"), ("policy", text)]).await;
    check.check(200, &["too &lt;broad&gt;", "Nothing is saved yet"]);
    let check = [("do", "check"), ("policy", "no policy")];
    browser.submit(&permissions, &permissions, &check).await.check(400, &["it is no policy"]);
    let mut statement = vec![
        ("do", "add-statement"),
        ("policy", text),
        ("st-effect", "Deny"),
        ("st-principals", "111122223333"),
        ("st-action", "ecr:PutImage"),
        ("st-key-0", "aws:SourceIp"),
    ];
    let refused = browser.submit(&permissions, &permissions, &statement).await;
    refused.check(400, &["Condition 1", "value=\"ecr:PutImage\" checked"]);
    check_page("refused statement", &refused.body);
    statement.truncate(5);
    let added = browser.submit(&permissions, &permissions, &statement).await;
    added.check(200, &["&quot;111122223333&quot;", "&quot;Effect&quot;: &quot;Deny&quot;"]);
    check_page("added statement", &added.body);
    let set = [("do", "set"), ("policy", text)];
    browser.submit(&permissions, &permissions, &set).await.check(303, &[]);
    browser.get(&permissions).await.check(200, &["Take the policy away"]);

    let image = |digest: &Digest| format!("{own}/-/images/{digest}");
    let (index, child) = (image(&index), image(&child));
    browser.submit(&child, &child, &[("do", "scan")]).await.check(303, &[]);
    browser.get(&child).await.check(200, &["The scan begins"]);
    browser.submit(&child, &child, &[("do", "delete"), ("sure", "yes")]).await.check(303, &[]);
    browser.get(&child).await.check(200, &["part of an index"]);
    browser.submit(&index, &index, &[("do", "delete")]).await.check(303, &[]);
    browser.get(&index).await.check(200, &["to delete the image"]);
    browser.submit(&index, &index, &[("do", "untag"), ("tag", "v1")]).await.check(303, &[]);
    browser.get(&index).await.check(404, &[]);

    let delete = format!("{own}/-/delete");
    browser.submit(&settings, &delete, &[("confirm", "other")]).await.check(400, &["to delete it"]);
    browser.submit(&settings, &delete, &[("confirm", "app")]).await.check(400, &["still contains"]);
    let force = [("confirm", "app"), ("force", "yes")];
    browser.submit(&settings, &delete, &force).await.check(303, &[]);
    browser.get(&format!("{region}/repositories")).await.check(200, &["app is deleted"]);
}

#[tokio::test]
async fn nobody_sees_more_than_policies_allow() {
    let registry = Registry::open().await;
    let mut root = Browser::new(&registry);
    root.sign_in().await;
    let create = "/console/us-east-1/create-repository";
    root.submit(create, create, &[("name", "app"), ("mutability", "MUTABLE")])
        .await
        .check(303, &[]);
    user(&registry, "ada", false).await;
    let mut ada = Browser::new(&registry);
    ada.try_password("ada", PASSWORD).await.check(303, &[]);
    let own = "/console/us-east-1/repositories/app";
    ada.get("/console/us-east-1/")
        .await
        .check(200, &["ecr:DescribeRepositories", "Open a repository"]);
    ada.get(own).await.check(200, &["ecr:DescribeImages"]);
    ada.get(&format!("{own}/-/settings")).await.check(403, &["ecr:DescribeRepositories"]);
    ada.get(&format!("{own}/-/lifecycle")).await.check(200, &["ecr:GetLifecyclePolicy"]);
    let fields = [("name", "mine"), ("mutability", "MUTABLE")];
    ada.submit(create, create, &fields)
        .await
        .check(403, &["You may not do that", "ecr:CreateRepository"]);
    let document = r#"{"Statement":{"Effect":"Allow","Action":["ecr:DescribeImages","ecr:DescribeRepositories"],"Resource":"*"}}"#;
    allow(&registry, "ada", document).await;
    let repository = RepositoryAddress::new(
        &registry.context(),
        None,
        tonnage_domain::names::RepositoryName::parse("app").unwrap(),
    );
    let (index, _) = push_all(&registry, &repository).await;
    ada.get(own).await.check(200, &["linux/amd64"]);
    let image = ada.get(&format!("{own}/-/images/{index}")).await;
    image.check(200, &["What is in the image is not shown", "ecr:BatchGetImage", ">v1<"]);
    check_page("image without content", &image.body);
    ada.get(&format!("{own}/-/settings")).await.check(200, &["Resource tags is not shown"]);
}

#[tokio::test]
async fn other_methods_are_refused() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    browser.sign_in().await;
    for (method, path, status) in [
        (Method::PUT, "/console/us-east-1/", 405),
        (Method::DELETE, "/console/us-east-1/repositories/app", 405),
        (Method::POST, "/console/sign-out", 403),
    ] {
        browser.ask(method, path, "").await.check(status, &[]);
    }
    let head = browser.ask(Method::HEAD, "/console/us-east-1/", "").await;
    head.check(200, &[]);
    assert!(head.body.is_empty());
    for (name, words) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
    ] {
        assert!(head.headers[name].to_str().unwrap().contains(words), "{name}");
    }
}
