//! Whether the node stands still because of its disks. Which errors a disk has is told by the kernel's lines.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::names;

use super::input::Input;
use super::pressure::Pressure;
use super::processes::Processes;
use super::words::list;

static IO_PRESSURE: Fault = Fault {
    id: "io-pressure",
    summary: "Everything on the node waits for its disks",
    severity: Severity::High,
    caused_by: &["io-errors", "memory-pressure"],
    remedy: "Look in the metrics of the VM and its disks whether they reached their IOPS or bandwidth limit; use an \
             ephemeral OS disk, a larger one or a larger VM, or move the pods that write most.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "io-pressure",
    summary: "Whether the node stands still because of its disks",
    faults: &[&IO_PRESSURE],
};

/// Shares of the last minutes in which all tasks with work waited for disks, in hundredths of a percent. Building or
/// pulling images takes less.
const WARN: u64 = 4000;
const FAIL: u64 = 8000;

/// Most processes that are named.
const NAMED: usize = 3;

/// Judges disks' speed.
pub(crate) struct IoPressure;

impl Analyzer for IoPressure {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let pressure = match Pressure::of(inputs, names::IO_PRESSURE)? {
            Input::Known(pressure) => pressure,
            Input::NoSuchThing => {
                return Ok(vec![
                    DESCRIPTOR.unknown("The node's kernel tells no pressure of disks."),
                ]);
            }
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let stall = pressure.full.unwrap_or(pressure.some);
        let evidence = pressure.evidence(&stall);
        if !stall.is_lasting(WARN) {
            let title = format!(
                "The node waited for its disks for {} of the last minute.",
                stall.percent()
            );
            return Ok(vec![DESCRIPTOR.pass(title).evidence(evidence)]);
        }
        let waiting = Processes::of(inputs)?.largest(
            NAMED,
            1,
            |process| u64::from(process.state == "D"),
            |_| "a call into the kernel".to_owned(),
        );
        let mut title = format!(
            "The whole node waited for its disks for {} of the last minute",
            stall.percent()
        );
        if !waiting.0.is_empty() {
            title = format!("{title}; waiting just now: {}", list(&waiting.0));
        }
        title.push('.');
        let object = "the node's disks";
        let finding = if stall.is_lasting(FAIL) {
            IO_PRESSURE.fail(object, title)
        } else {
            IO_PRESSURE.warn(object, title)
        };
        Ok(vec![finding.evidence(evidence).evidences(waiting.1)])
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, State, Verdict};
    use rstest::rstest;

    use super::IoPressure;
    use crate::fixture::Artifacts;

    #[rstest]
    #[case::idle("0.00", "0.00", Verdict::Pass)]
    #[case::a_build_machine("15.00", "12.00", Verdict::Pass)]
    #[case::a_burst("90.00", "10.00", Verdict::Pass)]
    #[case::over("5.00", "60.00", Verdict::Pass)]
    #[case::slow("55.00", "60.00", Verdict::Warn)]
    #[case::standstill("93.00", "88.00", Verdict::Fail)]
    fn verdicts(#[case] minute: &str, #[case] five: &str, #[case] expected: Verdict) {
        let text = format!(
            "some avg10=0.00 avg60=99.00 avg300=99.00 total=1\nfull avg10=0.00 avg60={minute} avg300={five} total=1\n"
        );
        let artifacts = Artifacts::default().with("system", "pressure/io.txt", text);
        let finding = &IoPressure.analyze(&artifacts).unwrap()[0];
        assert_eq!(finding.verdict, expected);
        assert_eq!(finding.evidence[0].line, Some(2));
    }

    #[test]
    fn a_kernel_that_tells_nothing_leaves_it_unknown() {
        let artifacts = Artifacts::default().without("system", "pressure/io.txt", State::NotPresent);
        assert_eq!(IoPressure.analyze(&artifacts).unwrap()[0].verdict, Verdict::Unknown);
    }
}
