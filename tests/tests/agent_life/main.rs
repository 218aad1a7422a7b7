//! What an agent lives through on a real kubelet: runs that come together, its own end in the middle of one, an API
//! server that is away, a node that is full. Each run must come out whole and once, and its row must say so.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

mod away;
mod ends;
mod many;
mod queue;
mod reports;

use std::fs;
use std::path::Path;

use periscope_core::{Completeness, ItemRecord};
use periscope_tests::{Cluster, DeployedAgent, PacketRule, Services, Where, eventually};
use serde_json::{Value, json};

/// The namespace that the CLI knows.
const NAMESPACE: &str = "aks-periscope";
/// Where the test cluster has `mcr.microsoft.com`.
const REGISTRY: &str = "203.0.113.10";

/// An agent of the one file that a person applies.
struct Life {
    services: Services,
    agent: DeployedAgent,
}

impl Life {
    fn begin() -> Self {
        Self::begin_with(|_| {})
    }

    fn begin_with(change: impl Fn(&mut Value)) -> Self {
        let services = Services::running();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/aks-periscope.yaml");
        let agent = DeployedAgent::apply_changed(&services, &manifest, change);
        agent.ready_pod();
        Self { services, agent }
    }

    fn cluster(&self) -> &Cluster {
        &self.services.cluster
    }

    /// Makes the next runs last: their dials of one registry wait for answers as long as they may, which is seconds.
    fn slow_network(&self) -> PacketRule {
        let rule = ["INPUT", "--destination", REGISTRY, "--jump", "DROP"];
        PacketRule::add(self.cluster(), Where::Outside, &rule)
    }

    /// Waits until the row stands so.
    fn row(&self, run_id: &str, phase: &str) -> Value {
        eventually(&format!("run {run_id} is {phase}"), || {
            let row = self.agent.row()?;
            let status = &row["status"];
            (status["runId"] == run_id && status["phase"] == phase).then_some(row)
        })
    }

    /// The row of a run that must come to its whole end, with the cluster's part that follows.
    fn complete(&self, run_id: &str) -> Value {
        let row = eventually(&format!("both parts of run {run_id} have ended"), || {
            let row = self.agent.row()?;
            let ended = |part: &Value| {
                part["runId"] == run_id && part["finishedAt"].is_string() && part["phase"] != "Cancelled"
            };
            (ended(&row["status"]) && ended(&row["status"]["cluster"])).then_some(row)
        });
        let context = || format!("{row:#}\n{}", self.agent.logs());
        assert_eq!(row["status"]["phase"], "Complete", "{}", context());
        assert_eq!(row["status"]["cluster"]["phase"], "Complete", "{}", context());
        assert_eq!(self.agent.archived(run_id).completeness, Completeness::Complete);
        row
    }

    /// What is in a run's folder on the node.
    fn folder(&self, run_id: &str) -> Vec<String> {
        let entries = fs::read_dir(self.agent.file(run_id)).expect("the run's folder is on the node");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("it can be listed")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// The node's archive has what the node itself tells, and is there while nobody else answers.
    fn archived_most_of(&self, run_id: &str) {
        let manifest = self.agent.archived(run_id);
        for action in [
            "container-logs",
            "iptables",
            "kubelet",
            "network-state",
            "system",
            "system-logs",
        ] {
            let mut items = manifest.items.iter().filter(|item| item.action == action);
            assert!(items.any(ItemRecord::is_in_archive), "{action}: {manifest:#?}");
        }
    }

    /// Both archives, and nothing that was begun and left.
    fn has_both_archives_only(&self, run_id: &str) {
        let mut both = ["cluster.zip".to_owned(), format!("{}.zip", self.cluster().node_name)];
        both.sort();
        assert_eq!(self.folder(run_id), both);
    }

    /// Waits for a pod that is not this one.
    fn next_pod(&self, old: &str) -> String {
        eventually("the next pod is ready", || {
            let pod = self.agent.ready_pod();
            (pod != old).then_some(pod)
        })
    }

    /// How often the container was started in this pod, and why it ended the last time.
    fn restarts(&self, pod: &str) -> (String, String) {
        let of = |path: &str| {
            self.agent.kubectl(&[
                "get",
                "pod",
                pod,
                &format!("--output=jsonpath={{.status.containerStatuses[0]{path}}}"),
            ])
        };
        (of(".restartCount"), of(".lastState.terminated.reason"))
    }

    /// What a pod answers at its port for health, through the API server.
    fn health(&self, pod: &str, path: &str) -> String {
        self.cluster().kubectl(&[
            "get",
            "--raw",
            &format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9180/proxy{path}"),
        ])
    }
}

/// Sets keys of `diagnostic-config` in the manifest itself.
fn sets_configuration(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&mut Value) {
    move |object| {
        if object["kind"] == "ConfigMap" && object["metadata"]["name"] == "diagnostic-config" {
            for (key, value) in pairs {
                object["data"][key] = json!(value);
            }
        }
    }
}
