//! The program's own log of a run, kept for the archive (`run.log`); it is redacted on its way in, like everything.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Most of it that is kept: the beginning says most.
const MAX_BYTES: usize = 1024 * 1024;
/// Who is listened to. Nothing is logged by default but our own words: libraries log what they please, addresses with
/// signatures among it.
const OURS: [&str; 10] = [
    "aks_periscope",
    "periscope_actions",
    "periscope_agent",
    "periscope_bundle",
    "periscope_cluster",
    "periscope_core",
    "periscope_exporters",
    "periscope_host",
    "periscope_journal",
    "periscope_sampling",
];

/// The log so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunLog {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl RunLog {
    /// Begins to keep what the program logs from now on.
    pub(crate) fn start() -> Self {
        Self::begin(false)
    }

    /// The same, and tells it on standard error too: for a program that nobody sits before.
    pub(crate) fn start_telling() -> Self {
        Self::begin(true)
    }

    fn begin(telling: bool) -> Self {
        let log = Self::default();
        let kept = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(log.clone())
            .with_filter(filter(LevelFilter::DEBUG));
        let told = telling.then(|| {
            tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_target(false)
                .with_writer(|| Told)
                .with_filter(filter(LevelFilter::INFO))
        });
        // A second run in one process goes on without a log of its own.
        tracing_subscriber::registry().with(kept).with(told).try_init().ok();
        log
    }

    /// Forgets what was logged until now: a new run begins.
    pub(crate) fn clear(&self) {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What was logged until now.
    pub(crate) fn content(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn filter(level: LevelFilter) -> Targets {
    OURS.iter()
        .fold(Targets::new(), |targets, name| targets.with_target(*name, level))
}

/// Standard error, without secrets. The layer above writes an event as a whole.
struct Told;

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(periscope_redact::redact_str(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &RunLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + bytes.len() <= MAX_BYTES {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One line of the log on its way in.
pub(crate) struct Line(RunLog);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        Line(self.clone())
    }
}
