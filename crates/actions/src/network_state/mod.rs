//! Action `network-state`: interfaces, routes, rules, neighbours, sockets with their owners, and the counters of what
//! goes wrong, of the node and of each network namespace that has a process.
//!
//! The kernel's own tables come from `/proc/<pid>/net`, which shows the network of that process whoever reads it. What
//! only the kernel's netlink tells is asked of the node's `ip`, `bridge` and `tc`, in the node's network.

mod action;
mod counters;
mod interfaces;
mod namespaces;
mod owners;
mod proc_net;
mod routes;
mod sockets;
mod survey;

pub(crate) use action::{DESCRIPTOR, NetworkState};
