//! HTTP over a local socket, as docker's API speaks it: one GET after another, JSON back.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

/// Most bytes of one answer. A container is some 2 kB in the list of all.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// The connection broke, or the other side speaks something else.
    #[error("the connection failed")]
    Transport(#[from] hyper::Error),
    /// The request could not be made.
    #[error("the request is malformed")]
    Request(#[from] http::Error),
    /// It answered with an error.
    #[error("it answered with HTTP status {0}")]
    Status(u16),
    /// The answer was cut off, or is larger than what is taken.
    #[error("the answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not the expected JSON.
    #[error("the answer cannot be understood")]
    Json(#[from] serde_json::Error),
}

/// A connection. Dropping it closes the socket.
pub(super) struct Http {
    sender: SendRequest<Empty<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

impl Http {
    /// Starts to speak HTTP on the socket.
    pub(super) async fn on(stream: UnixStream) -> Result<Self, HttpError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How the connection ends is told to the call that is under way.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    /// What is at `path`, of which `T` names the fields that are wanted. It waits as long as the server does: the
    /// caller has the clock.
    ///
    /// # Cancel safety
    /// When dropped, the connection cannot be used further.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, HttpError> {
        let request = Request::get(path)
            .header(header::HOST, "docker")
            .header(header::ACCEPT, "application/json")
            .body(Empty::new())?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(HttpError::Status(response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        Ok(serde_json::from_slice(&body.map_err(HttpError::Body)?.to_bytes())?)
    }
}
