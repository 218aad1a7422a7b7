//! Action `system-logs`.

use periscope_actions::Settings;
use periscope_core::State;
use periscope_testkit::{HostFixture, RunOptions, Script, ScriptedCommands};

use crate::docker_node;
use crate::run::{run, run_commands, states};

const ID: &str = "system-logs";

#[tokio::test]
async fn syslog_is_taken_where_there_is_no_journal() {
    let run = run(&docker_node::with_syslog(), ID).await;
    assert_eq!(
        states(&run),
        [
            "journal/containerd.log: not-present",
            "journal/docker.log: not-present",
            "journal/files.json: not-present",
            "journal/kernel.log: not-present",
            "journal/kubelet.log: not-present",
            "syslog/kern.log: collected",
            "syslog/syslog.1: collected",
            "syslog/syslog: collected",
        ]
    );
    assert_eq!(
        run.reason("journal/kubelet.log"),
        "the node has no /usr/bin/journalctl or /bin/journalctl"
    );
}

#[tokio::test]
async fn journalctl_is_asked_where_the_files_cannot_be_reached() {
    let options = RunOptions {
        since: Some("2026-11-20T10:00:00Z".parse().unwrap()),
        ..RunOptions::default()
    };
    let arguments = "--no-pager --quiet --utc --output=short-iso-precise";
    let commands = ScriptedCommands::new()
        .with("/usr/bin/journalctl", Script::prints(""))
        .with(
            &format!("/usr/bin/journalctl {arguments} --unit=kubelet.service --since=@1795168800"),
            Script::prints("started\n"),
        )
        .with(
            &format!("/usr/bin/journalctl {arguments} _TRANSPORT=kernel --since=@1795168800"),
            Script::fails(1, "corrupt").after("booted\n"),
        );
    let node = HostFixture::new();
    let run = run_commands(&node, ID, Settings::default(), &options, commands).await;
    assert_eq!(run.text("journal/kubelet.log"), "started\n");
    assert_eq!(run.state("journal/kubelet.log"), State::Collected);
    assert_eq!(run.text("journal/kernel.log"), "booted\n");
    assert_eq!(run.state("journal/kernel.log"), State::Failed);
    assert!(
        run.reason("journal/kernel.log")
            .ends_with("exited with status 1: corrupt")
    );
    assert_eq!(run.state("journal/docker.log"), State::NotPresent);
    assert_eq!(
        run.reason("journal/docker.log"),
        "the journal has no entries of docker.service since 2026-11-20T10:00:00Z"
    );
}
