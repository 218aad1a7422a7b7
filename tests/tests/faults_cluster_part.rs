//! Faults that only the cluster's part tells of, each made for real on the test cluster and undone at its end: nodes
//! that nothing stands behind, pods that no node takes, that wait for a volume or an image.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::process::Command;

use jiff::Timestamp;
use periscope_core::Verdict;
use periscope_tests::{Cluster, Diagnosis, Services, eventually};
use serde_json::{Value, json};

/// The stub's name is before others' in the alphabet, so that it is among the named of many.
const NODE: &str = "aaa-part-stub";
/// An image that nobody has: nothing listens there.
const IMAGE: &str = "127.0.0.1:9/none:1";

/// Objects of the test; deleted when dropped.
struct Made {
    cluster: Cluster,
    objects: Vec<(&'static str, String)>,
}

impl Made {
    fn apply(&mut self, kind: &'static str, object: &Value) {
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        self.objects.push((kind, name));
        self.cluster.apply(object);
    }

    fn pod(&mut self, name: &str, spec: &Value) {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0, "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "main", "image": IMAGE}],
            },
        });
        for (key, value) in spec.as_object().expect("fields") {
            pod["spec"][key] = value.clone();
        }
        self.apply("pod", &pod);
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for (kind, name) in &self.objects {
            let end = [
                "delete",
                kind,
                name,
                "-n",
                "kube-system",
                "--ignore-not-found",
                "--force",
                "--grace-period=0",
            ];
            self.cluster.try_kubectl(&end);
        }
    }
}

/// Waits until there are so many events of one reason about a pod.
fn wait_for_events(cluster: &Cluster, pod: &str, reason: &str, count: u64) {
    let fields = format!("involvedObject.name={pod},reason={reason}");
    let arguments = [
        "get",
        "events",
        "-n",
        "kube-system",
        "-o",
        "json",
        "--field-selector",
        &fields,
    ];
    eventually(&format!("{reason} of {pod}"), || {
        let events: Value = serde_json::from_str(&cluster.try_kubectl(&arguments)?).ok()?;
        let events = events["items"].as_array()?;
        let seen: u64 = events.iter().map(|event| event["count"].as_u64().unwrap_or(1)).sum();
        (seen >= count).then_some(())
    });
}

#[test]
fn what_is_wrong_in_the_cluster_is_told_in_few_lines() {
    let services = Services::running();
    let cluster = &services.cluster;
    let mut made = Made {
        cluster: cluster.clone(),
        objects: Vec::new(),
    };
    made.apply(
        "node",
        &json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "spec": {"unschedulable": true}}),
    );
    let now = Timestamp::now().to_string();
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "Test", "message": "m", "lastHeartbeatTime": now, "lastTransitionTime": now});
    let status = json!({"status": {
        "conditions": [condition("Ready", "False"), condition("DiskPressure", "True")],
        "nodeInfo": {"kubeletVersion": "v1.29.1"},
    }});
    let patch = [
        "patch",
        "node",
        NODE,
        "--subresource=status",
        "--type=merge",
        "--patch",
        &status.to_string(),
    ];
    cluster.kubectl(&patch);
    made.pod(
        "part-unschedulable",
        &json!({"nodeSelector": {"periscope.test/no": "such"}}),
    );
    let missing = json!([{"name": "creds", "secret": {"secretName": "no-such-secret"}}]);
    let node = &cluster.node_name;
    let mounts = json!([{"name": "main", "image": IMAGE, "volumeMounts": [{"name": "creds", "mountPath": "/creds"}]}]);
    made.pod(
        "part-unmounted",
        &json!({"nodeName": node, "volumes": missing, "containers": mounts}),
    );
    made.pod("part-unpulled", &json!({"nodeName": node}));
    wait_for_events(cluster, "part-unschedulable", "FailedScheduling", 1);
    wait_for_events(cluster, "part-unmounted", "FailedMount", 2);
    wait_for_events(cluster, "part-unpulled", "Failed", 2);

    let kubeconfig = cluster.kubeconfig.to_str().expect("a path in UTF-8");
    let arguments = [
        "--no-upload",
        "--actions",
        "cluster-objects,kube-objects",
        "--kubeconfig",
        kubeconfig,
    ];
    let diagnosis = Diagnosis::of(Command::new(&services.binary), &arguments);

    // The node controller finds the stub silent after a while.
    let is_lost = diagnosis
        .troubles()
        .any(|found| found.fault == "kubelet-not-posting" && found.title.contains(NODE));
    let found = diagnosis.find(if is_lost {
        "kubelet-not-posting"
    } else {
        "node-not-ready"
    });
    assert!(found.title.contains(NODE), "{}", found.title);
    let titles: Vec<_> = diagnosis
        .troubles()
        .map(|found| (found.fault.as_str(), found.title.as_str()))
        .collect();
    let told = |fault: &str, words: &[&str]| {
        let mut of_fault = titles.iter().filter(|(known, _)| *known == fault);
        assert!(
            of_fault.any(|(_, title)| words.iter().all(|word| title.contains(word))),
            "{fault} {words:?}: {titles:#?}"
        );
    };
    told("node-condition", &[NODE, "DiskPressure=True"]);
    told("node-tainted", &[NODE, "cordoned"]);
    told(
        "pod-unschedulable",
        &["kube-system/part-unschedulable", "waits for a node"],
    );
    told(
        "volume-mount-failed",
        &["creds of pod kube-system/part-unmounted", "no-such-secret"],
    );
    told("image-pull-network", &[IMAGE, "cannot be reached"]);
    // Which version the server has is told in the agent's runs only, or with `cluster-health`.
    diagnosis.without("version-skew");
    for analyzer in ["clock", "dns-lookups", "node-services", "log-rules"] {
        assert!(
            diagnosis.findings.iter().all(|found| found.analyzer != analyzer),
            "{analyzer}"
        );
    }
    let unknown = diagnosis
        .findings
        .iter()
        .filter(|found| found.verdict == Verdict::Unknown);
    assert_eq!(unknown.count(), 0, "{}", diagnosis.screen);
}
