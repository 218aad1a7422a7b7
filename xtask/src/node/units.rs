//! The long-running processes of the node, each with its own log: a file for what runs elsewhere on AKS, the journal
//! for the units of a node.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::STATE;
use super::journal::Journal;
use crate::command::{say, wait_for};

/// Longer than any single service takes to answer on two busy cores.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);

pub(super) struct Units {
    journal: Journal,
    logs: PathBuf,
    running: Vec<(&'static str, Child)>,
}

impl Units {
    pub(super) fn new(journal: Journal) -> Result<Self> {
        let logs = PathBuf::from(STATE).join("log");
        fs::create_dir_all(&logs).context("cannot make the folder of the logs")?;
        Ok(Self {
            journal,
            logs,
            running: Vec::new(),
        })
    }

    /// Starts a process that logs to `log/<name>.log` in the state folder.
    pub(super) fn start(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let log = File::create(self.logs.join(name).with_extension("log")).context("cannot make a log")?;
        command
            .stdout(log.try_clone().context("cannot share a log")?)
            .stderr(log);
        self.spawn(name, command)
    }

    /// Starts a process as systemd would start the unit `name`: logging to the journal.
    pub(super) fn start_in_journal(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        command
            .stdout(writer.try_clone().context("cannot share a pipe")?)
            .stderr(writer);
        self.spawn(name, command)?;
        // The command keeps its ends of the pipe open; without them the reader sees the end of the process.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let pid = self.running.last().map(|(_, child)| child.id()).unwrap_or_default();
        let journal = self.journal.clone();
        thread::spawn(move || {
            if let Err(error) = journal.copy_unit(name, pid, reader) {
                say(&format!("the journal of {name} ended: {error:#}"));
            }
        });
        Ok(())
    }

    /// Asks again until a service answers, or one has ended.
    pub(super) fn wait_for(&mut self, what: &str, mut answers: impl FnMut() -> bool) -> Result<()> {
        wait_for(what, ANSWER_LIMIT, || {
            for (name, child) in &mut self.running {
                if let Some(status) = child.try_wait().with_context(|| format!("cannot watch {name}"))? {
                    bail!("{name} ended: {status}");
                }
            }
            Ok(answers())
        })?;
        say(what);
        Ok(())
    }

    /// Says which service ends, until all have.
    pub(super) fn watch(self) {
        let watchers: Vec<_> = self
            .running
            .into_iter()
            .map(|(name, mut child)| thread::spawn(move || say(&format!("{name} ended: {:?}", child.wait()))))
            .collect();
        for watcher in watchers {
            if watcher.join().is_err() {
                say("a watcher ended early");
            }
        }
    }

    fn spawn(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        self.running.push((name, child));
        Ok(())
    }
}
