//! What kubelets could not do for pods: keep them (eviction), see them healthy (probes), give them their
//! volumes. From the events about them and, where those are gone or not allowed, from the kubelet's own log.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan};
use periscope_core::{
    AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, LineHit, Place, Scope, Severity,
};
use periscope_documents::{NodeEvent, names};

use crate::cluster_part::{named, scope_of};
use crate::evictions::{self, EVICTION};
use crate::pods::{self, Pods};
use crate::rows::{self, Lack, Rows};
use crate::span;
use crate::workload::workload_of;

static PROBE_FAILING: Fault = Fault {
    id: "probe-failing",
    summary: "A probe of a container fails",
    severity: Severity::High,
    caused_by: &[
        "container-oom",
        "container-crash-loop",
        "cpu-throttling",
        "dns-server-failing",
        "cpu-pressure",
        "io-pressure",
        "conntrack-full",
    ],
    remedy: "Read the container's log at that time; if it is only slow, raise the probe's timeoutSeconds or its CPU limit.",
};

static VOLUME_MOUNT_FAILED: Fault = Fault {
    id: "volume-mount-failed",
    summary: "A volume of a pod cannot be attached or mounted, so the pod does not start",
    severity: Severity::High,
    caused_by: &[
        "io-errors",
        "filesystem-corrupt",
        "dns-server-failing",
        "outbound-blocked",
        "disk-full",
    ],
    remedy: "Do what the message says; `kubectl describe pod` names the volume's source.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "pod-events",
    summary: "Evictions, failing probes and failed mounts of the node's pods, or of all",
    faults: &[&EVICTION, &PROBE_FAILING, &VOLUME_MOUNT_FAILED],
};

/// The kubelet tells of the same event at most every five minutes when it happens often (`k8s.io/client-go`,
/// `tools/record/events_cache.go`): what was told within twice that may still be so.
const RECENT: SignedDuration = SignedDuration::from_mins(10);
/// A container that starts fails its readiness probe once or twice. It takes more to be a fault.
const PROBE_TIMES: u64 = 3;
/// A mount that fails once may have met a cache that was not filled yet.
const MOUNT_TIMES: u64 = 2;
/// Most findings of one fault; the rest is counted.
const MAX_FINDINGS: usize = 5;
/// Most pieces of evidence of one finding.
const MAX_EVIDENCE: usize = 3;

/// Lines of the kubelet about a probe that failed, in `crates/scan/rules/cluster.yaml`.
const PROBE_LINES: [&str; 2] = ["kubelet-probe-failed", "kubelet-probe-failed-unstructured"];
/// Lines of the kubelet about a volume.
const MOUNT_LINES: &str = "kubelet-mount-failed";

/// Finds what the kubelet could not do for pods.
pub(crate) struct PodEvents;

impl Analyzer for PodEvents {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Node, Scope::Cluster]
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let scope = scope_of(inputs);
        let (action, name) = match scope {
            Scope::Node => (names::CLUSTER_HEALTH, names::NODE_EVENTS),
            Scope::Cluster => (names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS),
        };
        let (events, lack) = match rows::read::<NodeEvent>(inputs, action, name)? {
            Ok(rows) => {
                let why = rows.incomplete.clone();
                (Some(rows), why)
            }
            Err(Lack::Missing(why)) => (None, Some(why)),
            Err(Lack::NoSuchThing(_)) => (None, Some("no API server is known to this run".to_owned())),
        };
        let pods = match scope {
            Scope::Node => pods::read(inputs)?,
            Scope::Cluster => pods::of_cluster(inputs)?,
        };
        let now = inputs.started();
        let mut findings = evictions::judge(events.as_ref(), inputs);
        let mut troubles = Troubles::default();
        if let Some(events) = &events {
            troubles.add_events(events, now);
        }
        troubles.add_lines(inputs, &pods, now);
        findings.extend(troubles.probes(&pods, now));
        findings.extend(troubles.mounts(&pods, now));
        if !findings.is_empty() {
            return Ok(findings);
        }
        // A kubelet that has said nothing since the time asked for leaves no file of its own.
        let logs = Place::Node.path(inputs.node(), "system-logs", "");
        let has_log = !inputs.list(logs.as_str()).is_empty();
        Ok(vec![match lack {
            None => DESCRIPTOR
                .pass("No pod was evicted lately, and none has failing probes or mounts, as far as events tell."),
            Some(_) if has_log => {
                DESCRIPTOR.pass("The kubelet's log tells of no eviction and of no probe or mount that fails.")
            }
            Some(why) => DESCRIPTOR
                .unknown(format!("The events about pods are not known: {why}."))
                .remedy("Collect again as somebody who may list events, or with the kubelet's journal."),
        }])
    }
}

/// One trouble of one pod.
#[derive(Debug, Default, Clone)]
struct Trouble {
    count: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    message: String,
    evidence: Vec<Evidence>,
}

impl Trouble {
    fn add_event(&mut self, event: &NodeEvent, message: &str, evidence: Evidence) {
        self.happened(event.count, (event.first.or(event.time), event.time), message);
        self.evidence.insert(0, evidence);
        self.evidence.truncate(MAX_EVIDENCE);
    }

    /// Lines of the kubelet's log, oldest first. Events say the same in fewer words and stand before them.
    fn add_lines(&mut self, lines: &[LineHit]) {
        let is_told = !self.message.is_empty();
        for line in lines {
            let why = line
                .captures
                .get("why")
                .map_or("", String::as_str)
                .replace("\\\"", "\"");
            let message = if is_told { self.message.clone() } else { why };
            self.happened(lines.len() as u64, (line.time, line.time), &message);
        }
        let room = MAX_EVIDENCE.saturating_sub(self.evidence.len());
        self.evidence
            .extend(lines.iter().rev().take(room).map(LineHit::evidence));
    }

    fn happened(&mut self, count: u64, (first, last): (Option<Timestamp>, Option<Timestamp>), message: &str) {
        self.count = self.count.max(count);
        self.first = [self.first, first].into_iter().flatten().min();
        if last >= self.last {
            self.last = last;
            message.clone_into(&mut self.message);
        }
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        self.last.is_none_or(|last| span::ago(now, last) <= RECENT)
    }

    /// `12 times in 3 min`.
    fn times(&self) -> String {
        let times = if self.count == 1 {
            "once".to_owned()
        } else {
            format!("{} times", self.count)
        };
        match (self.first, self.last) {
            (Some(first), Some(last)) if first < last => {
                format!("{times} in {}", span::words(last.duration_since(first)))
            }
            _ => times,
        }
    }
}

/// What has the trouble: the kind of probe or the volume's failure, the pod as `namespace/name`, the container.
type Key = (String, String, String);

#[derive(Debug, Default)]
struct Troubles {
    probes: BTreeMap<Key, Trouble>,
    mounts: BTreeMap<Key, Trouble>,
}

impl Troubles {
    fn add_events(&mut self, events: &Rows<NodeEvent>, now: Timestamp) {
        for (line, event) in &events.lines {
            let Some(pod) = event.object.strip_prefix("pod ") else {
                continue;
            };
            if event
                .time
                .is_some_and(|time| span::ago(now, time) > SignedDuration::from_hours(24))
            {
                continue;
            }
            let evidence = events.text.evidence(*line);
            match event.reason.as_str() {
                "Unhealthy" | "ProbeWarning" => {
                    let kind = event.message.split(' ').next().unwrap_or_default().to_lowercase();
                    let key = (kind, pod.to_owned(), container_of(&event.field).to_owned());
                    let message = event.message.split_once(": ").map_or("", |(_, message)| message);
                    self.probes.entry(key).or_default().add_event(event, message, evidence);
                }
                "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => {
                    let key = (volume_of(&event.message), pod.to_owned(), String::new());
                    let message = cause_of(&event.message);
                    self.mounts.entry(key).or_default().add_event(event, message, evidence);
                }
                _ => {}
            }
        }
    }

    /// Adds what only the kubelet's log tells of; what events tell of too gets their lines beside it.
    fn add_lines(&mut self, inputs: &dyn Inputs, pods: &Pods, now: Timestamp) {
        let since = now.checked_sub(1.hour()).unwrap_or(now);
        let word = |hit: &LineHit, name: &str| hit.captures.get(name).cloned().unwrap_or_default();
        let recent = |hit: &LineHit| hit.time.is_none_or(|time| time >= since);
        let mut probes: BTreeMap<Key, Vec<LineHit>> = BTreeMap::new();
        let probe_lines = PROBE_LINES.into_iter().flat_map(|rule| inputs.hits(rule));
        for hit in probe_lines.filter(recent) {
            let pod = evictions::readable(&word(&hit, "pod"));
            let key = (word(&hit, "kind").to_lowercase(), pod, word(&hit, "container"));
            probes.entry(key).or_default().push(hit);
        }
        let mut mounts: BTreeMap<Key, Vec<LineHit>> = BTreeMap::new();
        for hit in inputs.hits(MOUNT_LINES).into_iter().filter(recent) {
            let named = word(&hit, "pod");
            // Lines about a volume name the pod without its namespace.
            let mut of_events = self.mounts.keys().map(|(_, pod, _)| pod.as_str());
            let of_event = of_events.find(|pod| pod.rsplit('/').next() == Some(named.as_str()));
            let pod = of_event.or_else(|| pods.in_full(&named)).unwrap_or(&named).to_owned();
            mounts
                .entry((word(&hit, "volume"), pod, String::new()))
                .or_default()
                .push(hit);
        }
        for (troubles, lines) in [(&mut self.probes, probes), (&mut self.mounts, mounts)] {
            for (key, hits) in lines {
                troubles.entry(key).or_default().add_lines(&hits);
            }
        }
    }

    fn probes(&self, pods: &Pods, now: Timestamp) -> Vec<Finding> {
        let findings = self.probes.iter().filter_map(|((kind, pod, container), trouble)| {
            if trouble.count < PROBE_TIMES || !trouble.is_recent(now) {
                return None;
            }
            let state = pods.get(pod);
            // Nothing is wrong with a pod that is gone, nor with one that was slow to start and is ready now.
            if state.is_none() && pods.is_known() || kind != "liveness" && state.is_some_and(|pod| pod.is_ready) {
                return None;
            }
            let object = format!("pod {pod}");
            let of = if container.is_empty() {
                String::new()
            } else {
                format!("container {container} of ")
            };
            let title = format!(
                "The {kind} probe of {of}{object} fails, {}: {}",
                trouble.times(),
                ended(&trouble.message)
            );
            let finding = if state.is_some_and(|pod| !pod.is_ready) {
                PROBE_FAILING.fail(object, title)
            } else {
                PROBE_FAILING.warn(object, title)
            };
            Some(Found {
                last: trouble.last,
                like: (kind.as_str(), workload_of(pod), container.as_str()),
                pod,
                finding: finding.evidences(trouble.evidence.clone()),
            })
        });
        newest(findings.collect(), &PROBE_FAILING, "probes fail")
    }

    fn mounts(&self, pods: &Pods, now: Timestamp) -> Vec<Finding> {
        let findings = self.mounts.iter().filter_map(|((volume, pod, _), trouble)| {
            if trouble.count < MOUNT_TIMES || !trouble.is_recent(now) {
                return None;
            }
            let state = pods.get(pod);
            if state.is_none() && pods.is_known() || state.is_some_and(|pod| pod.has_started) {
                return None;
            }
            let object = format!("pod {pod}");
            let what = if volume.is_empty() {
                "A volume".to_owned()
            } else {
                format!("Volume {volume}")
            };
            let title = format!(
                "{what} of {object} cannot be mounted, {}: {}",
                trouble.times(),
                ended(&trouble.message)
            );
            let finding = VOLUME_MOUNT_FAILED
                .fail(object, title)
                .evidences(trouble.evidence.clone());
            let finding = match remedy_for_mount(&trouble.message) {
                Some(remedy) => finding.remedy(remedy),
                None => finding,
            };
            Some(Found {
                last: trouble.last,
                like: (kind_of_volume(volume), workload_of(pod), ""),
                pod,
                finding,
            })
        });
        // The kubelet also says that volumes are not mounted in time, which says less than why.
        let mut findings: Vec<_> = findings.collect();
        let explained: Vec<_> = self.mounts.keys().filter(|(volume, ..)| !volume.is_empty()).collect();
        findings.retain(|found| !found.like.0.is_empty() || !explained.iter().any(|(_, pod, _)| pod == found.pod));
        newest(findings, &VOLUME_MOUNT_FAILED, "pods wait for their volumes")
    }
}

/// A finding about one pod.
struct Found<'a> {
    last: Option<Timestamp>,
    /// What it has in common with findings about other pods of the same workload.
    like: (&'a str, &'a str, &'a str),
    pod: &'a str,
    finding: Finding,
}

/// The newest findings, one of each workload, and one that counts the others.
fn newest(mut found: Vec<Found<'_>>, fault: &Fault, what: &str) -> Vec<Finding> {
    found.sort_by_key(|found| (found.finding.verdict, std::cmp::Reverse(found.last)));
    let mut findings: Vec<(Found<'_>, Vec<&str>)> = Vec::new();
    for found in found {
        match findings.iter_mut().find(|(first, _)| first.like == found.like) {
            Some((_, others)) => others.push(found.pod),
            None => findings.push((found, Vec::new())),
        }
    }
    let more = findings.len().saturating_sub(MAX_FINDINGS);
    let shown = findings.into_iter().take(MAX_FINDINGS).map(|(found, others)| {
        let Finding { title, .. } = &found.finding;
        let title = match others.len() {
            0 => title.clone(),
            count => format!("{title} The same is true of {count} more: {}.", named(others)),
        };
        Finding { title, ..found.finding }
    });
    let mut findings: Vec<_> = shown.collect();
    if more > 0 {
        findings.push(fault.warn("other pods", format!("{more} more {what}.")));
    }
    findings
}

/// The volume's name, without the end that tells each pod's own from another's.
fn kind_of_volume(volume: &str) -> &str {
    /// The volume that the API server gives to each pod (`plugin/pkg/admission/serviceaccount` of
    /// `kubernetes/kubernetes`).
    const OWN: &str = "kube-api-access-";
    if volume.starts_with(OWN) { OWN } else { volume }
}

/// `spec.containers{name}`.
fn container_of(field: &str) -> &str {
    field.split_once('{').map_or("", |(_, rest)| rest.trim_end_matches('}'))
}

/// The volume that a message names: `… failed for volume "x" : …` or `unmounted volumes=[x y], …`.
fn volume_of(message: &str) -> String {
    let quoted = message
        .split_once("for volume \"")
        .and_then(|(_, rest)| rest.split('"').next());
    quoted.unwrap_or_default().to_owned()
}

/// Why, in a message about a volume.
fn cause_of(message: &str) -> &str {
    message.split_once("\" : ").map_or(message, |(_, cause)| cause)
}

/// What to do, by the words of the kubelet, the storage drivers and the kernel.
fn remedy_for_mount(message: &str) -> Option<&'static str> {
    const REMEDIES: [(&[&str], &str); 6] = [
        (
            &["non-existent"],
            "Correct the key that the pod's volume names, or add it to the Secret or ConfigMap.",
        ),
        (
            &["not found in the list of registered CSI drivers"],
            "Start the CSI driver's node pod on this node.",
        ),
        (
            &["Multi-Attach", "already exclusively attached", "already attached"],
            "The disk is still attached to another node: wait for the detach, or delete the pod or the VolumeAttachment \
             there.",
        ),
        (
            &["ermission denied", "AuthorizationFailed", "Access is denied"],
            "Give the cluster's identity the right to the storage, and let the storage's firewall admit the node's subnet.",
        ),
        (
            &[
                "timed out",
                "DeadlineExceeded",
                "deadline exceeded",
                "ost is down",
                "o route to host",
            ],
            "Check that the node reaches the storage (ports 445 and 2049, private endpoint, DNS), and the CSI driver's pods.",
        ),
        (
            &["\" not found"],
            "Create in the pod's namespace what the message names, or mark the volume as optional.",
        ),
    ];
    let mut remedies = REMEDIES.iter();
    let found = remedies.find(|(words, _)| words.iter().any(|word| message.contains(word)));
    found.map(|(_, remedy)| *remedy)
}

fn ended(message: &str) -> String {
    /// A message longer than this is cut: the evidence has it whole.
    const MAX: usize = 240;
    let message = message.trim();
    match message.get(..message.floor_char_boundary(MAX)) {
        _ if message.is_empty() => "no reason is given.".to_owned(),
        Some(start) if start.len() < message.len() => format!("{start}…"),
        _ => format!("{}.", message.trim_end_matches('.')),
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::PodEvents;
    use crate::fixture::Artifacts;

    const PODS: &str = r#"{"kind": "PodList", "items": [
        {"metadata": {"namespace": "ns", "name": "waits"}, "status": {"phase": "Pending"}},
        {"metadata": {"namespace": "ns", "name": "runs"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}},
        {"metadata": {"namespace": "ns", "name": "sick"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}}
    ]}"#;

    /// One event a minute ago that has happened `count` times within ten minutes.
    fn event(pod: &str, reason: &str, count: u64, message: &str) -> String {
        let message = serde_json::to_string(message).unwrap();
        format!(
            r#"{{"time":"2026-11-20T09:59:00Z","first":"2026-11-20T09:49:00Z","count":{count},"type":"Warning","reason":"{reason}","object":"pod ns/{pod}","field":"spec.containers{{app}}","source":"kubelet","message":{message}}}"#
        )
    }

    fn artifacts(events: &[String]) -> Artifacts {
        let events = format!("[\n{}\n]\n", events.join(",\n"));
        let events = if events == "[\n\n]\n" {
            "[\n]\n".to_owned()
        } else {
            events
        };
        Artifacts::default()
            .with(names::CLUSTER_HEALTH, names::NODE_EVENTS, events)
            .with(names::CLUSTER_HEALTH, "pods.json", PODS)
    }

    fn judge(events: &[String]) -> Vec<Finding> {
        PodEvents.analyze(&artifacts(events)).unwrap()
    }

    const PROBE: &str = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    const LIVENESS: &str = "Liveness probe failed: dial tcp 10.244.0.7:8080: connect: connection refused";
    const MOUNT: &str = "MountVolume.SetUp failed for volume \"creds\" : secret \"app-creds\" not found";

    #[test]
    fn a_quiet_node_passes() {
        let findings = judge(&[]);
        assert_eq!((findings.len(), findings[0].verdict), (1, Verdict::Pass));
    }

    #[rstest]
    #[case::readiness(
        "sick", "Unhealthy", PROBE, (Verdict::Fail, "probe-failing"),
        "The readiness probe of container app of pod ns/sick fails, 12 times in 10 min: HTTP probe failed with statuscode: 503."
    )]
    #[case::liveness("runs", "Unhealthy", LIVENESS, (Verdict::Warn, "probe-failing"), "The liveness probe of container app of pod ns/runs")]
    #[case::mount(
        "waits", "FailedMount", MOUNT, (Verdict::Fail, "volume-mount-failed"),
        "Volume creds of pod ns/waits cannot be mounted, 12 times in 10 min: secret \"app-creds\" not found."
    )]
    #[case::attach(
        "waits", "FailedAttachVolume",
        "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another",
        (Verdict::Fail, "volume-mount-failed"), "Volume pvc-1 of pod ns/waits"
    )]
    fn a_trouble_is_named_with_its_event(
        #[case] pod: &str,
        #[case] reason: &str,
        #[case] message: &str,
        #[case] (verdict, fault): (Verdict, &str),
        #[case] words: &str,
    ) {
        let findings = judge(&[event("runs", "BackOff", 1, "m"), event(pod, reason, 12, message)]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let finding = &findings[0];
        assert_eq!((finding.verdict, finding.fault.as_str()), (verdict, fault));
        assert!(finding.title.contains(words), "{}", finding.title);
        assert_eq!(finding.object, format!("pod ns/{pod}"));
        assert_eq!(finding.evidence[0].line, Some(3));
    }

    #[rstest]
    #[case::slow_start("runs", "Unhealthy", 12, PROBE)]
    #[case::once("sick", "Unhealthy", 1, PROBE)]
    #[case::gone("gone", "Unhealthy", 12, LIVENESS)]
    #[case::mounted_at_last("runs", "FailedMount", 12, MOUNT)]
    #[case::mount_once("waits", "FailedMount", 1, MOUNT)]
    #[case::gone_unmounted("gone", "FailedMount", 12, MOUNT)]
    fn what_is_over_is_no_trouble(#[case] pod: &str, #[case] reason: &str, #[case] count: u64, #[case] message: &str) {
        let findings = judge(&[event(pod, reason, count, message)]);
        assert_eq!(
            (findings.len(), findings[0].verdict),
            (1, Verdict::Pass),
            "{findings:?}"
        );
    }

    #[test]
    fn an_old_event_is_no_trouble() {
        let old = event("sick", "Unhealthy", 12, PROBE)
            .replace("T09:59", "T09:09")
            .replace("T09:49", "T09:00");
        assert_eq!(judge(&[old])[0].verdict, Verdict::Pass);
    }

    #[rstest]
    #[case::secret(MOUNT, "Create in the pod's namespace")]
    #[case::busy("Multi-Attach error for volume \"v\"", "still attached to another node")]
    #[case::denied("rpc error: mount error(13): Permission denied", "the right to the storage")]
    #[case::late("timed out waiting for the condition", "reaches the storage")]
    fn the_remedy_is_that_of_the_message(#[case] message: &str, #[case] words: &str) {
        let findings = judge(&[event("waits", "FailedMount", 3, message)]);
        assert!(findings[0].remedy.contains(words), "{}", findings[0].remedy);
    }

    #[test]
    fn evictions_are_told_by_what_was_short() {
        let message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi. ";
        let findings = judge(&[event("a", "Evicted", 1, message), event("b", "Evicted", 1, message)]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            (findings[0].verdict, findings[0].fault.as_str()),
            (Verdict::Fail, "eviction")
        );
        assert_eq!(
            findings[0].title,
            "The kubelet evicted pod ns/a, pod ns/b within the last hour (the last 60 s ago) because memory was short."
        );
        assert_eq!(findings[0].evidence.len(), 2);
    }

    #[test]
    fn many_troubles_are_counted() {
        let events: Vec<_> = (0..9)
            .map(|n| {
                event(
                    "waits",
                    "FailedMount",
                    3,
                    &MOUNT.replace("creds\" :", &format!("creds-{n}\" :")),
                )
            })
            .collect();
        let findings = judge(&events);
        assert_eq!(findings.len(), 6);
        assert!(findings[5].title.starts_with("4 more "), "{}", findings[5].title);
    }

    #[test]
    fn pods_of_all_nodes_are_judged_in_the_clusters_part() {
        let events = [
            event("web-5d4f8c7b9-x8k2p", "FailedMount", 12, MOUNT),
            event("web-5d4f8c7b9-zq4wv", "FailedMount", 12, MOUNT),
            event("runs", "FailedMount", 12, MOUNT),
            event("elsewhere", "Unhealthy", 12, LIVENESS),
            event("a", "Evicted", 1, "The node was low on resource: memory. "),
        ];
        let artifacts = Artifacts::default()
            .with(
                names::CLUSTER_OBJECTS,
                names::CLUSTER_EVENTS,
                format!("[\n{}\n]\n", events.join(",\n")),
            )
            .at("cluster-resources/pods/ns.json", PODS);
        let findings = PodEvents.analyze(&artifacts).unwrap();
        let told: Vec<_> = findings
            .iter()
            .map(|f| (f.fault.as_str(), f.verdict, f.object.as_str()))
            .collect();
        let expected = [
            ("eviction", Verdict::Fail, "pod ns/a"),
            ("probe-failing", Verdict::Warn, "pod ns/elsewhere"),
            ("volume-mount-failed", Verdict::Fail, "pod ns/web-5d4f8c7b9-x8k2p"),
        ];
        assert_eq!(told, expected);
        let same = "secret \"app-creds\" not found. The same is true of 1 more: ns/web-5d4f8c7b9-zq4wv.";
        assert!(findings[2].title.ends_with(same), "{}", findings[2].title);
        assert_eq!(findings[2].evidence[0].file, "nodes/node1/cluster-objects/events.json");
    }

    #[test]
    fn a_quiet_cluster_passes() {
        let artifacts = Artifacts::default().with(names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS, "[\n]\n");
        assert_eq!(PodEvents.analyze(&artifacts).unwrap()[0].verdict, Verdict::Pass);
        let artifacts = Artifacts::default().without(names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS, State::Denied);
        assert_eq!(PodEvents.analyze(&artifacts).unwrap()[0].verdict, Verdict::Unknown);
    }

    const LOG: &str = "nodes/node1/system-logs/journal/kubelet.log";

    #[test]
    fn the_kubelets_log_tells_where_events_are_not_allowed() {
        let hit = |artifacts: Artifacts, line| {
            let captures = [
                ("volume", "creds"),
                ("pod", "waits"),
                ("why", "secret \\\"app-creds\\\" not found"),
            ];
            artifacts.hit(
                "kubelet-mount-failed",
                (LOG, line),
                Some("2026-11-20T09:59:30Z"),
                "the line",
                &captures,
            )
        };
        let artifacts = Artifacts::default()
            .without(names::CLUSTER_HEALTH, names::NODE_EVENTS, State::Denied)
            .with("system-logs", "journal/kubelet.log", "lines");
        let artifacts = hit(hit(artifacts, 7), 8).hit(
            "kubelet-evicted",
            (LOG, 9),
            Some("2026-11-20T09:59:31Z"),
            "evicted",
            &[("old", "app-0_default(6666)")],
        );
        let findings = PodEvents.analyze(&artifacts).unwrap();
        let told: Vec<_> = findings.iter().map(|f| (f.fault.as_str(), f.object.as_str())).collect();
        assert_eq!(
            told,
            [("eviction", "pod default/app-0"), ("volume-mount-failed", "pod waits")]
        );
        assert!(
            findings[1].title.contains("secret \"app-creds\" not found"),
            "{}",
            findings[1].title
        );
        assert_eq!(findings[1].evidence[0].file, LOG);
    }

    #[test]
    fn a_pod_that_the_log_names_without_its_namespace_is_found_among_the_pods() {
        let captures = [("volume", "creds"), ("pod", "waits"), ("why", "timed out")];
        let mut artifacts = Artifacts::default()
            .without(names::CLUSTER_HEALTH, names::NODE_EVENTS, State::Denied)
            .with(names::CLUSTER_HEALTH, "pods.json", PODS);
        for line in [7, 8] {
            artifacts = artifacts.hit(
                "kubelet-mount-failed",
                (LOG, line),
                Some("2026-11-20T09:59:30Z"),
                "it",
                &captures,
            );
        }
        let findings = PodEvents.analyze(&artifacts).unwrap();
        let told: Vec<_> = findings.iter().map(|f| (f.fault.as_str(), f.object.as_str())).collect();
        assert_eq!(told, [("volume-mount-failed", "pod ns/waits")]);
    }

    #[test]
    fn lines_of_the_log_stand_beside_the_event_they_belong_to() {
        let captures = [
            ("volume", "creds"),
            ("pod", "waits"),
            ("why", "secret \"app-creds\" not found"),
        ];
        let artifacts = artifacts(&[event("waits", "FailedMount", 12, MOUNT)]).hit(
            "kubelet-mount-failed",
            (LOG, 7),
            Some("2026-11-20T09:58:30Z"),
            "the line",
            &captures,
        );
        let findings = PodEvents.analyze(&artifacts).unwrap();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].object, "pod ns/waits");
        let files: Vec<_> = findings[0]
            .evidence
            .iter()
            .map(|e| e.file.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(files, ["events.json", "kubelet.log"]);
    }

    #[test]
    fn without_events_and_log_nothing_is_known() {
        let findings = PodEvents.analyze(&Artifacts::default()).unwrap();
        assert_eq!((findings.len(), findings[0].verdict), (1, Verdict::Unknown));
        let with_log = Artifacts::default().with("system-logs", "journal/kubelet.log", "lines");
        assert_eq!(PodEvents.analyze(&with_log).unwrap()[0].verdict, Verdict::Pass);
    }
}
