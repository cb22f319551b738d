//! The operations of our own on the wire: shapes, errors, who signs for what.

use serde_json::{Value, json};
use tonnage_api::aws::shapes::tonnage::SERVICE;
use tonnage_api::sigv4::Credentials;
use tonnage_domain::app::Settings;

use super::{error_of, matches, model, operation};
use crate::registry::{ACCOUNT, Plain, Registry};

fn own(name: &str, input: &Value) -> Plain {
    let target = format!("{}.{name}", SERVICE.target_prefix);
    Plain { service: SERVICE.signing_name.to_owned(), ..Plain::json(&target, input.to_string()) }
}

impl Registry {
    /// Calls an operation that gives exactly this, and what fits its shape; `"*"` stands for any
    /// text.
    async fn check_own(&self, name: &str, input: Value, expected: Value) {
        let answer = self.send(&own(name, &input)).await;
        assert_eq!(answer.status, 200, "{name} {input}: {}", answer.body);
        let output = super::document(&answer);
        model::assert_output_of(&SERVICE, name, &output);
        assert!(matches(&expected, &output), "{name} {input}\n {expected}\n {output}");
    }

    async fn check_own_error(
        &self,
        credentials: &Credentials,
        plain: &Plain,
        code: &str,
        message: &str,
    ) {
        let answer = self.send_as(credentials, plain).await;
        let (found, _, told) = error_of(&answer);
        assert_eq!((found.as_str(), told.as_str()), (code, message));
    }
}

async fn open() -> Registry {
    let settings = Settings { image_shares: true, ..Settings::default() };
    let registry = Registry::open_with(settings, |_| {}).await;
    registry.call("CreateRepository", &json!({"repositoryName": "team/app"})).await;
    let target = "SpencerFrontendService.CreateRepository";
    let input = json!({"repositoryName": "web/server"}).to_string();
    let public = Plain { service: "ecr-public".to_owned(), ..Plain::json(target, input) };
    let answer = registry.send(&public).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    registry
}

#[tokio::test]
async fn what_owners_may_do() {
    let registry = open().await;
    let app = || json!({"repositoryName": "team/app"});
    let web = || json!({"repositoryName": "web/server"});
    let domain = json!({
        "domain": "example.com", "domainStatus": "PENDING", "fileUrl": "*", "fileLine": "*",
        "recordName": "*", "recordText": "*",
    });
    let bills = json!({"formats": ["spdx-2.3"], "repositoryFilters": ["team/*"]});
    let settings = json!({
        "registryId": ACCOUNT, "repositoryName": "web/server",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "latest"}],
        "scanOnPush": false,
    });
    let mut wanted = settings.clone();
    wanted.as_object_mut().unwrap().remove("scanOnPush");
    let by = |group: &str| json!({"repositoryName": "web/server", "days": 7, "groupBy": group});
    let renamed = json!({"registryId": ACCOUNT, "repositoryName": "team/new"});
    let rename = json!({"repositoryName": "team/app", "newRepositoryName": "team/new"});
    let sparse = json!({"repositoryName": "team/app", "sparseManifests": true});
    let told =
        json!({"registryId": ACCOUNT, "repositoryName": "team/app", "sparseManifests": true});
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", "author": "us",
        "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [{
            "vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:oci/app"}],
            "status": "not_affected", "justification": "component_not_present",
        }],
    })
    .to_string();
    let put = json!({"documentName": "ours", "document": vex});
    let known = json!({
        "documentName": "ours", "documentDigest": "*", "statementCount": 1,
        "updatedAt": 1_770_091_506.789,
    });
    let ours = || json!({"documentName": "ours"});
    for (name, input, expected) in [
        ("GetPullStatistics", web(), json!({"pullCounts": []})),
        ("GetPullStatistics", by("network"), json!({"pullCounts": []})),
        ("PutPublicRepositorySettings", wanted, settings.clone()),
        ("GetPublicRepositorySettings", web(), settings),
        ("ProvePublicDomain", json!({"domain": "example.com"}), json!({"publicDomain": domain})),
        ("ListPublicDomains", json!({}), json!({"domains": [domain]})),
        ("RemovePublicDomain", json!({"domain": "example.com"}), json!({})),
        ("ListImageShares", app(), json!({"imageShares": []})),
        ("FindImages", json!({"packageName": "openssl"}), json!({"images": []})),
        ("ListTagHistory", app(), json!({"tagMoves": []})),
        ("PutSparseManifests", sparse, told),
        ("PutSbomConfiguration", bills.clone(), bills.clone()),
        ("GetSbomConfiguration", json!({}), bills),
        ("PutVexDocument", put, json!({"vexDocument": known})),
        ("ListVexDocuments", json!({}), json!({"vexDocuments": [known]})),
        ("GetVexDocument", ours(), json!({"vexDocument": known, "document": vex})),
        ("DeleteVexDocument", ours(), json!({})),
        ("RenameRepository", rename, renamed),
        (
            "SearchEvents",
            json!({"eventKind": "repository-renamed", "startTime": 0}),
            json!({"events": [{
                "occurredAt": 1_770_091_506.789, "eventKind": "repository-renamed", "detail": "*",
            }]}),
        ),
    ] {
        registry.check_own(name, input, expected).await;
    }
}

#[tokio::test]
async fn what_is_refused() {
    let registry = open().await;
    let other = registry.create_account("111122223333").await;
    let ours = &registry.credentials;
    let in_ours = json!({"registryId": ACCOUNT, "repositoryName": "web/server"});
    let denied = "User: arn:aws:iam::111122223333:root is not authorized to perform: \
                  tonnage:GetPullStatistics on resource: \
                  arn:aws:ecr-public::123456789012:repository/web/server because no \
                  resource-based policy allows the tonnage:GetPullStatistics action";
    let shape = "Invalid parameter at 'repositoryName' failed to satisfy constraint: \
                 'must satisfy regular expression";
    let absent = json!({"repositoryName": "absent"});
    let image = json!({"repositoryName": "team/app", "imageId": {"imageTag": "v1"}});
    let share = json!({
        "repositoryName": "team/app", "imageId": {"imageTag": "v1"}, "validForSeconds": 60,
    });
    let as_ecr = Plain { service: "ecr".to_owned(), ..own("ListImageShares", &absent) };
    let mut as_ours = operation("DescribeRepositories", &json!({}));
    as_ours.service = SERVICE.signing_name.to_owned();
    for (credentials, plain, code, message) in [
        (&other, own("GetPullStatistics", &in_ours), "AccessDeniedException", denied),
        (
            ours,
            own("ListImageShares", &absent),
            "RepositoryNotFoundException",
            "The repository with name 'absent' does not exist in the registry with id \
             '123456789012'",
        ),
        (
            ours,
            own("CreateImageShare", &share),
            "ImageNotFoundException",
            "The image with imageId {imageDigest:'null', imageTag:'v1'} does not exist within the \
             repository with name 'team/app' in the registry with id '123456789012'",
        ),
        (
            ours,
            own("CreateImageShare", &image),
            "InvalidParameterException",
            "Invalid parameter at 'validForSeconds' failed to satisfy constraint: 'Member must not \
             be null'",
        ),
        (
            ours,
            own("SearchEvents", &json!({"startTime": 1e30})),
            "InvalidParameterException",
            "Invalid parameter at 'startTime' failed to satisfy constraint: 'Seconds since 1970, \
             before the year 10000'",
        ),
        (
            ours,
            own("ListJobs", &json!({})),
            "UnknownOperationException",
            "tonnage has no operation `ListJobs` for POST.",
        ),
        (
            ours,
            as_ecr,
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'tonnage'.",
        ),
        (
            ours,
            as_ours,
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'ecr'.",
        ),
    ] {
        registry.check_own_error(credentials, &plain, code, message).await;
    }
    let bad = own("ListImageShares", &json!({"repositoryName": "Team"}));
    let (code, _, message) = error_of(&registry.send(&bad).await);
    assert_eq!(code, "InvalidParameterException");
    assert!(message.starts_with(shape), "{message}");
}
