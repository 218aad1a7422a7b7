//! How the cluster's nodes and its API server are: one finding for what is the same on several nodes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{AnalyzeError, AnalyzerDescriptor, Fault, Finding, Inputs, Place, Severity};
use periscope_documents::{NodeEvent, names};
use serde::Deserialize;

use super::nodes::{self, Node, Nodes};
use super::{named, node_events};
use crate::api_server::API_SERVER_UNHEALTHY;
use crate::artifact::{self, Artifact};
use crate::node_status::{self, KUBELET_NOT_POSTING, NODE_CONDITION, NODE_NOT_READY, NODE_TAINTED};
use crate::rows::{self, Lack};
use crate::{span, version_skew};

pub(crate) static NODE_EVENT: Fault = Fault {
    id: "node-event",
    summary: "Something happened to a node that is over, or that none of its conditions tells of",
    severity: Severity::Medium,
    caused_by: &[
        "node-not-ready",
        "kubelet-not-posting",
        "node-condition",
        "memory-pressure",
        "disk-full",
    ],
    remedy: "Collect on the node, and look in its logs at that time.",
};

/// A node that joined so lately is still being set up.
const BOOTS: SignedDuration = SignedDuration::from_mins(5);
/// Most pieces of evidence of one finding.
const MAX_EVIDENCE: usize = 5;

/// What is wrong with nodes and API server; a pass or an unknown of `descriptor` where nothing is.
pub(crate) fn judge(inputs: &dyn Inputs, descriptor: &AnalyzerDescriptor) -> Result<Vec<Finding>, AnalyzeError> {
    let mut findings = Vec::new();
    findings.extend(checks(inputs)?);
    let nodes = match nodes::read(inputs)? {
        Ok(nodes) => nodes,
        Err(why) => {
            let unknown = descriptor.unknown(format!("The state of the cluster's nodes is not known: {why}."));
            findings.push(unknown.remedy("Collect again as somebody who may list nodes."));
            return Ok(findings);
        }
    };
    let now = inputs.started();
    findings.extend(conditions(&nodes, now));
    findings.extend(taints(&nodes));
    findings.extend(cordons(&nodes));
    let version = version(inputs)?;
    if let Some(version) = &version {
        findings.extend(skews(&nodes, version));
    }
    let events = rows::read::<NodeEvent>(inputs, names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS)?;
    if let Ok(events) = &events {
        findings.extend(node_events::judge(events, &nodes, now));
    }
    if !findings.is_empty() {
        return Ok(findings);
    }
    let lack = match events {
        Ok(events) => events.incomplete,
        Err(Lack::Missing(why)) => Some(why),
        Err(Lack::NoSuchThing(state)) => Some(format!("{} is {state}", names::CLUSTER_EVENTS)),
    };
    let all = nodes.all.len();
    if let Some(why) = nodes.incomplete.or(lack) {
        let title = format!("Of {all} nodes nothing is known that is wrong, but not everything is known: {why}.");
        return Ok(vec![descriptor.unknown(title)]);
    }
    let ready = match all {
        1 => "The cluster's one node is ready".to_owned(),
        _ => format!("All {all} nodes are ready"),
    };
    Ok(vec![descriptor.pass(match version {
        Some(version) => format!("{ready}, and the API server ({version}) supports their kubelets' versions."),
        None => format!("{ready}; the API server's version is not known."),
    })])
}

/// The API server's own checks that fail: `[-]etcd failed: reason withheld`.
fn checks(inputs: &dyn Inputs) -> Result<Option<Finding>, AnalyzeError> {
    let Artifact::Whole(text) = artifact::read(inputs, names::CLUSTER_OBJECTS, names::READYZ)? else {
        return Ok(None);
    };
    let failing = text.text.lines().zip(1..);
    let failing: Vec<_> = failing
        .filter_map(|(line, number)| Some((line.strip_prefix("[-]")?.split(' ').next()?, number)))
        .collect();
    if failing.is_empty() {
        return Ok(None);
    }
    let checks = named(failing.iter().map(|(check, _)| *check));
    let title = format!("The API server is not ready: of its checks these fail: {checks}.");
    let evidence = failing.iter().take(MAX_EVIDENCE).map(|(_, line)| text.evidence(*line));
    Ok(Some(
        API_SERVER_UNHEALTHY.warn("the API server", title).evidences(evidence),
    ))
}

/// The API server's version, where it is known.
fn version(inputs: &dyn Inputs) -> Result<Option<String>, AnalyzeError> {
    #[derive(Deserialize)]
    struct Version {
        string: String,
    }
    let path = Place::Top.path(inputs.node(), names::CLUSTER_OBJECTS, names::CLUSTER_VERSION);
    let failed = |source| AnalyzeError::Read {
        path: path.clone(),
        source,
    };
    let Some(content) = inputs.open(&path).map_err(failed)? else {
        return Ok(None);
    };
    let version: Option<Version> = serde_json::from_reader(content).ok();
    Ok(version.map(|version| version.string))
}

/// What several nodes have.
struct Group<'a> {
    nodes: Vec<&'a Node>,
    since: Option<Timestamp>,
    /// What the first of them says, and whether all say it.
    said: String,
    same: bool,
}

impl<'a> Group<'a> {
    fn of(nodes: Vec<&'a Node>) -> Self {
        Self {
            nodes,
            since: None,
            said: String::new(),
            same: true,
        }
    }

    fn add(&mut self, node: &'a Node, since: Option<Timestamp>, said: String) {
        if self.nodes.is_empty() {
            self.said = said;
        } else {
            self.same &= self.said == said;
        }
        self.since = [self.since, since].into_iter().flatten().min();
        self.nodes.push(node);
    }

    /// `node a` or `nodes a, b and 3 more`.
    fn object(&self) -> String {
        let names = named(self.nodes.iter().map(|node| node.name()));
        if self.nodes.len() == 1 {
            format!("node {names}")
        } else {
            format!("nodes {names}")
        }
    }

    /// `Node a <one>` or `3 of 12 nodes <several> (a, b, c)`.
    fn sentence(&self, one: &str, several: &str, all: usize) -> String {
        let names = named(self.nodes.iter().map(|node| node.name()));
        match self.nodes.len() {
            1 => format!("Node {names} {one}"),
            count => format!("{count} of {all} nodes {several} ({names})"),
        }
    }

    /// For how long, and what is said of it.
    fn why(&self, now: Timestamp) -> String {
        let since = self.since.map_or_else(String::new, |since| {
            let longest = if self.nodes.len() == 1 {
                "for"
            } else {
                "the longest for"
            };
            format!(", {longest} {}", span::words(span::ago(now, since)))
        });
        match self.nodes.first() {
            Some(first) if !self.same => format!("{since}; of {}: {}", first.name(), self.said),
            _ => format!("{since}: {}", self.said),
        }
    }

    fn show(&self, finding: Finding, nodes: &Nodes) -> Finding {
        let shown = self.nodes.iter().take(MAX_EVIDENCE);
        finding.evidences(shown.map(|node| nodes.evidence(node.name())))
    }
}

/// Nodes that are not ready, that are not heard of, and that have conditions that tell of trouble.
fn conditions(nodes: &Nodes, now: Timestamp) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, &str, bool), Group<'_>> = BTreeMap::new();
    for node in &nodes.all {
        let is_new = node
            .metadata
            .creation_timestamp
            .is_some_and(|created| span::ago(now, created) < BOOTS);
        for condition in &node.status.conditions {
            let (kind, status) = (condition.kind.as_str(), condition.status.as_str());
            let is_bad = if kind == "Ready" {
                status != "True"
            } else {
                node_status::is_trouble(kind, status)
            };
            if is_bad {
                let said = node_status::sentence(&condition.reason, &condition.message);
                groups
                    .entry((kind, status, is_new))
                    .or_insert_with(|| Group::of(Vec::new()))
                    .add(node, condition.last_transition_time, said);
            }
        }
    }
    let all = nodes.all.len();
    let finding = |((kind, status, is_new), group): ((&str, &str, bool), Group<'_>)| {
        let why = group.why(now);
        let object = group.object();
        let (fault, object, title) = match (kind, status) {
            ("Ready", "Unknown") => {
                let title = group.sentence("is not heard of", "are not heard of", all);
                (&KUBELET_NOT_POSTING, object, title)
            }
            ("Ready", _) => (
                &NODE_NOT_READY,
                object,
                group.sentence("is not ready", "are not ready", all),
            ),
            _ => {
                let has = format!("the condition {kind}={status}");
                let title = group.sentence(&format!("has {has}"), &format!("have {has}"), all);
                (&NODE_CONDITION, format!("condition {kind} of {object}"), title)
            }
        };
        let title = format!("{title}{why}");
        let is_broken = kind == "Ready" || node_status::KUBELET_CONDITIONS.contains(&kind);
        let finding = if is_broken && !is_new {
            fault.fail(object, title)
        } else {
            fault.warn(object, title)
        };
        let finding = group.show(finding, nodes);
        if is_new {
            finding.remedy("It joined less than five minutes ago: look again when it has had the time to be set up.")
        } else {
            finding
        }
    };
    groups.into_iter().map(finding).collect()
}

/// Nodes that the cluster keeps pods away from. What a condition tells of too has been told.
fn taints(nodes: &Nodes) -> Vec<Finding> {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for node in &nodes.all {
        for taint in &node.spec.taints {
            groups
                .entry(&taint.key)
                .or_insert_with(|| Group::of(Vec::new()))
                .nodes
                .push(node);
        }
    }
    let all = nodes.all.len();
    let finding = |(key, group): (&str, Group<'_>)| {
        let (_, meaning, is_broken) = node_status::TAINTS.iter().find(|(known, ..)| *known == key)?;
        if key.starts_with("node.kubernetes.io/") && key != "node.kubernetes.io/out-of-service" {
            return None;
        }
        let title = group.sentence(&format!("is tainted {key}"), &format!("are tainted {key}"), all);
        let (object, title) = (
            format!("taint {key} of {}", group.object()),
            format!("{title}: {meaning}."),
        );
        let finding = if *is_broken {
            NODE_TAINTED.fail(object, title)
        } else {
            NODE_TAINTED.warn(object, title)
        };
        Some(group.show(finding, nodes))
    };
    groups.into_iter().filter_map(finding).collect()
}

fn cordons(nodes: &Nodes) -> Option<Finding> {
    let group = Group::of(nodes.all.iter().filter(|node| node.spec.unschedulable).collect());
    if group.nodes.is_empty() {
        return None;
    }
    let title = group.sentence("is cordoned", "are cordoned", nodes.all.len());
    let finding = NODE_TAINTED.warn(
        format!("cordon of {}", group.object()),
        format!("{title}: no new pods are scheduled there."),
    );
    let finding = group.show(finding, nodes);
    Some(finding.remedy("Lift it with `kubectl uncordon` unless somebody works on the node."))
}

/// Kubelets whose version does not go with the API server's: a finding for each version.
fn skews(nodes: &Nodes, server: &str) -> Vec<Finding> {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for node in &nodes.all {
        groups
            .entry(&node.status.node_info.kubelet_version)
            .or_insert_with(|| Group::of(Vec::new()))
            .nodes
            .push(node);
    }
    let finding = |(kubelet, group): (&str, Group<'_>)| {
        let title = group.sentence("has a kubelet", "have kubelets", nodes.all.len());
        let object = format!("kubelet {kubelet} of {}", group.object());
        let finding = version_skew::of(kubelet, server, object, |skew| {
            format!("{title} of version {kubelet}: {skew}.")
        })?;
        Some(group.show(finding, nodes))
    };
    groups.into_iter().filter_map(finding).collect()
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
