//! A Node object that nothing stands behind, with a pod of the agent that seems to run on it: enough for elections.

use jiff::Timestamp;
use serde_json::json;

use crate::Cluster;

/// The stub; it and its pod are deleted when dropped.
pub struct StubNode {
    cluster: Cluster,
    name: &'static str,
    namespace: String,
}

impl StubNode {
    /// A Ready node that seems to run a pod of the agent in this namespace.
    ///
    /// # Panics
    ///
    /// When the API server refuses it.
    pub fn with_agent(cluster: &Cluster, name: &'static str, namespace: &str) -> Self {
        let stub = Self {
            cluster: cluster.clone(),
            name,
            namespace: format!("--namespace={namespace}"),
        };
        // Without room on it the pods of the DaemonSet stay away.
        let labels = json!({ "kubernetes.io/os": "linux" });
        cluster.apply(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels } }));
        // The controller of the DaemonSet takes over, and removes, what nobody owns.
        let uid = cluster.kubectl(&["get", "node", name, "--output=jsonpath={.metadata.uid}"]);
        let owner = json!({ "apiVersion": "v1", "kind": "Node", "name": name, "uid": uid, "controller": true });
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": namespace, "labels": { "app": "aks-periscope" }, "ownerReferences": [owner],
            },
            "spec": {
                "nodeName": name, "automountServiceAccountToken": false, "tolerations": [{ "operator": "Exists" }],
                "containers": [{ "name": "aks-periscope", "image": "i" }],
            },
        }));
        let started = Timestamp::now().to_string();
        let container = json!({
            "name": "aks-periscope", "ready": true, "restartCount": 0, "image": "i", "imageID": "i",
            "state": { "running": { "startedAt": started } },
        });
        let status = json!({ "status": { "phase": "Running", "containerStatuses": [container] } });
        stub.patch_status("pod", &status.to_string());
        stub.set_ready(true);
        stub
    }

    /// Sets whether it is Ready; the node controller takes that back within a minute, as nobody renews its lease.
    ///
    /// # Panics
    ///
    /// When the API server refuses it.
    pub fn set_ready(&self, ready: bool) {
        let now = Timestamp::now().to_string();
        let is_ready = if ready { "True" } else { "False" };
        let condition = json!({
            "type": "Ready", "status": is_ready, "reason": "Test", "message": "m",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        });
        self.patch_status("node", &json!({ "status": { "conditions": [condition] } }).to_string());
    }

    fn patch_status(&self, kind: &str, patch: &str) {
        self.cluster.kubectl(&[
            "patch",
            kind,
            self.name,
            &self.namespace,
            "--subresource=status",
            "--type=merge",
            "--patch",
            patch,
        ]);
    }
}

impl Drop for StubNode {
    fn drop(&mut self) {
        // No kubelet will ever say that the pod has ended.
        let pod = [
            "delete",
            "pod",
            self.name,
            &self.namespace,
            "--ignore-not-found",
            "--force",
            "--grace-period=0",
        ];
        self.cluster.try_kubectl(&pod);
        self.cluster
            .try_kubectl(&["delete", "node", self.name, "--ignore-not-found"]);
    }
}
