//! The shapes of what the action `system` computes: disks, their consumers, control groups, processes, boots, and the
//! pods that the node's own folders name. Each file is a JSON array with one element per line.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A mounted file system, as a line of `disks.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Disk {
    /// Where it is mounted; of several places, the one that shows the whole of it.
    pub mount_point: String,
    /// What is mounted, such as `/dev/sda1`.
    pub source: String,
    /// Its type, such as `ext4`.
    pub fstype: String,
    /// Whether it cannot be written to there.
    pub read_only: bool,
    /// Folders that the node cannot work without and that are on it, such as `/var/lib/kubelet`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// How full it is; absent where it was not asked.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
    /// Why it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How full a file system is (`statvfs(3)`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fill {
    /// Its size in bytes.
    pub total_bytes: u64,
    /// Bytes that programs without privilege can still write.
    pub available_bytes: u64,
    /// Inodes it can hold; 0 where it makes them as it needs them.
    pub inodes: u64,
    /// Inodes that are still free.
    pub inodes_available: u64,
}

/// A folder or file that takes space, as a line of `disk-usage.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Consumer {
    /// The folder or file.
    pub path: String,
    /// The mount point of the file system it is on.
    pub mount_point: String,
    /// Bytes on the disk, of everything below it that is on the same file system and no mount of its own.
    pub bytes: u64,
    /// Files and folders, itself included.
    pub inodes: u64,
    /// Whether it is one of the folders that were measured, and not a part of one.
    pub whole: bool,
    /// The pod it belongs to, as `namespace/name`, or its uid where the name is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The container it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Why there may be more than was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A control group, as a line of `cgroups.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cgroup {
    /// Its path below the top of the hierarchy.
    pub path: String,
    /// The pod it belongs to, as `namespace/name`, or its uid where the name is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The container it belongs to: its name, or its id where the name is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CgroupCpu>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<CgroupMemory>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<CgroupPids>,
}

/// Processor time of a control group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CgroupCpu {
    /// Time used since the group was made, in microseconds.
    pub usage_micros: u64,
    /// The limit in thousandths of a processor; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_millis: Option<u64>,
    /// Periods in which it had work, since the group was made.
    pub periods: u64,
    /// Of those, periods in which it was held back by the limit.
    pub throttled_periods: u64,
    /// How long it was held back, in microseconds.
    pub throttled_micros: u64,
    /// The same between two looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent: Option<CgroupCpuRecent>,
}

/// What a control group did between two looks at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CgroupCpuRecent {
    /// Time between the looks, in milliseconds.
    pub millis: u64,
    /// Time used, in microseconds.
    pub usage_micros: u64,
    /// Periods in which it had work.
    pub periods: u64,
    /// Of those, periods in which it was held back by the limit.
    pub throttled_periods: u64,
}

/// Memory of a control group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CgroupMemory {
    /// Bytes charged to it, page cache included.
    pub current_bytes: u64,
    /// The limit in bytes; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// How often the limit was hit.
    pub limit_hits: u64,
    /// Processes that the kernel killed in it for lack of memory.
    pub oom_kills: u64,
}

/// Processes and threads of a control group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CgroupPids {
    /// How many there are.
    pub current: u64,
    /// The limit; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// How often a process or thread could not be made because of the limit.
    pub limit_hits: u64,
}

/// A process, as a line of `processes.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Its name, cut by the kernel to 15 bytes.
    pub name: String,
    /// The kernel's letter for its state: `R`, `S`, `D`, `Z`, `T`, `t`, `X`, `I`.
    pub state: String,
    /// Whether it waited in the kernel (state `D`), without having run, each time it was looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
    /// Its threads.
    pub threads: u64,
    /// Processor time since its start, in milliseconds.
    pub cpu_millis: u64,
    /// Processor time between two looks, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent_cpu_millis: Option<u64>,
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// Open file descriptors; absent where they may not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Most descriptors that it may have open (the soft limit); asked for only where it has many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files_limit: Option<u64>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Its control group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup: String,
    /// The pod it belongs to, as `namespace/name`, or its uid where the name is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The container it belongs to: its name, or its id where the name is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The kernel function it waits in; asked for only in state `D`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_in: Option<String>,
    /// How it came there, innermost first; asked for only in state `D`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
    /// Its program and arguments; empty for threads of the kernel and for zombies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// A start or an end of the system, as a line of `boots.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Boot {
    /// When.
    pub time: Timestamp,
    /// Which of the two.
    pub event: BootEvent,
    /// The kernel's release, where it was written down.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kernel: String,
}

/// A start or an end of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootEvent {
    /// The system started.
    Boot,
    /// The system was shut down in order.
    Shutdown,
}

/// A pod that has log folders on the node, as a line of `pods.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodePod {
    /// Its uid as the kubelet knows it; of a static pod, the hash of its file.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Names of its containers by their ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub containers: BTreeMap<String, String>,
}
