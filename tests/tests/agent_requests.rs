//! What a run of the agent asks of the API server, counted in the audit log of a real one: the node that does the
//! cluster's part, and one that does not.
#![expect(clippy::disallowed_methods, reason = "tests look at files of their own")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use periscope_tests::{DeployedAgent, Services, StubNode, eventually};
use serde_json::Value;

/// What a node may ask in a run, besides a patch of its row every five seconds.
const NODE_BUDGET: usize = 8;
/// What the one that does the cluster's part may ask on top.
const CLUSTER_BUDGET: usize = 20;
/// Seconds between two patches that tell of progress.
const PROGRESS_EVERY: usize = 5;

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/aks-periscope.yaml")
}

/// What the agent has asked so far, by the audit log's id of the request. The policy of the tests leaves `/readyz` out.
fn asked(services: &Services) -> BTreeMap<String, String> {
    let state = services.cluster.kubeconfig.parent().expect("it is in the state folder");
    let log = fs::read_to_string(state.join("log/audit.log")).expect("the API server's audit log");
    let user = "\"username\":\"system:serviceaccount:aks-periscope:aks-periscope-service-account\"";
    let events = log
        .lines()
        .filter(|line| line.contains(user))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .map(|event| {
            let what = format!("{} {}", text(&event["verb"]), text(&event["requestURI"]));
            (text(&event["auditID"]), what)
        })
        .collect()
}

/// What one run asked, and how many patches of its row tell of progress.
struct Counted {
    all: Vec<String>,
    progress: usize,
    seconds: usize,
}

/// `told` are the patches that tell of something else: that a part has begun, the diagnosis, that a part has ended.
fn run(
    services: &Services,
    agent: &DeployedAgent,
    run_id: &str,
    told: usize,
    over: impl Fn(&Value) -> bool,
) -> Counted {
    let before = asked(services);
    agent.start_run(run_id);
    let row = agent.ended(run_id);
    let times = |field: &str| row["status"][field].as_str().and_then(|text| text.parse().ok());
    let (started, finished): (Option<jiff::Timestamp>, Option<jiff::Timestamp>) =
        (times("startedAt"), times("finishedAt"));
    let took = finished.expect("it ended").duration_since(started.expect("it began"));
    eventually("the cluster's part is settled", || agent.row().filter(|row| over(row)));
    // What the agent sends last is written into the log in its own time.
    let all = eventually("the audit log is at rest", || {
        let first = asked(services);
        (first == asked(services)).then_some(first)
    });
    let all: Vec<_> = all
        .into_iter()
        .filter(|(id, _)| !before.contains_key(id))
        .map(|(_, what)| what)
        .collect();
    let patches = all
        .iter()
        .filter(|what| what.starts_with("patch ") && what.contains("/diagnostics/"))
        .count();
    Counted {
        progress: patches.saturating_sub(told),
        seconds: usize::try_from(took.as_secs()).expect("it took its time"),
        all,
    }
}

#[test]
fn a_node_asks_no_more_than_it_may() {
    let services = Services::running();
    let agent = DeployedAgent::apply(&services, &manifest(), |_| {});
    agent.ready_pod();

    let alone = run(&services, &agent, "leader", 5, |row| {
        row["status"]["cluster"]["finishedAt"].is_string()
    });
    let allowed_progress = alone.seconds / PROGRESS_EVERY + 1;
    assert!(
        alone.progress <= allowed_progress,
        "{} s: {:#?}",
        alone.seconds,
        alone.all
    );
    assert!(
        alone.all.len() - alone.progress <= NODE_BUDGET + CLUSTER_BUDGET,
        "{:#?}",
        alone.all
    );

    // Three before it in line: it is neither the one nor a stand-in.
    let _before =
        ["aaa-1", "aaa-2", "aaa-3"].map(|name| StubNode::with_agent(&services.cluster, name, "aks-periscope"));
    let follower = run(&services, &agent, "follower", 3, |_| true);
    assert!(
        follower.all.len() - follower.progress <= NODE_BUDGET + 1,
        "{:#?}",
        follower.all
    );
    assert!(agent.row().is_some_and(|row| row["status"]["cluster"].is_null()));
}
