use periscope_core::{Analyzer, Finding, State, Verdict};
use periscope_documents::names;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster_health::ClusterHealth;
use crate::fixture::Artifacts;

const NODES: &str = "cluster-resources/nodes.json";

/// A node that joined long ago, with these conditions beside those of one that is well.
fn node(name: &str, kubelet: &str, conditions: &[Value]) -> Value {
    let mut all = vec![json!({"type": "Ready", "status": "True"})];
    if conditions.iter().any(|condition| condition["type"] == "Ready") {
        all.clear();
    }
    all.push(json!({"type": "PIDPressure", "status": "False"}));
    all.extend(conditions.iter().cloned());
    json!({
        "metadata": {"name": name, "creationTimestamp": "2026-11-01T00:00:00Z"}, "spec": {},
        "status": {"conditions": all, "nodeInfo": {"kubeletVersion": kubelet}},
    })
}

fn condition(kind: &str, status: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": "Because", "message": message, "lastTransitionTime": "2026-11-20T09:30:00Z"})
}

/// As `cluster-objects` writes it.
fn list(nodes: &[Value]) -> String {
    let nodes: Vec<_> = nodes.iter().map(|node| format!("\n{node:#}")).collect();
    format!(
        "{{\n\"kind\": \"NodeList\",\n\"apiVersion\": \"v1\",\n\"metadata\": {{}},\n\"items\": [{}\n]\n}}\n",
        nodes.join(",")
    )
}

fn cluster(nodes: &[Value], events: &str) -> Artifacts {
    Artifacts::default()
        .at(NODES, list(nodes))
        .at(
            "cluster-info/cluster_version.json",
            "{\"info\": {}, \"string\": \"v1.34.4\"}",
        )
        .with(
            names::CLUSTER_OBJECTS,
            names::READYZ,
            "[+]ping ok\nreadyz check passed\n",
        )
        .with(
            names::CLUSTER_OBJECTS,
            names::NODES_TABLE,
            "NAME  STATUS\na  Ready\nb  NotReady\n",
        )
        .with(
            names::CLUSTER_OBJECTS,
            names::CLUSTER_EVENTS,
            format!("[\n{events}\n]\n").replace("\n\n", "\n"),
        )
}

fn judge(artifacts: &Artifacts) -> Vec<Finding> {
    ClusterHealth.analyze(artifacts).unwrap()
}

fn event(node: &str, reason: &str) -> String {
    format!(
        r#"{{"time":"2026-11-20T09:50:00Z","count":2,"type":"Normal","reason":"{reason}","object":"node {node}","source":"node-controller","message":"m"}}"#
    )
}

#[test]
fn nodes_that_are_well_pass() {
    let nodes = [node("a", "v1.34.4", &[]), node("b", "v1.32.1", &[])];
    // What ended with a node that is gone, and what is said of nodes that are well.
    let events = [event("gone", "NodeNotReady"), event("a", "RegisteredNode")].join(",\n");
    let findings = judge(&cluster(&nodes, &events));
    assert_eq!(
        (findings.len(), findings[0].verdict),
        (1, Verdict::Pass),
        "{findings:?}"
    );
    assert_eq!(
        findings[0].title,
        "All 2 nodes are ready, and the API server (v1.34.4) supports their kubelets' versions."
    );
}

#[rstest]
#[case::not_ready(
    condition("Ready", "False", "cni plugin not initialized"), ("node-not-ready", Verdict::Fail, "node b"),
    "Node b is not ready, for 30 min: cni plugin not initialized (Because)."
)]
#[case::lost(
    condition("Ready", "Unknown", "Kubelet stopped posting node status."), ("kubelet-not-posting", Verdict::Fail, "node b"),
    "Node b is not heard of, for 30 min: Kubelet stopped posting node status (Because)."
)]
#[case::disk(
    condition("DiskPressure", "True", "kubelet has disk pressure"), ("node-condition", Verdict::Fail, "condition DiskPressure of node b"),
    "Node b has the condition DiskPressure=True, for 30 min: kubelet has disk pressure (Because)."
)]
#[case::problem_detector(
    condition("KernelDeadlock", "True", "m"), ("node-condition", Verdict::Warn, "condition KernelDeadlock of node b"),
    "Node b has the condition KernelDeadlock=True, for 30 min: m (Because)."
)]
fn a_condition_is_named_with_its_node(
    #[case] condition: Value,
    #[case] expected: (&str, Verdict, &str),
    #[case] title: &str,
) {
    let nodes = [node("a", "v1.34.4", &[]), node("b", "v1.34.4", &[condition])];
    // Events of what is still so add nothing.
    let events = [event("b", "NodeNotReady"), event("b", "NodeHasDiskPressure")].join(",\n");
    let findings = judge(&cluster(&nodes, &events));
    let finding = &findings[0];
    assert_eq!(
        (finding.fault.as_str(), finding.verdict, finding.object.as_str()),
        expected
    );
    assert_eq!(finding.title, title);
    assert_eq!(
        (finding.evidence[0].line, finding.evidence[0].quote.as_str()),
        (Some(3), "b  NotReady")
    );
    let told: Vec<_> = findings[1..].iter().map(|f| f.object.as_str()).collect();
    let is_told = |word: &str| told.iter().any(|object| object.starts_with(word));
    assert_eq!(is_told("NodeNotReady"), !expected.2.starts_with("node b"), "{told:?}");
    assert_eq!(
        is_told("NodeHasDiskPressure"),
        !expected.2.contains("DiskPressure"),
        "{told:?}"
    );
}

#[test]
fn what_many_nodes_have_is_one_finding() {
    let lost = |n: usize| {
        let said = if n == 7 { "another thing" } else { "stopped" };
        node(&format!("n{n}"), "v1.34.4", &[condition("Ready", "Unknown", said)])
    };
    let mut nodes: Vec<_> = (0..9).map(lost).collect();
    let mut new = node("new", "v1.34.4", &[condition("Ready", "False", "m")]);
    new["metadata"]["creationTimestamp"] = json!("2026-11-20T09:58:00Z");
    nodes.push(new);
    for n in [0, 1] {
        nodes[n]["spec"] = json!({"unschedulable": true, "taints": [
            {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}, {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}
        ]});
    }
    let findings = judge(&cluster(&nodes, ""));
    let told: Vec<_> = findings.iter().map(|f| (f.verdict, f.title.as_str())).collect();
    assert_eq!(
        told,
        [
            (Verdict::Warn, "Node new is not ready, for 30 min: m (Because)."),
            (
                Verdict::Fail,
                "9 of 10 nodes are not heard of (n0, n1, n2, n3 and 5 more), the longest for 30 min; of n0: stopped (Because)."
            ),
            (
                Verdict::Warn,
                "2 of 10 nodes are tainted ToBeDeletedByClusterAutoscaler (n0, n1): the cluster autoscaler is removing it."
            ),
            (
                Verdict::Warn,
                "2 of 10 nodes are cordoned (n0, n1): no new pods are scheduled there."
            ),
        ]
    );
    assert!(findings[0].remedy.starts_with("It joined less than five minutes ago"));
}

#[test]
fn each_version_that_the_server_does_not_support_is_one_finding() {
    let nodes = [
        node("a", "v1.30.9", &[]),
        node("b", "v1.30.9", &[]),
        node("c", "v1.31.0", &[]),
        node("d", "v1.35.0", &[]),
        node("e", "v1.34.4", &[]),
        node("f", "", &[]),
    ];
    let findings = judge(&cluster(&nodes, ""));
    let told: Vec<_> = findings.iter().map(|f| (f.verdict, f.title.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                Verdict::Fail,
                "2 of 6 nodes have kubelets (a, b) of version v1.30.9: 4 minor versions older than the API server (v1.34.4); 3 are supported."
            ),
            (
                Verdict::Warn,
                "Node c has a kubelet of version v1.31.0: 3 minor versions older than the API server (v1.34.4), the most that is supported: the control plane's next upgrade leaves the node behind."
            ),
            (
                Verdict::Fail,
                "Node d has a kubelet of version v1.35.0: newer than the API server (v1.34.4), which is not supported."
            ),
        ]
    );
    assert!(findings.iter().all(|finding| finding.fault == "version-skew"));
}

#[test]
fn what_happened_and_is_over_is_told_once_for_all_nodes() {
    let nodes = [node("a", "v1.34.4", &[]), node("b", "v1.34.4", &[])];
    let events = [
        event("a", "NodeNotReady"),
        event("a", "NodeNotReady"),
        event("b", "NodeNotReady"),
        event("b", "Rebooted"),
    ];
    let findings = judge(&cluster(&nodes, &events.join(",\n")));
    let told: Vec<_> = findings.iter().map(|f| (f.fault.as_str(), f.title.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "node-event",
                "Nodes a (4 times), b (2 times) stopped being ready, last 10 min ago (event NodeNotReady)."
            ),
            (
                "node-event",
                "Node b (2 times) restarted, last 10 min ago (event Rebooted)."
            ),
        ]
    );
    let old = events[0].replace("2026-11-20", "2026-11-18");
    assert_eq!(judge(&cluster(&nodes, &old))[0].verdict, Verdict::Pass);
}

#[test]
fn a_server_that_is_not_ready_is_told() {
    let artifacts = cluster(&[node("a", "v1.34.4", &[])], "").with(
        names::CLUSTER_OBJECTS,
        names::READYZ,
        "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n",
    );
    let findings = judge(&artifacts);
    assert_eq!(
        (findings.len(), findings[0].fault.as_str()),
        (1, "api-server-unhealthy")
    );
    assert_eq!(findings[0].evidence[0].line, Some(2));
}

#[rstest]
#[case::denied(Artifacts::default().without(names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS, State::Denied))]
#[case::no_events(Artifacts::default().at(NODES, list(&[node("a", "v1.34.4", &[])])).without(names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS, State::Denied))]
fn what_is_not_known_is_not_passed(#[case] artifacts: Artifacts) {
    let findings = judge(&artifacts);
    assert_eq!(
        (findings.len(), findings[0].verdict),
        (1, Verdict::Unknown),
        "{findings:?}"
    );
}

#[test]
fn a_list_that_was_cut_is_judged_as_far_as_it_goes() {
    let whole = list(&[
        node("a", "v1.34.4", &[condition("Ready", "False", "m")]),
        node("b", "v1.34.4", &[]),
    ]);
    let mut cut = whole;
    cut.truncate(cut.len() - 60);
    let artifacts = cluster(&[], "").at(NODES, cut);
    assert_eq!(
        judge(&artifacts)[0].title,
        "Node a is not ready, for 30 min: m (Because)."
    );
}
