//! How the agent tells the cluster what it does. It waits for no answer about it: failing to tell is for the reporter
//! to remember or to log, and never ends a run.

use async_trait::async_trait;
use jiff::Timestamp;
use periscope_core::RunId;

use crate::{Outcome, Part, Progress};

/// Tells of runs: in the node's `Diagnostic` row, in Events, in metrics.
///
/// The methods are called one after another, never two at once, and for one part of a run in the order
/// `begin (diagnosed | progress)* end`. Each should be back within seconds: the run's own work goes on meanwhile, but what comes next is told only then.
#[async_trait]
pub trait Reporter: Send + Sync + 'static {
    /// The part begins; called before anything else is done for it.
    async fn begin(&self, run: &Run);

    /// The two texts of [`Update::Diagnosed`](crate::Update::Diagnosed) are there. Only for [`Part::Node`].
    async fn diagnosed(&self, run: &Run, network_config: &str, network_outbound: &str);

    /// How far the part is; at most every [`PROGRESS_EVERY`](crate::PROGRESS_EVERY), and once more right before the
    /// end.
    async fn progress(&self, run: &Run, progress: &Progress);

    /// The part has ended.
    async fn end(&self, run: &Run, ending: &Ending);

    /// Somebody wants a run that this node has made before. It is not made again, and nothing else is told of it.
    async fn made_before(&self, id: &RunId);
}

/// One part of a run on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The run's name.
    pub id: RunId,
    /// Which part of it.
    pub part: Part,
    /// When this attempt at it began.
    pub started: Timestamp,
    /// Counted from 1; above 1 after the agent was ended in the middle of it.
    pub attempt: u32,
}

/// How one part of a run ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// The agent was told to end in the middle of it: there may be less than there should be, and the next agent makes
    /// the run again.
    pub interrupted: bool,
    /// What it amounts to, or in one line why there is nothing.
    pub result: Result<Outcome, String>,
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

#[async_trait]
impl Reporter for Silent {
    async fn begin(&self, _run: &Run) {}
    async fn diagnosed(&self, _run: &Run, _network_config: &str, _network_outbound: &str) {}
    async fn progress(&self, _run: &Run, _progress: &Progress) {}
    async fn end(&self, _run: &Run, _ending: &Ending) {}
    async fn made_before(&self, _id: &RunId) {}
}
