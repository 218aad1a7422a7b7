//! Where each node stands in the run, and when there is nothing left to wait for. Pure: it asks nobody and knows no
//! clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use periscope_agent::rows::{Phase, Row, RunStatus};
use periscope_core::RunId;

use super::facts::{NodeFacts, PodFacts, SetFacts};

/// How long a node without a pod is waited for: the controller makes pods within a second or two.
const NO_POD: Duration = Duration::from_secs(30);
/// How long a pod that cannot start is waited for: the kubelet tries again after 10, 20 and 40 s.
const STUCK_POD: Duration = Duration::from_mins(1);
/// How long an agent that runs and tells nothing is waited for. Ours has a row within a second.
const SILENT: Duration = Duration::from_secs(90);
/// Restarts in the middle of a run after which it is not expected to end well.
const MAX_RESTARTS: i32 = 3;
/// How long the cluster's part is waited for to begin once every node has ended.
const CLUSTER_PART: Duration = Duration::from_secs(30);

/// Everything that was seen of the cluster at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) nodes: BTreeMap<String, NodeFacts>,
    /// By node.
    pub(super) pods: BTreeMap<String, PodFacts>,
    /// By node.
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) set: SetFacts,
    /// Why the controller cannot make pods, in its own words.
    pub(super) refusal: Option<String>,
    /// The pods that say that their node has made the run before.
    pub(super) made_before: BTreeSet<String>,
}

/// Where a node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is expected to begin.
    Waiting,
    /// It collects.
    Running,
    /// It has reported.
    Ended(Phase),
    /// It is not expected to report any more.
    GivenUp,
    /// Nothing is collected from such nodes.
    Excluded,
}

/// One node's part of the run.
#[derive(Debug, Clone)]
pub(super) struct NodeView {
    pub(super) name: String,
    pub(super) standing: Standing,
    /// Why it stands where it does, or what it is at.
    pub(super) note: String,
    /// What its row says of this run.
    pub(super) run: Option<RunStatus>,
    pub(super) pod: Option<String>,
}

/// The run as a whole.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) nodes: Vec<NodeView>,
    /// The node that does the cluster's part, and how far that is.
    pub(super) cluster: Option<(String, RunStatus)>,
}

impl NodeView {
    /// Whether the run waits for it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Waiting | Standing::Running)
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.standing, Standing::Ended(_))
    }

    /// The standing in one word.
    pub(super) fn word(&self) -> &'static str {
        match self.standing {
            Standing::Waiting => "waiting",
            Standing::Running => "running",
            Standing::Ended(Phase::Complete) => "complete",
            Standing::Ended(Phase::Partial) => "partial",
            Standing::Ended(Phase::Cancelled) => "cancelled",
            Standing::Ended(_) => "failed",
            Standing::GivenUp => "no report",
            Standing::Excluded => "left out",
        }
    }
}

impl View {
    /// Looks at what was seen `since` the run was asked for.
    pub(super) fn of(seen: &Seen, run: &RunId, since: Duration) -> Self {
        let nodes = seen
            .nodes
            .iter()
            .map(|(name, node)| node_view(name, node, seen, run, since));
        let parts = seen.rows.iter().filter_map(|(node, row)| {
            let part = row.status.cluster.as_ref().filter(|part| part.run_id == run.as_str())?;
            Some((node.clone(), part.clone()))
        });
        Self {
            nodes: nodes.collect(),
            // After a takeover two rows have a part: that of the one that has ended, or is alive, counts.
            cluster: parts.max_by_key(|(_, part)| (part_has_ended(part), part.started_at)),
        }
    }

    /// Whether the cluster's part is done.
    pub(super) fn cluster_has_ended(&self) -> bool {
        self.cluster.as_ref().is_some_and(|(_, part)| part_has_ended(part))
    }

    /// Whether no node is waited for any longer.
    pub(super) fn nodes_are_done(&self) -> bool {
        !self.nodes.iter().any(NodeView::is_open)
    }

    /// Whether there is nothing left to wait for, `settled` after the last node was done.
    pub(super) fn is_over(&self, settled: Duration) -> bool {
        if !self.nodes_are_done() {
            return false;
        }
        let nobody = !self.nodes.iter().any(NodeView::has_ended);
        match &self.cluster {
            Some((node, part)) => {
                // Whoever does it may be gone; another one takes over, or not.
                let is_lost = self
                    .nodes
                    .iter()
                    .any(|view| &view.name == node && view.standing == Standing::GivenUp);
                part_has_ended(part) || (is_lost && settled >= CLUSTER_PART)
            }
            None => nobody || settled >= CLUSTER_PART,
        }
    }
}

/// Whether the node has reported of the run. One that was ended early is made again.
pub(super) fn has_reported(row: &Row, run: &RunId) -> bool {
    let status = &row.status.run;
    status.run_id == run.as_str() && part_has_ended(status) && status.phase != Phase::Cancelled
}

/// Whether a part of a run has ended, also in the words of a newer agent.
fn part_has_ended(part: &RunStatus) -> bool {
    part.finished_at.is_some() || !matches!(part.phase, Phase::Running | Phase::Unknown)
}

fn node_view(name: &str, node: &NodeFacts, seen: &Seen, run: &RunId, since: Duration) -> NodeView {
    let pod = seen.pods.get(name);
    let status = seen
        .rows
        .get(name)
        .map(|row| &row.status.run)
        .filter(|status| status.run_id == run.as_str());
    let (standing, why) = judge(node, pod, status, seen, since);
    NodeView {
        name: name.to_owned(),
        standing,
        note: why,
        run: status.cloned(),
        pod: pod
            .filter(|pod| pod.is_running && !pod.is_ending)
            .map(|pod| pod.name.clone()),
    }
}

fn judge(
    node: &NodeFacts,
    pod: Option<&PodFacts>,
    status: Option<&RunStatus>,
    seen: &Seen,
    since: Duration,
) -> (Standing, String) {
    // What has reported has, whatever became of it since; an agent that was ended early leaves the run to the next one.
    let ended = status.filter(|status| part_has_ended(status));
    if let Some(status) = ended.filter(|status| status.phase != Phase::Cancelled || pod.is_none()) {
        let phase = if status.phase == Phase::Running {
            Phase::Unknown
        } else {
            status.phase
        };
        return (Standing::Ended(phase), status.message.clone());
    }
    if let Some(why) = node.excluded {
        return (Standing::Excluded, why.to_owned());
    }
    if let Some(why) = &node.not_ready {
        return (Standing::GivenUp, format!("the node is not ready: {why}"));
    }
    let patient = |patience: Duration| {
        if since < patience {
            Standing::Waiting
        } else {
            Standing::GivenUp
        }
    };
    let stuck = |pod: &PodFacts| {
        let (reason, message) = pod.stuck.clone()?;
        Some(
            format!("pod {}: {reason}: {message}", pod.name)
                .trim_end_matches([':', ' '])
                .to_owned(),
        )
    };
    match (pod, status) {
        (Some(pod), Some(status)) => match stuck(pod) {
            Some(why) if pod.restarts >= MAX_RESTARTS => (Standing::GivenUp, why),
            _ => (Standing::Running, at_what(status)),
        },
        (None, Some(status)) => (Standing::Running, at_what(status)),
        (Some(pod), None) if seen.made_before.contains(&pod.name) => {
            let why = "it has made a run of this id before and makes it only once: expected another --run-id";
            (Standing::GivenUp, why.to_owned())
        }
        (Some(pod), None) => match stuck(pod) {
            Some(why) => (patient(STUCK_POD), why),
            None if pod.is_running && since >= SILENT => {
                let why = format!("pod {} runs but has told nothing; its log may say why", pod.name);
                (Standing::GivenUp, why)
            }
            None if pod.is_running => (Standing::Waiting, "the agent has started".to_owned()),
            None => (Standing::Waiting, "its pod is being started".to_owned()),
        },
        (None, None) => {
            if let Some(why) = seen.set.refuses(node) {
                return (Standing::GivenUp, format!("no pod: {why}"));
            }
            let why = seen.refusal.as_deref().map(|why| format!(": {why}"));
            let cordoned = if node.is_cordoned {
                ", and the node is cordoned"
            } else {
                ""
            };
            let why = format!("it has no pod{cordoned}{}", why.unwrap_or_default());
            (patient(NO_POD), why)
        }
    }
}

fn at_what(status: &RunStatus) -> String {
    let running = status
        .progress
        .as_ref()
        .map(|progress| progress.running.join(", "))
        .unwrap_or_default();
    if running.is_empty() {
        status.message.clone()
    } else {
        running
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use periscope_agent::rows::{Phase, Row};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn row(node: &str, status: &Value) -> Row {
        Row::read(json!({"metadata": {"name": format!("aks-periscope-diagnostic-{node}")}, "status": status})).unwrap()
    }

    fn pod(stuck: Option<&str>, restarts: i32) -> PodFacts {
        PodFacts {
            name: "p".to_owned(),
            node: "n".to_owned(),
            is_running: stuck.is_none(),
            stuck: stuck.map(|why| (why.to_owned(), "the words".to_owned())),
            restarts,
            ..PodFacts::default()
        }
    }

    fn seen(node: NodeFacts, pod: Option<PodFacts>, status: Option<Value>) -> Seen {
        Seen {
            nodes: [("n".to_owned(), node)].into(),
            pods: pod.map(|pod| ("n".to_owned(), pod)).into_iter().collect(),
            rows: status
                .map(|status| ("n".to_owned(), row("n", &status)))
                .into_iter()
                .collect(),
            ..Seen::default()
        }
    }

    fn run() -> RunId {
        "r".parse().unwrap()
    }

    fn down() -> NodeFacts {
        NodeFacts {
            not_ready: Some("kubelet stopped".to_owned()),
            ..NodeFacts::default()
        }
    }

    const ENDED: Standing = Standing::Ended(Phase::Complete);

    #[rstest]
    #[case::begins(
        seen(NodeFacts::default(), Some(pod(None, 0)), None),
        5,
        Standing::Waiting,
        "has started"
    )]
    #[case::silent(
        seen(NodeFacts::default(), Some(pod(None, 0)), None),
        90,
        Standing::GivenUp,
        "told nothing"
    )]
    #[case::no_pod_yet(seen(NodeFacts::default(), None, None), 5, Standing::Waiting, "no pod")]
    #[case::no_pod(seen(NodeFacts::default(), None, None), 30, Standing::GivenUp, "no pod")]
    #[case::pulling(
        seen(NodeFacts::default(), Some(pod(Some("ErrImagePull"), 0)), None),
        59,
        Standing::Waiting,
        "ErrImagePull: the words"
    )]
    #[case::not_pulled(
        seen(NodeFacts::default(), Some(pod(Some("ImagePullBackOff"), 0)), None),
        60,
        Standing::GivenUp,
        "ImagePullBackOff"
    )]
    #[case::not_ready(seen(down(), None, None), 0, Standing::GivenUp, "not ready: kubelet stopped")]
    #[case::not_ready_any_more(
        seen(down(), Some(pod(None, 0)), Some(json!({"runId": "r", "phase": "Running"}))), 5, Standing::GivenUp, "not ready"
    )]
    #[case::runs(
        seen(NodeFacts::default(), Some(pod(None, 0)), Some(json!({"runId": "r", "phase": "Running", "progress": {"running": ["dns"]}}))),
        500, Standing::Running, "dns"
    )]
    #[case::crashes_in_the_middle(
        seen(NodeFacts::default(), Some(pod(Some("CrashLoopBackOff"), 3)), Some(json!({"runId": "r", "phase": "Running"}))),
        50, Standing::GivenUp, "CrashLoopBackOff"
    )]
    #[case::ended(seen(down(), None, Some(json!({"runId": "r", "phase": "Complete", "message": "all"}))), 50, ENDED, "all")]
    #[case::word_of_a_newer_agent(
        seen(NodeFacts::default(), None, Some(json!({"runId": "r", "phase": "Splendid", "finishedAt": "2026-11-20T10:00:00Z"}))),
        50, Standing::Ended(Phase::Unknown), ""
    )]
    #[case::the_next_agent_goes_on(
        seen(NodeFacts::default(), Some(pod(None, 0)), Some(json!({"runId": "r", "phase": "Cancelled", "message": "early"}))),
        50, Standing::Running, "early"
    )]
    #[case::no_next_agent(
        seen(NodeFacts::default(), None, Some(json!({"runId": "r", "phase": "Cancelled"}))), 50, Standing::Ended(Phase::Cancelled), ""
    )]
    #[case::row_of_the_run_before(
        seen(NodeFacts::default(), Some(pod(None, 0)), Some(json!({"runId": "q", "phase": "Complete"}))), 5, Standing::Waiting, "has started"
    )]
    fn a_node_stands_where_pod_and_row_say(
        #[case] seen: Seen,
        #[case] seconds: u64,
        #[case] standing: Standing,
        #[case] note: &str,
    ) {
        let view = View::of(&seen, &run(), Duration::from_secs(seconds));
        assert_eq!(view.nodes[0].standing, standing, "{}", view.nodes[0].note);
        assert!(view.nodes[0].note.contains(note), "{}", view.nodes[0].note);
    }

    #[test]
    fn a_node_that_makes_no_run_again_is_not_waited_for() {
        let mut seen = seen(NodeFacts::default(), Some(pod(None, 0)), None);
        seen.made_before.insert("p".to_owned());
        let view = View::of(&seen, &run(), Duration::ZERO);
        assert_eq!(view.nodes[0].standing, Standing::GivenUp);
        assert!(view.nodes[0].note.contains("--run-id"), "{}", view.nodes[0].note);
        assert!(view.is_over(Duration::ZERO));
    }

    #[rstest]
    #[case::ended(json!({"runId": "r", "phase": "Partial"}), true)]
    #[case::runs(json!({"runId": "r", "phase": "Running"}), false)]
    #[case::ended_early(json!({"runId": "r", "phase": "Cancelled"}), false)]
    #[case::another(json!({"runId": "q", "phase": "Complete"}), false)]
    fn a_row_says_whether_its_run_was_made(#[case] status: Value, #[case] expected: bool) {
        assert_eq!(has_reported(&row("n", &status), &run()), expected);
    }

    #[test]
    fn why_the_controller_makes_no_pod_is_told() {
        let mut seen = seen(NodeFacts::default(), None, None);
        seen.refusal = Some("pods is forbidden: violates PodSecurity".to_owned());
        let view = View::of(&seen, &run(), NO_POD);
        assert!(
            view.nodes[0].note.contains("violates PodSecurity"),
            "{}",
            view.nodes[0].note
        );
    }

    #[rstest]
    #[case::cluster_part_runs(json!({"runId": "r", "phase": "Complete", "cluster": {"runId": "r", "phase": "Running"}}), 100, false)]
    #[case::cluster_part_ended(json!({"runId": "r", "phase": "Complete", "cluster": {"runId": "r", "phase": "Partial"}}), 0, true)]
    #[case::cluster_part_of_before(json!({"runId": "r", "phase": "Complete", "cluster": {"runId": "q", "phase": "Partial"}}), 0, false)]
    #[case::nobody_does_it(json!({"runId": "r", "phase": "Complete"}), 30, true)]
    #[case::nobody_does_it_yet(json!({"runId": "r", "phase": "Complete"}), 29, false)]
    #[case::a_node_runs(json!({"runId": "r", "phase": "Running", "cluster": {"runId": "r", "phase": "Complete"}}), 100, false)]
    fn the_run_is_over_when_nothing_can_come(#[case] status: Value, #[case] settled: u64, #[case] over: bool) {
        let seen = seen(NodeFacts::default(), Some(pod(None, 0)), Some(status));
        let view = View::of(&seen, &run(), Duration::from_secs(1));
        assert_eq!(view.is_over(Duration::from_secs(settled)), over);
    }

    #[test]
    fn a_cluster_without_any_report_is_not_waited_for() {
        let view = View::of(&seen(down(), None, None), &run(), Duration::ZERO);
        assert!(view.is_over(Duration::ZERO));
    }

    #[test]
    fn who_took_the_clusters_part_over_counts() {
        let part = |phase: &str, at: &str| json!({"runId": "r", "phase": "Complete", "cluster": {"runId": "r", "phase": phase, "startedAt": at}});
        let mut seen = seen(
            NodeFacts::default(),
            None,
            Some(part("Running", "2026-11-20T10:00:00Z")),
        );
        seen.rows
            .insert("m".to_owned(), row("m", &part("Complete", "2026-11-20T10:01:00Z")));
        let view = View::of(&seen, &run(), Duration::ZERO);
        assert_eq!(view.cluster.as_ref().map(|(node, _)| node.as_str()), Some("m"));
        assert!(view.cluster_has_ended());
    }
}
