//! Scanners of others, by the protocol of Harbor's pluggable scanner adapters.
//!
//! The operator names adapters and says which registries and repositories they scan; the scans are
//! those of [`scan_image`](super::scan_image), with the same rules, rows, events and gates, only that
//! an adapter says what is wrong with an image. It is handed a token that reads this one image and
//! ends with the time that the scan may take. What an adapter answers is hostile input: sizes,
//! counts, times and texts are bounded, and a report that is not of this image is none.
//!
//! Source: goharbor/pluggable-scanner-spec, `api/spec/scanner-adapter-openapi-v1.0.yaml` to `v1.2`.

mod ask;
mod found;
pub mod operations;
mod protocol;
mod settings;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub(super) use self::ask::{Asked, Image, Step, step};
pub use self::protocol::Scanner;
pub use self::protocol::{Capability, Metadata};
pub use self::settings::{Adapter, AdapterError, ScannerChoice, ScannerSettings};
use crate::app::App;

/// A request to an adapter.
#[derive(Clone, Debug)]
pub struct AdapterRequest {
    /// The path below the adapter's URL, with a slash first.
    pub path: String,
    /// The types that are taken.
    pub accept: &'static str,
    /// What is posted, with its type; without it the request is a `GET`.
    pub body: Option<(&'static str, Bytes)>,
    /// Bytes of an answer that are read.
    pub bytes_max: usize,
}

/// What an adapter answered. Redirects are answers like others.
#[derive(Clone, Debug)]
pub struct AdapterAnswer {
    /// The status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// After how many seconds to ask again, where it says so.
    pub again_seconds: Option<i64>,
    /// The body.
    pub body: Bytes,
}

/// Why an adapter did not answer; a sentence for whoever wanted the scan.
#[derive(Clone, Debug)]
pub struct AdapterFailure {
    /// What went wrong.
    pub reason: String,
    /// Whether the same request may succeed later.
    pub is_transient: bool,
}

/// How adapters are asked.
pub trait Adapters: Send + Sync {
    /// One request with the credential of the adapter, bounded in time and size.
    fn ask<'a>(
        &'a self,
        adapter: &'a Adapter,
        request: AdapterRequest,
    ) -> BoxFuture<'a, Result<AdapterAnswer, AdapterFailure>>;
}

/// Reaches nobody.
pub(crate) struct NoAdapters;

impl Adapters for NoAdapters {
    fn ask<'a>(
        &'a self,
        _adapter: &'a Adapter,
        _request: AdapterRequest,
    ) -> BoxFuture<'a, Result<AdapterAnswer, AdapterFailure>> {
        let reason = "asking other scanners is not set up".to_owned();
        Box::pin(async { Err(AdapterFailure { reason, is_transient: false }) })
    }
}

impl App {
    /// Says how adapters are asked; before that, none is.
    pub fn set_adapters(&mut self, adapters: std::sync::Arc<dyn Adapters>) {
        self.adapters = adapters;
    }
}
