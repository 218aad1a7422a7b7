//! Whether the node's clock is kept right, and the kernel's messages where no journal keeps them: what the node's own
//! tools say, because the kernel tells its clock's state in no file.

use std::time::Duration;

use periscope_core::{Content, PlannedItem, Sink, State};
use periscope_documents::names;
use periscope_host::{CommandRunner, HostRoot, NetworkChoice};

use crate::commands::{self, CommandRow};
use crate::host_files::off_thread;
use crate::planned;

/// They ask a daemon on the node, which answers at once or never.
const TIMEOUT: Duration = Duration::from_secs(10);

const COMMANDS: [CommandRow; 3] = [
    CommandRow {
        artifact: names::TIMEDATECTL,
        programs: &["/usr/bin/timedatectl", "/bin/timedatectl"],
        args: &["--no-pager"],
        content: Content::Text,
        network: NetworkChoice::Own,
        timeout: TIMEOUT,
    },
    CommandRow {
        artifact: names::CHRONY_TRACKING,
        programs: &["/usr/bin/chronyc", "/bin/chronyc"],
        args: &["-n", "tracking"],
        content: Content::Text,
        // Without its socket it asks 127.0.0.1.
        network: NetworkChoice::Host,
        timeout: TIMEOUT,
    },
    CommandRow {
        artifact: CHRONY_SOURCES,
        programs: &["/usr/bin/chronyc", "/bin/chronyc"],
        args: &["-n", "sources", "-v"],
        content: Content::Text,
        network: NetworkChoice::Host,
        timeout: TIMEOUT,
    },
];

/// Where chrony has the time from.
pub(super) const CHRONY_SOURCES: &str = "time/chrony-sources.txt";

const DMESG: CommandRow = CommandRow {
    artifact: names::DMESG,
    programs: &["/usr/bin/dmesg", "/bin/dmesg"],
    args: &["--time-format", "iso"],
    content: Content::Text,
    network: NetworkChoice::Own,
    timeout: TIMEOUT,
};

const HAS_JOURNAL: &str = "the node has a journal, which keeps the kernel's messages: see system-logs";

/// Where journald keeps its files.
const JOURNALS: [&str; 2] = ["/var/log/journal/*/*.journal", "/run/log/journal/*/*.journal"];

/// Asks them all.
pub(super) async fn collect(root: &HostRoot, commands: &dyn CommandRunner, sink: &Sink) {
    for row in &COMMANDS {
        commands::collect(commands, sink, row).await;
    }
    let there = root.clone();
    match off_thread(move || has_journal(&there)).await {
        Ok(true) => sink.record(names::DMESG, State::NotApplicable, HAS_JOURNAL),
        Ok(false) => {
            commands::collect(commands, sink, &DMESG).await;
        }
        Err(error) => sink.record(names::DMESG, State::Failed, error.to_string()),
    }
}

/// What [`collect`] would take. Blocks.
pub(super) fn plan(root: &HostRoot) -> Vec<PlannedItem> {
    let mut items: Vec<_> = COMMANDS.iter().map(|row| planned::command(root, row)).collect();
    items.push(if has_journal(root) {
        PlannedItem::missing(names::DMESG, State::NotApplicable, HAS_JOURNAL)
    } else {
        planned::command(root, &DMESG)
    });
    items
}

fn has_journal(root: &HostRoot) -> bool {
    JOURNALS
        .iter()
        .any(|pattern| root.glob(pattern).is_ok_and(|found| !found.paths.is_empty()))
}
