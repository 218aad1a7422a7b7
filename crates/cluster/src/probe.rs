//! One small request, made once and timed: how the API server answers is what is asked for, so it is neither retried
//! nor called an error when the status says no.

use std::time::Duration;

use http::{Request, StatusCode, header::DATE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::{Timestamp, fmt::rfc2822};
use kube::client::Body;
use tokio::time::{Instant, timeout};

use crate::{
    access::ClusterAccess,
    error::{Call, ClusterError, Trouble, classify},
};

/// What the API server answered, and when.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When the request was sent, by the clock of this machine.
    pub sent: Timestamp,
    /// From sending to the last byte.
    pub took: Duration,
    /// HTTP status.
    pub status: StatusCode,
    /// The server's clock, in whole seconds, where it said it (RFC 9110, section 6.6.1).
    pub date: Option<Timestamp>,
    /// The body.
    pub body: Vec<u8>,
}

impl ClusterAccess {
    /// Gets a path, such as `/readyz?verbose`, within `bound`; of a body at most `limit` bytes.
    ///
    /// # Errors
    /// [`ClusterError::Api`] when there was no whole answer.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the request; nothing is kept.
    pub async fn ask(&self, path: &str, limit: usize, bound: Duration) -> Result<Answer, ClusterError> {
        let call = Call::new("get", path);
        let sent = Timestamp::now();
        let start = Instant::now();
        let answer = timeout(bound, self.ask_once(path, limit)).await;
        let (status, date, body) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(trouble)) => return Err(classify(&call, trouble)),
            Err(_) => return Err(classify(&call, Trouble::Overdue(bound))),
        };
        Ok(Answer {
            sent,
            took: start.elapsed(),
            status,
            date,
            body,
        })
    }

    async fn ask_once(&self, path: &str, limit: usize) -> Result<(StatusCode, Option<Timestamp>, Vec<u8>), Trouble> {
        let request = Request::get(path)
            .body(Body::empty())
            .map_err(|error| Trouble::Client(kube::Error::HttpError(error)))?;
        let response = self.client().send(request).await.map_err(Trouble::Client)?;
        let status = response.status();
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| Some(rfc2822::parse(date).ok()?.timestamp()));
        let body = match Limited::new(response.into_body(), limit).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Trouble::Answer(format!("the answer is larger than {limit} bytes")));
            }
            Err(error) => return Err(Trouble::Client(kube::Error::Service(error))),
        };
        Ok((status, date, body))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Response;
    use kube::{Client, client::Body};
    use serde_json::json;

    use crate::{
        access::{ApiServer, ClusterAccess, mock_access},
        error::Failure,
        sources::Identity,
    };

    const BOUND: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn an_answer_is_an_answer_whatever_its_status() {
        let (access, asked) = mock_access(vec![(500, json!("[-]etcd failed"))]);
        let answer = access.ask("/readyz?verbose", 100, BOUND).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_slice()),
            (500, &b"\"[-]etcd failed\""[..])
        );
        assert_eq!(answer.date, None);
        assert_eq!(asked.await.unwrap(), ["/readyz?verbose"]);
    }

    #[tokio::test]
    async fn the_servers_clock_is_read() {
        let (service, mut handle) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
        let serving = tokio::spawn(async move {
            let (_, send) = handle.next_request().await.unwrap();
            let answer = Response::builder().header("date", "Sat, 21 Nov 2026 14:55:07 GMT");
            send.send_response(answer.body(Body::empty()).unwrap());
        });
        let server = ApiServer {
            host: "api.test".into(),
            port: 443,
        };
        let access = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, server);
        let answer = access.ask("/livez", 100, BOUND).await.unwrap();
        assert_eq!(answer.date, Some("2026-11-21T14:55:07Z".parse().unwrap()));
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn a_long_answer_is_refused() {
        let (access, _asked) = mock_access(vec![(200, json!("x".repeat(100)))]);
        let error = access.ask("/version", 50, BOUND).await.unwrap_err();
        assert_eq!(error.failure(), Some(Failure::Failed));
    }

    #[tokio::test]
    async fn silence_is_bounded() {
        let (service, _handle) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
        let server = ApiServer {
            host: "api.test".into(),
            port: 443,
        };
        let access = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, server);
        let error = access.ask("/livez", 100, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(error.failure(), Some(Failure::TimedOut));
    }
}
