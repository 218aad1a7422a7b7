//! The rows of a real API server, told by the reporter and read by kubectl, by a replica of the CLI and as the types
//! that `kollect` reads.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use periscope_agent::rows::{Home, OwnPod, Phase, Row, RowsReporter, StoredAt, crd};
use periscope_agent::{Ending, Outcome, Part, Progress, Reporter, Run};
use periscope_cluster::{ClusterAccess, ConnectOptions};
use periscope_core::{Completeness, Finding, Format, Receipt, State};
use periscope_tests::{Cluster, Kanalyze, Services, eventually, ready_nodes};
use serde_json::{Value, json};
use tokio::sync::RwLock;

const BOUND: Duration = Duration::from_secs(30);
const CONFIG: &str = r#"{"HostName":"n","NetworkPlugin":"","VirtualMachineDNS":["168.63.129.16"],"KubernetesDNS":["10.0.0.10"],"MaxPodsPerNode":110}"#;
const OUTBOUND: &str = r#"[{"HostName":"n","Type":"Internet","Start":"2026-11-21T10:00:00Z","End":"2026-11-21T10:00:05Z","Status":"Connected"}]"#;

/// The cluster has one definition of rows: tests that need ours read it, the one that puts an older one there writes.
static DEFINITION: RwLock<()> = RwLock::const_new(());

// kubectl is waited for on a thread: the reporter writes on another.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_to_the_cli_and_to_kubectl() {
    let _definition = DEFINITION.read().await;
    let place = Place::new("rows-told");
    place.define(&serde_json::to_value(crd()).unwrap(), true);
    let access = access(&place.cluster.kubeconfig).await;
    let reporters: Vec<_> = place
        .ready_nodes()
        .iter()
        .map(|node| place.reporter(&access, node))
        .collect();
    let first = run("2026-11-21T10-00-00Z");

    for reporter in &reporters {
        reporter.begin(&first).await;
        assert!(reporter.flush(BOUND).await);
    }
    assert_eq!(
        place.row()["spec"],
        json!({"dns": "", "networkconfig": "", "networkoutbound": ""})
    );
    let waiting = Kanalyze::of(&place.cluster, &place.namespace, |_| ()).unwrap();
    assert_eq!(
        (waiting.configurations.len(), waiting.waited),
        (0, Duration::from_secs(90))
    );

    for reporter in &reporters {
        reporter.diagnosed(&first, CONFIG, OUTBOUND).await;
        assert!(reporter.flush(BOUND).await);
    }
    let shown = Kanalyze::of(&place.cluster, &place.namespace, |_| ()).unwrap();
    assert_eq!(shown.configurations.len(), reporters.len());
    assert_eq!(shown.connections.len(), reporters.len());
    assert_eq!(shown.waited, Duration::ZERO);

    let progress = Progress {
        ended: 7,
        planned: 14,
        running: vec!["system-logs", "container-logs"],
        bytes: 1 << 20,
        waiting: None,
    };
    for reporter in &reporters {
        reporter.progress(&first, &progress).await;
    }
    eventually("the progress in the table", || {
        place.line().contains("7/14").then_some(())
    });
    assert_eq!(place.columns(), ["Running", "7/14", "Pending"], "{}", place.line());
}

#[tokio::test]
async fn the_end_of_a_run_is_in_row_table_and_events() {
    let _definition = DEFINITION.read().await;
    let place = Place::new("rows-ended");
    place.define(&serde_json::to_value(crd()).unwrap(), true);
    place.apply(
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent"}, "spec": {
        "nodeSelector": {"no": "node"}, "containers": [{"name": "agent", "image": "none.invalid/none"}]}}),
    );
    let access = access(&place.cluster.kubeconfig).await;
    let reporter = place.reporter(&access, &place.cluster.node_name);
    let first = run("2026-11-21T10-00-00Z");
    reporter.begin(&first).await;
    reporter.diagnosed(&first, CONFIG, OUTBOUND).await;
    let progress = Progress {
        ended: 12,
        planned: 14,
        ..Progress::default()
    };
    reporter.progress(&first, &progress).await;
    reporter.end(&first, &ending()).await;
    assert!(reporter.flush(BOUND).await);
    let table = place.kubectl(&["get", "apd"]);
    assert_eq!(
        place.columns(),
        ["Partial", "14/14", "1 fail, 1 warn", "Uploaded"],
        "{table}"
    );
    place.kubectl(&[
        "wait",
        "apd",
        &place.name(),
        "--for=condition=Healthy=False",
        "--timeout=1s",
    ]);
    place.kubectl(&[
        "wait",
        "apd",
        &place.name(),
        "--for=jsonpath={.status.phase}=Partial",
        "--timeout=1s",
    ]);

    let row = Row::read(place.row()).unwrap();
    assert_eq!(
        (row.node(), row.status.run.phase),
        (Some(place.cluster.node_name.as_str()), Phase::Partial)
    );
    assert_eq!(row.status.run.archives.first().unwrap().at, StoredAt::Storage);
    assert_eq!(row.status.run.items.get("timedOut"), Some(&3));

    let described = place.kubectl(&["describe", "pod", "agent"]);
    let event = described.lines().find(|line| line.contains("Warning  RunFinished"));
    assert!(event.is_some_and(|line| line.contains("; found: ")), "{described}");
    let all = place.kubectl(&["get", "apd,events", "--output", "yaml"]);
    assert!(!all.contains("sig="), "the signature of a URL is in\n{all}");
}

#[tokio::test]
async fn a_new_run_leaves_nothing_of_the_last_and_fits_into_a_terminal() {
    let _definition = DEFINITION.read().await;
    let place = Place::new("rows-next");
    place.define(&serde_json::to_value(crd()).unwrap(), true);
    let access = access(&place.cluster.kubeconfig).await;
    let reporter = place.reporter(&access, &place.cluster.node_name);
    reporter.begin(&run("r1")).await;
    reporter.diagnosed(&run("r1"), CONFIG, OUTBOUND).await;
    reporter.end(&run("r1"), &ending()).await;
    assert!(reporter.flush(BOUND).await);
    assert!(Row::read(place.row()).unwrap().is_diagnosed());

    reporter.begin(&run("r2")).await;
    assert!(reporter.flush(BOUND).await);
    let second = place.row();
    assert_eq!(
        second["spec"],
        json!({"dns": "", "networkconfig": "", "networkoutbound": ""})
    );
    let fields: Vec<_> = second["status"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["conditions", "node", "phase", "runId", "startedAt", "version"]);

    // The longest words of every column.
    let mut longest = ending();
    if let Ok(outcome) = &mut longest.result {
        outcome.completeness = Completeness::Complete;
        outcome.findings = [&outcome.findings[..1], &outcome.findings[1..2]]
            .map(|finding| vec![finding.to_vec(); 12].concat())
            .concat();
        outcome.states.push((State::Cancelled, 100));
        outcome.uploads = None;
    }
    let progress = Progress {
        ended: 99,
        planned: 100,
        ..Progress::default()
    };
    reporter.progress(&run("r2"), &progress).await;
    reporter.end(&run("r2"), &longest).await;
    assert!(reporter.flush(BOUND).await);
    let table = place.kubectl(&["get", "apd"]);
    assert_eq!(
        place.columns(),
        ["Cancelled", "99/100", "12 fail, 12 warn", "NoStorage"],
        "{table}"
    );
    for line in table.lines() {
        assert!(line.trim_end().len() <= 120, "wider than a terminal: {line}");
    }
}

#[tokio::test]
async fn another_agent_of_the_same_node_goes_on_with_its_row() {
    let _definition = DEFINITION.read().await;
    let place = Place::new("rows-again");
    place.define(&serde_json::to_value(crd()).unwrap(), true);
    let access = access(&place.cluster.kubeconfig).await;
    let node = &place.cluster.node_name;
    let reporter = place.reporter(&access, node);
    reporter.begin(&run("r1")).await;
    let cluster = Run {
        part: Part::Cluster,
        ..run("r1")
    };
    reporter.begin(&cluster).await;
    reporter.end(&cluster, &ending()).await;
    reporter.diagnosed(&run("r1"), CONFIG, OUTBOUND).await;
    assert!(reporter.flush(BOUND).await);
    drop(reporter);

    let reporter = place.reporter(&access, node);
    let again = Run {
        attempt: 2,
        ..run("r1")
    };
    reporter.begin(&again).await;
    reporter.end(&again, &ending()).await;
    assert!(reporter.flush(BOUND).await);
    let row = Row::read(place.row()).unwrap();
    assert_eq!(row.status.run.phase, Phase::Partial);
    assert_eq!(row.status.cluster.expect("the same run's").phase, Phase::Partial);

    reporter.begin(&run("r2")).await;
    assert!(reporter.flush(BOUND).await);
    assert_eq!(Row::read(place.row()).unwrap().status.cluster, None);
}

/// Of the original's manifests (`deployment/base/crd.yaml` of its releases).
fn historic_definition() -> Value {
    let text = json!({"type": "string"});
    let spec = json!({"type": "object", "properties": {"dns": text, "networkoutbound": text, "networkconfig": text}});
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "diagnostics.aks-periscope.azure.github.com"},
        "spec": {
            "group": "aks-periscope.azure.github.com",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
            "scope": "Namespaced",
            "names": {"plural": "diagnostics", "singular": "diagnostic", "kind": "Diagnostic", "shortNames": ["apd"]},
        },
    })
}

#[tokio::test]
async fn the_historic_definition_and_the_historic_role_are_enough_for_the_cli() {
    let _definition = DEFINITION.write().await;
    let place = Place::new("rows-historic");
    place.define(&historic_definition(), false);
    let access = place.historic_agent().await;
    let reporters: Vec<_> = place
        .ready_nodes()
        .iter()
        .map(|node| place.reporter(&access, node))
        .collect();
    for reporter in &reporters {
        reporter.begin(&run("r1")).await;
        assert!(reporter.flush(BOUND).await);
        assert_eq!(place.row()["spec"]["networkconfig"], "");
        reporter.diagnosed(&run("r1"), CONFIG, OUTBOUND).await;
        reporter.progress(&run("r1"), &Progress::default()).await;
        reporter.end(&run("r1"), &ending()).await;
        assert!(reporter.flush(BOUND).await);
    }
    let shown = Kanalyze::of(&place.cluster, &place.namespace, |_| ()).unwrap();
    assert_eq!(
        (shown.configurations.len(), shown.waited),
        (reporters.len(), Duration::ZERO)
    );
    let row = place.row();
    assert_eq!(
        row.get("status"),
        None,
        "this definition is not the historic one: {row}"
    );
    assert_eq!(Row::read(row).unwrap().status.run.phase, Phase::Unknown);
    assert_eq!(
        place.kubectl(&["get", "events", "--no-headers", "--ignore-not-found"]),
        ""
    );
    place.define(&serde_json::to_value(crd()).unwrap(), true);
}

#[tokio::test]
async fn the_historic_role_is_enough_for_the_whole_row() {
    let _definition = DEFINITION.read().await;
    let place = Place::new("rows-role");
    place.define(&serde_json::to_value(crd()).unwrap(), true);
    let access = place.historic_agent().await;
    let reporter = place.reporter(&access, &place.cluster.node_name);
    for id in ["r1", "r2"] {
        reporter.begin(&run(id)).await;
        reporter.diagnosed(&run(id), CONFIG, OUTBOUND).await;
        reporter.end(&run(id), &ending()).await;
        assert!(reporter.flush(BOUND).await);
        let row = Row::read(place.row()).unwrap();
        assert!(row.is_diagnosed());
        assert_eq!(
            (row.status.run.run_id.as_str(), row.status.run.phase),
            (id, Phase::Partial)
        );
    }
}

/// A namespace of a test's own.
struct Place {
    cluster: Cluster,
    namespace: String,
}

impl Place {
    fn new(name: &str) -> Self {
        let cluster = Services::running().cluster;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("a clock after 1970");
        let namespace = format!("{name}-{:x}", now.as_millis());
        cluster.kubectl(&["create", "namespace", &namespace]);
        eventually("the service account of a new namespace", || {
            cluster.try_kubectl(&["get", "serviceaccount", "default", "--namespace", &namespace])
        });
        Self { cluster, namespace }
    }

    fn kubectl(&self, words: &[&str]) -> String {
        let mut all = words.to_vec();
        all.extend(["--namespace", &self.namespace]);
        self.cluster.kubectl(&all)
    }

    fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        serde_json::to_writer(&file, object).expect("a temporary file");
        self.kubectl(&[
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename",
            &file.path().display().to_string(),
        ]);
    }

    /// Puts a definition of rows into force.
    fn define(&self, definition: &Value, has_status: bool) {
        self.apply(definition);
        let probe = json!({"apiVersion": "aks-periscope.azure.github.com/v1", "kind": "Diagnostic",
            "metadata": {"name": "probe"}, "spec": {"networkconfig": ""}, "status": {"phase": "Running"}});
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        serde_json::to_writer(&file, &probe).expect("a temporary file");
        let path = file.path().display().to_string();
        let words = [
            "create",
            "--dry-run=server",
            "--validate=false",
            "--output=jsonpath={.status.phase}",
            "--filename",
            &path,
            "--namespace",
            &self.namespace,
        ];
        eventually("the definition of rows", || {
            let kept = self.cluster.try_kubectl(&words)?;
            (has_status == (kept == "Running")).then_some(())
        });
    }

    fn ready_nodes(&self) -> Vec<String> {
        ready_nodes(&self.cluster.kubectl(&["get", "node", "--no-headers"]))
    }

    fn reporter(&self, access: &ClusterAccess, node: &str) -> RowsReporter {
        let home = Home {
            namespace: self.namespace.clone(),
            node: node.parse().expect("a node's name"),
            pod: Some(OwnPod {
                name: "agent".to_owned(),
                uid: None,
            }),
            version: "0.1.0".to_owned(),
        };
        RowsReporter::start(access, &home)
    }

    /// The name of the cluster's own node's row.
    fn name(&self) -> String {
        format!("aks-periscope-diagnostic-{}", self.cluster.node_name)
    }

    fn row(&self) -> Value {
        serde_json::from_str(&self.kubectl(&["get", "apd", &self.name(), "--output", "json"])).expect("JSON")
    }

    /// The row's line in the table.
    fn line(&self) -> String {
        self.kubectl(&["get", "apd", &self.name(), "--no-headers"])
    }

    /// The columns of that line that are not empty, but for the name and how long ago it began.
    fn columns(&self) -> Vec<String> {
        let line = self.line();
        let columns = line
            .trim()
            .split("  ")
            .map(str::trim)
            .filter(|column| !column.is_empty());
        let mut columns: Vec<_> = columns.map(str::to_owned).collect();
        columns.pop();
        columns.remove(0);
        columns
    }

    /// Access as an agent that the original's manifests deployed (`deployment/base/cluster-role.yaml`), without what
    /// else that role allows, which has nothing to do with rows.
    async fn historic_agent(&self) -> ClusterAccess {
        let rules = json!([
            {"apiGroups": ["", "metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["get", "watch", "list"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
            {"apiGroups": ["aks-periscope.azure.github.com"], "resources": ["diagnostics"], "verbs": ["get", "watch", "list", "create", "patch"]},
        ]);
        let kinds = [("Role", "historic"), ("ClusterRole", "view")];
        self.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "historic"}, "rules": rules}));
        for (kind, role) in kinds {
            self.apply(
                &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": self.namespace}]}),
            );
        }
        let name = format!("system:serviceaccount:{}:default", self.namespace);
        let may = |verb: &str, resource: &str| {
            let words = [
                "auth",
                "can-i",
                verb,
                resource,
                "--as",
                &name,
                "--namespace",
                &self.namespace,
            ];
            self.cluster.try_kubectl(&words).is_some()
        };
        eventually("the role", || {
            may("patch", "diagnostics.aks-periscope.azure.github.com").then_some(())
        });
        assert!(!may("create", "events"), "a role that allows Events proves nothing");
        let text = fs::read_to_string(&self.cluster.kubeconfig).expect("the kubeconfig of the services");
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(
            file.path(),
            text.replacen("  user:\n", &format!("  user:\n    as: {name}\n"), 1),
        )
        .expect("a temporary file");
        access(file.path()).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.cluster
            .try_kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }
}

async fn access(kubeconfig: &Path) -> ClusterAccess {
    let options = ConnectOptions {
        kubeconfig: Some(kubeconfig.to_owned()),
        ..ConnectOptions::default()
    };
    ClusterAccess::discover(&options, &|_| None)
        .await
        .expect("a kubeconfig that works")
}

fn run(id: &str) -> Run {
    Run {
        id: id.parse().expect("a run id"),
        part: Part::Node,
        started: jiff::Timestamp::now(),
        attempt: 1,
    }
}

fn ending() -> Ending {
    let finding = |verdict: &str, title: &str| -> Finding {
        let remedy = "Remove what is not needed from it, or give it more room.";
        serde_json::from_value(
            json!({"analyzer": "disk", "verdict": verdict, "impact": "critical", "title": title, "remedy": remedy}),
        )
        .expect("a finding")
    };
    let receipt = |location: &str| Receipt {
        location: location.to_owned(),
        format: Format::Zip,
        bytes: 3_456_789,
    };
    Ending {
        at: jiff::Timestamp::now(),
        interrupted: false,
        result: Ok(Outcome {
            completeness: Completeness::Partial,
            states: vec![(State::Collected, 40), (State::NotPresent, 2), (State::TimedOut, 3)],
            failures: vec!["system-logs/kubelet: no end within 60 s".to_owned()],
            findings: vec![
                finding("fail", "Disk /var is full: 120 MB of 128 GB are free."),
                finding("warn", "The kubelet restarted 3 times within an hour."),
                finding("pass", "The node's clock is right."),
            ],
            archives: vec![receipt("/aks-periscope/2026-11-21T10-00-00Z/node.zip")],
            uploads: Some(Ok(vec![receipt(
                "https://account.blob.core.windows.net/container/2026-11-21T10-00-00Z/node/node.zip?sv=2022&sig=QUJDREVG",
            )])),
        }),
    }
}
