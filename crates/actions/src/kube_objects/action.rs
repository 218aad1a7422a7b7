//! The action: what is known of it beforehand, and its run in outline.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use periscope_cluster::{Catalogue, ClusterAccess};
use periscope_core::{
    Action, ActionContext, ActionError, Descriptor, ItemDescriptor, NodeInfo, PlanContext, PlannedItem, Rbac, Scope,
    Sensitivity, State, Support,
};
use periscope_documents::names;

use super::{KubeObjectEntry, collect::Collector, discovery, paths, plan};
use crate::api_errors::state_of;

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: names::KUBE_OBJECTS,
    summary: "Objects of the Kubernetes API with their events, as JSON and described; no Secret data",
    timeout: Duration::from_mins(3),
    // A namespace of a thousand pods is about 20 MiB of JSON.
    limit: 64 * 1024 * 1024,
    rbac: &[
        Rbac {
            group: "",
            resources: &["events", "pods", "services"],
            verbs: &["get", "list"],
            component: None,
        },
        Rbac {
            group: "apps",
            resources: &["deployments"],
            verbs: &["get", "list"],
            component: None,
        },
        Rbac {
            group: "discovery.k8s.io",
            resources: &["endpointslices"],
            verbs: &["list"],
            component: None,
        },
    ],
    scope: Scope::Cluster,
    sensitivity: Sensitivity::Configuration,
    items: &[
        ItemDescriptor::new(
            "<namespace>_<resource>.txt",
            "descriptions of all objects of one entry, with events",
        ),
        ItemDescriptor::new(
            "<namespace>_<resource>_<name>.txt",
            "description of the one object of an entry, with events",
        ),
        ItemDescriptor::new(
            "cluster-resources/<resource>/<namespace>.json",
            "the raw objects of all entries for one resource in one namespace, at the top of the archive",
        ),
        ItemDescriptor::new(
            "cluster-resources/events/<namespace>.json",
            "the raw events of each namespace that an entry names, at the top of the archive",
        ),
        ItemDescriptor::new(
            "<cluster-resources>/groups.json",
            "the API's groups, by which viewers of support bundles play an API server",
        ),
        ItemDescriptor::new(
            "<cluster-resources>/resources.json",
            "the API's resources, for the same",
        ),
    ],
};

/// Gathers objects of the Kubernetes API.
pub(crate) struct KubeObjects {
    cluster: Result<ClusterAccess, String>,
    entries: Vec<String>,
}

impl KubeObjects {
    /// The objects of `entries` (see [`KubeObjectEntry`]), from `cluster`.
    pub(crate) fn new(cluster: Result<ClusterAccess, String>, entries: Vec<String>) -> Self {
        Self { cluster, entries }
    }
}

#[async_trait]
impl Action for KubeObjects {
    async fn supported(&self, _node: &NodeInfo) -> Support {
        match &self.cluster {
            Ok(_) => Support::Yes,
            Err(reason) => Support::No(reason.clone()),
        }
    }

    async fn plan(&self, _cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let planned = self.entries.iter().map(|text| match text.parse::<KubeObjectEntry>() {
            Ok(entry) => PlannedItem::new(paths::description(&entry), format!("{entry} of the API server")),
            Err(error) => PlannedItem::missing(text, State::Failed, error.to_string()),
        });
        Some(planned.collect())
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let cluster = self
            .cluster
            .as_ref()
            .map_err(|reason| ActionError::new(State::NotApplicable, reason))?;
        let entries = plan::parse(&self.entries, &cx.sink);
        for entry in &entries {
            cx.sink.plan(&paths::description(entry));
        }
        if entries.is_empty() {
            return Ok(());
        }
        let catalogue = Catalogue::fetch(cluster).await.map_err(|error| {
            let state = state_of(&error);
            ActionError::new(state, "the resources of the API server are not known").because(error)
        })?;
        discovery::keep(&cx.sink, &catalogue).await;
        let plan = plan::plan(entries, &catalogue, &cx.sink);
        let collector = Collector {
            cluster,
            catalogue: &catalogue,
            sink: &cx.sink,
            node: cx.node.name.as_str(),
            now: Timestamp::now(),
        };
        collector.collect(plan).await;
        Ok(())
    }
}
