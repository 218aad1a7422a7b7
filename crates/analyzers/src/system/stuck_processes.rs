//! Processes that waited in the kernel all the time they were looked at, for a disk, a server or a lock: not even a
//! kill ends them.

use std::collections::BTreeMap;

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Process, names};

use super::input::{self, Input, Rows};
use super::processes::name;

static STUCK_PROCESSES: Fault = Fault {
    id: "stuck-processes",
    summary: "Processes wait in the kernel (state D) and cannot even be killed",
    severity: Severity::High,
    caused_by: &["io-errors", "filesystem-corrupt", "hung-task", "io-pressure"],
    remedy: "See in the kernel function what they wait for: a disk (look for I/O errors and throttling), an NFS or SMB \
             server (see that it answers), or a frozen file system; only when that answers, or by a reboot, do they go on.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "stuck-processes",
    summary: "Whether processes wait in the kernel and cannot be killed",
    faults: &[&STUCK_PROCESSES],
};

/// So many at once are a failure; a single one may have met a slow moment.
const MANY: usize = 5;

/// A parent waits like this for a child that it made with vfork(2), which is no fault.
const HARMLESS: &str = "vfork";

/// Most processes shown.
const MAX_EVIDENCE: usize = 5;

/// Finds stuck processes.
pub(crate) struct StuckProcesses;

impl Analyzer for StuckProcesses {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let processes: Rows<Process> = match input::rows(inputs, names::PROCESSES)? {
            Input::Known(processes) => processes,
            Input::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("The node shows no processes.")]),
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let stuck: Vec<_> = processes.rows.iter().filter(|(_, process)| is_stuck(process)).collect();
        let Some((_, first)) = stuck.first() else {
            return Ok(vec![DESCRIPTOR.pass("No process waits in the kernel all the time.")]);
        };
        let mut functions: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, process) in &stuck {
            *functions
                .entry(process.waits_in.as_deref().unwrap_or_default())
                .or_default() += 1;
        }
        let most = functions.into_iter().max_by_key(|(_, count)| *count);
        let place = match most {
            Some((function, _)) if !function.is_empty() => format!(" in {function}"),
            _ => String::new(),
        };
        let object = name(first);
        let title = match stuck.len() {
            1 => format!("{object} waits in the kernel{place} and cannot be killed."),
            count => format!("{count} processes wait in the kernel{place} and cannot be killed, {object} among them."),
        };
        let finding = if stuck.len() >= MANY {
            STUCK_PROCESSES.fail(object, title)
        } else {
            STUCK_PROCESSES.warn(object, title)
        };
        let evidence = stuck
            .iter()
            .take(MAX_EVIDENCE)
            .map(|(line, _)| processes.evidence(*line));
        Ok(vec![finding.evidences(evidence)])
    }
}

fn is_stuck(process: &Process) -> bool {
    let is_vfork = process
        .waits_in
        .as_deref()
        .is_some_and(|function| function.contains(HARMLESS))
        || process.stack.iter().any(|frame| frame.contains(HARMLESS));
    process.stuck && !is_vfork
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use periscope_documents::{Process, to_lines};

    use super::StuckProcesses;
    use crate::fixture::Artifacts;

    fn process(pid: u32, stuck: bool, waits_in: &str) -> Process {
        Process {
            pid,
            name: "dd".to_owned(),
            state: "D".to_owned(),
            stuck,
            waits_in: Some(waits_in.to_owned()),
            ..Process::default()
        }
    }

    fn finding(processes: &[Process]) -> Finding {
        let artifacts = Artifacts::default().with("system", "processes.json", to_lines(processes).unwrap());
        StuckProcesses.analyze(&artifacts).unwrap().remove(0)
    }

    #[test]
    fn who_is_stuck_is_told_with_the_place() {
        let found = finding(&[process(1, false, "io_schedule"), process(2, true, "percpu_rwsem_wait")]);
        assert_eq!(
            (found.verdict, found.title.as_str()),
            (
                Verdict::Warn,
                "dd (pid 2) waits in the kernel in percpu_rwsem_wait and cannot be killed."
            )
        );
        assert_eq!(found.evidence[0].line, Some(3));
        let many: Vec<_> = (1..7).map(|pid| process(pid, true, "rpc_wait_bit_killable")).collect();
        let found = finding(&many);
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(
            found
                .title
                .starts_with("6 processes wait in the kernel in rpc_wait_bit_killable")
        );
    }

    #[test]
    fn waiting_for_a_moment_or_for_a_child_is_no_trouble() {
        let found = finding(&[
            process(1, false, "io_schedule"),
            process(2, true, "wait_for_vfork_done"),
        ]);
        assert_eq!(found.verdict, Verdict::Pass);
        let missing = StuckProcesses.analyze(&Artifacts::default()).unwrap();
        assert_eq!(missing[0].verdict, Verdict::Unknown);
    }
}
