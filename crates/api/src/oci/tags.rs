//! `GET /v2/{name}/tags/list` (end-8a, end-8b).

use http::StatusCode;
use http::header::LINK;
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::pages::PageRequest;

use super::error::OciError;
use super::{Call, Refusal, json};
use crate::request::Response;

/// Tags on a page when the client does not say; ECR's number.
const PAGE_DEFAULT: u32 = 100;
/// Items on a page at most; ECR's number.
const PAGE_MAX: u32 = 1000;

pub(super) async fn list(call: Call<'_>, name: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let page = page(&call, PAGE_DEFAULT)?;
    let limit = page.limit;
    if limit == 0 {
        // The specification asks for an empty list; whether the repository exists still counts.
        let operation = ListTags { repository, page: PageRequest { limit: 1, ..page } };
        execute(call.app, &call.context, operation).await?;
        return Ok(answer(&call, name, &[]));
    }
    let page = execute(call.app, &call.context, ListTags { repository, page }).await?;
    let tags: Vec<&str> = page.items.iter().map(|tag| tag.as_str()).collect();
    let mut response = answer(&call, name, &tags);
    if let Some(last) = page.next {
        let target = format!("/v2/{name}/tags/list?last={last}&n={limit}");
        response.headers_mut().insert(LINK, call.next(&target)?);
    }
    Ok(response)
}

fn answer(call: &Call<'_>, name: &str, tags: &[&str]) -> Response {
    let body = serde_json::json!({ "name": name, "tags": tags });
    json(StatusCode::OK, call.rules.tags_type, &body)
}

/// `n` and `last` of a listing.
pub(super) fn page(call: &Call<'_>, default: u32) -> Result<PageRequest, OciError> {
    let limit = match call.query("n") {
        None => default,
        Some(text) => match text.parse::<u32>() {
            Ok(n) if n <= PAGE_MAX => n,
            _ if is_number(&text) && !call.rules.page_refused => PAGE_MAX,
            _ => return Err(invalid_limit(call, &text)),
        },
    };
    Ok(PageRequest { after: call.query("last").filter(|last| !last.is_empty()), limit })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// ECR's words.
fn invalid_limit(call: &Call<'_>, text: &str) -> OciError {
    let constraint = if is_number(text) {
        format!("Member must have value less than or equal to {PAGE_MAX}")
    } else {
        format!("Member must be a number from 0 to {PAGE_MAX}")
    };
    OciError::new(
        match call.rules.page_refused {
            true => StatusCode::METHOD_NOT_ALLOWED,
            false => StatusCode::BAD_REQUEST,
        },
        "UNSUPPORTED",
        Error::invalid_parameter("maxResults", constraint).message(),
    )
}
