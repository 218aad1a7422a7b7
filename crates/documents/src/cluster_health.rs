//! The shapes of what the API server says about a node and of how it answers; one element is one line of its file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One small request to the API server, as a line of `api-server.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiCall {
    /// What was asked for: a path such as `/readyz?verbose`.
    pub path: String,
    /// When the request was sent, by the node's clock.
    pub sent: Timestamp,
    /// From sending to the last byte of the answer, in milliseconds. The first request of a run also connects.
    pub millis: u64,
    /// HTTP status; absent when there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The API server's clock when it answered, in whole seconds (the `Date` header).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Timestamp>,
    /// The answer in a few words: the version, `ok`, the checks that failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ApiCall {
    /// The path of the request for the server's version.
    pub const VERSION: &'static str = "/version";
    /// The path of the request for the server's readiness, check by check.
    pub const READYZ: &'static str = "/readyz?verbose";
    /// The path of the request for whether the server is alive.
    pub const LIVEZ: &'static str = "/livez";
}

/// One thing that the cluster says about the node, as a line of `node-facts.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "fact")]
pub enum NodeFact {
    /// That there is a Node object, or that there is none.
    Registered {
        /// Whether there is one.
        exists: bool,
        /// When it was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<Timestamp>,
    },
    /// What its kubelet said of itself.
    Kubelet {
        /// Its version, such as `v1.34.4`.
        version: String,
        /// Name and version of the container runtime, such as `containerd://1.7.15`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        runtime: String,
    },
    /// A condition of its status.
    Condition {
        /// `Ready`, `MemoryPressure`, …
        #[serde(rename = "type")]
        kind: String,
        /// `True`, `False` or `Unknown`.
        status: String,
        /// One word.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// A sentence.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
        /// Since when the status is so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// When it was last reported.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<Timestamp>,
    },
    /// A taint.
    Taint {
        /// Its key.
        key: String,
        /// Its value.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        value: String,
        /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
        effect: String,
        /// When it was put there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// That no pods are scheduled to it (`kubectl cordon`).
    Unschedulable,
    /// Its lease in `kube-node-lease`, which the kubelet renews every ten seconds.
    Lease {
        /// When it was last renewed, by the kubelet's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renewed: Option<Timestamp>,
        /// For how long it holds, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<u64>,
    },
}

/// One event about the node or a pod of it, as a line of `events.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeEvent {
    /// When it last happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// When it first happened, where that is another time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// How often it happened.
    pub count: u64,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One word, such as `FailedMount`.
    pub reason: String,
    /// What it is about: `pod kube-system/coredns-x` or `node aks-1`.
    pub object: String,
    /// The part of the object, such as `spec.containers{coredns}`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Who says so, such as `kubelet`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// A sentence.
    pub message: String,
}
