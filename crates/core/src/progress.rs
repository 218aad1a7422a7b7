//! How far a run is, for whoever wants to look; nothing depends on anybody looking.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::State;

/// The progress of all actions of a run, in the order of the plan.
#[derive(Debug, Default)]
pub struct Progress {
    actions: Mutex<Vec<Arc<ActionProgress>>>,
}

impl Progress {
    /// The actions so far, in the order of the plan.
    pub fn actions(&self) -> Vec<Arc<ActionProgress>> {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Progress that nobody is shown.
    pub(crate) fn unlisted(id: &'static str) -> Arc<ActionProgress> {
        Arc::new(ActionProgress {
            id,
            bytes: AtomicU64::new(0),
            times: Mutex::default(),
        })
    }

    pub(crate) fn add(&self, id: &'static str) -> Arc<ActionProgress> {
        let action = Self::unlisted(id);
        self.actions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&action));
        action
    }
}

/// The progress of one action.
#[derive(Debug)]
pub struct ActionProgress {
    id: &'static str,
    bytes: AtomicU64,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    started: Option<Instant>,
    ended: Option<(Instant, State)>,
}

impl ActionProgress {
    /// The action's id.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Bytes taken from the node so far, before redaction.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How long it has been running, or ran.
    pub fn elapsed(&self) -> Duration {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let until = times.ended.map_or_else(Instant::now, |(at, _)| at);
        times
            .started
            .map_or(Duration::ZERO, |started| until.saturating_duration_since(started))
    }

    /// Whether it has started.
    pub fn is_started(&self) -> bool {
        self.times
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .started
            .is_some()
    }

    /// How it ended, once it has.
    pub fn ended(&self) -> Option<State> {
        self.times
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended
            .map(|(_, state)| state)
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn start(&self) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).started = Some(Instant::now());
    }

    pub(crate) fn end(&self, state: State) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).ended = Some((Instant::now(), state));
    }
}
