//! What the Node object and its lease say: as facts, one per line, and as a page for people.

use std::fmt::Write;

use jiff::Timestamp;
use periscope_documents::NodeFact;
use serde_json::Value;

use crate::table;

/// The facts, as far as the two are known. `node` is `None` where there is no Node object.
pub(super) fn facts(node: Option<&Value>, lease: Option<&Value>) -> Vec<NodeFact> {
    let mut facts = vec![NodeFact::Registered {
        exists: node.is_some(),
        created: node.and_then(|node| time(node, "/metadata/creationTimestamp")),
    }];
    if let Some(node) = node {
        facts.push(NodeFact::Kubelet {
            version: text(node, "/status/nodeInfo/kubeletVersion"),
            runtime: text(node, "/status/nodeInfo/containerRuntimeVersion"),
        });
        facts.extend(
            elements(node, "/status/conditions").map(|condition| NodeFact::Condition {
                kind: text(condition, "/type"),
                status: text(condition, "/status"),
                reason: text(condition, "/reason"),
                message: text(condition, "/message"),
                since: time(condition, "/lastTransitionTime"),
                heartbeat: time(condition, "/lastHeartbeatTime"),
            }),
        );
        facts.extend(elements(node, "/spec/taints").map(|taint| NodeFact::Taint {
            key: text(taint, "/key"),
            value: text(taint, "/value"),
            effect: text(taint, "/effect"),
            since: time(taint, "/timeAdded"),
        }));
        if node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true) {
            facts.push(NodeFact::Unschedulable);
        }
    }
    if let Some(lease) = lease {
        facts.push(NodeFact::Lease {
            renewed: time(lease, "/spec/renewTime"),
            duration: lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64),
        });
    }
    facts
}

/// The node as a person reads it.
pub(super) fn describe(node: &Value, lease: Option<&Value>) -> String {
    let mut page = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a String cannot fail.
            writeln!(page, "{name:<20}{value}").ok();
        }
    };
    line("Name:", &text(node, "/metadata/name"));
    line("Created:", &text(node, "/metadata/creationTimestamp"));
    let unschedulable = node.pointer("/spec/unschedulable").and_then(Value::as_bool);
    line(
        "Unschedulable:",
        if unschedulable == Some(true) { "true" } else { "false" },
    );
    line("Provider ID:", &text(node, "/spec/providerID"));
    line("Pod CIDR:", &text(node, "/spec/podCIDR"));
    let info = |name: &str| text(node, &format!("/status/nodeInfo/{name}"));
    line("Kubelet:", &info("kubeletVersion"));
    line("Runtime:", &info("containerRuntimeVersion"));
    line("Kernel:", &info("kernelVersion"));
    line("OS image:", &info("osImage"));
    line("Boot ID:", &info("bootID"));
    if let Some(lease) = lease {
        line("Lease renewed:", &text(lease, "/spec/renewTime"));
    }
    for address in elements(node, "/status/addresses") {
        line(&format!("{}:", text(address, "/type")), &text(address, "/address"));
    }
    for (title, pointer) in [("Labels", "/metadata/labels"), ("Annotations", "/metadata/annotations")] {
        if let Some(Value::Object(fields)) = node.pointer(pointer) {
            let rows = fields.iter().map(|(name, value)| vec![name.clone(), plain(value)]);
            section(&mut page, title, &["NAME", "VALUE"], &rows.collect::<Vec<_>>());
        }
    }
    let taints = elements(node, "/spec/taints").map(|taint| row(taint, &["/key", "/value", "/effect", "/timeAdded"]));
    section(
        &mut page,
        "Taints",
        &["KEY", "VALUE", "EFFECT", "SINCE"],
        &taints.collect::<Vec<_>>(),
    );
    let fields = [
        "/type",
        "/status",
        "/lastHeartbeatTime",
        "/lastTransitionTime",
        "/reason",
        "/message",
    ];
    let conditions = elements(node, "/status/conditions").map(|condition| row(condition, &fields));
    let headings = ["TYPE", "STATUS", "HEARTBEAT", "SINCE", "REASON", "MESSAGE"];
    section(&mut page, "Conditions", &headings, &conditions.collect::<Vec<_>>());
    if let Some(Value::Object(capacity)) = node.pointer("/status/capacity") {
        let allocatable = |name: &str| node.pointer("/status/allocatable")?.get(name).map(plain);
        let rows = capacity
            .iter()
            .map(|(name, value)| vec![name.clone(), plain(value), allocatable(name).unwrap_or_default()]);
        section(
            &mut page,
            "Resources",
            &["NAME", "CAPACITY", "ALLOCATABLE"],
            &rows.collect::<Vec<_>>(),
        );
    }
    page
}

fn section(page: &mut String, title: &str, headings: &[&str], rows: &[Vec<String>]) {
    if !rows.is_empty() {
        write!(page, "\n{title}\n{}", table::render(headings, rows)).ok();
    }
}

fn row(object: &Value, pointers: &[&str]) -> Vec<String> {
    pointers.iter().map(|pointer| text(object, pointer)).collect()
}

/// The string there; empty when there is none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The time there.
pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    object.pointer(pointer)?.as_str()?.parse().ok()
}

/// The elements of the array there.
pub(crate) fn elements<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A value as a person writes it.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
