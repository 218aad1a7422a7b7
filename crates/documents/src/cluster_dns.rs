//! What the kubelet's settings say about the DNS of pods, as `cluster-dns.json` holds it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The kubelet's settings for the DNS of pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDns {
    /// The servers that pods with DNS policy `ClusterFirst` are given (`clusterDNS`).
    pub servers: Vec<IpAddr>,
    /// The cluster's domain (`clusterDomain`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The file of which pods with DNS policy `Default` are given a copy (`resolvConf`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolv_conf: Option<String>,
    /// Where that was read: a path on the node or `kubelet command line`.
    pub read_from: Vec<String>,
}
