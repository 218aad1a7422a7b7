//! One object's description: the renderer that its kind has, then its events.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    deployment,
    fields::{age, annotations, controller, moment, pairs, text},
    generic,
    page::Page,
    pod, service,
};
use crate::kube_objects::{endpoints::Endpoints, events::Event};

/// What a description is made of.
#[derive(Debug)]
pub(in crate::kube_objects) struct Described<'a> {
    /// The object, with `apiVersion` and `kind`, freed from secrets.
    pub(in crate::kube_objects) object: &'a Value,
    /// Its events, oldest first, or why there are none to show.
    pub(in crate::kube_objects) events: Result<Vec<&'a Event>, &'a str>,
    /// Said below the events, if anything.
    pub(in crate::kube_objects) events_note: Option<String>,
    /// The addresses behind the services of its namespace, or why they are not known.
    pub(in crate::kube_objects) endpoints: Result<&'a Endpoints, &'a str>,
    /// The moment that ages are counted from.
    pub(in crate::kube_objects) now: Timestamp,
}

/// The description, every line ended.
pub(in crate::kube_objects) fn describe(described: &Described<'_>) -> String {
    let object = described.object;
    let kind = (text(object, "/apiVersion"), text(object, "/kind"));
    let mut page = match (kind.0.as_deref(), kind.1.as_deref()) {
        (Some("v1"), Some("Pod")) => pod::page(object, described.now),
        (Some("v1"), Some("Service")) => service::page(object, described.endpoints),
        (Some("apps/v1"), Some("Deployment")) => deployment::page(object),
        _ => generic::page(object),
    };
    match &described.events {
        Ok(events) => {
            let rows = events.iter().map(|event| event_row(event, described.now)).collect();
            page.table(
                "Events",
                &["Type", "Reason", "Age", "Last Seen", "From", "Message"],
                rows,
            );
        }
        Err(reason) => page.field("Events", Some(format!("<unknown: {reason}>"))),
    }
    page.field("Note", described.events_note.as_deref());
    page.render()
}

fn event_row(event: &Event, now: Timestamp) -> Vec<String> {
    let ago = |time: Option<Timestamp>| time.map_or_else(|| "<unknown>".to_owned(), |time| age(now, time));
    let when = if event.count > 1 {
        format!("{} (x{} over {})", ago(event.last), event.count, ago(event.first))
    } else {
        ago(event.last)
    };
    vec![
        event.kind.clone(),
        event.reason.clone(),
        when,
        event.last.map(moment).unwrap_or_default(),
        event.from.clone(),
        event.message.clone(),
    ]
}

/// The fields that every description begins with.
pub(super) fn head(page: &mut Page, object: &Value) {
    page.field("Name", text(object, "/metadata/name"));
    page.field("Namespace", text(object, "/metadata/namespace"));
}

/// Labels, annotations and owner.
pub(super) fn metadata(page: &mut Page, object: &Value) {
    page.list("Labels", pairs(object, "/metadata/labels"));
    page.list("Annotations", annotations(object));
    page.field("Controlled By", controller(object));
}

/// A section of conditions, each on its line.
pub(super) fn conditions(page: &mut Page, object: &Value) {
    let rows = super::fields::elements(object, "/status/conditions")
        .iter()
        .map(|condition| {
            let cell = |name: &str| condition.get(name).and_then(super::fields::scalar).unwrap_or_default();
            ["type", "status", "lastTransitionTime", "reason", "message"]
                .map(cell)
                .to_vec()
        });
    page.table(
        "Conditions",
        &["Type", "Status", "Since", "Reason", "Message"],
        rows.collect(),
    );
}
