//! What happened to nodes, as events tell it: of what is still so, the conditions tell more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use periscope_core::Finding;
use periscope_documents::NodeEvent;

use super::health::NODE_EVENT;
use super::named;
use super::nodes::{Node, Nodes};
use crate::rows::Rows;
use crate::span;

/// Events are kept for an hour (`--event-ttl`), unless somebody asked for more.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// Most pieces of evidence of one finding.
const MAX_EVIDENCE: usize = 4;

/// Reasons of events about nodes (`pkg/kubelet/events/event.go` and `pkg/controller/nodelifecycle` of
/// `kubernetes/kubernetes`, the node problem detector of AKS), what they say of a node, and the condition that says it
/// while it is so.
const REASONS: [(&str, &str, Option<&str>); 14] = [
    ("NodeNotReady", "stopped being ready", Some("Ready")),
    ("NodeHasDiskPressure", "ran short of disk space", Some("DiskPressure")),
    (
        "NodeHasInsufficientMemory",
        "ran short of memory",
        Some("MemoryPressure"),
    ),
    (
        "NodeHasInsufficientPID",
        "ran short of process ids",
        Some("PIDPressure"),
    ),
    ("EvictionThresholdMet", "came to evicting pods", None),
    ("FreeDiskSpaceFailed", "could not free disk space", Some("DiskPressure")),
    ("ImageGCFailed", "could not remove images", None),
    ("SystemOOM", "ran out of memory", None),
    ("Rebooted", "restarted", None),
    ("RebootScheduled", "will be restarted by Azure", None),
    ("RedeployScheduled", "will be moved to other hardware by Azure", None),
    ("FreezeScheduled", "will be paused by Azure", None),
    (
        "PreemptScheduled",
        "will be taken away by Azure, as spot machines are",
        None,
    ),
    ("TerminateScheduled", "will be deleted by Azure", None),
];

/// What one reason says.
#[derive(Default)]
struct Told {
    nodes: BTreeMap<String, u64>,
    last: Option<Timestamp>,
    lines: Vec<u64>,
}

/// What happened to these nodes, with one finding for each reason.
pub(super) fn judge(events: &Rows<NodeEvent>, nodes: &Nodes, now: Timestamp) -> Vec<Finding> {
    let mut told: BTreeMap<usize, Told> = BTreeMap::new();
    for (line, event) in &events.lines {
        let Some(name) = event.object.strip_prefix("node ") else {
            continue;
        };
        let Some(index) = REASONS.iter().position(|(reason, ..)| *reason == event.reason) else {
            continue;
        };
        let is_old = event.time.is_some_and(|time| span::ago(now, time) > RECENT);
        // A node that is removed stops being ready first.
        let Some(node) = nodes.get(name).filter(|_| !is_old) else {
            continue;
        };
        if REASONS.get(index).is_some_and(|(_, _, kind)| is_still_so(node, *kind)) {
            continue;
        }
        let told = told.entry(index).or_default();
        *told.nodes.entry(name.to_owned()).or_default() += event.count.max(1);
        told.last = told.last.max(event.time);
        told.lines.push(*line);
    }
    let finding = |(index, told): (usize, Told)| {
        let (reason, what, _) = REASONS.get(index)?;
        let times = |(node, times): (&String, &u64)| match times {
            1 => node.clone(),
            times => format!("{node} ({times} times)"),
        };
        let names: Vec<_> = told.nodes.iter().map(times).collect();
        let last = told.last.map_or_else(String::new, |last| {
            format!(", last {} ago", span::words(span::ago(now, last)))
        });
        let noun = if names.len() == 1 { "Node" } else { "Nodes" };
        let names = named(names.iter().map(String::as_str));
        let newest = told.lines.iter().rev().take(MAX_EVIDENCE);
        let finding = NODE_EVENT.warn(
            format!(
                "{reason} of {} {}",
                noun.to_lowercase(),
                named(told.nodes.keys().map(String::as_str))
            ),
            format!("{noun} {names} {what}{last} (event {reason})."),
        );
        Some(finding.evidences(newest.map(|line| events.text.evidence(*line))))
    };
    told.into_iter().filter_map(finding).collect()
}

fn is_still_so(node: &Node, kind: Option<&str>) -> bool {
    let Some(condition) = kind.and_then(|kind| node.condition(kind)) else {
        return false;
    };
    (condition.kind == "Ready") != (condition.status == "True")
}
