//! How the agent is doing, for probes and for Prometheus: what is counted, and how it is said.

mod metrics;
mod serve;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use periscope_core::{Completeness, State};

pub use metrics::{Kind, Metric};
pub use serve::{DEFAULT_HEALTH_ADDRESS, serve};

use crate::{Ending, Run};

/// Gives numbers that others count, such as the samples between runs.
pub type MoreMetrics = Box<dyn Fn() -> Vec<Metric> + Send + Sync>;

/// How the agent is doing.
#[derive(Default)]
pub struct Health {
    numbers: Mutex<Numbers>,
    more: Vec<MoreMetrics>,
}

/// What is counted since the process began.
#[derive(Debug, Clone, Default)]
struct Numbers {
    listening: bool,
    over: bool,
    under_way: bool,
    waiting: usize,
    /// Parts of runs that ended, by result.
    ended: BTreeMap<&'static str, u64>,
    last_seconds: Option<f64>,
    last_end: Option<Timestamp>,
    items: BTreeMap<State, u64>,
    upload_failures: u64,
}

/// The results that parts of runs have.
const RESULTS: [&str; 5] = ["complete", "partial", "nothing", "failed", "interrupted"];

impl Health {
    /// Of an agent that does not listen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows the numbers of others too.
    #[must_use]
    pub fn with(mut self, more: MoreMetrics) -> Self {
        self.more.push(more);
        self
    }

    pub(crate) fn listening(&self) {
        self.numbers().listening = true;
    }

    pub(crate) fn over(&self) {
        self.numbers().over = true;
    }

    /// A run waits for its turn.
    pub(crate) fn queued(&self) {
        self.numbers().waiting += 1;
    }

    /// Its turn came.
    pub(crate) fn taken(&self) {
        let mut numbers = self.numbers();
        numbers.waiting = numbers.waiting.saturating_sub(1);
    }

    pub(crate) fn begun(&self, _run: &Run) {
        self.numbers().under_way = true;
    }

    pub(crate) fn ended(&self, run: &Run, ending: &Ending) {
        let mut numbers = self.numbers();
        numbers.under_way = false;
        *numbers.ended.entry(result(ending)).or_default() += 1;
        numbers.last_seconds = Some(ending.at.duration_since(run.started).as_secs_f64());
        numbers.last_end = Some(ending.at);
        if let Ok(outcome) = &ending.result {
            for &(state, items) in &outcome.states {
                *numbers.items.entry(state).or_default() += items as u64;
            }
            numbers.upload_failures += u64::from(matches!(outcome.uploads, Some(Err(_))));
        }
    }

    /// Whether the process is of use: its main loop has not ended.
    fn is_alive(&self) -> bool {
        !self.numbers().over
    }

    /// Whether a new run id would be noticed.
    fn is_ready(&self) -> bool {
        let numbers = self.numbers();
        numbers.listening && !numbers.over
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn result(ending: &Ending) -> &'static str {
    if ending.interrupted {
        return "interrupted";
    }
    match &ending.result {
        Err(_) => "failed",
        Ok(outcome) => match outcome.completeness {
            Completeness::Complete => "complete",
            Completeness::Partial => "partial",
            Completeness::Nothing => "nothing",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Outcome, Part};

    pub(super) fn run() -> Run {
        Run {
            id: "a".parse().unwrap(),
            part: Part::Node,
            started: Timestamp::UNIX_EPOCH,
            attempt: 1,
        }
    }

    pub(super) fn ending() -> Ending {
        Ending {
            at: Timestamp::UNIX_EPOCH + Duration::from_millis(1500),
            interrupted: false,
            result: Ok(Outcome {
                completeness: Completeness::Partial,
                states: vec![(State::Collected, 5), (State::TimedOut, 2)],
                failures: Vec::new(),
                findings: Vec::new(),
                archives: Vec::new(),
                uploads: Some(Err("no".into())),
            }),
        }
    }

    #[test]
    fn an_interrupted_run_has_no_other_result() {
        let interrupted = Ending {
            interrupted: true,
            ..ending()
        };
        assert_eq!((result(&ending()), result(&interrupted)), ("partial", "interrupted"));
    }

    #[test]
    fn what_waits_is_counted_from_the_id_to_its_turn() {
        let health = Health::new();
        health.queued();
        health.queued();
        health.taken();
        assert!(health.metrics().contains("\naks_periscope_runs_waiting 1\n"));
    }
}
