//! Registries of others, asked in the OCI distribution protocol.
//!
//! [`Registries`] keeps connections and tokens between requests. Logging in follows the challenge of
//! the registry: Basic, or a token of the token service that it names, which sees the credentials
//! only under the rule of `trust`. Redirects are followed under the rule of `ask`. Digests of
//! manifests are verified here; those of blobs are not, since a blob is never held.

mod access;
mod answer;
mod ask;
mod challenge;
mod digest;
mod error;
mod headers;
mod place;
mod pull;
mod push;
mod referrers;
mod scope;
mod source;
mod trust;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use self::access::Access;
use crate::client::Client;
use crate::pool::Pool;

pub use self::answer::Blob;
pub use self::error::Error;
pub use self::headers::Quota;
pub use self::place::{Credentials, Origin};
pub use self::pull::{Manifest, ManifestHead};
pub use self::push::{Condition, Mounted, Upload};
pub use crate::pool::PoolLimits;

/// What these requests call themselves.
const USER_AGENT: &str = concat!("tonnage/", env!("CARGO_PKG_VERSION"));

/// What a request to a registry may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the beginning until all of the answer is there, or the head of a blob's answer: waiting
    /// for a turn, logging in and redirects included.
    pub request: Duration,
    /// How long a body may bring next to nothing while it is read.
    pub stall: Duration,
    /// Redirects of one request.
    pub redirects_max: u8,
    /// Bytes of a manifest.
    pub manifest_bytes_max: usize,
    /// Bytes of the answer of a token service.
    pub token_bytes_max: usize,
    /// Bytes of all pages of a list of referrers.
    pub referrers_bytes_max: usize,
    /// Connections and requests under way.
    pub pool: PoolLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            redirects_max: 5,
            manifest_bytes_max: 4 * 1024 * 1024,
            token_bytes_max: 64 * 1024,
            referrers_bytes_max: 4 * 1024 * 1024,
            pool: PoolLimits::default(),
        }
    }
}

/// Asks registries. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Registries {
    pool: Pool,
    access: Arc<Access>,
    limits: Limits,
}

impl Registries {
    /// Asks under the rules of the client. Token services on the hosts of `token_hosts` (in lower
    /// case, without ports) may see the credentials of every registry that names them.
    #[must_use]
    pub fn new(client: Client, limits: Limits, token_hosts: Vec<String>) -> Self {
        let pool = Pool::new(client, limits.pool);
        let access = Arc::new(Access::new(pool.clone(), limits, token_hosts));
        Self { pool, access, limits }
    }

    async fn in_time<T>(
        &self,
        origin: &Origin,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = |_| Error::Unavailable(format!("{} did not answer in time", origin.url));
        timeout(self.limits.request, work).await.map_err(late)?
    }
}
