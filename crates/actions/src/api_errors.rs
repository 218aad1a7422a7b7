//! What a failed request to the API server makes of the item it was for.

use periscope_cluster::{ClusterError, Failure};
use periscope_core::State;

/// The state of an item whose request failed.
pub(crate) fn state_of(error: &ClusterError) -> State {
    match error.failure() {
        Some(Failure::Denied) => State::Denied,
        Some(Failure::NotFound) => State::NotPresent,
        Some(Failure::TimedOut) => State::TimedOut,
        Some(Failure::Unreachable | Failure::Failed) => State::Failed,
        None => State::NotApplicable,
    }
}
