//! One run from `kubectl apply` to its archives, and what there is to see of it from outside.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use periscope_core::State;
use periscope_tests::{Cluster, Kanalyze};

use crate::{Life, NAMESPACE, sets_configuration};

/// The manifest with the run id in it already, as `az aks kollect` applies it.
#[test]
fn a_node_reports_what_its_configuration_says() {
    let life = Life::begin_with(sets_configuration(&[
        ("DIAGNOSTIC_RUN_ID", "of-manifest"),
        ("COLLECTOR_LIST", "OSM SMI"),
    ]));
    let shown = Kanalyze::of(life.cluster(), NAMESPACE, thread::sleep).unwrap_or_else(|why| unreachable!("{why}"));
    assert_eq!(shown.configurations.len(), 1, "{shown:#?}\n{}", life.agent.logs());
    assert_eq!(shown.configurations[0]["HostName"], life.cluster().node_name.as_str());
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

    life.complete("of-manifest");
    let manifest = life.agent.archive("of-manifest", "cluster");
    for (collector, word) in [("osm", "Open Service Mesh"), ("smi", "Service Mesh Interface")] {
        let item = manifest
            .items
            .iter()
            .find(|item| item.path.as_str().ends_with(&format!("/{collector}")));
        let item = item.unwrap_or_else(|| unreachable!("nothing of {collector}: {:#?}", manifest.items));
        assert_eq!(item.state, State::NotApplicable);
        assert!(
            item.reason.as_deref().is_some_and(|reason| reason.contains(word)),
            "{item:?}"
        );
    }
    life.has_both_archives_only("of-manifest");

    let pod = life.agent.ready_pod();
    assert_eq!(life.health(&pod, "/healthz").trim(), "ok");
    assert_eq!(life.health(&pod, "/readyz").trim(), "ok");
    let metrics = life.health(&pod, "/metrics");
    for line in [
        r#"aks_periscope_runs_total{result="complete"} 2"#,
        "aks_periscope_run_under_way 0",
        "aks_periscope_upload_failures_total 0",
        r#"aks_periscope_connection_up{target="AKS API Server"} 1"#,
    ] {
        assert!(metrics.lines().any(|metric| metric == line), "no {line} in\n{metrics}");
    }
    one_folder_that_others_cannot_read(&life);
    new_pods_bear_taints(&life, &pod);
}

/// In the container it is `/aks-periscope`, on the node `/var/log/aks-periscope`.
fn one_folder_that_others_cannot_read(life: &Life) {
    let [process] = &life.agent.processes()[..] else {
        unreachable!("there is one agent");
    };
    let identity = |path: &Path| {
        let metadata = path
            .metadata()
            .unwrap_or_else(|error| unreachable!("{}: {error}", path.display()));
        (metadata.dev(), metadata.ino(), metadata.mode() & 0o777)
    };
    let archive = format!("of-manifest/{}.zip", life.cluster().node_name);
    for name in ["", &archive, "of-manifest/cluster.zip"] {
        let in_container = PathBuf::from(format!("/proc/{process}/root/aks-periscope")).join(name);
        let (device, inode, mode) = identity(&in_container);
        let on_node = identity(&life.agent.file(name));
        assert_eq!((device, inode), (on_node.0, on_node.1), "{name}");
        if !name.is_empty() {
            assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
        }
    }
    let own = identity(&life.agent.file(".agent"));
    assert_eq!(own.2, 0o700);
}

/// A `DaemonSet`'s pod comes onto a tainted node only where it tolerates the taint.
fn new_pods_bear_taints(life: &Life, pod: &str) {
    let node = life.cluster().node_name.as_str();
    let _taint = Tainted::node(life.cluster(), "periscope-test=life:NoSchedule");
    life.agent.kubectl(&["delete", "pod", pod, "--wait=false"]);
    let next = life.next_pod(pod);
    let taints = life
        .cluster()
        .kubectl(&["get", "node", node, "--output=jsonpath={.spec.taints[*].key}"]);
    assert!(taints.contains("periscope-test"), "{taints}");
    assert_eq!(life.restarts(&next).0, "0");
}

/// A taint of the node, taken away when dropped.
struct Tainted {
    cluster: Cluster,
    taint: String,
}

impl Tainted {
    fn node(cluster: &Cluster, taint: &str) -> Self {
        cluster.kubectl(&["taint", "node", &cluster.node_name, taint]);
        Self {
            cluster: cluster.clone(),
            taint: taint.to_owned(),
        }
    }
}

impl Drop for Tainted {
    fn drop(&mut self) {
        self.cluster
            .try_kubectl(&["taint", "node", &self.cluster.node_name, &format!("{}-", self.taint)]);
    }
}
