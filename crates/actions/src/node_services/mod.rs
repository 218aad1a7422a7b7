//! `node-services`: the units of the node's systemd with their drop-ins and timers, and how the machine was set up:
//! cloud-init, Azure's agent and its extensions. Takes no logs: those are `node-logs` and `system-logs`.
//!
//! * `units`: asks systemd, and reads what it says
//! * `control_groups`: which services have processes, where systemd cannot be asked
//! * `files`: which files are taken

mod action;
mod control_groups;
mod files;
mod units;

pub(crate) use action::{DESCRIPTOR, NodeServices};
