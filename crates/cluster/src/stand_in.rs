//! The wait of a node that does the cluster's part of a run only if those before it in the line do not.
//!
//! It hears of the first in line by its row, which changes every few seconds while that node works. Where the rows'
//! definition is of an earlier version, which keeps no `status`, it looks once whether the others are still there, and
//! leaves it at that.

use std::time::Duration;

use futures::{AsyncBufReadExt, AsyncReadExt};
use kube::core::{DynamicObject, Resource, params::WatchParams, request::Request};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::{
    call::{MAX_OBJECT_BYTES, open},
    catalogue::ResourceType,
    diagnostics::{Word, row_name},
    election::Election,
    error::{Call, Trouble, classify},
};

/// How long the first in line may be silent before the next looks after it, and the one after that as long again.
const PATIENCE: Duration = Duration::from_mins(2);

/// The longest wait; a run's longest action takes half of it.
const LONGEST: Duration = Duration::from_mins(30);

/// The longest watch that is asked for at once; the server ends longer ones at any time (`--min-request-timeout`).
const MAX_WATCH_SECONDS: u32 = 290;

/// The pause before a watch that broke off is begun anew.
const PAUSE: Duration = Duration::from_secs(5);

/// A node that waits whether it has to do the part.
#[derive(Debug)]
pub struct StandIn {
    election: Election,
    run_id: String,
    before: Vec<String>,
}

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Finished,
    /// Nothing was heard for as long as it may take, or that there is no result.
    Silence,
    /// The rows tell nothing, or may not be watched.
    Mute,
}

impl StandIn {
    pub(crate) fn new(election: Election, run_id: &str, before: Vec<String>) -> Self {
        Self {
            election,
            run_id: run_id.to_owned(),
            before,
        }
    }

    /// The nodes before this one in the line, the first first.
    pub fn before(&self) -> &[String] {
        &self.before
    }

    /// Waits until the part is done, or until this node has to do it: then `true`. `false` when cancelled.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the wait; nothing is kept.
    pub async fn wait(&self, cancel: &CancellationToken) -> bool {
        cancel.run_until_cancelled(self.turn_comes()).await.unwrap_or(false)
    }

    async fn turn_comes(&self) -> bool {
        let turn = u32::try_from(self.before.len()).unwrap_or(u32::MAX);
        let patience = PATIENCE.saturating_mul(turn);
        let watched = match self.before.first() {
            Some(leader) => self.watch(leader, patience).await,
            None => Watched::Mute,
        };
        match watched {
            Watched::Finished => return false,
            Watched::Silence => {}
            Watched::Mute => sleep(patience).await,
        }
        match self.election.still_there(&self.before).await {
            // A node that is there, says nothing, and could: it hangs. One between the two will have seen that, too.
            Ok(there) if watched == Watched::Silence => there.iter().all(|node| self.before.first() == Some(node)),
            Ok(there) => there.is_empty(),
            Err(error) => {
                tracing::warn!(%error, "It is not known whether the cluster's part of the run is done.");
                false
            }
        }
    }

    /// Follows the row of `leader` until it says that the part is done, or says nothing for as long as `patience`.
    async fn watch(&self, leader: &str, patience: Duration) -> Watched {
        let end = Instant::now() + LONGEST;
        let mut quiet = Instant::now() + patience;
        loop {
            match self.follow(leader, &mut quiet, patience).await {
                Ok(Some(watched)) => return watched,
                // The server ends watches now and then.
                Ok(None) => {}
                // Rows that may not be read, or are not defined at all.
                Err(Trouble::Client(kube::Error::Api(status))) if matches!(status.code, 401 | 403 | 404) => {
                    return Watched::Mute;
                }
                Err(trouble) => {
                    let error = classify(&Call::new("watch", "diagnostics"), trouble);
                    tracing::debug!(%error, "The row of the first in line is not heard.");
                }
            }
            let next = (Instant::now() + PAUSE).min(quiet);
            sleep_until(next).await;
            let now = Instant::now();
            if now >= quiet || now >= end {
                return Watched::Silence;
            }
        }
    }

    /// One watch. What is heard puts off the moment at which the row counts as silent. `None` when the server ended it.
    async fn follow(&self, leader: &str, quiet: &mut Instant, patience: Duration) -> Result<Option<Watched>, Trouble> {
        let resource = ResourceType::diagnostics();
        let url = DynamicObject::url_path(&resource.api_resource(), Some(&self.election.namespace));
        let left = quiet.saturating_duration_since(Instant::now()).as_secs();
        let params = WatchParams::default()
            .fields(&format!("metadata.name={}", row_name(leader)))
            .timeout(u32::try_from(left).unwrap_or_default().clamp(1, MAX_WATCH_SECONDS))
            .disable_bookmarks();
        // From any version on: the row as it is comes first.
        let request = Request::new(url)
            .watch(&params, "0")
            .map_err(|error| Trouble::Client(kube::Error::BuildRequest(error)))?;
        let mut body = open(self.election.access.client(), &request).await?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut bounded = (&mut body).take(MAX_OBJECT_BYTES as u64);
            match timeout_at(*quiet, bounded.read_until(b'\n', &mut line)).await {
                Err(_) => return Ok(Some(Watched::Silence)),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(Trouble::Body(error)),
            }
            match heard(&line, &self.run_id)? {
                Word::Done => return Ok(Some(Watched::Finished)),
                Word::Lost => return Ok(Some(Watched::Silence)),
                Word::Mute => return Ok(Some(Watched::Mute)),
                // It changes: whoever writes it lives.
                Word::Pending => *quiet = Instant::now() + patience,
            }
        }
    }
}

/// Reads one event of the watch.
fn heard(line: &[u8], run_id: &str) -> Result<Word, Trouble> {
    let event: Value = serde_json::from_slice(line).map_err(|error| Trouble::Answer(error.to_string()))?;
    match (event.get("type").and_then(Value::as_str), event.get("object")) {
        // A deleted row comes back with the run, if its node does.
        (Some("DELETED"), _) => Ok(Word::Pending),
        (Some("ADDED" | "MODIFIED"), Some(row)) => Ok(Word::of(row, run_id)),
        // Such as an `ERROR` of 410: the watch has to begin anew.
        _ => Err(Trouble::Answer("the watch broke off".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use kube::{Client, client::Body};
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::{
        access::{ApiServer, ClusterAccess},
        election::tests::{nodes, pods},
        sources::Identity,
    };

    fn event(kind: &str, status: &Value) -> String {
        let mut object = json!({"metadata": {"name": "aks-periscope-diagnostic-a"}});
        if !status.is_null() {
            object["status"] = status.clone();
        }
        format!("{}\n", json!({"type": kind, "object": object}))
    }

    fn part(run: &str, phase: &str) -> Value {
        json!({"runId": run, "cluster": {"runId": run, "phase": phase}})
    }

    /// What a watch answers: a status, and lines.
    type Watch = (u16, String);

    /// Whether the stand-in takes over, and how often it asked; time passes as fast as it can.
    async fn taken_over(
        before: &[&str],
        watches: Vec<Watch>,
        pods_then: &[(&str, &str, &str)],
        nodes_then: &[(&str, &str)],
    ) -> (bool, usize) {
        let (service, mut handle) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
        let (pods, nodes) = (pods(pods_then).1.to_string(), nodes(nodes_then).1.to_string());
        let serving = tokio::spawn(async move {
            let mut watches = watches.into_iter();
            let mut asked = 0;
            while let Some((request, send)) = handle.next_request().await {
                asked += 1;
                let path = request.uri().to_string();
                let (status, text) = if path.contains("watch=true") {
                    assert!(path.contains("metadata.name%3Daks-periscope-diagnostic-a"), "{path}");
                    watches.next().unwrap_or((200, String::new()))
                } else {
                    (
                        200,
                        if path.contains("/nodes") {
                            nodes.clone()
                        } else {
                            pods.clone()
                        },
                    )
                };
                let answer = Response::builder().status(status).body(Body::from(text.into_bytes()));
                send.send_response(answer.unwrap());
            }
            asked
        });
        let server = ApiServer {
            host: "api.test".into(),
            port: 443,
        };
        let access = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, server);
        let election = Election::new(access, "aks-periscope", "c");
        let stand_in = StandIn::new(election, "run", before.iter().map(|&node| node.to_owned()).collect());
        let taken = stand_in.wait(&CancellationToken::new()).await;
        drop(stand_in);
        (taken, serving.await.unwrap())
    }

    const UP: [(&str, &str, &str); 2] = [("a", "1/1", "Running"), ("b", "1/1", "Running")];
    const READY: [(&str, &str); 2] = [("a", "Ready"), ("b", "Ready")];

    #[tokio::test(start_paused = true)]
    async fn a_part_that_is_done_is_not_done_again() {
        let lines = event("ADDED", &part("earlier", "Complete"))
            + &event("MODIFIED", &part("run", "Running"))
            + &event("MODIFIED", &part("run", "Complete"));
        assert_eq!(taken_over(&["a"], vec![(200, lines)], &UP, &READY).await, (false, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_ends_is_begun_anew() {
        let first = event("ADDED", &part("run", "Running"));
        let second = event("ADDED", &part("run", "Complete"));
        let broken = event("ERROR", &json!({"code": 410}));
        let watches = vec![(200, first), (500, String::new()), (200, broken), (200, second)];
        assert_eq!(taken_over(&["a"], watches, &UP, &READY).await, (false, 4));
    }

    #[rstest]
    #[case::pod_is_gone(&[("b", "1/1", "Running")], &READY)]
    #[case::pod_crashes(&[("a", "0/1", "CrashLoopBackOff")], &READY)]
    #[case::node_is_lost(&UP, &[("a", "NotReady"), ("b", "Ready")])]
    #[case::silent_though_there(&UP, &READY)]
    #[tokio::test(start_paused = true)]
    async fn when_the_first_falls_silent_the_next_takes_over(
        #[case] pods: &[(&str, &str, &str)],
        #[case] nodes: &[(&str, &str)],
    ) {
        let begun = event("ADDED", &part("run", "Running"));
        let (taken, _) = taken_over(&["a"], vec![(200, begun)], pods, nodes).await;
        assert!(taken);
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_first_ends_without_a_result_the_next_takes_over_at_once() {
        let lines = event("ADDED", &part("run", "Running")) + &event("MODIFIED", &part("run", "Failed"));
        let begun = Instant::now();
        assert_eq!(
            taken_over(&["a"], vec![(200, lines.clone())], &UP, &READY).await,
            (true, 3)
        );
        assert_eq!(begun.elapsed().as_secs(), 0);
        // The third in line leaves it to the second, which is there.
        assert!(!taken_over(&["a", "b"], vec![(200, lines)], &UP, &READY).await.0);
    }

    #[rstest]
    #[case::second_is_there(&READY, false)]
    #[case::second_is_lost_too(&[("a", "NotReady"), ("b", "NotReady")], true)]
    #[case::only_the_silent_one_is_there(&[("a", "Ready"), ("b", "NotReady")], true)]
    #[tokio::test(start_paused = true)]
    async fn the_third_leaves_it_to_the_second(#[case] nodes: &[(&str, &str)], #[case] expected: bool) {
        let begun = event("ADDED", &part("run", "Running"));
        let (taken, _) = taken_over(&["a", "b"], vec![(200, begun)], &UP, nodes).await;
        assert_eq!(taken, expected);
    }

    #[rstest]
    #[case::pruned(200, &READY, false)]
    #[case::pruned_and_lost(200, &[("a", "NotReady")], true)]
    #[case::not_defined(404, &READY, false)]
    #[case::not_allowed_and_lost(403, &[], true)]
    #[tokio::test(start_paused = true)]
    async fn rows_without_a_status_make_it_look_once(
        #[case] status: u16,
        #[case] nodes: &[(&str, &str)],
        #[case] expected: bool,
    ) {
        let text = if status == 200 {
            event("ADDED", &Value::Null)
        } else {
            json!({"kind": "Status", "code": status}).to_string()
        };
        let begun = Instant::now();
        let (taken, asked) = taken_over(&["a"], vec![(status, text)], &UP, nodes).await;
        assert_eq!((taken, asked), (expected, 3));
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_can_be_cancelled() {
        let (service, _handle) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
        let server = ApiServer {
            host: "api.test".into(),
            port: 443,
        };
        let access = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, server);
        let stand_in = StandIn::new(Election::new(access, "ns", "b"), "run", vec!["a".into()]);
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert!(!stand_in.wait(&cancel).await);
    }
}
