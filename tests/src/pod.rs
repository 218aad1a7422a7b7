//! A pod that lives as long as its test. It waits for nothing: what a pod must come to is for the test to say.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{Cluster, eventually};

/// The namespace whose logs and objects are taken without being asked for.
const NAMESPACE: &str = "kube-system";

/// A pod of a test's own; deleted when dropped.
#[derive(Debug)]
pub struct Pod {
    cluster: Cluster,
    name: String,
}

impl Pod {
    /// A pod in `kube-system` whose one container runs the program of the test image with these arguments. `container`
    /// and `pod` have further fields of the container and of the pod's `spec`, and may be `null`.
    ///
    /// # Panics
    ///
    /// When the API server refuses it.
    pub fn start(cluster: &Cluster, name: &str, arguments: &[&str], container: &Value, pod: &Value) -> Self {
        let mut main = json!({
            "name": "main", "image": "periscope.test/guest:1", "imagePullPolicy": "Never", "args": arguments,
        });
        merge(&mut main, container);
        let mut spec = json!({
            "terminationGracePeriodSeconds": 0, "tolerations": [{ "operator": "Exists" }], "containers": [main],
        });
        merge(&mut spec, pod);
        let metadata = json!({ "name": name, "namespace": NAMESPACE, "labels": { "app": name } });
        let made = Self {
            cluster: cluster.clone(),
            name: name.to_owned(),
        };
        cluster.apply(&json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }));
        made
    }

    /// A pod that has crashed with exit code 3 so often that the kubelet makes it wait.
    ///
    /// # Panics
    ///
    /// When it does not come to that.
    pub fn in_crash_loop(cluster: &Cluster, name: &str) -> Self {
        let pod = Self::start(cluster, name, &["crash", "5", "3"], &Value::Null, &Value::Null);
        eventually("a crash loop", || {
            // From then on it waits twenty seconds and more, in which a test can look at it.
            let restarts = pod.status(".containerStatuses[0].restartCount").parse();
            let is_restarted = restarts.is_ok_and(|count: u32| count > 1);
            (is_restarted && pod.waits_for() == "CrashLoopBackOff").then_some(())
        });
        pod
    }

    /// Why its first container waits, as `CrashLoopBackOff`; empty when it does not.
    ///
    /// # Panics
    ///
    /// When the API server does not answer.
    pub fn waits_for(&self) -> String {
        self.status(".containerStatuses[0].state.waiting.reason")
    }

    /// A field of its status, as JSON path.
    ///
    /// # Panics
    ///
    /// When the API server does not answer.
    pub fn status(&self, path: &str) -> String {
        let output = format!("jsonpath={{.status{path}}}");
        let namespace = format!("--namespace={NAMESPACE}");
        self.cluster
            .kubectl(&["get", "pod", &self.name, &namespace, "-o", &output])
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // Also after a failed assertion, when a second panic would end everything.
        Command::new(self.cluster.binaries.join("kubectl"))
            .arg("--kubeconfig")
            .arg(&self.cluster.kubeconfig)
            .args([
                "delete",
                "pod",
                &self.name,
                "--ignore-not-found",
                "--now",
                "--namespace",
                NAMESPACE,
            ])
            .stdout(Stdio::null())
            .status()
            .ok();
    }
}

impl Cluster {
    /// Creates or changes an object.
    ///
    /// # Panics
    ///
    /// When the API server refuses it.
    pub fn apply(&self, object: &Value) {
        let mut kubectl = Command::new(self.binaries.join("kubectl"))
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["apply", "--filename", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl is there");
        let mut input = kubectl.stdin.take().expect("its input");
        input
            .write_all(object.to_string().as_bytes())
            .expect("it reads its input");
        drop(input);
        assert!(kubectl.wait().expect("it ends").success(), "{object}");
    }
}

fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}
