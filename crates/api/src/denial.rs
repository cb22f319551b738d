//! What a denial is explained by, sealed for whoever may decode it, in a header beside the answer.

use http::HeaderValue;
use http::header::HeaderName;
use tonnage_domain::app::App;
use tonnage_domain::authorize::Denied;
use tonnage_domain::error::chain;
use tonnage_domain::identities::sessions::decode_authorization_message::encode;

use crate::request::Response;

/// The header; STS `DecodeAuthorizationMessage` takes its value.
const HEADER: HeaderName = HeaderName::from_static("x-tonnage-authorization-message");

/// The value of the header. That it cannot be made is no new failure.
pub(crate) async fn explanation(app: &App, denied: Option<&Denied>) -> Option<HeaderValue> {
    match encode(app, denied?).await {
        Ok(message) => HeaderValue::from_str(&message).ok(),
        Err(error) => {
            tracing::warn!(error = chain(&error), "a denial cannot be explained");
            None
        }
    }
}

/// Adds it.
pub(crate) fn explain(response: &mut Response, explanation: Option<HeaderValue>) {
    if let Some(value) = explanation {
        response.headers_mut().insert(HEADER, value);
    }
}
