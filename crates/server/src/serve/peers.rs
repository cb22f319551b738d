//! How other deployments are asked in the protocol of AWS: signed requests of ECR's API.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonnage_api::host::Host;
use tonnage_api::sigv4::{self, Unsigned, sign};
use tonnage_domain::clock::Millis;
use tonnage_domain::identities::authorization_token::password_in;
use tonnage_domain::names::{AccountId, Digest, Region, RepositoryName, Tag};
use tonnage_domain::pull_through::upstream::{Credentials, Origin, UpstreamError};
use tonnage_domain::replication::peer::{PeerAccess, PeerError, PeerLogin};
use tonnage_domain::replication::replicate_setting::Plan;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::resource_tags::ResourceTag;
use tonnage_outbound::Client;

/// How long one request may take.
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Before the name of an operation in `X-Amz-Target` (botocore, `ecr` model, `targetPrefix`).
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921";

/// What the API of a peer answered.
enum Answered {
    Output(Value),
    /// The code of a refusal, which is no sentence of the peer's.
    Refused(String),
}

/// A registry of a peer, asked in ECR's API.
pub(super) struct PeerApi<'a> {
    pub(super) client: &'a Client,
    pub(super) access: &'a PeerAccess,
}

impl PeerApi<'_> {
    pub(super) async fn log_in(&self) -> Result<PeerLogin, PeerError> {
        let input = json!({ "registryIds": [self.access.registry.account] });
        let output = self.expect("GetAuthorizationToken", input).await?;
        let data = &output["authorizationData"][0];
        let token = data["authorizationToken"].as_str().map(SecretString::from);
        let password = token.as_ref().and_then(|token| password_in(token.expose_secret()));
        let password = password.ok_or_else(|| self.invalid("gave no usable token"))?;
        #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 fit")]
        let millis = |seconds: f64| Millis((seconds * 1000.0) as i64);
        let credentials =
            Credentials { username: "AWS".to_owned(), password: SecretString::from(password) };
        Ok(PeerLogin {
            origin: Origin { url: self.registry_url()?, credentials: Some(credentials) },
            expires_at: data["expiresAt"].as_f64().map(millis),
        })
    }

    pub(super) async fn create_repository(&self, name: &str) -> Result<(), PeerError> {
        let input = self.input(name);
        match self.call("CreateRepository", input).await? {
            Answered::Output(_) => Ok(()),
            Answered::Refused(code) if code == "RepositoryAlreadyExistsException" => Ok(()),
            Answered::Refused(code) => Err(self.refused("CreateRepository", &code)),
        }
    }

    pub(super) async fn tags_of(
        &self,
        name: &str,
        digest: &Digest,
    ) -> Result<Option<Vec<Tag>>, PeerError> {
        let mut input = self.input(name);
        input["imageIds"] = json!([{ "imageDigest": digest.to_string() }]);
        let output = match self.call("DescribeImages", input).await? {
            Answered::Output(output) => output,
            Answered::Refused(code)
                if matches!(
                    code.as_str(),
                    "ImageNotFoundException" | "RepositoryNotFoundException"
                ) =>
            {
                return Ok(None);
            }
            Answered::Refused(code) => return Err(self.refused("DescribeImages", &code)),
        };
        let tags = output["imageDetails"][0]["imageTags"].as_array();
        let read = |tag: &Value| tag.as_str().and_then(|tag| Tag::parse(tag).ok());
        let tags: Option<Vec<Tag>> =
            tags.map_or(Some(Vec::new()), |tags| tags.iter().map(read).collect());
        tags.map(Some).ok_or_else(|| self.invalid("says of an image what no tag is"))
    }

    pub(super) async fn set(
        &self,
        name: &str,
        plan: &Plan,
        was: Option<&str>,
    ) -> Result<bool, PeerError> {
        let mut input = self.input(name);
        let operation = match plan {
            Plan::PutLifecyclePolicy(text) => {
                input["lifecyclePolicyText"] = json!(text);
                "PutLifecyclePolicy"
            }
            Plan::SetRepositoryPolicy(text) => {
                input["policyText"] = json!(text);
                // It may lock out the key that sets it, as it may where nothing is signed.
                input["force"] = json!(true);
                "SetRepositoryPolicy"
            }
            Plan::DeleteLifecyclePolicy => {
                let found = self.text("GetLifecyclePolicy", name, "lifecyclePolicyText").await?;
                if found.is_none() || found.as_deref() != was {
                    return Ok(true);
                }
                "DeleteLifecyclePolicy"
            }
            Plan::DeleteRepositoryPolicy => {
                let found = self.text("GetRepositoryPolicy", name, "policyText").await?;
                if found.is_none() || found.as_deref() != was {
                    return Ok(true);
                }
                "DeleteRepositoryPolicy"
            }
            Plan::PutImageTagMutability(rule) => {
                input["imageTagMutability"] = json!(rule.setting().as_str());
                if !rule.filters().is_empty() {
                    let filter =
                        |filter: &String| json!({ "filterType": "WILDCARD", "filter": filter });
                    let filters: Vec<Value> = rule.filters().iter().map(filter).collect();
                    input["imageTagMutabilityExclusionFilters"] = json!(filters);
                }
                "PutImageTagMutability"
            }
            Plan::Tag { put, remove } => return self.set_tags(name, put, remove).await,
        };
        self.is_done(operation, input).await
    }

    async fn set_tags(
        &self,
        name: &str,
        put: &[ResourceTag],
        remove: &[ResourceTag],
    ) -> Result<bool, PeerError> {
        let arn = self.arn(name)?;
        if !remove.is_empty() {
            let input = json!({ "resourceArn": arn });
            let output = match self.call("ListTagsForResource", input).await? {
                Answered::Output(output) => output,
                Answered::Refused(code) if code == "RepositoryNotFoundException" => {
                    return Ok(false);
                }
                Answered::Refused(code) => return Err(self.refused("ListTagsForResource", &code)),
            };
            let there = output["tags"].as_array().map_or(&[][..], Vec::as_slice);
            let still = |tag: &&ResourceTag| {
                there
                    .iter()
                    .any(|it| it["Key"] == tag.key.as_str() && it["Value"] == tag.value.as_str())
            };
            let keys: Vec<&str> = remove.iter().filter(still).map(|tag| tag.key.as_str()).collect();
            if !keys.is_empty() {
                let input = json!({ "resourceArn": arn, "tagKeys": keys });
                if !self.is_done("UntagResource", input).await? {
                    return Ok(false);
                }
            }
        }
        if put.is_empty() {
            return Ok(true);
        }
        let tags: Vec<Value> =
            put.iter().map(|tag| json!({ "Key": tag.key, "Value": tag.value })).collect();
        self.is_done("TagResource", json!({ "resourceArn": arn, "tags": tags })).await
    }

    /// Whether there is such a repository; what is to be removed may be gone.
    async fn is_done(&self, operation: &str, input: Value) -> Result<bool, PeerError> {
        match self.call(operation, input).await? {
            Answered::Output(_) => Ok(true),
            Answered::Refused(code) => match code.as_str() {
                "RepositoryNotFoundException" => Ok(false),
                "LifecyclePolicyNotFoundException" | "RepositoryPolicyNotFoundException" => {
                    Ok(true)
                }
                _ => Err(self.refused(operation, &code)),
            },
        }
    }

    async fn text(
        &self,
        operation: &str,
        name: &str,
        field: &str,
    ) -> Result<Option<String>, PeerError> {
        Ok(match self.call(operation, self.input(name)).await? {
            Answered::Output(output) => output[field].as_str().map(ToOwned::to_owned),
            Answered::Refused(code) => match code.as_str() {
                "RepositoryNotFoundException"
                | "LifecyclePolicyNotFoundException"
                | "RepositoryPolicyNotFoundException" => None,
                _ => return Err(self.refused(operation, &code)),
            },
        })
    }

    fn input(&self, name: &str) -> Value {
        json!({ "registryId": self.access.registry.account, "repositoryName": name })
    }

    async fn expect(&self, operation: &str, input: Value) -> Result<Value, PeerError> {
        match self.call(operation, input).await? {
            Answered::Output(output) => Ok(output),
            Answered::Refused(code) => Err(self.refused(operation, &code)),
        }
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Answered, PeerError> {
        let request = self.request(operation, &input).map_err(|_| {
            self.invalid("cannot be asked: the access key holds what no header can")
        })?;
        let host = self.host();
        let asked = async {
            let answer = self.client.send(request).await.map_err(|error| {
                let error = tonnage_outbound::registry::Error::from(error);
                PeerError::from(super::registries::error_of(error))
            })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|_| {
                PeerError::from(UpstreamError::Unavailable(format!(
                    "the answer of {host} broke off or is too long"
                )))
            })?;
            Ok::<_, PeerError>((status, body.to_bytes()))
        };
        let (status, body) = timeout(REQUEST_TIME, asked).await.map_err(|_| {
            PeerError::from(UpstreamError::Unavailable(format!("{host} did not answer in time")))
        })??;
        self.read(status, &body)
    }

    fn read(&self, status: StatusCode, body: &Bytes) -> Result<Answered, PeerError> {
        if status.is_server_error() {
            let text = format!("{} answered with status {}", self.host(), status.as_u16());
            return Err(UpstreamError::Unavailable(text).into());
        }
        let value: Option<Value> = serde_json::from_slice(body).ok();
        if status == StatusCode::OK {
            let value = value.ok_or_else(|| self.invalid("answered what is no JSON"))?;
            return Ok(Answered::Output(value));
        }
        let code = value.as_ref().and_then(|value| value["__type"].as_str()).unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let is_code = code.len() <= 100 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let code = if is_code { code } else { "" };
        match code {
            "ThrottlingException" | "TooManyRequestsException" => {
                let host = self.host();
                Err(UpstreamError::TooManyRequests { host, retry_after: None }.into())
            }
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "ExpiredTokenException"
            | "MissingAuthenticationTokenException" => {
                Err(UpstreamError::Denied(self.host()).into())
            }
            _ => Ok(Answered::Refused(code.to_owned())),
        }
    }

    fn request(
        &self,
        operation: &str,
        input: &Value,
    ) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let uri: Uri = format!("{}/", self.access.url).parse()?;
        let authority = uri.authority().ok_or("the URL has no host")?;
        let body = Bytes::from(serde_json::to_vec(input)?);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        headers.insert("x-amz-target", HeaderValue::from_str(&format!("{TARGET}.{operation}"))?);
        let unsigned = Unsigned {
            method: "POST",
            path: "/",
            query: "",
            body: &body,
            region: &self.access.registry.region,
            service: "ecr",
        };
        let credentials = sigv4::Credentials {
            access_key_id: self.access.access_key_id.clone(),
            secret: self.access.secret_access_key.clone(),
            session_token: None,
        };
        sign(&unsigned, &mut headers, &credentials, jiff::Timestamp::now())?;
        let mut request = Request::post(uri).body(Full::new(body))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Where the registry is asked in the distribution protocol: a host that is one of a region's
    /// API has those of its registries beside it.
    fn registry_url(&self) -> Result<String, PeerError> {
        let (account, region) = self.names()?;
        let (scheme, authority) = self
            .access
            .url
            .split_once("://")
            .ok_or_else(|| self.invalid("has an address that is none"))?;
        let host =
            Host::parse(authority).ok_or_else(|| self.invalid("has an address that is none"))?;
        Ok(format!("{scheme}://{}", host.registry_authority(&account, &region)))
    }

    fn names(&self) -> Result<(AccountId, Region), PeerError> {
        let registry = &self.access.registry;
        let wrong = || self.invalid("is to be asked for no registry");
        let account = AccountId::parse(&registry.account).map_err(|_| wrong())?;
        Ok((account, Region::parse(&registry.region).map_err(|_| wrong())?))
    }

    fn arn(&self, name: &str) -> Result<String, PeerError> {
        let (account, region) = self.names()?;
        let name = RepositoryName::parse(name)
            .map_err(|_| self.invalid("is to be asked for no repository"))?;
        Ok(RepositoryAddress { account, region, name }.arn())
    }

    fn host(&self) -> String {
        let url = &self.access.url;
        url.split_once("://").map_or(url.as_str(), |(_, authority)| authority).to_owned()
    }

    fn invalid(&self, what: &str) -> PeerError {
        UpstreamError::Invalid(format!("{} {what}", self.host())).into()
    }

    fn refused(&self, operation: &str, code: &str) -> PeerError {
        match code {
            "" => self.invalid(&format!("refuses {operation}")),
            code => self.invalid(&format!("refuses {operation} with {code}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonnage_domain::replication::ReplicationDestination;

    use super::*;

    fn check(url: &str, test: impl FnOnce(&PeerApi<'_>)) {
        let client = Client::new(tonnage_outbound::Rules::default()).unwrap();
        let access = PeerAccess {
            url: url.to_owned(),
            registry: ReplicationDestination {
                region: "eu-west-1".to_owned(),
                account: "111122223333".to_owned(),
            },
            access_key_id: "AKIATEST".to_owned(),
            secret_access_key: SecretString::from("secret"),
        };
        test(&PeerApi { client: &client, access: &access });
    }

    #[test]
    fn registries_are_beside_the_api() {
        for (url, expected) in [
            ("https://registry.example", "https://registry.example"),
            ("http://127.0.0.1:4510", "http://127.0.0.1:4510"),
            (
                "https://api.ecr.eu-west-1.example.com:8443",
                "https://111122223333.dkr.ecr.eu-west-1.example.com:8443",
            ),
        ] {
            check(url, |api| assert_eq!(api.registry_url().unwrap(), expected));
        }
    }

    #[test]
    fn answers_are_outputs_refusals_or_errors() {
        let told = |status: u16, body: &'static str| {
            let mut told = String::new();
            check("https://peer.example", |api| {
                let status = StatusCode::from_u16(status).unwrap();
                told = match api.read(status, &Bytes::from_static(body.as_bytes())) {
                    Ok(Answered::Output(value)) => format!("output {value}"),
                    Ok(Answered::Refused(code)) => format!("refused {code}"),
                    Err(error) => error.to_string(),
                };
            });
            told
        };
        assert_eq!(told(200, r#"{"a":1}"#), r#"output {"a":1}"#);
        assert_eq!(told(200, "<html>"), "peer.example answered what is no JSON");
        assert_eq!(told(503, "{}"), "peer.example answered with status 503");
        assert_eq!(
            told(400, r#"{"__type":"a.b#RepositoryNotFoundException"}"#),
            "refused RepositoryNotFoundException"
        );
        assert_eq!(told(400, r#"{"__type":"What\nI say"}"#), "refused ");
        assert_eq!(told(404, ""), "refused ");
        assert!(told(400, r#"{"__type":"AccessDeniedException"}"#).contains("credentials"));
        assert!(told(400, r#"{"__type":"ThrottlingException"}"#).contains("too much"));
    }
}
