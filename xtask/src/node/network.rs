//! The node's end of its cable, and its routes. The cable is laid by the outside.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{Node, PREFIX};
use crate::command::{run, wait_for};

/// The outside lays the cable as soon as it sees the node.
const LINK_LIMIT: Duration = Duration::from_secs(20);

pub(super) fn configure(node: &Node) -> Result<()> {
    run(Command::new("hostname").arg(node.name()))?;
    ip(&["link", "set", "lo", "up"])?;
    wait_for("the node's cable", LINK_LIMIT, || {
        Ok(ip(&["link", "show", "eth0"]).is_ok())
    })?;
    ip(&["address", "add", &format!("{}/{PREFIX}", node.ip()), "dev", "eth0"])?;
    ip(&["link", "set", "eth0", "up"])?;
    // Service addresses too are only translated on packets that have a route.
    ip(&["route", "add", "default", "via", &node.gateway_ip()])
}

pub(super) fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments))?;
    Ok(())
}
