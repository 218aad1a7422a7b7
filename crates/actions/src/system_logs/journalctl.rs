//! Journals by the node's own `journalctl`, for where its files cannot be reached but its programs can.

use std::time::Duration;

use jiff::Timestamp;
use periscope_core::{Content, Sink, State};
use periscope_host::{CommandRunner, HostCommand, HostPathError, NetworkChoice};
use periscope_journal::Selector;

use super::journals::{Journal, no_entries};
use crate::commands::{self, Silence};
use crate::host_files::reason_of;

/// Where distributions put it.
const PROGRAMS: [&str; 2] = ["/usr/bin/journalctl", "/bin/journalctl"];

/// Time for one journal: it reads some hundred MiB in seconds, from a cold disk in a minute.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Copies one journal.
pub(super) async fn copy(commands: &dyn CommandRunner, sink: &Sink, journal: &Journal, since: Option<Timestamp>) {
    let name = journal.name.as_str();
    match command(journal, since) {
        Ok(command) => {
            let silence = Silence::Absence(no_entries(journal, since));
            commands::copy(commands, sink, name, Content::Text, &command, silence).await;
        }
        Err(error) => sink.record(name, State::Failed, reason_of(&error)),
    }
}

fn command(journal: &Journal, since: Option<Timestamp>) -> Result<HostCommand, HostPathError> {
    let command = HostCommand::new(&PROGRAMS, TIMEOUT)?.network(NetworkChoice::Own).args([
        "--no-pager",
        "--quiet",
        "--utc",
        "--output=short-iso-precise",
    ]);
    let command = match &journal.selector {
        Selector::Unit(unit) => command.arg(format!("--unit={unit}")),
        Selector::Identifier(name) => command.arg(format!("--identifier={name}")),
        Selector::Kernel => command.arg("_TRANSPORT=kernel"),
        Selector::All => command,
    };
    Ok(match since {
        Some(since) => command.arg(format!("--since=@{}", since.as_second())),
        None => command,
    })
}
