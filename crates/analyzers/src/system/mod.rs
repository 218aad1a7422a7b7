//! The analyzers of the machine below Kubernetes: what runs out, what is slow, what is stuck. Each judges one kind of
//! thing from what the action `system` gathered.

mod clock;
mod cpu_pressure;
mod cpu_throttling;
mod disk_space;
mod eviction;
mod fillers;
mod input;
mod io_pressure;
mod memory_pressure;
mod oom_kills;
mod oom_lines;
mod open_files;
mod pressure;
mod processes;
mod read_only;
mod stuck_processes;
mod task_limits;
mod words;
mod zombies;

pub(crate) use clock::Clock;
pub(crate) use cpu_pressure::CpuPressure;
pub(crate) use cpu_throttling::CpuThrottling;
pub(crate) use disk_space::DiskSpace;
pub(crate) use io_pressure::IoPressure;
pub(crate) use memory_pressure::MemoryPressure;
pub(crate) use oom_kills::OomKills;
pub(crate) use open_files::OpenFiles;
pub(crate) use read_only::ReadOnly;
pub(crate) use stuck_processes::StuckProcesses;
pub(crate) use task_limits::TaskLimits;
pub(crate) use zombies::Zombies;
