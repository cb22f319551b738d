//! `GET /v2/{name}/referrers/{digest}` (end-12a, end-12b).

use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LINK};
use serde_json::{Map, Value, json};
use tonnage_domain::error::Error;
use tonnage_domain::identities::page_token;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::list_image_referrers::{ListImageReferrers, Referrer};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::pull_through::pull;

use super::{Call, Refusal, parse_digest};
use crate::request::Response;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Referrers on a page; the specification leaves it to the registry.
const PAGE: u32 = 100;

pub(super) async fn list(call: Call<'_>, name: &str, digest: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let subject = parse_digest(digest)?;
    // Media types have `+` and never a space; clients that do not encode the one mean it.
    let artifact_type = call
        .query("artifactType")
        .filter(|text| !text.is_empty())
        .map(|text| text.replace(' ', "+"));
    let listing = format!("referrers\0{}\0{subject}", repository.arn());
    let after = match call.query("nextToken") {
        None => None,
        Some(token) => Some(page_token::open(call.app, &listing, &token).await?),
    };
    let operation = ListImageReferrers {
        repository,
        subject: subject.clone(),
        artifact_types: artifact_type.iter().cloned().collect(),
        artifact_status: ImageStatusFilter::default(),
        page: PageRequest { after, limit: PAGE },
    };
    let page = pull::referrers(call.app, &call.context, operation).await?;
    let manifests = page.items.iter().map(descriptor).collect::<Result<Vec<_>, _>>()?;
    let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    let mut response = super::json(StatusCode::OK, INDEX, &body);
    if artifact_type.is_some() {
        response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    if let Some(last) = page.next {
        let token = page_token::seal(call.app, &listing, &last).await?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("nextToken", &token);
        if let Some(artifact_type) = &artifact_type {
            query.append_pair("artifactType", artifact_type);
        }
        let target = format!("/v2/{name}/referrers/{subject}?{}", query.finish());
        response.headers_mut().insert(LINK, call.next(&target)?);
    }
    Ok(response)
}

fn descriptor(referrer: &Referrer) -> Result<Value, Error> {
    let mut descriptor = Map::new();
    descriptor.insert("mediaType".to_owned(), json!(referrer.media_type));
    descriptor.insert("digest".to_owned(), json!(referrer.digest.as_str()));
    descriptor.insert("size".to_owned(), json!(referrer.size));
    if let Some(artifact_type) = &referrer.artifact_type {
        descriptor.insert("artifactType".to_owned(), json!(artifact_type));
    }
    let annotations: Map<String, Value> =
        serde_json::from_str(&referrer.annotations).map_err(Error::internal)?;
    if !annotations.is_empty() {
        descriptor.insert("annotations".to_owned(), Value::Object(annotations));
    }
    Ok(Value::Object(descriptor))
}
