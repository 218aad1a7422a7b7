//! The clock and the book of the questions to the runtime: each has a limit, and a row in `calls.json` whatever becomes
//! of it.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use periscope_core::State;
use periscope_documents::{CallFailure, RuntimeCall};
use periscope_host::{Absence, HostError, HostPath};
use tokio::time::Instant;

use super::grpc::{GrpcError, UNIMPLEMENTED};
use super::http::HttpError;
use crate::host_files::reason_of;

/// Why a question has no answer.
#[derive(Debug, Clone)]
pub(super) struct CallError {
    /// The kind.
    pub(super) failure: CallFailure,
    /// The same in words.
    pub(super) message: String,
}

impl CallError {
    /// How an item ends that the answer was for.
    pub(super) fn state(&self) -> State {
        match self.failure {
            CallFailure::NoSocket => State::NotPresent,
            CallFailure::Denied => State::Denied,
            CallFailure::TimedOut => State::TimedOut,
            CallFailure::Unimplemented => State::NotApplicable,
            CallFailure::Refused | CallFailure::Error => State::Failed,
        }
    }

    fn new(failure: CallFailure, error: &dyn std::error::Error) -> Self {
        Self {
            failure,
            message: reason_of(error),
        }
    }
}

impl From<HostError> for CallError {
    fn from(error: HostError) -> Self {
        let failure = match (&error, error.absence()) {
            (HostError::Connect { source, .. }, _) if source.kind() == std::io::ErrorKind::ConnectionRefused => {
                CallFailure::Refused
            }
            // Its queue of connections is full: nobody takes them.
            (HostError::Connect { source, .. }, _) if source.kind() == std::io::ErrorKind::WouldBlock => {
                CallFailure::TimedOut
            }
            (_, Absence::NotPresent) => CallFailure::NoSocket,
            (_, Absence::Denied) => CallFailure::Denied,
            _ => CallFailure::Error,
        };
        Self::new(failure, &error)
    }
}

impl From<GrpcError> for CallError {
    fn from(error: GrpcError) -> Self {
        let failure = match error {
            GrpcError::Status {
                code: UNIMPLEMENTED, ..
            } => CallFailure::Unimplemented,
            _ => CallFailure::Error,
        };
        Self::new(failure, &error)
    }
}

impl From<HttpError> for CallError {
    fn from(error: HttpError) -> Self {
        Self::new(CallFailure::Error, &error)
    }
}

impl From<std::io::Error> for CallError {
    fn from(error: std::io::Error) -> Self {
        Self::new(CallFailure::Error, &error)
    }
}

/// The questions so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    rows: Vec<RuntimeCall>,
}

impl Calls {
    /// Waits for `work`, which is the question `call` to `endpoint`, at most so long.
    ///
    /// # Cancel safety
    /// When dropped, the question has no row.
    pub(super) async fn ask<T, E: Into<CallError>>(
        &mut self,
        endpoint: &HostPath,
        call: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError> {
        let (start, clock) = (Timestamp::now(), Instant::now());
        let answer = match tokio::time::timeout(limit, work).await {
            Ok(answer) => answer.map_err(Into::into),
            Err(_) => Err(CallError {
                failure: CallFailure::TimedOut,
                message: format!("no answer within {} s", limit.as_secs()),
            }),
        };
        self.rows.push(RuntimeCall {
            endpoint: endpoint.to_string(),
            call: call.to_owned(),
            start,
            millis: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            failure: answer.as_ref().err().map(|error| error.failure),
            error: answer.as_ref().err().map(|error| error.message.clone()),
        });
        answer
    }

    /// Makes one row of the last `count`, which were the same question about several things: with all their time, and
    /// the first failure.
    pub(super) fn sum_up(&mut self, count: usize) {
        let last = self.rows.split_off(self.rows.len().saturating_sub(count));
        let millis = last.iter().map(|row| row.millis).sum();
        let failed = last.iter().find(|row| row.failure.is_some()).cloned();
        if let Some(mut row) = failed.or_else(|| last.into_iter().next()) {
            row.call = format!("{} ×{count}", row.call);
            row.millis = millis;
            self.rows.push(row);
        }
    }

    /// The questions, in the order they were asked.
    pub(super) fn rows(&self) -> &[RuntimeCall] {
        &self.rows
    }
}
