//! Hands what happens during a run on to the reporter, without ever holding up the run: of what comes while the
//! reporter is busy, the latest is kept.

use std::future::pending;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Progress, Reporter, Run, Update};

/// How often at most the reporter is told how far a run is, and a row is written for nothing else: what 500 nodes may
/// ask of one API server at the same time.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// How long one report may take.
pub(crate) const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for a report, though not for ever.
pub(crate) async fn bounded(what: &'static str, bound: Duration, report: impl Future<Output = ()>) {
    if timeout(bound, report).await.is_err() {
        tracing::warn!(what, "The cluster could not be told in time.");
    }
}

/// Tells of `updates` until the part is `over` or nobody can send any longer. The two texts are told in any case, and
/// so is the last progress, at once.
pub(crate) async fn forward(
    run: &Run,
    reporter: &dyn Reporter,
    mut updates: mpsc::Receiver<Update>,
    over: &CancellationToken,
) {
    let mut latest = Latest::default();
    let mut telling: Option<BoxFuture<'_, ()>> = None;
    let mut next_progress = Instant::now();
    let mut open = true;
    loop {
        if telling.is_none() {
            if let Some((config, outbound)) = latest.diagnosed.take() {
                telling = Some(tell_diagnosed(run, reporter, config, outbound).boxed());
            } else if (Instant::now() >= next_progress || !open)
                && let Some(progress) = latest.progress.take()
            {
                next_progress = Instant::now() + PROGRESS_EVERY;
                telling = Some(tell_progress(run, reporter, progress).boxed());
            }
        }
        if !open && telling.is_none() {
            return;
        }
        let waits = telling.is_none() && latest.progress.is_some();
        tokio::select! {
            biased;
            update = updates.recv(), if open => match update {
                Some(update) => latest.keep(update),
                None => open = false,
            },
            () = over.cancelled(), if open => open = false,
            () = async { match &mut telling { Some(telling) => telling.await, None => pending().await } } => telling = None,
            () = sleep_until(next_progress), if waits => {}
        }
    }
}

#[derive(Default)]
struct Latest {
    diagnosed: Option<(String, String)>,
    progress: Option<Progress>,
}

impl Latest {
    fn keep(&mut self, update: Update) {
        match update {
            Update::Diagnosed {
                network_config,
                network_outbound,
            } => self.diagnosed = Some((network_config, network_outbound)),
            Update::Progress(progress) => self.progress = Some(progress),
        }
    }
}

async fn tell_diagnosed(run: &Run, reporter: &dyn Reporter, config: String, outbound: String) {
    bounded("diagnosis", REPORT_TIMEOUT, reporter.diagnosed(run, &config, &outbound)).await;
}

async fn tell_progress(run: &Run, reporter: &dyn Reporter, progress: Progress) {
    bounded("progress", REPORT_TIMEOUT, reporter.progress(run, &progress)).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use jiff::Timestamp;
    use periscope_core::RunId;
    use tokio::time::sleep;

    use super::*;
    use crate::{Ending, Part};

    /// Writes down what it is told and when, and takes its time.
    struct Slow {
        start: Instant,
        takes: Duration,
        told: Mutex<Vec<(u64, String)>>,
    }

    impl Slow {
        async fn hear(&self, text: String) {
            let at = self.start.elapsed().as_secs();
            self.told.lock().unwrap().push((at, text));
            sleep(self.takes).await;
        }
    }

    #[async_trait]
    impl Reporter for Slow {
        async fn begin(&self, _run: &Run) {}
        async fn diagnosed(&self, _run: &Run, network_config: &str, _network_outbound: &str) {
            self.hear(network_config.to_owned()).await;
        }
        async fn progress(&self, _run: &Run, progress: &Progress) {
            self.hear(progress.ended.to_string()).await;
        }
        async fn end(&self, _run: &Run, _ending: &Ending) {}
        async fn made_before(&self, _id: &RunId) {}
    }

    /// An update each second, the diagnosis among them; what is told, and when the last update could be sent.
    async fn told(takes: Duration) -> (Vec<(u64, String)>, Duration) {
        let run = Run {
            id: "a".parse().unwrap(),
            part: Part::Node,
            started: Timestamp::UNIX_EPOCH,
            attempt: 1,
        };
        let start = Instant::now();
        let reporter = Slow {
            start,
            takes,
            told: Mutex::default(),
        };
        let (sender, updates) = mpsc::channel(1);
        let sending = async move {
            for ended in 0..12 {
                let progress = Progress {
                    ended,
                    ..Progress::default()
                };
                sender.send(Update::Progress(progress)).await.unwrap();
                if ended == 2 {
                    let (network_config, network_outbound) = ("diagnosis".into(), String::new());
                    let update = Update::Diagnosed {
                        network_config,
                        network_outbound,
                    };
                    sender.send(update).await.unwrap();
                }
                sleep(Duration::from_secs(1)).await;
            }
            start.elapsed()
        };
        let over = CancellationToken::new();
        let ((), sent) = tokio::join!(forward(&run, &reporter, updates, &over), sending);
        (reporter.told.into_inner().unwrap(), sent)
    }

    fn lines(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
        lines.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_told_now_and_then_and_the_diagnosis_at_once() {
        let (told, _) = told(Duration::ZERO).await;
        assert_eq!(
            told,
            lines(&[(0, "0"), (2, "diagnosis"), (5, "4"), (10, "9"), (12, "11")])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reporter_holds_nobody_up_and_is_not_waited_for_for_ever() {
        let (told, sent) = told(Duration::from_mins(1)).await;
        assert_eq!(sent, Duration::from_secs(12));
        assert_eq!(told, lines(&[(0, "0"), (10, "diagnosis"), (20, "11")]));
    }
}
