//! Action `system`: the machine below Kubernetes, from the kernel's own files: kernel, processors, memory, disks and
//! what fills them, control groups, processes, time, boots. It judges nothing; of limits and pressure the analyzers do.

mod action;
mod boots;
mod cgroups;
mod cgroups_v1;
mod cgroups_v2;
mod disk_usage;
mod disks;
mod files;
mod overlays;
mod pods;
mod process;
mod processes;
mod sizes;
mod sysctls;
mod tables;
mod time;

pub(crate) use action::{DESCRIPTOR, System};
