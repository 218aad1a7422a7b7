//! The action: the timed requests first, on a connection that nothing else uses, then the lists.

use std::time::Duration;

use async_trait::async_trait;
use periscope_cluster::ClusterAccess;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, NodeInfo, Place, Rbac,
    Scope, Sensitivity, Sink, State, Support,
};
use periscope_documents::{ApiCall, names, to_lines};
use periscope_redact::object::redact;
use serde::Serialize;
use serde_json::{Value, json};

use super::calls::Calls;
use super::events::{self, Events};
use super::{node, pods};

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: names::CLUSTER_HEALTH,
    summary: "The cluster from this node: how the API server answers, its clock and version, the Node object, its \
              lease, its pods and their events",
    timeout: Duration::from_mins(2),
    limit: 32 * 1024 * 1024,
    rbac: &[
        Rbac {
            group: "",
            resources: &["nodes"],
            verbs: &["get"],
            component: None,
        },
        Rbac {
            group: "",
            resources: &["events", "pods"],
            verbs: &["list"],
            component: None,
        },
        Rbac {
            group: "coordination.k8s.io",
            resources: &["leases"],
            verbs: &["get"],
            component: None,
        },
    ],
    scope: Scope::Node,
    sensitivity: Sensitivity::Configuration,
    items: &[
        ItemDescriptor::new(
            names::API_SERVER,
            "each small request: time it took, status, the server's clock, its answer in a few words",
        ),
        ItemDescriptor::new(READYZ, "the API server's own checks, from `/readyz?verbose`"),
        ItemDescriptor::new(
            names::NODE_FACTS,
            "what the cluster says of the node: conditions, taints, versions, lease",
        ),
        ItemDescriptor::new(NODE, "the Node object"),
        ItemDescriptor::new(NODE_PAGE, "the Node object and its lease, described"),
        ItemDescriptor::new(LEASE, "the node's lease in kube-node-lease"),
        ItemDescriptor::new(pods::PODS, "the node's pods, without secret values"),
        ItemDescriptor::new(pods::TABLE, "the node's pods as a table"),
        ItemDescriptor::new(
            names::NODE_EVENTS,
            "events about the node and warnings about its pods, oldest first",
        ),
        ItemDescriptor::new(EVENTS_TABLE, "these events as a table"),
        ItemDescriptor::new(
            "<cluster-info>/cluster_version.json",
            "the API server's version, at the top of the archive, where viewers of support bundles look for it",
        ),
    ],
};

const READYZ: &str = names::READYZ;
const NODE: &str = "node.json";
const NODE_PAGE: &str = "node.txt";
const LEASE: &str = "lease.json";
const EVENTS_TABLE: &str = "events.txt";
/// Where viewers of support bundles look for the version (`replicatedhq/troubleshoot`, `pkg/collect/cluster_info.go`).
const CLUSTER_VERSION: &str = names::CLUSTER_VERSION;

/// How an item ends of which nothing was had, and why.
type Lack = (State, String);

/// Asks the API server about the node.
pub(crate) struct ClusterHealth {
    cluster: Result<ClusterAccess, String>,
    alone: bool,
}

impl ClusterHealth {
    /// Asks `cluster`. Unless `alone`, it leaves out what one node asks for all of them.
    pub(crate) fn new(cluster: Result<ClusterAccess, String>, alone: bool) -> Self {
        Self { cluster, alone }
    }
}

/// Why what one node asks for all is not here.
const ELSEWHERE: &str = "one node asks for it for the whole cluster: see cluster-objects in the archive of the cluster";

#[async_trait]
impl Action for ClusterHealth {
    async fn supported(&self, _node: &NodeInfo) -> Support {
        match &self.cluster {
            Ok(_) => Support::Yes,
            Err(reason) => Support::No(reason.clone()),
        }
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let access = self
            .cluster
            .as_ref()
            .map_err(|reason| ActionError::new(State::NotApplicable, reason))?;
        let (sink, name) = (&cx.sink, cx.node.name.as_str());
        let mut calls = Calls::new(access);
        if !self.alone {
            return share(&mut calls, access, name, sink).await;
        }
        let version = calls.get(ApiCall::VERSION).await;
        let _alive = calls.get(ApiCall::LIVEZ).await;
        let ready = calls.get(ApiCall::READYZ).await;
        let node = object(calls.get(&format!("/api/v1/nodes/{name}")).await);
        let lease = format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}");
        let lease = object(calls.get(&lease).await);
        keep_lines(sink, names::API_SERVER, calls.made()).await;
        keep_version(sink, version).await;
        keep_text(sink, READYZ, ready).await;
        keep_node(sink, &node, &lease).await;
        if calls.is_given_up() {
            give_up(
                &calls,
                sink,
                &[pods::PODS, pods::TABLE, names::NODE_EVENTS, EVENTS_TABLE],
            );
            return Ok(());
        }
        let pods = pods::gather(access, name, sink).await;
        keep_events(sink, Events::gather(access, name, &pods).await).await;
        Ok(())
    }
}

/// What is this node's alone: its object and its pods. How the lease stands shows in the condition `Ready`, to which
/// the cluster turns an expired one.
async fn share(calls: &mut Calls<'_>, access: &ClusterAccess, name: &str, sink: &Sink) -> Result<(), ActionError> {
    let node = object(calls.get(&format!("/api/v1/nodes/{name}")).await);
    keep_lines(sink, names::API_SERVER, calls.made()).await;
    let lease = Err((
        State::NotApplicable,
        "the node's condition Ready tells when it expires".to_owned(),
    ));
    keep_node(sink, &node, &lease).await;
    for item in [READYZ, names::NODE_EVENTS, EVENTS_TABLE] {
        sink.record(item, State::NotApplicable, ELSEWHERE);
    }
    if calls.made().iter().any(|call| call.error.is_some()) {
        give_up(calls, sink, &[pods::PODS, pods::TABLE]);
    } else {
        pods::gather(access, name, sink).await;
    }
    Ok(())
}

/// Records what is not asked for any more.
fn give_up(calls: &Calls<'_>, sink: &Sink, items: &[&str]) {
    let last = calls.made().last().and_then(|call| call.error.clone());
    for item in items {
        sink.record(item, State::Failed, last.as_deref().unwrap_or_default());
    }
}

/// The object of an answer, without secrets.
fn object(answer: Result<Vec<u8>, Lack>) -> Result<Value, Lack> {
    let body = answer?;
    let mut object: Value =
        serde_json::from_slice(&body).map_err(|error| (State::Failed, format!("the answer is not JSON: {error}")))?;
    redact(&mut object);
    Ok(object)
}

/// Keeps the API server's version where viewers of support bundles look for it.
pub(crate) async fn keep_version(sink: &Sink, version: Result<Vec<u8>, Lack>) {
    // Without it there is one request that says so; the archive's top folder need not.
    let Ok(info) = object(version) else { return };
    let string = node::text(&info, "/gitVersion");
    let document = format!("{:#}\n", json!({"info": info, "string": string}));
    let spec = ArtifactSpec::new(CLUSTER_VERSION, Content::Json).place(Place::Top);
    sink.document(spec.source(ApiCall::VERSION), document).await;
}

/// Keeps the API server's own checks.
pub(crate) async fn keep_text(sink: &Sink, name: &str, answer: Result<Vec<u8>, Lack>) {
    match answer {
        Ok(body) => {
            let spec = ArtifactSpec::new(name, Content::Text).source(ApiCall::READYZ);
            sink.document(spec, body).await;
        }
        Err((state, reason)) => sink.record(name, state, reason),
    }
}

async fn keep_node(sink: &Sink, node: &Result<Value, Lack>, lease: &Result<Value, Lack>) {
    for (name, object) in [(NODE, node), (LEASE, lease)] {
        match object {
            Ok(object) => {
                let spec = ArtifactSpec::new(name, Content::Json);
                sink.document(spec, format!("{object:#}\n")).await;
            }
            Err((state, reason)) => sink.record(name, *state, reason),
        }
    }
    let lease = lease.as_ref().ok();
    match node {
        Ok(node) => {
            keep_lines(sink, names::NODE_FACTS, &node::facts(Some(node), lease)).await;
            let spec = ArtifactSpec::new(NODE_PAGE, Content::Text);
            sink.document(spec, node::describe(node, lease)).await;
        }
        // That there is no such node is a fact, and a grave one.
        Err((State::NotPresent, reason)) => {
            keep_lines(sink, names::NODE_FACTS, &node::facts(None, lease)).await;
            sink.record(NODE_PAGE, State::NotPresent, reason);
        }
        Err((state, reason)) => {
            sink.record(names::NODE_FACTS, *state, reason);
            sink.record(NODE_PAGE, *state, reason);
        }
    }
}

async fn keep_events(sink: &Sink, events: Events) {
    if let (true, Some((state, reason))) = (events.rows.is_empty(), &events.incomplete) {
        sink.record(names::NODE_EVENTS, *state, reason);
        sink.record(EVENTS_TABLE, *state, reason);
        return;
    }
    let lines = match to_lines(&events.rows) {
        Ok(lines) => lines,
        Err(error) => return sink.record(names::NODE_EVENTS, State::Failed, error.to_string()),
    };
    let table = events::table_of(&events.rows);
    let documents = [
        (names::NODE_EVENTS, Content::Json, lines),
        (EVENTS_TABLE, Content::Text, table.into_bytes()),
    ];
    for (name, content, bytes) in documents {
        let mut writer = sink.writer(ArtifactSpec::new(name, content).source("events"));
        match (writer.copy_from(bytes.as_slice()).await, &events.incomplete) {
            (Ok(_), None) => writer.finish().await,
            (Ok(_), Some((state, reason))) => writer.finish_as(*state, Some(reason.clone())).await,
            (Err(error), _) => writer.finish_as(State::Failed, Some(error.to_string())).await,
        };
    }
}

async fn keep_lines<T: Serialize>(sink: &Sink, name: &str, rows: &[T]) {
    match to_lines(rows) {
        Ok(lines) => {
            sink.document(ArtifactSpec::new(name, Content::Json), lines).await;
        }
        Err(error) => sink.record(name, State::Failed, error.to_string()),
    }
}
