//! `cargo xtask bench analyze`: how fast logs are scanned with all rules, beside a search for one word in the same file, and
//! how fast a large archive is looked into.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};

use super::collect::build;
use super::fixture;
use super::log_text::{MANNERS, Moment, Speaker};
use super::measure::measure;
use super::page;
use crate::command::{run, say};
use crate::services::place::target;

/// The heading of the figures in `docs/benchmarks.md`.
pub(super) const HEADING: &str = "## Rules over logs, and looking into archives";
/// The log of a container that is made for it, in bytes.
const SIZE: u64 = 256 << 20;
/// Lines of one kind one after another, and the time between two.
const LINES: u64 = 2000;
const STEP: u64 = 700_000_000;
/// What `grep` looks for: a word that is in no line.
const WORD: &str = "nf_conntrack: table full, dropping packet";
/// The path in an archive that the log stands for.
const STANDS_FOR: &str = "nodes/n/container-logs/pods/shop_app_1/main/0.log";
const MIB: f64 = 1024.0 * 1024.0;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Put the figures into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode> {
        let Self { write } = self;
        build(&["periscope-scan", "--example", "scan_throughput"])?;
        let log = make_log()?;
        let mut rows = String::new();
        let ours =
            run(Command::new(target().join("release/examples/scan_throughput"))
                .args([STANDS_FOR.as_ref(), log.as_path()]))?;
        let mut fields = ours.trim().split('\t').skip(1);
        let mut field = || fields.next().with_context(|| format!("unexpected line {ours:?}"));
        let (bytes, lines, seconds): (f64, u64, f64) = (field()?.parse()?, field()?.parse()?, field()?.parse()?);
        rows += &row("all rules and the timeline", bytes, seconds);
        let mut least = f64::MAX;
        for _ in 0..5 {
            let mut grep = Command::new("grep");
            grep.args(["-c", "-F", WORD])
                .arg(&log)
                .stdout(Stdio::null())
                .env("LC_ALL", "C");
            least = least.min(measure(&mut grep)?.0.cpu.max(0.01));
        }
        rows += &row("`grep -c -F` of one word, with reading the file", bytes, least);
        let section = format!(
            "{HEADING}\n\nMeasured by `cargo xtask bench analyze --write` on one core, in seconds of processor time, the least of five runs: {:.0} MiB \
             of a container's log in {lines} lines, in pieces of 128 KiB.\n\n| | Seconds | MiB/s |\n|---|---:|---:|\n{rows}",
            bytes / MIB
        ) + &super::looking::figures()?;
        say(&format!("done\n\n{section}"));
        if write {
            page::put(HEADING, &section)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(name: &str, bytes: f64, seconds: f64) -> String {
    format!("| {name} | {seconds:.2} | {:.0} |\n", bytes / MIB / seconds)
}

/// A container's log as containerd writes it, of every manner of speaking by turns.
fn make_log() -> Result<PathBuf> {
    let folder = fixture::folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("analyze.log");
    let mut out = BufWriter::new(File::create(&path).with_context(|| format!("cannot make {}", path.display()))?);
    let mut speaker = Speaker::new(1);
    let (mut written, mut count) = (0, 0);
    while written < SIZE {
        let at = Moment(count * STEP);
        let manner = usize::try_from(count / LINES).unwrap_or(0) % MANNERS.len();
        let line = format!("{} stderr F {}\n", at.rfc3339(), speaker.line(MANNERS[manner], at));
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        count += 1;
    }
    out.flush()?;
    Ok(path)
}
