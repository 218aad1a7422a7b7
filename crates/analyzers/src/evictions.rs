//! Pods that the kubelet ended because something of the node was short: which, and what was short.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::NodeEvent;

use crate::rows::Rows;
use crate::span;

pub(crate) static EVICTION: Fault = Fault {
    id: "eviction",
    summary: "The kubelet evicts pods because something of the node is short",
    severity: Severity::High,
    caused_by: &["memory-pressure", "disk-full", "inodes-full", "pid-exhaustion"],
    remedy: "Find what uses it up (system/ has the largest consumers), and give the pods requests that are true.",
};

/// Lines of the kubelet's eviction manager, in `crates/scan/rules/cluster.yaml`.
const LINES: &str = "kubelet-evicted";
/// An eviction longer ago than this is over.
const RECENT: SignedDuration = SignedDuration::from_hours(1);
/// Most pods that a sentence names, and most pieces of evidence.
const MAX_NAMED: usize = 3;

/// Evictions for want of one thing.
#[derive(Default)]
struct Evicted {
    pods: Vec<String>,
    last: Option<Timestamp>,
    evidence: Vec<Evidence>,
}

/// What was evicted within the last hour, by what was short.
pub(crate) fn judge(events: Option<&Rows<NodeEvent>>, inputs: &dyn Inputs) -> Vec<Finding> {
    let now = inputs.started();
    let is_recent = |time: Option<Timestamp>| time.is_none_or(|time| span::ago(now, time) <= RECENT);
    let mut by_resource: BTreeMap<String, Evicted> = BTreeMap::new();
    for (line, event) in events
        .iter()
        .flat_map(|events| events.lines.iter().map(|row| (row.0, &row.1)))
    {
        let is_kubelets = event.source == "kubelet" && event.reason == "Evicted";
        let (Some(events), true, true) = (events, is_kubelets, is_recent(event.time)) else {
            continue;
        };
        let evicted = by_resource.entry(resource_of(&event.message)).or_default();
        evicted.add(&event.object, event.time, events.text.evidence(line));
    }
    let mut of_lines = Evicted::default();
    let mut resource = String::new();
    for hit in inputs.hits(LINES).into_iter().filter(|hit| is_recent(hit.time)) {
        if let Some(name) = hit.captures.get("resource") {
            resource = format!("{name} was short");
        }
        // Older kubelets write name, namespace and uid with `_` between.
        match hit.captures.get("pod").or_else(|| hit.captures.get("old")) {
            Some(pod) => of_lines.add(&format!("pod {}", readable(pod)), hit.time, hit.evidence()),
            None => of_lines.show(hit.evidence()),
        }
    }
    if by_resource.is_empty() && !of_lines.pods.is_empty() {
        by_resource.insert(resource, of_lines);
    } else if let Some(evicted) = by_resource.values_mut().next() {
        of_lines
            .evidence
            .into_iter()
            .for_each(|evidence| evicted.show(evidence));
    }
    by_resource
        .into_iter()
        .map(|(resource, evicted)| finding(&resource, &evicted, now))
        .collect()
}

impl Evicted {
    fn add(&mut self, pod: &str, time: Option<Timestamp>, evidence: Evidence) {
        if !self.pods.iter().any(|known| known == pod) {
            self.pods.push(pod.to_owned());
        }
        self.last = self.last.max(time);
        self.show(evidence);
    }

    fn show(&mut self, evidence: Evidence) {
        if self.evidence.len() < MAX_NAMED {
            self.evidence.push(evidence);
        }
    }
}

fn finding(resource: &str, evicted: &Evicted, now: Timestamp) -> Finding {
    let named: Vec<_> = evicted.pods.iter().take(MAX_NAMED).map(String::as_str).collect();
    let more = evicted.pods.len().saturating_sub(MAX_NAMED);
    let mut pods = named.join(", ");
    if more > 0 {
        pods = format!("{pods} and {more} more");
    }
    let when = evicted
        .last
        .map(|last| format!(" (the last {} ago)", span::words(span::ago(now, last))));
    let why = if resource.is_empty() {
        "something of the node was short"
    } else {
        resource
    };
    let title = format!(
        "The kubelet evicted {pods} within the last hour{} because {why}.",
        when.unwrap_or_default()
    );
    let object = evicted.pods.first().cloned().unwrap_or_default();
    EVICTION.fail(object, title).evidences(evicted.evidence.iter().cloned())
}

/// What was short: `The node was low on resource: memory. …`, `The node had condition: [DiskPressure]. `, or a limit of
/// the pod's own (`pkg/kubelet/eviction/helpers.go` of `kubernetes/kubernetes`).
fn resource_of(message: &str) -> String {
    let until_end = |rest: &str| rest.split(['.', ' ', ']']).next().unwrap_or_default().to_owned();
    if let Some((_, rest)) = message.split_once("low on resource: ") {
        return format!("{} was short", until_end(rest));
    }
    if let Some((_, rest)) = message.split_once("had condition: [") {
        return format!("the node had the condition {}", until_end(rest));
    }
    let of_pod = [
        (
            "ephemeral local storage",
            "it used more ephemeral storage than its own limit",
        ),
        ("emptyDir volume", "a volume of it grew beyond its size limit"),
        ("Container ", "a container used more ephemeral storage than its limit"),
    ];
    let found = of_pod.iter().find(|(words, _)| message.contains(words));
    found.map_or_else(String::new, |(_, resource)| (*resource).to_owned())
}

/// `namespace/name` of `name_namespace(uid)`; anything else as it is.
pub(crate) fn readable(pod: &str) -> String {
    match pod.split('(').next().and_then(|pod| pod.split_once('_')) {
        Some((name, namespace)) => format!("{namespace}/{name}"),
        None => pod.to_owned(),
    }
}
