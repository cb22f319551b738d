//! The AWS services: which one a request is for, who signed it, and answers in its protocol.

pub mod shapes;

use std::sync::Arc;

use tonnage_domain::app::App;

use crate::Arrival;
use crate::body::Body;
use crate::request::{Request, Response};

/// Answers a request for an AWS service.
pub(crate) async fn handle(_app: &Arc<App>, _request: Request, _arrival: &Arrival) -> Response {
    Response::new(Body::empty())
}
