//! The numbers in the text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt::Write as _;
use std::path::Path;

use periscope_core::State;

use super::{Health, RESULTS};
use crate::small_file;

/// Memory of this process (`proc_pid_status(5)`).
const STATUS: &str = "/proc/self/status";

/// Longest `status`; it is about 1.5 KiB.
const MAX_STATUS_BYTES: usize = 64 * 1024;

/// How a number behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// Numbers of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// With our prefix, such as `aks_periscope_samples_total`.
    pub name: &'static str,
    /// What it tells, in one line.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The numbers, each with the value of the label, where there is one: its name and value.
    pub values: Vec<(Option<(&'static str, String)>, f64)>,
}

impl Metric {
    /// One number without a label.
    pub fn one(name: &'static str, help: &'static str, kind: Kind, value: f64) -> Self {
        Self {
            name,
            help,
            kind,
            values: vec![(None, value)],
        }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        writeln!(text, "# HELP {} {}\n# TYPE {} {kind}", self.name, self.help, self.name)?;
        for (label, value) in &self.values {
            text.push_str(self.name);
            if let Some((name, value)) = label {
                let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
                write!(text, "{{{name}=\"{value}\"}}")?;
            }
            writeln!(text, " {value}")?;
        }
        Ok(())
    }
}

impl Health {
    /// All numbers.
    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        let own = self.own_metrics();
        let others = self.more.iter().flat_map(|more| more());
        for metric in own.into_iter().chain(others) {
            // Writing into a string does not fail.
            if metric.write(&mut text).is_err() {
                break;
            }
        }
        text
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus has no other numbers; these are exact up to 2^53"
    )]
    fn own_metrics(&self) -> Vec<Metric> {
        let numbers = self.numbers().clone();
        let version = ("version", env!("CARGO_PKG_VERSION").to_owned());
        let ended = |result| numbers.ended.get(result).copied().unwrap_or_default() as f64;
        let items = |state: &State| numbers.items.get(state).copied().unwrap_or_default() as f64;
        let one = Metric::one;
        let mut metrics = vec![
            Metric {
                name: "aks_periscope_build_info",
                help: "Version of the program.",
                kind: Kind::Gauge,
                values: vec![(Some(version), 1.0)],
            },
            Metric {
                name: "aks_periscope_runs_total",
                help: "Parts of runs that ended, by result.",
                kind: Kind::Counter,
                values: RESULTS
                    .map(|word| (Some(("result", word.to_owned())), ended(word)))
                    .into(),
            },
            Metric {
                name: "aks_periscope_items_total",
                help: "Items of ended runs, by state.",
                kind: Kind::Counter,
                values: State::ALL
                    .map(|state| (Some(("state", state.to_string())), items(&state)))
                    .into(),
            },
            one(
                "aks_periscope_upload_failures_total",
                "Runs whose archive did not get into the storage.",
                Kind::Counter,
                numbers.upload_failures as f64,
            ),
            one(
                "aks_periscope_run_under_way",
                "1 while a run is made.",
                Kind::Gauge,
                f64::from(u8::from(numbers.under_way)),
            ),
            one(
                "aks_periscope_runs_waiting",
                "Runs that wait for the one under way.",
                Kind::Gauge,
                numbers.waiting as f64,
            ),
        ];
        let last_seconds = numbers.last_seconds.map(|seconds| {
            let help = "How long the last part of a run took.";
            one("aks_periscope_last_run_seconds", help, Kind::Gauge, seconds)
        });
        let last_end = numbers.last_end.map(|at| {
            let help = "When the last part of a run ended, in seconds since 1970.";
            one(
                "aks_periscope_last_run_end_timestamp_seconds",
                help,
                Kind::Gauge,
                at.as_second() as f64,
            )
        });
        let memory = resident_bytes().map(|bytes| {
            let help = "Resident memory size in bytes.";
            one("process_resident_memory_bytes", help, Kind::Gauge, bytes as f64)
        });
        metrics.extend([last_seconds, last_end, memory].into_iter().flatten());
        metrics
    }
}

/// `VmRSS`, in bytes.
fn resident_bytes() -> Option<u64> {
    let text = small_file::read(Path::new(STATUS), MAX_STATUS_BYTES).ok()??;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::{ending, run};

    #[test]
    fn every_number_has_its_lines() {
        let more = || {
            vec![Metric::one(
                "aks_periscope_samples_total",
                "Samples.",
                Kind::Counter,
                7.0,
            )]
        };
        let health = Health::new().with(Box::new(more));
        health.begun(&run());
        health.ended(&run(), &ending());
        let text = health.metrics();
        for line in [
            "# TYPE aks_periscope_runs_total counter",
            r#"aks_periscope_runs_total{result="partial"} 1"#,
            r#"aks_periscope_runs_total{result="failed"} 0"#,
            r#"aks_periscope_items_total{state="timed-out"} 2"#,
            "aks_periscope_upload_failures_total 1",
            "aks_periscope_run_under_way 0",
            "aks_periscope_last_run_seconds 1.5",
            "aks_periscope_samples_total 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let memory = text
            .lines()
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        assert!(memory.unwrap().parse::<f64>().unwrap() > 100_000.0);
    }

    #[test]
    fn labels_are_escaped() {
        let metric = Metric {
            name: "n",
            help: "h",
            kind: Kind::Gauge,
            values: vec![(Some(("l", "a\"b\\c\nd".into())), 0.5)],
        };
        let mut text = String::new();
        metric.write(&mut text).unwrap();
        assert_eq!(text, "# HELP n h\n# TYPE n gauge\nn{l=\"a\\\"b\\\\c\\nd\"} 0.5\n");
    }
}
