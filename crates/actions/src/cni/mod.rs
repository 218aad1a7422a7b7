//! Action `cni`: how the node's pods come to their network: the plugins' configuration, programs, addresses given away,
//! state and logs. No plugin is run: some take locks or write state even when they are only asked for their version.

mod action;
mod addresses;
mod build_info;
mod configurations;
mod files;
mod folders;
mod plugins;

pub(crate) use action::{Cni, DESCRIPTOR};
