//! The rows in which the agents tell how a run goes (`kubectl get diagnostics`), as far as one agent goes by another's.
//!
//! It writes none, and reads only how far the cluster's part is: the rest is for the agent.

use serde::Deserialize;
use serde_json::Value;

use crate::catalogue::ResourceType;

/// Names of rows begin so; the node's name follows.
const ROW_PREFIX: &str = "aks-periscope-diagnostic-";

/// The name of a node's row.
pub(crate) fn row_name(node: &str) -> String {
    format!("{ROW_PREFIX}{node}")
}

/// What a row says of the cluster's part of a run, in `status.cluster`. Only a node that does that part says it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClusterPart {
    run_id: String,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Phase {
    Complete,
    Partial,
    Failed,
    Cancelled,
    #[serde(other)]
    UnderWay,
}

/// What a row says of a run's part for the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The row has no `status`: its definition is of an earlier version, and keeps none.
    Mute,
    /// It is not begun, or under way.
    Pending,
    /// There is a result.
    Done,
    /// It has ended without one.
    Lost,
}

impl Word {
    /// Of the row, about the run of this name.
    pub(crate) fn of(row: &Value, run_id: &str) -> Self {
        let Some(status) = row.get("status") else {
            return Self::Mute;
        };
        let part = status.get("cluster").cloned();
        let part = part.and_then(|part| serde_json::from_value::<ClusterPart>(part).ok());
        match part.filter(|part| part.run_id == run_id).map(|part| part.phase) {
            Some(Phase::Complete | Phase::Partial) => Self::Done,
            Some(Phase::Failed | Phase::Cancelled) => Self::Lost,
            Some(Phase::UnderWay) | None => Self::Pending,
        }
    }
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
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::no_status(json!({"spec": {}}), Word::Mute)]
    #[case::not_begun(json!({"status": {"runId": "run", "phase": "Complete"}}), Word::Pending)]
    #[case::another_run(json!({"status": {"cluster": {"runId": "earlier", "phase": "Complete"}}}), Word::Pending)]
    #[case::under_way(json!({"status": {"cluster": {"runId": "run", "phase": "Running"}}}), Word::Pending)]
    #[case::a_newer_word(json!({"status": {"cluster": {"runId": "run", "phase": "Packing"}}}), Word::Pending)]
    #[case::complete(json!({"status": {"cluster": {"runId": "run", "phase": "Complete", "more": 1}}}), Word::Done)]
    #[case::partial(json!({"status": {"cluster": {"runId": "run", "phase": "Partial"}}}), Word::Done)]
    #[case::cancelled(json!({"status": {"cluster": {"runId": "run", "phase": "Cancelled"}}}), Word::Lost)]
    fn rows_are_read(#[case] row: Value, #[case] expected: Word) {
        assert_eq!(Word::of(&row, "run"), expected);
    }

    #[test]
    fn a_row_is_called_after_its_node() {
        assert_eq!(
            row_name("aks-a-1-vmss000000"),
            "aks-periscope-diagnostic-aks-a-1-vmss000000"
        );
    }
}
