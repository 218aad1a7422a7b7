//! The computed documents as tables for people: what is largest first, and only what a person would look at.

use std::fmt::Write;

use periscope_documents::{Cgroup, Consumer, Disk, Process};

use super::processes::TwoLooks;
use super::sizes::{bytes, seconds, used_percent};
use crate::table::render;

/// Rows of each part of the table of processes.
const TOP: usize = 20;

/// Longest command line shown, in characters; the whole is in the document.
const MAX_COMMAND: usize = 120;

/// `disks.txt`.
pub(super) fn disks(disks: &[Disk]) -> String {
    let rows: Vec<_> = disks
        .iter()
        .map(|disk| {
            let mut row = vec![disk.mount_point.clone(), disk.source.clone(), disk.fstype.clone()];
            row.push(if disk.read_only { "ro" } else { "rw" }.to_owned());
            match (&disk.fill, &disk.error) {
                (Some(fill), _) => row.extend([
                    bytes(fill.total_bytes),
                    bytes(fill.available_bytes),
                    used_percent(fill.total_bytes, fill.available_bytes),
                    used_percent(fill.inodes, fill.inodes_available),
                    disk.holds.join(" "),
                ]),
                (None, error) => row.extend([
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                    error.clone().unwrap_or_default(),
                ]),
            }
            row
        })
        .collect();
    render(
        &[
            "MOUNT POINT",
            "SOURCE",
            "TYPE",
            "MODE",
            "SIZE",
            "AVAILABLE",
            "USED",
            "INODES USED",
            "HOLDS",
        ],
        &rows,
    )
}

/// `disk-usage.txt`.
pub(super) fn disk_usage(consumers: &[Consumer]) -> String {
    let rows: Vec<_> = consumers
        .iter()
        .map(|row| {
            vec![
                format!(
                    "{}{}",
                    bytes(row.bytes),
                    if row.incomplete.is_some() { " or more" } else { "" }
                ),
                row.inodes.to_string(),
                row.mount_point.clone(),
                owner(row.pod.as_deref(), row.container.as_deref()),
                row.path.clone(),
            ]
        })
        .collect();
    render(&["SIZE", "INODES", "ON", "POD", "PATH"], &rows)
}

/// `cgroups.txt`: the groups that have a limit or were hit by one.
pub(super) fn cgroups(groups: &[Cgroup]) -> String {
    let rows: Vec<_> = groups
        .iter()
        .filter(|group| is_limited(group))
        .map(cgroup_row)
        .collect();
    render(
        &[
            "POD",
            "CPU LIMIT",
            "THROTTLED",
            "NOW",
            "MEMORY",
            "LIMIT",
            "OOM KILLS",
            "TASKS",
            "LIMIT",
            "PATH",
        ],
        &rows,
    )
}

fn is_limited(group: &Cgroup) -> bool {
    group.cpu.as_ref().is_some_and(|cpu| cpu.limit_millis.is_some())
        || group
            .memory
            .as_ref()
            .is_some_and(|memory| memory.max_bytes.is_some() || memory.oom_kills > 0)
        || group.pids.as_ref().is_some_and(|pids| pids.max.is_some())
        || group.pod.is_some()
}

fn cgroup_row(group: &Cgroup) -> Vec<String> {
    let share = |throttled: u64, periods: u64| used_percent(periods, periods.saturating_sub(throttled));
    let optional = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let cpu = group.cpu.as_ref();
    let recent = cpu.and_then(|cpu| cpu.recent.as_ref());
    let memory = group.memory.as_ref();
    let pids = group.pids.as_ref();
    vec![
        owner(group.pod.as_deref(), group.container.as_deref()),
        optional(cpu.and_then(|cpu| cpu.limit_millis).map(|limit| format!("{limit}m"))),
        optional(cpu.map(|cpu| share(cpu.throttled_periods, cpu.periods))),
        optional(recent.map(|recent| share(recent.throttled_periods, recent.periods))),
        optional(memory.map(|memory| bytes(memory.current_bytes))),
        optional(memory.and_then(|memory| memory.max_bytes).map(bytes)),
        optional(memory.map(|memory| memory.oom_kills.to_string())),
        optional(pids.map(|pids| pids.current.to_string())),
        optional(pids.and_then(|pids| pids.max).map(|max| max.to_string())),
        group.path.clone(),
    ]
}

/// `processes.txt`: the largest of each kind.
pub(super) fn processes(looks: &TwoLooks) -> String {
    let all = &looks.processes;
    let count = |state: &str| all.iter().filter(|process| process.state == state).count();
    let mut text = format!(
        "{} processes with {} threads, {} zombies, {} waiting in the kernel (state D)\n",
        all.len() + looks.left_out,
        all.iter().map(|process| process.threads).sum::<u64>(),
        count("Z"),
        count("D"),
    );
    let now = format!("processor time within {} s", seconds(looks.millis));
    let largest = |key: fn(&Process) -> u64| {
        let mut sorted: Vec<_> = all.iter().filter(|process| key(process) > 0).collect();
        sorted.sort_by_key(|process| std::cmp::Reverse(key(process)));
        sorted.truncate(TOP);
        sorted
    };
    let of_state = |state: &str| {
        all.iter()
            .filter(|process| process.state == state)
            .take(TOP)
            .collect::<Vec<_>>()
    };
    let parts = [
        (now.as_str(), largest(|process| process.recent_cpu_millis.unwrap_or(0))),
        (
            "processor time since their start",
            largest(|process| process.cpu_millis),
        ),
        ("memory", largest(|process| process.resident_bytes)),
        ("open files", largest(|process| process.open_files.unwrap_or(0))),
        ("state D", of_state("D")),
        ("zombies", of_state("Z")),
    ];
    for (title, processes) in parts {
        if processes.is_empty() {
            continue;
        }
        let rows: Vec<_> = processes.into_iter().map(process_row).collect();
        let table = render(
            &[
                "PID", "PARENT", "STATE", "CPU NOW", "CPU", "MEMORY", "FILES", "THREADS", "POD", "COMMAND",
            ],
            &rows,
        );
        // Writing to a string cannot fail.
        write!(text, "\nBy {title}\n{table}").ok();
    }
    text
}

fn process_row(process: &Process) -> Vec<String> {
    let state = if process.stuck {
        format!("{} stuck", process.state)
    } else {
        process.state.clone()
    };
    let mut command = if process.command.is_empty() {
        format!("[{}]", process.name)
    } else {
        process.command.join(" ").replace('\n', " ")
    };
    if let Some((end, _)) = command.char_indices().nth(MAX_COMMAND) {
        command.truncate(end);
        command.push('…');
    }
    if let Some(function) = &process.waits_in {
        command = format!("{command}, in {function}");
    }
    vec![
        process.pid.to_string(),
        process.parent.to_string(),
        state,
        process.recent_cpu_millis.map_or_else(|| "-".to_owned(), seconds),
        seconds(process.cpu_millis),
        bytes(process.resident_bytes),
        process
            .open_files
            .map_or_else(|| "-".to_owned(), |open| open.to_string()),
        process.threads.to_string(),
        owner(process.pod.as_deref(), process.container.as_deref()),
        command,
    ]
}

fn owner(pod: Option<&str>, container: Option<&str>) -> String {
    match (pod, container) {
        (Some(pod), Some(container)) => format!("{pod} {container}"),
        (Some(pod), None) => pod.to_owned(),
        _ => "-".to_owned(),
    }
}
