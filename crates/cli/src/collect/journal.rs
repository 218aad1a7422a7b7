//! The program's own log of a run, kept for the archive (`run.log`); it is redacted on its way in, like everything.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Most of it that is kept: the beginning says most.
const MAX_BYTES: usize = 1024 * 1024;
/// Which levels, in the syntax of `tracing-subscriber`'s `EnvFilter`. Nothing is logged by default but our own words:
/// libraries log what they please, addresses with signatures among it.
const FILTER: &str = "off,aks_periscope=debug,periscope_actions=debug,periscope_bundle=debug,periscope_cluster=debug,\
                      periscope_core=debug,periscope_exporters=debug,periscope_host=debug,periscope_journal=debug";

/// The log so far.
#[derive(Debug, Clone, Default)]
pub(super) struct RunLog {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl RunLog {
    /// Begins to keep what the program logs from now on.
    pub(super) fn start() -> Self {
        let log = Self::default();
        let filter = EnvFilter::builder()
            .with_default_directive(LevelFilter::OFF.into())
            .parse_lossy(FILTER);
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(log.clone())
            .with_filter(filter);
        // A second run in one process goes on without a log of its own.
        tracing_subscriber::registry().with(layer).try_init().ok();
        log
    }

    /// What was logged until now.
    pub(super) fn content(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
pub(super) struct Line(RunLog);

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
