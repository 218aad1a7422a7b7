//! The agent as a manifest brings it onto the test cluster. What it must then do is for the test to say.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use periscope_core::Manifest;
use serde_json::{Value, json};

use crate::{AGENT_IMAGE, Cluster, Services, Turn, agent_image, eventually};

/// The namespace of every manifest.
const NAMESPACE: &str = "aks-periscope";
/// The folder of the agent on the node.
const FOLDER: &str = "/var/log/aks-periscope";

/// A deployed agent; everything of it is removed when dropped.
pub struct DeployedAgent {
    cluster: Cluster,
    objects: Vec<Value>,
    /// There is one node, and one folder on it: one agent at a time.
    _turn: Turn,
}

/// Where the agent is to upload to.
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// The account's name.
    pub account: String,
    /// The container.
    pub container: String,
    /// The signature, as a person pastes it.
    pub sas: String,
}

impl DeployedAgent {
    /// Applies the manifest with the agent's image under test in it, and `change` applied to the `DaemonSet`'s pod
    /// `spec`.
    ///
    /// # Panics
    ///
    /// When the API server refuses it.
    pub fn apply(services: &Services, manifest: &Path, change: impl Fn(&mut Value)) -> Self {
        Self::apply_changed(services, manifest, |object| {
            if object["kind"] == "DaemonSet" {
                change(&mut object["spec"]["template"]["spec"]);
            }
        })
    }

    /// Applies the manifest with the agent's image under test in it, and `change` applied to each object.
    ///
    /// # Panics
    ///
    /// When the API server refuses it.
    pub fn apply_changed(services: &Services, manifest: &Path, change: impl Fn(&mut Value)) -> Self {
        let turn = Turn::of(services);
        let cluster = services.cluster.clone();
        agent_image(services);
        eventually("no namespace of an earlier agent", || {
            let left = cluster.try_kubectl(&["get", "namespace", NAMESPACE, "--ignore-not-found", "--output=name"])?;
            left.is_empty().then_some(())
        });
        let mut objects = objects_of(&cluster, manifest);
        for object in &mut objects {
            if object["kind"] == "DaemonSet" {
                adapt(services, &mut object["spec"]["template"]["spec"]);
            }
            change(object);
        }
        let agent = Self {
            cluster,
            objects,
            _turn: turn,
        };
        agent.forget();
        for object in &agent.objects {
            agent.cluster.apply(object);
        }
        agent
    }

    /// Sets the storage, as `az aks kollect` does: with the Secret.
    pub fn store_in(&self, storage: &Storage) {
        let encoded = |text: &str| STANDARD.encode(text);
        self.patch(
            "secret",
            "azureblob-secret",
            &json!({ "data": {
                "AZURE_BLOB_ACCOUNT_NAME": encoded(&storage.account),
                "AZURE_BLOB_SAS_KEY": encoded(&format!("?{}", storage.sas)),
                "AZURE_BLOB_CONTAINER_NAME": encoded(&storage.container),
            }}),
        );
    }

    /// Starts a run.
    pub fn start_run(&self, run_id: &str) {
        self.patch(
            "configmap",
            "diagnostic-config",
            &json!({ "data": { "DIAGNOSTIC_RUN_ID": run_id } }),
        );
    }

    /// Changes an object in the agent's namespace by a merge patch.
    pub fn patch(&self, kind: &str, name: &str, patch: &Value) {
        let patch = patch.to_string();
        self.kubectl(&["patch", kind, name, "--type=merge", "--patch", &patch]);
    }

    /// Waits until its pod is ready, and returns the pod's name.
    ///
    /// # Panics
    ///
    /// When it does not become ready.
    pub fn ready_pod(&self) -> String {
        eventually("the agent's pod is ready", || {
            let pods = self.kubectl(&[
                "get",
                "pods",
                "--selector=app=aks-periscope",
                "--output=jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp} {.status.containerStatuses[0].ready}{\"\\n\"}{end}",
            ]);
            let ready = pods.lines().find(|line| line.ends_with("  true"))?;
            ready.split(' ').next().map(str::to_owned)
        })
    }

    /// The node's row, if it is there.
    pub fn row(&self) -> Option<Value> {
        let name = format!("aks-periscope-diagnostic-{}", self.cluster.node_name);
        let namespace = format!("--namespace={NAMESPACE}");
        let text = self
            .cluster
            .try_kubectl(&["get", "apd", &name, &namespace, "--output=json"])?;
        serde_json::from_str(&text).ok()
    }

    /// The row once the run has ended, whatever it came to.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn ended(&self, run_id: &str) -> Value {
        eventually("the run has ended", || {
            let row = self.row()?;
            let status = &row["status"];
            (status["runId"] == run_id && status["finishedAt"].is_string()).then(|| row.clone())
        })
    }

    /// The manifest of the node's archive of a run, once the archive is on the node.
    ///
    /// # Panics
    ///
    /// When it does not come, or is no archive.
    pub fn archived(&self, run_id: &str) -> Manifest {
        self.archive(run_id, &self.cluster.node_name)
    }

    /// The manifest of an archive of a run, the node's or `cluster`, once it is on the node.
    ///
    /// # Panics
    ///
    /// When it does not come, or is no archive.
    pub fn archive(&self, run_id: &str, name: &str) -> Manifest {
        let path = self.file(&format!("{run_id}/{name}.zip"));
        eventually("the archive is on the node", || path.exists().then_some(()));
        let unzip = Command::new("unzip")
            .arg("-p")
            .arg(&path)
            .arg("*/manifest.json")
            .output();
        let unzip = unzip.expect("a Debian machine that builds this has unzip");
        serde_json::from_slice(&unzip.stdout)
            .unwrap_or_else(|error| unreachable!("no manifest in {}: {error}", path.display()))
    }

    /// What the agent's pods say, for the message of a failed assertion.
    pub fn logs(&self) -> String {
        self.kubectl(&["logs", "--selector=app=aks-periscope", "--tail=200", "--prefix"])
    }

    /// The agent's processes on the node, as this machine numbers them: the one that lives, but for the moment in which
    /// another takes its place.
    pub fn processes(&self) -> Vec<String> {
        let mut all = self.cluster.node_processes("aks-periscope");
        all.retain(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|&byte| byte == 0).nth(1) == Some(b"agent")
        });
        all
    }

    /// A file in the agent's folder on the node, as it is seen from this machine.
    pub fn file(&self, path: &str) -> std::path::PathBuf {
        self.cluster.root().join(FOLDER.trim_start_matches('/')).join(path)
    }

    /// Runs kubectl in the agent's namespace.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let namespace = format!("--namespace={NAMESPACE}");
        let mut all = vec![namespace.as_str()];
        all.extend(arguments);
        self.cluster.kubectl(&all)
    }

    /// Removes what an earlier agent left on the node.
    fn forget(&self) {
        self.cluster.run_on_node(&["rm", "-rf", FOLDER]);
    }
}

impl Drop for DeployedAgent {
    fn drop(&mut self) {
        // Also after a failed assertion, when a second panic would end everything. The namespace last: what is in it
        // goes with it, and its finalizer would hold up the rest.
        for object in self.objects.iter().rev() {
            let kind = object["kind"].as_str().unwrap_or_default();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let namespace = format!("--namespace={NAMESPACE}");
            self.cluster
                .try_kubectl(&["delete", kind, name, &namespace, "--ignore-not-found", "--timeout=90s"]);
        }
        self.forget();
    }
}

/// The objects of a manifest.
fn objects_of(cluster: &Cluster, manifest: &Path) -> Vec<Value> {
    let output = Command::new(cluster.binaries.join("kubectl"))
        .arg("--kubeconfig")
        .arg(&cluster.kubeconfig)
        .args([
            "create",
            "--dry-run=client",
            "--validate=false",
            "--output=json",
            "--filename",
        ])
        .arg(manifest)
        .output()
        .expect("kubectl is there");
    assert!(
        output.status.success(),
        "{}: {}",
        manifest.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let values: Vec<_> = values.map(|value| value.expect("kubectl writes JSON")).collect();
    let items = |value: Value| match value["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![value],
    };
    values.into_iter().flat_map(items).collect()
}

/// What differs between the test cluster and one in Azure: the image is on the node already, and the storage's name is
/// in no DNS.
fn adapt(services: &Services, spec: &mut Value) {
    let container = &mut spec["containers"][0];
    container["image"] = json!(AGENT_IMAGE);
    container["imagePullPolicy"] = json!("Never");
    let name = format!("{}.blob.core.windows.net", services.azurite.account);
    push(
        &mut spec["hostAliases"],
        json!({ "ip": services.cluster.node_ip, "hostnames": [name] }),
    );
}

fn push(list: &mut Value, item: Value) {
    match list.as_array_mut() {
        Some(list) => list.push(item),
        None => *list = json!([item]),
    }
}
