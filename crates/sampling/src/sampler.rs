//! Tries every target at its own pace, and gives what came of it to the ring.
//!
//! A task for each target, so that no target has two tries at once; one that owns the ring. What waits is bounded: a
//! disk that hangs holds up the samples, not the memory.

use std::collections::hash_map::RandomState;
use std::convert::identity;
use std::hash::BuildHasher;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::layout::Write;
use crate::recorder::HEARTBEAT;
use crate::ring::Ring;
use crate::tally::Tally;
use crate::target::{MAX_TARGETS, Outcome, Probe, Sample, TRY_LIMIT, Target};

/// Samples that may wait for the ring.
const QUEUE: usize = MAX_TARGETS;
/// When a ring that could not be opened is tried again.
const OPEN_AGAIN: Duration = Duration::from_mins(1);
/// Most a flush is waited for.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// Samples connections until it is told to end.
pub struct Sampler {
    folder: PathBuf,
    targets: Vec<Target>,
    probe: Arc<dyn Probe>,
    tally: Arc<Tally>,
    flushes: (mpsc::Sender<oneshot::Sender<()>>, mpsc::Receiver<oneshot::Sender<()>>),
    now: fn() -> Timestamp,
}

/// Has the ring written up to date, for one who is about to read it.
#[derive(Debug, Clone)]
pub struct Flusher(mpsc::Sender<oneshot::Sender<()>>);

impl Flusher {
    /// Returns when what was sampled is in the file, or when that takes too long.
    ///
    /// # Cancel safety
    /// When dropped, the ring is written all the same.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let flushed = async {
            if self.0.send(done).await.is_ok() {
                // Without a sampler there is nothing to wait for.
                written.await.ok();
            }
        };
        if timeout(FLUSH_LIMIT, flushed).await.is_err() {
            debug!("The ring of samples takes long to be written.");
        }
    }
}

impl Sampler {
    /// Samples `targets` with `probe` into the ring in `folder`, which is made if its parent exists. A connection that
    /// is named twice is sampled once, targets beyond [`MAX_TARGETS`] are not sampled.
    pub fn new(folder: PathBuf, targets: Vec<Target>, probe: Arc<dyn Probe>) -> Self {
        let mut each_once: Vec<Target> = Vec::with_capacity(targets.len());
        for target in targets {
            if !each_once.iter().any(|known| known.is_same_connection(&target)) {
                each_once.push(target);
            }
        }
        if each_once.len() > MAX_TARGETS {
            warn!(
                targets = each_once.len(),
                sampled = MAX_TARGETS,
                "Some targets are not sampled."
            );
            each_once.truncate(MAX_TARGETS);
        }
        Self {
            folder,
            tally: Arc::new(Tally::new(&each_once)),
            targets: each_once,
            probe,
            flushes: mpsc::channel(1),
            now: Timestamp::now,
        }
    }

    /// What is counted while it runs.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Has the ring written while it runs.
    pub fn flusher(&self) -> Flusher {
        Flusher(self.flushes.0.clone())
    }

    /// Samples until `cancel` is cancelled, and writes the rest then. What fails is logged and counted: a node whose
    /// disk is full is a node to sample.
    pub async fn run(self, cancel: CancellationToken) {
        let Self {
            folder,
            targets,
            probe,
            tally,
            flushes: (_, mut flushes),
            now,
        } = self;
        let Some(Some(ring)) = cancel.run_until_cancelled(open(folder, &targets, &tally)).await else {
            return;
        };
        let mut writer = Writer {
            ring,
            tally,
            failing: false,
        };
        let (queue, mut samples) = mpsc::channel(QUEUE);
        // Aborted when dropped.
        let mut tries = JoinSet::new();
        for (index, target) in targets.into_iter().enumerate() {
            let lane = Lane {
                index,
                target,
                probe: Arc::clone(&probe),
                queue: queue.clone(),
                random: RandomState::new(),
                now,
            };
            tries.spawn(lane.run());
        }
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(done) = flushes.recv() => {
                    // What was sampled before the question is part of the answer.
                    while let Ok((index, sample)) = samples.try_recv() {
                        writer.record(index, &sample).await;
                    }
                    writer.beat().await;
                    // Who asked may be gone.
                    done.send(()).ok();
                }
                Some((index, sample)) = samples.recv() => writer.record(index, &sample).await,
                _ = heartbeat.tick() => writer.beat().await,
            }
        }
        tries.shutdown().await;
        while let Ok((index, sample)) = samples.try_recv() {
            writer.record(index, &sample).await;
        }
        writer.beat().await;
    }
}

/// Opens the ring, however long it takes until that can be done.
async fn open(folder: PathBuf, targets: &[Target], tally: &Tally) -> Option<Ring> {
    let mut told = false;
    loop {
        let (folder, targets) = (folder.clone(), targets.to_vec());
        let opened = spawn_blocking(move || Ring::open(&folder, &targets)).await.ok()?;
        match opened {
            Ok(ring) => return Some(ring),
            Err(error) => {
                tally.count_write_failure();
                if !told {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(%error, source, "Connections are not sampled until the ring can be opened.");
                }
                told = true;
                sleep(OPEN_AGAIN).await;
            }
        }
    }
}

/// One target's tries.
struct Lane {
    index: usize,
    target: Target,
    probe: Arc<dyn Probe>,
    queue: mpsc::Sender<(usize, Sample)>,
    random: RandomState,
    now: fn() -> Timestamp,
}

impl Lane {
    async fn run(self) {
        // The first tries are close together, so that something is known soon, yet not at once.
        let mut next = Instant::now() + self.target.every.mul_f64(0.2 * self.draw(0));
        for round in 1_u64.. {
            sleep_until(next).await;
            let (at, begun) = ((self.now)(), Instant::now());
            let tried = timeout(TRY_LIMIT, self.probe.probe(&self.target)).await;
            let sample = Sample {
                at,
                took: begun.elapsed(),
                outcome: tried.unwrap_or_else(|_| Outcome::TcpFailed("timed out".to_owned())),
            };
            if self.queue.send((self.index, sample)).await.is_err() {
                return;
            }
            // A fifth sooner or later, so that the nodes of a cluster do not come in step.
            next = begun + self.target.every.mul_f64(0.8 + 0.4 * self.draw(round));
        }
    }

    /// A number from 0 to 1 that nobody has to guess right or wrong: the hasher of maps is seeded by the system.
    fn draw(&self, round: u64) -> f64 {
        let hash = u32::try_from(self.random.hash_one(round) >> 32).unwrap_or_default();
        f64::from(hash) / f64::from(u32::MAX)
    }
}

/// The ring, written off the async threads.
struct Writer {
    ring: Ring,
    tally: Arc<Tally>,
    /// The last write failed, and that was logged.
    failing: bool,
}

impl Writer {
    async fn record(&mut self, index: usize, sample: &Sample) {
        self.tally.count(index, &sample.outcome);
        let writes = self.ring.recorder.record(index, sample);
        self.write(writes).await;
    }

    async fn beat(&mut self) {
        let write = self.ring.recorder.beat();
        self.write(write.into_iter().collect()).await;
    }

    async fn write(&mut self, writes: Vec<Write>) {
        if writes.is_empty() {
            return;
        }
        let file = Arc::clone(&self.ring.file);
        let written = spawn_blocking(move || writes.iter().try_for_each(|write| file.write(write))).await;
        match written.map_err(io::Error::other).and_then(identity) {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.tally.count_write_failure();
                if !self.failing {
                    warn!(%error, "Samples of connections cannot be written.");
                }
                self.failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
