//! Runs programs of the node in the node's own file system and network.
//!
//! Directly when this process is on the node itself; otherwise this binary is started again and enters the node
//! first ([`host_exec_main`](crate::host_exec_main)), so that neither `nsenter` nor a shell is needed in the image.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::host_exec::{Entry, Files, PROBE};
use crate::process;
use crate::{
    CommandError, CommandRunner, EntryKind, HOST_EXEC_ARG, HostCommand, HostError, HostPath, HostRoot, NetworkChoice,
    NetworkNamespace, RootOrigin, RunningCommand,
};

/// Where this program is, even after it was replaced on disk.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Where programs look for others; the order of systemd and Debian.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Entering namespaces is a few calls of the kernel.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer of a probe that is read.
const PROBE_BYTES: u64 = 256;

/// The bits of a mode that let anybody run a file.
const ANY_EXECUTE: u32 = 0o111;

/// Runs programs of one node.
#[derive(Debug)]
pub struct HostCommands {
    root: HostRoot,
    own_program: PathBuf,
    /// What this process may enter; the reason when nothing.
    entry: OnceCell<Result<Entry, String>>,
}

impl HostCommands {
    /// A runner for the node at `root`.
    ///
    /// The binary's `main` must hand over to [`host_exec_main`](crate::host_exec_main) when its first argument is
    /// [`HOST_EXEC_ARG`].
    pub fn new(root: HostRoot) -> Self {
        Self {
            root,
            own_program: OWN_PROGRAM.into(),
            entry: OnceCell::new(),
        }
    }

    /// Whose network namespace this process itself is in.
    pub fn host_network(&self) -> NetworkNamespace {
        self.root.network_namespace()
    }

    /// The first candidate that exists on the node and is a program.
    fn find(&self, command: &HostCommand) -> Result<HostPath, CommandError> {
        let mut denied = None;
        for candidate in command.candidates() {
            match self.root.metadata(candidate) {
                Ok(file) if file.kind == EntryKind::File && file.mode & ANY_EXECUTE != 0 => {
                    return Ok(candidate.clone());
                }
                Err(error @ HostError::Denied { .. }) => denied = Some((candidate, error)),
                _ => {}
            }
        }
        Err(match denied {
            Some((candidate, error)) => CommandError::Denied {
                program: candidate.to_string(),
                reason: error.to_string(),
            },
            None => CommandError::NotFound {
                candidates: command.candidates().iter().map(HostPath::to_string).collect(),
            },
        })
    }

    /// How to get at the node for `command`; `None` when we are there.
    async fn way(&self, program: &HostPath, network: NetworkChoice) -> Result<Option<Entry>, CommandError> {
        let at_home = self.root.is_own_root();
        let elsewhere = network == NetworkChoice::Host && self.host_network() != NetworkNamespace::Host;
        if at_home && !elsewhere {
            return Ok(None);
        }
        let denied = |reason: &str| CommandError::Denied {
            program: program.to_string(),
            reason: reason.to_owned(),
        };
        let may = self.entry.get_or_init(|| async { self.probe().await }).await;
        let may = match may {
            Ok(may) => may,
            Err(_) if at_home => {
                return Err(CommandError::NotHostNetwork {
                    program: program.to_string(),
                });
            }
            Err(reason) => return Err(denied(reason)),
        };
        if elsewhere && !may.network {
            return Err(CommandError::NotHostNetwork {
                program: program.to_string(),
            });
        }
        let files = if at_home { Files::Own } else { may.files };
        Ok(Some(Entry {
            files,
            network: elsewhere,
        }))
    }

    /// Asks a child what this process may enter.
    async fn probe(&self) -> Result<Entry, String> {
        let mut probing = self.reexec().map_err(|error| error.to_string())?;
        probing.arg(PROBE);
        let mut running = process::start(probing, PROBE_TIMEOUT).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        let read = running.stdout().take(PROBE_BYTES).read_to_string(&mut answer).await;
        let end = running.wait().await;
        if let Some(problem) = end.problem() {
            let said = end.stderr_tail.trim();
            return Err(if said.is_empty() { problem } else { said.to_owned() });
        }
        read.map_err(|error| error.to_string())?;
        Entry::from_arg(answer.trim_end()).ok_or_else(|| "this program does not start itself again".to_owned())
    }

    /// This program again, with the node's root folder as its standard input.
    #[expect(clippy::disallowed_methods, reason = "this crate is the one that reaches the node")]
    fn reexec(&self) -> io::Result<Command> {
        let mut command = Command::new(&self.own_program);
        command.arg(HOST_EXEC_ARG);
        command.stdin(Stdio::from(rustix::io::fcntl_dupfd_cloexec(self.root.handle(), 0)?));
        set_surroundings(&mut command);
        Ok(command)
    }
}

#[async_trait]
impl CommandRunner for HostCommands {
    #[expect(clippy::disallowed_methods, reason = "this crate is the one that reaches the node")]
    async fn spawn(&self, command: &HostCommand) -> Result<RunningCommand, CommandError> {
        if self.root.origin() == RootOrigin::PodMounts {
            return Err(CommandError::Denied {
                program: command.display(),
                reason: "only some folders of the node are mounted into this pod, and not its root".to_owned(),
            });
        }
        let program = self.find(command)?;
        let failed = |source| CommandError::Spawn {
            program: program.to_string(),
            source,
        };
        let mut child = match self.way(&program, command.network_choice()).await? {
            None => {
                let mut direct = Command::new(program.as_str());
                direct.stdin(Stdio::null());
                set_surroundings(&mut direct);
                direct
            }
            Some(entry) => {
                let mut entering = self.reexec().map_err(failed)?;
                entering.arg(entry.to_arg()).arg(program.as_str());
                entering
            }
        };
        child.args(command.arguments());
        process::start(child, command.timeout()).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => CommandError::Denied {
                program: program.to_string(),
                reason: source.to_string(),
            },
            _ => CommandError::Spawn {
                program: program.to_string(),
                source,
            },
        })
    }
}

fn set_surroundings(command: &mut Command) {
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/");
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TIMEOUT: Duration = Duration::from_mins(1);

    fn on_this_machine() -> HostCommands {
        HostCommands::new(HostRoot::at("/".as_ref()).unwrap())
    }

    fn command(candidates: &[&str]) -> HostCommand {
        HostCommand::new(candidates, TIMEOUT)
            .unwrap()
            .network(NetworkChoice::Own)
    }

    async fn output(commands: &HostCommands, command: &HostCommand) -> String {
        let mut running = commands.spawn(command).await.unwrap();
        let mut output = String::new();
        running.stdout().read_to_string(&mut output).await.unwrap();
        output
    }

    #[tokio::test]
    async fn the_first_candidate_that_is_a_program_is_run() {
        let sh = command(&["/nowhere/sh", "/proc/version", "/bin/sh"]).args(["-c", "echo \"$0 $1\"", "a b", "$HOME"]);
        assert_eq!(output(&on_this_machine(), &sh).await, "a b $HOME\n");
    }

    #[tokio::test]
    async fn a_program_sees_no_surroundings_of_ours() {
        let env = output(&on_this_machine(), &command(&["/usr/bin/env", "/bin/env"])).await;
        let mut names: Vec<_> = env.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["LC_ALL", "PATH"]);
        let sh = command(&["/bin/sh"]).args(["-c", "pwd; cat; echo end of input"]);
        assert_eq!(output(&on_this_machine(), &sh).await, "/\nend of input\n");
    }

    #[rstest]
    #[case::nowhere(&["/nowhere/a", "/nowhere/b"], "the node has no /nowhere/a or /nowhere/b")]
    #[case::not_a_program(&["/proc/version"], "the node has no /proc/version")]
    #[case::a_folder(&["/etc"], "the node has no /etc")]
    #[tokio::test]
    async fn what_is_no_program_is_not_there(#[case] candidates: &[&str], #[case] expected: &str) {
        let error = on_this_machine().spawn(&command(candidates)).await.err().unwrap();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.absence(), crate::Absence::NotPresent);
    }
}
