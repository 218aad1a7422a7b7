//! The files of the kernel and of `/etc` that are kept as they are; each is a line of a table.

use periscope_core::{Content, PlannedItem, Sink, State};
use periscope_documents::names;
use periscope_host::{HostPath, HostRoot};

use crate::{host_files, planned};

/// A file and what it is called in the archive.
pub(super) struct FileRow {
    /// The artifact.
    pub(super) artifact: &'static str,
    /// Where it may be on the node; the first that exists is taken.
    paths: &'static [&'static str],
    /// What it tells.
    pub(super) summary: &'static str,
}

const fn row(artifact: &'static str, paths: &'static [&'static str], summary: &'static str) -> FileRow {
    FileRow {
        artifact,
        paths,
        summary,
    }
}

/// All of them, in the order in which they are read.
pub(super) const FILES: &[FileRow] = &[
    row(
        "os-release.txt",
        &["/etc/os-release"],
        "the distribution, `/etc/os-release`",
    ),
    row(
        "kernel-version.txt",
        &["/proc/version"],
        "the kernel and how it was built, `/proc/version`",
    ),
    row(
        "kernel-cmdline.txt",
        &["/proc/cmdline"],
        "what the kernel was started with, `/proc/cmdline`",
    ),
    row("modules.txt", &["/proc/modules"], "loaded modules, `/proc/modules`"),
    row(
        "uptime.txt",
        &["/proc/uptime"],
        "seconds since the boot and idle, `/proc/uptime`",
    ),
    row(
        names::LOADAVG,
        &["/proc/loadavg"],
        "load, and tasks running and in all, `/proc/loadavg`",
    ),
    row(
        names::CPU_PRESSURE,
        &["/proc/pressure/cpu"],
        "time lost waiting for a processor, `/proc/pressure/cpu`",
    ),
    row(
        names::MEMORY_PRESSURE,
        &["/proc/pressure/memory"],
        "time lost for lack of memory, `/proc/pressure/memory`",
    ),
    row(
        names::IO_PRESSURE,
        &["/proc/pressure/io"],
        "time lost waiting for disks, `/proc/pressure/io`",
    ),
    row(
        "pressure/irq.txt",
        &["/proc/pressure/irq"],
        "time lost to interrupts, `/proc/pressure/irq`",
    ),
    row(
        names::KERNEL_STAT,
        &["/proc/stat"],
        "counters of processors and the time of the boot, `/proc/stat`",
    ),
    row("cpuinfo.txt", &["/proc/cpuinfo"], "processors, `/proc/cpuinfo`"),
    row(
        "interrupts.txt",
        &["/proc/interrupts"],
        "interrupts by processor, `/proc/interrupts`",
    ),
    row(
        "softirqs.txt",
        &["/proc/softirqs"],
        "deferred interrupts by processor, `/proc/softirqs`",
    ),
    row(names::MEMINFO, &["/proc/meminfo"], "memory, `/proc/meminfo`"),
    row(
        "vmstat.txt",
        &["/proc/vmstat"],
        "counters of memory management, `/proc/vmstat`",
    ),
    row(
        "buddyinfo.txt",
        &["/proc/buddyinfo"],
        "free memory by size of piece, `/proc/buddyinfo`",
    ),
    row(
        "slabinfo.txt",
        &["/proc/slabinfo"],
        "the kernel's own objects, `/proc/slabinfo`",
    ),
    row("swaps.txt", &["/proc/swaps"], "swap space, `/proc/swaps`"),
    row(
        "diskstats.txt",
        &["/proc/diskstats"],
        "counters of block devices, `/proc/diskstats`",
    ),
    row(
        "partitions.txt",
        &["/proc/partitions"],
        "block devices and their sizes, `/proc/partitions`",
    ),
    row(
        names::MOUNTS,
        &["/proc/1/mountinfo"],
        "the mounts that process 1 sees, `/proc/1/mountinfo`",
    ),
    row(
        names::FSTAB,
        &["/etc/fstab"],
        "the mounts that were asked for, `/etc/fstab`",
    ),
    row(
        "cgroup-controllers.txt",
        &["/proc/cgroups"],
        "controllers of control groups, `/proc/cgroups`",
    ),
    row(
        "time/clocksource.txt",
        &["/sys/devices/system/clocksource/clocksource0/current_clocksource"],
        "the clock that the kernel goes by",
    ),
    row(
        "time/ptp-clock.txt",
        &["/sys/class/ptp/ptp0/clock_name"],
        "the name of the host's clock, where it offers one",
    ),
    row(
        "time/chrony.conf",
        &["/etc/chrony/chrony.conf", "/etc/chrony.conf"],
        "chrony's configuration",
    ),
    row(
        "time/timesyncd.conf",
        &["/etc/systemd/timesyncd.conf"],
        "systemd-timesyncd's configuration",
    ),
    row(
        "security/lsm.txt",
        &["/sys/kernel/security/lsm"],
        "security modules in force",
    ),
    row(
        "security/lockdown.txt",
        &["/sys/kernel/security/lockdown"],
        "whether the kernel is locked down",
    ),
    row(
        "security/apparmor-profiles.txt",
        &["/sys/kernel/security/apparmor/profiles"],
        "AppArmor's profiles and their modes",
    ),
    row(
        "security/selinux-enforce.txt",
        &["/sys/fs/selinux/enforce"],
        "whether SELinux enforces (1) or only warns (0)",
    ),
];

/// Copies them all. What the kernel of the node does not have is recorded so.
pub(super) async fn collect(root: &HostRoot, sink: &Sink) {
    for row in FILES {
        let there = root.clone();
        let found = host_files::off_thread(move || host_files::first_of(&there, row.paths)).await;
        match found {
            Ok(Some(path)) => {
                host_files::collect(root, sink, &path, row.artifact, Content::Text).await;
            }
            Ok(None) => sink.record(
                row.artifact,
                State::NotPresent,
                format!("there is no {}", row.paths.join(" or ")),
            ),
            Err(error) => sink.record(row.artifact, State::Failed, error.to_string()),
        }
    }
}

/// What [`collect`] would take. Blocks.
pub(super) fn plan(root: &HostRoot) -> impl Iterator<Item = PlannedItem> {
    FILES.iter().map(|row| {
        let found = host_files::first_of(root, row.paths);
        let path = found.as_ref().map(HostPath::as_str).or(row.paths.first().copied());
        planned::kernel_file(root, row.artifact, path.unwrap_or_default())
    })
}
