//! The journal of a node: written by `systemd-journal-remote` from the journal export format
//! (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>), with the fields that journald gives to the lines of units and of the
//! kernel.

use std::fs;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::fixture::MACHINE_ID;
use super::log_text::{EPOCH, Manner, Moment, Speaker};

const PROGRAM: &str = "/usr/lib/systemd/systemd-journal-remote";

/// Where a journal's header has the id of its sequence of entries (`struct Header`,
/// <https://systemd.io/JOURNAL_FILE_FORMAT/>).
const SEQNUM_ID: u64 = 72;

/// The units of the journal, and how many of a hundred entries each writes. The rest is the kernel's.
pub(super) const UNITS: [(&str, u64, Manner); 6] = [
    ("kubelet", 48, Manner::Klog),
    ("containerd", 26, Manner::Logfmt),
    ("localdns", 8, Manner::Dns),
    ("walinuxagent", 5, Manner::Json),
    ("node-problem-detector", 4, Manner::Klog),
    ("systemd-resolved", 3, Manner::Logfmt),
];

/// Writes so many entries into `folder`.
pub(super) fn write(folder: &Path, entries: u64) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut writer = Command::new(PROGRAM)
        .arg("--output")
        .arg(folder.join("system.journal"))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {PROGRAM}, of Debian's systemd-journal-remote"))?;
    let input = writer.stdin.take().context("systemd-journal-remote has no input")?;
    let mut input = BufWriter::new(input);
    let mut speaker = Speaker::new(entries);
    let mut nanos = 0;
    for _ in 0..entries {
        nanos += 1_000_000 * speaker.random().skewed(2000) + speaker.random().below(1_000_000);
        input.write_all(entry(&mut speaker, Moment(nanos)).as_bytes())?;
    }
    input.flush()?;
    drop(input);
    if !writer.wait()?.success() {
        bail!("{PROGRAM} failed");
    }
    Ok(())
}

/// Copies a journal so that its entries are others: those of a copy as it is are read once only.
pub(super) fn copy_as_another(from: &Path, to: &Path, which: u8) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for file in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let file = file?;
        let copy = to.join(format!("copy{which}-{}", file.file_name().to_string_lossy()));
        fs::copy(file.path(), &copy).with_context(|| format!("cannot make {}", copy.display()))?;
        fs::OpenOptions::new()
            .write(true)
            .open(&copy)?
            .write_all_at(&[which; 16], SEQNUM_ID)?;
    }
    Ok(())
}

/// One entry in the export format.
fn entry(speaker: &mut Speaker, at: Moment) -> String {
    let realtime = EPOCH * 1_000_000 + at.0 / 1000;
    let common = format!(
        "__REALTIME_TIMESTAMP={realtime}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={MACHINE_ID}\n_MACHINE_ID={MACHINE_ID}\n_HOSTNAME=aks-nodepool1-0\n",
        at.0 / 1000
    );
    let mut share = speaker.random().below(100);
    for (pid, (unit, of_hundred, manner)) in (1000..).zip(UNITS) {
        if share < of_hundred {
            let message = speaker.line(manner, at);
            return format!(
                "{common}_TRANSPORT=stdout\nPRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER={unit}\n_COMM={unit}\n_EXE=/usr/local/bin/{unit}\n_PID={pid}\n_UID=0\n_SYSTEMD_CGROUP=/system.slice/{unit}.service\n_SYSTEMD_UNIT={unit}.service\n_SYSTEMD_SLICE=system.slice\nMESSAGE={message}\n\n"
            );
        }
        share -= of_hundred;
    }
    let random = speaker.random();
    let message = format!(
        "audit: type=1400 audit({}.{:03}:{}): apparmor=\"ALLOWED\" operation=\"open\" profile=\"cri-containerd.apparmor.d\" pid={} comm=\"main\"",
        EPOCH + at.0 / 1_000_000_000,
        at.0 / 1_000_000 % 1000,
        at.0 / 3_000_000_000,
        random.below(200_000)
    );
    format!(
        "{common}_TRANSPORT=kernel\nPRIORITY=5\nSYSLOG_FACILITY=0\nSYSLOG_IDENTIFIER=kernel\n_SOURCE_MONOTONIC_TIMESTAMP={}\nMESSAGE={message}\n\n",
        at.0 / 1000
    )
}
