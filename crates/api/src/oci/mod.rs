//! The distribution protocol under `/v2/`, and download links.

use std::sync::Arc;

use tonnage_domain::app::App;

use crate::Arrival;
use crate::body::Body;
use crate::request::{Request, Response};

/// Where download links begin.
pub(crate) const DOWNLOAD_PREFIX: &str = "/layers/";

/// Answers a request of the distribution protocol.
pub(crate) async fn handle(_app: &Arc<App>, _request: Request, _arrival: &Arrival) -> Response {
    Response::new(Body::empty())
}
