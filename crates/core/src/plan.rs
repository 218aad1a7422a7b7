//! What an action would take, told before it takes anything: sizes are estimates, and nothing here reads content.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{NodeInfo, State};

/// How much smaller text becomes in the archive. Logs of containers and journals shrink to a quarter or a sixth of
/// their length at the level in use (`docs/benchmarks.md`).
const RATIO: u64 = 5;

/// What is the same for the whole plan.
#[derive(Debug, Clone)]
pub struct PlanContext {
    /// The node.
    pub node: Arc<NodeInfo>,
    /// Nothing older than this is asked for.
    pub since: Option<Timestamp>,
}

/// An item that a run would have, as far as that is known without running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedItem {
    /// The artifact's name below the action's folder.
    pub name: String,
    /// Where it comes from: a path on the node, a command, an API path.
    pub source: Option<String>,
    /// About how many bytes it has; `None` when that is known only when it is taken.
    pub bytes: Option<u64>,
    /// About how many of them it takes in the archive.
    pub packed_bytes: Option<u64>,
    /// How it would end: [`State::Collected`] when it would be taken.
    pub state: State,
    /// Why it would not be taken.
    pub reason: Option<String>,
}

impl PlannedItem {
    /// An item that would be taken, of a size that nobody knows yet.
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            source: Some(source.into()),
            bytes: None,
            packed_bytes: None,
            state: State::Collected,
            reason: None,
        }
    }

    /// Its source has so many bytes of text.
    #[must_use]
    pub fn of_text(mut self, len: u64) -> Self {
        self.bytes = Some(len);
        self.packed_bytes = Some(len.div_ceil(RATIO));
        self
    }

    /// Its source has so many bytes and is compressed already.
    #[must_use]
    pub fn of_gzip(mut self, len: u64) -> Self {
        self.bytes = Some(len.saturating_mul(RATIO));
        self.packed_bytes = Some(len);
        self
    }

    /// An item that would not be taken.
    pub fn missing(name: impl Into<String>, state: State, reason: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            source: None,
            bytes: None,
            packed_bytes: None,
            state,
            reason: Some(reason.into()),
        }
    }

    /// Where it would have come from.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }
}
