//! How files of advisories are fetched.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use tokio::time::timeout;
use tonnage_domain::advisories::source::{Downloads, Fetched, Known};
use tonnage_outbound::{Client, Limits};

use crate::data_directory::Layout;

/// How long a server may take until there is a connection, and from then until it answers.
const LIMITS: Limits = Limits { connect: Duration::from_secs(10), head: Duration::from_secs(30) };
/// How long it may send nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the whole may take.
const TIME: Duration = Duration::from_secs(3 * 3600);
/// Redirects that are followed; each passes the guard again.
const REDIRECTS_MAX: u32 = 5;
/// Bytes of a header that is kept.
const HEADER_BYTES_MAX: usize = 1_024;

/// Fetches files under the operator's rules.
pub(super) struct GuardedDownloads {
    client: Client,
    directory: PathBuf,
}

impl GuardedDownloads {
    /// Empties the directory of files that are being fetched.
    pub(super) fn new(client: Client, layout: &Layout) -> Result<Self> {
        let directory = layout.downloads();
        let emptied = match std::fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => std::fs::create_dir(&directory),
        };
        emptied.with_context(|| format!("{} cannot be made", directory.display()))?;
        Ok(Self { client: client.with_limits(LIMITS), directory })
    }

    async fn get(&self, url: &str, known: &Known, bytes_max: u64) -> Result<Fetched> {
        let mut uri: Uri = url.parse().context("the location is no URL")?;
        for _ in 0..=REDIRECTS_MAX {
            let mut request = Request::get(uri.clone()).header(USER_AGENT, "tonnage");
            if let Some(etag) = &known.etag {
                request = request.header(IF_NONE_MATCH, etag);
            } else if let Some(time) = &known.last_modified {
                request = request.header(IF_MODIFIED_SINCE, time);
            }
            let answer = self.client.send(request.body(Full::<Bytes>::default())?).await?;
            let status = answer.status();
            if status == StatusCode::NOT_MODIFIED {
                return Ok(Fetched::Unchanged);
            }
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                uri = moved(&uri, answer.headers())?;
                continue;
            }
            if status != StatusCode::OK {
                bail!("{} answers {status}", uri.host().unwrap_or_default());
            }
            let known = Known {
                etag: kept(answer.headers(), &ETAG),
                last_modified: kept(answer.headers(), &LAST_MODIFIED),
            };
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            let mut body = answer.into_body();
            let mut bytes = 0;
            while let Some(frame) = timeout(SILENCE, body.frame())
                .await
                .map_err(|_| anyhow!("it sends nothing any more"))?
            {
                let Ok(data) = frame?.into_data() else { continue };
                bytes += data.len() as u64;
                if bytes > bytes_max {
                    bail!("it has more than {bytes_max} bytes");
                }
                file = tokio::task::spawn_blocking(move || file.write_all(&data).map(|()| file))
                    .await??;
            }
            return Ok(Fetched::File { file: file.into_temp_path(), known });
        }
        bail!("it is moved more than {REDIRECTS_MAX} times")
    }
}

impl Downloads for GuardedDownloads {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        known: &'a Known,
        bytes_max: u64,
    ) -> BoxFuture<'a, Result<Fetched, String>> {
        Box::pin(async move {
            let fetched = timeout(TIME, self.get(url, known, bytes_max)).await;
            fetched
                .unwrap_or_else(|_| Err(anyhow!("it takes more than three hours")))
                .map_err(|error| format!("{url} cannot be fetched: {error:#}"))
        })
    }
}

/// Where a redirect leads: an absolute URL, or a path of the same server.
fn moved(from: &Uri, headers: &HeaderMap) -> Result<Uri> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location: Uri = location.context("it is moved to nowhere")?.parse()?;
    if location.authority().is_some() {
        return Ok(location);
    }
    let mut parts = from.clone().into_parts();
    parts.path_and_query = location.into_parts().path_and_query;
    Ok(Uri::from_parts(parts)?)
}

fn kept(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= HEADER_BYTES_MAX).then(|| value.to_owned())
}
