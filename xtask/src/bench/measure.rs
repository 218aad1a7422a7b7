//! What running a program costs. What a number is good for is not known here.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// How often memory and spool are looked at.
const SAMPLE: Duration = Duration::from_millis(20);
/// Ticks in a second as `/proc` counts them, on every architecture that Kubernetes runs on (`USER_HZ`).
const TICKS: f64 = 100.0;
/// `st_blocks` counts in these, whatever the file system's own are (stat(2)).
const BLOCK: u64 = 512;

/// What a program and its children used from start to end.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    /// Seconds on the clock.
    pub(super) wall: f64,
    /// Seconds of all cores, user and system.
    pub(super) cpu: f64,
    /// Bytes that it asked the system for, wherever they came from.
    pub(super) read: u64,
    /// Bytes that it gave to the system.
    pub(super) written: u64,
    /// Most anonymous memory, in bytes, of the program without its children.
    pub(super) anonymous: u64,
    /// Most disk space, in bytes, of files without a name that it had open.
    pub(super) temporary: u64,
}

/// Runs the program to its end.
pub(super) fn measure(command: &mut Command) -> Result<(Cost, ExitStatus)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let clock = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let pid = child.id();
    let ended = AtomicBool::new(false);
    let (mut cost, status) = thread::scope(|scope| {
        let peaks = scope.spawn(|| {
            let mut peaks = Cost::default();
            while !ended.load(Ordering::Relaxed) {
                // It may be gone at any moment.
                peaks.anonymous = peaks.anonymous.max(anonymous(pid).unwrap_or(0));
                peaks.temporary = peaks.temporary.max(unnamed(pid).unwrap_or(0));
                thread::sleep(SAMPLE);
            }
            peaks
        });
        let id = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .context("a process without id")?;
        // Still there after its end, so that its account can be read.
        let waited = waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let wall = clock.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        waited.with_context(|| format!("cannot wait for {name}"))?;
        let account = account(pid);
        let status = child.wait()?;
        let peaks = peaks.join().unwrap_or_default();
        let (cpu, read, written) = account.with_context(|| format!("cannot read what {name} used"))?;
        anyhow::Ok((
            Cost {
                wall,
                cpu,
                read,
                written,
                ..peaks
            },
            status,
        ))
    })?;
    cost.wall = cost.wall.max(f64::MIN_POSITIVE);
    Ok((cost, status))
}

/// CPU seconds, bytes read and written of an ended process, its waited-for children included (proc(5)).
fn account(pid: u32) -> Result<(f64, u64, u64)> {
    let seconds = processor_seconds(pid)?;
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let count = |name| number_after(&io, name).with_context(|| format!("no {name} in io"));
    Ok((seconds, count("rchar:")?, count("wchar:")?))
}

/// Seconds of all cores, user and system, of a process and of its children that were waited for (proc(5)).
pub(super) fn processor_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may contain anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(4);
    let ticks = ticks.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) / TICKS)
}

/// Anonymous memory of a process in bytes; `None` when it is gone.
pub(super) fn anonymous(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(number_after(&status, "RssAnon:")? * 1024)
}

/// The disk space of files that no folder shows.
fn unnamed(pid: u32) -> Option<u64> {
    let mut files = HashMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        if target.to_string_lossy().ends_with(" (deleted)")
            && let Ok(metadata) = fs::metadata(entry.path())
        {
            files.insert((metadata.dev(), metadata.ino()), metadata.blocks() * BLOCK);
        }
    }
    Some(files.values().sum())
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::measure;

    #[test]
    fn what_children_use_counts() {
        let script = "head -c 30000000 /dev/zero | cat > /dev/null; exit 3";
        let (cost, status) = measure(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(status.code(), Some(3));
        assert!((60_000_000..70_000_000).contains(&cost.read), "{}", cost.read);
        assert!((60_000_000..70_000_000).contains(&cost.written), "{}", cost.written);
        assert!(cost.wall > 0.0);
    }
}
