//! The [`Reporter`] of rows and Events: it notes what it is told, and returns at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use periscope_cluster::ClusterAccess;
use periscope_core::{NodeName, RunId};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::api::Api;
use super::diary::Diary;
use super::events::Events;
use super::notice::{self, Notice};
use super::row::row_name;
use super::writer::{Done, Pace, Place, Wanted, Writer};
use crate::Progress;
use crate::reporter::{Ending, Reporter, Run};

/// Events on their way to the writer. One run has four at most, and the writer takes them out within a request's time.
const NOTICES: usize = 16;
/// How long an agent that was told to end waits for its last words to arrive.
pub const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where an agent runs.
#[derive(Debug, Clone)]
pub struct Home {
    /// Its namespace, which has the rows.
    pub namespace: String,
    /// Its node.
    pub node: NodeName,
    /// Its pod; without one there are no Events.
    pub pod: Option<OwnPod>,
    /// Its version.
    pub version: String,
}

/// The pod that an agent is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPod {
    /// Its name.
    pub name: String,
    /// Its uid, where the manifest tells it; otherwise it is asked for.
    pub uid: Option<String>,
}

/// Tells of runs in the node's `Diagnostic` row and in Events on the agent's pod.
///
/// One task writes, so that a slow or absent API server delays nobody: progress is written as it is when its turn
/// comes, a row that could not be created is created when the API server is back, and for some minutes after the run's
/// end. Dropping the reporter ends the task when all is written or given up.
///
/// The original's role is enough: rows are created, patched and read, and where Events are refused there are none.
#[derive(Debug)]
pub struct RowsReporter {
    wanted: watch::Sender<Wanted>,
    notices: mpsc::Sender<Notice>,
    noticed: AtomicU64,
    done: watch::Receiver<Done>,
}

impl RowsReporter {
    /// Starts the task that writes. Makes no request.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(access: &ClusterAccess, home: &Home) -> Self {
        let Home {
            namespace,
            node,
            pod,
            version,
        } = home;
        let (wanted, to_write) = watch::channel(Wanted {
            diary: Diary::of(node.as_str(), version),
            told: 0,
            progress: 0,
            under_way: BTreeSet::new(),
            over: None,
        });
        let (notices, to_send) = mpsc::channel(NOTICES);
        let (written, done) = watch::channel(Done::default());
        let writer = Writer {
            api: Api::new(access.client(), namespace),
            row: row_name(node),
            wanted: to_write,
            notices: to_send,
            events: Events::about(pod.as_ref(), namespace, node),
            done: written,
            place: Place::default(),
            pace: Pace::new(),
            abandoned: None,
        };
        tokio::spawn(writer.run());
        Self {
            wanted,
            notices,
            noticed: AtomicU64::new(0),
            done,
        }
    }

    /// Waits until everything told so far is written or given up, at most `bound`; whether it is.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn flush(&self, bound: Duration) -> bool {
        let told = self.wanted.borrow().told;
        let noticed = self.noticed.load(Ordering::Relaxed);
        let mut done = self.done.clone();
        let all = done.wait_for(|done| done.told >= told && done.notices >= noticed);
        matches!(timeout(bound, all).await, Ok(Ok(_)))
    }

    fn tell(&self, change: impl FnOnce(&mut Wanted)) {
        self.wanted.send_modify(|wanted| {
            change(wanted);
            wanted.told += 1;
            wanted.over = wanted.under_way.is_empty().then(Instant::now);
        });
    }

    fn notice(&self, notices: impl IntoIterator<Item = Notice>) {
        for notice in notices {
            if self.notices.try_send(notice).is_ok() {
                self.noticed.fetch_add(1, Ordering::Relaxed);
            } else {
                tracing::debug!("Too many Events wait: one is let go.");
            }
        }
    }
}

#[async_trait]
impl Reporter for RowsReporter {
    async fn begin(&self, run: &Run) {
        self.tell(|wanted| {
            wanted.under_way.insert(run.part);
            wanted.diary.begin(run);
        });
        self.notice(notice::begun(run));
    }

    async fn diagnosed(&self, _run: &Run, network_config: &str, network_outbound: &str) {
        let at = Timestamp::now();
        self.tell(|wanted| wanted.diary.diagnosed(network_config, network_outbound, at));
    }

    async fn progress(&self, run: &Run, progress: &Progress) {
        self.wanted.send_modify(|wanted| {
            wanted.diary.progress(run.part, progress);
            wanted.progress += 1;
        });
    }

    async fn end(&self, run: &Run, ending: &Ending) {
        self.tell(|wanted| {
            wanted.under_way.remove(&run.part);
            wanted.diary.end(run, ending);
        });
        self.notice([notice::ended(run, ending)]);
        if ending.interrupted && !self.flush(LAST_WORDS).await {
            tracing::warn!("The last words of this run did not reach the API server.");
        }
    }

    async fn made_before(&self, id: &RunId) {
        self.notice([notice::made_before(id, Timestamp::now())]);
    }
}
