//! Runs the planned actions side by side: deadlines, cancellation, panics, and a state for everything that was planned.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

use crate::items::Items;
use crate::sink::RunSink;
use crate::{
    Action, ActionContext, ActionError, ActionProgress, ActionRecord, Descriptor, ItemRecord, Limit, NodeInfo,
    Progress, RunId, Sink, State, Store, Support,
};

/// How long an action that was told to stop may take to give its artifacts up.
const DRAIN: Duration = Duration::from_secs(5);

/// An action that is to run, with the bounds it runs in.
pub struct Planned {
    /// What is known about it.
    pub descriptor: &'static Descriptor,
    /// The action itself.
    pub action: Arc<dyn Action>,
    /// The most bytes of one artifact.
    pub limit: Limit,
}

/// One run on one node.
pub struct Engine {
    node: Arc<NodeInfo>,
    run_id: RunId,
    started: Timestamp,
    since: Option<Timestamp>,
    deadline: Instant,
    cancel: CancellationToken,
    sink: Arc<RunSink>,
    progress: Arc<Progress>,
}

impl Engine {
    /// A run that keeps its artifacts in `store`. `workers` sources are read and compressed at once; `time` is what
    /// the run may take in all; cancelling `cancel` ends it early, and keeps what there is.
    pub fn new(
        node: NodeInfo,
        run_id: RunId,
        since: Option<Timestamp>,
        time: Duration,
        workers: usize,
        store: Arc<dyn Store>,
        cancel: CancellationToken,
    ) -> Self {
        let sink = RunSink {
            store,
            items: Arc::new(Items::default()),
            node: node.name.clone(),
            copies: Arc::new(Semaphore::new(workers.max(1))),
        };
        Self {
            node: Arc::new(node),
            run_id,
            started: Timestamp::now(),
            since,
            deadline: Instant::now() + time,
            cancel,
            sink: Arc::new(sink),
            progress: Arc::default(),
        }
    }

    /// Says when the run started, where that was before the engine was made.
    #[must_use]
    pub fn started_at(mut self, started: Timestamp) -> Self {
        self.started = started;
        self
    }

    /// How far the run is.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// When the run started.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Runs the actions, all at once. Returns what became of each, in the order of the plan.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a run is ended through its token, so that what there is gets kept.
    pub async fn run(&self, plan: Vec<Planned>) -> Vec<ActionRecord> {
        let running: Vec<_> = plan.into_iter().map(|planned| self.start(planned)).collect();
        let mut records = Vec::with_capacity(running.len());
        for (id, task) in running {
            records.push(task.await.unwrap_or_else(|error| ActionRecord {
                id: id.to_owned(),
                state: State::Failed,
                reason: Some(error.to_string()),
                started: self.started,
                millis: 0,
            }));
        }
        records
    }

    fn start(&self, planned: Planned) -> (&'static str, JoinHandle<ActionRecord>) {
        let descriptor = planned.descriptor;
        let id = descriptor.id;
        let progress = self.progress.add(id);
        let sink = Sink::new(id, planned.limit, Arc::clone(&self.sink), Arc::clone(&progress));
        for item in descriptor.items.iter().filter(|item| item.is_fixed()) {
            sink.plan(item.path);
        }
        let cx = ActionContext {
            node: Arc::clone(&self.node),
            run_id: self.run_id.clone(),
            started: self.started,
            since: self.since,
            deadline: self.deadline.min(Instant::now() + descriptor.timeout),
            cancel: self.cancel.clone(),
            sink,
        };
        let items = Arc::clone(&self.sink.items);
        let span = info_span!("action", id);
        let task = tokio::spawn(supervise(descriptor, planned.action, cx, progress, items).instrument(span));
        (id, task)
    }

    /// A sink for artifacts that no action makes, such as the findings.
    pub fn sink(&self, owner: &'static str) -> Sink {
        let limit = Limit {
            bytes: u64::MAX,
            by_user: false,
        };
        Sink::new(owner, limit, Arc::clone(&self.sink), Progress::unlisted(owner))
    }

    /// What became of every item so far.
    pub fn items(&self) -> Vec<ItemRecord> {
        self.sink.items.records()
    }
}

/// Runs one action within its bounds and sees to it that all of its items have a state.
async fn supervise(
    descriptor: &'static Descriptor,
    action: Arc<dyn Action>,
    cx: ActionContext,
    progress: Arc<ActionProgress>,
    items: Arc<Items>,
) -> ActionRecord {
    let started = Timestamp::now();
    let clock = Instant::now();
    progress.start();
    let sink = cx.sink.clone();
    let deadline = cx.deadline;
    let cancel = cx.cancel.clone();

    let mut task = tokio::spawn(gather(action, cx).in_current_span());
    let outcome = tokio::select! {
        ended = timeout_at(deadline, &mut task) => match ended {
            Ok(Ok(Ok(()))) => Outcome::done(),
            Ok(Ok(Err(error))) => Outcome { state: error.state(), reason: Some(error.reason()) },
            Ok(Err(panic)) => Outcome { state: State::Failed, reason: Some(describe_panic(panic)) },
            Err(_) => {
                let allowed = deadline.saturating_duration_since(clock).as_secs();
                Outcome { state: State::TimedOut, reason: Some(format!("stopped at its time limit of {allowed} s")) }
            }
        },
        () = cancel.cancelled() => Outcome { state: State::Cancelled, reason: Some("the run was ended".to_owned()) },
    };
    let left_over = outcome.reason.as_deref().unwrap_or("the action said nothing about it");
    let left_state = if outcome.state == State::Collected {
        State::Failed
    } else {
        outcome.state
    };
    sink.stop(left_state, left_over);
    task.abort();
    if timeout(DRAIN, drain(task, &sink)).await.is_err() {
        warn!(
            action = descriptor.id,
            "The action did not let go of its artifacts in time."
        );
    }
    items.close(descriptor.id, left_state, &sink.store().redact(left_over));
    if outcome.state != State::Collected && !items.has_some_of(descriptor.id) {
        // It ended before it knew its items: what it was to gather is not silently absent.
        sink.record("", left_state, left_over);
    }
    progress.end(outcome.state);

    let millis = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    let reason = outcome.reason.map(|reason| sink.store().redact(&reason));
    info!(state = %outcome.state, millis, bytes = progress.bytes(), reason, "Action ended.");
    ActionRecord {
        id: descriptor.id.to_owned(),
        state: outcome.state,
        reason,
        started,
        millis,
    }
}

struct Outcome {
    state: State,
    reason: Option<String>,
}

impl Outcome {
    fn done() -> Self {
        Self {
            state: State::Collected,
            reason: None,
        }
    }
}

async fn gather(action: Arc<dyn Action>, cx: ActionContext) -> Result<(), ActionError> {
    if let Support::No(reason) = action.supported(&cx.node).await {
        return Err(ActionError::new(State::NotApplicable, reason));
    }
    action.run(&cx).await
}

/// Waits until the action is dropped and the threads that keep its artifacts have ended.
async fn drain<T>(task: JoinHandle<T>, sink: &Sink) {
    if !task.is_finished() {
        // Aborted: there is no outcome to look at.
        drop(task.await);
    }
    sink.tasks().close();
    sink.tasks().wait().await;
}

fn describe_panic(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            format!(
                "the action panicked: {}",
                text.unwrap_or_else(|| "no message".to_owned())
            )
        }
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
