//! What the agent asks of the rest of the program: one run. Who implements it decides what a run gathers and where it
//! goes.

use std::sync::Arc;

use async_trait::async_trait;
use periscope_core::{Completeness, Finding, Receipt, RunId, State};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Configuration, Credentials};

/// Makes runs.
#[async_trait]
pub trait Collect: Send + Sync + 'static {
    /// Makes one run. What happens on the way goes to `updates`; whether anybody listens is not its matter. When
    /// `cancel` is cancelled it ends early and keeps, and uploads, what there is.
    ///
    /// # Errors
    /// One line that says why nothing could be collected at all.
    async fn collect(
        &self,
        order: Order,
        updates: mpsc::Sender<Update>,
        cancel: CancellationToken,
    ) -> Result<Outcome, String>;
}

/// One run that is to be made.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its name.
    pub run_id: RunId,
    /// What of the run.
    pub part: Part,
    /// What the user set, as it was when the run began.
    pub configuration: Arc<Configuration>,
    /// Where fresh credentials of the storage come from when it refuses those of the configuration.
    pub credentials: Arc<dyn Credentials>,
}

/// The parts of a run. Every node does its own; one of them does the cluster's too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What only this node can tell.
    Node,
    /// What the API server tells to any node alike.
    Cluster,
}

/// What happens during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// The two texts that `az aks kanalyze` shows, before the bulk of the run.
    Diagnosed {
        /// One JSON object (Periscope contract, section 1.4).
        network_config: String,
        /// One JSON array of objects with `Status`.
        network_outbound: String,
    },
    /// How far the run is.
    Progress(Progress),
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Actions that have ended.
    pub ended: usize,
    /// Actions in all.
    pub planned: usize,
    /// Actions under way, by id.
    pub running: Vec<&'static str>,
    /// Bytes gathered.
    pub bytes: u64,
    /// What the run waits for when nothing is gathered any more, such as a storage that is away.
    pub waiting: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Whether something is missing.
    pub completeness: Completeness,
    /// How many items ended in each state; states without items are left out.
    pub states: Vec<(State, usize)>,
    /// What failed or is missing, one line each, at most a few dozen.
    pub failures: Vec<String>,
    /// The findings, the gravest first.
    pub findings: Vec<Finding>,
    /// Archives on this node's disk.
    pub archives: Vec<Receipt>,
    /// Archives in the storage, or why they are not there; `None` where no storage is configured.
    pub uploads: Option<Result<Vec<Receipt>, String>>,
}
