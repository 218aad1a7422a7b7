//! The description of a pod.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    containers,
    fields::{age, elements, pairs, text},
    object::{conditions, head, metadata},
    page::Page,
};

/// The description without events.
pub(super) fn page(pod: &Value, now: Timestamp) -> Page {
    let mut page = Page::default();
    head(&mut page, pod);
    page.field("Priority", text(pod, "/spec/priority"));
    page.field("Priority Class", text(pod, "/spec/priorityClassName"));
    page.field("Service Account", text(pod, "/spec/serviceAccountName"));
    page.field("Node", node(pod));
    page.field("Host Network", text(pod, "/spec/hostNetwork"));
    page.field("Start Time", text(pod, "/status/startTime"));
    metadata(&mut page, pod);
    page.field("Status", Some(status(pod, now)));
    page.field("Reason", text(pod, "/status/reason"));
    page.field("Message", text(pod, "/status/message"));
    page.field("IP", text(pod, "/status/podIP"));
    let addresses = elements(pod, "/status/podIPs")
        .iter()
        .filter_map(|address| text(address, "/ip"));
    page.field("IPs", Some(addresses.collect::<Vec<_>>().join(", ")));
    for (name, containers, statuses) in [
        (
            "Init Containers",
            "/spec/initContainers",
            "/status/initContainerStatuses",
        ),
        ("Containers", "/spec/containers", "/status/containerStatuses"),
        (
            "Ephemeral Containers",
            "/spec/ephemeralContainers",
            "/status/ephemeralContainerStatuses",
        ),
    ] {
        page.section(
            name,
            containers::section(elements(pod, containers), elements(pod, statuses)),
        );
    }
    conditions(&mut page, pod);
    page.section("Volumes", containers::volumes(pod.get("spec").unwrap_or(&Value::Null)));
    page.field("QoS Class", text(pod, "/status/qosClass"));
    page.field("Restart Policy", text(pod, "/spec/restartPolicy"));
    page.field("DNS Policy", text(pod, "/spec/dnsPolicy"));
    page.list("Node Selectors", pairs(pod, "/spec/nodeSelector"));
    page.list(
        "Tolerations",
        containers::tolerations(pod.get("spec").unwrap_or(&Value::Null)),
    );
    page
}

fn node(pod: &Value) -> Option<String> {
    let node = text(pod, "/spec/nodeName")?;
    Some(match text(pod, "/status/hostIP") {
        Some(address) => format!("{node}/{address}"),
        None => node,
    })
}

fn status(pod: &Value, now: Timestamp) -> String {
    let phase = text(pod, "/status/phase").unwrap_or_else(|| "<unknown>".into());
    let Some(deleted) = text(pod, "/metadata/deletionTimestamp") else {
        return phase;
    };
    // The timestamp is when the grace period ends, not when the deletion was asked for.
    let grace = text(pod, "/metadata/deletionGracePeriodSeconds").unwrap_or_else(|| "0".into());
    let since = match deleted.parse() {
        Ok(deleted) if deleted < now => format!(", overdue by {}", age(now, deleted)),
        _ => String::new(),
    };
    format!("Terminating (grace period {grace}s ends {deleted}{since}; phase {phase})")
}
