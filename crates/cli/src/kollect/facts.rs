//! What of nodes and pods matters for whether a node reports: small facts of large objects.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

/// A node.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct NodeFacts {
    /// Why it is not ready; `None` when it is.
    pub(super) not_ready: Option<String>,
    pub(super) is_cordoned: bool,
    /// Why nothing can be collected from it, whatever happens.
    pub(super) excluded: Option<&'static str>,
    pub(super) labels: std::collections::BTreeMap<String, String>,
    pub(super) taints: Vec<Taint>,
}

/// Nodes without a machine, such as Azure Container Instances: they can neither mount a host's folder nor be looked at
/// (<https://learn.microsoft.com/azure/aks/virtual-nodes>).
const VIRTUAL: (&str, &str) = ("type", "virtual-kubelet");

impl NodeFacts {
    pub(super) fn of(node: &Node) -> Self {
        let labels = node.metadata.labels.clone().unwrap_or_default();
        let spec = node.spec.clone().unwrap_or_default();
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.type_ == "Ready");
        let not_ready = match ready {
            Some(ready) if ready.status == "True" => None,
            Some(ready) => Some(ready.message.clone().or(ready.reason.clone()).unwrap_or_default()),
            None => Some("it has never been ready".to_owned()),
        };
        let excluded = if labels.get("kubernetes.io/os").is_some_and(|os| os != "linux") {
            Some("it runs another system than Linux")
        } else if labels.get(VIRTUAL.0).is_some_and(|kind| kind == VIRTUAL.1) {
            Some("it is a virtual node, without a machine")
        } else {
            None
        };
        Self {
            not_ready,
            is_cordoned: spec.unschedulable == Some(true),
            excluded,
            labels,
            taints: spec.taints.unwrap_or_default(),
        }
    }
}

/// A pod of the agents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PodFacts {
    pub(super) name: String,
    pub(super) node: String,
    pub(super) is_running: bool,
    pub(super) is_ending: bool,
    /// Why it does not run, as `ImagePullBackOff`, and in the kubelet's or the scheduler's words.
    pub(super) stuck: Option<(String, String)>,
    pub(super) restarts: i32,
}

impl PodFacts {
    pub(super) fn of(pod: &Pod) -> Self {
        let spec = pod.spec.as_ref();
        let status = pod.status.clone().unwrap_or_default();
        let container = status.container_statuses.unwrap_or_default().into_iter().next();
        let state = container
            .as_ref()
            .and_then(|container| container.state.clone())
            .unwrap_or_default();
        let waiting = state
            .waiting
            .map(|waiting| (waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default()));
        let last_end = container
            .as_ref()
            .and_then(|container| container.last_state.clone()?.terminated);
        let waiting = waiting.map(|(reason, message)| match last_end {
            // The message of a crash loop says how long the kubelet waits; how the container ended says why.
            Some(end) if reason == "CrashLoopBackOff" => {
                let why = end.message.unwrap_or_else(|| end.reason.unwrap_or_default());
                (reason, format!("exit code {}: {why}", end.exit_code))
            }
            _ => (reason, message),
        });
        let mut conditions = status.conditions.unwrap_or_default().into_iter();
        let unscheduled = conditions.find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
        let unscheduled = unscheduled.map(|condition| {
            let reason = condition.reason.unwrap_or_default();
            (reason, condition.message.unwrap_or_default())
        });
        let ended = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")).then(|| {
            (
                status.reason.unwrap_or_else(|| "Failed".to_owned()),
                status.message.unwrap_or_default(),
            )
        });
        let ordinary =
            |(reason, _): &(String, String)| !matches!(reason.as_str(), "ContainerCreating" | "PodInitializing" | "");
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            node: spec.and_then(assigned).unwrap_or_default(),
            is_running: state.running.is_some(),
            is_ending: pod.metadata.deletion_timestamp.is_some(),
            stuck: waiting.filter(ordinary).or(unscheduled).or(ended),
            restarts: container.map_or(0, |container| container.restart_count),
        }
    }
}

/// The node that the pod is on, or is meant for: the controller names it in an affinity until the scheduler agrees.
fn assigned(spec: &k8s_openapi::api::core::v1::PodSpec) -> Option<String> {
    if let Some(node) = &spec.node_name {
        return Some(node.clone());
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let fields = required
        .node_selector_terms
        .iter()
        .filter_map(|term| term.match_fields.as_ref())
        .flatten();
    let mut names = fields
        .filter(|field| field.key == "metadata.name")
        .filter_map(|field| field.values.as_ref());
    names.next()?.first().cloned()
}

/// Where the agents may run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SetFacts {
    selector: std::collections::BTreeMap<String, String>,
    tolerations: Vec<Toleration>,
}

impl SetFacts {
    pub(super) fn of(set: &DaemonSet) -> Self {
        let spec = set
            .spec
            .as_ref()
            .and_then(|spec| spec.template.spec.clone())
            .unwrap_or_default();
        Self {
            selector: spec.node_selector.unwrap_or_default(),
            tolerations: spec.tolerations.unwrap_or_default(),
        }
    }

    /// Why no pod is made for this node; `None` when nothing speaks against one.
    pub(super) fn refuses(&self, node: &NodeFacts) -> Option<String> {
        let unlike = self
            .selector
            .iter()
            .find(|(key, value)| node.labels.get(*key) != Some(*value));
        if let Some((key, value)) = unlike {
            return Some(format!("the agents run on nodes labelled {key}={value} only"));
        }
        let mut taints = node.taints.iter().filter(|taint| taint.effect != "PreferNoSchedule");
        let repelled =
            taints.find(|taint| !is_own(taint) && !self.tolerations.iter().any(|by| tolerates(by, taint)))?;
        let value = repelled
            .value
            .as_deref()
            .map(|value| format!("={value}"))
            .unwrap_or_default();
        Some(format!(
            "the agents do not tolerate its taint {}{value}:{}",
            repelled.key, repelled.effect
        ))
    }
}

/// Taints that every pod of a `DaemonSet` tolerates
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations>).
fn is_own(taint: &Taint) -> bool {
    const OWN: [&str; 6] = [
        "not-ready",
        "unreachable",
        "disk-pressure",
        "memory-pressure",
        "pid-pressure",
        "unschedulable",
    ];
    taint
        .key
        .strip_prefix("node.kubernetes.io/")
        .is_some_and(|name| OWN.contains(&name))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let same = |own: Option<&str>, other: &str| own.is_none_or(|own| own.is_empty() || own == other);
    let exists = toleration.operator.as_deref() == Some("Exists");
    same(toleration.effect.as_deref(), &taint.effect)
        && if toleration.key.as_deref().unwrap_or_default().is_empty() {
            exists
        } else {
            toleration.key.as_deref() == Some(taint.key.as_str())
                && (exists
                    || toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default())
        }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DaemonSet;
    use k8s_openapi::api::core::v1::{Node, Pod};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{NodeFacts, PodFacts, SetFacts};

    fn node(spec: &Value, labels: &Value, status: &str) -> NodeFacts {
        let conditions = json!([{"type": "Ready", "status": status, "message": "kubelet stopped posting"}]);
        let node = json!({"metadata": {"labels": labels}, "spec": spec, "status": {"conditions": conditions}});
        NodeFacts::of(&serde_json::from_value::<Node>(node).unwrap())
    }

    fn set(spec: &Value) -> SetFacts {
        let set = json!({"spec": {"selector": {}, "template": {"spec": spec}}});
        SetFacts::of(&serde_json::from_value::<DaemonSet>(set).unwrap())
    }

    #[test]
    fn a_node_says_why_it_will_not_report() {
        let linux = json!({"kubernetes.io/os": "linux"});
        assert_eq!(node(&json!({}), &linux, "True").not_ready, None);
        assert_eq!(
            node(&json!({}), &linux, "Unknown").not_ready.as_deref(),
            Some("kubelet stopped posting")
        );
        assert!(node(&json!({"unschedulable": true}), &linux, "True").is_cordoned);
        assert!(
            node(&json!({}), &json!({"kubernetes.io/os": "windows"}), "True")
                .excluded
                .is_some()
        );
        assert!(
            node(&json!({}), &json!({"type": "virtual-kubelet"}), "True")
                .excluded
                .is_some()
        );
    }

    #[rstest]
    #[case::all_tolerated(json!([{"operator": "Exists"}]), None)]
    #[case::by_key(json!([{"key": "gpu", "operator": "Exists"}]), None)]
    #[case::by_value(json!([{"key": "gpu", "value": "a100", "effect": "NoSchedule"}]), None)]
    #[case::another_value(json!([{"key": "gpu", "value": "h100"}]), Some("gpu=a100:NoSchedule"))]
    #[case::another_effect(json!([{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]), Some("gpu=a100:NoSchedule"))]
    #[case::none(json!([]), Some("gpu=a100:NoSchedule"))]
    fn a_taint_repels_unless_it_is_tolerated(#[case] tolerations: Value, #[case] expected: Option<&str>) {
        let taints = json!([
            {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
            {"key": "cheap", "effect": "PreferNoSchedule"},
            {"key": "gpu", "value": "a100", "effect": "NoSchedule"},
        ]);
        let tainted = node(&json!({"taints": taints}), &json!({}), "True");
        let refused = set(&json!({"containers": [], "tolerations": tolerations})).refuses(&tainted);
        match expected {
            None => assert_eq!(refused, None),
            Some(taint) => assert!(refused.unwrap().ends_with(taint)),
        }
    }

    #[test]
    fn a_selector_that_does_not_fit_is_named() {
        let set = set(&json!({"containers": [], "nodeSelector": {"pool": "gpu"}}));
        let refused = set.refuses(&node(&json!({}), &json!({"pool": "cpu"}), "True")).unwrap();
        assert!(refused.contains("pool=gpu"), "{refused}");
    }

    #[rstest]
    #[case::creating(json!({"waiting": {"reason": "ContainerCreating"}}), None)]
    #[case::pulling(json!({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}), Some(("ImagePullBackOff", "not found")))]
    #[case::crashing(
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}),
        Some(("CrashLoopBackOff", "exit code 137: OOMKilled"))
    )]
    #[case::running(json!({"running": {}}), None)]
    fn a_pod_says_why_it_does_not_run(#[case] state: Value, #[case] expected: Option<(&str, &str)>) {
        let pod = json!({
            "metadata": {"name": "p"},
            "spec": {"nodeName": "n", "containers": []},
            "status": {"containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 4, "state": state,
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }]},
        });
        let facts = PodFacts::of(&serde_json::from_value::<Pod>(pod).unwrap());
        let stuck = facts
            .stuck
            .as_ref()
            .map(|(reason, message)| (reason.as_str(), message.as_str()));
        assert_eq!((facts.node.as_str(), facts.restarts, stuck), ("n", 4, expected));
    }

    #[test]
    fn a_pod_that_is_not_scheduled_belongs_to_the_node_it_is_meant_for() {
        let terms = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}]);
        let pod = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [], "affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}},
            "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient memory"}]},
        });
        let facts = PodFacts::of(&serde_json::from_value::<Pod>(pod).unwrap());
        let stuck = ("Unschedulable".to_owned(), "Insufficient memory".to_owned());
        assert_eq!((facts.node.as_str(), facts.stuck), ("n2", Some(stuck)));
    }
}
