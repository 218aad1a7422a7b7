//! Whether tasks get a processor: only when very many wait, all the time. A node whose processors are all busy is used
//! well, and no trouble.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::names;

use super::input::{self, Input};
use super::pressure::Pressure;
use super::processes::Processes;
use super::words::list;

static CPU_PRESSURE: Fault = Fault {
    id: "cpu-pressure",
    summary: "So many tasks want a processor that all of them wait most of the time",
    severity: Severity::Medium,
    caused_by: &[],
    remedy: "Set CPU requests for the pods that use most, so that the scheduler spreads them, or use larger nodes.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "cpu-pressure",
    summary: "Whether tasks get a processor when they want one",
    faults: &[&CPU_PRESSURE],
};

/// Share of the last minutes in which some task waited, in hundredths of a percent.
const STALL: u64 = 9000;

/// So many tasks for each processor, and so many more than processors, want to run: a build machine with twice as many
/// jobs as processors is no fault, and on few processors a short burst is none either.
const TASKS_PER_CPU: u64 = 4;
const TASKS_MORE: u64 = 16;

/// Where the kernel tells no pressure, the load alone must be so high for each processor.
const LOAD_ALONE: u64 = 10;

/// Most processes that are named, and the milliseconds of the sample they have at least.
const NAMED: usize = 3;
const BUSY_MILLIS: u64 = 100;

/// Judges processors.
pub(crate) struct CpuPressure;

impl Analyzer for CpuPressure {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let (stat, load) = (
            input::text(inputs, names::KERNEL_STAT)?,
            input::text(inputs, names::LOADAVG)?,
        );
        let (stat, load) = match (stat, load) {
            (Input::Known(stat), Input::Known(load)) => (stat, load),
            (Input::Missing(why), _) | (_, Input::Missing(why)) => return Ok(vec![DESCRIPTOR.unknown(why)]),
            _ => return Ok(vec![DESCRIPTOR.unknown("The node shows no /proc/loadavg.")]),
        };
        let pressure = match Pressure::of(inputs, names::CPU_PRESSURE)? {
            Input::Known(pressure) => Some(pressure),
            Input::NoSuchThing => None,
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let cpus = stat.text.lines().filter(|line| is_cpu(line)).count() as u64;
        let Some((five, fifteen)) = loads(&load.text).filter(|_| cpus > 0) else {
            return Err(load.not_understood(&"expected three loads, and processors in stat.txt"));
        };
        let is_starved = match &pressure {
            Some(pressure) => pressure.some.is_lasting(STALL) && five >= (TASKS_PER_CPU * cpus).max(cpus + TASKS_MORE),
            None => five.min(fifteen) >= LOAD_ALONE * cpus,
        };
        let stall = pressure.as_ref().map(|pressure| pressure.evidence(&pressure.some));
        if !is_starved {
            let title = format!("The load of {five} on {cpus} processors leaves nobody waiting for long.");
            return Ok(vec![DESCRIPTOR.pass(title).evidences(stall).evidence(load.evidence(1))]);
        }
        let (words, evidence) = Processes::of(inputs)?.largest(
            NAMED,
            BUSY_MILLIS,
            |process| process.recent_cpu_millis.unwrap_or(0),
            |millis| format!("{millis} ms"),
        );
        let mut title = format!("{five} tasks want one of {cpus} processors, and wait most of the time");
        if !words.is_empty() {
            title = format!("{title}; just now most was used by {}", list(&words));
        }
        title.push('.');
        let finding = CPU_PRESSURE.warn("the node's processors", title);
        Ok(vec![
            finding.evidences(stall).evidence(load.evidence(1)).evidences(evidence),
        ])
    }
}

/// `cpu0 …`, but not the sum `cpu …`.
fn is_cpu(line: &str) -> bool {
    line.strip_prefix("cpu")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The loads of five and fifteen minutes, rounded down.
fn loads(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split(' ').skip(1);
    let mut load = || words.next()?.split('.').next()?.parse().ok();
    Some((load()?, load()?))
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, State, Verdict};
    use rstest::rstest;

    use super::CpuPressure;
    use crate::fixture::Artifacts;

    fn artifacts(cpus: u32, load: u32, stall: &str) -> Artifacts {
        let stat = (0..cpus).fold(String::new(), |stat, cpu| format!("{stat}cpu{cpu} 1 2 3\n"));
        Artifacts::default()
            .with("system", "stat.txt", format!("cpu  1 2 3\n{stat}btime 1\n"))
            .with("system", "loadavg.txt", format!("{load}.12 {load}.34 {load}.00 3/900 1\n"))
            .with(
                "system",
                "pressure/cpu.txt",
                format!("some avg10=0.00 avg60={stall} avg300={stall} total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
            )
    }

    #[rstest]
    #[case::idle(4, 0, "0.10", Verdict::Pass)]
    #[case::a_build_machine(2, 9, "97.00", Verdict::Pass)]
    #[case::fully_used(64, 120, "99.00", Verdict::Pass)]
    #[case::starved(4, 80, "99.00", Verdict::Warn)]
    #[case::many_but_served(4, 80, "40.00", Verdict::Pass)]
    fn verdicts(#[case] cpus: u32, #[case] load: u32, #[case] stall: &str, #[case] expected: Verdict) {
        let findings = CpuPressure.analyze(&artifacts(cpus, load, stall)).unwrap();
        assert_eq!(findings[0].verdict, expected, "{findings:?}");
        assert_eq!(findings[0].evidence[0].file, "nodes/node1/system/pressure/cpu.txt");
    }

    #[test]
    fn without_pressure_files_the_load_alone_counts() {
        let judge = |load| {
            let artifacts = artifacts(4, load, "0.00").without("system", "pressure/cpu.txt", State::NotPresent);
            CpuPressure.analyze(&artifacts).unwrap()[0].verdict
        };
        assert_eq!((judge(30), judge(60)), (Verdict::Pass, Verdict::Warn));
    }

    #[test]
    fn what_is_not_gathered_is_unknown() {
        assert_eq!(
            CpuPressure.analyze(&Artifacts::default()).unwrap()[0].verdict,
            Verdict::Unknown
        );
    }
}
