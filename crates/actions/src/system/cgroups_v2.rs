//! The files of version 2 (kernel documentation, `admin-guide/cgroup-v2.rst`): one tree, all controllers in it.

use periscope_documents::{Cgroup, CgroupCpu, CgroupMemory, CgroupPids};
use periscope_host::HostPath;

use super::cgroups::{Files, Hierarchy, value};

/// The unified hierarchy.
pub(super) struct V2 {
    top: HostPath,
}

impl V2 {
    pub(super) fn new(top: HostPath) -> Self {
        Self { top }
    }
}

impl Hierarchy for V2 {
    fn trees(&self) -> Vec<&HostPath> {
        vec![&self.top]
    }

    fn group(&self, files: &Files<'_>, path: &str) -> Cgroup {
        let text = |name| files.text(&self.top, path, name);
        let number = |name| files.number(&self.top, path, name);
        let cpu = text("cpu.stat").map(|stat| CgroupCpu {
            usage_micros: value(&stat, "usage_usec").unwrap_or(0),
            limit_millis: text("cpu.max").as_deref().and_then(limit_millis),
            periods: value(&stat, "nr_periods").unwrap_or(0),
            throttled_periods: value(&stat, "nr_throttled").unwrap_or(0),
            throttled_micros: value(&stat, "throttled_usec").unwrap_or(0),
            recent: None,
        });
        let memory = number("memory.current").map(|current_bytes| {
            let events = text("memory.events").unwrap_or_default();
            CgroupMemory {
                current_bytes,
                // `max` is no number, and no limit.
                max_bytes: number("memory.max"),
                limit_hits: value(&events, "max").unwrap_or(0),
                oom_kills: value(&events, "oom_kill").unwrap_or(0),
            }
        });
        let pids = number("pids.current").map(|current| CgroupPids {
            current,
            max: number("pids.max"),
            limit_hits: text("pids.events")
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
        let stat = files.text(&self.top, path, "cpu.stat")?;
        Some((
            value(&stat, "nr_periods").unwrap_or(0),
            value(&stat, "nr_throttled").unwrap_or(0),
            value(&stat, "usage_usec")?,
        ))
    }
}

/// `50000 100000` is a half of a processor; `max 100000` is no limit.
fn limit_millis(max: &str) -> Option<u64> {
    let (quota, period) = max.trim().split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    quota.saturating_mul(1000).checked_div(period)
}
