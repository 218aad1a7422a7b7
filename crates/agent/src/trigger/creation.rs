//! The run id of the first era, which had none: when the pods were made, the same on every node.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use periscope_core::RunId;
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;

/// What every era's pods carry.
const LABEL: &str = "app=aks-periscope";

/// The bound of the one request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How often it is tried.
const TRIES: u32 = 5;

/// The creation of the oldest of our pods as a run id. A `DaemonSet` makes its pods within seconds of one another, and
/// one that joins later takes part in the run of the others, as it did then.
pub(super) async fn run_id(client: &Client, namespace: &str) -> Option<RunId> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(LABEL);
    let mut backoff = Backoff::default();
    for _ in 0..TRIES {
        match timeout(ANSWER_TIMEOUT, api.list_metadata(&params)).await {
            Ok(Ok(pods)) => {
                let made = pods.items.into_iter().filter_map(|pod| pod.metadata.creation_timestamp);
                return made.map(|time| time.0).min().map(RunId::at);
            }
            Ok(Err(error)) => tracing::warn!("Cannot list our pods for the run id of a manifest without one: {error}."),
            Err(_) => tracing::warn!("No answer in time to the list of our pods."),
        }
        sleep(backoff.next()).await;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mock_api::mock_api;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_pod_names_the_run() {
        let refused =
            json!({"kind": "Status", "status": "Failure", "code": 503, "message": "no", "reason": "Unavailable"});
        let made = ["2026-11-20T20:10:35Z", "2026-11-20T20:10:33Z"];
        let pods = made.map(|time| json!({"metadata": {"name": "p", "creationTimestamp": time}}));
        let (client, asked) = mock_api(vec![(503, refused), (200, json!({"metadata": {}, "items": pods}))]);
        assert_eq!(run_id(&client, "ns").await.unwrap().as_str(), "2026-11-20T20-10-33Z");
        assert_eq!(
            asked.await.unwrap()[1],
            "/api/v1/namespaces/ns/pods?&labelSelector=app%3Daks-periscope"
        );
    }
}
