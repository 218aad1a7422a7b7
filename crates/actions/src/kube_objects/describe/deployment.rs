//! The description of a deployment.

use serde_json::Value;

use super::{
    containers,
    fields::{elements, pairs, selector, text},
    object::{conditions, head, metadata},
    page::Page,
};

/// The description without events.
pub(super) fn page(deployment: &Value) -> Page {
    let mut page = Page::default();
    head(&mut page, deployment);
    page.field("Created", text(deployment, "/metadata/creationTimestamp"));
    metadata(&mut page, deployment);
    page.field("Selector", selector(deployment, "/spec/selector"));
    page.field("Paused", text(deployment, "/spec/paused"));
    page.field("Replicas", Some(replicas(deployment)));
    page.field("Generation", Some(generation(deployment)));
    page.field("Strategy", text(deployment, "/spec/strategy/type"));
    page.field("Rolling Update", rolling_update(deployment));
    page.field("Min Ready Seconds", text(deployment, "/spec/minReadySeconds"));
    page.field(
        "Progress Deadline",
        text(deployment, "/spec/progressDeadlineSeconds").map(|s| format!("{s}s")),
    );
    page.section(
        "Pod Template",
        template(deployment.pointer("/spec/template").unwrap_or(&Value::Null)),
    );
    conditions(&mut page, deployment);
    page
}

fn replicas(deployment: &Value) -> String {
    // The API leaves out counts that are zero.
    let count = |pointer| text(deployment, pointer).unwrap_or_else(|| "0".into());
    format!(
        "{} desired | {} updated | {} total | {} available | {} unavailable",
        text(deployment, "/spec/replicas").unwrap_or_else(|| "1".into()),
        count("/status/updatedReplicas"),
        count("/status/replicas"),
        count("/status/availableReplicas"),
        count("/status/unavailableReplicas"),
    )
}

fn generation(deployment: &Value) -> String {
    let at = |pointer| text(deployment, pointer).unwrap_or_else(|| "<none>".into());
    format!(
        "{} (observed {})",
        at("/metadata/generation"),
        at("/status/observedGeneration")
    )
}

fn rolling_update(deployment: &Value) -> Option<String> {
    let rolling = deployment.pointer("/spec/strategy/rollingUpdate")?;
    let at = |pointer| text(rolling, pointer).unwrap_or_else(|| "<none>".into());
    Some(format!(
        "{} max unavailable, {} max surge",
        at("/maxUnavailable"),
        at("/maxSurge")
    ))
}

fn template(template: &Value) -> Page {
    let mut page = Page::default();
    let spec = template.get("spec").unwrap_or(&Value::Null);
    page.list("Labels", pairs(template, "/metadata/labels"));
    page.list_if_any("Annotations", pairs(template, "/metadata/annotations"));
    page.field("Service Account", text(spec, "/serviceAccountName"));
    page.section(
        "Init Containers",
        containers::section(elements(spec, "/initContainers"), &[]),
    );
    page.section("Containers", containers::section(elements(spec, "/containers"), &[]));
    page.section("Volumes", containers::volumes(spec));
    page.field("Priority Class", text(spec, "/priorityClassName"));
    page.list("Node Selectors", pairs(spec, "/nodeSelector"));
    page.list("Tolerations", containers::tolerations(spec));
    page
}
