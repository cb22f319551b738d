//! The subcommands' side of the socket.

use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{ANSWER_BYTES_MAX, Refusal, with_short_path};
use crate::data_directory::Layout;

/// How long the server may take.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Sends one request to the running server.
///
/// # Errors
/// One sentence: no server runs there, or what it answered.
pub(crate) async fn call<T: DeserializeOwned>(
    layout: &Layout,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<T> {
    timeout(ANSWER_TIME, call_unbounded(layout, method, path, body))
        .await
        .map_err(|_| anyhow!("the server did not answer within {} s", ANSWER_TIME.as_secs()))?
}

async fn call_unbounded<T: DeserializeOwned>(
    layout: &Layout,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<T> {
    let socket = layout.admin_socket();
    let stream = with_short_path(&socket, |path| std::os::unix::net::UnixStream::connect(path))
        .and_then(|stream| {
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)
        })
        .map_err(|error| refused(layout, &error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, "tonnage")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(bytes)))?;
    let answer = sender.send_request(request).await.context("the server broke off")?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let bytes = body.map_err(|error| anyhow!("the server broke off: {error}"))?.to_bytes();
    drop(sender);
    connection.abort();
    if !status.is_success() {
        match serde_json::from_slice::<Refusal>(&bytes) {
            Ok(refusal) => bail!("{}", refusal.message),
            Err(_) => bail!("the server answered {status}"),
        }
    }
    serde_json::from_slice(&bytes).context("the server's answer cannot be understood")
}

fn refused(layout: &Layout, error: &io::Error) -> anyhow::Error {
    let directory = layout.directory().display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => anyhow!(
            "no server runs on the data directory {directory}; start it with `tonnage serve`, or \
             name its directory with `--data-dir`"
        ),
        io::ErrorKind::PermissionDenied => anyhow!(
            "the data directory {directory} belongs to another user; run this command as that user"
        ),
        _ => anyhow!("the server on {directory} cannot be reached: {error}"),
    }
}
