//! Whether containers end and are started over and over, how each ended and what it said last. Those that went over
//! their memory limit are [`container_oom`](crate::container_oom)'s.

use jiff::SignedDuration;
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity, Verdict};
use periscope_documents::ContainerState;

use crate::runtime::{Container, Containers, Instance, containers, second};
use crate::{container_exit_codes, last_words};

/// Most containers that are reported one by one.
const MAX_REPORTED: usize = 5;
/// A container that ended longer ago and was not started again since is not being started again: a kubelet waits 5
/// minutes at most (`MaxContainerBackOff` of Kubernetes).
const WAITS_AT_MOST: SignedDuration = SignedDuration::from_mins(15);
/// A container that runs for so long counts as recovered: then a kubelet forgets its restarts (twice the longest wait).
const RECOVERED_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How long after its last end a container that runs again is still worth a word.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);
/// Restarts that are more than a stumble of the start.
const MANY: u32 = 3;

static CRASH_LOOP: Fault = Fault {
    id: "container-crash-loop",
    summary: "A container ends soon after each start",
    severity: Severity::High,
    caused_by: &[
        "volume-mount-failed",
        "dns-server-failing",
        "api-server-unreachable",
        "filesystem-read-only",
    ],
    remedy: "Read the end of the container's log, and correct what it complains about.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "container-crash-loop",
    summary: "Whether containers end and are started over and over",
    faults: &[&CRASH_LOOP],
};

/// Finds crash loops.
pub(crate) struct CrashLoops;

/// A container that is in a loop.
struct Loop<'a> {
    /// The instance that ended last.
    ended: &'a Instance,
    restarts: u32,
    verdict: Verdict,
}

impl Analyzer for CrashLoops {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let all = match containers(inputs)? {
            Ok(Some(all)) => all,
            Ok(None) => return Ok(vec![DESCRIPTOR.pass("The node has no container runtime.")]),
            Err(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let mut loops: Vec<_> = all
            .containers
            .iter()
            .filter_map(|container| judge(container, inputs))
            .collect();
        loops.sort_by_key(|found| (found.verdict, std::cmp::Reverse(found.restarts)));
        if loops.is_empty() {
            let title = format!("None of {} containers is in a crash loop.", all.containers.len());
            return Ok(vec![DESCRIPTOR.pass(title)]);
        }
        let (reported, rest) = loops.split_at(loops.len().min(MAX_REPORTED));
        let mut findings: Vec<_> = reported.iter().map(|found| report(found, &all, inputs)).collect();
        if let Some(first) = rest.first() {
            let title = format!(
                "{} more containers are in a crash loop or were within the last hour.",
                rest.len()
            );
            let finding = match first.verdict {
                Verdict::Fail => CRASH_LOOP.fail("more containers", title),
                _ => CRASH_LOOP.warn("more containers", title),
            };
            let evidence = rest.iter().take(MAX_REPORTED).map(|found| all.evidence(found.ended));
            findings.push(finding.evidences(evidence));
        }
        Ok(findings)
    }
}

fn judge<'a>(container: &'a Container, inputs: &dyn Inputs) -> Option<Loop<'a>> {
    let now = inputs.started();
    let (newest, before) = container.instances.split_last()?;
    let restarts = newest.row.restarts;
    let found = |ended: &'a Instance, verdict| {
        (!ended.was_out_of_memory()).then_some(Loop {
            ended,
            restarts,
            verdict,
        })
    };
    match newest.row.state {
        ContainerState::Exited => {
            let waits = container.pod_is_up && newest.ended_before(now)? <= WAITS_AT_MOST;
            if waits && newest.has_failed() && restarts > 0 {
                found(newest, Verdict::Fail)
            } else if waits && newest.row.exit_code == Some(0) && restarts >= MANY {
                // Its pod restarts it although it ended well: it should have gone on.
                found(newest, Verdict::Warn)
            } else {
                None
            }
        }
        ContainerState::Running => {
            let ended = before
                .iter()
                .rev()
                .find(|instance| instance.row.state == ContainerState::Exited)?;
            if restarts < MANY || !ended.has_failed() || ended.ended_before(now)? > REMEMBERED {
                return None;
            }
            if newest.started_before(now)? < RECOVERED_AFTER {
                found(ended, Verdict::Fail)
            } else {
                found(ended, Verdict::Warn)
            }
        }
        ContainerState::Created | ContainerState::Unknown => None,
    }
}

fn report(found: &Loop, all: &Containers, inputs: &dyn Inputs) -> Finding {
    let Loop {
        ended,
        restarts,
        verdict,
    } = found;
    let row = &ended.row;
    let code = row.exit_code.unwrap_or_default();
    let object = ended.object();
    let mut title = format!(
        "{} keeps ending: started {} times, last ended at {} with exit code {code} ({})",
        capitalised(&object),
        restarts + 1,
        second(row.finished),
        container_exit_codes::meaning(code, &row.reason),
    );
    if !row.message.is_empty() {
        let message: String = row.message.chars().take(200).collect();
        title = format!("{title}: {}", message.trim());
    }
    let words = last_words::of(inputs, row);
    if let Some(said) = words.as_ref().and_then(|words| words.said.as_ref()) {
        title = format!("{title}; its last words: {said}");
    }
    title.push('.');
    let mut finding = match verdict {
        Verdict::Fail => CRASH_LOOP.fail(object, title),
        _ => CRASH_LOOP.warn(object, title),
    };
    finding = finding.evidence(all.evidence(ended));
    match words {
        Some(words) => {
            let remedy = remedy(ended).unwrap_or_else(|| {
                format!("Read the end of {}, and correct what it complains about.", words.file)
            });
            finding.evidences(words.evidence).remedy(remedy)
        }
        None => finding.remedy(remedy(ended).unwrap_or_else(|| {
            format!(
                "Collect again with `--namespaces {}` for its log, or read it with `kubectl logs --previous --namespace {} {} \
                 --container {}`.",
                row.namespace, row.namespace, row.pod, row.name
            )
        })),
    }
}

/// What to do where the log of the container is not the place to look.
fn remedy(ended: &Instance) -> Option<String> {
    let row = &ended.row;
    let remedy = match (row.reason.as_str(), row.exit_code?) {
        ("StartError" | "ContainerCannotRun", _) | (_, 126 | 127) => {
            format!("Correct the command or the image ({}) of the container.", row.image)
        }
        (_, 0) => "Let the program run on in the foreground, or give its pod another restart policy.".to_owned(),
        (_, 137 | 143) => {
            "Look for a failed liveness probe or an eviction in the pod's events, and at the memory of the node."
                .to_owned()
        }
        _ => return None,
    };
    Some(remedy)
}

pub(crate) fn capitalised(words: &str) -> String {
    let mut chars = words.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::{RuntimeContainer, names};
    use rstest::rstest;

    use super::CrashLoops;
    use crate::fixture::Artifacts;
    use crate::runtime::tests::{ended, node, running};

    fn found(artifacts: &Artifacts) -> Vec<Finding> {
        CrashLoops.analyze(artifacts).unwrap()
    }

    fn out_of_memory(row: RuntimeContainer) -> RuntimeContainer {
        RuntimeContainer {
            reason: "OOMKilled".to_owned(),
            ..row
        }
    }

    #[rstest]
    #[case::waits_for_its_next_start(&[ended(4, 3, 1)], Verdict::Fail)]
    #[case::ended_twice(&[ended(1, 1, 1)], Verdict::Fail)]
    #[case::runs_between_two_ends(&[ended(6, 2, 1), running(7, 1)], Verdict::Fail)]
    #[case::ran_on_after_many(&[ended(6, 30, 1), running(7, 29)], Verdict::Warn)]
    #[case::ends_well_and_should_not(&[ended(5, 2, 0)], Verdict::Warn)]
    #[case::cannot_be_started(&[ended(2, 1, 128)], Verdict::Fail)]
    #[case::healthy(&[running(0, 600)], Verdict::Pass)]
    #[case::stumbled_at_its_start(&[ended(0, 31, 3), running(1, 30)], Verdict::Pass)]
    #[case::first_end(&[ended(0, 1, 1)], Verdict::Pass)]
    #[case::job_that_completed(&[ended(0, 1, 0)], Verdict::Pass)]
    #[case::restarted_long_ago(&[ended(6, 90, 1), running(7, 89)], Verdict::Pass)]
    #[case::over_since_yesterday(&[ended(6, 1500, 1)], Verdict::Pass)]
    #[case::out_of_memory(&[out_of_memory(ended(6, 1, 137))], Verdict::Pass)]
    fn verdicts(#[case] containers: &[RuntimeContainer], #[case] verdict: Verdict) {
        let found = found(&node(containers, true));
        assert_eq!(
            found.iter().map(|f| f.verdict).collect::<Vec<_>>(),
            [verdict],
            "{found:#?}"
        );
    }

    #[test]
    fn a_job_that_failed_for_good_is_no_loop() {
        assert_eq!(found(&node(&[ended(2, 1, 1)], false))[0].verdict, Verdict::Pass);
    }

    #[test]
    fn the_finding_names_the_container_its_end_and_its_last_words() {
        let artifacts = node(&[running(0, 5), ended(4, 3, 139)], true).with(
            "container-logs",
            "pods/shop_web-1_u1/web/4.log",
            "2026-11-20T09:56:59.1Z stdout F starting\n2026-11-20T09:57:00.1Z stderr F segmentation fault in shop.so\n",
        );
        let finding = &found(&artifacts)[0];
        assert_eq!(
            finding.title,
            "Container web of pod shop/web-1 keeps ending: started 5 times, last ended at 2026-11-20T09:57:00Z with exit code \
             139 (SIGSEGV: a fault in the program's use of memory); its last words: segmentation fault in shop.so."
        );
        assert_eq!(finding.object, "container web of pod shop/web-1");
        let places: Vec<_> = finding.evidence.iter().map(|e| (e.file.as_str(), e.line)).collect();
        assert_eq!(
            places,
            [
                ("nodes/node1/container-runtime/containers.json", Some(3)),
                ("nodes/node1/container-logs/pods/shop_web-1_u1/web/4.log", Some(2)),
                ("nodes/node1/container-logs/pods/shop_web-1_u1/web/4.log", Some(1)),
            ]
        );
        assert!(finding.remedy.contains("web/4.log"), "{}", finding.remedy);
    }

    #[test]
    fn without_its_log_the_remedy_says_how_to_get_it() {
        let finding = &found(&node(&[ended(4, 3, 1)], true))[0];
        assert!(
            finding
                .remedy
                .contains("kubectl logs --previous --namespace shop web-1 --container web")
        );
    }

    #[test]
    fn many_are_counted() {
        let rows: Vec<_> = (0..9)
            .map(|n| RuntimeContainer {
                name: format!("c{n}"),
                ..ended(4 + n, 3, 1)
            })
            .collect();
        let found = found(&node(&rows, true));
        assert_eq!(found.len(), 6);
        assert!(found[0].title.contains("started 13 times"), "{}", found[0].title);
        assert!(found[5].title.starts_with("4 more containers"), "{}", found[5].title);
    }

    #[rstest]
    #[case::not_gathered(Artifacts::default(), Verdict::Unknown)]
    #[case::cut(Artifacts::default().ended(names::CONTAINER_RUNTIME, names::RUNTIME_CONTAINERS, State::TimedOut, "[\n"), Verdict::Unknown)]
    #[case::no_runtime(Artifacts::default().without(names::CONTAINER_RUNTIME, names::RUNTIME_CONTAINERS, State::NotPresent), Verdict::Pass)]
    fn what_is_not_known_is_not_a_pass(#[case] artifacts: Artifacts, #[case] verdict: Verdict) {
        assert_eq!(found(&artifacts)[0].verdict, verdict);
    }
}
