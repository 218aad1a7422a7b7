//! `cargo xtask bench agent`: how soon the agent reports, what it takes while it waits, and what memory a run of it needs. The
//! program that is measured is the static one of the image.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use periscope_tests::{DeployedAgent, Services};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::cgroup::MemoryCgroup;
use super::fixture::{self, Node};
use super::journal::UNITS;
use super::measure::{anonymous, measure, processor_seconds};
use super::page;
use crate::command::{run, say};
use crate::image;
use crate::services::keeper;
use crate::services::place::{Place, workspace};

/// The heading of the figures in `docs/benchmarks.md`.
pub(super) const HEADING: &str = "## The agent";
/// The image of the static program on the test node.
const IMAGE: &str = "periscope.test/aks-periscope:released";
/// What a run may need.
const MEMORY: u64 = 64 * 1024 * 1024;
/// How long the agent is watched while it waits.
const IDLE: Duration = Duration::from_mins(1);
/// After the last run it is left alone for so long before that.
const SETTLED: Duration = Duration::from_secs(10);
/// Far longer than any step takes.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many runs are started on the test cluster
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Put the figures into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode> {
        let Self { runs, write } = self;
        let services =
            keeper::running(&Place::of_workspace()).context("the services do not run: cargo xtask services up")?;
        let (program, archive) = image::released(IMAGE)?;
        run(services
            .cluster
            .on_node("ctr")
            .args(["--namespace=k8s.io", "images", "import", "--snapshotter=native"])
            .arg(&archive))?;
        let (fresh, reports, idle) = on_cluster(&services, runs.max(1))?;
        say("a run in the memory cgroup");
        let (node, _) = Node::both(fixture::FULL)?;
        let (seconds, peak) = in_cgroup(&program, &node)?;
        let section = section(&fresh, &reports, &idle, seconds, peak);
        say(&format!("done\n\n{section}"));
        if write {
            page::put(HEADING, &section)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Seconds from the start of `kubectl patch` until something was seen on the API server.
struct Reported {
    row: f64,
    fields: f64,
    end: f64,
}

/// What an agent takes that waits.
struct Idle {
    anonymous: u64,
    /// Of one core.
    share: f64,
}

fn on_cluster(services: &Services, runs: usize) -> Result<(Idle, Vec<Reported>, Idle)> {
    let manifest = workspace().join("deployment/aks-periscope.yaml");
    let agent = DeployedAgent::apply(services, &manifest, |spec| {
        spec["containers"][0]["image"] = json!(IMAGE);
    });
    agent.ready_pod();
    let pid = pid_of_agent()?;
    say("waiting, before any run");
    let fresh = idle(pid)?;
    let reports = (1..=runs).map(|number| {
        say(&format!("run {number} of {runs}"));
        report(services, &agent, &format!("bench-{number}"))
    });
    let reports = reports.collect::<Result<_>>()?;
    say("waiting, after the runs");
    thread::sleep(SETTLED);
    Ok((fresh, reports, idle(pid)?))
}

fn report(services: &Services, agent: &DeployedAgent, run_id: &str) -> Result<Reported> {
    // A row that is there already would only be changed.
    agent.kubectl(&["delete", "diagnostics", "--all"]);
    let (mut watch, rows) = watch_rows(services)?;
    let start = Instant::now();
    agent.start_run(run_id);
    let seen = |what: &str, holds: &dyn Fn(&Value) -> bool| loop {
        let left = PATIENCE.saturating_sub(start.elapsed());
        let (at, row) = rows
            .recv_timeout(left)
            .with_context(|| format!("{what} is not seen: {}", agent.logs()))?;
        if row["status"]["runId"] == run_id && holds(&row) {
            return anyhow::Ok(at.duration_since(start).as_secs_f64());
        }
    };
    let is_filled = |row: &Value| {
        ["networkconfig", "networkoutbound"]
            .iter()
            .all(|field| row["spec"][field].as_str().is_some_and(|text| !text.is_empty()))
    };
    let reported = (|| {
        Ok(Reported {
            row: seen("the row", &|_| true)?,
            fields: seen("what the CLI reads", &is_filled)?,
            end: seen("the end", &|row| row["status"]["finishedAt"].is_string())?,
        })
    })();
    watch.kill().context("the watch cannot be ended")?;
    watch.wait()?;
    reported
}

/// The rows as the API server tells of them, each with the moment it was told.
fn watch_rows(services: &Services) -> Result<(Child, Receiver<(Instant, Value)>)> {
    let mut child = Command::new(services.cluster.binaries.join("kubectl"))
        .arg("--kubeconfig")
        .arg(&services.cluster.kubeconfig)
        .args([
            "get",
            "--raw",
            "/apis/aks-periscope.azure.github.com/v1/namespaces/aks-periscope/diagnostics?watch=true",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start kubectl")?;
    let lines = BufReader::new(child.stdout.take().context("kubectl has no output")?).lines();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let at = Instant::now();
            let Ok(mut event) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            // When nobody listens any more, the run is over.
            if sender.send((at, event["object"].take())).is_err() {
                return;
            }
        }
    });
    Ok((child, receiver))
}

/// The only agent on this machine, as it numbers it.
fn pid_of_agent() -> Result<u32> {
    let found = run(Command::new("pgrep").args(["--full", "--exact", "/usr/bin/aks-periscope agent"]))?;
    match found.split_whitespace().collect::<Vec<_>>()[..] {
        [pid] => pid.parse().context("pgrep prints no number"),
        _ => bail!("expected one agent, found {found:?}"),
    }
}

fn idle(pid: u32) -> Result<Idle> {
    let before = processor_seconds(pid)?;
    let clock = Instant::now();
    let mut most = 0;
    while clock.elapsed() < IDLE {
        most = most.max(anonymous(pid).context("the agent is gone")?);
        thread::sleep(Duration::from_secs(1));
    }
    Ok(Idle {
        anonymous: most,
        share: (processor_seconds(pid)? - before) / clock.elapsed().as_secs_f64(),
    })
}

/// One run on the node of `bench collect`, without a cluster; seconds on the clock, and most anonymous memory.
fn in_cgroup(program: &Path, node: &Node) -> Result<(f64, u64)> {
    let folder = fixture::folder().join("agent");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let (config, output) = (folder.join("config"), folder.join("output"));
    fs::create_dir_all(&config)?;
    fs::create_dir_all(&output)?;
    let units = UNITS.map(|(unit, ..)| unit);
    let settings = json!({"actions": ["container-logs", "system-logs"], "namespaces": ["*"], "journal-units": units});
    fs::write(config.join("aks-periscope.yaml"), settings.to_string())?;
    fs::write(config.join("DIAGNOSTIC_RUN_ID"), "bench")?;
    let mut command = Command::new("/usr/bin/env");
    command.args(["-i", "PATH=/usr/bin:/bin"]).arg(program).arg("agent");
    command.args(["--node-name", "node", "--listen", "127.0.0.1:0"]);
    command.arg("--host-root").arg(&node.root);
    command.arg("--config-dir").arg(&config);
    command.arg("--secret-dir").arg(&folder);
    command.arg("--output").arg(&output);
    let cgroup = MemoryCgroup::new(MEMORY)?;
    node.forget()?;
    let mut command = cgroup.inside(&command);
    command.stdin(Stdio::null()).stderr(File::create(folder.join("log"))?);
    let clock = Instant::now();
    let ended = thread::scope(|scope| {
        let waiting = scope.spawn(|| end_when_there(program, &output.join("bench/node.zip"), clock));
        let measured = measure(&mut command);
        let seconds = waiting.join().map_err(|_| anyhow::anyhow!("the waiting panicked"))?;
        anyhow::Ok((measured?.0, seconds?))
    });
    if cgroup.kills()? > 0 {
        bail!("the kernel killed it for want of memory");
    }
    let (cost, seconds) = ended.with_context(|| format!("see {}", folder.join("log").display()))?;
    Ok((seconds, cost.anonymous))
}

/// Ends the agent when its archive is there.
fn end_when_there(program: &Path, archive: &Path, clock: Instant) -> Result<f64> {
    while !archive.exists() {
        if clock.elapsed() > PATIENCE {
            bail!("there is no archive after {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let seconds = clock.elapsed().as_secs_f64();
    let found = run(Command::new("pgrep").args(["--full", &format!("^{} agent", program.display())]))?;
    for pid in found.split_whitespace() {
        let pid = Pid::from_raw(pid.parse()?).context("a process without id")?;
        kill_process(pid, Signal::TERM)?;
    }
    Ok(seconds)
}

fn section(fresh: &Idle, reports: &[Reported], idle: &Idle, seconds: f64, peak: u64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let stretch = |of: fn(&Reported) -> f64| {
        let mut all: Vec<_> = reports.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        let middle = all.get(all.len() / 2).copied().unwrap_or_default();
        let last = all.last().copied().unwrap_or_default();
        (middle, last)
    };
    let (row, fields, end) = (
        stretch(|report| report.row),
        stretch(|report| report.fields),
        stretch(|report| report.end),
    );
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let mebibytes = |bytes: u64| bytes as f64 / MIB;
    format!(
        "{HEADING}\n\n\
         Measured by `cargo xtask bench agent --runs {} --write` with the static program of the image, in a pod of `deployment/aks-periscope.yaml` \
         on the one-node cluster of the tests. Times begin when `kubectl patch` is started, which takes part of them. The Go original took 71 to 96 s \
         from the patch to the start of a run, and with 116 MB of journal was killed for want of memory at 500 MiB.\n\n\
         | | Median | Most | At most |\n|---|---:|---:|---:|\n\
         | run id patched → the row is on the API server, s | {:.2} | {:.2} | 1 |\n\
         | run id patched → both fields that `az aks kanalyze` reads, s | {:.2} | {:.2} | 6 |\n\
         | run id patched → the run has ended, s | {:.1} | {:.1} | |\n\
         | waiting, before any run: anonymous memory, MiB | {:.1} | | 15 |\n\
         | waiting, before any run: share of one core, % | {:.2} | | 0.3 |\n\
         | waiting, after the runs: anonymous memory, MiB | {:.1} | | 15 |\n\
         | waiting, after the runs: share of one core, % | {:.2} | | 0.3 |\n\
         | a run on the node of `bench collect` in a memory cgroup of 64 MiB, s | {seconds:.1} | | not killed |\n\
         | its most anonymous memory, MiB | {:.1} | | 64 |\n",
        reports.len(),
        row.0,
        row.1,
        fields.0,
        fields.1,
        end.0,
        end.1,
        mebibytes(fresh.anonymous),
        fresh.share * 100.0,
        mebibytes(idle.anonymous),
        idle.share * 100.0,
        mebibytes(peak),
    )
}
