//! How fast an archive of a gigabyte answers what is in it, and gives one file out.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::collect::build;
use super::fixture;
use super::measure::measure;
use crate::command::run;
use crate::services::place::target;

/// Files of the archive, and bytes of their compressed content.
const FILES: &str = "20000";
const BYTES: &str = "1000000000";
/// One of its last files, by the end of its name.
const ONE: &str = "kube-system_pod-4999_00000000000000000000000000001387/container-3/19999.log";
const RUNS: usize = 5;

/// The figures, as the end of a section of `docs/benchmarks.md`.
pub(super) fn figures() -> Result<String> {
    build(&["periscope-cli", "--bin", "aks-periscope"])?;
    build(&["periscope-bundle", "--example", "large_archive"])?;
    let folder = fixture::folder();
    fs::create_dir_all(&folder)?;
    let mut rows = String::new();
    for format in ["tar.gz", "zip"] {
        let path = folder.join(format!("large.{format}"));
        let maker = target().join("release/examples/large_archive");
        run(Command::new(maker).arg(&path).args([format, FILES, BYTES]))?;
        let size = fs::metadata(&path)?.len() >> 20;
        for (what, arguments) in [("list all", &[][..]), ("print one of the last", &[ONE])] {
            let mut walls = Vec::new();
            let mut memory = 0;
            for _ in 0..RUNS {
                let mut inspect = Command::new(target().join("release/aks-periscope"));
                inspect.arg("inspect").arg(&path).args(arguments).stdout(Stdio::null());
                let (cost, status) = measure(&mut inspect)?;
                anyhow::ensure!(status.success(), "inspect ended with {status}");
                walls.push(cost.wall * 1000.0);
                memory = memory.max(cost.anonymous >> 20);
            }
            walls.sort_by(f64::total_cmp);
            let median = walls.get(RUNS / 2).copied().unwrap_or_default();
            writeln!(rows, "| {format}, {size} MiB: {what} | {median:.0} | {memory} |")?;
        }
        fs::remove_file(&path)?;
    }
    Ok(format!(
        "\n`aks-periscope inspect` on an archive of {FILES} files, the median of {RUNS} runs with the file in the page cache; \
         at most 200 ms are promised.\n\n| | Milliseconds | Anonymous, MiB |\n|---|---:|---:|\n{rows}"
    ))
}
