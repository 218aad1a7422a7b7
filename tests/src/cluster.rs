//! The one-node cluster: its node seen from within, and its API.
//! The node lives in namespaces of its own, so what a test does there does not touch the machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

/// A running cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// A kubeconfig of the group `system:masters`, with its credentials inside the file.
    pub kubeconfig: PathBuf,
    /// The folder of the Kubernetes binaries.
    pub binaries: PathBuf,
    /// The node's pid 1, as this machine numbers it.
    pub pid1: u32,
    /// The node's name, which is also its host name.
    pub node_name: String,
    /// The node's address, reachable from this machine.
    pub node_ip: String,
}

impl Cluster {
    /// The node's root folder, for reading; absolute links in it lead to this machine's files.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid1))
    }

    /// A command that will run on the node: in its mount, process, network and host name namespaces.
    pub fn on_node(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "--mount",
                "--pid",
                "--net",
                "--uts",
                "--target",
                &self.pid1.to_string(),
                "--",
            ])
            .arg(program);
        command
    }

    /// Runs a command on the node and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn run_on_node(&self, words: &[&str]) -> String {
        let (program, arguments) = words.split_first().expect("a command has at least a name");
        answer(self.on_node(program).args(arguments))
    }

    /// Runs kubectl on this machine and returns what it printed; `None` when it fails, as while the API server is away.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new(self.binaries.join("kubectl"));
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        let output = command.output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    }

    /// Runs kubectl on this machine and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let kubectl: &Path = &self.binaries.join("kubectl");
        answer(
            Command::new(kubectl)
                .arg("--kubeconfig")
                .arg(&self.kubeconfig)
                .args(arguments),
        )
    }
}

fn answer(command: &mut Command) -> String {
    let output = command.output().expect("the harness has installed what it names");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).expect("the tools that tests call answer in UTF-8")
}
