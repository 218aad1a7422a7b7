//! Action `iptables`: the node's packet filter, its load balancing and its connection table, from the node's own tools
//! and kernel files. No address is ever looked up.

mod action;
mod conntrack;
mod ipvs;
mod legacy;

pub(crate) use action::{DESCRIPTOR, Iptables};
