//! The content of rows: what is told of a run, and that it stays small.

use periscope_core::{Format, Severity};
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::rows::Row;
use crate::rows::crd::crd;
use crate::rows::schema::tests::unnamed;

pub(in crate::rows) fn run(id: &str, part: Part) -> Run {
    Run {
        id: id.parse().unwrap(),
        part,
        started: "2026-11-21T10:00:00.7Z".parse().unwrap(),
        attempt: 1,
    }
}

pub(in crate::rows) fn outcome() -> Outcome {
    Outcome {
        completeness: Completeness::Partial,
        states: vec![(State::Collected, 40), (State::NotPresent, 2), (State::TimedOut, 3)],
        failures: vec!["kubelet: no answer within 10 s".to_owned()],
        findings: vec![
            finding(Verdict::Fail, "disk /var is full"),
            finding(Verdict::Pass, "time is right"),
        ],
        archives: vec![receipt("/aks-periscope/r1/n1.zip")],
        uploads: Some(Ok(vec![receipt(
            "https://a.blob.core.windows.net/c/r1/n1/n1.zip?sv=1&sig=QUJD",
        )])),
    }
}

pub(in crate::rows) fn ending(result: Result<Outcome, String>) -> Ending {
    Ending {
        at: "2026-11-21T10:01:00Z".parse().unwrap(),
        interrupted: false,
        result,
    }
}

fn finding(verdict: Verdict, title: &str) -> Finding {
    let finding =
        json!({"analyzer": "a", "verdict": verdict, "impact": Severity::High, "title": title, "remedy": "Do."});
    serde_json::from_value(finding).unwrap()
}

fn receipt(location: &str) -> Receipt {
    Receipt {
        location: location.to_owned(),
        format: Format::Zip,
        bytes: 1234,
    }
}

fn read(content: Value) -> Row {
    let mut object = content;
    object["metadata"] = json!({"name": "aks-periscope-diagnostic-n1"});
    Row::read(object).unwrap()
}

#[test]
fn a_run_is_told_from_begin_to_end() {
    let mut diary = Diary::of("n1", "0.1.0");
    diary.begin(&run("r1", Part::Node));
    let row = read(diary.content(&json!({})));
    assert_eq!(row.spec, Spec::default());
    assert_eq!((row.status.node.as_str(), row.status.version.as_str()), ("n1", "0.1.0"));
    assert_eq!(
        (row.status.run.run_id.as_str(), row.status.run.phase),
        ("r1", Phase::Running)
    );
    assert_eq!(row.status.run.started_at, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    assert_eq!(
        said(&row),
        "Diagnosed=False/Pending Collected=False/Collecting Uploaded=Unknown/Pending Healthy=Unknown/Pending"
    );

    diary.diagnosed("{}", "[]", "2026-11-21T10:00:02Z".parse().unwrap());
    let row = read(diary.content(&json!({})));
    assert!(row.is_diagnosed());
    assert!(said(&row).starts_with("Diagnosed=True/Diagnosed Collected=False"));

    let progress = Progress {
        ended: 7,
        planned: 14,
        running: vec!["dns", "kubelet"],
        bytes: 99,
        waiting: None,
    };
    diary.progress(Part::Node, &progress);
    let row = read(diary.content(&json!({})));
    assert_eq!(row.status.run.message, "Under way: dns, kubelet.");
    assert_eq!(row.status.run.progress.unwrap().actions, "7/14");
    let waiting = Progress {
        waiting: Some("Waiting for the storage: it is away".to_owned()),
        ..progress.clone()
    };
    diary.progress(Part::Node, &waiting);
    let row = read(diary.content(&json!({})));
    assert_eq!(row.status.run.message, "Waiting for the storage: it is away");

    diary.end(&run("r1", Part::Node), &ending(Ok(outcome())));
    let row = read(diary.content(&json!({})));
    let told = &row.status.run;
    assert_eq!(told.phase, Phase::Partial);
    assert_eq!(
        told.message,
        "3 of 45 items are missing or cut: kubelet: no answer within 10 s"
    );
    assert_eq!(told.items.get("timedOut"), Some(&3));
    assert_eq!(told.progress.as_ref().unwrap().actions, "14/14");
    assert_eq!(told.findings.as_ref().unwrap().summary, "1 fail");
    assert_eq!(told.findings.as_ref().unwrap().gravest.len(), 1);
    let places: Vec<_> = told
        .archives
        .iter()
        .map(|archive| (archive.at, archive.location.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (StoredAt::Storage, "https://a.blob.core.windows.net/c/r1/n1/n1.zip"),
            (StoredAt::Node, "/aks-periscope/r1/n1.zip")
        ]
    );
    assert_eq!(
        said(&row),
        "Diagnosed=True/Diagnosed Collected=False/Partial Uploaded=True/Uploaded Healthy=False/FaultsFound"
    );
    assert!(!diary.content(&json!({})).to_string().contains("sig="));
}

fn said(row: &Row) -> String {
    let said = row.status.conditions.iter();
    let said: Vec<_> = said
        .map(|said| format!("{}={}/{}", said.kind, said.status, said.reason))
        .collect();
    said.join(" ")
}

#[rstest]
#[case::complete(|outcome: &mut Outcome| outcome.completeness = Completeness::Complete, Phase::Complete, "40 of 45 items collected, the others are rightly absent")]
#[case::all(|outcome: &mut Outcome| {
    outcome.completeness = Completeness::Complete;
    outcome.states = vec![(State::Collected, 40)];
}, Phase::Complete, "all 40 items collected")]
#[case::nothing(|outcome: &mut Outcome| outcome.completeness = Completeness::Nothing, Phase::Failed, "not one of 45 items could be collected: kubelet: no answer within 10 s")]
#[case::cancelled(|outcome: &mut Outcome| outcome.states.push((State::Cancelled, 5)), Phase::Cancelled, "ended early, 8 of 50 items are missing or cut")]
#[case::upload_failed(
    |outcome: &mut Outcome| outcome.uploads = Some(Err("the SAS has expired".to_owned())),
    Phase::Partial,
    "not uploaded: the SAS has expired; 3 of 45 items are missing or cut: kubelet: no answer within 10 s"
)]
fn phases_are_what_the_run_amounts_to(
    #[case] change: impl Fn(&mut Outcome),
    #[case] expected: Phase,
    #[case] sentence: &str,
) {
    let mut outcome = outcome();
    change(&mut outcome);
    let ending = ending(Ok(outcome));
    assert_eq!(
        (phase(&ending), in_one_sentence(&ending).as_str()),
        (expected, sentence)
    );
}

#[test]
fn a_run_that_could_not_be_made_says_why() {
    let mut diary = Diary::of("n1", "0.1.0");
    diary.begin(&run("r1", Part::Node));
    diary.end(
        &run("r1", Part::Node),
        &ending(Err("no room in /aks-periscope".to_owned())),
    );
    let row = read(diary.content(&json!({})));
    assert_eq!(
        (row.status.run.phase, row.status.run.message.as_str()),
        (Phase::Failed, "no room in /aks-periscope")
    );
    assert_eq!(
        said(&row),
        "Diagnosed=False/NotDiagnosed Collected=False/Failed Uploaded=Unknown/Nothing Healthy=Unknown/NotJudged"
    );
}

#[test]
fn a_run_that_was_ended_early_calls_no_node_healthy() {
    let mut diary = Diary::of("n1", "0.1.0");
    diary.begin(&run("r1", Part::Node));
    let mut outcome = outcome();
    outcome.findings.retain(|finding| finding.verdict == Verdict::Pass);
    let ending = Ending {
        interrupted: true,
        ..ending(Ok(outcome))
    };
    diary.end(&run("r1", Part::Node), &ending);
    let row = read(diary.content(&json!({})));
    assert_eq!(row.status.run.phase, Phase::Cancelled);
    assert!(said(&row).ends_with("Healthy=Unknown/NotJudged"), "{}", said(&row));
}

#[test]
fn a_new_run_leaves_nothing_of_the_last() {
    let mut diary = Diary::of("n1", "0.1.0");
    diary.begin(&run("r1", Part::Node));
    diary.begin(&run("r1", Part::Cluster));
    diary.diagnosed("{}", "[]", "2026-11-21T10:00:02Z".parse().unwrap());
    diary.end(&run("r1", Part::Cluster), &ending(Ok(outcome())));
    diary.end(&run("r1", Part::Node), &ending(Ok(outcome())));
    let last = diary.content(&json!({}));
    diary.begin(&run("r2", Part::Node));
    let row = read(diary.content(&last));
    assert!(!row.is_diagnosed());
    assert_eq!(row.status.cluster, None);
    assert!(row.status.run.archives.is_empty() && row.status.run.findings.is_none());
}

#[test]
fn what_an_earlier_agent_told_of_the_same_run_stays() {
    let mut earlier = Diary::of("n1", "0.1.0");
    for part in [Part::Node, Part::Cluster] {
        earlier.begin(&run("r1", part));
    }
    earlier.diagnosed("{}", "[]", "2026-11-21T10:00:02Z".parse().unwrap());
    let present = earlier.content(&json!({}));

    let mut again = Diary::of("n1", "0.1.0");
    again.begin(&run("r1", Part::Node));
    assert!(again.content(&present)["status"]["cluster"].is_object());
    let mut other = Diary::of("n1", "0.1.0");
    other.begin(&run("r2", Part::Node));
    assert_eq!(other.content(&present)["status"].get("cluster"), None);

    let mut takeover = Diary::of("n1", "0.1.0");
    takeover.begin(&run("r2", Part::Cluster));
    let row = read(takeover.content(&present));
    assert!(row.is_diagnosed());
    assert_eq!(row.status.run.run_id, "r1");
    assert_eq!(row.status.cluster.unwrap().run_id, "r2");
    assert_eq!(read(takeover.content(&json!({}))).status.node, "n1");
}

/// A row as full as it gets.
fn full() -> Value {
    let nasty = "\u{1}\"\\ä".repeat(1000);
    let mut outcome = outcome();
    outcome.findings = vec![finding(Verdict::Fail, &nasty); 500];
    for finding in &mut outcome.findings {
        finding.remedy.clone_from(&nasty);
    }
    outcome.failures = vec![nasty.clone(); 500];
    outcome.archives = vec![receipt(&nasty); 50];
    outcome.states = State::ALL.map(|state| (state, usize::MAX / 20)).into();
    let progress = Progress {
        ended: usize::MAX,
        planned: usize::MAX,
        running: vec!["an-action-with-a-long-name"; 100],
        bytes: u64::MAX,
        waiting: Some(nasty.clone()),
    };
    let mut diary = Diary::of(&"n".repeat(128), &nasty);
    for part in [Part::Node, Part::Cluster] {
        diary.begin(&run(&"r".repeat(128), part));
        diary.progress(part, &progress);
        diary.end(&run(&"r".repeat(128), part), &ending(Ok(outcome.clone())));
    }
    let period = json!({"Type": nasty, "End": "2026-11-21T10:00:02Z", "Status": "Error: x"});
    let outbound = json!(vec![period; 3]).to_string();
    diary.diagnosed(&nasty, &outbound, "2026-11-21T10:00:02Z".parse().unwrap());
    let small = json!(vec![
        json!({"Status": "Error: no", "End": "2026-11-21T10:00:02Z"});
        5000
    ])
    .to_string();
    diary.diagnosed(
        &json!({"DNS": vec!["10.0.0.10"; 5000]}).to_string(),
        &small,
        "2026-11-21T10:00:02Z".parse().unwrap(),
    );
    diary.content(&json!({}))
}

#[test]
fn a_row_stays_small_whatever_was_found() {
    /// What the API server adds: metadata, and the names of all fields once more (`managedFields`).
    const ADDED: usize = 6 * 1024;
    let size = full().to_string().len();
    assert!(size < 64 * 1024 - ADDED, "{size}");
}

#[test]
fn the_definition_names_all_that_is_written() {
    let crd = serde_json::to_value(crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(unnamed(schema, &full(), ""), Vec::<String>::new());
    assert_eq!(unnamed(schema, &json!({"status": {"tide": 1}}), ""), [".status.tide"]);
}
