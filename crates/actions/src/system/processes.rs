//! All processes of the node, looked at twice, so that who uses the processors now, and who has been waiting in the
//! kernel all the time, can be told.

use std::collections::HashMap;
use std::time::Instant;

use jiff::Timestamp;
use periscope_documents::Process;
use periscope_host::{HostError, HostPath, HostRoot};

use super::pods::PodNames;
use super::process::{Motion, ProcessFiles};

/// Most processes that are told; the kernel's own limit is four million, the pods' much less.
const MAX_PROCESSES: usize = 20_000;

/// Longest `/proc/stat`: a line for each processor, and one with a number for each interrupt.
const MAX_STAT_BYTES: usize = 1024 * 1024;

/// All processes at one time.
pub(super) struct Processes {
    found: Vec<Process>,
    motions: HashMap<u32, Motion>,
    taken: Instant,
    /// Processes beyond [`MAX_PROCESSES`].
    left_out: usize,
}

/// The processes and what was between two looks at them.
pub(super) struct TwoLooks {
    /// The processes that were there at the first look.
    pub(super) processes: Vec<Process>,
    /// Time between the looks, in milliseconds.
    pub(super) millis: u64,
    /// Processes that are not told.
    pub(super) left_out: usize,
}

impl Processes {
    /// Reads the processes. Blocks.
    pub(super) fn look(root: &HostRoot, names: &PodNames) -> Result<Self, HostError> {
        let mut pids: Vec<u32> = root
            .read_dir(&HostPath::new("/proc")?)?
            .iter()
            .filter_map(|entry| entry.name.parse().ok())
            .collect();
        pids.sort_unstable();
        let left_out = pids.len().saturating_sub(MAX_PROCESSES);
        pids.truncate(MAX_PROCESSES);
        let boot = boot_time(root);
        let taken = Instant::now();
        let mut motions = HashMap::with_capacity(pids.len());
        let mut processes = Vec::with_capacity(pids.len());
        for pid in pids {
            let Some((mut process, motion)) = ProcessFiles::new(root, pid)?.read(pid, boot) else {
                continue;
            };
            let owner = names.owner(&process.cgroup);
            (process.pod, process.container) = (owner.pod, owner.container);
            motions.insert(pid, motion);
            processes.push(process);
        }
        Ok(Self {
            found: processes,
            motions,
            taken,
            left_out,
        })
    }

    /// Looks again, and gives the processes up. Blocks.
    pub(super) fn look_again(mut self, root: &HostRoot) -> TwoLooks {
        let millis = u64::try_from(self.taken.elapsed().as_millis()).unwrap_or(u64::MAX);
        for process in &mut self.found {
            let (Some(before), Some(now)) = (
                self.motions.get(&process.pid),
                ProcessFiles::new(root, process.pid)
                    .ok()
                    .and_then(|files| files.motion()),
            ) else {
                continue;
            };
            process.recent_cpu_millis = now.cpu_millis_since(before);
            // Some drivers let their threads wait like this for ever; that harms nobody.
            process.stuck = !process.command.is_empty() && now.is_stuck_since(before);
        }
        TwoLooks {
            processes: self.found,
            millis,
            left_out: self.left_out,
        }
    }
}

/// When the system started, from `/proc/stat`.
pub(super) fn boot_time(root: &HostRoot) -> Option<Timestamp> {
    let text = root
        .read_text(&HostPath::new("/proc/stat").ok()?, MAX_STAT_BYTES)
        .ok()?;
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    Timestamp::from_second(seconds.trim().parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;

    use super::Processes;
    use crate::system::pods::PodNames;

    const UID: &str = "11111111-2222-3333-4444-555555555555";

    fn stat(pid: u32, name: &str, state: char, parent: u32, ticks: u64) -> String {
        let flags = if parent == 2 || pid == 2 {
            0x0020_8040
        } else {
            0x0040_0100
        };
        format!("{pid} ({name}) {state} {parent} 1 1 0 -1 {flags} 0 0 0 0 {ticks} 0 0 0 20 0 1 0 6000 1 1\n")
    }

    fn status(switches: u64) -> String {
        format!("VmRSS:\t    2048 kB\nvoluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t0\n")
    }

    fn node() -> HostFixture {
        HostFixture::new()
            .file("/proc/stat", "cpu 1\nbtime 1763632800\n")
            .dir(&format!("/var/log/pods/default_app-0_{UID}/app"))
            .file("/proc/2/stat", stat(2, "kthreadd", 'S', 0, 1))
            .file("/proc/30/stat", stat(30, "kworker/0:1", 'D', 2, 1))
            .file("/proc/30/status", status(4))
            .file("/proc/4000/stat", stat(4000, "dd", 'D', 1, 50))
            .file("/proc/4000/status", status(9))
            .file("/proc/4000/cmdline", "dd\0if=/dev/zero\0of=/mnt/x\0")
            .file("/proc/4000/cgroup", format!("0::/kubepods/pod{UID}\n"))
            .file("/proc/4000/wchan", "io_schedule")
            .file(
                "/proc/4000/stack",
                "[<0>] io_schedule+0x46/0x70\n[<0>] do_syscall_64+0x5c/0x90\n",
            )
            .file("/proc/4000/fd/0", "")
            .file("/proc/4000/fd/1", "")
            .file("/proc/5000/stat", stat(5000, "defunct", 'Z', 4000, 0))
            .file("/proc/5000/status", "State:\tZ (zombie)\n")
            .file("/proc/6000/comm", "gone\n")
    }

    #[test]
    fn two_looks_tell_who_runs_and_who_is_stuck() {
        let node = node();
        let root = node.root();
        let names = PodNames::look(&root).unwrap();
        let first = Processes::look(&root, &names).unwrap();
        let node = node.file("/proc/2/stat", stat(2, "kthreadd", 'S', 0, 21));
        let looks = first.look_again(&node.root());
        let pids: Vec<_> = looks.processes.iter().map(|process| process.pid).collect();
        assert_eq!(pids, [2, 30, 4000, 5000]);
        let [kthreadd, worker, dd, zombie] = &looks.processes[..] else {
            unreachable!("four processes")
        };
        assert_eq!((kthreadd.recent_cpu_millis, worker.stuck), (Some(200), false));
        assert_eq!(
            (dd.stuck, dd.open_files, dd.resident_bytes),
            (true, Some(2), 2 * 1024 * 1024)
        );
        assert_eq!(dd.waits_in.as_deref(), Some("io_schedule"));
        assert_eq!(dd.stack, ["io_schedule+0x46/0x70", "do_syscall_64+0x5c/0x90"]);
        assert_eq!(dd.pod.as_deref(), Some("default/app-0"));
        assert_eq!(dd.command, ["dd", "if=/dev/zero", "of=/mnt/x"]);
        assert_eq!(dd.started.unwrap().to_string(), "2025-11-20T10:01:00Z");
        assert_eq!(
            (zombie.state.as_str(), zombie.parent, zombie.open_files),
            ("Z", 4000, None)
        );
    }

    #[test]
    fn a_process_that_ran_between_is_not_stuck() {
        let node = node();
        let first = Processes::look(&node.root(), &PodNames::default()).unwrap();
        let node = node.file("/proc/4000/status", status(10));
        let looks = first.look_again(&node.root());
        assert!(looks.processes.iter().all(|process| !process.stuck));
    }
}
