//! The API server goes away in the middle of a run, and comes back.

use periscope_tests::{PacketRule, Stopped, Where};

use crate::Life;

/// The addresses of the test node's pods.
const PODS: &str = "10.244.0.0/16";

#[test]
fn an_api_server_that_is_away_keeps_no_run_from_its_end() {
    let life = Life::begin();
    let pod = life.agent.ready_pod();
    let node = life.cluster().node_name.clone();
    let slow = life.slow_network();
    life.agent.start_run("silence");
    life.row("silence", "Running");
    let stopped = Stopped::on_node(life.cluster(), "kube-apiserver");
    drop(slow);
    life.archived_most_of("silence");
    drop(stopped);
    let row = life.agent.ended("silence");
    assert_eq!(
        row["status"]["archives"][0]["location"],
        format!("/aks-periscope/silence/{node}.zip"),
        "{row:#}"
    );

    let slow = life.slow_network();
    life.agent.start_run("refusal");
    life.row("refusal", "Running");
    let rule = [
        "INPUT",
        "--source",
        PODS,
        "--protocol",
        "tcp",
        "--dport",
        "6443",
        "--jump",
        "REJECT",
        "--reject-with",
        "tcp-reset",
    ];
    let cut = PacketRule::add(life.cluster(), Where::Node, &rule);
    drop(slow);
    life.archived_most_of("refusal");
    drop(cut);
    life.agent.ended("refusal");
    // It hears of runs as before.
    life.agent.start_run("after");
    life.complete("after");
    assert_eq!(life.restarts(&pod).0, "0", "{:?}", life.restarts(&pod));
}
