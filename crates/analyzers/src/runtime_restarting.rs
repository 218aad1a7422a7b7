//! Whether the container runtime is started over and over, by what it and systemd say about its starts.

use jiff::SignedDuration;
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, LineHit, Severity, State};

use crate::log_inputs;
use crate::runtime::second;

/// The rules, whose window is an hour.
const STARTED: &str = "runtime-started";
const SCHEDULED: &str = "runtime-restart-scheduled";
/// Restarts in that hour that are too many: provisioning starts a runtime twice, an upgrade once more.
const TOO_MANY: u64 = 3;
/// A start as recent as this says that it goes on.
const GOES_ON: SignedDuration = SignedDuration::from_mins(15);
/// Lines that are quoted.
const QUOTED: usize = 4;
/// The journals that tell, either of them.
const JOURNALS: [&str; 2] = ["journal/containerd.log", "journal/docker.log"];

static RESTARTING: Fault = Fault {
    id: "runtime-restarting",
    summary: "The container runtime ends and is started over and over",
    severity: Severity::High,
    caused_by: &[
        "disk-full",
        "inodes-full",
        "filesystem-read-only",
        "oom-kill",
        "fd-exhaustion",
    ],
    remedy: "Read what the runtime says in its journal right before each start.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "runtime-restarting",
    summary: "Whether the container runtime is started over and over",
    faults: &[&RESTARTING],
};

/// Counts starts of the runtime.
pub(crate) struct RuntimeRestarting;

impl Analyzer for RuntimeRestarting {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        // Its first start is none again.
        let restarts = inputs.hit_count(STARTED).saturating_sub(1);
        let scheduled = inputs.hit_count(SCHEDULED);
        let (count, hits) = if scheduled >= restarts {
            (scheduled, inputs.hits(SCHEDULED))
        } else {
            (restarts, inputs.hits(STARTED))
        };
        if count < TOO_MANY {
            return Ok(vec![quiet(inputs)]);
        }
        let last = hits.last().and_then(|hit| hit.time);
        let title = format!(
            "The container runtime was started again {count} times in the last hour, last at {}.",
            second(last)
        );
        let goes_on = last.is_none_or(|last| inputs.started().duration_since(last) <= GOES_ON);
        let finding = if goes_on {
            RESTARTING.fail("container runtime", title)
        } else {
            RESTARTING.warn("container runtime", title)
        };
        let newest = hits.iter().rev().take(QUOTED).map(LineHit::evidence);
        Ok(vec![finding.evidences(newest)])
    }
}

/// What is said where no restarts were seen: that there were none, if they would have been seen.
fn quiet(inputs: &dyn Inputs) -> Finding {
    let read = JOURNALS
        .iter()
        .any(|name| log_inputs::state(inputs, name) == Some(State::Collected));
    if read {
        DESCRIPTOR.pass("The container runtime was not started over and over in the last hour.")
    } else {
        DESCRIPTOR.unknown(format!(
            "Neither {} nor {} was gathered whole.",
            JOURNALS[0], JOURNALS[1]
        ))
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Verdict};
    use rstest::rstest;

    use super::RuntimeRestarting;
    use crate::fixture::Artifacts;

    const FILE: &str = "nodes/node1/system-logs/journal/containerd.log";

    fn node(rule: &str, minutes: &[u32]) -> Artifacts {
        let journal = Artifacts::default().with("system-logs", "journal/containerd.log", "");
        minutes.iter().zip(1..).fold(journal, |node, (minute, line)| {
            let time = format!("2026-11-20T09:{minute:02}:00Z");
            node.hit(rule, (FILE, line), Some(&time), "starting containerd", &[])
        })
    }

    #[rstest]
    #[case::once(node("runtime-started", &[10]), Verdict::Pass)]
    #[case::provisioned(node("runtime-started", &[10, 11, 12]), Verdict::Pass)]
    #[case::goes_on(node("runtime-started", &[10, 20, 30, 58]), Verdict::Fail)]
    #[case::is_over(node("runtime-started", &[10, 11, 12, 13]), Verdict::Warn)]
    #[case::by_systemd(node("runtime-restart-scheduled", &[57, 58, 59]), Verdict::Fail)]
    #[case::nothing_seen(node("x", &[]), Verdict::Pass)]
    #[case::not_gathered(Artifacts::default(), Verdict::Unknown)]
    fn verdicts(#[case] node: Artifacts, #[case] verdict: Verdict) {
        assert_eq!(RuntimeRestarting.analyze(&node).unwrap()[0].verdict, verdict);
    }

    #[test]
    fn the_newest_lines_are_the_evidence() {
        let found = RuntimeRestarting
            .analyze(&node("runtime-started", &[50, 51, 52, 53, 58]))
            .unwrap();
        assert_eq!(
            found[0].title,
            "The container runtime was started again 4 times in the last hour, last at 2026-11-20T09:58:00Z."
        );
        let lines: Vec<_> = found[0].evidence.iter().filter_map(|evidence| evidence.line).collect();
        assert_eq!(lines, [5, 4, 3, 2]);
    }
}
