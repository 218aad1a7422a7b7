//! Whom the kernel killed for lack of memory within the last day: the pod and container by name, and whose limit it
//! was.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::{Cgroup, NodePod, PodCgroup, names};

use super::input::{self, Rows};
use super::oom_lines::{self, Kill};
use super::words::{bytes, owner, time, times};

static OOM_KILL: Fault = Fault {
    id: "oom-kill",
    summary: "The kernel killed a process for lack of memory",
    severity: Severity::High,
    caused_by: &["container-oom", "memory-pressure"],
    remedy: "Raise the container's memory limit above what it needs at its peak, or find out why it needs more than it \
             used to.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "oom-kills",
    summary: "Whom the kernel killed for lack of memory within the last day",
    faults: &[&OOM_KILL],
};

/// What is older is over.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// What was so lately is broken now; and what happens so often is, too.
const LATELY: SignedDuration = SignedDuration::from_hours(1);
const OFTEN: usize = 3;

/// Most victims that have a finding of their own, and most lines shown for each.
const MAX_FINDINGS: usize = 5;
const MAX_EVIDENCE: usize = 3;

/// Where the kernel's lines may be, as (action, artifact): any of them will do.
const KERNEL_LOGS: [(&str, &str); 3] = [
    ("system-logs", "journal/kernel.log"),
    ("system-logs", "syslog/"),
    (names::SYSTEM, names::DMESG),
];

/// Finds kills.
pub(crate) struct OomKills;

impl Analyzer for OomKills {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let names = Names {
            pods: input::rows(inputs, names::PODS)?.known(),
            groups: input::rows(inputs, names::CGROUPS)?.known(),
        };
        let (kills, count) = oom_lines::kills(inputs);
        let kept = kills.len();
        let now = inputs.started();
        let recent: Vec<_> = kills
            .into_iter()
            // A line without a time is of the boot that the node is in.
            .filter(|kill| kill.time.is_none_or(|then| now.duration_since(then) <= WINDOW))
            .collect();
        if recent.is_empty() {
            return Ok(if has_kernel_log(inputs) {
                vec![DESCRIPTOR.pass("The kernel killed nobody for lack of memory in the last 24 h.")]
            } else {
                names.counters()
            });
        }
        let mut victims: BTreeMap<String, Vec<Kill>> = BTreeMap::new();
        for kill in recent {
            victims.entry(names.victim(&kill)).or_default().push(kill);
        }
        let mut victims: Vec<_> = victims.into_iter().collect();
        victims.sort_by_key(|(_, kills)| std::cmp::Reverse(kills.last().and_then(|kill| kill.time)));
        let others = victims.len().saturating_sub(MAX_FINDINGS);
        let mut findings: Vec<_> = victims
            .iter()
            .take(MAX_FINDINGS)
            .map(|(object, kills)| names.finding(object, kills, now))
            .collect();
        if let Some(last) = findings.last_mut() {
            let unseen = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(kept);
            if others > 0 {
                last.title = format!("{} So were processes of {others} others.", last.title);
            } else if unseen > 0 {
                last.title = format!("{} There were {unseen} further kills in the log.", last.title);
            }
        }
        Ok(findings)
    }
}

fn has_kernel_log(inputs: &dyn Inputs) -> bool {
    KERNEL_LOGS.iter().any(|(action, name)| {
        let prefix = format!("nodes/{}/{action}/{name}", inputs.node());
        !inputs.list(&prefix).is_empty()
    })
}

/// What is known of pods and their limits.
struct Names {
    pods: Option<Rows<NodePod>>,
    groups: Option<Rows<Cgroup>>,
}

impl Names {
    /// Whose process it was, as the object of a finding.
    fn victim(&self, kill: &Kill) -> String {
        match kill.victim() {
            Some(group) => {
                let (pod, container) = self.names(&group);
                owner(Some(&pod), container.as_deref()).unwrap_or(pod)
            }
            None if kill.group.trim_matches('/').is_empty() => match &kill.task {
                Some((task, _)) => format!("process {task}"),
                None => "a process".to_owned(),
            },
            None => kill.group.rsplit('/').next().unwrap_or(&kill.group).to_owned(),
        }
    }

    fn names(&self, group: &PodCgroup) -> (String, Option<String>) {
        let pods = self.pods.iter().flat_map(|pods| &pods.rows).map(|(_, pod)| pod);
        let known = pods.into_iter().find(|pod| pod.uid == group.uid);
        let pod = match known {
            Some(pod) => format!("{}/{}", pod.namespace, pod.name),
            // Its folders are gone; the API's lists and events may still know the uid.
            None => format!("with uid {}", group.uid),
        };
        // One that was started again has another id now; its pod is what they have in common.
        let id = group.container_id.as_ref();
        let container = id.and_then(|id| known?.containers.get(id).cloned());
        (pod, container)
    }

    /// Whether the victim's pod is no longer on the node: then nothing is broken by it now.
    fn is_gone(&self, kill: &Kill) -> bool {
        let (Some(pods), Some(group)) = (&self.pods, kill.victim()) else {
            return false;
        };
        pods.rows.iter().all(|(_, pod)| pod.uid != group.uid)
    }

    /// The line of the group whose limit was reached, with the limit.
    fn limit(&self, path: &str) -> Option<(u64, Evidence)> {
        let groups = self.groups.as_ref()?;
        let (line, group) = groups.rows.iter().find(|(_, group)| group.path == path)?;
        Some((group.memory.as_ref()?.max_bytes?, groups.evidence(*line)))
    }

    fn finding(&self, object: &str, kills: &[Kill], now: Timestamp) -> Finding {
        let last = kills.last();
        let task = match last.and_then(|kill| kill.task.as_ref()) {
            Some((task, pid)) => format!("{task} (pid {pid})"),
            None => "a process".to_owned(),
        };
        let of = if object.starts_with("process ") || object == "a process" {
            String::new()
        } else {
            format!(" of {object}")
        };
        let ago = last.and_then(|kill| kill.time).map(|then| now.duration_since(then));
        let when = match (kills.len(), ago) {
            (1, Some(ago)) => format!(" {} ago", time(ago)),
            (1, None) => String::new(),
            (count, Some(ago)) => format!(" {} in the last 24 h, last {} ago", times(count as u64), time(ago)),
            (count, None) => format!(" {}", times(count as u64)),
        };
        let limit_group = last.and_then(|kill| kill.limit_group.as_deref());
        let limit = limit_group.and_then(|path| self.limit(path));
        let why = why(last, limit_group, limit.as_ref().map(|(bytes, _)| *bytes));
        let title = format!("The kernel killed {task}{of}{when}: {why}.");
        let is_lately = ago.is_none_or(|ago| ago <= LATELY);
        let is_own_limit = limit_group.is_some_and(|path| PodCgroup::parse(path).is_some());
        let is_over = is_own_limit && last.is_some_and(|kill| self.is_gone(kill));
        let finding = if !is_over && (is_lately || kills.len() >= OFTEN) {
            OOM_KILL.fail(object, title)
        } else {
            OOM_KILL.warn(object, title)
        };
        // The newest line shows it best.
        finding
            .evidences(kills.iter().rev().take(MAX_EVIDENCE).map(|kill| kill.evidence.clone()))
            .evidences(limit.map(|(_, evidence)| evidence))
    }

    /// Without the kernel's lines there are its counters, which say neither when nor who.
    fn counters(&self) -> Vec<Finding> {
        let Some(groups) = &self.groups else {
            return vec![DESCRIPTOR.unknown("Neither the kernel's messages nor the control groups were gathered.")];
        };
        let killed = groups.rows.iter().filter(|(_, group)| {
            group.container.is_some() && group.memory.as_ref().is_some_and(|memory| memory.oom_kills > 0)
        });
        let mut findings: Vec<_> = killed
            .take(MAX_FINDINGS)
            .filter_map(|(line, group)| {
                let object = owner(group.pod.as_deref(), group.container.as_deref())?;
                let count = group.memory.as_ref()?.oom_kills;
                let title = format!(
                    "The kernel killed processes of {object} {} for lack of memory since it started; when and which is \
                     not known without the kernel's messages.",
                    times(count)
                );
                Some(OOM_KILL.warn(object, title).evidence(groups.evidence(*line)))
            })
            .collect();
        if findings.is_empty() {
            findings.push(DESCRIPTOR.unknown(
                "The kernel's messages were not gathered; no running container counts a kill for lack of memory.",
            ));
        }
        findings
    }
}

/// Whose limit was reached.
fn why(kill: Option<&Kill>, limit_group: Option<&str>, limit: Option<u64>) -> String {
    let Some(path) = limit_group else {
        return "the node itself was out of memory".to_owned();
    };
    let of = limit.map(|limit| format!(" of {}", bytes(limit))).unwrap_or_default();
    match PodCgroup::parse(path) {
        Some(group) if group.container_id.is_some() => format!("the container had reached its memory limit{of}"),
        Some(_) => format!("the pod had reached its memory limit{of}"),
        None if PodCgroup::is_in_pods(path) => {
            format!("all pods together had reached the memory{of} that the node has for pods")
        }
        None if kill.is_some_and(|kill| kill.group == path) => format!("it had reached its memory limit{of}"),
        None => format!("{path} had reached its memory limit{of}"),
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use periscope_documents::{Cgroup, CgroupMemory, NodePod, to_lines};

    use super::OomKills;
    use crate::fixture::Artifacts;

    const UID: &str = "11111111-2222-3333-4444-555555555555";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const KERNEL: &str = "nodes/node1/system-logs/journal/kernel.log";

    fn pod() -> String {
        format!("/kubepods.slice/kubepods-pod{}.slice", UID.replace('-', "_"))
    }

    fn container() -> String {
        format!("{}/cri-containerd-{ID}.scope", pod())
    }

    fn archive() -> Artifacts {
        let pod = NodePod {
            uid: UID.to_owned(),
            namespace: "default".to_owned(),
            name: "app-0".to_owned(),
            containers: [(ID.to_owned(), "app".to_owned())].into(),
        };
        let group = Cgroup {
            path: container(),
            pod: Some("default/app-0".to_owned()),
            container: Some("app".to_owned()),
            memory: Some(CgroupMemory {
                max_bytes: Some(512 << 20),
                oom_kills: 2,
                ..CgroupMemory::default()
            }),
            ..Cgroup::default()
        };
        Artifacts::default()
            .with("system", "pods.json", to_lines(&[pod]).unwrap())
            .with("system", "cgroups.json", to_lines(&[group]).unwrap())
    }

    fn with_kill(artifacts: Artifacts, line: u64, time: &str, group: &str, limit_group: &str) -> Artifacts {
        let captures = [
            ("task", "java"),
            ("pid", "4321"),
            ("memcg", group),
            ("oom_memcg", limit_group),
        ];
        let quote = "oom-kill:constraint=CONSTRAINT_MEMCG";
        artifacts.with("system-logs", "journal/kernel.log", "x").hit(
            "oom-kill",
            (KERNEL, line),
            Some(time),
            quote,
            &captures,
        )
    }

    fn findings(artifacts: &Artifacts) -> Vec<Finding> {
        OomKills.analyze(artifacts).unwrap()
    }

    #[test]
    fn the_victim_is_named_with_the_limit_it_reached() {
        let artifacts = with_kill(archive(), 7, "2026-11-20T09:48:00Z", &container(), &container());
        let found = findings(&artifacts);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].verdict, Verdict::Fail);
        assert_eq!(
            found[0].title,
            "The kernel killed java (pid 4321) of container app of pod default/app-0 12 min ago: the container had \
             reached its memory limit of 512.0 MiB."
        );
        let places: Vec<_> = found[0].evidence.iter().map(|e| (e.file.as_str(), e.line)).collect();
        assert_eq!(
            places,
            [(KERNEL, Some(7)), ("nodes/node1/system/cgroups.json", Some(2))]
        );
    }

    #[test]
    fn kills_of_one_container_are_one_finding() {
        let mut artifacts = archive();
        for (line, time) in [
            (1, "2026-11-19T11:00:00Z"),
            (2, "2026-11-19T20:00:00Z"),
            (3, "2026-11-20T05:00:00Z"),
        ] {
            artifacts = with_kill(artifacts, line, time, &container(), &container());
        }
        let found = findings(&artifacts);
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Fail));
        assert!(
            found[0].title.contains("3 times in the last 24 h, last 5 h ago"),
            "{}",
            found[0].title
        );
        assert_eq!(found[0].evidence[0].line, Some(3));
    }

    #[test]
    fn the_limits_above_are_told_apart() {
        let cases = [
            (pod(), "the pod had reached its memory limit."),
            (
                "/kubepods.slice".to_owned(),
                "all pods together had reached the memory that the node has for pods.",
            ),
            (String::new(), "the node itself was out of memory."),
        ];
        for (limit, expected) in cases {
            let artifacts = with_kill(archive(), 1, "2026-11-20T09:48:00Z", &container(), &limit);
            let found = findings(&artifacts);
            assert!(found[0].title.ends_with(expected), "{}", found[0].title);
        }
    }

    #[test]
    fn a_pod_that_is_gone_is_told_by_its_uid_and_a_service_by_its_name() {
        let gone = container().replace("1111", "9999");
        let artifacts = with_kill(archive(), 1, "2026-11-20T09:48:00Z", &gone, &gone);
        assert!(findings(&artifacts)[0].object.contains("pod with uid 99999999-2222"));
        assert_eq!(
            findings(&artifacts)[0].verdict,
            Verdict::Warn,
            "its own limit hurts nobody now"
        );
        let by_node = with_kill(archive(), 1, "2026-11-20T09:48:00Z", &gone, "");
        assert_eq!(
            findings(&by_node)[0].verdict,
            Verdict::Fail,
            "the node's lack of memory does"
        );
        let service = "/system.slice/kubelet.service";
        let artifacts = with_kill(archive(), 1, "2026-11-20T09:48:00Z", service, service);
        assert_eq!(findings(&artifacts)[0].object, "kubelet.service");
    }

    #[test]
    fn what_is_over_is_no_trouble() {
        let over = with_kill(archive(), 1, "2026-11-18T09:48:00Z", &container(), &container());
        assert_eq!(findings(&over)[0].verdict, Verdict::Pass);
        let once = with_kill(archive(), 1, "2026-11-19T12:00:00Z", &container(), &container());
        assert_eq!(findings(&once)[0].verdict, Verdict::Warn);
    }

    #[test]
    fn without_the_kernels_lines_its_counters_are_told() {
        let found = findings(&archive());
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Warn));
        assert!(
            found[0].title.contains("container app of pod default/app-0 2 times"),
            "{}",
            found[0].title
        );
        assert_eq!(findings(&Artifacts::default())[0].verdict, Verdict::Unknown);
        let silent = Artifacts::default().with("system-logs", "journal/kernel.log", "x");
        assert_eq!(findings(&silent)[0].verdict, Verdict::Pass);
    }
}
