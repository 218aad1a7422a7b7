//! Action `node-logs`.

use periscope_actions::Settings;
use periscope_core::State;
use periscope_testkit::RunOptions;

use crate::aks_node;
use crate::run::{run, run_with, states};

const ID: &str = "node-logs";

fn listed(entries: &[&str]) -> Settings {
    Settings {
        node_logs: entries.iter().map(|entry| (*entry).to_owned()).collect(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn the_list_of_aks_is_taken_by_default_and_every_file_has_its_state() {
    let run = run(&aks_node::with_provisioning_logs(), ID).await;
    let (there, missing): (Vec<_>, Vec<_>) = states(&run)
        .into_iter()
        .partition(|state| !state.ends_with(": not-present"));
    assert_eq!(
        there,
        [
            "var/log/azure/Microsoft.AKS.Compute.AKS.Linux.AKSNode/extension.log: collected",
            "var/log/azure/aks/cloud-init-files.paved: collected",
            "var/log/azure/aks/cluster-provision.log: not-applicable",
            "var/log/azure/cluster-provision.log: collected",
            "var/log/cloud-init.log: collected",
            "var/log/waagent.log.1: collected",
            "var/log/waagent.log: collected",
        ]
    );
    assert!(
        missing.contains(&"var/log/cloud-init-output.log: not-present".to_owned()),
        "{missing:?}"
    );
    assert_eq!(run.text("var/log/waagent.log.1"), "agent before\n");
    assert_eq!(
        run.reason("var/log/azure/aks/cluster-provision.log"),
        "it is the same file as /var/log/azure/cluster-provision.log"
    );
    assert_eq!(run.reason("var/log/blobfuse*"), "no file is called /var/log/blobfuse*");
}

#[tokio::test]
async fn only_what_is_listed_is_taken_and_one_missing_file_loses_nothing() {
    let settings = listed(&[
        "/var/log/missing.log",
        "/var/log/waagent.log*",
        "/var/log/azure",
        "/etc/shadow",
        "relative.log",
    ]);
    let run = run_with(
        &aks_node::with_provisioning_logs(),
        ID,
        settings,
        &RunOptions::default(),
    )
    .await;
    assert_eq!(
        states(&run),
        [
            "etc/shadow: denied",
            "relative.log: failed",
            "var/log/azure: not-applicable",
            "var/log/missing.log: not-present",
            "var/log/waagent.log.1: collected",
            "var/log/waagent.log: collected",
        ]
    );
    assert!(
        run.reason("etc/shadow").contains("never read"),
        "{}",
        run.reason("etc/shadow")
    );
}

#[tokio::test]
async fn old_files_are_left_out_when_a_time_is_asked_for() {
    let old = "2026-11-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let node = aks_node::with_provisioning_logs().file_from("/var/log/waagent.log.2.gz", "", old.into());
    let options = RunOptions {
        since: Some("2026-11-02T00:00:00Z".parse().unwrap()),
        ..RunOptions::default()
    };
    let run = run_with(&node, ID, listed(&["/var/log/waagent.log*"]), &options).await;
    assert_eq!(run.state("var/log/waagent.log.2"), State::NotApplicable);
    assert_eq!(
        run.reason("var/log/waagent.log.2"),
        "last written at 2026-11-01T00:00:00Z, before the time asked for"
    );
}
