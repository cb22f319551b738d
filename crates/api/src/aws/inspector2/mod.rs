//! Amazon Inspector, version 2020-06-08, over REST-JSON: what its API tells of container images, and
//! rules over that.

mod coverage;
mod filters;
mod findings;
mod input;

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tonnage_domain::app::App;
use tonnage_domain::audit::parameters::RequestInput;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::not_served;
use tonnage_domain::identities::page_token;
use tonnage_domain::inspector::account_status::BatchGetAccountStatus;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::uploads::BodyStream;

use self::input::Input;
use super::error::{Failure, Refusal, Result, Wire};
use super::{BODY_BYTES_MAX, Call, authenticated, json};
use crate::Arrival;
use crate::request::Response;

/// The name in the SigV4 credential scope.
pub(super) const SIGNING_NAME: &str = "inspector2";
const TAGS_PREFIX: &str = "/tags/";

/// The service, for a request that nobody signed and that has an address of this one.
pub(super) fn service(parts: &Parts) -> Option<String> {
    let path = parts.uri.path();
    let is_own = match parts.method {
        Method::POST => operation(path).is_some(),
        _ => false,
    } || path.starts_with("/tags/arn");
    is_own.then(|| SIGNING_NAME.to_owned())
}

/// Answers a request that says it is for Amazon Inspector.
pub(super) async fn handle(
    app: &Arc<App>,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
) -> Result<Response> {
    let (body, mut context) =
        authenticated(app, parts, body, arrival, SIGNING_NAME, BODY_BYTES_MAX).await?;
    context.input = Some(Arc::new(RequestInput::json(&body)));
    let call = Call { app, context, arrival };
    let path = parts.uri.path();
    let document = if let Some(arn) = path.strip_prefix(TAGS_PREFIX) {
        let arn = percent_decode_str(arn).decode_utf8_lossy().into_owned();
        match parts.method {
            Method::GET => filters::list_tags(&call, arn).await?,
            Method::POST => filters::tag(&call, arn, Input::parse(&body)?).await?,
            Method::DELETE => filters::untag(&call, arn, parts.uri.query()).await?,
            _ => return Err(unknown(parts).into()),
        }
    } else if parts.method == Method::POST {
        let Some(operation) = operation(path) else { return Err(unknown(parts).into()) };
        let input = Input::parse(&body)?;
        // Boxed, so that the largest operation does not size every request.
        match operation {
            Post::BatchGetAccountStatus => batch_get_account_status(&call, &input).await?,
            Post::BatchGetFindingDetails => {
                Box::pin(findings::batch_get_finding_details(&call, &input)).await?
            }
            Post::CreateFilter => Box::pin(filters::create_filter(&call, &input)).await?,
            Post::DeleteFilter => filters::delete_filter(&call, &input).await?,
            Post::ListCoverage => Box::pin(coverage::list_coverage(&call, &input)).await?,
            Post::ListCoverageStatistics => {
                Box::pin(coverage::list_coverage_statistics(&call, &input)).await?
            }
            Post::ListFilters => Box::pin(filters::list_filters(&call, &input)).await?,
            Post::ListFindingAggregations => {
                Box::pin(findings::list_finding_aggregations(&call, &input)).await?
            }
            Post::ListFindings => Box::pin(findings::list_findings(&call, &input)).await?,
            Post::UpdateFilter => Box::pin(filters::update_filter(&call, &input)).await?,
        }
    } else {
        return Err(unknown(parts).into());
    };
    let mut response = json::answer(json::output(&document)?);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn unknown(parts: &Parts) -> Error {
    not_served(SIGNING_NAME, &format!("{} {}", parts.method, parts.uri.path()))
}

#[derive(Clone, Copy)]
enum Post {
    BatchGetAccountStatus,
    BatchGetFindingDetails,
    CreateFilter,
    DeleteFilter,
    ListCoverage,
    ListCoverageStatistics,
    ListFilters,
    ListFindingAggregations,
    ListFindings,
    UpdateFilter,
}

fn operation(path: &str) -> Option<Post> {
    Some(match path {
        "/status/batch/get" => Post::BatchGetAccountStatus,
        "/findings/details/batch/get" => Post::BatchGetFindingDetails,
        "/filters/create" => Post::CreateFilter,
        "/filters/delete" => Post::DeleteFilter,
        "/coverage/list" => Post::ListCoverage,
        "/coverage/statistics/list" => Post::ListCoverageStatistics,
        "/filters/list" => Post::ListFilters,
        "/findings/aggregation/list" => Post::ListFindingAggregations,
        "/findings/list" => Post::ListFindings,
        "/filters/update" => Post::UpdateFilter,
        _ => return None,
    })
}

/// A failure in the words of this service.
pub(super) fn wire(failure: &Failure) -> Wire {
    let wire = failure.json();
    let Failure::Failed(error) = failure else { return wire };
    let (code, status) = match error.kind() {
        ErrorKind::AccessDenied => ("AccessDeniedException", 403),
        ErrorKind::NoSuchEntity => ("ResourceNotFoundException", 404),
        ErrorKind::EntityAlreadyExists => ("BadRequestException", 400),
        ErrorKind::InvalidParameter => ("ValidationException", 400),
        ErrorKind::LimitExceeded => ("ServiceQuotaExceededException", 402),
        ErrorKind::Throttled => ("ThrottlingException", 429),
        ErrorKind::Internal | ErrorKind::StorageFull => ("InternalServerException", 500),
        _ => return wire,
    };
    let mut members = wire.members;
    if code == "ValidationException" {
        members.insert("reason".to_owned(), "FIELD_VALIDATION_FAILED".into());
    }
    Wire { code, status, members, ..wire }
}

/// A listing with its pages.
struct Listing {
    name: String,
    page: PageRequest,
}

impl Listing {
    /// The page that a request asks for: `limits` are that of a page, and the largest.
    async fn new(
        call: &Call<'_>,
        operation: &str,
        input: &Input,
        (default, max): (u32, u32),
    ) -> Result<Self> {
        // A token is good for the same question only.
        let mut question = input.members().clone();
        question.retain(|name, _| name != "nextToken" && name != "maxResults");
        let question = Value::Object(question);
        let context = &call.context;
        let name =
            format!("inspector2:{operation} {} {} {question}", context.account, context.region);
        let limit = input.number("maxResults", 1, max)?.unwrap_or(default);
        let after = match input.text("nextToken", 1_000_000)? {
            Some(token) => Some(page_token::open(call.app, &name, &token).await?),
            None => None,
        };
        Ok(Self { name, page: PageRequest { after, limit } })
    }

    /// Adds the token of the next page to an answer.
    async fn answer(
        &self,
        call: &Call<'_>,
        mut document: Value,
        next: Option<String>,
    ) -> Result<Value> {
        if let Some(next) = next {
            document["nextToken"] = page_token::seal(call.app, &self.name, &next).await?.into();
        }
        Ok(document)
    }
}

async fn batch_get_account_status(call: &Call<'_>, input: &Input) -> Result<Value> {
    let wanted = input.texts("accountIds", 100)?;
    let is_enhanced = call.execute(BatchGetAccountStatus).await?;
    let own = call.context.account.to_string();
    let state = |is_enabled: bool| {
        let status = if is_enabled { "ENABLED" } else { "DISABLED" };
        json!({ "status": status })
    };
    let mut accounts = Vec::new();
    if wanted.is_empty() || wanted.contains(&own) {
        let mut resources = Map::new();
        for name in ["ec2", "lambda", "lambdaCode", "codeRepository"] {
            resources.insert(name.to_owned(), state(false));
        }
        resources.insert("ecr".to_owned(), state(is_enhanced));
        accounts.push(json!({
            "accountId": own,
            "state": state(is_enhanced),
            "resourceState": resources,
        }));
    }
    let failed: Vec<Value> = wanted
        .iter()
        .filter(|account| **account != own)
        .map(|account| {
            json!({
                "accountId": account,
                "errorCode": "ACCESS_DENIED",
                "errorMessage": "An account sees its own status only.",
            })
        })
        .collect();
    Ok(json!({ "accounts": accounts, "failedAccounts": failed }))
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    #[test]
    fn every_operation_of_the_domain_is_served_and_no_other() {
        let domain: Vec<&str> = OPERATIONS
            .iter()
            .filter(|entry| entry.service == Service::Inspector2)
            .map(|entry| entry.name)
            .collect();
        let served = [
            "BatchGetAccountStatus",
            "BatchGetFindingDetails",
            "CreateFilter",
            "DeleteFilter",
            "ListCoverage",
            "ListCoverageStatistics",
            "ListFilters",
            "ListFindingAggregations",
            "ListFindings",
            "ListTagsForResource",
            "TagResource",
            "UntagResource",
            "UpdateFilter",
        ];
        assert_eq!(domain, served);
    }
}
