//! Which node does the part of a run that is the same for all: the lowest-named Ready node that runs our pod. Nodes ask
//! the same question and so come to the same answer; no lease is needed, which the roles of earlier versions do not
//! allow.
//!
//! It says who is to do it, and does nothing itself. How the next in line learns that the first does not is in
//! `stand_in`.
//!
//! The printed list of our pods does not show that a node is lost: the node controller then sets the pods' condition
//! `Ready` (`MarkPodsNotReady`, `kubernetes/pkg/controller/util/node`), and the printed `1/1` counts containers
//! (`printPod`, `kubernetes/pkg/printers/internalversion`). The list of nodes shows it. So as not to have every node of
//! a large cluster ask for both, only those look further that may have to do it: the eight lowest, and of the others
//! those whose place is a power of two, should all eight be lost at once.

use std::collections::{BTreeMap, HashSet};

use crate::{access::ClusterAccess, catalogue::ResourceType, error::ClusterError, stand_in::StandIn};

/// By which our pods are known.
const OUR_PODS: &str = "app=aks-periscope";

/// Nodes that a pod of ours can be on; others say nothing about who does it.
const OUR_NODES: &str = "kubernetes.io/os=linux";

/// So many of the lowest look at the nodes, too.
const LOOKING: usize = 8;

/// So many wait for the first in line to do its duty.
const STAND_INS: usize = 2;

/// Decides for one node.
#[derive(Clone)]
pub struct Election {
    pub(crate) access: ClusterAccess,
    pub(crate) namespace: String,
    pub(crate) node: String,
}

/// What a node is to do about the cluster's part of a run.
#[derive(Debug)]
pub enum Role {
    /// It does it.
    Leader,
    /// It does it when those before it do not.
    StandIn(Box<StandIn>),
    /// Nothing.
    Follower,
}

/// How a pod of ours is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Ready,
    /// It has just been made, and will be ready if nothing goes wrong.
    Starting,
    /// It does not run, or not any longer.
    Other,
}

impl Election {
    /// The election among the pods in `namespace`, as the pod on `node` sees it.
    pub fn new(access: ClusterAccess, namespace: impl Into<String>, node: impl Into<String>) -> Self {
        Self {
            access,
            namespace: namespace.into(),
            node: node.into(),
        }
    }

    /// What this node is to do about a run. One request of most nodes, two of those that may have to do it.
    ///
    /// # Errors
    /// [`ClusterError::Api`] when the pods or the nodes are not known. Who cannot ask for them could not do the part either.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the request; nothing is kept.
    pub async fn decide(&self, run_id: &str) -> Result<Role, ClusterError> {
        let candidates = self.candidates().await?;
        let place = candidates
            .iter()
            .position(|node| *node == self.node)
            .unwrap_or_default();
        if place == 0 {
            return Ok(Role::Leader);
        }
        if !may_lead(place) {
            return Ok(Role::Follower);
        }
        let ready = self.ready_nodes().await?;
        let line = candidates.into_iter().enumerate().filter(|(place, _)| may_lead(*place));
        let line = line.map(|(_, node)| node);
        let before: Vec<String> = line
            .take_while(|node| *node != self.node)
            .filter(|node| ready.contains(node))
            .collect();
        Ok(match before.len() {
            0 => Role::Leader,
            1..=STAND_INS => Role::StandIn(Box::new(StandIn::new(self.clone(), run_id, before))),
            _ => Role::Follower,
        })
    }

    /// The nodes whose pod does the part or may come to do it, the first first. Our own is always among them: it asks.
    async fn candidates(&self) -> Result<Vec<String>, ClusterError> {
        let pods = self.pods().await?;
        let is_own_ready = pods.get(&self.node) == Some(&Condition::Ready);
        let is_candidate = |node: &String, condition: Condition| {
            *node == self.node
                || match condition {
                    Condition::Ready => true,
                    // All have just been made, as ours was: those before it are as good as ready.
                    Condition::Starting => !is_own_ready,
                    Condition::Other => false,
                }
        };
        let mut nodes: Vec<String> = pods
            .into_iter()
            .filter(|(node, condition)| is_candidate(node, *condition))
            .map(|(node, _)| node)
            .collect();
        if let Err(place) = nodes.binary_search(&self.node) {
            nodes.insert(place, self.node.clone());
        }
        Ok(nodes)
    }

    /// Those of `nodes` that are Ready and whose pod of ours is.
    pub(crate) async fn still_there(&self, nodes: &[String]) -> Result<Vec<String>, ClusterError> {
        let pods = self.pods().await?;
        let ready = self.ready_nodes().await?;
        let is_there = |node: &&String| pods.get(*node) == Some(&Condition::Ready) && ready.contains(*node);
        Ok(nodes.iter().filter(is_there).cloned().collect())
    }

    async fn pods(&self) -> Result<BTreeMap<String, Condition>, ClusterError> {
        let resource = ResourceType::pods();
        let columns = ["Node", "Ready", "Status"];
        let rows = self.access.table(&resource, Some(&self.namespace), OUR_PODS, columns);
        let mut pods = BTreeMap::new();
        for [node, ready, status] in rows.await? {
            let condition = condition(&ready, &status);
            // While a pod is replaced, its node has two.
            let known = pods.entry(node).or_insert(condition);
            if condition == Condition::Ready {
                *known = condition;
            }
        }
        Ok(pods)
    }

    async fn ready_nodes(&self) -> Result<HashSet<String>, ClusterError> {
        let resource = ResourceType::nodes();
        let rows = self.access.table(&resource, None, OUR_NODES, ["Name", "Status"]);
        // A cordoned node is `Ready,SchedulingDisabled`.
        let is_ready = |status: &str| status.split(',').any(|word| word == "Ready");
        let rows = rows.await?.into_iter();
        Ok(rows
            .filter(|[_, status]| is_ready(status))
            .map(|[name, _]| name)
            .collect())
    }
}

impl std::fmt::Debug for Election {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Election")
            .field("namespace", &self.namespace)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// Whether the node at this place in the line looks further than at its place.
fn may_lead(place: usize) -> bool {
    place < LOOKING || place.is_power_of_two()
}

/// From the words of the list, such as `1/1` and `Running`.
fn condition(ready: &str, status: &str) -> Condition {
    let is_whole = ready.split_once('/').is_some_and(|(ready, all)| ready == all);
    match status {
        "Running" if is_whole => Condition::Ready,
        "Running" | "ContainerCreating" | "PodInitializing" => Condition::Starting,
        _ => Condition::Other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::access::mock_access;

    /// The printed list of pods: node, `Ready` and `Status` of each.
    pub(crate) fn pods(rows: &[(&str, &str, &str)]) -> (u16, Value) {
        let rows: Vec<_> = rows
            .iter()
            .map(|(node, ready, status)| json!({"cells": [format!("aks-periscope-{node}"), ready, status, "0", "1d", "10.0.0.1", node]}))
            .collect();
        let columns = ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node"];
        (200, table(&columns, &rows))
    }

    /// The printed list of nodes: name and `Status` of each.
    pub(crate) fn nodes(rows: &[(&str, &str)]) -> (u16, Value) {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, status)| json!({"cells": [name, status, "<none>", "1d", "v1.34.4"]}))
            .collect();
        (200, table(&["Name", "Status", "Roles", "Age", "Version"], &rows))
    }

    fn table(columns: &[&str], rows: &[Value]) -> Value {
        let columns: Vec<_> = columns.iter().map(|name| json!({"name": name})).collect();
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": columns, "rows": rows})
    }

    fn word(role: &Role) -> String {
        match role {
            Role::Leader => "leader".to_owned(),
            Role::StandIn(stand_in) => format!("after {}", stand_in.before().join(" ")),
            Role::Follower => "follower".to_owned(),
        }
    }

    async fn decided(node: &str, answers: Vec<(u16, Value)>) -> (String, usize) {
        let (access, asked) = mock_access(answers);
        let role = Election::new(access, "aks-periscope", node)
            .decide("run")
            .await
            .unwrap();
        (word(&role), asked.await.unwrap().len())
    }

    const UP: (&str, &str) = ("1/1", "Running");
    const STARTED: (&str, &str) = ("0/1", "Running");
    const CREATED: (&str, &str) = ("0/1", "ContainerCreating");
    const CRASHING: (&str, &str) = ("0/1", "CrashLoopBackOff");
    const LEAVING: (&str, &str) = ("1/1", "Terminating");

    #[rstest]
    #[case::lowest("a", [UP, UP, UP, UP], &[], "leader")]
    #[case::second("b", [UP, UP, UP, UP], &["a", "b", "c", "d"], "after a")]
    #[case::third("c", [UP, UP, UP, UP], &["a", "b", "c", "d"], "after a b")]
    #[case::fourth("d", [UP, UP, UP, UP], &["a", "b", "c", "d"], "follower")]
    #[case::lowest_is_lost("b", [UP, UP, UP, UP], &["b", "c", "d"], "leader")]
    #[case::second_is_lost("c", [UP, UP, UP, UP], &["a", "c", "d"], "after a")]
    #[case::lowest_crashes("b", [CRASHING, UP, UP, UP], &[], "leader")]
    #[case::lowest_leaves("b", [LEAVING, UP, UP, UP], &[], "leader")]
    #[case::lowest_is_never_ready("b", [STARTED, UP, UP, UP], &[], "leader")]
    #[case::all_have_just_started("b", [STARTED, STARTED, CREATED, CREATED], &["a", "b", "c", "d"], "after a")]
    #[case::the_lowest_is_on_its_way("b", [CREATED, STARTED, UP, UP], &["a", "b", "c", "d"], "after a")]
    #[case::the_first_to_start_is_lowest("a", [STARTED, CREATED, CREATED, CREATED], &[], "leader")]
    #[case::own_pod_is_not_listed_yet("aa", [UP, UP, UP, UP], &["a", "aa", "b", "c", "d"], "after a")]
    #[tokio::test]
    async fn the_lowest_ready_node_does_it(
        #[case] node: &str,
        #[case] state: [(&str, &str); 4],
        #[case] ready: &[&str],
        #[case] expected: &str,
    ) {
        let rows: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .zip(state)
            .map(|(node, (ready, status))| (*node, ready, status))
            .collect();
        let mut answers = vec![pods(&rows)];
        if !ready.is_empty() {
            let status = |name: &&'static str| {
                (
                    *name,
                    if *name == "b" {
                        "Ready,SchedulingDisabled"
                    } else {
                        "Ready"
                    },
                )
            };
            let mut list: Vec<_> = ["a", "aa", "b", "c", "d"]
                .iter()
                .filter(|name| ready.contains(name))
                .map(status)
                .collect();
            list.extend(
                ["a", "b"]
                    .iter()
                    .filter(|name| !ready.contains(name))
                    .map(|name| (*name, "NotReady")),
            );
            answers.push(nodes(&list));
        }
        let asked = answers.len();
        assert_eq!(decided(node, answers).await, (expected.to_owned(), asked));
    }

    #[tokio::test]
    async fn a_pod_that_is_replaced_counts_by_the_one_that_runs() {
        let rows = [
            ("a", "0/1", "Terminating"),
            ("a", "1/1", "Running"),
            ("b", "1/1", "Running"),
        ];
        let answers = vec![pods(&rows), nodes(&[("a", "Ready"), ("b", "Ready")])];
        assert_eq!(decided("b", answers).await.0, "after a");
    }

    #[rstest]
    #[case::all_are_there(0, 0, 111)]
    // Of those left, the next that looks further is the seventeenth.
    #[case::the_lowest_are_lost(9, 16, 94)]
    #[tokio::test]
    async fn of_many_nodes_one_does_it_and_few_ask_twice(
        #[case] lost: usize,
        #[case] leader: usize,
        #[case] requests: usize,
    ) {
        let names: Vec<_> = (0..100).map(|n| format!("node-{n:03}")).collect();
        let rows: Vec<_> = names.iter().map(|name| (name.as_str(), "1/1", "Running")).collect();
        let ready: Vec<_> = names.iter().skip(lost).map(|name| (name.as_str(), "Ready")).collect();
        let (mut leaders, mut all_asked) = (Vec::new(), 0);
        for (n, name) in names.iter().enumerate().skip(lost) {
            let mut answers = vec![pods(&rows)];
            answers.extend((n > 0 && may_lead(n)).then(|| nodes(&ready)));
            let (role, asked) = decided(name, answers).await;
            all_asked += asked;
            leaders.extend((role == "leader").then_some(n));
        }
        assert_eq!((leaders, all_asked), (vec![leader], requests));
    }

    #[tokio::test]
    async fn who_may_not_ask_is_told() {
        let (access, _) = mock_access(vec![(403, json!({"kind": "Status", "code": 403}))]);
        let error = Election::new(access, "ns", "a").decide("run").await.unwrap_err();
        assert_eq!(error.to_string(), "not allowed to list pods in namespace ns");
    }
}
