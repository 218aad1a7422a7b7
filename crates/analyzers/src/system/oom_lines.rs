//! The kernel's lines about processes that it killed for lack of memory, as the rules of the scan found them: whose
//! process, and whose limit.

use jiff::Timestamp;
use periscope_core::{Evidence, Inputs, LineHit};
use periscope_documents::PodCgroup;

/// `oom-kill:constraint=…` of Linux 5.0 and later (`mm/oom_kill.c`, `dump_oom_summary`).
pub(super) const SUMMARY: &str = "oom-kill";
/// `Task in … killed as a result of limit of …` of older kernels (`mm/memcontrol.c`, `mem_cgroup_print_oom_info`).
pub(super) const OLD_LIMIT: &str = "oom-kill-in-group";
/// `Out of memory: Kill process …` of older kernels: the node itself had no memory left.
pub(super) const OLD_NODE: &str = "oom-kill-on-node";

/// One kill.
#[derive(Debug, Clone)]
pub(super) struct Kill {
    /// The process's name and number, where the line has them.
    pub(super) task: Option<(String, String)>,
    /// The process's control group.
    pub(super) group: String,
    /// The control group whose limit was reached; `None` when the node itself had no memory left.
    pub(super) limit_group: Option<String>,
    /// When.
    pub(super) time: Option<Timestamp>,
    /// Where it is written.
    pub(super) evidence: Evidence,
}

impl Kill {
    /// The pod and container that the process was of.
    pub(super) fn victim(&self) -> Option<PodCgroup> {
        PodCgroup::parse(&self.group)
    }
}

/// All kills that are kept, by time, and how many there were.
pub(super) fn kills(inputs: &dyn Inputs) -> (Vec<Kill>, u64) {
    let mut kills = Vec::new();
    let mut count = 0;
    for rule in [SUMMARY, OLD_LIMIT, OLD_NODE] {
        count += inputs.hit_count(rule);
        kills.extend(inputs.hits(rule).into_iter().map(kill));
    }
    kills.sort_by_key(|kill| kill.time);
    (kills, count)
}

fn kill(hit: LineHit) -> Kill {
    let capture = |name: &str| hit.captures.get(name).filter(|value| !value.is_empty()).cloned();
    Kill {
        task: capture("task").zip(capture("pid")),
        group: capture("memcg").unwrap_or_default(),
        limit_group: capture("oom_memcg"),
        time: hit.time,
        evidence: Evidence {
            file: hit.file.to_string(),
            line: Some(hit.line),
            quote: hit.quote,
        },
    }
}
