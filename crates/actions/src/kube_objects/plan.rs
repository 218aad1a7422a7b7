//! Turns the entries into lists to make: entries for the same resource in the same namespace share one request.

use std::collections::BTreeMap;

use periscope_cluster::{Catalogue, ResourceType};
use periscope_core::{Sink, State};

use super::{KubeObjectEntry, paths};

/// The objects of one resource in one namespace, or those without a namespace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) resource: ResourceType,
    /// The namespace, for resources that live in one.
    pub(super) namespace: Option<String>,
    /// The description of all objects, when all are wanted.
    pub(super) all: Option<String>,
    /// The descriptions of single objects, by name.
    pub(super) named: BTreeMap<String, String>,
}

/// Units by namespace; those of cluster-wide resources under `None`.
pub(super) type Plan = BTreeMap<Option<String>, Vec<Unit>>;

/// Reads the entries; one that is none is recorded as `failed`.
pub(super) fn parse(texts: &[String], sink: &Sink) -> Vec<KubeObjectEntry> {
    let mut entries: Vec<KubeObjectEntry> = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(entry) if entries.contains(&entry) => {}
            Ok(entry) => entries.push(entry),
            Err(error) => sink.record(&paths::description_of_invalid(text), State::Failed, error.to_string()),
        }
    }
    entries
}

/// Plans the entries; one whose resource the API server does not know is recorded as `not-present`.
pub(super) fn plan(entries: Vec<KubeObjectEntry>, catalogue: &Catalogue, sink: &Sink) -> Plan {
    let mut plan = Plan::new();
    for entry in entries {
        let item = paths::description(&entry);
        match catalogue.resolve(&entry.resource) {
            None => {
                let reason = format!("the API server knows no resource {:?}", entry.resource);
                sink.record(&item, State::NotPresent, reason);
            }
            Some(resource) if !resource.listable => {
                let reason = format!("objects of {} cannot be listed", resource.qualified());
                sink.record(&item, State::NotApplicable, reason);
            }
            Some(resource) => add(&mut plan, resource, entry, &item, sink),
        }
    }
    plan
}

fn add(plan: &mut Plan, resource: &ResourceType, entry: KubeObjectEntry, item: &str, sink: &Sink) {
    let namespace = Some(entry.namespace).filter(|_| resource.namespaced);
    let units = plan.entry(namespace.clone()).or_default();
    let at = units
        .iter()
        .position(|unit| &unit.resource == resource)
        .unwrap_or(units.len());
    if at == units.len() {
        units.push(Unit {
            resource: resource.clone(),
            namespace,
            all: None,
            named: BTreeMap::new(),
        });
    }
    let Some(unit) = units.get_mut(at) else { return };
    let taken = match entry.name {
        Some(name) if unit.named.contains_key(&name) => true,
        Some(name) => {
            unit.named.insert(name, item.to_owned());
            false
        }
        None if unit.all.is_some() => true,
        None => {
            unit.all = Some(item.to_owned());
            false
        }
    };
    if taken {
        sink.record(item, State::NotApplicable, "another entry names the same objects");
    }
}
