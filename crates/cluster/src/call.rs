//! One bounded request: time limits, few retries, limited bodies.
//!
//! It knows nothing of lists or logs; every request of the crate goes through [`open`].

use std::{pin::Pin, time::Duration};

use futures::{AsyncBufRead, AsyncReadExt};
use http::Request;
use kube::Client;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::error::{Call, ClusterError, Trouble, classify};

/// A TCP connection to a healthy API server takes milliseconds; five seconds cover a lost SYN or two.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent. API servers answer a list within their own limit of 60 s and usually in under
/// one.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The bound of one answer's head, retries not included: connecting, waiting, and TLS on a slow link.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// The pauses before a second and a third try of a request that the server turned away for the moment.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The largest single object taken from the API, in bytes. etcd refuses objects over 1.5 MiB by default; JSON may be
/// several times its size there.
pub const MAX_OBJECT_BYTES: usize = 8 << 20;

/// The body of an answer, read as it arrives.
pub(crate) type Body = Pin<Box<dyn AsyncBufRead + Send>>;

/// Sends a request and returns the body of a successful answer.
///
/// Answers 429, 503 and 504 are tried again after the pauses of [`RETRY_PAUSES`], or longer ones if the answer says so:
/// the server asks for that itself.
///
/// # Cancel safety
/// Dropping the future abandons the request; nothing is kept.
pub(crate) async fn open(client: &Client, request: &Request<Vec<u8>>) -> Result<Body, Trouble> {
    open_with(client, request, &RETRY_PAUSES).await
}

async fn open_with(client: &Client, request: &Request<Vec<u8>>, pauses: &[Duration]) -> Result<Body, Trouble> {
    for pause in pauses {
        match open_once(client, request).await {
            Err(Trouble::Client(kube::Error::Api(status))) if matches!(status.code, 429 | 503 | 504) => {
                tracing::debug!(code = status.code, "The API server asks to try again later.");
                let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                let asked = Duration::from_secs(asked.into()).min(LONGEST_PAUSE);
                sleep(asked.max(*pause)).await;
            }
            other => return other,
        }
    }
    open_once(client, request).await
}

async fn open_once(client: &Client, request: &Request<Vec<u8>>) -> Result<Body, Trouble> {
    match timeout(ANSWER_TIMEOUT, client.request_stream(request.clone())).await {
        Ok(Ok(body)) => Ok(Box::pin(body)),
        Ok(Err(error)) => Err(Trouble::Client(error)),
        Err(_) => Err(Trouble::Overdue(ANSWER_TIMEOUT)),
    }
}

/// Sends a request and reads its whole JSON answer of at most `limit` bytes.
pub(crate) async fn fetch<T: DeserializeOwned>(
    client: &Client,
    call: &Call,
    request: &Request<Vec<u8>>,
    limit: usize,
) -> Result<T, ClusterError> {
    let read = async {
        let body = open(client, request).await?;
        let mut bytes = Vec::new();
        let mut limited = body.take(limit as u64 + 1);
        match timeout(ANSWER_TIMEOUT, limited.read_to_end(&mut bytes)).await {
            Ok(Ok(_)) if bytes.len() <= limit => Ok(bytes),
            Ok(Ok(_)) => Err(Trouble::Answer(format!("the answer is larger than {limit} bytes"))),
            Ok(Err(error)) => Err(Trouble::Body(error)),
            Err(_) => Err(Trouble::Overdue(ANSWER_TIMEOUT)),
        }
    };
    let parsed = read
        .await
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| Trouble::Answer(error.to_string())));
    parsed.map_err(|trouble| classify(call, trouble))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{access::mock_api, error::Failure};

    fn get(path: &str) -> Request<Vec<u8>> {
        Request::get(path).body(Vec::new()).unwrap()
    }

    #[tokio::test]
    async fn an_answer_of_try_again_is_tried_again_and_then_given_up() {
        let (client, served) = mock_api(vec![
            (503, json!({"kind": "Status", "code": 503})),
            (429, json!({"kind": "Status", "code": 429})),
            (503, json!({"kind": "Status", "code": 503})),
        ]);
        let result = open_with(&client, &get("/api"), &[Duration::ZERO; 2]).await;
        assert!(matches!(result, Err(Trouble::Client(kube::Error::Api(status))) if status.code == 503));
        assert_eq!(served.await.unwrap(), ["/api", "/api", "/api"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_says_how_long_to_wait_within_bounds() {
        let busy = |seconds: u32| {
            let details = json!({"retryAfterSeconds": seconds});
            (429, json!({"kind": "Status", "code": 429, "details": details}))
        };
        let (client, served) = mock_api(vec![busy(7), busy(3600), (200, json!({}))]);
        let begun = tokio::time::Instant::now();
        assert!(open(&client, &get("/api")).await.is_ok());
        assert_eq!(begun.elapsed().as_secs(), 7 + LONGEST_PAUSE.as_secs());
        assert_eq!(served.await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_refusal_is_not_tried_again() {
        let (client, served) = mock_api(vec![(403, json!({"kind": "Status", "code": 403}))]);
        let call = Call::new("get", "nodes");
        let error = fetch::<Value>(&client, &call, &get("/api/v1/nodes/n"), 100)
            .await
            .unwrap_err();
        assert_eq!(error.failure(), Some(Failure::Denied));
        assert_eq!(served.await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_no_further() {
        let body = json!({"a": "x".repeat(50)});
        let size = body.to_string().len();
        let (client, _served) = mock_api(vec![(200, body.clone()), (200, body.clone())]);
        let call = Call::new("get", "nodes");
        let exact: Value = fetch(&client, &call, &get("/a"), size).await.unwrap();
        assert_eq!(exact, body);
        let error = fetch::<Value>(&client, &call, &get("/a"), size - 1).await.unwrap_err();
        assert_eq!(error.failure(), Some(Failure::Failed));
    }
}
