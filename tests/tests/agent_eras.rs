//! The agent under the manifests of the original's eras, with only the image changed: `kubectl set image` is all that
//! an operator of one of them has to do. Judged by a replica of `az aks kanalyze` and by the archive on the node.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use periscope_core::{Completeness, Manifest, State};
use periscope_tests::{DeployedAgent, Kanalyze, Services, eventually};
use serde_json::json;

/// The namespace that the CLI knows.
const NAMESPACE: &str = "aks-periscope";
/// What an operator looks for first: none of the manifests mounts the node's root, and yet it must be there.
const EXPECTED: [&str; 8] = [
    "container-logs/",
    "container-runtime/",
    "iptables/",
    "kubelet/",
    "network-outbound/connections.json",
    "network-state/",
    "node-logs/var/log/cloud-init.log",
    "system-logs/journal/kubelet.log",
];

/// The manifest of an era, deployed.
struct Era {
    services: Services,
    agent: DeployedAgent,
}

impl Era {
    /// As `az aks kollect` applies it, with the run id in the `ConfigMap` from the first moment; or without one.
    fn apply(letter: char, run_id: Option<&str>) -> Self {
        let services = Services::running();
        let manifest: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("manifests/era-{letter}.yaml"));
        let agent = DeployedAgent::apply_changed(&services, &manifest, |object| {
            if let Some(run_id) = run_id
                && object["kind"] == "ConfigMap"
            {
                object["data"]["DIAGNOSTIC_RUN_ID"] = json!(run_id);
            }
        });
        Self { services, agent }
    }

    /// The command shows both tables within its own rounds, and nothing in red.
    fn is_shown(&self) {
        let cluster = &self.services.cluster;
        let shown = Kanalyze::of(cluster, NAMESPACE, thread::sleep);
        let shown = shown.unwrap_or_else(|why| unreachable!("{why}\n{}", self.agent.logs()));
        let [configuration] = &shown.configurations[..] else {
            unreachable!("{shown:#?}\n{}", self.agent.logs());
        };
        assert_eq!(configuration["HostName"], cluster.node_name.as_str());
        assert_eq!(configuration["KubernetesDNS"], json!(["10.96.0.10"]));
        let kinds: Vec<_> = shown.connections.iter().map(|connection| &connection["Type"]).collect();
        for kind in [
            "Internet",
            "AKS API Server",
            "Azure Container Registry",
            "Microsoft Container Registry",
        ] {
            assert!(kinds.iter().any(|shown| *shown == kind), "{kinds:?}");
        }
        assert_eq!(shown.red().count(), 0, "{shown:#?}");
    }

    /// The run's archive is whole; what is not in it says why, and none of it is for want of a permission.
    fn is_archived(&self, run_id: &str) {
        let manifest = self.agent.archived(run_id);
        assert_eq!(
            manifest.completeness,
            Completeness::Complete,
            "{:#?}",
            absent(&manifest)
        );
        for item in absent(&manifest) {
            assert!(item.1.is_some_and(|reason| !reason.is_empty()), "{item:?}");
        }
        let top = format!("nodes/{}/", self.services.cluster.node_name);
        for expected in EXPECTED {
            let is_there = manifest.items.iter().any(|item| {
                let path = item.path.as_str().strip_prefix(&top).unwrap_or_default();
                path.starts_with(expected) && item.is_in_archive()
            });
            assert!(is_there, "{expected}: {:#?}", absent(&manifest));
        }
        // The kanalyze replica came in the middle of the run: the pod must also outlive its end.
        let cluster = self.agent.archive(run_id, "cluster");
        assert_eq!(cluster.completeness, Completeness::Complete, "{:#?}", absent(&cluster));
        let logs = self.agent.logs();
        assert!(!logs.contains("panic") && !logs.contains(" ERROR "), "{logs}");
        let restarts = "--output=jsonpath={.items[*].status.containerStatuses[0].restartCount}";
        assert_eq!(self.agent.kubectl(&["get", "pods", restarts]), "0", "{logs}");
    }

    /// The cluster's definition of rows takes the two texts and nothing else; it is not refused for what it drops.
    fn row_is_of_the_era(&self) {
        let row = self.agent.row().expect("the row is there");
        assert!(row.get("status").is_none(), "{row:#}");
        assert_eq!(row["spec"]["dns"], "", "{row:#}");
    }
}

/// What is not in an archive, by its state.
fn absent(manifest: &Manifest) -> Vec<(&str, Option<&str>, State)> {
    let absent = manifest.items.iter().filter(|item| !item.is_in_archive());
    absent
        .map(|item| (item.path.as_str(), item.reason.as_deref(), item.state))
        .collect()
}

/// Files below `/config` and `/secret`; the run id comes later.
#[test]
fn files() {
    let era = Era::apply('c', None);
    era.agent.ready_pod();
    era.agent.start_run("era-c");
    era.is_shown();
    era.is_archived("era-c");
    era.row_is_of_the_era();
}

/// Everything by `envFrom`: a run id that comes later reaches no environment, but the API tells of it.
#[test]
fn environment() {
    let era = Era::apply('b', Some("era-b"));
    era.is_shown();
    era.is_archived("era-b");
    era.row_is_of_the_era();
    era.agent.start_run("era-b-again");
    era.is_archived("era-b-again");
}

/// No run ids yet: one run, at the start, called by its time, in the folder that was mounted then.
#[test]
fn environment_without_run_ids() {
    let era = Era::apply('a', None);
    era.is_shown();
    let runs = || {
        let folder = fs::read_dir(era.agent.file("")).expect("the folder is on the node");
        let names = folder
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name != ".agent").collect::<Vec<_>>()
    };
    let run_id = eventually("a run", || runs().pop());
    assert!(run_id.starts_with("20") && run_id.ends_with('Z'), "{run_id}");
    era.is_archived(&run_id);
    era.row_is_of_the_era();
    // The next pod finds the run made.
    let pod = era.agent.ready_pod();
    era.agent.kubectl(&["delete", "pod", &pod]);
    eventually("the next pod is ready", || (era.agent.ready_pod() != pod).then_some(()));
    assert_eq!(runs(), [run_id]);
}
