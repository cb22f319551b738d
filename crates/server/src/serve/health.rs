//! Whether the server can do its work.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use tonnage_api::request::Response;
use tonnage_domain::app::App;
use tonnage_domain::error::chain;
use tonnage_domain::health;

use super::respond::text;

/// How long one answer serves everybody: the probe syncs the disk, and anybody may ask.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// How long the stores may take.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// The last answer of `/readyz`.
#[derive(Clone, Debug, Default)]
pub(super) struct Readiness {
    last: Arc<Mutex<Option<(Instant, bool)>>>,
    /// One probe at a time; the others wait for its answer.
    probing: Arc<tokio::sync::Mutex<()>>,
}

impl Readiness {
    /// 200 when metadata can be read and written, else 503.
    pub(super) async fn answer(&self, app: &App) -> Response {
        let ready = match self.fresh() {
            Some(ready) => ready,
            None => self.probe(app).await,
        };
        if ready {
            text(StatusCode::OK, "ready\n")
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, "not ready; the server's log says why\n")
        }
    }

    fn fresh(&self) -> Option<bool> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(at, _)| at.elapsed() < FRESH_FOR).map(|(_, ready)| ready)
    }

    async fn probe(&self, app: &App) -> bool {
        let _turn = self.probing.lock().await;
        if let Some(ready) = self.fresh() {
            return ready;
        }
        let ready = match tokio::time::timeout(PROBE_TIME, health::probe(app)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(error = chain(&error), "not ready: metadata failed the probe");
                false
            }
            Err(_) => {
                tracing::error!("not ready: metadata did not answer the probe in time");
                false
            }
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), ready));
        ready
    }
}
