//! How many samples were taken and what came of them, for whoever publishes metrics.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::target::{Outcome, Target};

const UNKNOWN: u8 = 0;
const DOWN: u8 = 1;
const UP: u8 = 2;

/// Counts since the start of the sampler. Reading them disturbs nobody.
#[derive(Debug)]
pub struct Tally {
    lanes: Vec<Lane>,
    write_failures: AtomicU64,
}

#[derive(Debug)]
struct Lane {
    kind: String,
    host: String,
    samples: AtomicU64,
    failures: AtomicU64,
    last: AtomicU8,
}

/// What was counted of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTally {
    /// What the target is to the node.
    pub kind: String,
    /// Host name or address.
    pub host: String,
    /// Samples taken.
    pub samples: u64,
    /// Those that failed.
    pub failures: u64,
    /// Whether the last one succeeded; `None` before the first.
    pub connected: Option<bool>,
}

impl Tally {
    pub(crate) fn new(targets: &[Target]) -> Self {
        let lanes = targets.iter().map(|target| Lane {
            kind: target.kind.clone(),
            host: target.host.clone(),
            samples: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last: AtomicU8::new(UNKNOWN),
        });
        Self {
            lanes: lanes.collect(),
            write_failures: AtomicU64::new(0),
        }
    }

    pub(crate) fn count(&self, index: usize, outcome: &Outcome) {
        let Some(lane) = self.lanes.get(index) else { return };
        let connected = outcome.is_connected();
        lane.samples.fetch_add(1, Ordering::Relaxed);
        lane.failures.fetch_add(u64::from(!connected), Ordering::Relaxed);
        lane.last.store(if connected { UP } else { DOWN }, Ordering::Relaxed);
    }

    pub(crate) fn count_write_failure(&self) {
        self.write_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Each target's counts, in the order of the targets.
    pub fn targets(&self) -> Vec<TargetTally> {
        let targets = self.lanes.iter().map(|lane| TargetTally {
            kind: lane.kind.clone(),
            host: lane.host.clone(),
            samples: lane.samples.load(Ordering::Relaxed),
            failures: lane.failures.load(Ordering::Relaxed),
            connected: match lane.last.load(Ordering::Relaxed) {
                UP => Some(true),
                DOWN => Some(false),
                _ => None,
            },
        });
        targets.collect()
    }

    /// How often the ring could not be opened or written.
    pub fn write_failures(&self) -> u64 {
        self.write_failures.load(Ordering::Relaxed)
    }
}
