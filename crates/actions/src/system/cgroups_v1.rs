//! The files of version 1 (kernel documentation, `admin-guide/cgroup-v1`): a tree for each controller, with the same
//! groups in them.

use periscope_documents::{Cgroup, CgroupCpu, CgroupMemory, CgroupPids};
use periscope_host::{HostError, HostPath, HostRoot};

use super::cgroups::{Files, Hierarchy, value};

/// From here on a limit of memory is none: the kernel shows the largest multiple of a page below 2⁶³.
const NO_MEMORY_LIMIT: u64 = 1 << 62;

/// The hierarchies of the controllers that are looked at.
pub(super) struct V1 {
    /// Those that are mounted.
    trees: Vec<HostPath>,
    cpu: HostPath,
    accounting: HostPath,
    memory: HostPath,
    pids: HostPath,
}

impl V1 {
    /// Finds the hierarchies below `top`. Distributions mount `cpu` and `cpuacct` together, with links to it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn find(root: &HostRoot, top: &HostPath) -> Result<Self, HostError> {
        let folder = |names: [&str; 2]| -> Result<HostPath, HostError> {
            let mut found = top.join(names[0])?;
            if root.metadata(&found).is_err() {
                found = top.join(names[1])?;
            }
            Ok(found)
        };
        let cpu = folder(["cpu", "cpu,cpuacct"])?;
        let accounting = folder(["cpuacct", "cpu,cpuacct"])?;
        let memory = folder(["memory", "memory"])?;
        let pids = folder(["pids", "pids"])?;
        let trees: Vec<_> = [&memory, &cpu, &pids]
            .into_iter()
            .filter(|tree| root.metadata(tree).is_ok())
            .cloned()
            .collect();
        if trees.is_empty() {
            root.metadata(&memory)?;
        }
        Ok(Self {
            trees,
            cpu,
            accounting,
            memory,
            pids,
        })
    }
}

impl Hierarchy for V1 {
    fn trees(&self) -> Vec<&HostPath> {
        self.trees.iter().collect()
    }

    fn group(&self, files: &Files<'_>, path: &str) -> Cgroup {
        let cpu = files.text(&self.cpu, path, "cpu.stat").map(|stat| {
            let quota = files.number(&self.cpu, path, "cpu.cfs_quota_us");
            let period = files.number(&self.cpu, path, "cpu.cfs_period_us");
            CgroupCpu {
                usage_micros: files.number(&self.accounting, path, "cpuacct.usage").unwrap_or(0) / 1000,
                // A quota of -1 is no number, and no limit.
                limit_millis: quota
                    .zip(period)
                    .and_then(|(quota, period)| quota.saturating_mul(1000).checked_div(period)),
                periods: value(&stat, "nr_periods").unwrap_or(0),
                throttled_periods: value(&stat, "nr_throttled").unwrap_or(0),
                throttled_micros: value(&stat, "throttled_time").unwrap_or(0) / 1000,
                recent: None,
            }
        });
        let number = |name| files.number(&self.memory, path, name);
        let memory = number("memory.usage_in_bytes").map(|current_bytes| CgroupMemory {
            current_bytes,
            max_bytes: number("memory.limit_in_bytes").filter(|&limit| limit < NO_MEMORY_LIMIT),
            limit_hits: number("memory.failcnt").unwrap_or(0),
            oom_kills: files
                .text(&self.memory, path, "memory.oom_control")
                .and_then(|control| value(&control, "oom_kill"))
                .unwrap_or(0),
        });
        let pids = files
            .number(&self.pids, path, "pids.current")
            .map(|current| CgroupPids {
                current,
                max: files.number(&self.pids, path, "pids.max"),
                limit_hits: files
                    .text(&self.pids, path, "pids.events")
                    .and_then(|events| value(&events, "max"))
                    .unwrap_or(0),
            });
        Cgroup {
            path: path.to_owned(),
            cpu,
            memory,
            pids,
            ..Cgroup::default()
        }
    }

    fn cpu(&self, files: &Files<'_>, path: &str) -> Option<(u64, u64, u64)> {
        let stat = files.text(&self.cpu, path, "cpu.stat")?;
        Some((
            value(&stat, "nr_periods").unwrap_or(0),
            value(&stat, "nr_throttled").unwrap_or(0),
            files.number(&self.accounting, path, "cpuacct.usage")? / 1000,
        ))
    }
}
