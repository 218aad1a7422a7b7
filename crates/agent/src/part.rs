//! One part of one run: begun, made, told of, and ended in good order whatever happens.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use periscope_core::{Completeness, RunId};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::agent::on_disk;
use crate::configuration::Configuration;
use crate::folder::{KEPT_RUNS, prune};
use crate::forward::{REPORT_TIMEOUT, bounded, forward};
use crate::{Agent, Ending, Order, Outcome, Part, Run, Update};

/// The same for the report of the end when the process is about to be killed.
const LAST_REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Updates that wait for the loop to look; it looks all the time but while the begin is told.
const UPDATES: usize = 64;

impl Agent {
    /// Makes the part. Whether it was ended in the middle because the agent is to end.
    pub(crate) async fn make_part(
        &self,
        id: &RunId,
        part: Part,
        attempt: u32,
        configuration: &Arc<Configuration>,
        cancel: &CancellationToken,
    ) -> bool {
        let run = Run {
            id: id.clone(),
            part,
            started: Timestamp::now(),
            attempt,
        };
        tracing::info!(run = %id, ?part, attempt, "The run begins.");
        self.health.begun(&run);
        let (updates, happening) = mpsc::channel(UPDATES);
        let stop = cancel.child_token();
        let collecting = self.prepare_and_collect(&run, configuration, updates, stop);
        let over = CancellationToken::new();
        let telling = async {
            self.tell_begin(&run).await;
            forward(&run, self.reporter.as_ref(), happening, &over).await;
        };
        let collecting = async {
            let _over = over.clone().drop_guard();
            tokio::select! {
                result = collecting => result,
                () = self.grace_is_over(cancel) => Err(format!("run {id} was cut off, as it did not end within {} s", self.settings.grace.as_secs())),
            }
        };
        let (result, ()) = tokio::join!(collecting, telling);
        let ending = Ending {
            at: Timestamp::now(),
            interrupted: cancel.is_cancelled() && !is_whole(&result),
            result,
        };
        self.health.ended(&run, &ending);
        match &ending.result {
            Ok(outcome) => tracing::info!(run = %id, ?part, completeness = ?outcome.completeness, "The run has ended."),
            Err(why) => tracing::error!(run = %id, ?part, "The run failed: {why}."),
        }
        self.tell_end(&run, &ending).await;
        ending.interrupted
    }

    async fn prepare_and_collect(
        &self,
        run: &Run,
        configuration: &Arc<Configuration>,
        updates: mpsc::Sender<Update>,
        stop: CancellationToken,
    ) -> Result<Outcome, String> {
        if run.part == Part::Node {
            self.make_room(&run.id).await;
        }
        let mut configuration = Arc::clone(configuration);
        // The secret was changed before the run id, but may reach the pod after it, or never.
        if let Some(storage) = self.credentials.of_api().await {
            Arc::make_mut(&mut configuration).use_storage(storage);
        }
        for problem in &configuration.problems {
            tracing::warn!(run = %run.id, "The configuration is not as expected: {problem}.");
        }
        let order = Order {
            run_id: run.id.clone(),
            part: run.part,
            configuration,
            credentials: Arc::clone(&self.credentials) as _,
        };
        let collect = Arc::clone(&self.collect);
        // A task of its own: a panic in it ends the run and not the agent.
        let collecting = tokio::spawn(async move { collect.collect(order, updates, stop).await });
        AbortOnDropHandle::new(collecting)
            .await
            .unwrap_or_else(|error| Err(unexpected(&error)))
    }

    /// Before the run, so that the disk has room for it: one of the kept ones is the one that comes.
    async fn make_room(&self, id: &RunId) {
        let (folder, node, id) = (self.settings.folder.clone(), self.settings.node.clone(), id.clone());
        let pruned = on_disk(move || prune(&folder, &node, KEPT_RUNS - 1, &id)).await;
        match pruned {
            None | Some(Ok(0)) => {}
            Some(Ok(bytes)) => tracing::info!(bytes, "Removed archives of older runs from the node."),
            Some(Err(error)) => {
                let folder = self.settings.folder.display();
                tracing::warn!("Cannot look for archives of older runs in {folder}: {error}.");
            }
        }
    }

    async fn grace_is_over(&self, cancel: &CancellationToken) {
        cancel.cancelled().await;
        sleep(self.settings.grace).await;
    }

    pub(crate) async fn tell_begin(&self, run: &Run) {
        bounded("begin", REPORT_TIMEOUT, self.reporter.begin(run)).await;
    }

    pub(crate) async fn tell_made_before(&self, id: &RunId) {
        bounded("made before", REPORT_TIMEOUT, self.reporter.made_before(id)).await;
    }

    pub(crate) async fn tell_end(&self, run: &Run, ending: &Ending) {
        let bound = if ending.interrupted {
            LAST_REPORT_TIMEOUT
        } else {
            REPORT_TIMEOUT
        };
        bounded("end", bound, self.reporter.end(run, ending)).await;
    }
}

impl Ending {
    /// Nothing came of it.
    pub(crate) fn failed(why: String) -> Self {
        Self {
            at: Timestamp::now(),
            interrupted: false,
            result: Err(why),
        }
    }
}

/// Nothing is missing: it was done before it could be interrupted.
fn is_whole(result: &Result<Outcome, String>) -> bool {
    result
        .as_ref()
        .is_ok_and(|outcome| outcome.completeness == Completeness::Complete && !matches!(outcome.uploads, Some(Err(_))))
}

fn unexpected(error: &JoinError) -> String {
    let how = if error.is_panic() {
        "a panic"
    } else {
        "its task being ended"
    };
    format!("the run ended unexpectedly by {how}, which is a fault of aks-periscope")
}
