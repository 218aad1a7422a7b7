//! How the pods are now, from the list that `cluster-health` keeps of the node's and `kube-objects` of some
//! namespaces'; only what tells an old trouble from a present one.

use std::collections::BTreeMap;

use periscope_core::{AnalyzeError, ArtifactPath, Inputs, Place, State};
use periscope_documents::names;
use serde::Deserialize;

/// The list of the node's pods, below the action.
const PODS: &str = "pods.json";

/// Pods by `namespace/name`.
#[derive(Debug, Default)]
pub(crate) struct Pods {
    pods: BTreeMap<String, Pod>,
    is_whole: bool,
}

/// A pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pod {
    /// Whether its condition `Ready` holds.
    pub(crate) is_ready: bool,
    /// Whether it has its volumes: its containers were started, or it has ended.
    pub(crate) has_started: bool,
}

impl Pods {
    /// Whether all pods are known, so that one that is not among them is gone.
    pub(crate) fn is_known(&self) -> bool {
        self.is_whole
    }

    /// `namespace/name` of a pod that is known by its name alone.
    pub(crate) fn in_full(&self, name: &str) -> Option<&str> {
        let mut names = self.pods.keys().map(String::as_str);
        names.find(|full| full.rsplit('/').next() == Some(name))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Pod> {
        self.pods.get(name).copied()
    }
}

/// Reads the list of the node's pods; an incomplete one is as good as none.
pub(crate) fn read(inputs: &dyn Inputs) -> Result<Pods, AnalyzeError> {
    let path = Place::Node.path(inputs.node(), names::CLUSTER_HEALTH, PODS);
    let pods = list(inputs, &path)?;
    Ok(Pods {
        is_whole: pods.is_some(),
        pods: pods.into_iter().flatten().collect(),
    })
}

/// Reads the lists of the namespaces that the user named. One that is not among them need not be gone.
pub(crate) fn of_cluster(inputs: &dyn Inputs) -> Result<Pods, AnalyzeError> {
    let folder = Place::Cluster.path(inputs.node(), names::KUBE_OBJECTS, "pods");
    let mut pods = Pods::default();
    for path in inputs.list(&format!("{folder}/")) {
        pods.pods.extend(list(inputs, &path)?.into_iter().flatten());
    }
    Ok(pods)
}

fn list(inputs: &dyn Inputs, path: &ArtifactPath) -> Result<Option<Vec<(String, Pod)>>, AnalyzeError> {
    if inputs.state(path) != Some(State::Collected) {
        return Ok(None);
    }
    let opened = inputs.open(path).map_err(|source| AnalyzeError::Read {
        path: path.clone(),
        source,
    })?;
    let Some(content) = opened else {
        return Ok(None);
    };
    let list: List = serde_json::from_reader(content).map_err(|error| AnalyzeError::Parse {
        path: path.clone(),
        what: error.to_string(),
    })?;
    let pods = list.items.into_iter().map(|item| {
        let condition = |kind: &str| {
            item.status
                .conditions
                .iter()
                .any(|c| c.kind == kind && c.status == "True")
        };
        let pod = Pod {
            is_ready: condition("Ready"),
            has_started: item.status.phase != "Pending" || condition("Ready"),
        };
        (format!("{}/{}", item.metadata.namespace, item.metadata.name), pod)
    });
    Ok(Some(pods.collect()))
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}
