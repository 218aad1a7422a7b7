//! The node's pods: whole, as the API has them, and as a table.

use std::collections::HashSet;

use periscope_cluster::{ClusterAccess, ListScope, ResourceType};
use periscope_core::{ArtifactSpec, ArtifactWriter, Content, Sink, State};
use periscope_redact::object::redact;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::node::{elements, text};
use crate::api_errors::state_of;
use crate::host_files::reason_of;
use crate::table;

/// The artifact of the whole objects.
pub(super) const PODS: &str = "pods.json";
/// The artifact of the table.
pub(super) const TABLE: &str = "pods.txt";

/// Most pods of a node; a kubelet has some hundred at the most.
const MAX_PODS: usize = 2_000;

/// Keeps the node's pods, and returns their names as `namespace/name`.
pub(super) async fn gather(access: &ClusterAccess, node: &str, sink: &Sink) -> HashSet<String> {
    let scope = ListScope {
        namespace: None,
        fields: Some(format!("spec.nodeName={node}")),
    };
    let resource = ResourceType::pods();
    let mut list = access.list(&resource, &scope);
    let mut names = HashSet::new();
    let mut rows = Vec::new();
    let mut writer = None;
    let ending = loop {
        match list.next().await {
            Ok(Some(_)) if rows.len() == MAX_PODS => {
                break Some((State::Truncated, format!("only the first {MAX_PODS} pods are kept")));
            }
            Ok(Some(mut pod)) => {
                let removed = redact(&mut pod);
                names.insert(format!(
                    "{}/{}",
                    text(&pod, "/metadata/namespace"),
                    text(&pod, "/metadata/name")
                ));
                rows.push(row(&pod));
                let separator = if writer.is_none() { "\n" } else { ",\n" };
                if writer.is_none() {
                    writer = Some(open(sink).await);
                }
                if let Some(writer) = &mut writer {
                    writer.add_redactions(removed.iter());
                    // In several lines, because the redactor looks at lines.
                    write(writer, &format!("{separator}{pod:#}")).await;
                }
            }
            Ok(None) => break None,
            Err(error) => break Some((state_of(&error), reason_of(&error))),
        }
    };
    let writer = match (writer, &ending) {
        (None, Some((state, reason))) => {
            sink.record(PODS, *state, reason);
            sink.record(TABLE, *state, reason);
            return names;
        }
        (None, None) => open(sink).await,
        (Some(writer), _) => writer,
    };
    finish(writer, "\n]\n}\n", ending.clone()).await;
    let text = table::render(
        &[
            "NAMESPACE",
            "NAME",
            "PHASE",
            "READY",
            "RESTARTS",
            "REASON",
            "IP",
            "CREATED",
        ],
        &rows,
    );
    finish(sink.writer(ArtifactSpec::new(TABLE, Content::Text)), &text, ending).await;
    names
}

fn row(pod: &Value) -> Vec<String> {
    let containers: Vec<_> = elements(pod, "/status/containerStatuses").collect();
    let ready = |status: &&&Value| status.pointer("/ready").and_then(Value::as_bool) == Some(true);
    let restarts = containers
        .iter()
        .filter_map(|status| status.pointer("/restartCount")?.as_u64());
    let of_containers = elements(pod, "/status/initContainerStatuses").chain(containers.iter().copied());
    let mut reasons = of_containers.map(|status| {
        let waiting = text(status, "/state/waiting/reason");
        if waiting.is_empty() {
            text(status, "/state/terminated/reason")
        } else {
            waiting
        }
    });
    let own = text(pod, "/status/reason");
    let reason = if own.is_empty() {
        // An init container that completed is in order.
        reasons
            .find(|reason| !reason.is_empty() && reason != "Completed")
            .unwrap_or_default()
    } else {
        own
    };
    vec![
        text(pod, "/metadata/namespace"),
        text(pod, "/metadata/name"),
        text(pod, "/status/phase"),
        format!(
            "{}/{}",
            containers.iter().filter(ready).count(),
            elements(pod, "/spec/containers").count()
        ),
        restarts.sum::<u64>().to_string(),
        reason,
        text(pod, "/status/podIP"),
        text(pod, "/metadata/creationTimestamp"),
    ]
}

async fn open(sink: &Sink) -> ArtifactWriter {
    let mut writer = sink.writer(ArtifactSpec::new(PODS, Content::Json).source("pods"));
    let head = "{\n\"kind\": \"PodList\",\n\"apiVersion\": \"v1\",\n\"metadata\": {},\n\"items\": [";
    write(&mut writer, head).await;
    writer
}

async fn finish(mut writer: ArtifactWriter, last: &str, ending: Option<(State, String)>) {
    write(&mut writer, last).await;
    match ending {
        None => writer.finish().await,
        Some((state, reason)) => writer.finish_as(state, Some(reason)).await,
    };
}

async fn write(writer: &mut ArtifactWriter, text: &str) {
    // Writing never fails: what went wrong is in the state that the artifact ends with.
    writer.write_all(text.as_bytes()).await.ok();
}
