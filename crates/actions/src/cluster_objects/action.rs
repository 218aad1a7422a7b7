//! The action: one list after another, each with items of its own.

use std::time::Duration;

use async_trait::async_trait;
use periscope_cluster::{ClusterAccess, Identity, ResourceType};
use periscope_core::{
    Action, ActionContext, ActionError, Descriptor, ItemDescriptor, NodeInfo, Rbac, Scope, Sensitivity, Sink, State,
    Support,
};
use periscope_documents::{ApiCall, names};

use super::{budgets, events, helm, lists, metrics, nodes};
use crate::cluster_health::{Calls, keep_text, keep_version};

/// The part of the deployment that lets Helm's Secrets be listed. Not in the role by default: it lets all Secrets be
/// read.
const HELM: &str = "helm";

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: names::CLUSTER_OBJECTS,
    summary: "The cluster as a whole: nodes, namespaces, disruption budgets, metrics, Helm releases without their values, \
              warnings of all namespaces, the API server's checks and version",
    timeout: Duration::from_mins(5),
    // Five thousand nodes are some 80 MiB of JSON, of which that much says enough.
    limit: 64 * 1024 * 1024,
    rbac: &[
        Rbac {
            group: "",
            resources: &["events", "namespaces", "nodes"],
            verbs: &["list"],
            component: None,
        },
        Rbac {
            group: "policy",
            resources: &["poddisruptionbudgets"],
            verbs: &["list"],
            component: None,
        },
        Rbac {
            group: "metrics.k8s.io",
            resources: &["nodes", "pods"],
            verbs: &["list"],
            component: None,
        },
        Rbac {
            group: "",
            resources: &["secrets"],
            verbs: &["list"],
            component: Some(HELM),
        },
    ],
    scope: Scope::Cluster,
    sensitivity: Sensitivity::Configuration,
    items: &[
        ItemDescriptor::new(READYZ, "the API server's own checks, from `/readyz?verbose`"),
        ItemDescriptor::new(
            nodes::TABLE,
            "the nodes as a table: state, versions, sizes, taints, conditions",
        ),
        ItemDescriptor::new(
            "<cluster-resources>/nodes.json",
            "the Node objects, at the top of the archive",
        ),
        ItemDescriptor::new(
            "<cluster-resources>/namespaces.json",
            "the Namespace objects, at the top of the archive",
        ),
        ItemDescriptor::new(
            "cluster-resources/poddisruptionbudgets/<namespace>.json",
            "the raw disruption budgets of each namespace that has some, at the top of the archive",
        ),
        ItemDescriptor::new(
            "poddisruptionbudget/pdb-<namespace>",
            "the disruption budgets of each namespace, in the shape of the original",
        ),
        ItemDescriptor::new(
            metrics::NODES,
            "what each node uses of processors (thousandths) and memory (bytes), in the shape of the original",
        ),
        ItemDescriptor::new(metrics::PODS, "the same of each container"),
        ItemDescriptor::new(
            helm::RELEASES,
            "Helm releases with their history, in the shape of the original; no values and no manifests",
        ),
        ItemDescriptor::new(
            names::CLUSTER_EVENTS,
            "warnings of all namespaces and events about nodes, oldest first",
        ),
        ItemDescriptor::new(events::TABLE, "these events as a table"),
        ItemDescriptor::new(
            "<osm, smi>",
            "collectors of the original that are asked for and cannot be had, each with the reason",
        ),
        ItemDescriptor::new(
            "<cluster-info>/cluster_version.json",
            "the API server's version, at the top of the archive, where viewers of support bundles look for it",
        ),
    ],
};

const READYZ: &str = names::READYZ;

/// Gathers what is true of the cluster as a whole.
pub(crate) struct ClusterObjects {
    cluster: Result<ClusterAccess, String>,
    alone: bool,
    archived_collectors: Vec<String>,
}

impl ClusterObjects {
    /// From `cluster`. When the run is made on this node `alone`, `cluster-health` asks how the API server is.
    pub(crate) fn new(cluster: Result<ClusterAccess, String>, alone: bool, archived_collectors: Vec<String>) -> Self {
        Self {
            cluster,
            alone,
            archived_collectors,
        }
    }
}

#[async_trait]
impl Action for ClusterObjects {
    async fn supported(&self, _node: &NodeInfo) -> Support {
        match &self.cluster {
            Ok(access) => match access.identity() {
                // The Node authorizer shows a kubelet its own node and what runs there (kubernetes.io, "Using Node
                // Authorization").
                identity @ Identity::Kubelet(_) => Support::No(format!(
                    "the {identity} may see its own node only; name another kubeconfig"
                )),
                _ => Support::Yes,
            },
            Err(reason) => Support::No(reason.clone()),
        }
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let access = self
            .cluster
            .as_ref()
            .map_err(|reason| ActionError::new(State::NotApplicable, reason))?;
        let sink = &cx.sink;
        answer_archived(&self.archived_collectors, sink);
        if self.alone {
            let reason = "see cluster-health, which asks for it in this run";
            sink.record(READYZ, State::NotApplicable, reason);
        } else {
            let mut calls = Calls::new(access);
            let ready = calls.get(ApiCall::READYZ).await;
            keep_text(sink, READYZ, ready).await;
            keep_version(sink, calls.get(ApiCall::VERSION).await).await;
        }
        nodes::gather(access, sink).await;
        let mut namespaces = Vec::new();
        let resource = ResourceType::known("", "v1", "Namespace", "namespaces", false);
        let ending = lists::keep(access, sink, &resource, |namespace| {
            namespaces.push(lists::name(namespace));
        });
        let ending = ending.await;
        budgets::gather(access, sink, namespaces, ending).await;
        metrics::gather(access, sink).await;
        events::gather(access, sink).await;
        helm::gather(access, sink).await;
        Ok(())
    }
}

/// Says of collectors that the original had why there is nothing.
fn answer_archived(collectors: &[String], sink: &Sink) {
    let mut answered: Vec<String> = Vec::new();
    for collector in collectors.iter().map(|name| name.to_ascii_lowercase()) {
        let reason = match collector.as_str() {
            // https://openservicemesh.io: archived by the CNCF in 2023; the add-on of AKS ended with Kubernetes 1.27.
            "osm" => {
                "Open Service Mesh is archived and no longer part of AKS: its objects can be named in the list of objects"
            }
            // https://smi-spec.io: archived by the CNCF in 2023.
            "smi" => "the Service Mesh Interface is archived: its objects can be named in the list of objects",
            _ => continue,
        };
        if !answered.contains(&collector) {
            sink.record(&collector, State::NotApplicable, reason);
            answered.push(collector);
        }
    }
}
