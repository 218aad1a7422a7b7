//! `node-services` on both nodes, and on one that systemd does not run.

use periscope_actions::Settings;
use periscope_core::State;
use periscope_documents::{SystemdUnit, from_lines, names};
use periscope_testkit::{ActionRun, HostFixture, RunOptions, Script, ScriptedCommands};

use crate::run::{run, run_commands, states};
use crate::{aks_node, docker_node};

async fn run_with_systemctl(node: &HostFixture, script: Script) -> ActionRun {
    let commands = ScriptedCommands::new().with("/usr/bin/systemctl", script);
    run_commands(
        node,
        names::NODE_SERVICES,
        Settings::default(),
        &RunOptions::default(),
        commands,
    )
    .await
}

#[tokio::test]
async fn an_aks_node_is_described_without_its_keys() {
    let run = run_with_systemctl(&aks_node::with_services(), Script::prints(aks_node::UNITS)).await;
    assert_eq!(
        states(&run),
        [
            "cloud-init/result.json: collected",
            "cloud-init/status.json: collected",
            "files/etc/systemd/system/containerd.service.d/exec_start.conf: collected",
            "files/etc/systemd/system/localdns.service: collected",
            "files/etc/waagent.conf: collected",
            "files/opt/azure/containers/provision.complete: collected",
            "files/var/lib/waagent/Incarnation: collected",
            "files/var/lib/waagent/Microsoft.Azure.Extensions.CustomScript-2.1.10/config/HandlerState: collected",
            "files/var/lib/waagent/Microsoft.Azure.Extensions.CustomScript-2.1.10/status/0.status: collected",
            "timers.txt: collected",
            "units.json: collected",
            "units.txt: collected",
        ]
    );
    let units: Vec<(u64, SystemdUnit)> = from_lines(&run.text(names::UNITS)).unwrap();
    let kubelet = units.iter().find(|(_, unit)| unit.name == "kubelet.service").unwrap();
    assert_eq!((kubelet.1.active.as_str(), kubelet.1.restarts), ("failed", Some(5)));
    assert_eq!(kubelet.1.changed, Some("2026-11-20T11:00:00Z".parse().unwrap()));
    let table = run.text("units.txt");
    let failed = table.lines().nth(1).unwrap();
    assert!(
        failed.starts_with("kubelet.service") && failed.contains("exited 1"),
        "{table}"
    );
    let timers = run.text("timers.txt");
    assert!(
        timers.contains("logrotate.service  Sat 2026-11-21 00:00:04 UTC"),
        "{timers}"
    );
}

#[tokio::test]
async fn without_systemctl_the_services_with_processes_are_told() {
    let run = run(&docker_node::with_services(), names::NODE_SERVICES).await;
    let units: Vec<(u64, SystemdUnit)> = from_lines(&run.text(names::UNITS)).unwrap();
    let found: Vec<_> = units
        .iter()
        .map(|(_, unit)| (unit.name.as_str(), unit.main_pid))
        .collect();
    assert_eq!(found, [("docker.service", Some(640)), ("kubelet.service", Some(812))]);
    assert_eq!(run.state(names::UNITS), State::Failed);
    let reason = run.reason(names::UNITS);
    assert!(
        reason.contains("only the services with processes") && reason.contains("systemctl"),
        "{reason}"
    );
    assert_eq!(run.state("cloud-init/status.json"), State::NotPresent);
    assert_eq!(run.state("files/etc/waagent.conf"), State::Collected);
}

#[tokio::test]
async fn a_node_of_another_init_has_no_units_and_that_is_no_failure() {
    let said = "System has not been booted with systemd as init system (PID 1). Can't operate.\n";
    let run = run_with_systemctl(&HostFixture::new(), Script::fails(1, said)).await;
    assert_eq!(run.state(names::UNITS), State::NotApplicable);
    assert_eq!(run.reason(names::UNITS), "the node is not run by systemd");
    for item in [
        "files/units",
        "files/waagent",
        "files/provisioning",
        "cloud-init/result.json",
    ] {
        assert_eq!(run.state(item), State::NotPresent, "{item}");
    }
}

#[tokio::test]
async fn a_systemd_that_does_not_answer_is_told() {
    let run = run_with_systemctl(
        &HostFixture::new(),
        Script::fails(1, "Failed to list units: Connection timed out\n"),
    )
    .await;
    assert_eq!(run.state(names::UNITS), State::Failed);
    assert!(run.reason(names::UNITS).contains("Connection timed out"));
}
