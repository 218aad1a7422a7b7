//! Action `system-logs`.

use std::io::Read;

use flate2::read::GzDecoder;
use periscope_actions::Settings;
use periscope_core::State;
use periscope_documents::from_lines;
use periscope_testkit::{ActionRun, HostFixture, RunOptions, Script, ScriptedCommands};
use serde_json::{Value, json};

use crate::docker_node;
use crate::run::{run, run_commands, run_with, states};

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

/// A journal that systemd wrote, of 240 entries.
const JOURNAL: &[u8] = include_bytes!("../../../journal/fixtures/compact.journal.gz");
/// The text of it that journalctl shows of the kubelet.
const KUBELET: &str = include_str!("../../../journal/fixtures/kubelet.txt");
/// The text of it that journalctl shows of the kernel.
const KERNEL: &str = include_str!("../../../journal/fixtures/kernel.txt");

fn journal() -> Vec<u8> {
    let mut journal = Vec::new();
    GzDecoder::new(JOURNAL)
        .read_to_end(&mut journal)
        .expect("the fixture is gzip");
    journal
}

fn rows(run: &ActionRun) -> Vec<Value> {
    let rows = from_lines(&run.text("journal/files.json")).expect("an array of rows");
    rows.into_iter().map(|(_, row)| row).collect()
}

#[tokio::test]
async fn journals_are_read_from_their_files_and_told_apart() {
    let node = HostFixture::new()
        .file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        .file(
            "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal",
            journal(),
        )
        .file(
            "/var/log/journal/0123456789abcdef0123456789abcdef/user-1000.journal",
            "not looked at",
        )
        .file(
            "/var/log/journal/ffffffffffffffffffffffffffffffff/system.journal",
            "of the image",
        )
        .file("/var/log/syslog", "not needed");
    let settings = Settings {
        journal_units: vec!["kube*".to_owned()],
        ..Settings::default()
    };
    let run = run_commands(&node, ID, settings, &RunOptions::default(), ScriptedCommands::new()).await;
    assert_eq!(
        states(&run),
        [
            "journal/containerd.log: collected",
            "journal/docker.log: not-present",
            "journal/files.json: collected",
            "journal/kernel.log: collected",
            "journal/kube_.log: collected",
            "journal/kubelet.log: collected",
        ]
    );
    assert_eq!(run.text("journal/kubelet.log"), KUBELET);
    assert_eq!(run.text("journal/kernel.log"), KERNEL);
    assert!(run.text("journal/kube_.log").len() >= KUBELET.len());
    assert_eq!(
        run.reason("journal/docker.log"),
        "the journal has no entries of docker.service"
    );
    let file = "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal";
    assert_eq!(rows(&run), [json!({"file": file, "entries": 240})]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_costs_its_entries_and_is_named() {
    let node = HostFixture::new()
        .file("/var/log/journal/a/system.journal", journal())
        .file("/var/log/journal/a/system@1.journal~", "no journal")
        .fifo("/var/log/journal/a/system@2.journal")
        .file("/run/log/journal/b/system.journal", "");
    let run = run(&node, ID).await;
    assert_eq!(run.text("journal/kubelet.log"), KUBELET);
    assert_eq!(run.state("journal/kubelet.log"), State::Collected);
    assert_eq!(run.state("journal/files.json"), State::Failed);
    assert_eq!(
        run.reason("journal/files.json"),
        "3 of 4 journal files were not read to their end"
    );
    let errors: Vec<_> = rows(&run)
        .iter()
        .filter_map(|row| Some((row["file"].as_str()?.to_owned(), row["error"].as_str()?.to_owned())))
        .collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    for (file, error) in [
        ("/run/log/journal/b/system.journal", "the file is empty"),
        ("/var/log/journal/a/system@1.journal~", "the file is not a journal"),
        ("/var/log/journal/a/system@2.journal", "a FIFO, socket or device"),
    ] {
        let said = errors.iter().find(|(name, _)| name == file);
        assert!(said.is_some_and(|(_, said)| said.contains(error)), "{file}: {errors:?}");
    }
}

#[tokio::test]
async fn entries_before_the_time_asked_for_are_left_out() {
    let (before, after) = KUBELET.split_at(KUBELET.len() / 2);
    let first = after
        .split_inclusive('\n')
        .find(|line| line.starts_with("2025-"))
        .unwrap();
    let since = first.split(' ').next().unwrap().parse().unwrap();
    let node = HostFixture::new().file("/var/log/journal/a/system.journal", journal());
    let options = RunOptions {
        since: Some(since),
        ..RunOptions::default()
    };
    let run = run_with(&node, ID, Settings::default(), &options).await;
    let kept = run.text("journal/kubelet.log");
    assert!(
        after.ends_with(&kept) && kept.len() * 2 > after.len(),
        "{} of {} bytes",
        kept.len(),
        after.len()
    );
    assert!(!kept.contains(before.lines().next().unwrap()));
    let options = RunOptions {
        since: Some("2100-01-01T00:00:00Z".parse().unwrap()),
        ..RunOptions::default()
    };
    let run = run_with(&node, ID, Settings::default(), &options).await;
    assert_eq!(run.state("journal/kubelet.log"), State::NotPresent);
    assert!(
        run.reason("journal/kubelet.log")
            .ends_with("kubelet.service since 2100-01-01T00:00:00Z")
    );
}

#[tokio::test]
async fn a_journal_is_cut_at_the_limit_and_the_others_go_on() {
    let limit = KUBELET.len() as u64 / 2;
    let node = HostFixture::new().file("/var/log/journal/a/system.journal", journal());
    let options = RunOptions {
        limit: Some(limit),
        ..RunOptions::default()
    };
    let run = run_with(&node, ID, Settings::default(), &options).await;
    assert_eq!(run.state("journal/kubelet.log"), State::Truncated);
    assert!(KUBELET.starts_with(&run.text("journal/kubelet.log")));
    assert_eq!(run.text("journal/kernel.log"), KERNEL);
}
