//! Whether the node has memory left, by the kubelet's own threshold, and whether it stands still for lack of it. What a
//! pod's own limit does to the pod is told by the kernel's kills.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::names;

use super::eviction::{Threshold, Thresholds};
use super::input::{self, Input, find_line};
use super::pressure::Pressure;
use super::processes::Processes;
use super::words::{bytes, list};
use crate::artifact::Text;

static MEMORY_PRESSURE: Fault = Fault {
    id: "memory-pressure",
    summary: "The node has hardly any memory left, or stands still for lack of it",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Set memory requests and limits for the pods that use most, move some of them to other nodes, or use larger \
             nodes.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "memory-pressure",
    summary: "Whether the node has memory left and does not stand still for lack of it",
    faults: &[&MEMORY_PRESSURE],
};

/// A warning begins when less than this is left, in hundredths of a percent of the node's memory.
const LITTLE: u64 = 400;

/// Shares of a minute, in hundredths of a percent: all tasks stood still, or some did. A healthy node has hardly any.
const FULL_STALL: u64 = 1000;
const SOME_STALL: u64 = 2500;

/// Below this share of the node's memory, in hundredths of a percent, a standstill is the node's and not of one pod
/// that is near its own limit.
const NODE_IS_SHORT: u64 = 1000;

/// Most processes that are named, and what they have at least.
const NAMED: usize = 3;
const LARGE: u64 = 64 << 20;

/// What has the fault.
const OBJECT: &str = "the node's memory";

/// Judges memory.
pub(crate) struct MemoryPressure;

struct Memory {
    text: Text,
    total: u64,
    available: u64,
    line: u64,
}

impl Analyzer for MemoryPressure {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let memory = match input::text(inputs, names::MEMINFO)? {
            Input::Known(text) => Memory::parse(text)?,
            Input::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("The node shows no /proc/meminfo.")]),
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let pressure = match Pressure::of(inputs, names::MEMORY_PRESSURE)? {
            Input::Known(pressure) => Some(pressure),
            Input::NoSuchThing => None,
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let thresholds = Thresholds::of(inputs)?;
        let mut trouble = of_amount(&memory, &thresholds).or_else(|| of_stalls(&memory, pressure.as_ref()));
        if let Some(finding) = &mut trouble {
            let (words, evidence) =
                Processes::of(inputs)?.largest(NAMED, LARGE, |process| process.resident_bytes, bytes);
            if !words.is_empty() {
                finding.title = format!("{}; most has {}", finding.title, list(&words));
            }
            finding.title.push('.');
            finding.evidence.extend(evidence);
        }
        Ok(vec![trouble.unwrap_or_else(|| {
            let title = format!(
                "{} of {} memory are left.",
                bytes(memory.available),
                bytes(memory.total)
            );
            DESCRIPTOR.pass(title).evidence(memory.evidence())
        })])
    }
}

/// Too little is left.
fn of_amount(memory: &Memory, thresholds: &Thresholds) -> Option<Finding> {
    let left = format!("{} of {} memory are left", bytes(memory.available), bytes(memory.total));
    let finding = if thresholds.memory.is_passed(memory.available, memory.total) {
        let more = if thresholds.are_known {
            ", and the kubelet evicts pods"
        } else {
            ""
        };
        MEMORY_PRESSURE.fail(OBJECT, format!("The node is out of memory: {left}{more}"))
    } else if Threshold::Share(LITTLE).is_passed(memory.available, memory.total) {
        MEMORY_PRESSURE.warn(OBJECT, format!("The node is short of memory: {left}"))
    } else {
        return None;
    };
    Some(finding.evidence(memory.evidence()))
}

/// Tasks wait for memory.
fn of_stalls(memory: &Memory, pressure: Option<&Pressure>) -> Option<Finding> {
    let pressure = pressure?;
    let is_short = Threshold::Share(NODE_IS_SHORT).is_passed(memory.available, memory.total);
    let left = format!("{} of {} are left", bytes(memory.available), bytes(memory.total));
    if let Some(full) = pressure.full.as_ref().filter(|full| full.minute >= FULL_STALL) {
        let stall = full.percent();
        let finding = if is_short {
            let title = format!("The node stood still for {stall} of the last minute for lack of memory: {left}");
            MEMORY_PRESSURE.fail(OBJECT, title)
        } else {
            let title = format!(
                "All tasks waited for memory for {stall} of the last minute, though {left}: pods are at their own limits"
            );
            MEMORY_PRESSURE.warn(OBJECT, title)
        };
        return Some(finding.evidence(pressure.evidence(full)).evidence(memory.evidence()));
    }
    pressure.some.is_lasting(SOME_STALL).then(|| {
        let stall = pressure.some.percent();
        let title = format!("Tasks waited for memory for {stall} of the last minute; {left}");
        MEMORY_PRESSURE
            .warn(OBJECT, title)
            .evidence(pressure.evidence(&pressure.some))
            .evidence(memory.evidence())
    })
}

impl Memory {
    fn parse(text: Text) -> Result<Self, AnalyzeError> {
        let amount = |key: &str| {
            find_line(&text, |line| {
                let kib: u64 = line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok()?;
                Some(kib.saturating_mul(1024))
            })
        };
        let (Some((_, total)), Some((line, available))) = (amount("MemTotal:"), amount("MemAvailable:")) else {
            return Err(text.not_understood(&"expected MemTotal and MemAvailable"));
        };
        Ok(Self {
            text,
            total,
            available,
            line,
        })
    }

    fn evidence(&self) -> Evidence {
        self.text.evidence(self.line)
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::{Process, to_lines};
    use rstest::rstest;

    use super::MemoryPressure;
    use crate::fixture::Artifacts;

    fn artifacts(available_mib: u64, some: &str, full: &str) -> Artifacts {
        let meminfo = format!(
            "MemTotal:       16777216 kB\nMemFree:          412340 kB\nMemAvailable:   {} kB\n",
            available_mib * 1024
        );
        let pressure = format!(
            "some avg10=0.00 avg60={some} avg300={some} total=1\nfull avg10=0.00 avg60={full} avg300=0.00 total=1\n"
        );
        let java = Process {
            pid: 4321,
            name: "java".to_owned(),
            resident_bytes: 3 << 30,
            pod: Some("default/app-0".to_owned()),
            container: Some("app".to_owned()),
            ..Process::default()
        };
        Artifacts::default()
            .with(
                "kubelet",
                "cmdline.txt",
                "kubelet\n--eviction-hard=memory.available<100Mi\n",
            )
            .with("system", "meminfo.txt", meminfo)
            .with("system", "pressure/memory.txt", pressure)
            .with(
                "system",
                "processes.json",
                to_lines(&[Process::default(), java]).unwrap(),
            )
    }

    fn finding(artifacts: &Artifacts) -> Finding {
        let mut findings = MemoryPressure.analyze(artifacts).unwrap();
        assert_eq!(findings.len(), 1);
        findings.remove(0)
    }

    #[test]
    fn what_the_kubelet_evicts_for_is_a_failure_with_its_users() {
        let found = finding(&artifacts(80, "5.00", "3.00"));
        assert_eq!(found.verdict, Verdict::Fail);
        assert_eq!(
            found.title,
            "The node is out of memory: 80.0 MiB of 16.0 GiB memory are left, and the kubelet evicts pods; most has java \
             (pid 4321, container app of pod default/app-0) with 3.0 GiB."
        );
        let places: Vec<_> = found.evidence.iter().map(|e| (e.file.as_str(), e.line)).collect();
        assert_eq!(
            places,
            [
                ("nodes/node1/system/meminfo.txt", Some(3)),
                ("nodes/node1/system/processes.json", Some(3)),
            ]
        );
    }

    #[rstest]
    #[case::healthy(11_000, "0.10", "0.00", Verdict::Pass)]
    #[case::busy(4_000, "12.00", "4.00", Verdict::Pass)]
    #[case::short(600, "0.00", "0.00", Verdict::Warn)]
    #[case::standstill(1_200, "60.00", "35.00", Verdict::Fail)]
    #[case::a_pod_at_its_limit(9_000, "60.00", "35.00", Verdict::Warn)]
    #[case::some(9_000, "30.00", "2.00", Verdict::Warn)]
    fn verdicts(#[case] available_mib: u64, #[case] some: &str, #[case] full: &str, #[case] expected: Verdict) {
        assert_eq!(finding(&artifacts(available_mib, some, full)).verdict, expected);
    }

    #[test]
    fn a_kernel_without_pressure_files_is_judged_by_what_is_left() {
        let artifacts = artifacts(11_000, "0.00", "0.00").without("system", "pressure/memory.txt", State::NotPresent);
        assert_eq!(finding(&artifacts).verdict, Verdict::Pass);
        let denied = artifacts.without("system", "pressure/memory.txt", State::Denied);
        assert_eq!(finding(&denied).verdict, Verdict::Unknown);
        assert_eq!(finding(&Artifacts::default()).verdict, Verdict::Unknown);
    }
}
