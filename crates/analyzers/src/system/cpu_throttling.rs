//! Whether system pods and services are held back by their processor limit, now and not only once. Pods of users may
//! run into limits that were set on purpose.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Cgroup, CgroupCpu, names};

use super::input::{self, Input, Rows};
use super::words::{basis_points, owner, percent};

static CPU_THROTTLING: Fault = Fault {
    id: "cpu-throttling",
    summary: "A system pod or service is held back by its CPU limit",
    severity: Severity::Medium,
    caused_by: &[],
    remedy: "Raise the CPU limit of the container (for AKS's own pods through the add-on's configuration), or find out why \
             it has more work than usual.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "cpu-throttling",
    summary: "Whether system pods and services are held back by their CPU limit",
    faults: &[&CPU_THROTTLING],
};

/// Namespaces of the cluster's own pods.
const SYSTEM_NAMESPACES: [&str; 5] = [
    "kube-system/",
    "gatekeeper-system/",
    "calico-system/",
    "tigera-operator/",
    "aks-command/",
];

/// Periods (of 100 ms) with work from which on a share means something, in all and just now.
const PERIODS: u64 = 100;
const RECENT_PERIODS: u64 = 5;

/// Shares of periods in which it was held back, in hundredths of a percent: a start is busy, and so in all less counts.
const SHARE: u64 = 2500;
const RECENT_SHARE: u64 = 5000;

/// Most findings.
const MAX_FINDINGS: usize = 5;

/// Judges processor limits.
pub(crate) struct CpuThrottling;

impl Analyzer for CpuThrottling {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let groups: Rows<Cgroup> = match input::rows(inputs, names::CGROUPS)? {
            Input::Known(groups) => groups,
            Input::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("The node shows no control groups.")]),
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let mut throttled: Vec<_> = groups
            .rows
            .iter()
            .filter(|(_, group)| is_of_system(group))
            .filter_map(|(line, group)| Some((*line, group, group.cpu.as_ref()?)))
            .filter(|(_, _, cpu)| is_throttled(cpu))
            .collect();
        // A pod's group has the sum of its containers' limits, and is told by the container that runs into its own.
        let of_containers: Vec<_> = throttled
            .iter()
            .filter(|(_, group, _)| group.container.is_some())
            .filter_map(|(_, group, _)| group.pod.clone())
            .collect();
        throttled.retain(|(_, group, _)| {
            group.container.is_some() || group.pod.as_ref().is_none_or(|pod| !of_containers.contains(pod))
        });
        throttled.sort_by_key(|(line, _, cpu)| (std::cmp::Reverse(cpu.throttled_micros), *line));
        let findings: Vec<_> = throttled
            .iter()
            .take(MAX_FINDINGS)
            .map(|(line, group, cpu)| finding(group, cpu).evidence(groups.evidence(*line)))
            .collect();
        if findings.is_empty() {
            return Ok(vec![
                DESCRIPTOR.pass("No system pod or service is held back by its CPU limit."),
            ]);
        }
        Ok(findings)
    }
}

fn is_of_system(group: &Cgroup) -> bool {
    match &group.pod {
        Some(pod) => SYSTEM_NAMESPACES.iter().any(|namespace| pod.starts_with(namespace)),
        None => group.path.split('/').any(|part| part == "system.slice"),
    }
}

fn is_throttled(cpu: &CgroupCpu) -> bool {
    let is_over = |throttled, periods, share| basis_points(throttled, periods).is_some_and(|found| found >= share);
    let now = cpu.recent.as_ref().is_some_and(|recent| {
        recent.periods >= RECENT_PERIODS && is_over(recent.throttled_periods, recent.periods, RECENT_SHARE)
    });
    cpu.limit_millis.is_some() && cpu.periods >= PERIODS && is_over(cpu.throttled_periods, cpu.periods, SHARE) && now
}

fn finding(group: &Cgroup, cpu: &CgroupCpu) -> Finding {
    let object = owner(group.pod.as_deref(), group.container.as_deref())
        .unwrap_or_else(|| group.path.rsplit('/').next().unwrap_or_default().to_owned());
    let (recent, recent_periods) = cpu
        .recent
        .as_ref()
        .map_or((0, 0), |recent| (recent.throttled_periods, recent.periods));
    let title = format!(
        "{object} is held back by its CPU limit of {}m: in {} of its periods just now, and in {} since it started.",
        cpu.limit_millis.unwrap_or(0),
        percent(recent, recent_periods),
        percent(cpu.throttled_periods, cpu.periods),
    );
    let mut characters = title.chars();
    let title: String = characters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(characters)
        .collect();
    CPU_THROTTLING.warn(object, title)
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use periscope_documents::{Cgroup, CgroupCpu, CgroupCpuRecent, to_lines};

    use super::CpuThrottling;
    use crate::fixture::Artifacts;

    fn group(pod: &str, container: Option<&str>, throttled: u64, recent: u64) -> Cgroup {
        Cgroup {
            path: format!("/kubepods/{pod}"),
            pod: Some(pod.to_owned()),
            container: container.map(str::to_owned),
            cpu: Some(CgroupCpu {
                limit_millis: Some(100),
                periods: 1000,
                throttled_periods: throttled,
                recent: Some(CgroupCpuRecent {
                    millis: 2000,
                    periods: 20,
                    throttled_periods: recent,
                    ..CgroupCpuRecent::default()
                }),
                ..CgroupCpu::default()
            }),
            ..Cgroup::default()
        }
    }

    fn findings(groups: &[Cgroup]) -> Vec<Finding> {
        let artifacts = Artifacts::default().with("system", "cgroups.json", to_lines(groups).unwrap());
        CpuThrottling.analyze(&artifacts).unwrap()
    }

    #[test]
    fn a_throttled_system_container_is_told_once() {
        let found = findings(&[
            group("kube-system/coredns-x", None, 900, 19),
            group("kube-system/coredns-x", Some("coredns"), 900, 19),
            group("default/app-0", Some("app"), 900, 19),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].verdict, found[0].title.as_str()),
            (
                Verdict::Warn,
                "Container coredns of pod kube-system/coredns-x is held back by its CPU limit of 100m: in 95 % of its \
                 periods just now, and in 90 % since it started."
            )
        );
        assert_eq!(found[0].evidence[0].line, Some(3));
    }

    #[test]
    fn what_is_over_or_rare_is_no_trouble() {
        let found = findings(&[
            group("kube-system/over", Some("a"), 900, 0),
            group("kube-system/rare", Some("a"), 90, 19),
        ]);
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Pass));
    }

    #[test]
    fn what_is_not_gathered_is_unknown() {
        let found = CpuThrottling.analyze(&Artifacts::default()).unwrap();
        assert_eq!(found[0].verdict, Verdict::Unknown);
    }
}
