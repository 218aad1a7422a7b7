//! Whether processes and threads can still be made: on the node, and in each pod and service that has a limit.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Cgroup, CgroupPids, names};

use super::input::{self, Input, Rows, find_line};
use super::words::{basis_points, owner, times};
use crate::artifact::Text;

static PID_EXHAUSTION: Fault = Fault {
    id: "pid-exhaustion",
    summary: "No or hardly any further process or thread can be made",
    severity: Severity::Critical,
    caused_by: &["zombie-processes"],
    remedy: "Find what makes so many processes or threads and stop it; where they are needed, raise the limit (the \
             kubelet's `podPidsLimit`, the service's `TasksMax`, or `kernel.pid_max`).",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "task-limits",
    summary: "Whether processes and threads can still be made, on the node and in each pod",
    faults: &[&PID_EXHAUSTION],
};

/// Shares of the limit, in hundredths of a percent.
const FAIL: u64 = 9500;
const WARN: u64 = 8000;

/// Services with so small a limit are meant to be near it.
const SMALL_LIMIT: u64 = 32;

/// Most findings about groups.
const MAX_FINDINGS: usize = 5;

/// Settings that limit tasks of the whole node.
const NODE_LIMITS: [&str; 2] = ["kernel.pid_max", "kernel.threads-max"];

/// Judges limits of tasks.
pub(crate) struct TaskLimits;

impl Analyzer for TaskLimits {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let mut findings = Vec::new();
        match (
            input::text(inputs, names::LOADAVG)?,
            input::text(inputs, names::SYSCTLS)?,
        ) {
            (Input::Known(load), Input::Known(settings)) => findings.extend(of_node(&load, &settings)?),
            (Input::Missing(why), _) | (_, Input::Missing(why)) => findings.push(DESCRIPTOR.unknown(why)),
            _ => findings.push(DESCRIPTOR.unknown("The node does not show how many tasks it has.")),
        }
        let groups: Input<Rows<Cgroup>> = input::rows(inputs, names::CGROUPS)?;
        match groups {
            Input::Known(groups) => findings.extend(of_groups(&groups)),
            Input::Missing(why) if findings.is_empty() => findings.push(DESCRIPTOR.unknown(why)),
            // A node without control groups has no pods with limits.
            Input::Missing(_) | Input::NoSuchThing => {}
        }
        if findings.is_empty() {
            findings.push(DESCRIPTOR.pass("The node and its pods are far from their limits of processes."));
        }
        Ok(findings)
    }
}

fn of_node(load: &Text, settings: &Text) -> Result<Option<Finding>, AnalyzeError> {
    let Some(tasks) = tasks(&load.text) else {
        return Err(load.not_understood(&"expected running and existing tasks, as 3/1312"));
    };
    let limits = NODE_LIMITS.iter().filter_map(|name| {
        let (line, limit) = find_line(settings, |line| {
            line.strip_prefix(name)?.strip_prefix(" = ")?.parse::<u64>().ok()
        })?;
        Some((limit, line, name))
    });
    let Some((limit, line, name)) = limits.min() else {
        return Err(settings.not_understood(&"expected kernel.pid_max or kernel.threads-max"));
    };
    let share = basis_points(tasks, limit).unwrap_or(0);
    if share < WARN {
        return Ok(None);
    }
    let title = format!("The node has {tasks} processes and threads, and {name} allows {limit}.");
    let finding = if share >= FAIL {
        PID_EXHAUSTION.fail("the node's processes", title)
    } else {
        PID_EXHAUSTION.warn("the node's processes", title)
    };
    Ok(Some(
        finding.evidence(load.evidence(1)).evidence(settings.evidence(line)),
    ))
}

/// `0.52 0.58 0.59 1/1312 81234`
fn tasks(load: &str) -> Option<u64> {
    load.split(' ').nth(3)?.split_once('/')?.1.parse().ok()
}

fn of_groups(groups: &Rows<Cgroup>) -> Vec<Finding> {
    let mut near: Vec<_> = groups
        .rows
        .iter()
        .filter_map(|(line, group)| {
            let pids = group.pids.as_ref()?;
            let share = basis_points(pids.current, pids.max?)?;
            let counts = pids.max? >= SMALL_LIMIT || pids.limit_hits > 0;
            (counts && share >= WARN).then_some((share, *line, group, pids))
        })
        .collect();
    near.sort_by_key(|(share, line, ..)| (std::cmp::Reverse(*share), *line));
    near.iter()
        .take(MAX_FINDINGS)
        .map(|(share, line, group, pids)| of_group(*share, group, pids).evidence(groups.evidence(*line)))
        .collect()
}

fn of_group(share: u64, group: &Cgroup, pids: &CgroupPids) -> Finding {
    let object = owner(group.pod.as_deref(), group.container.as_deref())
        .unwrap_or_else(|| group.path.rsplit('/').next().unwrap_or_default().to_owned());
    let max = pids.max.unwrap_or(0);
    let mut title = format!(
        "{object} has {} processes and threads, and its limit is {max}",
        pids.current
    );
    if pids.limit_hits > 0 {
        title = format!("{title}: {} one could not be made", times(pids.limit_hits));
    }
    title.push('.');
    if share >= FAIL {
        PID_EXHAUSTION.fail(object, title)
    } else {
        PID_EXHAUSTION.warn(object, title)
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use periscope_documents::{Cgroup, CgroupPids, to_lines};
    use rstest::rstest;

    use super::TaskLimits;
    use crate::fixture::Artifacts;

    fn group(pod: Option<&str>, path: &str, current: u64, max: Option<u64>, limit_hits: u64) -> Cgroup {
        Cgroup {
            path: path.to_owned(),
            pod: pod.map(str::to_owned),
            pids: Some(CgroupPids {
                current,
                max,
                limit_hits,
            }),
            ..Cgroup::default()
        }
    }

    fn findings(tasks: u64, groups: &[Cgroup]) -> Vec<Finding> {
        let artifacts = Artifacts::default()
            .with("system", "loadavg.txt", format!("0.52 0.58 0.59 1/{tasks} 81234\n"))
            .with(
                "system",
                "sysctls.txt",
                "kernel.pid_max = 4194304\nkernel.threads-max = 32768\n",
            )
            .with("system", "cgroups.json", to_lines(groups).unwrap());
        TaskLimits.analyze(&artifacts).unwrap()
    }

    #[rstest]
    #[case(1312, Verdict::Pass)]
    #[case(27_000, Verdict::Warn)]
    #[case(32_000, Verdict::Fail)]
    fn the_node_is_judged_by_its_lower_limit(#[case] tasks: u64, #[case] expected: Verdict) {
        let found = findings(tasks, &[]);
        assert_eq!(found[0].verdict, expected);
        if expected != Verdict::Pass {
            assert!(
                found[0].title.contains("kernel.threads-max allows 32768"),
                "{}",
                found[0].title
            );
            assert_eq!(found[0].evidence[1].line, Some(2));
        }
    }

    #[test]
    fn a_pod_at_its_limit_is_told() {
        let found = findings(
            1312,
            &[
                group(None, "/system.slice/tiny.service", 1, Some(1), 0),
                group(Some("default/app-0"), "/kubepods/x", 1024, Some(1024), 12),
                group(Some("default/app-1"), "/kubepods/y", 10, None, 0),
            ],
        );
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Fail));
        assert_eq!(
            found[0].title,
            "pod default/app-0 has 1024 processes and threads, and its limit is 1024: 12 times one could not be made."
        );
        assert_eq!(found[0].evidence[0].line, Some(3));
    }

    #[test]
    fn what_is_not_gathered_is_unknown() {
        assert_eq!(
            TaskLimits.analyze(&Artifacts::default()).unwrap()[0].verdict,
            Verdict::Unknown
        );
    }
}
