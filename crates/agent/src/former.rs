//! What an earlier agent of this node did that this one cannot remember: a node that is reimaged, as at each upgrade,
//! loses its folder and keeps its row. Its archive is of then, and would be overwritten by one of now.

use std::time::Duration;

use kube::core::DynamicObject;
use kube::{Api, Client};
use periscope_core::{NodeName, RunId};
use tokio::time::timeout;

use crate::rows::{Phase, Row, resource, row_name};

/// The bound of the one request. Nothing that the row says may hold up a run.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// The node's row, as agents before this one left it.
pub(crate) struct FormerRow<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: &'a str,
    pub(crate) node: &'a NodeName,
}

impl FormerRow<'_> {
    /// Whether it says that this run has ended. Where it cannot be read, or keeps no such thing, it does not.
    pub(crate) async fn has_made(&self, id: &RunId) -> bool {
        let row = self.ask().await.flatten().and_then(|object| Row::read(object).ok());
        row.is_some_and(|row| {
            let run = row.status.run;
            // One that was cancelled is made again.
            run.run_id == id.as_str() && matches!(run.phase, Phase::Complete | Phase::Partial | Phase::Failed)
        })
    }

    /// Whether there is none. Where that is not known, it does not count.
    pub(crate) async fn is_absent(&self) -> bool {
        matches!(self.ask().await, Some(None))
    }

    /// The row, if there is one; `None` where the API server does not tell.
    async fn ask(&self) -> Option<Option<DynamicObject>> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), self.namespace, &resource());
        match timeout(ANSWER_TIMEOUT, api.get_opt(&row_name(self.node))).await {
            Ok(Ok(row)) => Some(row),
            Ok(Err(error)) => {
                tracing::debug!(%error, "The node's row is not known.");
                None
            }
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::FormerRow;
    use crate::mock_api::mock_api;

    fn row(run: &str, phase: &str) -> (u16, Value) {
        let status = json!({"runId": run, "phase": phase});
        (
            200,
            json!({"apiVersion": "v1", "kind": "Diagnostic", "metadata": {"name": "r"}, "spec": {}, "status": status}),
        )
    }

    fn refused(code: u16) -> (u16, Value) {
        (
            code,
            json!({"kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": "No"}),
        )
    }

    #[rstest]
    #[case::ended(row("a", "Partial"), true)]
    #[case::failed(row("a", "Failed"), true)]
    #[case::under_way(row("a", "Running"), false)]
    #[case::ended_early(row("a", "Cancelled"), false)]
    #[case::another_run(row("b", "Complete"), false)]
    #[case::an_older_definition((200, json!({"apiVersion": "v1", "kind": "Diagnostic", "metadata": {"name": "r"}, "spec": {}})), false)]
    #[case::no_row(refused(404), false)]
    #[case::not_allowed(refused(403), false)]
    #[tokio::test]
    async fn the_row_tells_what_has_ended(#[case] answer: (u16, Value), #[case] expected: bool) {
        let (client, asked) = mock_api(vec![answer]);
        let (node, id) = ("n".parse().unwrap(), "a".parse().unwrap());
        let row = FormerRow {
            client: &client,
            namespace: "ns",
            node: &node,
        };
        assert_eq!(row.has_made(&id).await, expected);
        assert_eq!(
            asked.await.unwrap(),
            ["/apis/aks-periscope.azure.github.com/v1/namespaces/ns/diagnostics/aks-periscope-diagnostic-n"]
        );
    }

    fn absent() -> (u16, Value) {
        (
            404,
            json!({"kind": "Status", "status": "Failure", "code": 404, "message": "no", "reason": "NotFound"}),
        )
    }

    #[rstest]
    #[case::a_row(row("a", "Partial"), false)]
    #[case::no_row(absent(), true)]
    #[case::not_allowed(refused(403), false)]
    #[tokio::test]
    async fn only_a_row_that_is_known_not_to_be_there_is_none(#[case] answer: (u16, Value), #[case] expected: bool) {
        let (client, _asked) = mock_api(vec![answer]);
        let row = FormerRow {
            client: &client,
            namespace: "ns",
            node: &"n".parse().unwrap(),
        };
        assert_eq!(row.is_absent().await, expected);
    }
}
