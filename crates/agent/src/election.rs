//! What the agent asks about the cluster's part of a run: is it this node's to do. Who decides that, and how, is not
//! its matter.

use std::time::Duration;

use async_trait::async_trait;
use periscope_cluster::{Failure, Role};
use periscope_core::RunId;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The pause before the API server is asked again that did not answer, as while it is restarted.
const PAUSE: Duration = Duration::from_secs(5);
/// So often it is asked: for five minutes and more.
const TRIES: usize = 60;

/// Says which node does [`Part::Cluster`](crate::Part::Cluster).
#[async_trait]
pub trait Election: Send + Sync + 'static {
    /// Whether this node is to do the cluster's part of the run. Asked once for each run, after the node's own part.
    ///
    /// It may take its time, such as to see whether the node that is first in line does its duty; the agent stops
    /// waiting for it some seconds after the next run came.
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

/// The cluster's nodes among themselves.
#[async_trait]
impl Election for periscope_cluster::Election {
    async fn is_ours(&self, run_id: &RunId) -> bool {
        for _ in 0..TRIES {
            match self.decide(run_id.as_str()).await {
                Ok(Role::Leader) => return true,
                // Who asks drops the future when it is to end.
                Ok(Role::StandIn(stand_in)) => return stand_in.wait(&CancellationToken::new()).await,
                Ok(Role::Follower) => return false,
                Err(error) if error.failure() == Some(Failure::Denied) => {
                    warn!(%error, "The cluster's part of the run is left to others.");
                    return false;
                }
                Err(error) => warn!(%error, "It is not known whose the cluster's part of the run is."),
            }
            sleep(PAUSE).await;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use periscope_cluster::{ApiServer, Client, ClusterAccess, Identity};
    use rstest::rstest;
    use serde_json::json;

    use super::Election as _;

    fn only_pod(node: &str) -> (u16, String) {
        let columns = ["Ready", "Status", "Node"].map(|name| json!({"name": name}));
        let row = json!({"cells": ["1/1", "Running", node]});
        (200, json!({"columnDefinitions": columns, "rows": [row]}).to_string())
    }

    #[rstest]
    #[case::the_lowest(vec![only_pod("n")], true)]
    #[case::after_the_server_was_away(vec![(500, String::new()), only_pod("n")], true)]
    #[case::not_allowed(vec![(403, json!({"kind": "Status", "code": 403}).to_string())], false)]
    #[tokio::test(start_paused = true)]
    async fn the_cluster_says_whose_it_is(#[case] answers: Vec<(u16, String)>, #[case] expected: bool) {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let serving = tokio::spawn(async move {
            for (status, text) in answers {
                let (_, send) = handle.next_request().await.unwrap();
                let answer = Response::builder().status(status);
                send.send_response(answer.body(Body::from(text.into_bytes())).unwrap());
            }
        });
        let server = ApiServer {
            host: "api.test".into(),
            port: 443,
        };
        let access = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, server);
        let election = periscope_cluster::Election::new(access, "ns", "n");
        assert_eq!(election.is_ours(&"run".parse().unwrap()).await, expected);
        serving.await.unwrap();
    }
}
