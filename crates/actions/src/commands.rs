//! The one way in which a host command's output becomes an artifact. An action that only runs commands is a table of
//! [`CommandRow`]s; files are copied by `host_files`.

use std::time::Duration;

use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_host::{Absence, CommandEnd, CommandError, CommandRunner, HostCommand, NetworkChoice};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::host_files::reason_of;

/// A command and the artifact that its output becomes.
#[derive(Debug)]
pub(crate) struct CommandRow {
    /// The artifact's name below the action's folder.
    pub(crate) artifact: &'static str,
    /// Where the program may be, as absolute paths on the node.
    pub(crate) programs: &'static [&'static str],
    /// Its arguments.
    pub(crate) args: &'static [&'static str],
    /// What it prints.
    pub(crate) content: Content,
    /// Whether its answer is about the network, and so must come from the node's.
    pub(crate) network: NetworkChoice,
    /// How long it may run.
    pub(crate) timeout: Duration,
}

/// What programs say on standard error, in the C locale, when the right to do something is missing.
const DENIALS: [&str; 3] = ["Permission denied", "Operation not permitted", "must be root"];

/// What tools of systemd say where another init runs the machine (`systemd`, `src/basic/util.c`, `sd_booted`; EHOSTDOWN
/// of
/// `bus_connect_system_systemd`). A bus that does not answer on a machine of systemd says something else.
const NO_SYSTEMD: [&str; 2] = ["not been booted with systemd", "Failed to connect to bus: Host is down"];

/// What it means when a command that ended well printed nothing.
#[derive(Debug)]
pub(crate) enum Silence {
    /// That there is nothing: an empty artifact says so.
    Answer,
    /// That the node does not have it, for this reason.
    Absence(String),
}

/// Runs the command of a row and streams what it prints into the row's artifact; see [`copy`].
pub(crate) async fn collect(commands: &dyn CommandRunner, sink: &Sink, row: &CommandRow) -> State {
    match HostCommand::new(row.programs, row.timeout) {
        Ok(command) => {
            let command = command.args(row.args.iter().copied()).network(row.network);
            copy(commands, sink, row.artifact, row.content, &command, Silence::Answer).await
        }
        Err(error) => record(sink, row.artifact, State::Failed, &error.to_string()),
    }
}

/// Runs the command and streams what it prints into the artifact `name`. What a command printed is kept however it
/// ended; of one that failed and printed nothing there is only a record.
///
/// # Cancel safety
/// When dropped, the command is killed, and what it printed until then is kept.
pub(crate) async fn copy(
    commands: &dyn CommandRunner,
    sink: &Sink,
    name: &str,
    content: Content,
    command: &HostCommand,
    silence: Silence,
) -> State {
    let mut running = match commands.spawn(command).await {
        Ok(running) => running,
        Err(error) => return record(sink, name, state_of_error(&error), &reason_of(&error)),
    };
    let line = command.display();
    let spec = ArtifactSpec::new(name, content).source(&*line);
    let mut stdout = BufReader::new(running.stdout());
    let silent = match stdout.fill_buf().await {
        Ok(first) => first.is_empty(),
        Err(error) => return record(sink, name, State::Failed, &format!("{line} cannot be read: {error}")),
    };
    if silent {
        let end = running.wait().await;
        return match (end.problem(), silence) {
            (Some(problem), _) => record(sink, name, state_of_end(&end), &format!("{line} {problem}")),
            (None, Silence::Absence(reason)) => record(sink, name, State::NotPresent, &reason),
            (None, Silence::Answer) => sink.writer(spec).finish().await,
        };
    }
    let mut artifact = sink.writer(spec);
    if let Err(error) = artifact.copy_from(stdout).await {
        let reason = format!("{line} cannot be read further: {error}");
        return artifact.finish_as(State::Failed, Some(reason)).await;
    }
    // Of a full artifact the rest is not read, and what becomes of the command then does not matter.
    if artifact.is_full() {
        return artifact.finish().await;
    }
    let end = running.wait().await;
    match end.problem() {
        None => artifact.finish().await,
        Some(problem) => {
            artifact
                .finish_as(state_of_end(&end), Some(format!("{line} {problem}")))
                .await
        }
    }
}

fn record(sink: &Sink, name: &str, state: State, reason: &str) -> State {
    sink.record(name, state, reason);
    state
}

/// How an item ends whose command was not run.
fn state_of_error(error: &CommandError) -> State {
    match error.absence() {
        Absence::NotPresent => State::NotPresent,
        Absence::Denied => State::Denied,
        Absence::NotApplicable => State::NotApplicable,
        Absence::Failed => State::Failed,
    }
}

/// How an item ends whose command had a problem.
fn state_of_end(end: &CommandEnd) -> State {
    if end.timed_out {
        State::TimedOut
    } else if DENIALS.iter().any(|denial| end.stderr_tail.contains(denial)) {
        State::Denied
    } else if NO_SYSTEMD.iter().any(|words| end.stderr_tail.contains(words)) {
        State::NotApplicable
    } else {
        State::Failed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use periscope_core::{Action, ActionContext, ActionError, Content, Descriptor, Scope, Sensitivity, State};
    use periscope_host::NetworkChoice;
    use periscope_testkit::{ActionRun, Script, ScriptedCommands};

    use super::{CommandRow, collect};

    static DESCRIPTOR: Descriptor = Descriptor {
        id: "test",
        summary: "Runs one command",
        timeout: Duration::from_mins(1),
        limit: 1024,
        rbac: &[],
        scope: Scope::Node,
        sensitivity: Sensitivity::Node,
        items: &[],
    };

    const ROW: CommandRow = CommandRow {
        artifact: "out.txt",
        programs: &["/bin/tool"],
        args: &[],
        content: Content::Text,
        network: NetworkChoice::Own,
        timeout: Duration::from_millis(10),
    };

    struct RunsTool(ScriptedCommands);

    #[async_trait]
    impl Action for RunsTool {
        async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
            collect(&self.0, &cx.sink, &ROW).await;
            Ok(())
        }
    }

    async fn run(script: Script) -> ActionRun {
        let commands = ScriptedCommands::new().with("/bin/tool", script);
        ActionRun::of(&DESCRIPTOR, Arc::new(RunsTool(commands))).await
    }

    #[tokio::test]
    async fn a_command_that_hangs_keeps_what_it_printed() {
        let run = run(Script::hangs().after("first lines\n")).await;
        assert_eq!(
            (run.state("out.txt"), run.text("out.txt")),
            (State::TimedOut, "first lines\n".to_owned())
        );
        assert_eq!(run.reason("out.txt"), "tool was killed when its time was over");
    }

    #[tokio::test]
    async fn a_command_that_hangs_in_silence_leaves_a_record_only() {
        let run = run(Script::hangs()).await;
        assert_eq!((run.state("out.txt"), run.content("out.txt")), (State::TimedOut, None));
    }

    #[rstest::rstest]
    #[case::another_init("Failed to connect to bus: Host is down\n", State::NotApplicable)]
    #[case::broken_bus("Failed to connect to bus: Connection refused\n", State::Failed)]
    #[case::no_right("tool: Operation not permitted\n", State::Denied)]
    #[tokio::test]
    async fn what_a_command_complains_of_is_its_state(#[case] said: &str, #[case] state: State) {
        let run = run(Script::fails(1, said)).await;
        assert_eq!(run.state("out.txt"), state);
        assert!(run.reason("out.txt").contains(said.trim()), "{}", run.reason("out.txt"));
    }

    #[tokio::test]
    async fn output_is_cut_at_the_limit() {
        let run = run(Script::prints(vec![b'x'; 1_000_000])).await;
        assert_eq!(
            (run.state("out.txt"), run.text("out.txt").len()),
            (State::Truncated, 1024)
        );
    }
}
