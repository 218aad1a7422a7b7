//! The contract of running a program of the node: what to run, what comes back, what can go wrong.
//!
//! Actions depend on [`CommandRunner`] only; the real one is [`HostCommands`](crate::HostCommands), tests script
//! theirs.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;
use tokio::io::AsyncRead;

use crate::{Absence, HostPath, HostPathError};

/// How much of the end of a program's standard error is kept: the last lines say why it failed.
pub const STDERR_TAIL_BYTES: usize = 8 * 1024;

/// A program of the node and how to run it.
///
/// It gets no environment but `PATH` and `LC_ALL=C`, no input, and its own process group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCommand {
    candidates: Vec<HostPath>,
    args: Vec<String>,
    timeout: Duration,
    network: NetworkChoice,
}

/// Which network namespace a program must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkChoice {
    /// The node's, and shown to be so; else the program is not run.
    Host,
    /// Whichever this process is in: for programs whose answer does not depend on it.
    Own,
}

impl HostCommand {
    /// A command that runs the first of `candidates` (absolute paths on the node) that exists, in the node's network
    /// namespace, and kills it after `timeout`.
    pub fn new(candidates: &[&str], timeout: Duration) -> Result<Self, HostPathError> {
        let candidates = candidates
            .iter()
            .map(|path| HostPath::new(path))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            candidates,
            args: Vec::new(),
            timeout,
            network: NetworkChoice::Host,
        })
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets which network namespace the program must see.
    #[must_use]
    pub fn network(mut self, network: NetworkChoice) -> Self {
        self.network = network;
        self
    }

    /// Where the program may be, in the order they are tried.
    pub fn candidates(&self) -> &[HostPath] {
        &self.candidates
    }

    /// The arguments after the program.
    pub fn arguments(&self) -> &[String] {
        &self.args
    }

    /// How long it may run.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Which network namespace it must see.
    pub fn network_choice(&self) -> NetworkChoice {
        self.network
    }

    /// The program's file name and its arguments, for messages.
    pub fn display(&self) -> String {
        let program = self.candidates.first().and_then(HostPath::file_name).unwrap_or("?");
        [program]
            .into_iter()
            .chain(self.args.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Runs programs of the node.
#[async_trait]
pub trait CommandRunner: Send + Sync {
    /// Starts `command`. Must be called within a Tokio runtime.
    async fn spawn(&self, command: &HostCommand) -> Result<RunningCommand, CommandError>;
}

/// A program that was started. Dropping it kills the program and what it started.
pub struct RunningCommand {
    stdout: Pin<Box<dyn AsyncRead + Send>>,
    end: Pin<Box<dyn Future<Output = CommandEnd> + Send>>,
}

impl RunningCommand {
    /// A program whose output is `stdout` and whose end `end` waits for; dropping `end` must kill it.
    pub fn new(
        stdout: impl AsyncRead + Send + 'static,
        end: impl Future<Output = CommandEnd> + Send + 'static,
    ) -> Self {
        Self {
            stdout: Box::pin(stdout),
            end: Box::pin(end),
        }
    }

    /// Its standard output: at its end when the program has ended or was killed.
    ///
    /// While it is not read, the program waits, up to its timeout.
    pub fn stdout(&mut self) -> &mut (impl AsyncRead + Unpin + Send + use<>) {
        &mut self.stdout
    }

    /// Waits for the end; output not read before is thrown away.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the program.
    pub async fn wait(self) -> CommandEnd {
        let Self { stdout, end } = self;
        drop(stdout);
        end.await
    }
}

/// How a program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandEnd {
    /// Its exit status, if it exited by itself.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The last [`STDERR_TAIL_BYTES`] of its standard error; bytes that are not UTF-8 are replaced.
    pub stderr_tail: String,
    /// Whether it was killed because its time was over.
    pub timed_out: bool,
    /// Whether it did not die when killed (it hangs in the kernel) and was left behind.
    pub abandoned: bool,
}

impl CommandEnd {
    /// Whether it exited by itself, in time and with status 0.
    pub fn success(&self) -> bool {
        self.status == Some(0) && !self.timed_out
    }

    /// What was wrong, in one line with the last line of standard error; `None` after a success.
    pub fn problem(&self) -> Option<String> {
        let how = match (self.status, self.signal) {
            _ if self.abandoned => "did not die when its time was over, and was left behind".to_owned(),
            _ if self.timed_out => "was killed when its time was over".to_owned(),
            (Some(0), _) => return None,
            (Some(status), _) => format!("exited with status {status}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        match self
            .stderr_tail
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty())
        {
            Some(line) => Some(format!("{how}: {line}")),
            None => Some(how),
        }
    }
}

/// Why a program was not run.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The node has none of the candidates.
    #[error("the node has no {program}", program = candidates.join(" or "))]
    NotFound {
        /// Where it was looked for.
        candidates: Vec<String>,
    },
    /// This process may not run programs of the node.
    #[error("{program} may not be run: {reason}")]
    Denied {
        /// The program.
        program: String,
        /// What is missing.
        reason: String,
    },
    /// The program would have seen a network that is not shown to be the node's.
    #[error("{program} was not run: this is not shown to be the node's network")]
    NotHostNetwork {
        /// The program.
        program: String,
    },
    /// It could not be started.
    #[error("{program} cannot be started")]
    Spawn {
        /// The program.
        program: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl CommandError {
    /// The kind of absence that the program's output has.
    pub fn absence(&self) -> Absence {
        match self {
            Self::NotFound { .. } => Absence::NotPresent,
            Self::Denied { .. } | Self::NotHostNetwork { .. } => Absence::Denied,
            Self::Spawn { .. } => Absence::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::success(CommandEnd { status: Some(0), stderr_tail: "a warning".into(), ..CommandEnd::default() }, None)]
    #[case::exit(
        CommandEnd { status: Some(4), stderr_tail: "first\nlast\n\n".into(), ..CommandEnd::default() },
        Some("exited with status 4: last")
    )]
    #[case::signal(CommandEnd { signal: Some(11), ..CommandEnd::default() }, Some("was ended by signal 11"))]
    #[case::late(
        CommandEnd { signal: Some(9), timed_out: true, ..CommandEnd::default() },
        Some("was killed when its time was over")
    )]
    fn problems(#[case] end: CommandEnd, #[case] expected: Option<&str>) {
        assert_eq!(end.problem().as_deref(), expected);
    }
}
