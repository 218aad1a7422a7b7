//! All nodes: whole, and as a table.

use periscope_cluster::{ClusterAccess, ResourceType};
use periscope_core::{ArtifactSpec, Content, Sink};
use periscope_documents::names;
use serde_json::Value;

use super::lists;
use crate::cluster_health::{elements, plain, text};
use crate::kube_objects::Ending;
use crate::table;

/// The artifact of the table.
pub(super) const TABLE: &str = names::NODES_TABLE;

const HEADINGS: [&str; 12] = [
    "NAME",
    "STATUS",
    "CREATED",
    "KUBELET",
    "OS",
    "KERNEL",
    "RUNTIME",
    "CPU",
    "MEMORY",
    "PODS",
    "TAINTS",
    "CONDITIONS",
];

/// Keeps the nodes.
pub(super) async fn gather(access: &ClusterAccess, sink: &Sink) {
    let mut rows = Vec::new();
    let ending = lists::keep(access, sink, &ResourceType::nodes(), |node| rows.push(row(node))).await;
    keep_table(sink, TABLE, &HEADINGS, &rows, ending).await;
}

/// Keeps a table, or says why there is none.
pub(super) async fn keep_table(sink: &Sink, name: &str, headings: &[&str], rows: &[Vec<String>], ending: Ending) {
    if let (true, Some((state, reason))) = (rows.is_empty(), &ending) {
        return sink.record(name, *state, reason);
    }
    keep_bytes(
        sink,
        ArtifactSpec::new(name, Content::Text),
        table::render(headings, rows).as_bytes(),
        ending,
    )
    .await;
}

/// Keeps a document that may lack something.
pub(super) async fn keep_bytes(sink: &Sink, spec: ArtifactSpec, bytes: &[u8], ending: Ending) {
    let mut writer = sink.writer(spec);
    // Reading from memory never fails.
    writer.copy_from(bytes).await.ok();
    match ending {
        None => writer.finish().await,
        Some((state, reason)) => writer.finish_as(state, Some(reason)).await,
    };
}

fn row(node: &Value) -> Vec<String> {
    let info = |name: &str| text(node, &format!("/status/nodeInfo/{name}"));
    let capacity = |name: &str| {
        node.pointer(&format!("/status/capacity/{name}"))
            .map(plain)
            .unwrap_or_default()
    };
    let taints = elements(node, "/spec/taints").map(|taint| {
        let value = text(taint, "/value");
        let separator = if value.is_empty() { "" } else { "=" };
        format!("{}{separator}{value}:{}", text(taint, "/key"), text(taint, "/effect"))
    });
    vec![
        lists::name(node),
        status(node),
        text(node, "/metadata/creationTimestamp"),
        info("kubeletVersion"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
        capacity("cpu"),
        capacity("memory"),
        capacity("pods"),
        or_dash(&taints.collect::<Vec<_>>()),
        or_dash(&troubles(node)),
    ]
}

/// As kubectl shows it.
fn status(node: &Value) -> String {
    let ready = elements(node, "/status/conditions").find(|condition| text(condition, "/type") == "Ready");
    let word = match ready.map(|condition| text(condition, "/status")).as_deref() {
        Some("True") => "Ready",
        Some("False") => "NotReady",
        _ => "Unknown",
    };
    if node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true) {
        format!("{word},SchedulingDisabled")
    } else {
        word.to_owned()
    }
}

/// The conditions that tell of trouble, other than `Ready`.
fn troubles(node: &Value) -> Vec<String> {
    let conditions = elements(node, "/status/conditions").filter_map(|condition| {
        let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
        let good = if kind.ends_with("Ready") { "True" } else { "False" };
        (kind != "Ready" && status != good).then(|| format!("{kind}={status}"))
    });
    conditions.collect()
}

fn or_dash(words: &[String]) -> String {
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(",")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::row;

    fn node(conditions: &Value, spec: &Value) -> Value {
        json!({
            "metadata": {"name": "n", "creationTimestamp": "2026-11-01T00:00:00Z"}, "spec": spec,
            "status": {"conditions": conditions, "capacity": {"cpu": "4", "memory": "16Gi", "pods": 30}, "nodeInfo": {"kubeletVersion": "v1.34.4"}},
        })
    }

    #[rstest]
    #[case::ready(json!([{"type": "Ready", "status": "True"}]), json!({}), ["Ready", "-", "-"])]
    #[case::cordoned(
        json!([{"type": "Ready", "status": "False"}]), json!({"unschedulable": true, "taints": [{"key": "k", "effect": "NoSchedule"}]}),
        ["NotReady,SchedulingDisabled", "k:NoSchedule", "-"]
    )]
    #[case::in_trouble(
        json!([{"type": "DiskPressure", "status": "True"}, {"type": "NetworkingReady", "status": "False"}, {"type": "PIDPressure", "status": "False"}]),
        json!({"taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}, {"key": "a", "effect": "NoExecute"}]}),
        ["Unknown", "sku=gpu:NoSchedule,a:NoExecute", "DiskPressure=True,NetworkingReady=False"]
    )]
    fn a_node_is_one_row(#[case] conditions: Value, #[case] spec: Value, #[case] expected: [&str; 3]) {
        let row = row(&node(&conditions, &spec));
        assert_eq!([row[1].as_str(), row[10].as_str(), row[11].as_str()], expected);
        assert_eq!((row[3].as_str(), row[9].as_str()), ("v1.34.4", "30"));
    }
}
