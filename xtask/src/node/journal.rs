//! The node's journal: a real one, written by `systemd-journal-remote` from the journal export format
//! (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>), with the fields that journald gives to the lines of a unit.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

use super::{MACHINE_ID, Node};
use crate::command::run;

/// journald cuts lines there too (`LineMax=` in journald.conf(5)).
const LINE_LIMIT: u64 = 48 * 1024;
/// What the kernel says in its first seconds is about the machine. Later it is about whatever else runs there, and none
/// of the node's business.
const KERNEL_START_SECONDS: f64 = 10.0;

#[derive(Clone)]
pub(super) struct Journal {
    writer: Arc<Mutex<ChildStdin>>,
    boot_id: String,
    host: String,
}

impl Journal {
    pub(super) fn open(node: &Node) -> Result<Self> {
        let mut writer = Command::new("/lib/systemd/systemd-journal-remote")
            .arg(format!("--output=/var/log/journal/{MACHINE_ID}/system.journal"))
            .arg("-")
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start systemd-journal-remote")?;
        let stdin = writer.stdin.take().context("systemd-journal-remote has no input")?;
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("cannot read the boot id")?;
        Ok(Self {
            writer: Arc::new(Mutex::new(stdin)),
            boot_id: boot_id.trim().replace('-', ""),
            host: node.name(),
        })
    }

    pub(super) fn copy_kernel_log(&self) -> Result<()> {
        // The kernel's first line, which its ring buffer may have lost.
        let version = fs::read_to_string("/proc/version").context("cannot read the kernel's version")?;
        let lines = run(&mut Command::new("dmesg"))?;
        for line in [version.trim_end()]
            .into_iter()
            .chain(lines.lines().filter_map(of_start))
        {
            self.write(
                &[
                    ("_TRANSPORT", "kernel"),
                    ("SYSLOG_IDENTIFIER", "kernel"),
                    ("PRIORITY", "6"),
                ],
                line.as_bytes(),
            )?;
        }
        Ok(())
    }

    /// Writes every line of a unit's output, until its end.
    pub(super) fn copy_unit(&self, unit: &str, pid: u32, output: impl Read) -> Result<()> {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        let (unit_file, pid) = (format!("{unit}.service"), pid.to_string());
        while output
            .by_ref()
            .take(LINE_LIMIT)
            .read_until(b'\n', &mut line)
            .context("cannot read the output")?
            > 0
        {
            let fields = [
                ("_TRANSPORT", "stdout"),
                ("_SYSTEMD_UNIT", &*unit_file),
                ("SYSLOG_IDENTIFIER", unit),
                ("_COMM", unit),
                ("_PID", &*pid),
                ("PRIORITY", priority(&line)),
            ];
            self.write(&fields, line.trim_ascii_end())?;
            line.clear();
        }
        Ok(())
    }

    fn write(&self, fields: &[(&str, &str)], message: &[u8]) -> Result<()> {
        let mut entry = Vec::with_capacity(message.len() + 512);
        // Times never go backwards in a journal, so the clock is read by the one who holds the pen.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock is before 1970")?
            .as_micros();
        writeln!(entry, "__REALTIME_TIMESTAMP={now}\n_BOOT_ID={}", self.boot_id)?;
        writeln!(entry, "_MACHINE_ID={MACHINE_ID}\n_HOSTNAME={}", self.host)?;
        for (name, value) in fields {
            writeln!(entry, "{name}={value}")?;
        }
        entry.extend_from_slice(b"MESSAGE=");
        entry.extend_from_slice(message);
        entry.extend_from_slice(b"\n\n");
        writer.write_all(&entry).context("cannot write to the journal")
    }
}

/// The message of a line such as `[    1.234567] eth0: link up`, if it is of the kernel's start.
fn of_start(line: &str) -> Option<&str> {
    let (time, message) = line.strip_prefix('[')?.split_once("] ")?;
    let seconds: f64 = time.trim().parse().ok()?;
    (seconds < KERNEL_START_SECONDS && !message.starts_with("Linux version ")).then_some(message)
}

/// The syslog priority that journald would store: Kubernetes starts a line with its severity, containerd names it.
fn priority(line: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(line);
    if text.starts_with('E') || text.contains("level=error") {
        "3"
    } else if text.starts_with('W') || text.contains("level=warning") {
        "4"
    } else {
        "6"
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::start("[    1.234567] eth0: link up", Some("eth0: link up"))]
    #[case::later("[   10.000001] eth0: link up", None)]
    #[case::no_time("eth0: link up", None)]
    #[case::version("[    0.000000] Linux version 6.1", None)]
    fn the_start_of_the_kernel_is_told_by_its_time(#[case] line: &str, #[case] expected: Option<&str>) {
        assert_eq!(of_start(line), expected);
    }

    #[rstest]
    #[case::kubelet_information("I0105 08:00:00.000000   1 server.go:1] Started", "6")]
    #[case::kubelet_error("E0105 08:00:00.000000   1 server.go:1] Failed", "3")]
    #[case::containerd_warning(r#"time="2026-01-05" level=warning msg="gone""#, "4")]
    #[case::empty("", "6")]
    fn the_priority_follows_the_severity(#[case] line: &str, #[case] expected: &str) {
        assert_eq!(priority(line.as_bytes()), expected);
    }
}
