//! Azure's name server, answering every question with an error.

use std::fs;
use std::path::PathBuf;

use super::processes::signal;
use crate::{Cluster, eventually};

/// The outside's name server with another configuration. It has its own again when this is dropped.
#[derive(Debug)]
pub struct BrokenNameServer {
    config: PathBuf,
    before: String,
    pids: Vec<String>,
}

impl BrokenNameServer {
    /// Lets it answer every question with this code, as `SERVFAIL`.
    ///
    /// # Panics
    ///
    /// When it does not take its new configuration.
    pub fn answering(cluster: &Cluster, code: &str) -> Self {
        let config = cluster.kubeconfig.with_file_name("outside").join("Corefile");
        let before = fs::read_to_string(&config).expect("the name server has a configuration");
        let made = Self {
            config,
            pids: cluster.outside_processes("coredns"),
            before,
        };
        let broken = made.before.replace(
            "    errors\n",
            &format!("    errors\n    template ANY ANY {{\n        rcode {code}\n    }}\n"),
        );
        made.configure(&broken);
        eventually("the name server fails", || {
            let asked = cluster
                .on_node("getent")
                .args(["ahostsv4", "mcr.microsoft.com"])
                .output();
            (!asked.expect("nsenter runs getent").status.success()).then_some(())
        });
        made
    }

    /// `CoreDNS` reads its configuration again at this signal.
    fn configure(&self, content: &str) {
        fs::write(&self.config, content).ok();
        signal("USR1", &self.pids);
    }
}

impl Drop for BrokenNameServer {
    fn drop(&mut self) {
        self.configure(&self.before);
    }
}
