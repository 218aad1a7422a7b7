//! What the figures were measured on.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::fixture;
use crate::command::run;

/// Describes the machine and the programs, as rows of a table.
pub(super) fn describe() -> Result<Vec<(&'static str, String)>> {
    let cpu = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let models: Vec<_> = cpu.lines().filter_map(|line| value(line, "model name")).collect();
    let memory = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let memory = memory
        .lines()
        .find_map(|line| value(line, "MemTotal"))
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("cannot read the kernel's release")?;
    let load = fs::read_to_string("/proc/loadavg").context("cannot read the load")?;
    let disk = run(Command::new("df")
        .args(["--output=source,fstype"])
        .arg(fixture::folder()))?;
    let first = |program: &str| -> Result<String> {
        let output = Command::new(program).arg("--version").output();
        let output = output.with_context(|| format!("{program} is needed"))?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(text.lines().next().unwrap_or_default().to_owned())
    };
    Ok(vec![
        (
            "Processor",
            format!(
                "{}, {} cores, of which 2 are used",
                models.first().unwrap_or(&""),
                models.len()
            ),
        ),
        ("Memory", memory.to_owned()),
        ("Kernel", kernel.trim().to_owned()),
        (
            "Disk",
            disk.lines()
                .last()
                .unwrap_or_default()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("Load before", load.split(' ').next().unwrap_or_default().to_owned()),
        (
            "Programs",
            [first("rustc")?, first("pigz")?, first("gzip")?, first("journalctl")?].join("; "),
        ),
    ])
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    (key.trim() == name).then_some(value.trim())
}
