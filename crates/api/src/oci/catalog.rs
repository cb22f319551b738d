//! `GET /v2/_catalog`.

use http::StatusCode;
use http::header::LINK;
use tonnage_domain::execute::execute;
use tonnage_domain::repositories::list_catalog::ListCatalog;

use super::{Call, Refusal, json, tags};
use crate::request::Response;

pub(super) async fn list(call: Call<'_>) -> Result<Response, Refusal> {
    let page = tags::page(&call, 1000)?;
    let limit = page.limit;
    let page = execute(call.app, &call.context, ListCatalog { page }).await?;
    let names: Vec<&str> = page.items.iter().map(|name| name.as_str()).collect();
    let body = serde_json::json!({ "repositories": names });
    let mut response = json(StatusCode::OK, "application/json", &body);
    if let Some(last) = page.next {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("last", &last)
            .append_pair("n", &limit.to_string())
            .finish();
        response.headers_mut().insert(LINK, call.next(&format!("/v2/_catalog?{query}"))?);
    }
    Ok(response)
}
