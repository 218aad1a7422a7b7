//! What the container runtime says of itself, its pods, containers and images, in one shape for all runtimes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One question put to the runtime, as a line of `calls.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeCall {
    /// The socket, as a path on the node.
    pub endpoint: String,
    /// `connect`, the method of the CRI service such as `runtime.v1.RuntimeService/Version`, or the path of docker's API.
    pub call: String,
    /// When it was asked.
    pub start: Timestamp,
    /// How long the answer took, or how long was waited for it, in milliseconds.
    pub millis: u64,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CallFailure>,
    /// The failure in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Why a question to the runtime has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallFailure {
    /// There is no socket.
    NoSocket,
    /// This process may not use the socket.
    Denied,
    /// The socket is there and nobody listens.
    Refused,
    /// The connection was taken, or waits to be, and no answer came in time.
    TimedOut,
    /// The service does not know the method.
    Unimplemented,
    /// It answered with an error.
    Error,
}

/// Version of the runtime: `version.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeVersion {
    /// The socket that answered, as a path on the node.
    pub endpoint: String,
    /// `containerd`, `cri-o`, `docker`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of its API: `v1`, `v1alpha2`, or docker's such as `1.43`.
    pub api_version: String,
}

/// The runtime's own view of its health: `status.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeStatus {
    /// `RuntimeReady`, `NetworkReady` and what else it knows.
    pub conditions: Vec<RuntimeCondition>,
    /// The snapshotter or storage driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshotter: Option<String>,
    /// The low-level runtime that pods get when they name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_runtime: Option<String>,
    /// The image of pod sandboxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_image: Option<String>,
    /// The folder of the registries' `hosts.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_config_path: Option<String>,
    /// `systemd` or `cgroupfs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_driver: Option<String>,
    /// What the runtime said when it last loaded the CNI configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_cni_load: Option<String>,
    /// Warnings of the runtime about its own set-up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One condition of [`RuntimeStatus`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeCondition {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: bool,
    /// In one word, why not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// In a sentence, why not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// One pod sandbox, as a line of `sandboxes.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeSandbox {
    /// The sandbox's id.
    pub id: String,
    /// Whether it is ready; one that is not is left over from a pod that ended or was set up anew.
    pub ready: bool,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// How many sandboxes of the pod came before it.
    pub attempt: u32,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The handler of its runtime class.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub handler: String,
    /// Labels of the pod.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pod, without those that hold a copy of its manifest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Made and not started.
    Created,
    /// Running.
    Running,
    /// Ended.
    Exited,
    /// The runtime does not know.
    #[default]
    Unknown,
}

impl ContainerState {
    /// The word for it in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Unknown => "unknown",
        }
    }
}

/// One instance of a container, as a line of `containers.json`. What a reader looks for stands first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeContainer {
    /// Namespace of the pod; empty for a container that is of no pod.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name of the pod.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pod: String,
    /// The container's name in its pod.
    pub name: String,
    /// How many instances of the container came before this one.
    pub restarts: u32,
    /// What it is doing.
    pub state: ContainerState,
    /// How it ended, for one that did and was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// In one word, such as `Completed`, `Error`, `OOMKilled`, `StartError`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What the runtime says beyond that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The image as the pod names it.
    pub image: String,
    /// The container's id.
    pub id: String,
    /// The sandbox it is in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sandbox: String,
    /// UID of the pod.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Its log file on the node.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log_path: String,
    /// CPU time used so far, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    /// Memory that cannot be reclaimed, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of its writable layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_bytes: Option<u64>,
    /// Labels, without those that repeat the fields above.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations, without those that hold a copy of a manifest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One image, as a line of `images.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeImage {
    /// Digest of its configuration.
    pub id: String,
    /// Its names.
    pub tags: Vec<String>,
    /// Its names by digest.
    pub digests: Vec<String>,
    /// Bytes, as the runtime counts them: containerd compressed, docker unpacked.
    pub bytes: u64,
    /// Whether it is kept from being collected as garbage.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
}

/// One file system that the runtime keeps images or containers on, as a line of `filesystem.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeFilesystem {
    /// `images` or `containers`.
    pub holds: String,
    /// Its folder.
    pub mountpoint: String,
    /// Bytes used by what it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    /// Inodes used by what it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_inodes: Option<u64>,
}

/// One plug-in of containerd, as a line of `plugins.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimePlugin {
    /// Such as `io.containerd.snapshotter.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Such as `overlayfs`.
    pub id: String,
    /// What it says of itself, such as the folder of a snapshotter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, String>,
    /// Why it was not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
