//! The agent ends in the middle of a run: the next one makes what is left.

use std::process::Command;

use periscope_core::{Completeness, ItemRecord, State};
use periscope_tests::eventually;
use serde_json::{Value, json};

use crate::Life;

#[test]
fn a_run_whose_agent_is_killed_is_made_by_the_next() {
    let life = Life::begin();
    let pod = life.agent.ready_pod();
    let slow = life.slow_network();
    life.agent.start_run("killed");
    life.row("killed", "Running");
    life.agent.start_run("queued");
    eventually("the agent has heard of the next run", || {
        life.agent
            .logs()
            .contains("The run is to be made. run=queued")
            .then_some(())
    });
    let processes = life.agent.processes();
    assert!(!processes.is_empty());
    let killed = Command::new("kill").arg("-KILL").args(processes).status();
    assert!(killed.expect("kill is there").success());
    drop(slow);
    // What is wanted now comes first, then what was left.
    life.complete("killed");
    for run in ["killed", "queued"] {
        life.has_both_archives_only(run);
        assert_eq!(life.agent.archived(run).completeness, Completeness::Complete);
    }
    assert_eq!(life.restarts(&pod).0, "1");

    let slow = life.slow_network();
    life.agent.start_run("evicted");
    life.row("evicted", "Running");
    life.agent
        .kubectl(&["delete", "pod", &pod, "--grace-period=0", "--force"]);
    drop(slow);
    life.complete("evicted");
    life.has_both_archives_only("evicted");
    let next = life.next_pod(&pod);
    assert_eq!(life.restarts(&next).0, "0");
    let attempts = life.agent.kubectl(&[
        "get",
        "events",
        "--output=jsonpath={range .items[?(@.reason==\"RunStarted\")]}{.message}{\"\\n\"}{end}",
    ]);
    for run in ["killed", "evicted"] {
        assert!(
            attempts.contains(&format!("Run {run} has begun again, for the 2. time.")),
            "{attempts}"
        );
    }
}

/// Nobody makes the next pod until the test has seen what the first one left: a selector that no node has keeps it
/// away.
#[test]
fn an_agent_that_is_told_to_end_leaves_what_there_is() {
    let life = Life::begin();
    let pod = life.agent.ready_pod();
    let slow = life.slow_network();
    life.agent.start_run("ended");
    life.row("ended", "Running");
    let nowhere =
        |value: Value| json!({ "spec": { "template": { "spec": { "nodeSelector": { "periscope-test": value } } } } });
    life.agent
        .patch("daemonset", "aks-periscope", &nowhere(json!("nowhere")));
    eventually("the pod is gone", || {
        let pods = life.agent.kubectl(&["get", "pods", "--output=name"]);
        pods.is_empty().then_some(())
    });
    let row = life.agent.row().expect("the row stays");
    assert_eq!(row["status"]["phase"], "Cancelled", "{row:#}");
    assert!(row["status"]["finishedAt"].is_string(), "{row:#}");
    // Half a diagnosis is none: `az aks kanalyze` waits for the next.
    let (config, outbound) = (&row["spec"]["networkconfig"], &row["spec"]["networkoutbound"]);
    assert_eq!((config, outbound), (&json!(""), &json!("")), "{row:#}");
    let conditions = row["status"]["conditions"].as_array().into_iter().flatten();
    let said: Vec<_> = conditions
        .map(|said| format!("{}={}", said["type"], said["status"]))
        .collect();
    for unsaid in [r#""Diagnosed"="False""#, r#""Healthy"="Unknown""#] {
        assert!(said.iter().any(|said| said == unsaid), "{row:#}");
    }
    let left = life.agent.archived("ended");
    assert!(left.items.iter().any(ItemRecord::is_in_archive), "{left:#?}");
    assert!(
        left.items.iter().any(|item| item.state == State::Cancelled)
            || left.actions.iter().any(|action| action.state == State::Cancelled),
        "{left:#?}"
    );
    drop(slow);
    life.agent.start_run("meanwhile");

    life.agent.patch("daemonset", "aks-periscope", &nowhere(Value::Null));
    life.next_pod(&pod);
    life.complete("ended");
    for run in ["ended", "meanwhile"] {
        life.has_both_archives_only(run);
        assert_eq!(life.agent.archived(run).completeness, Completeness::Complete);
    }
}
