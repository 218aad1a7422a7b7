//! Programs of a node that do what a test says.
//!
//! No process is started: what an action makes of output, exit codes, time-outs and missing programs needs none.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use periscope_host::{CommandEnd, CommandError, CommandRunner, HostCommand, NetworkChoice, RunningCommand};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::Sleep;

/// What one program does.
#[derive(Debug, Clone, Default)]
pub struct Script {
    stdout: Vec<u8>,
    end: CommandEnd,
    hangs: bool,
}

impl Script {
    /// Writes `stdout` and exits with status 0.
    pub fn prints(stdout: impl Into<Vec<u8>>) -> Self {
        Self {
            stdout: stdout.into(),
            end: CommandEnd {
                status: Some(0),
                ..CommandEnd::default()
            },
            hangs: false,
        }
    }

    /// Exits with `status` after `stderr`.
    pub fn fails(status: i32, stderr: &str) -> Self {
        let end = CommandEnd {
            status: Some(status),
            stderr_tail: stderr.to_owned(),
            ..CommandEnd::default()
        };
        Self {
            stdout: Vec::new(),
            end,
            hangs: false,
        }
    }

    /// Never ends by itself: the command's timeout, which a test sets short, kills it.
    pub fn hangs() -> Self {
        let end = CommandEnd {
            signal: Some(9),
            timed_out: true,
            ..CommandEnd::default()
        };
        Self {
            stdout: Vec::new(),
            end,
            hangs: true,
        }
    }

    /// Writes `stdout` before it does what it does.
    #[must_use]
    pub fn after(mut self, stdout: impl Into<Vec<u8>>) -> Self {
        self.stdout = stdout.into();
        self
    }
}

/// A [`CommandRunner`] from a table of scripts. A program that is not in the table is not on the node.
#[derive(Debug, Default)]
pub struct ScriptedCommands {
    scripts: HashMap<String, Script>,
    not_host_network: bool,
    started: Mutex<Vec<String>>,
}

impl ScriptedCommands {
    /// A node without programs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a program: its absolute path on the node, alone or with its arguments after it, separated by spaces.
    ///
    /// The entry with arguments is preferred.
    #[must_use]
    pub fn with(mut self, program: &str, script: Script) -> Self {
        self.scripts.insert(program.to_owned(), script);
        self
    }

    /// Refuses every program that needs the node's network.
    #[must_use]
    pub fn not_in_host_network(mut self) -> Self {
        self.not_host_network = true;
        self
    }

    /// The programs that were started, with their arguments, in order.
    pub fn started(&self) -> Vec<String> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn script(&self, command: &HostCommand) -> Option<(String, &Script)> {
        command.candidates().iter().find_map(|program| {
            let line = [program.as_str()]
                .into_iter()
                .chain(command.arguments().iter().map(String::as_str));
            let line = line.collect::<Vec<_>>().join(" ");
            let script = self.scripts.get(&line).or_else(|| self.scripts.get(program.as_str()))?;
            Some((line, script))
        })
    }
}

#[async_trait]
impl CommandRunner for ScriptedCommands {
    async fn spawn(&self, command: &HostCommand) -> Result<RunningCommand, CommandError> {
        let Some((line, script)) = self.script(command) else {
            let candidates = command.candidates().iter().map(ToString::to_string).collect();
            return Err(CommandError::NotFound { candidates });
        };
        if self.not_host_network && command.network_choice() == NetworkChoice::Host {
            return Err(CommandError::NotHostNetwork { program: line });
        }
        self.started.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        let Script { stdout, end, hangs } = script.clone();
        let deadline = tokio::time::Instant::now() + command.timeout();
        let output = Cursor::new(stdout).chain(Hanging {
            until: hangs.then(|| Box::pin(tokio::time::sleep_until(deadline))),
        });
        Ok(RunningCommand::new(output, async move {
            if hangs {
                tokio::time::sleep_until(deadline).await;
            }
            end
        }))
    }
}

/// Output that says nothing more, and ends at once or when its program is killed.
struct Hanging {
    until: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Hanging {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.until {
            Some(until) => until.as_mut().poll(cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PROGRAMS: [&str; 2] = ["/usr/sbin/tool", "/sbin/tool"];

    fn command() -> HostCommand {
        HostCommand::new(&PROGRAMS, Duration::from_secs(30)).unwrap()
    }

    async fn run(commands: &ScriptedCommands, command: &HostCommand) -> (String, CommandEnd) {
        let mut running = commands.spawn(command).await.unwrap();
        let mut output = String::new();
        running.stdout().read_to_string(&mut output).await.unwrap();
        (output, running.wait().await)
    }

    #[tokio::test]
    async fn the_entry_with_arguments_is_preferred() {
        let commands = ScriptedCommands::new()
            .with("/sbin/tool", Script::prints("any"))
            .with("/sbin/tool -c", Script::fails(3, "no").after("part"));
        let (output, end) = run(&commands, &command().arg("-c")).await;
        assert_eq!(
            (output.as_str(), end.status, end.stderr_tail.as_str()),
            ("part", Some(3), "no")
        );
        let (output, end) = run(&commands, &command()).await;
        assert_eq!((output.as_str(), end.success()), ("any", true));
        assert_eq!(commands.started(), ["/sbin/tool -c", "/sbin/tool"]);
    }

    #[tokio::test]
    async fn a_hanging_program_is_killed_at_its_timeout() {
        let commands = ScriptedCommands::new().with("/sbin/tool", Script::hangs().after("first line\n"));
        let short = HostCommand::new(&PROGRAMS, Duration::from_millis(1)).unwrap();
        let (output, end) = run(&commands, &short).await;
        assert_eq!((output.as_str(), end.timed_out), ("first line\n", true));
    }

    #[tokio::test]
    async fn what_is_not_scripted_is_not_there() {
        let error = ScriptedCommands::new().spawn(&command()).await.err().unwrap();
        assert_eq!(error.to_string(), "the node has no /usr/sbin/tool or /sbin/tool");
    }

    #[tokio::test]
    async fn the_network_can_be_somebody_elses() {
        let commands = ScriptedCommands::new()
            .with("/sbin/tool", Script::prints(""))
            .not_in_host_network();
        let refused = commands.spawn(&command()).await.err().unwrap();
        assert!(matches!(refused, CommandError::NotHostNetwork { .. }), "{refused}");
        assert!(commands.spawn(&command().network(NetworkChoice::Own)).await.is_ok());
    }
}
