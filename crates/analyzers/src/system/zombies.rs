//! Processes that have ended and whose parent does not ask how: each keeps a number, and many mean a broken parent.

use std::collections::BTreeMap;

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Process, names};

use super::input::{self, Input, Rows};
use super::processes::name;

static ZOMBIE_PROCESSES: Fault = Fault {
    id: "zombie-processes",
    summary: "Many processes have ended and are not reaped by their parent",
    severity: Severity::Medium,
    caused_by: &[],
    remedy: "Restart the parent, which makes them go away; in a pod, run an init such as tini as the container's first \
             process, or set `shareProcessNamespace`.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "zombie-processes",
    summary: "Whether many processes have ended and are not reaped",
    faults: &[&ZOMBIE_PROCESSES],
};

/// So many are no accident (the same number as the EKS node monitoring agent's `ExcessiveZombieProcesses`).
const MANY: usize = 20;

/// Most zombies shown.
const MAX_EVIDENCE: usize = 3;

/// Finds zombies.
pub(crate) struct Zombies;

impl Analyzer for Zombies {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let processes: Rows<Process> = match input::rows(inputs, names::PROCESSES)? {
            Input::Known(processes) => processes,
            Input::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("The node shows no processes.")]),
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let mut children: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for (line, process) in processes.rows.iter().filter(|(_, process)| process.state == "Z") {
            children.entry(process.parent).or_default().push(*line);
        }
        let count: usize = children.values().map(Vec::len).sum();
        let worst = children.into_iter().max_by_key(|(_, zombies)| zombies.len());
        let Some((parent, zombies)) = worst.filter(|_| count >= MANY) else {
            return Ok(vec![DESCRIPTOR.pass(format!("The node has {count} zombie processes."))]);
        };
        let found = processes.rows.iter().find(|(_, process)| process.pid == parent);
        let object = found.map_or_else(|| format!("pid {parent}"), |(_, process)| name(process));
        let title = format!(
            "{count} processes have ended and are not reaped, {} of them by {object}.",
            zombies.len()
        );
        let lines = found.map(|(line, _)| *line).into_iter().chain(zombies);
        let evidence = lines.take(MAX_EVIDENCE + 1).map(|line| processes.evidence(line));
        Ok(vec![ZOMBIE_PROCESSES.warn(object, title).evidences(evidence)])
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use periscope_documents::{Process, to_lines};

    use super::Zombies;
    use crate::fixture::Artifacts;

    fn finding(zombies: u32) -> Finding {
        let mut processes = vec![Process {
            pid: 77,
            name: "sh".to_owned(),
            state: "S".to_owned(),
            pod: Some("default/app-0".to_owned()),
            ..Process::default()
        }];
        processes.extend((0..zombies).map(|n| Process {
            pid: 100 + n,
            parent: if n == 0 { 1 } else { 77 },
            state: "Z".to_owned(),
            ..Process::default()
        }));
        let artifacts = Artifacts::default().with("system", "processes.json", to_lines(&processes).unwrap());
        Zombies.analyze(&artifacts).unwrap().remove(0)
    }

    #[test]
    fn many_zombies_are_told_with_their_parent() {
        let found = finding(25);
        assert_eq!(found.verdict, Verdict::Warn);
        assert_eq!(
            found.title,
            "25 processes have ended and are not reaped, 24 of them by sh (pid 77, pod default/app-0)."
        );
        let lines: Vec<_> = found.evidence.iter().map(|e| e.line).collect();
        assert_eq!(lines, [Some(2), Some(4), Some(5), Some(6)]);
    }

    #[test]
    fn a_few_are_no_trouble() {
        assert_eq!(finding(5).verdict, Verdict::Pass);
        assert_eq!(
            Zombies.analyze(&Artifacts::default()).unwrap()[0].verdict,
            Verdict::Unknown
        );
    }
}
