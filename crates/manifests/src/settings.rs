//! What may be set about the objects, with the defaults. Values are taken as they are.

use std::fmt;

use secrecy::SecretString;

use crate::names;

/// Everything in which one deployment differs from another.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The namespace.
    pub namespace: String,
    /// The image.
    pub image: String,
    /// When a node pulls it.
    pub pull_policy: PullPolicy,
    /// What names the run, and starts it; empty: the agents wait for one.
    pub run_id: String,
    /// What is collected beside what always is; empty for the defaults.
    pub lists: Lists,
    /// Where archives are uploaded to; with none of it they stay on the nodes.
    pub storage: Storage,
    /// Without any right over the node: what cannot be had then is `denied`, item by item.
    pub restricted: bool,
    /// With the parts of the role that only some actions' extras need, by their names in the actions' descriptors
    /// (`helm`).
    pub components: Vec<String>,
    /// With Kubernetes' own role `view`, so that any kind of object can be described, `ConfigMaps` of all namespaces
    /// among them.
    pub view: bool,
}

/// The lists of `diagnostic-config`. An empty one means the agent's own default.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// Namespaces whose containers' logs are taken.
    pub container_logs: Vec<String>,
    /// Objects that are described: `namespace/resource[.group][/name]`.
    pub kube_objects: Vec<String>,
    /// Log files of the node, as paths and globs.
    pub node_logs: Vec<String>,
}

/// The storage account and who may write there.
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// Its name, resource id or blob endpoint.
    pub account: String,
    /// The container.
    pub container: String,
    /// The shared access signature, with its leading `?`. It is put into the `Secret` and nowhere else.
    pub sas: SecretString,
}

/// When a node pulls an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// At each start of a pod.
    Always,
    /// When the node has none of that name.
    IfNotPresent,
    /// Never: the node has it.
    Never,
}

impl fmt::Display for PullPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: names::NAMESPACE.to_owned(),
            image: format!("mcr.microsoft.com/aks/periscope:{}", env!("CARGO_PKG_VERSION")),
            // A released image never changes, and a node that cannot reach the registry is one to look at.
            pull_policy: PullPolicy::IfNotPresent,
            run_id: String::new(),
            lists: Lists::default(),
            storage: Storage::default(),
            restricted: false,
            components: Vec::new(),
            view: false,
        }
    }
}
