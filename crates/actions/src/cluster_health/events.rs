//! The events about the node and about its pods: few of the cluster's, chosen by what they are about and who wrote
//! them.

use std::collections::HashSet;

use periscope_cluster::{ClusterAccess, ListScope, ResourceType};
use periscope_core::State;
use periscope_documents::NodeEvent;
use periscope_redact::object::redact;
use serde_json::Value;

use super::node::{text, time};
use crate::api_errors::state_of;
use crate::host_files::reason_of;
use crate::table;

/// Most events of the cluster that are looked at: ten pages.
const MAX_LOOKED_AT: usize = 5_000;

/// Most events that are kept, the newest. With [`MAX_MESSAGE`] that bounds their memory to some 4 MiB.
const MAX_KEPT: usize = 2_000;

/// Bytes of a message that are kept; the API server allows 1024.
const MAX_MESSAGE: usize = 1024;

/// The events, oldest first, and how their list ended when it was not whole.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) rows: Vec<NodeEvent>,
    pub(super) incomplete: Option<(State, String)>,
    looked_at: usize,
}

impl Events {
    /// Asks for the events about the node and for the warnings about its pods (`namespace/name`).
    pub(super) async fn gather(access: &ClusterAccess, node: &str, pods: &HashSet<String>) -> Self {
        let mut events = Self::default();
        let about_node = format!("involvedObject.kind=Node,involvedObject.name={node}");
        events.take(access, about_node, |_| true).await;
        if events.incomplete.is_none() {
            let is_ours = |event: &Value| is_of(event, node, pods);
            events
                .take(access, "involvedObject.kind=Pod,type=Warning".to_owned(), is_ours)
                .await;
        }
        events.rows.sort_by_key(|event| event.time);
        if events.rows.len() > MAX_KEPT {
            let more = events.rows.len() - MAX_KEPT;
            events.rows.drain(..more);
            events.incomplete = Some((State::Truncated, format!("the {more} oldest events are left out")));
        }
        events
    }

    async fn take(&mut self, access: &ClusterAccess, fields: String, is_wanted: impl Fn(&Value) -> bool) {
        let resource = ResourceType::events();
        let scope = ListScope {
            namespace: None,
            fields: Some(fields),
        };
        let mut list = access.list(&resource, &scope);
        loop {
            match list.next().await {
                Ok(Some(_)) if self.looked_at == MAX_LOOKED_AT => {
                    let reason = format!("only {MAX_LOOKED_AT} events of the cluster were looked at");
                    self.incomplete = Some((State::Truncated, reason));
                    return;
                }
                Ok(Some(mut event)) => {
                    self.looked_at += 1;
                    if is_wanted(&event) {
                        redact(&mut event);
                        self.rows.push(read(&event));
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    self.incomplete = Some((state_of(&error), reason_of(&error)));
                    return;
                }
            }
        }
    }
}

/// Whether an event about a pod is about one of the node: its kubelet wrote it, or the pod is there now.
fn is_of(event: &Value, node: &str, pods: &HashSet<String>) -> bool {
    let writers = ["/source/host", "/deprecatedSource/host", "/reportingInstance"];
    if writers.iter().any(|writer| text(event, writer) == node) {
        return true;
    }
    let involved = |field: &str| text(event, &format!("/involvedObject/{field}"));
    pods.contains(&format!("{}/{}", involved("namespace"), involved("name")))
}

/// What is kept of an event.
pub(crate) fn read(event: &Value) -> NodeEvent {
    let first_time = |pointers: &[&str]| pointers.iter().find_map(|pointer| time(event, pointer));
    let first = first_time(&["/firstTimestamp", "/eventTime", "/metadata/creationTimestamp"]);
    let last = first_time(&[
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]);
    let number = |pointer: &str| event.pointer(pointer).and_then(Value::as_u64);
    let kind = text(event, "/involvedObject/kind").to_lowercase();
    let namespace = text(event, "/involvedObject/namespace");
    let name = text(event, "/involvedObject/name");
    let mut message = text(event, "/message").trim_end().to_owned();
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    let source = text(event, "/source/component");
    NodeEvent {
        time: last,
        first: first.filter(|_| first != last),
        count: number("/series/count").or_else(|| number("/count")).unwrap_or(1),
        kind: text(event, "/type"),
        reason: text(event, "/reason"),
        object: if namespace.is_empty() {
            format!("{kind} {name}")
        } else {
            format!("{kind} {namespace}/{name}")
        },
        field: text(event, "/involvedObject/fieldPath"),
        source: if source.is_empty() {
            text(event, "/reportingComponent")
        } else {
            source
        },
        message,
    }
}

/// The events as a person reads them, oldest first.
pub(crate) fn table_of(events: &[NodeEvent]) -> String {
    let row = |event: &NodeEvent| {
        vec![
            event.time.map(|time| time.to_string()).unwrap_or_default(),
            event.count.to_string(),
            event.kind.clone(),
            event.reason.clone(),
            event.object.clone(),
            event.source.clone(),
            event.message.replace('\n', " "),
        ]
    };
    let rows: Vec<_> = events.iter().map(row).collect();
    table::render(&["LAST", "COUNT", "TYPE", "REASON", "OBJECT", "FROM", "MESSAGE"], &rows)
}
