//! The rows in which the agents tell how a run goes (`kubectl get diagnostics`), as far as one agent reads another's.
//!
//! It writes none: that is for the agent.

use serde::{Deserialize, Serialize};

use crate::catalogue::ResourceType;

/// Names of rows begin so; the node's name follows. The Azure CLI reads them under this name.
const ROW_PREFIX: &str = "aks-periscope-diagnostic-";

/// The name of a node's row.
pub fn row_name(node: &str) -> String {
    format!("{ROW_PREFIX}{node}")
}

/// What a row's `status` says, at [`ClusterPart::FIELD`], of the cluster's part of a run. Only a node that does that part says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPart {
    /// The run.
    pub run_id: String,
    /// How far its part for the cluster is.
    pub phase: ClusterPhase,
}

impl ClusterPart {
    /// The field's name in `status`.
    pub const FIELD: &'static str = "cluster";
}

/// How far the cluster's part of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterPhase {
    /// It is being done.
    Running,
    /// It has ended, whatever is missing of it.
    Finished,
}

impl ResourceType {
    /// The agents' rows.
    pub fn diagnostics() -> Self {
        Self::known(
            "aks-periscope.azure.github.com",
            "v1",
            "Diagnostic",
            "diagnostics",
            true,
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_words_of_a_row_are_these() {
        let part = ClusterPart {
            run_id: "2026-11-21T10-00-00Z".into(),
            phase: ClusterPhase::Finished,
        };
        let status = json!({(ClusterPart::FIELD): part});
        assert_eq!(
            status,
            json!({"cluster": {"runId": "2026-11-21T10-00-00Z", "phase": "Finished"}})
        );
        assert_eq!(
            row_name("aks-pool1-1-vmss000000"),
            "aks-periscope-diagnostic-aks-pool1-1-vmss000000"
        );
    }
}
