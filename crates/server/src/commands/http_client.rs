//! One plain HTTP request to a server on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the server may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// Bytes of an answer.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Sends a request and reads the whole answer.
///
/// # Errors
/// When there is no server, or it does not answer in time.
pub(super) async fn send(
    address: SocketAddr,
    request: http::Request<Full<Bytes>>,
) -> Result<http::Response<Bytes>> {
    let answer = async {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("nothing answers on {address}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await.context("the server broke off")?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        connection.abort();
        let body = body.map_err(|error| anyhow!("the server broke off: {error}"))?;
        Ok(http::Response::from_parts(head, body.to_bytes()))
    };
    timeout(ANSWER_TIME, answer).await.map_err(|_| {
        anyhow!("the server on {address} did not answer within {} s", ANSWER_TIME.as_secs())
    })?
}
