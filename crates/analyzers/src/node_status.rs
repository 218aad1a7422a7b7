//! What the Node object and its lease say: ready, conditions, taints, when the kubelet was last heard of.

use jiff::{SignedDuration, Timestamp};
use periscope_core::{Fault, Finding, Severity};
use periscope_documents::NodeFact;

use crate::rows::Rows;
use crate::span;

pub(crate) static NODE_NOT_READY: Fault = Fault {
    id: "node-not-ready",
    summary: "The kubelet reports that the node is not ready, or the cluster has no such node",
    severity: Severity::Critical,
    caused_by: &[
        "runtime-not-answering",
        "cni-config-missing",
        "pleg-unhealthy",
        "kubelet-restarting",
        "provisioning-failed",
        "certificate-expired",
        "disk-full",
        "api-server-unreachable",
    ],
    remedy: "Do what the condition's message says; else read the kubelet's journal from the time of the change on.",
};

pub(crate) static KUBELET_NOT_POSTING: Fault = Fault {
    id: "kubelet-not-posting",
    summary: "The kubelet has stopped telling the API server that the node is alive",
    severity: Severity::Critical,
    caused_by: &[
        "api-server-unreachable",
        "certificate-expired",
        "kubelet-restarting",
        "unit-failed",
        "clock-skew",
        "memory-pressure",
        "cpu-pressure",
        "disk-full",
    ],
    remedy: "Check that the kubelet runs (`systemctl status kubelet`), and in its journal why it cannot reach the API server.",
};

pub(crate) static NODE_CONDITION: Fault = Fault {
    id: "node-condition",
    summary: "A condition of the node tells of trouble",
    severity: Severity::High,
    caused_by: &[
        "disk-full",
        "inodes-full",
        "memory-pressure",
        "pid-exhaustion",
        "filesystem-read-only",
        "kernel-oops",
        "cni-config-missing",
    ],
    remedy: "Do what the condition's message says; pods are not scheduled or are evicted while it holds.",
};

pub(crate) static NODE_TAINTED: Fault = Fault {
    id: "node-tainted",
    summary: "The node keeps pods away for a reason that nobody asks for in normal operation",
    severity: Severity::Medium,
    caused_by: &["kubelet-not-posting", "node-not-ready", "node-condition"],
    remedy: "Remove the cause of the taint; a cordon is lifted with `kubectl uncordon`.",
};

/// A lease lasts so long (`nodeLeaseDurationSeconds` of the kubelet's configuration), and is renewed four times in it.
const LEASE_LASTS: SignedDuration = SignedDuration::from_secs(40);

/// Most findings about conditions, and about taints.
const MAX_FINDINGS: usize = 5;

/// What is wrong with the node called `name`.
pub(crate) fn judge(facts: &Rows<NodeFact>, name: &str, now: Timestamp) -> Vec<Finding> {
    let object = format!("node {name}");
    let mut findings = Vec::new();
    findings.extend(unregistered(facts, &object));
    let ready = ready(facts, &object, now);
    let is_unknown = ready
        .as_ref()
        .is_some_and(|finding| finding.fault == KUBELET_NOT_POSTING.id);
    findings.extend(ready);
    if !is_unknown {
        findings.extend(stale_lease(facts, &object, now));
    }
    findings.extend(conditions(facts, name, now).take(MAX_FINDINGS));
    findings.extend(taints(facts, name, now).take(MAX_FINDINGS));
    findings.extend(cordon(facts, name, now));
    findings
}

fn unregistered(facts: &Rows<NodeFact>, object: &str) -> Option<Finding> {
    let (line, _) = facts
        .lines
        .iter()
        .find(|(_, fact)| matches!(fact, NodeFact::Registered { exists: false, .. }))?;
    let title = format!("The cluster has no {object}: it was deleted there, or has never joined.");
    let remedy = "Restart the kubelet, which registers the node again, unless it was removed on purpose; look at the name \
                  that the kubelet uses if it differs.";
    Some(
        NODE_NOT_READY
            .fail(object, title)
            .evidence(facts.text.evidence(*line))
            .remedy(remedy),
    )
}

fn ready(facts: &Rows<NodeFact>, object: &str, now: Timestamp) -> Option<Finding> {
    facts.lines.iter().find_map(|(line, fact)| match fact {
        NodeFact::Condition {
            kind,
            status,
            reason,
            message,
            since,
            heartbeat,
        } if kind == "Ready" && status != "True" => {
            let message = sentence(reason, message);
            let finding = if status == "Unknown" {
                let since = in_words(heartbeat.or(*since), now);
                let title = format!("The kubelet of {object} has told the API server nothing{since}: {message}");
                KUBELET_NOT_POSTING.fail(object, title)
            } else {
                let title = format!(
                    "{} is not ready{}: {message}",
                    capitalised(object),
                    in_words(*since, now)
                );
                NODE_NOT_READY.fail(object, title)
            };
            Some(finding.evidence(facts.text.evidence(*line)))
        }
        _ => None,
    })
}

fn stale_lease(facts: &Rows<NodeFact>, object: &str, now: Timestamp) -> Option<Finding> {
    facts.lines.iter().find_map(|(line, fact)| {
        let NodeFact::Lease { renewed, duration } = fact else {
            return None;
        };
        // Both times are of the node's own clock.
        let age = span::ago(now, (*renewed)?);
        let lasts = duration.and_then(|seconds| i64::try_from(seconds).ok());
        if age <= lasts.map_or(LEASE_LASTS, SignedDuration::from_secs) {
            return None;
        }
        let title = format!(
            "The kubelet of {object} has not renewed the node's lease for {}: the API server does not hear of it.",
            span::words(age)
        );
        Some(
            KUBELET_NOT_POSTING
                .fail(object, title)
                .evidence(facts.text.evidence(*line)),
        )
    })
}

/// Whether a condition tells of trouble. Those of the kubelet and of node problem detectors mean trouble by `True`
/// (`MemoryPressure`, `KernelDeadlock`, …), those that are called after what is ready by `False`.
pub(crate) fn is_trouble(kind: &str, status: &str) -> bool {
    status == if kind.ends_with("Ready") { "False" } else { "True" }
}

/// The conditions that tell of trouble, other than `Ready`.
fn conditions<'a>(facts: &'a Rows<NodeFact>, name: &'a str, now: Timestamp) -> impl Iterator<Item = Finding> + 'a {
    facts.lines.iter().filter_map(move |(line, fact)| {
        let NodeFact::Condition {
            kind,
            status,
            reason,
            message,
            since,
            ..
        } = fact
        else {
            return None;
        };
        if kind == "Ready" || !is_trouble(kind, status) {
            return None;
        }
        let object = format!("condition {kind} of node {name}");
        let title = format!(
            "Node {name} has the condition {kind}={status}{}: {}",
            in_words(*since, now),
            sentence(reason, message)
        );
        let finding = if KUBELET_CONDITIONS.contains(&kind.as_str()) {
            NODE_CONDITION.fail(object, title)
        } else {
            NODE_CONDITION.warn(object, title)
        };
        Some(finding.evidence(facts.text.evidence(*line)))
    })
}

/// The conditions by which the kubelet and the cloud's controller keep pods away (`k8s.io/api/core/v1`,
/// `NodeConditionType`).
pub(crate) const KUBELET_CONDITIONS: [&str; 4] =
    ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

/// Taints that the cluster sets when something is wrong or about to end, what they mean, and whether it is broken by
/// them (`k8s.io/api/core/v1/well_known_taints.go`, `k8s.io/cloud-provider/api/well_known_taints.go`, the cluster
/// autoscaler's
/// `taints.go`, Cilium's `agent-not-ready`). Taints of users, as of GPU or spot pools, are in order.
pub(crate) const TAINTS: [(&str, &str, bool); 12] = [
    ("node.kubernetes.io/not-ready", "the node is not ready", false),
    ("node.kubernetes.io/unreachable", "the kubelet is not heard of", false),
    (
        "node.kubernetes.io/out-of-service",
        "somebody declared it shut down",
        true,
    ),
    ("node.kubernetes.io/memory-pressure", "memory is short", false),
    ("node.kubernetes.io/disk-pressure", "disk space is short", false),
    ("node.kubernetes.io/pid-pressure", "process ids are short", false),
    (
        "node.kubernetes.io/network-unavailable",
        "its network is not set up",
        true,
    ),
    (
        "node.cloudprovider.kubernetes.io/uninitialized",
        "the cloud controller has not accepted it",
        true,
    ),
    (
        "node.cloudprovider.kubernetes.io/shutdown",
        "the cloud says that it is shut down",
        true,
    ),
    ("node.cilium.io/agent-not-ready", "Cilium is not ready on it", true),
    (
        "ToBeDeletedByClusterAutoscaler",
        "the cluster autoscaler is removing it",
        false,
    ),
    (
        "remediator.aks.microsoft.com/unschedulable",
        "AKS is repairing it",
        false,
    ),
];

fn taints<'a>(facts: &'a Rows<NodeFact>, name: &'a str, now: Timestamp) -> impl Iterator<Item = Finding> + 'a {
    facts.lines.iter().filter_map(move |(line, fact)| {
        let NodeFact::Taint { key, effect, since, .. } = fact else {
            return None;
        };
        let (_, meaning, is_broken) = TAINTS.iter().find(|(known, ..)| known == key)?;
        let object = format!("taint {key} of node {name}");
        let title = format!(
            "Node {name} is tainted {key}:{effect}{}: {meaning}.",
            in_words(*since, now)
        );
        let finding = if *is_broken {
            NODE_TAINTED.fail(object, title)
        } else {
            NODE_TAINTED.warn(object, title)
        };
        Some(finding.evidence(facts.text.evidence(*line)))
    })
}

/// The mark of `kubectl cordon`.
const CORDON: &str = "node.kubernetes.io/unschedulable";

fn cordon(facts: &Rows<NodeFact>, name: &str, now: Timestamp) -> Option<Finding> {
    let mut lines = Vec::new();
    let mut since = None;
    for (line, fact) in &facts.lines {
        match fact {
            NodeFact::Unschedulable => lines.push(*line),
            NodeFact::Taint { key, since: added, .. } if key == CORDON => {
                lines.push(*line);
                since = *added;
            }
            _ => {}
        }
    }
    if lines.is_empty() {
        return None;
    }
    let title = format!(
        "Node {name} is cordoned{}: no new pods are scheduled to it.",
        in_words(since, now)
    );
    let evidence = lines.into_iter().map(|line| facts.text.evidence(line));
    let finding = NODE_TAINTED
        .warn(format!("cordon of node {name}"), title)
        .evidences(evidence);
    Some(finding.remedy("Lift it with `kubectl uncordon` unless somebody works on the node."))
}

fn in_words(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(String::new, |since| {
        format!(" (for {})", span::words(span::ago(now, since)))
    })
}

/// What a condition says, with its reason.
pub(crate) fn sentence(reason: &str, message: &str) -> String {
    match (reason, message.trim_end().trim_end_matches('.')) {
        ("", "") => "no reason is given.".to_owned(),
        (only, "") | ("", only) => format!("{only}."),
        (reason, message) => format!("{message} ({reason})."),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
