//! What nodes and containers use now, as the metrics API tells it, in the shape of the original (Periscope contract,
//! section 1.2).

use periscope_cluster::{ClusterAccess, ListScope, ResourceType};
use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_documents::to_lines;
use serde::Serialize;
use serde_json::Value;

use super::nodes::keep_bytes;
use super::{lists, quantity};
use crate::api_errors::state_of;
use crate::cluster_health::{elements, text};
use crate::host_files::reason_of;
use crate::kube_objects::Ending;

/// The artifact about nodes, in the folder of the original's collector.
pub(super) const NODES: &str = "systemperf/nodes";
/// The artifact about containers.
pub(super) const PODS: &str = "systemperf/pods";

/// Most containers that are kept: a hundred bytes each.
const MAX_ROWS: usize = 100_000;

#[derive(Serialize)]
struct Usage {
    name: String,
    #[serde(rename = "cpuUsage")]
    cpu: i64,
    #[serde(rename = "memoryUsage")]
    memory: i64,
}

impl Usage {
    /// `None` where the amounts are none.
    fn of(name: String, object: &Value) -> Option<Self> {
        Some(Self {
            name,
            cpu: quantity::milli(&text(object, "/usage/cpu"))?,
            memory: quantity::whole(&text(object, "/usage/memory"))?,
        })
    }
}

/// Keeps both.
pub(super) async fn gather(access: &ClusterAccess, sink: &Sink) {
    let nodes = ResourceType::known("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", false);
    let of_node = |node: &Value| vec![Usage::of(lists::name(node), node)];
    if let Some((State::NotPresent, reason)) = keep(access, sink, &nodes, NODES, of_node).await {
        // There is no metrics API: it need not be asked again.
        return sink.record(PODS, State::NotPresent, reason);
    }
    let pods = ResourceType::known("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", true);
    let of_pod = |pod: &Value| {
        let containers = elements(pod, "/containers");
        containers
            .map(|container| Usage::of(text(container, "/name"), container))
            .collect()
    };
    keep(access, sink, &pods, PODS, of_pod).await;
}

/// Keeps what `read` makes of each object. Says how the list ended, when not well.
async fn keep(
    access: &ClusterAccess,
    sink: &Sink,
    resource: &ResourceType,
    name: &str,
    read: impl Fn(&Value) -> Vec<Option<Usage>>,
) -> Ending {
    let mut list = access.list(resource, &ListScope::default());
    let (mut rows, mut unreadable) = (Vec::new(), 0_usize);
    let mut ending = loop {
        match list.next().await {
            Ok(Some(_)) if rows.len() >= MAX_ROWS => {
                break Some((State::Truncated, format!("only the first {MAX_ROWS} are kept")));
            }
            Ok(Some(object)) => {
                let read = read(&object);
                unreadable += read.iter().filter(|usage| usage.is_none()).count();
                rows.extend(read.into_iter().flatten());
            }
            Ok(None) => break None,
            Err(error) => break Some((state_of(&error), reason_of(&error))),
        }
    };
    if ending.is_none() && unreadable > 0 {
        ending = Some((State::Truncated, format!("{unreadable} amounts cannot be understood")));
    }
    match &ending {
        Some((state, reason)) if rows.is_empty() => sink.record(name, *state, reason),
        _ => {
            let spec = ArtifactSpec::new(name, Content::Json).source(resource.qualified());
            keep_bytes(sink, spec, &to_lines(&rows).unwrap_or_default(), ending.clone()).await;
        }
    }
    ending
}
