//! Action `container-logs`.

use periscope_actions::{Namespaces, Settings};
use periscope_core::State;
use periscope_testkit::{HostFixture, RunOptions};

use crate::aks_node::{APP, COREDNS, cri, written};
use crate::docker_node::PROXY;
use crate::run::{run, run_with, states};
use crate::{aks_node, docker_node};

const ID: &str = "container-logs";

fn all_namespaces() -> Settings {
    Settings {
        namespaces: Namespaces::All,
        ..Settings::default()
    }
}

#[tokio::test]
async fn every_file_of_the_namespace_is_kept_inflated() {
    let run = run(&aks_node::with_container_logs(), ID).await;
    assert_eq!(
        states(&run),
        [
            format!("pods/{COREDNS}/coredns/3.log.20261119-100000: collected"),
            format!("pods/{COREDNS}/coredns/3.log.20261120-100000: collected"),
            format!("pods/{COREDNS}/coredns/3.log: collected"),
            format!("pods/{COREDNS}/coredns/4.log: collected"),
            format!("pods/{COREDNS}/debugger-abcde/0.log: collected"),
            format!("pods/{COREDNS}/init-config/0.log: collected"),
        ]
    );
    assert_eq!(
        run.text(&format!("pods/{COREDNS}/coredns/3.log.20261119-100000")),
        cri(1, "oldest")
    );
    assert_eq!(run.text(&format!("pods/{COREDNS}/coredns/4.log")), cri(4, "running"));
    let item = run.item(&format!("pods/{COREDNS}/coredns/4.log"));
    assert_eq!(
        item.source.as_deref(),
        Some(format!("/var/log/pods/{COREDNS}/coredns/4.log").as_str())
    );
    assert!(item.modified.is_some());
}

#[tokio::test]
async fn other_namespaces_are_kept_when_asked_for() {
    let settings = Settings {
        namespaces: Namespaces::Only(vec!["default".to_owned()]),
        ..Settings::default()
    };
    let only = run_with(&aks_node::with_container_logs(), ID, settings, &RunOptions::default()).await;
    assert_eq!(states(&only), [format!("pods/{APP}/app/0.log: collected")]);
    let all = run_with(
        &aks_node::with_container_logs(),
        ID,
        all_namespaces(),
        &RunOptions::default(),
    )
    .await;
    assert_eq!(all.items().len(), 7);
}

#[tokio::test]
async fn docker_files_are_found_by_their_labels_once() {
    let run = run(&docker_node::with_container_logs(), ID).await;
    let docker = "docker/kube-system_kube-proxy-abcde_aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/kube-proxy";
    assert_eq!(
        states(&run),
        [
            "docker/333333333333: failed".to_owned(),
            format!("{docker}/0123456789ab-json.log.1: collected"),
            format!("{docker}/fedcba987654-json.log: collected"),
            format!("pods/{PROXY}/kube-proxy/0.log: collected"),
            format!("pods/{PROXY}/kube-proxy/1.log: not-present"),
        ]
    );
    assert_eq!(
        run.text(&format!("pods/{PROXY}/kube-proxy/0.log")),
        docker_node::record("running")
    );
    assert_eq!(
        run.text(&format!("{docker}/fedcba987654-json.log")),
        docker_node::record("dead")
    );
}

#[tokio::test]
async fn of_a_file_over_the_limit_the_newest_lines_are_kept() {
    let lines: Vec<_> = (0..400).map(|second| cri(second, "one of many lines")).collect();
    let path = format!("pods/{COREDNS}/coredns/0.log");
    let node = HostFixture::new().file(&format!("/var/log/{path}"), lines.concat());
    let options = RunOptions {
        limit: Some(10_000),
        ..RunOptions::default()
    };
    let run = run_with(&node, ID, Settings::default(), &options).await;
    let kept = run.text(&path);
    assert!(lines.concat().ends_with(&kept), "{kept}");
    assert!(kept.len() <= 10_000 && kept.len() > 9_900, "{} bytes", kept.len());
    assert!(kept.starts_with("2026-"), "a whole line comes first");
    let item = run.item(&path);
    assert_eq!((item.state, item.limit_by_user), (State::Truncated, true));
}

#[tokio::test]
async fn what_is_older_than_asked_for_is_left_out_and_said_so() {
    let path = format!("pods/{COREDNS}/coredns");
    // Larger than the block in which a time is searched for.
    let lines: Vec<_> = (0..3_000).map(|second| cri(second, &"x".repeat(200))).collect();
    let node = HostFixture::new()
        .file_from(
            &format!("/var/log/{path}/0.log"),
            cri(0, "old"),
            written() - std::time::Duration::from_hours(24),
        )
        .file_from(&format!("/var/log/{path}/1.log"), lines.concat(), written());
    let options = RunOptions {
        since: Some("2026-11-20T10:45:00Z".parse().unwrap()),
        ..RunOptions::default()
    };
    let run = run_with(&node, ID, Settings::default(), &options).await;
    assert_eq!(run.state(&format!("{path}/0.log")), State::NotApplicable);
    assert!(
        run.reason(&format!("{path}/0.log"))
            .contains("before the time asked for")
    );
    assert_eq!(run.state(&format!("{path}/1.log")), State::Collected);
    let kept = run.text(&format!("{path}/1.log"));
    assert!(lines.concat().ends_with(&kept));
    assert!(kept.contains("T10:45:00."), "the first line asked for is there");
    assert!(kept.len() < lines.concat().len() / 2, "{} bytes", kept.len());
}

#[tokio::test]
async fn hostile_files_cost_only_themselves() {
    let path = format!("pods/{COREDNS}/coredns");
    let node = HostFixture::new()
        .file(&format!("/var/log/{path}/0.log"), cri(0, "good"))
        .fifo(&format!("/var/log/{path}/1.log"))
        .dir(&format!("/var/log/{path}/2.log"))
        .link(&format!("/var/log/{path}/3.log"), &format!("/var/log/{path}/3.log"))
        .link(&format!("/var/log/{path}/4.log"), "../../../../../../etc/os-release")
        .link(&format!("/var/log/{path}/6.log"), "0.log")
        .file(&format!("/var/log/{path}/5.log.gz"), "not gzip\n")
        .file("/var/log/pods/nonsense/c/0.log", "x");
    let run = run(&node, ID).await;
    assert_eq!(
        states(&run),
        [
            format!("{path}/0.log: collected"),
            format!("{path}/1.log: not-applicable"),
            format!("{path}/2.log: not-applicable"),
            format!("{path}/3.log: denied"),
            format!("{path}/4.log: denied"),
            format!("{path}/5.log: collected"),
            format!("{path}/6.log: collected"),
            "pods/nonsense: not-applicable".to_owned(),
        ]
    );
    assert_eq!(
        run.text(&format!("{path}/6.log")),
        cri(0, "good"),
        "a link to a log is a log"
    );
}

#[tokio::test]
async fn a_compressed_file_stands_for_the_one_it_is_made_of() {
    let path = format!("pods/{COREDNS}/coredns");
    let node = HostFixture::new()
        .file(&format!("/var/log/{path}/0.log.20261120-100000"), cri(0, "same"))
        .file(
            &format!("/var/log/{path}/0.log.20261120-100000.gz"),
            crate::run::gzip(&cri(0, "same")),
        )
        .file(&format!("/var/log/{path}/0.log.20261121-100000"), cri(1, "next"))
        .file(&format!("/var/log/{path}/0.log.20261121-100000.tmp"), "half of it");
    let run = run(&node, ID).await;
    assert_eq!(
        states(&run),
        [
            format!("{path}/0.log.20261120-100000: collected"),
            format!("{path}/0.log.20261121-100000: collected"),
        ]
    );
    assert_eq!(run.text(&format!("{path}/0.log.20261120-100000")), cri(0, "same"));
}

#[tokio::test]
async fn nothing_selected_is_said() {
    let settings = Settings {
        namespaces: Namespaces::Only(vec!["web".to_owned(), "db".to_owned()]),
        ..Settings::default()
    };
    let run = run_with(&aks_node::with_container_logs(), ID, settings, &RunOptions::default()).await;
    assert_eq!(states(&run), ["pods: not-present"]);
    assert_eq!(
        run.reason("pods"),
        "no container of namespaces web, db has logs on this node"
    );
}

#[tokio::test]
async fn without_files_and_without_an_api_server_both_are_said() {
    let run = run(&HostFixture::new(), ID).await;
    assert_eq!(states(&run), ["api: not-applicable", "pods: not-present"]);
    assert_eq!(run.reason("api"), "no API server is known");
}

#[tokio::test]
async fn files_that_may_all_not_be_read_are_asked_of_the_api() {
    let path = format!("pods/{COREDNS}/coredns/0.log");
    let node = HostFixture::new().link(&format!("/var/log/{path}"), "/etc/os-release");
    let run = run(&node, ID).await;
    assert_eq!(
        states(&run),
        ["api: not-applicable".to_owned(), format!("{path}: denied")]
    );
}
