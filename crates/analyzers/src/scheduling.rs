//! Pods that the scheduler finds no node for, from the events of all namespaces; what they say is of no node, so only
//! the cluster's part is judged.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Scope, Severity};
use periscope_documents::{NodeEvent, names};

use crate::cluster_part::named;
use crate::rows::{self, Lack};
use crate::workload::workload_of;
use crate::{pods, span};

static POD_UNSCHEDULABLE: Fault = Fault {
    id: "pod-unschedulable",
    summary: "No node can take a pod, so that it does not start",
    severity: Severity::High,
    caused_by: &[
        "node-not-ready",
        "kubelet-not-posting",
        "node-condition",
        "node-tainted",
    ],
    remedy: "Do what the scheduler's message asks for: `kubectl describe pod` has it whole.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "scheduling",
    summary: "Whether pods of any namespace wait for a node that can take them, and what keeps the nodes from it",
    faults: &[&POD_UNSCHEDULABLE],
};

/// The scheduler tries a pod again at least every five minutes (`podMaxInUnschedulablePodsDuration`,
/// `pkg/scheduler/backend/queue`): of one that it has been silent about for twice as long it is not known that it still
/// waits.
const RECENT: SignedDuration = SignedDuration::from_mins(10);
/// What the cluster autoscaler takes to add a node: a pod that has waited for less may get one.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
/// Most findings; the rest is counted.
const MAX_FINDINGS: usize = 5;
/// Longest part of the scheduler's message in a sentence.
const MAX_WHY: usize = 240;

/// What the scheduler's plugins say of nodes (`pkg/scheduler/framework/plugins` of `kubernetes/kubernetes`), and what
/// helps.
const REMEDIES: [(&str, &str); 8] = [
    (
        "unbound immediate PersistentVolumeClaims",
        "Look why the claim is not bound (`kubectl describe pvc`): its storage class, or the driver that makes volumes.",
    ),
    (
        "volume node affinity conflict",
        "The volume is in another zone than the nodes with room: add a node there, or use storage that spans zones.",
    ),
    (
        "max volume count",
        "Nodes have as many disks as their size allows: add nodes, or use a larger size.",
    ),
    (
        "Insufficient ",
        "Add nodes, let the cluster autoscaler add more, or lower the pod's requests to what it uses.",
    ),
    (
        "Too many pods",
        "The nodes have as many pods as they may: add nodes, or a node pool with a higher --max-pods.",
    ),
    (
        "free ports",
        "Another pod has the host's port on each node that fits: give the pod no hostPort, or fewer replicas.",
    ),
    (
        "node affinity/selector",
        "Correct the pod's nodeSelector or affinity, or label the nodes that it means.",
    ),
    (
        "untolerated taint",
        "Give the pod a toleration, or remove the taint: one of node.kubernetes.io/ goes with its cause.",
    ),
];

/// Finds pods that no node takes.
pub(crate) struct Scheduling;

/// Pods of one workload that wait for one reason.
#[derive(Default)]
struct Waiting {
    why: String,
    pods: BTreeSet<String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    evidence: Option<Evidence>,
}

impl Analyzer for Scheduling {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Cluster]
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let events = match rows::read::<NodeEvent>(inputs, names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS)? {
            Ok(events) => events,
            Err(Lack::Missing(why)) => return Ok(vec![DESCRIPTOR.unknown(format!("Events are not known: {why}."))]),
            Err(Lack::NoSuchThing(state)) => return Ok(vec![DESCRIPTOR.unknown(format!("Events are {state}."))]),
        };
        let pods = pods::of_cluster(inputs)?;
        let now = inputs.started();
        let mut newest: BTreeMap<&str, (u64, &NodeEvent, Option<Timestamp>)> = BTreeMap::new();
        for (line, event) in &events.lines {
            let Some(pod) = event
                .object
                .strip_prefix("pod ")
                .filter(|_| event.reason == "FailedScheduling")
            else {
                continue;
            };
            // When the message changes, another event begins.
            let begun = newest.get(pod).map_or(event.first.or(event.time), |(.., begun)| *begun);
            newest.insert(pod, (*line, event, begun));
        }
        let mut waiting: BTreeMap<(&str, String), Waiting> = BTreeMap::new();
        for (pod, (line, event, begun)) in newest {
            let is_over = event.time.is_some_and(|time| span::ago(now, time) > RECENT);
            if is_over || pods.get(pod).is_some_and(|pod| pod.has_started) {
                continue;
            }
            let why = why(&event.message);
            // The counts of nodes change with every node that comes or goes.
            let cause = why.replace(|letter: char| letter.is_ascii_digit(), "");
            let waiting = waiting.entry((workload_of(pod), cause)).or_default();
            if event.time >= waiting.last {
                waiting.why = why;
                waiting.evidence = Some(events.text.evidence(line));
            }
            waiting.pods.insert(pod.to_owned());
            waiting.first = [waiting.first, begun].into_iter().flatten().min();
            waiting.last = waiting.last.max(event.time);
        }
        let mut found: Vec<_> = waiting.values().collect();
        found.sort_by_key(|waiting| std::cmp::Reverse(waiting.pods.len()));
        let mut findings: Vec<_> = found.iter().take(MAX_FINDINGS).map(|waiting| report(waiting)).collect();
        if found.len() > MAX_FINDINGS {
            let more: usize = found.iter().skip(MAX_FINDINGS).map(|waiting| waiting.pods.len()).sum();
            findings.push(POD_UNSCHEDULABLE.warn("other pods", format!("{more} more pods wait for a node.")));
        }
        if findings.is_empty() {
            findings.push(match events.incomplete {
                None => DESCRIPTOR.pass("No event tells of a pod that waits for a node now."),
                Some(why) => DESCRIPTOR.unknown(format!("No event tells of a pod that waits for a node, but {why}.")),
            });
        }
        Ok(findings)
    }
}

fn report(waiting: &Waiting) -> Finding {
    let why = &waiting.why;
    let names = named(waiting.pods.iter().map(String::as_str));
    let first = waiting.pods.iter().next().map_or("", String::as_str);
    let (who, object) = match waiting.pods.len() {
        1 => (format!("Pod {names} waits"), format!("pod {names}")),
        count => (
            format!("{count} pods ({names}) wait"),
            format!("pods of {}", workload_of(first)),
        ),
    };
    let waits = waiting
        .first
        .zip(waiting.last)
        .map_or(SignedDuration::ZERO, |(first, last)| last.duration_since(first));
    let since = if waits.is_zero() {
        String::new()
    } else {
        format!(", for {} at least", span::words(waits))
    };
    let title = format!("{who} for a node{since}: {}.", why.trim_end_matches('.'));
    let finding = if waits >= PATIENCE {
        POD_UNSCHEDULABLE.fail(object, title)
    } else {
        POD_UNSCHEDULABLE.warn(object, title)
    };
    let finding = finding.evidences(waiting.evidence.clone());
    match REMEDIES.iter().find(|(words, _)| why.contains(words)) {
        Some((_, remedy)) => finding.remedy(*remedy),
        None => finding,
    }
}

/// Why, without what the scheduler thinks about pods and claims that it could end in favour of this one.
fn why(message: &str) -> String {
    let why = message.split(" preemption:").next().unwrap_or(message);
    let why = why.split(" no new claims to deallocate").next().unwrap_or(why).trim();
    let end = why.floor_char_boundary(MAX_WHY);
    match why.get(..end) {
        Some(start) if end < why.len() => format!("{start}…"),
        _ => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::Scheduling;
    use crate::fixture::Artifacts;

    const FULL: &str = "0/3 nodes are available: 3 Insufficient memory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.";
    const TAINT: &str = "0/3 nodes are available: 3 node(s) had untolerated taint {sku: gpu}.";

    fn event(pod: &str, (first, last): (u32, u32), message: &str) -> String {
        let message = serde_json::to_string(message).unwrap();
        format!(
            r#"{{"time":"2026-11-20T09:{last:02}:00Z","first":"2026-11-20T09:{first:02}:00Z","count":3,"type":"Warning","reason":"FailedScheduling","object":"pod ns/{pod}","source":"default-scheduler","message":{message}}}"#
        )
    }

    fn judge(events: &[String]) -> Vec<Finding> {
        let artifacts = Artifacts::default()
            .with(
                names::CLUSTER_OBJECTS,
                names::CLUSTER_EVENTS,
                format!("[\n{}\n]\n", events.join(",\n")),
            )
            .at(
                "cluster-resources/pods/ns.json",
                r#"{"items": [{"metadata": {"namespace": "ns", "name": "up"}, "status": {"phase": "Running"}}]}"#,
            );
        Scheduling.analyze(&artifacts).unwrap()
    }

    #[test]
    fn pods_of_one_workload_are_told_of_together() {
        let pods = ["web-5d4f8c7b9-x8k2p", "web-5d4f8c7b9-zq4wv"];
        let mut events: Vec<_> = pods.iter().map(|pod| event(pod, (30, 58), FULL)).collect();
        events[0] = events[0]
            .replace("0/3 nodes", "0/2 nodes")
            .replace("3 Insufficient", "2 Insufficient");
        events.push(event("gpu-0", (57, 58), TAINT));
        let findings = judge(&events);
        let told: Vec<_> = findings
            .iter()
            .map(|f| (f.verdict, f.object.as_str(), f.title.as_str()))
            .collect();
        let full = "2 pods (ns/web-5d4f8c7b9-x8k2p, ns/web-5d4f8c7b9-zq4wv) wait for a node, for 28 min at least: 0/3 nodes are \
                    available: 3 Insufficient memory.";
        let taint = "Pod ns/gpu-0 waits for a node, for 60 s at least: 0/3 nodes are available: 3 node(s) had untolerated taint \
                     {sku: gpu}.";
        // The autoscaler may still add a node for the second one.
        assert_eq!(
            told,
            [
                (Verdict::Fail, "pods of ns/web", full),
                (Verdict::Warn, "pod ns/gpu-0", taint)
            ]
        );
        assert!(findings[0].remedy.starts_with("Add nodes") && findings[1].remedy.contains("toleration"));
        assert_eq!(findings[1].evidence[0].line, Some(4));
    }

    #[rstest]
    #[case::long_ago("a", 40)]
    #[case::runs_by_now("up", 59)]
    fn what_is_over_is_no_trouble(#[case] pod: &str, #[case] last: u32) {
        let findings = judge(&[event(pod, (30, last), FULL)]);
        assert_eq!(
            (findings.len(), findings[0].verdict),
            (1, Verdict::Pass),
            "{findings:?}"
        );
    }

    #[test]
    fn many_are_counted() {
        let events: Vec<_> = (0..9).map(|n| event(&format!("pod{n}"), (30, 59), FULL)).collect();
        let findings = judge(&events);
        assert_eq!(
            (findings.len(), findings[5].title.as_str()),
            (6, "4 more pods wait for a node.")
        );
    }

    #[test]
    fn without_events_nothing_is_known() {
        let artifacts = Artifacts::default().without(names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS, State::Denied);
        assert_eq!(Scheduling.analyze(&artifacts).unwrap()[0].verdict, Verdict::Unknown);
    }
}
