//! How full the kernel's connection table is: its entries, its limit and its buckets.
//!
//! `/proc/sys/net` shows the network of whoever reads it. Where this process is in the node's network it reads the files
//! itself; elsewhere the node's own `grep` does, in the node's network. Both give `path:value` lines.

use std::fmt::Write;
use std::time::Duration;

use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_host::{CommandRunner, HostError, HostPath, HostRoot, NetworkChoice, NetworkNamespace};

use crate::commands::{self, CommandRow};
use crate::host_files::{self, off_thread};

/// The artifact.
pub(super) const FILL: &str = "conntrack.txt";

/// Counters of the connection table, in the network of the node's process 1; there when the table is.
pub(super) const STATS: &str = "/proc/1/net/stat/nf_conntrack";

const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
const BUCKETS: &str = "/proc/sys/net/netfilter/nf_conntrack_buckets";

/// A number and a line end.
const MAX_VALUE_BYTES: usize = 64;

const GREP: CommandRow = CommandRow {
    artifact: FILL,
    programs: &["/usr/bin/grep", "/bin/grep"],
    args: &["-H", "", COUNT, MAX, BUCKETS],
    content: Content::Text,
    network: NetworkChoice::Host,
    timeout: Duration::from_secs(10),
};

/// Writes the fill.
pub(super) async fn collect(root: &HostRoot, commands: &dyn CommandRunner, sink: &Sink) {
    let there = root.clone();
    let read = off_thread(move || {
        there.metadata(&HostPath::new(STATS)?)?;
        match there.network_namespace() {
            NetworkNamespace::Host => values(&there).map(Some),
            NetworkNamespace::Other | NetworkNamespace::Unknown => Ok(None),
        }
    });
    match read.await {
        Ok(Ok(Some(text))) => {
            sink.document(
                ArtifactSpec::new(FILL, Content::Text).source("/proc/sys/net/netfilter"),
                text,
            )
            .await;
        }
        Ok(Ok(None)) => {
            commands::collect(commands, sink, &GREP).await;
        }
        Ok(Err(error)) => {
            host_files::record(sink, FILL, &error);
        }
        Err(error) => sink.record(FILL, State::Failed, error.to_string()),
    }
}

fn values(root: &HostRoot) -> Result<String, HostError> {
    let mut text = String::new();
    for path in [COUNT, MAX, BUCKETS] {
        let value = root.read_text(&HostPath::new(path)?, MAX_VALUE_BYTES)?;
        // Writing to a string cannot fail.
        writeln!(text, "{path}:{}", value.trim()).ok();
    }
    Ok(text)
}
