//! Journals by the node's own `journalctl`, for where its files cannot be reached but its programs can.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_host::{CommandRunner, HostCommand, HostPathError, NetworkChoice};
use periscope_journal::Selector;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::journals::{Journal, no_entries};
use crate::commands::{state_of_end, state_of_error};
use crate::host_files::reason_of;

/// Where distributions put it.
const PROGRAMS: [&str; 2] = ["/usr/bin/journalctl", "/bin/journalctl"];

/// Time for one journal: it reads some hundred MiB in seconds, from a cold disk in a minute.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Copies one journal.
pub(super) async fn copy(commands: &Arc<dyn CommandRunner>, sink: &Sink, journal: &Journal, since: Option<Timestamp>) {
    let name = journal.name.as_str();
    let command = match command(journal, since) {
        Ok(command) => command,
        Err(error) => return sink.record(name, State::Failed, reason_of(&error)),
    };
    let mut running = match commands.spawn(&command).await {
        Ok(running) => running,
        Err(error) => return sink.record(name, state_of_error(&error), reason_of(&error)),
    };
    let line = command.display();
    let mut stdout = BufReader::new(running.stdout());
    if matches!(stdout.fill_buf().await, Ok([])) {
        let end = running.wait().await;
        return match end.problem() {
            Some(problem) => sink.record(name, state_of_end(&end), format!("{line} {problem}")),
            None => sink.record(name, State::NotPresent, no_entries(journal, since)),
        };
    }
    let mut writer = sink.writer(ArtifactSpec::new(name, Content::Text).source(&*line));
    if let Err(error) = writer.copy_from(stdout).await {
        writer
            .finish_as(State::Failed, Some(format!("{line} cannot be read further: {error}")))
            .await;
        return;
    }
    // A full artifact is read no further, and what becomes of the program then does not matter.
    let end = if writer.is_full() {
        None
    } else {
        Some(running.wait().await)
    };
    match end.and_then(|end| Some((state_of_end(&end), end.problem()?))) {
        Some((state, problem)) => writer.finish_as(state, Some(format!("{line} {problem}"))).await,
        None => writer.finish().await,
    };
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
