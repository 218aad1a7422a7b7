//! A memory cgroup for one program and its children: of version 1 where that is mounted, else of version 2.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// Removed when dropped; by then nothing may be left in it.
pub(super) struct MemoryCgroup {
    folder: PathBuf,
    is_v1: bool,
}

impl MemoryCgroup {
    /// One that holds at most `limit` bytes, file cache and kernel memory included, and does not swap.
    pub(super) fn new(limit: u64) -> Result<Self> {
        let is_v1 = Path::new(V1).join("memory.limit_in_bytes").exists();
        if !is_v1 {
            let control = Path::new(V2).join("cgroup.subtree_control");
            fs::write(&control, "+memory").context("a memory cgroup needs root and cgroup v1 or v2")?;
        }
        let parent = if is_v1 { V1 } else { V2 };
        let folder = Path::new(parent).join(format!("aks-periscope-bench-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let cgroup = Self { folder, is_v1 };
        let (memory, swap, swap_limit) = if is_v1 {
            ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", limit)
        } else {
            ("memory.max", "memory.swap.max", 0)
        };
        cgroup.set(memory, limit)?;
        // Absent where the kernel does not account for swap.
        if cgroup.folder.join(swap).exists() {
            cgroup.set(swap, swap_limit)?;
        }
        Ok(cgroup)
    }

    /// The command, to be run inside.
    pub(super) fn inside(&self, command: &Command) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
            .arg(self.folder.join("cgroup.procs"))
            .arg(command.get_program())
            .args(command.get_args());
        shell
    }

    /// How many processes the kernel has killed in it for want of memory.
    pub(super) fn kills(&self) -> Result<u64> {
        let file = if self.is_v1 {
            "memory.oom_control"
        } else {
            "memory.events"
        };
        let text = fs::read_to_string(self.folder.join(file)).with_context(|| format!("cannot read {file}"))?;
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills
            .context("no count of kills")?
            .trim()
            .parse()
            .context("no count of kills")
    }

    fn set(&self, file: &str, value: u64) -> Result<()> {
        fs::write(self.folder.join(file), value.to_string()).with_context(|| format!("cannot set {file}"))
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // The file cache in it is handed to the parent.
        if let Err(error) = fs::remove_dir(&self.folder) {
            crate::command::say(&format!("{} is left behind: {error}", self.folder.display()));
        }
    }
}
