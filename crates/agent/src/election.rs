//! What the agent asks about the cluster's part of a run: is it this node's to do. Who decides that, and how, is not its matter.

use async_trait::async_trait;
use periscope_core::RunId;

/// Says which node does [`Part::Cluster`](crate::Part::Cluster).
#[async_trait]
pub trait Election: Send + Sync + 'static {
    /// Whether this node is to do the cluster's part of the run. Asked once for each run, after the node's own part.
    ///
    /// It may take its time, such as to see whether the node that is first in line does its duty; the agent stops waiting for it
    /// when the next run is there.
    ///
    /// # Cancel safety
    /// The future may be dropped at any time.
    async fn is_ours(&self, run_id: &RunId) -> bool;
}

/// The same answer for every run: for a cluster of one node, or where the cluster's part is done elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Decided(pub bool);

#[async_trait]
impl Election for Decided {
    async fn is_ours(&self, _run_id: &RunId) -> bool {
        self.0
    }
}
