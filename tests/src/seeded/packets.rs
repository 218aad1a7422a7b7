//! Rules of a packet filter, on the node or outside it, where a firewall of the network would be.

use std::process::Command;

use crate::Cluster;

/// In whose packet filter a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The node's own.
    Node,
    /// That of the network around it: nothing on the node shows it.
    Outside,
}

/// A rule at the head of a chain, removed when this is dropped.
#[derive(Debug)]
pub struct PacketRule {
    cluster: Cluster,
    place: Where,
    rule: Vec<String>,
}

impl PacketRule {
    /// Adds a rule such as `["OUTPUT", "-d", "203.0.113.10", "-j", "DROP"]`, its chain first.
    ///
    /// # Panics
    ///
    /// When iptables refuses it.
    pub fn add(cluster: &Cluster, place: Where, rule: &[&str]) -> Self {
        let made = Self {
            cluster: cluster.clone(),
            place,
            rule: rule.iter().map(|&word| word.to_owned()).collect(),
        };
        assert!(made.iptables("--insert"), "{rule:?} is refused");
        made
    }

    fn iptables(&self, verb: &str) -> bool {
        let mut command = match self.place {
            Where::Node => self.cluster.on_node("iptables"),
            Where::Outside => {
                let mut command = Command::new("nsenter");
                let target = self.cluster.outside_pid().to_string();
                command.args(["--net", "--target", &target, "--", "iptables"]);
                command
            }
        };
        command
            .args(["--wait", "10", verb])
            .args(&self.rule)
            .status()
            .is_ok_and(|status| status.success())
    }
}

impl Drop for PacketRule {
    fn drop(&mut self) {
        self.iptables("--delete");
    }
}
