//! The node's end of its cable, and its routes. The other end is laid by whoever started the node.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Node;
use crate::command::{run, wait_for};

const LINK_LIMIT: Duration = Duration::from_secs(20);

pub(super) fn configure(node: &Node) -> Result<()> {
    run(Command::new("hostname").arg(node.name()))?;
    ip(&["link", "set", "lo", "up"])?;
    wait_for("the node's cable", LINK_LIMIT, || {
        Ok(ip(&["link", "show", "eth0"]).is_ok())
    })?;
    ip(&["address", "add", &format!("{}/30", node.ip()), "dev", "eth0"])?;
    ip(&["link", "set", "eth0", "up"])?;
    // Nobody forwards what is sent there, but service addresses are only translated on packets that have a route.
    ip(&["route", "add", "default", "via", &node.machine_ip()])
}

fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments))?;
    Ok(())
}
