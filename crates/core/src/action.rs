//! What gathers one kind of diagnostics, and what it is given to do so; how its bytes are kept is the sink's affair.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{NodeName, PlanContext, PlannedItem, RunId, Sink, State, with_causes};

/// The node that a run is about.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// Its name in the cluster, or its host name.
    pub name: NodeName,
    /// Its operating system as it calls itself, such as `Ubuntu 24.04.1 LTS`.
    pub os: String,
    /// Its kernel's release, such as `6.8.0-1017-azure`.
    pub kernel: String,
}

/// Whether an action makes sense on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Yes,
    /// It does not, for this reason: its items become `not-applicable`.
    No(String),
}

/// What is the same for the whole run, and the sink for the action's artifacts. Everything else an action uses comes
/// through its constructor.
#[derive(Debug, Clone)]
pub struct ActionContext {
    /// The node.
    pub node: Arc<NodeInfo>,
    /// The run.
    pub run_id: RunId,
    /// When the run started.
    pub started: Timestamp,
    /// Nothing older than this is asked for.
    pub since: Option<Timestamp>,
    /// When the action will be cut off.
    pub deadline: Instant,
    /// Cancelled when the run is to end early. An action need not look at it: it is dropped then.
    pub cancel: CancellationToken,
    /// Where the artifacts go.
    pub sink: Sink,
}

/// Gathers one kind of diagnostics.
#[async_trait]
pub trait Action: Send + Sync + 'static {
    /// Whether the action makes sense on this node.
    async fn supported(&self, _node: &NodeInfo) -> Support {
        Support::Yes
    }

    /// What it would take, found out by looking at names, sizes and permissions only. `None` when it knows no more than
    /// its descriptor's items.
    async fn plan(&self, _cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        None
    }

    /// Gathers. What goes wrong with one item is recorded with that item, and the others go on.
    ///
    /// # Cancel safety
    /// The future may be dropped at any await: what was written to open artifacts by then is kept.
    ///
    /// # Errors
    /// When nothing further can be gathered: every item planned and not yet recorded gets the error's state and text.
    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError>;
}

/// Why an action could not gather any further.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ActionError {
    state: State,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ActionError {
    /// An error whose items end in `state`.
    pub fn new(state: State, message: impl Into<String>) -> Self {
        Self {
            state,
            message: message.into(),
            source: None,
        }
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How the items end that it leaves behind.
    pub fn state(&self) -> State {
        self.state
    }

    /// The error and its causes on one line, as they are recorded.
    pub fn reason(&self) -> String {
        with_causes(self)
    }
}
