//! A namespace of a test's own, in which the pod of the manifests collects once.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use periscope_tests::{Cluster, Services, agent_image, eventually, files_below};
use serde_json::{Value, json};

use super::{Objects, manifests, states};

/// A namespace of a test's own; deleted when dropped.
pub(crate) struct Home {
    pub(crate) cluster: Cluster,
    pub(crate) name: String,
}

impl Home {
    pub(crate) fn new(cluster: &Cluster, name: &str, level: &str) -> Self {
        let labels = json!({ "pod-security.kubernetes.io/enforce": level });
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels }
        }));
        let account = json!({ "name": "aks-periscope-service-account", "namespace": name });
        cluster.apply(&json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": account }));
        Self {
            cluster: cluster.clone(),
            name: name.to_owned(),
        }
    }

    /// Gives the account here what the manifests give the agent's, until that is dropped.
    pub(crate) fn role(&self) -> ClusterObjects {
        let objects = Objects::parse(&self.cluster, &manifests(&["--namespace", &self.name]));
        let mut role = objects.get("ClusterRole/aks-periscope-role").clone();
        let mut binding = objects.get("ClusterRoleBinding/aks-periscope-role-binding").clone();
        for object in [&mut role, &mut binding] {
            object["metadata"]["name"] = self.name.clone().into();
        }
        binding["roleRef"]["name"] = self.name.clone().into();
        self.cluster.apply(&role);
        self.cluster.apply(&binding);
        ClusterObjects {
            cluster: self.cluster.clone(),
            name: self.name.clone(),
        }
    }

    /// Where archives go instead of the folder of all agents.
    fn folder(&self) -> String {
        format!("/var/log/{}", self.name)
    }

    /// Runs `collect` once in the pod of the `DaemonSet` that `manifests` prints, and returns the state of each item.
    pub(crate) fn collect(
        &self,
        name: &str,
        arguments: &[&str],
        change: impl Fn(&mut Value),
    ) -> BTreeMap<String, String> {
        self.run(name, arguments, change);
        let folder = self
            .cluster
            .root()
            .join(self.folder().trim_start_matches('/'))
            .join(name);
        let files = files_below(&folder);
        let archive = files
            .iter()
            .find(|path| path.extension().is_some_and(|end| end == "gz"));
        assert!(
            archive.is_some(),
            "{}",
            self.cluster.kubectl(&["logs", name, "-n", &self.name])
        );
        let archive = archive.expect("just asserted");
        let listed = Command::new(Services::running().binary)
            .arg("inspect")
            .arg(archive)
            .arg("--json")
            .output()
            .expect("the program is there");
        states(&serde_json::from_slice(&listed.stdout).expect("JSON"))
    }

    /// Runs `collect` once in that pod, to its end.
    pub(crate) fn run(&self, name: &str, arguments: &[&str], change: impl Fn(&mut Value)) {
        let image = agent_image(&Services::running());
        let arguments = [&["--namespace", &self.name, "--image", image], arguments].concat();
        let objects = Objects::parse(&self.cluster, &manifests(&arguments));
        let mut spec = objects.get("DaemonSet/aks-periscope")["spec"]["template"]["spec"].clone();
        spec["restartPolicy"] = "Never".into();
        let container = &mut spec["containers"][0];
        for probe in ["livenessProbe", "readinessProbe"] {
            container.as_object_mut().expect("as it was made").remove(probe);
        }
        container["args"] = json!([
            "collect",
            "--quiet",
            "--no-upload",
            "--run-id",
            name,
            "--output",
            "/aks-periscope"
        ]);
        change(container);
        // Agents of other tests tidy up in theirs.
        for volume in spec["volumes"].as_array_mut().expect("as it was made") {
            if volume["hostPath"]["path"] == "/var/log/aks-periscope" {
                volume["hostPath"]["path"] = self.folder().into();
            }
        }
        let metadata = json!({ "name": name, "namespace": self.name });
        self.cluster
            .apply(&json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }));
        eventually("the end of the pod", || {
            let output = "jsonpath={.status.phase}";
            let phase = self
                .cluster
                .kubectl(&["get", "pod", name, "-n", &self.name, "-o", output]);
            ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(())
        });
    }
}

/// A role of the whole cluster and its binding, of one name; deleted when dropped.
pub(crate) struct ClusterObjects {
    cluster: Cluster,
    name: String,
}

impl Drop for ClusterObjects {
    fn drop(&mut self) {
        for kind in ["clusterrolebinding", "clusterrole"] {
            self.cluster.try_kubectl(&["delete", kind, &self.name]);
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.cluster
            .try_kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
        fs::remove_dir_all(self.cluster.root().join(self.folder().trim_start_matches('/'))).ok();
    }
}
