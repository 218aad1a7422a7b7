//! The settings of the kubelet in force, as `kubelet.json` holds them, and the certificates it works with.

use serde::{Deserialize, Serialize};

use crate::Certificate;

/// What the kubelet was told: its configuration file, then the drop-ins, then the command line, each over the one
/// before. A setting that none of them names is absent: the kubelet's own default holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeletSettings {
    /// What `kubelet --version` says, such as `v1.34.4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The name it registers the node by (`--hostname-override`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// `--network-plugin`, which is gone since Kubernetes 1.24.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_plugin: Option<String>,
    /// Most pods of the node (`maxPods`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pods: Option<u64>,
    /// Name servers of pods (`clusterDNS`).
    #[serde(rename = "clusterDNS", skip_serializing_if = "Vec::is_empty")]
    pub cluster_dns: Vec<String>,
    /// The cluster's domain (`clusterDomain`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_domain: Option<String>,
    /// `cgroupfs` or `systemd` (`cgroupDriver`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_driver: Option<String>,
    /// The file that pods with DNS policy `Default` are given (`resolvConf`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolv_conf: Option<String>,
    /// The container runtime's socket (`containerRuntimeEndpoint`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_runtime_endpoint: Option<String>,
    /// Where that was read: paths on the node, and `command line`.
    pub read_from: Vec<String>,
}

/// One certificate of a file on the node, as a line of `certificates.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeCertificate {
    /// The file.
    pub path: String,
    /// Its place among the certificates of the file, counted from 1.
    pub number: usize,
    /// What it says; absent when it cannot be understood.
    #[serde(flatten)]
    pub certificate: Option<Certificate>,
    /// Why it cannot be understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
