//! Where an action puts what it gathers, and where every item gets its one state; keeping the bytes is the store's
//! work.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::items::{Items, bare_record};
use crate::writer::Said;
use crate::{
    ActionProgress, ArtifactPath, ArtifactSpec, ArtifactWriter, End, Limit, NodeName, Place, ReadSeek, State, Store,
    StoreError, Stored,
};

/// What all sinks of a run share.
pub(crate) struct RunSink {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) items: Arc<Items>,
    pub(crate) node: NodeName,
    /// Bounds how many sources are read, redacted and compressed at once by [`Sink::copy`].
    pub(crate) copies: Arc<Semaphore>,
}

/// Where one action puts its artifacts.
#[derive(Clone)]
pub struct Sink {
    shared: Arc<Shared>,
}

struct Shared {
    action: &'static str,
    limit: Limit,
    run: Arc<RunSink>,
    progress: Arc<ActionProgress>,
    tasks: TaskTracker,
    stopped: AtomicBool,
    /// Why artifacts that are still open when the action is gone were left so.
    cause: Mutex<Option<(State, String)>>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("action", &self.shared.action)
            .finish_non_exhaustive()
    }
}

impl Sink {
    pub(crate) fn new(action: &'static str, limit: Limit, run: Arc<RunSink>, progress: Arc<ActionProgress>) -> Self {
        let shared = Shared {
            action,
            limit,
            run,
            progress,
            tasks: TaskTracker::new(),
            stopped: AtomicBool::new(false),
            cause: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Announces an artifact: it will have a state, whatever happens before it is opened or recorded.
    pub fn plan(&self, name: &str) {
        self.shared
            .run
            .items
            .plan(self.shared.action, self.path(Place::Node, name));
    }

    /// Records how an item ended of which nothing is kept.
    pub fn record(&self, name: &str, state: State, reason: impl AsRef<str>) {
        self.record_at(Place::Node, name, state, reason);
    }

    /// [`Self::record`] for another part of the archive.
    pub fn record_at(&self, place: Place, name: &str, state: State, reason: impl AsRef<str>) {
        let items = &self.shared.run.items;
        let path = items.open(self.shared.action, self.path(place, name));
        let reason = self.shared.run.store.redact(reason.as_ref());
        items.done(bare_record(self.shared.action, path, state, Some(reason)));
    }

    /// Opens an artifact whose bytes come piece by piece.
    pub fn writer(&self, spec: ArtifactSpec) -> ArtifactWriter {
        let (spec, path) = self.admit(spec);
        ArtifactWriter::open(self.clone(), spec, path)
    }

    /// Keeps a whole source, read, redacted and compressed on a thread of its own; waits for a free one.
    /// Returns how the item ended.
    ///
    /// # Cancel safety
    /// When dropped, the source is read no further, and what was read is kept.
    pub async fn copy(&self, spec: ArtifactSpec, mut source: impl ReadSeek + 'static) -> State {
        let Ok(permit) = Arc::clone(&self.shared.run.copies).acquire_owned().await else {
            return State::Cancelled;
        };
        let (spec, path) = self.admit(spec);
        let sink = self.clone();
        let task = self.shared.tasks.spawn_blocking(move || {
            let _permit = permit;
            let mut on_bytes = |bytes| {
                sink.shared.progress.add_bytes(bytes);
                if sink.is_stopped() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let result = sink.shared.run.store.copy(&spec, &path, &mut source, &mut on_bytes);
            sink.settle(&spec, path, result, Said::default())
        });
        task.await.unwrap_or(State::Failed)
    }

    /// Keeps a document made in memory; meant for small ones.
    pub async fn document(&self, spec: ArtifactSpec, bytes: impl Into<Vec<u8>>) -> State {
        self.copy(spec, Cursor::new(bytes.into())).await
    }

    /// The most that is kept of one artifact, unless its spec asks for less.
    pub fn limit(&self) -> Limit {
        self.shared.limit
    }

    fn path(&self, place: Place, name: &str) -> ArtifactPath {
        let name = self.shared.run.store.redact(name);
        place.path(self.shared.run.node.as_str(), self.shared.action, &name)
    }

    fn admit(&self, mut spec: ArtifactSpec) -> (ArtifactSpec, ArtifactPath) {
        if self.shared.limit.bytes < spec.limit.bytes {
            spec.limit = self.shared.limit;
        }
        let path = self
            .shared
            .run
            .items
            .open(self.shared.action, self.path(spec.place, &spec.name));
        (spec, path)
    }

    /// Gives an opened artifact its state. `said` is what the action says of it, when it says anything: without that
    /// an artifact whose stream was dropped ends as the engine's reason for dropping it says.
    pub(crate) fn settle(
        &self,
        spec: &ArtifactSpec,
        path: ArtifactPath,
        result: Result<Stored, StoreError>,
        said: Said,
    ) -> State {
        let mut record = bare_record(self.shared.action, path, State::Collected, None);
        match result {
            Err(error) => {
                record.state = error.state();
                record.reason = Some(crate::with_causes(&error));
                record.limit_by_user = matches!(error, StoreError::OverBudget { by_user: true, .. });
            }
            Ok(stored) => {
                (record.state, record.reason) = match stored.end {
                    End::Source if spec.omitted > 0 => {
                        record.limit_by_user = spec.limit.by_user;
                        (
                            State::Truncated,
                            Some(format!("the first {} bytes are left out", spec.omitted)),
                        )
                    }
                    End::Source => said.end.unwrap_or((State::Collected, None)),
                    End::Limit => {
                        record.limit_by_user = spec.limit.by_user;
                        (State::Truncated, Some(format!("cut at {} bytes", spec.limit.bytes)))
                    }
                    End::Budget { reason, by_user } => {
                        record.limit_by_user = by_user;
                        (State::OverBudget, Some(reason))
                    }
                    End::Stopped => {
                        let (state, reason) = self.cause();
                        (state, Some(reason))
                    }
                    End::Error(error) => (State::Failed, Some(format!("reading stopped: {error}"))),
                };
                record.raw_bytes = stored.raw_bytes;
                record.stored_bytes = stored.stored_bytes;
                record.compressed_bytes = stored.compressed_bytes;
                record.sha256 = Some(stored.sha256);
                record.redactions = stored.redactions;
                for (rule, hits) in said.redactions {
                    *record.redactions.entry(rule).or_default() += hits;
                }
            }
        }
        record.reason = record.reason.map(|reason| self.shared.run.store.redact(&reason));
        record.source = spec
            .source
            .as_deref()
            .map(|source| self.shared.run.store.redact(source));
        record.modified = spec.modified;
        let state = record.state;
        self.shared.run.items.done(record);
        state
    }

    fn cause(&self) -> (State, String) {
        let cause = self.shared.cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
        cause.unwrap_or((State::Failed, "the action ended before this was complete".to_owned()))
    }

    /// Tells copies to stop and says why whatever is still open ends.
    pub(crate) fn stop(&self, state: State, reason: &str) {
        *self.shared.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some((state, reason.to_owned()));
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.shared.run.store
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    pub(crate) fn progress(&self) -> &ActionProgress {
        &self.shared.progress
    }

    /// The state and reason of an artifact that was dropped unfinished.
    pub(crate) fn abandoned(&self) -> (State, Option<String>) {
        let (state, reason) = self.cause();
        (state, Some(reason))
    }
}
