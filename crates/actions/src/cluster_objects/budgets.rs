//! Disruption budgets: raw, and in the shape in which the original has them (Periscope contract, section 1.2), of all
//! namespaces from one list.

use std::collections::BTreeMap;

use periscope_cluster::{ClusterAccess, ListScope, ResourceType};
use periscope_core::{ArtifactSpec, Content, Sink};
use periscope_redact::object::redact;
use serde::Serialize;
use serde_json::Value;

use super::lists;
use super::nodes::keep_bytes;
use crate::api_errors::state_of;
use crate::cluster_health::{plain, text};
use crate::host_files::reason_of;
use crate::kube_objects::{Ending, ObjectFile, objects_path};

/// The folder of the original's collector.
const FOLDER: &str = "poddisruptionbudget";

/// How the original prints a bound that is not set.
const UNSET: &str = "<nil>";

#[derive(Serialize)]
struct Budget {
    name: String,
    #[serde(rename = "minavailable")]
    min_available: String,
    #[serde(rename = "maxunavailable")]
    max_unavailable: String,
    #[serde(rename = "disruptionsallowed")]
    disruptions_allowed: i64,
}

impl Budget {
    fn of(object: &Value) -> Self {
        let bound = |pointer: &str| object.pointer(pointer).map_or_else(|| UNSET.to_owned(), plain);
        let allowed = object.pointer("/status/disruptionsAllowed").and_then(Value::as_i64);
        Self {
            name: lists::name(object),
            min_available: bound("/spec/minAvailable"),
            max_unavailable: bound("/spec/maxUnavailable"),
            disruptions_allowed: allowed.unwrap_or_default(),
        }
    }
}

/// Keeps the budgets of `namespaces`, whose own list ended so, and of whatever other namespace has some.
pub(super) async fn gather(access: &ClusterAccess, sink: &Sink, namespaces: Vec<String>, namespaces_ended: Ending) {
    let resource = ResourceType::known("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true);
    let mut budgets: BTreeMap<String, Vec<Budget>> = namespaces.into_iter().map(|name| (name, Vec::new())).collect();
    let mut list = access.list(&resource, &ListScope::default());
    // The list comes namespace by namespace.
    let mut open: Option<(String, ObjectFile<'_>)> = None;
    let ending = loop {
        let mut object = match list.next().await {
            Ok(Some(object)) => object,
            Ok(None) => break None,
            Err(error) => break Some((state_of(&error), reason_of(&error))),
        };
        let namespace = text(&object, "/metadata/namespace");
        budgets.entry(namespace.clone()).or_default().push(Budget::of(&object));
        if open.as_ref().is_none_or(|(of, _)| *of != namespace) {
            if let Some((_, file)) = open.take() {
                file.finish(&None).await;
            }
            let path = objects_path(&resource, Some(&namespace));
            open = Some((namespace, ObjectFile::new(sink, &resource, path)));
        }
        if let Some((_, file)) = &mut open {
            let removed = redact(&mut object);
            file.add(&object, &removed).await;
        }
    };
    if let Some((_, file)) = open {
        file.finish(&ending).await;
    }
    match &ending {
        // Nothing is known of any namespace: that is said once.
        Some((state, reason)) if budgets.values().all(Vec::is_empty) => {
            return sink.record(FOLDER, *state, reason);
        }
        _ => {}
    }
    if let Some((state, reason)) = namespaces_ended {
        let reason = format!("namespaces without disruption budgets are left out: {reason}");
        sink.record(FOLDER, state, reason);
    }
    for (namespace, budgets) in budgets {
        let spec = ArtifactSpec::new(format!("{FOLDER}/pdb-{namespace}"), Content::Json).source(resource.qualified());
        let text = serde_json::to_vec(&budgets).unwrap_or_default();
        keep_bytes(sink, spec, &text, ending.clone()).await;
    }
}
