//! Processes of the node, or of what is outside, that hang: they are there and answer nothing.

use std::fs;
use std::process::Command;

use crate::Cluster;

/// Processes stopped with SIGSTOP. They go on when this is dropped.
#[derive(Debug)]
pub struct Stopped {
    pids: Vec<String>,
}

impl Stopped {
    /// Stops all processes of the node, those of its pods too, whose command line begins with this program's name.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn on_node(cluster: &Cluster, program: &str) -> Self {
        Self::stop(program, cluster.node_processes(program))
    }

    /// Stops a process of the outside, such as Azure's name server.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn outside(cluster: &Cluster, program: &str) -> Self {
        let outside = cluster.outside_pid().to_string();
        Self::stop(
            program,
            processes(program, |pid| parent(pid).is_some_and(|parent| parent == outside)),
        )
    }

    fn stop(program: &str, pids: Vec<String>) -> Self {
        assert!(!pids.is_empty(), "no {program} runs");
        signal("STOP", &pids);
        Self { pids }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("CONT", &self.pids);
    }
}

impl Cluster {
    /// The process ids, as this machine numbers them, of the node's processes with this program, those of its pods too.
    pub fn node_processes(&self, program: &str) -> Vec<String> {
        processes(program, |pid| descends_from(pid, self.pid1))
    }

    /// The process, as this machine numbers it, that holds the namespaces of what is outside the node.
    ///
    /// # Panics
    ///
    /// When the services have ended.
    pub fn outside_pid(&self) -> u32 {
        let unshare = parent(&self.pid1.to_string()).expect("the node runs");
        let outside = parent(&unshare).expect("what is outside the node runs");
        outside.parse().expect("a process id is a number")
    }

    /// The process ids, as this machine numbers them, of the outside's processes with this program.
    pub fn outside_processes(&self, program: &str) -> Vec<String> {
        let outside = self.outside_pid().to_string();
        processes(program, |pid| parent(pid).is_some_and(|parent| parent == outside))
    }
}

/// Sends a signal to all of them that are still there.
pub(crate) fn signal(name: &str, pids: &[String]) {
    Command::new("kill").arg(format!("-{name}")).args(pids).status().ok();
}

fn processes(program: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && runs(pid, program) && is_wanted(pid))
        .collect()
}

fn runs(pid: &str, program: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = line.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(first).rsplit('/').next() == Some(program)
}

fn descends_from(pid: &str, ancestor: u32) -> bool {
    let ancestor = ancestor.to_string();
    let mut next = parent(pid);
    while let Some(pid) = next {
        if pid == ancestor {
            return true;
        }
        next = parent(&pid);
    }
    false
}

fn parent(pid: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Some(line.trim().to_owned()).filter(|parent| parent != "0")
}
