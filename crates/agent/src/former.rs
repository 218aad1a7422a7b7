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

/// Whether the node's row says that this run has ended. Where it cannot be read, or keeps no such thing, it does not.
pub(crate) async fn has_made(client: &Client, namespace: &str, node: &NodeName, id: &RunId) -> bool {
    let answer = ask(client, namespace, node).await.flatten();
    let row = answer.and_then(|object| Row::read(serde_json::to_value(object).ok()?).ok());
    row.is_some_and(|row| {
        let run = row.status.run;
        // One that was cancelled is made again.
        run.run_id == id.as_str() && matches!(run.phase, Phase::Complete | Phase::Partial | Phase::Failed)
    })
}

/// Whether the node has no row. Where that is not known, it does not count.
pub(crate) async fn has_no_row(client: &Client, namespace: &str, node: &NodeName) -> bool {
    matches!(ask(client, namespace, node).await, Some(None))
}

/// The node's row, if it has one; `None` where the API server does not tell.
async fn ask(client: &Client, namespace: &str, node: &NodeName) -> Option<Option<DynamicObject>> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource());
    match timeout(ANSWER_TIMEOUT, api.get_opt(&row_name(node))).await {
        Ok(Ok(row)) => Some(row),
        Ok(Err(error)) => {
            tracing::debug!(%error, "The node's row is not known.");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{has_made, has_no_row};
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
        assert_eq!(has_made(&client, "ns", &node, &id).await, expected);
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
        assert_eq!(has_no_row(&client, "ns", &"n".parse().unwrap()).await, expected);
    }
}
