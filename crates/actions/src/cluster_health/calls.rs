//! Small requests to the API server, one after another, each timed; what all of them took is one document.

use std::time::Duration;

use http::StatusCode;
use periscope_cluster::{Answer, ClusterAccess, ClusterError, Failure};
use periscope_core::State;
use periscope_documents::ApiCall;
use serde_json::Value;

use crate::api_errors::state_of;
use crate::host_files::reason_of;

/// A healthy API server answers in milliseconds; one that takes longer than this is as good as gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer: the Node object of a node with hundreds of images is some 100 KiB.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Longest summary of an answer.
const MAX_SAID: usize = 500;

/// Requests that may go without any answer before no more are made.
const MAX_UNANSWERED: usize = 2;

/// The requests of one run.
pub(crate) struct Calls<'a> {
    access: &'a ClusterAccess,
    made: Vec<ApiCall>,
    unanswered: usize,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(access: &'a ClusterAccess) -> Self {
        Self {
            access,
            made: Vec::new(),
            unanswered: 0,
        }
    }

    /// What was asked and answered so far.
    pub(super) fn made(&self) -> &[ApiCall] {
        &self.made
    }

    /// Whether the server has shown that it does not answer.
    pub(super) fn is_given_up(&self) -> bool {
        self.unanswered >= MAX_UNANSWERED
    }

    /// Gets a path, and says what of it failed and how the items end that depend on it.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Vec<u8>, (State, String)> {
        if self.is_given_up() {
            let last = self.made.last().and_then(|call| call.error.clone());
            return Err((State::Failed, last.unwrap_or_default()));
        }
        let sent = jiff::Timestamp::now();
        let start = tokio::time::Instant::now();
        match self.access.ask(path, MAX_ANSWER_BYTES, ANSWER_TIMEOUT).await {
            Ok(answer) => {
                let call = ApiCall {
                    path: path.to_owned(),
                    sent: answer.sent,
                    millis: millis(answer.took),
                    status: Some(answer.status.as_u16()),
                    date: answer.date,
                    said: said(path, &answer),
                    error: None,
                };
                let result = result_of(&call, answer);
                self.made.push(call);
                result
            }
            Err(error) => {
                if matches!(error.failure(), Some(Failure::Unreachable | Failure::TimedOut)) {
                    self.unanswered += 1;
                }
                self.made.push(unanswered(path, sent, start.elapsed(), &error));
                Err((state_of(&error), reason_of(&error)))
            }
        }
    }
}

fn unanswered(path: &str, sent: jiff::Timestamp, took: Duration, error: &ClusterError) -> ApiCall {
    ApiCall {
        path: path.to_owned(),
        sent,
        millis: millis(took),
        status: None,
        date: None,
        said: String::new(),
        error: Some(reason_of(error)),
    }
}

fn result_of(call: &ApiCall, answer: Answer) -> Result<Vec<u8>, (State, String)> {
    let state = match answer.status {
        status if status.is_success() => return Ok(answer.body),
        // The list of checks is the answer, whether they pass or not.
        StatusCode::INTERNAL_SERVER_ERROR if call.path == ApiCall::READYZ => return Ok(answer.body),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => State::Denied,
        StatusCode::NOT_FOUND => State::NotPresent,
        _ => State::Failed,
    };
    Err((
        state,
        format!("{}: HTTP {}: {}", call.path, answer.status.as_u16(), call.said),
    ))
}

/// The answer in a few words.
fn said(path: &str, answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let mut said = if path == ApiCall::READYZ && !text.trim_start().starts_with('{') {
        // `[+]ping ok` and `[-]etcd failed: reason withheld` (`k8s.io/apiserver/pkg/server/healthz`).
        let failed: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("[-]")).collect();
        if failed.is_empty() {
            text.lines().last().unwrap_or_default().to_owned()
        } else {
            failed.join("; ")
        }
    } else {
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(fields)) => {
                let word = |name: &str| fields.get(name).and_then(Value::as_str);
                word("gitVersion")
                    .or_else(|| word("message"))
                    .unwrap_or_default()
                    .to_owned()
            }
            _ => text.lines().next().unwrap_or_default().trim().to_owned(),
        }
    };
    said.truncate(said.floor_char_boundary(MAX_SAID));
    said
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
