//! `cargo xtask bench collect`: what runs against what, in which order, and what is made of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};

use super::cgroup::MemoryCgroup;
use super::fixture::{self, Node};
use super::journal::UNITS;
use super::measure::{Cost, measure};
use super::report::{Contest, Report};
use super::{agent, analyze, page};
use super::{machine, parts};
use crate::command::say;
use crate::services::place::{target, workspace};

/// What the product promises to run in.
const MEMORY: u64 = 64 * 1024 * 1024;
/// A clean environment, and the same two cores for everybody.
const PINNED: [&str; 6] = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "taskset", "-c", "0,1"];
/// The run id of what is collected here.
const RUN_ID: &str = "bench";
/// When a run starts that is measured with the scan and without: when the last lines of the journal were just written,
/// as on a node, because rules look closer at new lines than at old ones.
const STARTED: &str = "2026-11-13T12:00:00Z";

#[derive(clap::Args)]
pub(super) struct Args {
    /// How often each of the two sides of a comparison runs
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// A tiny node: shows that everything works, and measures nothing
    #[arg(long)]
    quick: bool,
    /// Measure this program, and not the one that is built here: to compare two versions
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Put the figures into docs/benchmarks.md
    #[arg(long, conflicts_with = "quick")]
    write: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode> {
        let Self {
            runs,
            quick,
            program,
            write,
        } = self;
        build(&["periscope-bundle", "--example", "parts"])?;
        build(&["periscope-cli", "--example", "scan_in_a_run"])?;
        let program = if let Some(program) = program {
            program
        } else {
            build(&["periscope-cli"])?;
            target().join("release/aks-periscope")
        };
        let (node, larger) = Node::both(if quick { fixture::QUICK } else { fixture::FULL })?;
        let bench = Bench::new(program, runs.max(1))?;
        let report = bench.report(&node, &larger)?;
        let text = report.to_string();
        say(&format!("done\n\n{text}"));
        if write {
            page::write_but_for(&report.as_page(), &[analyze::HEADING, agent::HEADING])?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds a package as it is shipped.
pub(super) fn build(package: &[&str]) -> Result<()> {
    say(&format!("building {}", package.join(" ")));
    let status = Command::new("cargo")
        .args(["build", "--release", "--package"])
        .args(package)
        .current_dir(workspace())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the build failed");
    }
    Ok(())
}

struct Bench {
    program: PathBuf,
    runs: usize,
    /// Where archives and compressed texts go.
    output: PathBuf,
}

impl Bench {
    fn new(program: PathBuf, runs: usize) -> Result<Self> {
        let output = fixture::folder().join("output");
        fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
        Ok(Self { program, runs, output })
    }

    fn report(&self, node: &Node, larger: &Node) -> Result<Report> {
        // First, because it asks every program that is needed for its version.
        let machine = machine::describe()?;
        let files = node.log_files()?;
        say("pod logs");
        let pods = self.contest(
            || self.collect(node, "container-logs", None),
            || self.pigz("zcat -f -- \"$@\"", &files),
        )?;
        say("journal");
        let journal = self.contest(
            || self.collect(node, "system-logs", None),
            || self.pigz("journalctl --no-pager -D \"$1\"", &[node.journal()]),
        )?;
        say("pod logs, with the scan and without");
        let scanned_pods = self.scanned(node, "container-logs")?;
        say("journal, with the scan and without");
        let scanned_journal = self.scanned(node, "system-logs")?;
        say("both, in a memory cgroup and without");
        let both = "container-logs,system-logs";
        let memory = self.contest(
            || {
                node.forget()?;
                self.collect(node, both, Some(MEMORY))
            },
            || {
                node.forget()?;
                self.collect(node, both, None)
            },
        )?;
        say("both, in the memory cgroup, with more load");
        larger.forget()?;
        let larger_cost = self.collect(larger, both, Some(MEMORY))?.0;
        say("the parts alone");
        Ok(Report {
            machine,
            runs: self.runs,
            log_bytes: files
                .iter()
                .map(|path| Ok(path.metadata()?.len()))
                .sum::<Result<u64>>()?,
            journal_bytes: node.journal_bytes()?,
            pods,
            journal,
            scanned_pods,
            scanned_journal,
            memory,
            larger: larger_cost,
            parts: parts::measure(&PINNED, &files)?,
        })
    }

    /// Runs the two by turns, so that whatever else the machine does falls on both.
    fn contest(
        &self,
        mut ours: impl FnMut() -> Result<(Cost, u64)>,
        mut theirs: impl FnMut() -> Result<(Cost, u64)>,
    ) -> Result<Contest> {
        let mut contest = Contest::default();
        for _ in 0..self.runs {
            let (cost, bytes) = ours()?;
            contest.ours.push(cost);
            contest.our_bytes = bytes;
            let (cost, bytes) = theirs()?;
            contest.theirs.push(cost);
            contest.their_bytes = bytes;
        }
        Ok(contest)
    }

    /// The same run with the scan and the analyzers, and without them.
    fn scanned(&self, node: &Node, action: &str) -> Result<Contest> {
        let side = |side| {
            let archive = self.output.join("scan.tar.gz");
            let mut command = pinned(&target().join("release/examples/scan_in_a_run"));
            command.args([side, action, &units(), STARTED]);
            command.arg(&node.root).arg(&archive);
            let (cost, status) = measure(command.stdin(Stdio::null()).stdout(Stdio::null()))?;
            if !status.success() {
                bail!("a run {side} the scan ended with {status}");
            }
            Ok((cost, archive.metadata()?.len()))
        };
        self.contest(|| side("with"), || side("without"))
    }

    /// Runs the product, in a memory cgroup if there is a limit; returns what it cost, and the archive's length.
    fn collect(&self, node: &Node, actions: &str, limit: Option<u64>) -> Result<(Cost, u64)> {
        let run = self.output.join(RUN_ID);
        if run.exists() {
            fs::remove_dir_all(&run)?;
        }
        let mut command = pinned(&self.program);
        command.args(["collect", "--quiet", "--json", "--no-upload", "--node-name", "node"]);
        command.args([
            "--run-id",
            RUN_ID,
            "--namespaces",
            "*",
            "--actions",
            actions,
            "--journal-units",
            &units(),
        ]);
        command.arg("--host-root").arg(&node.root);
        command.arg("--output").arg(&self.output);
        let cgroup = limit.map(MemoryCgroup::new).transpose()?;
        if let Some(cgroup) = &cgroup {
            command = cgroup.inside(&command);
        }
        let said = self.output.join("collect.json");
        let (cost, status) = measure(command.stdin(Stdio::null()).stdout(File::create(&said)?))?;
        if let Some(cgroup) = cgroup
            && cgroup.kills()? > 0
        {
            bail!("the kernel killed it for want of memory");
        }
        let archive = run.join("node.tar.gz").metadata();
        if !status.success() {
            bail!("collect ended with {status}; see {}", said.display());
        }
        Ok((cost, archive.context("there is no archive")?.len()))
    }

    /// What a shell would do: the output of `producer`, whose arguments are `files`, through pigz.
    fn pigz(&self, producer: &str, files: &[PathBuf]) -> Result<(Cost, u64)> {
        let output = self.output.join("pigz.gz");
        let mut command = pinned(Path::new("/bin/bash"));
        command.args(["-c", &format!("set -o pipefail; {producer} | pigz -p2 -6"), "bash"]);
        command.args(files).stdin(Stdio::null()).stdout(File::create(&output)?);
        let (cost, status) = measure(&mut command)?;
        if !status.success() {
            bail!("{producer} ended with {status}");
        }
        Ok((cost, output.metadata()?.len()))
    }
}

/// The units whose journal is taken.
fn units() -> String {
    UNITS.map(|(unit, ..)| unit).join(",")
}

fn pinned(program: &Path) -> Command {
    let [first, rest @ ..] = PINNED;
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}
