//! One process, from its files below `/proc` (`proc_pid_stat(5)`, `proc_pid_status(5)`); which of them matter is said
//! elsewhere.

use jiff::{SignedDuration, Timestamp};
use periscope_documents::Process;
use periscope_host::{HostError, HostPath, HostRoot, MAX_DIR_ENTRIES};

/// The kernel counts processor time of processes in hundredths of a second on every architecture that AKS has
/// (`USER_HZ`, `time(7)`).
const TICK_MILLIS: u64 = 10;

/// Longest `stat`, `status`, `limits` or `cgroup` that is read.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// Longest command line that is kept; a Java program's class path has some kilobytes.
const MAX_COMMAND_BYTES: usize = 16 * 1024;

/// From so many open files on, the limit is asked for: below it no usual limit (1,024) is near.
const MANY_OPEN_FILES: u64 = 256;

/// Most frames of a stack that are kept.
const MAX_FRAMES: usize = 24;

/// The flag of a thread of the kernel (`PF_KTHREAD`, `include/linux/sched.h`).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What tells whether a process has run between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Motion {
    /// When it started, in ticks after the boot: with its number, who it is.
    pub(super) start_ticks: u64,
    /// Processor time in ticks.
    pub(super) cpu_ticks: u64,
    /// How often it was taken off a processor; nothing where that was not asked for.
    pub(super) switches: Option<u64>,
    /// The kernel's letter for its state.
    pub(super) state: char,
}

impl Motion {
    /// Whether the process waited in the kernel then and now, and did not run between.
    pub(super) fn is_stuck_since(&self, before: &Self) -> bool {
        self.state == 'D' && self.switches.is_some() && self == before
    }

    /// Processor time since then, if it is the same process.
    pub(super) fn cpu_millis_since(&self, before: &Self) -> Option<u64> {
        (self.start_ticks == before.start_ticks).then(|| self.cpu_ticks.saturating_sub(before.cpu_ticks) * TICK_MILLIS)
    }
}

/// The line of `stat`, as far as it is used.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    threads: u64,
    is_of_kernel: bool,
    motion: Motion,
}

impl Stat {
    /// `1 (name) S 0 …`; the name may hold anything, parentheses too.
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        Some(Self {
            name: name.to_owned(),
            parent: u32::try_from(number(1)?).ok()?,
            threads: number(17)?,
            is_of_kernel: number(6)? & KERNEL_THREAD != 0,
            motion: Motion {
                start_ticks: number(19)?,
                cpu_ticks: number(11)?.saturating_add(number(12)?),
                switches: None,
                state: fields.first()?.chars().next()?,
            },
        })
    }
}

/// Reads the files of one process.
pub(super) struct ProcessFiles<'a> {
    root: &'a HostRoot,
    folder: HostPath,
}

impl<'a> ProcessFiles<'a> {
    pub(super) fn new(root: &'a HostRoot, pid: u32) -> Result<Self, HostError> {
        Ok(Self {
            root,
            folder: HostPath::new(&format!("/proc/{pid}"))?,
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        self.root.read_text(&self.folder.join(name).ok()?, MAX_FILE_BYTES).ok()
    }

    /// Whether the process has run since, for little cost.
    pub(super) fn motion(&self) -> Option<Motion> {
        let motion = Stat::parse(&self.text("stat")?)?.motion;
        Some(self.with_switches(motion))
    }

    fn with_switches(&self, motion: Motion) -> Motion {
        let switches = || {
            let status = self.text("status")?;
            let count = |key| field(&status, key)?.parse::<u64>().ok();
            Some(count("voluntary_ctxt_switches:")? + count("nonvoluntary_ctxt_switches:")?)
        };
        Motion {
            switches: if motion.state == 'D' { switches() } else { None },
            ..motion
        }
    }

    /// All that is told of the process; `None` when it has ended meanwhile.
    pub(super) fn read(&self, pid: u32, boot: Option<Timestamp>) -> Option<(Process, Motion)> {
        let Stat {
            name,
            parent,
            threads,
            is_of_kernel,
            motion,
        } = Stat::parse(&self.text("stat")?)?;
        let motion = self.with_switches(motion);
        let mut process = Process {
            pid,
            parent,
            name,
            state: motion.state.to_string(),
            threads,
            cpu_millis: motion.cpu_ticks * TICK_MILLIS,
            started: boot.and_then(|boot| started(boot, motion.start_ticks)),
            ..Process::default()
        };
        if !is_of_kernel {
            self.add_program(&mut process);
        }
        if motion.state == 'D' {
            process.waits_in = self.text("wchan").filter(|name| !matches!(name.as_str(), "" | "0"));
            let stack = self.text("stack").unwrap_or_default();
            process.stack = stack.lines().take(MAX_FRAMES).map(frame).collect();
        }
        Some((process, motion))
    }

    /// What threads of the kernel do not have.
    fn add_program(&self, process: &mut Process) {
        let status = self.text("status").unwrap_or_default();
        process.resident_bytes = field(&status, "VmRSS:")
            .and_then(|size| size.strip_suffix(" kB")?.trim().parse::<u64>().ok())
            .unwrap_or(0)
            .saturating_mul(1024);
        process.cgroup = self.text("cgroup").as_deref().and_then(cgroup).unwrap_or_default();
        process.command = self.command().unwrap_or_default();
        if process.state == "Z" {
            return;
        }
        process.open_files = self.open_files();
        if process.open_files.is_some_and(|open| open >= MANY_OPEN_FILES) {
            process.open_files_limit = self.text("limits").as_deref().and_then(open_files_limit);
        }
    }

    fn command(&self) -> Option<Vec<String>> {
        let path = self.folder.join("cmdline").ok()?;
        let bytes = match self.root.read(&path, MAX_COMMAND_BYTES) {
            Ok(bytes) => bytes,
            // Half of an argument could be half of a secret: of a line that is too long only its length is told.
            Err(HostError::TooLarge { .. }) => {
                return Some(vec![format!("(more than {MAX_COMMAND_BYTES} bytes of arguments)")]);
            }
            Err(_) => return None,
        };
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        if bytes.is_empty() {
            return None;
        }
        let arguments = bytes.split(|byte| *byte == 0);
        Some(
            arguments
                .map(|part| String::from_utf8_lossy(part).into_owned())
                .collect(),
        )
    }

    fn open_files(&self) -> Option<u64> {
        let path = self.folder.join("fd").ok()?;
        match self.root.read_dir(&path) {
            Ok(entries) => u64::try_from(entries.len()).ok(),
            // Since Linux 6.2 the folder's size is the number of its entries.
            Err(HostError::TooLarge { .. }) => {
                let least = u64::try_from(MAX_DIR_ENTRIES).unwrap_or(u64::MAX);
                Some(self.root.metadata(&path).map_or(least, |folder| folder.len.max(least)))
            }
            Err(_) => None,
        }
    }
}

fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

fn started(boot: Timestamp, ticks: u64) -> Option<Timestamp> {
    let millis = i64::try_from(ticks.saturating_mul(TICK_MILLIS)).ok()?;
    boot.checked_add(SignedDuration::from_millis(millis)).ok()
}

/// `[<0>] percpu_rwsem_wait+0x11c/0x170` without the address, which is hidden anyway.
fn frame(line: &str) -> String {
    line.split_once("] ")
        .map_or(line, |(_, function)| function)
        .trim()
        .to_owned()
}

/// The path of the group that limits memory; `0::` where there is one tree only. Seen from a pod's own namespace, paths
/// of others begin with `/..`.
fn cgroup(text: &str) -> Option<String> {
    let entry = |wanted: fn(&str, &str) -> bool| {
        text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            wanted(number, controllers).then_some(path)
        })
    };
    let of_memory = entry(|_, controllers| controllers.split(',').any(|controller| controller == "memory"));
    let path = of_memory.or_else(|| entry(|number, _| number == "0"))?;
    let mut path = path.trim_end_matches(" (deleted)");
    while let Some(rest) = path.strip_prefix("/..") {
        path = rest;
    }
    Some(path.to_owned())
}

/// `Max open files            1024                 524288               files`
fn open_files_limit(limits: &str) -> Option<u64> {
    field(limits, "Max open files")?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Motion, Stat, cgroup, frame, open_files_limit};

    #[test]
    fn a_name_may_hold_anything() {
        let line = "4711 (a) (b c) D 17 4711 4711 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 7 0 123456 1000 200 18446744073709551615";
        let motion = Motion {
            start_ticks: 123_456,
            cpu_ticks: 300,
            switches: None,
            state: 'D',
        };
        let expected = Stat {
            name: "a) (b c".to_owned(),
            parent: 17,
            threads: 7,
            is_of_kernel: false,
            motion,
        };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("4711 (a D 17"), None);
    }

    #[test]
    fn stuck_is_who_waits_and_has_not_run() {
        let before = Motion {
            start_ticks: 1,
            cpu_ticks: 5,
            switches: Some(9),
            state: 'D',
        };
        assert!(before.is_stuck_since(&before));
        let ran = Motion {
            switches: Some(10),
            ..before
        };
        assert!(!ran.is_stuck_since(&before));
        let asleep = Motion { state: 'S', ..before };
        assert!(!asleep.is_stuck_since(&asleep));
        let unknown = Motion {
            switches: None,
            ..before
        };
        assert!(!unknown.is_stuck_since(&unknown));
        let later = Motion { cpu_ticks: 8, ..before };
        assert_eq!(later.cpu_millis_since(&before), Some(30));
        let another = Motion {
            start_ticks: 2,
            ..before
        };
        assert_eq!(another.cpu_millis_since(&before), None);
    }

    #[rstest]
    #[case::v2("0::/system.slice/kubelet.service\n", "/system.slice/kubelet.service")]
    #[case::v1("12:pids:/a\n9:memory:/kubepods/pod1\n1:name=systemd:/b\n0::/c\n", "/kubepods/pod1")]
    #[case::from_a_pod("0::/../../kubepods-pod1.slice/x.scope\n", "/kubepods-pod1.slice/x.scope")]
    #[case::gone("0::/a (deleted)\n", "/a")]
    fn groups(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(cgroup(text).as_deref(), Some(expected));
    }

    #[test]
    fn limits_and_frames() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(open_files_limit(limits), Some(1024));
        assert_eq!(
            open_files_limit("Max open files            unlimited unlimited files\n"),
            None
        );
        assert_eq!(
            frame("[<0>] percpu_rwsem_wait+0x11c/0x170"),
            "percpu_rwsem_wait+0x11c/0x170"
        );
    }
}
