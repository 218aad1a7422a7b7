#![expect(clippy::disallowed_methods, reason = "tests look at files of their own")]

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use periscope_documents::DownPeriod;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Flusher, Sampler};
use crate::ring::FILE_NAME;
use crate::tally::Tally;
use crate::{History, Outcome, Probe, Target};

/// Answers by a script, and notes when it was asked.
#[derive(Default)]
struct Scripted {
    tries: Mutex<HashMap<String, Vec<Try>>>,
    /// From the try `.0` of each target to `.1` nothing is reached.
    down: (usize, usize),
    /// How long a try takes.
    takes: Duration,
}

#[derive(Clone, Copy)]
struct Try {
    begun: Instant,
    ended: Option<Instant>,
}

#[async_trait]
impl Probe for Scripted {
    async fn probe(&self, target: &Target) -> Outcome {
        let number = {
            let mut tries = self.tries.lock().unwrap();
            let tries = tries.entry(target.kind.clone()).or_default();
            assert!(
                tries.last().is_none_or(|last| last.ended.is_some()),
                "two tries at once"
            );
            let begun = Instant::now();
            tries.push(Try {
                begun,
                ended: (self.takes >= super::TRY_LIMIT).then_some(begun),
            });
            tries.len() - 1
        };
        sleep(self.takes).await;
        if let Some(tries) = self.tries.lock().unwrap().get_mut(&target.kind) {
            tries[number].ended = Some(Instant::now());
        }
        if (self.down.0..self.down.1).contains(&number) {
            Outcome::TcpFailed("refused".to_owned())
        } else {
            Outcome::Connected
        }
    }
}

fn target(kind: &str, every: u64) -> Target {
    Target {
        kind: kind.to_owned(),
        host: "host.example".to_owned(),
        port: 443,
        optional: false,
        every: Duration::from_secs(every),
    }
}

/// The clock on the wall, which goes as the paused one does.
fn paused_clock() -> Timestamp {
    thread_local! {
        static START: (Timestamp, Instant) = (Timestamp::now(), Instant::now());
    }
    START.with(|(wall, start)| *wall + start.elapsed())
}

/// Samples for this long and ends it in order.
async fn sample_for(
    time: Duration,
    folder: &Path,
    targets: Vec<Target>,
    probe: Arc<Scripted>,
) -> (Arc<Tally>, Flusher) {
    let mut sampler = Sampler::new(folder.to_owned(), targets, probe);
    sampler.now = paused_clock;
    let (tally, flusher) = (sampler.tally(), sampler.flusher());
    let cancel = CancellationToken::new();
    let running = tokio::spawn(sampler.run(cancel.clone()));
    sleep(time).await;
    flusher.flush().await;
    cancel.cancel();
    running.await.unwrap();
    (tally, flusher)
}

fn down_periods(folder: &Path) -> Vec<DownPeriod> {
    let bytes = fs::read(folder.join(FILE_NAME)).unwrap();
    History::parse(&bytes).unwrap().down_periods(paused_clock())
}

#[tokio::test(start_paused = true)]
async fn each_target_has_its_pace_and_is_tried_once_at_a_time() {
    let folder = TempDir::new().unwrap();
    let probe = Arc::new(Scripted {
        takes: Duration::from_millis(30),
        ..Scripted::default()
    });
    // One of them twice.
    let targets = vec![target("often", 5), target("seldom", 30), target("often", 5)];
    let (tally, _) = sample_for(Duration::from_mins(10), folder.path(), targets, Arc::clone(&probe)).await;
    let tries = probe.tries.lock().unwrap();
    for (kind, every) in [("often", 5.0), ("seldom", 30.0)] {
        let begun: Vec<_> = tries[kind].iter().map(|t| t.begun).collect();
        let pauses: Vec<_> = begun.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        assert!(
            pauses
                .iter()
                .all(|pause| (0.8 * every - 0.01..=1.2 * every + 0.01).contains(pause)),
            "{pauses:?}"
        );
        let spread = pauses.iter().copied().fold(0.0, f64::max) - pauses.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread > 0.1 * every, "not in step: {pauses:?}");
    }
    let counts: Vec<_> = tally
        .targets()
        .iter()
        .map(|t| (t.samples, t.failures, t.connected))
        .collect();
    assert_eq!(counts.len(), 2);
    assert!(
        (100..=150).contains(&counts[0].0) && (16..=26).contains(&counts[1].0),
        "{counts:?}"
    );
    assert!(counts.iter().all(|count| (count.1, count.2) == (0, Some(true))));
}

#[tokio::test(start_paused = true)]
async fn what_never_answers_is_given_up_after_five_seconds() {
    let folder = TempDir::new().unwrap();
    let probe = Arc::new(Scripted {
        takes: Duration::from_hours(1),
        ..Scripted::default()
    });
    let (tally, _) = sample_for(
        Duration::from_secs(61),
        folder.path(),
        vec![target("x", 5)],
        Arc::clone(&probe),
    )
    .await;
    let count = &tally.targets()[0];
    assert!(
        count.samples == count.failures && (8..=12).contains(&count.samples),
        "{count:?}"
    );
    let periods = down_periods(folder.path());
    assert_eq!(periods.len(), 1);
    assert_eq!(periods[0].error, "tcp: timed out");
    assert!(periods[0].is_down_still());
}

#[tokio::test(start_paused = true)]
async fn a_down_period_lasts_over_a_restart() {
    let folder = TempDir::new().unwrap();
    let first = Arc::new(Scripted {
        down: (10, 99),
        ..Scripted::default()
    });
    let second = Arc::new(Scripted {
        down: (0, 10),
        ..Scripted::default()
    });
    let began = paused_clock();
    sample_for(Duration::from_secs(100), folder.path(), vec![target("x", 5)], first).await;
    sample_for(Duration::from_secs(100), folder.path(), vec![target("x", 5)], second).await;
    let periods = down_periods(folder.path());
    assert_eq!(periods.len(), 1, "{periods:?}");
    let seconds = |time: Timestamp| time.duration_since(began).as_secs();
    assert!((40..=62).contains(&seconds(periods[0].start)), "{periods:?}");
    assert!((138..=165).contains(&seconds(periods[0].end.unwrap())), "{periods:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_is_written_and_a_flush_without_a_sampler_returns() {
    let folder = TempDir::new().unwrap();
    let probe = Arc::new(Scripted::default());
    let (tally, flusher) = sample_for(Duration::from_secs(33), folder.path(), vec![target("x", 1)], probe).await;
    let bytes = fs::read(folder.path().join(FILE_NAME)).unwrap();
    let stretches = History::parse(&bytes).unwrap().stretches(paused_clock());
    assert_eq!(u64::from(stretches[0].samples), tally.targets()[0].samples);
    flusher.flush().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_folder_it_waits_for_one() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("later/.agent");
    let probe = Arc::new(Scripted::default());
    let mut sampler = Sampler::new(folder.clone(), vec![target("x", 5)], probe);
    sampler.now = paused_clock;
    let (tally, cancel) = (sampler.tally(), CancellationToken::new());
    let running = tokio::spawn(sampler.run(cancel.clone()));
    sleep(Duration::from_secs(30)).await;
    assert_eq!((tally.write_failures(), tally.targets()[0].samples), (1, 0));
    fs::create_dir(parent.path().join("later")).unwrap();
    sleep(Duration::from_mins(1)).await;
    assert!(tally.targets()[0].samples > 0);
    cancel.cancel();
    running.await.unwrap();
}
