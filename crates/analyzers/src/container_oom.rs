//! Whether containers were killed for using more memory than their limit allows; a node that is out of memory itself is
//! judged elsewhere.

use jiff::SignedDuration;
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity, Verdict};
use periscope_documents::ContainerState;

use crate::container_crash_loop::capitalised;
use crate::last_words;
use crate::runtime::{Container, Containers, Instance, containers, second};

/// Most containers that are reported one by one.
const MAX_REPORTED: usize = 5;
/// What is older is over.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// A kill as recent as this is trouble even when the container runs again.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

static CONTAINER_OOM: Fault = Fault {
    id: "container-oom",
    summary: "A container was killed for using more memory than its limit allows",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Raise the container's memory limit, or find out why it needs more than it did.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "container-oom",
    summary: "Whether containers were killed for using more memory than their limit allows",
    faults: &[&CONTAINER_OOM],
};

/// Finds containers that were out of memory.
pub(crate) struct ContainerOom;

/// A container that was killed.
struct Killed<'a> {
    instance: &'a Instance,
    restarts: u32,
    runs_again: bool,
    verdict: Verdict,
}

impl Analyzer for ContainerOom {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let all = match containers(inputs)? {
            Ok(Some(all)) => all,
            Ok(None) => return Ok(vec![DESCRIPTOR.pass("The node has no container runtime.")]),
            Err(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let mut killed: Vec<_> = all
            .containers
            .iter()
            .filter_map(|container| judge(container, inputs))
            .collect();
        killed.sort_by_key(|killed| (killed.verdict, std::cmp::Reverse(killed.restarts)));
        if killed.is_empty() {
            return Ok(vec![DESCRIPTOR.pass(
                "No container was out of memory in the last 24 hours, as far as the runtime knows.",
            )]);
        }
        let (reported, rest) = killed.split_at(killed.len().min(MAX_REPORTED));
        let mut findings: Vec<_> = reported.iter().map(|killed| report(killed, &all, inputs)).collect();
        if let Some(first) = rest.first() {
            let title = format!("{} more containers were killed at their memory limit.", rest.len());
            let evidence = rest
                .iter()
                .take(MAX_REPORTED)
                .map(|killed| all.evidence(killed.instance));
            let finding = match first.verdict {
                Verdict::Fail => CONTAINER_OOM.fail("more containers", title),
                _ => CONTAINER_OOM.warn("more containers", title),
            };
            findings.push(finding.evidences(evidence));
        }
        Ok(findings)
    }
}

fn judge<'a>(container: &'a Container, inputs: &dyn Inputs) -> Option<Killed<'a>> {
    let now = inputs.started();
    let newest = container.instances.last()?;
    let instance = container
        .instances
        .iter()
        .rev()
        .find(|instance| instance.was_out_of_memory())?;
    let ago = instance.ended_before(now)?;
    if ago > REMEMBERED {
        return None;
    }
    let runs_again = newest.row.state == ContainerState::Running;
    let verdict = if ago <= RECENT || (container.pod_is_up && !runs_again) {
        Verdict::Fail
    } else {
        Verdict::Warn
    };
    Some(Killed {
        instance,
        restarts: newest.row.restarts,
        runs_again,
        verdict,
    })
}

fn report(killed: &Killed, all: &Containers, inputs: &dyn Inputs) -> Finding {
    let row = &killed.instance.row;
    let object = killed.instance.object();
    let since = match (killed.runs_again, killed.restarts) {
        (true, _) => "; it runs again",
        (false, 0) => "",
        (false, _) => "; it does not run",
    };
    let title = format!(
        "{} was killed for using more memory than its limit allows, last at {}, after {} restarts{since}.",
        capitalised(&object),
        second(row.finished),
        killed.restarts,
    );
    let finding = match killed.verdict {
        Verdict::Fail => CONTAINER_OOM.fail(object, title),
        _ => CONTAINER_OOM.warn(object, title),
    };
    let words = last_words::of(inputs, row)
        .map(|words| words.evidence)
        .unwrap_or_default();
    finding.evidence(all.evidence(killed.instance)).evidences(words)
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Verdict};
    use periscope_documents::RuntimeContainer;
    use rstest::rstest;

    use super::ContainerOom;
    use crate::fixture::Artifacts;
    use crate::runtime::tests::{ended, node, running};

    fn killed(restarts: u32, minutes: i64) -> RuntimeContainer {
        RuntimeContainer {
            reason: "OOMKilled".to_owned(),
            ..ended(restarts, minutes, 137)
        }
    }

    #[rstest]
    #[case::just_now(&[killed(3, 2)], Verdict::Fail)]
    #[case::runs_again(&[killed(3, 2), running(4, 1)], Verdict::Fail)]
    #[case::hours_ago(&[killed(0, 300), running(1, 299)], Verdict::Warn)]
    #[case::two_days_ago(&[killed(0, 2900), running(1, 2899)], Verdict::Pass)]
    #[case::killed_otherwise(&[ended(3, 2, 137)], Verdict::Pass)]
    #[case::healthy(&[running(0, 10)], Verdict::Pass)]
    fn verdicts(#[case] containers: &[RuntimeContainer], #[case] verdict: Verdict) {
        let found = ContainerOom.analyze(&node(containers, true)).unwrap();
        assert_eq!(
            found.iter().map(|f| f.verdict).collect::<Vec<_>>(),
            [verdict],
            "{found:#?}"
        );
    }

    #[test]
    fn the_finding_names_the_container_and_its_line() {
        let found = ContainerOom
            .analyze(&node(&[running(9, 1), killed(8, 2)], true))
            .unwrap();
        assert_eq!(
            found[0].title,
            "Container web of pod shop/web-1 was killed for using more memory than its limit allows, last at \
             2026-11-20T09:58:00Z, after 9 restarts; it runs again."
        );
        assert_eq!(found[0].evidence[0].line, Some(3));
        assert!(found[0].evidence[0].quote.contains("OOMKilled"));
    }

    #[test]
    fn what_was_not_gathered_is_unknown() {
        let found = ContainerOom.analyze(&Artifacts::default()).unwrap();
        assert_eq!(found[0].verdict, Verdict::Unknown);
    }
}
