//! The processes of the node, found by the name of their program.
//!
//! Read from `/proc`; a process of a pod is told apart, because a pod may call its program anything.

use crate::{HostError, HostPath, HostRoot};

/// Longest command line read; the kernel allows more, programs of a node do not need it.
const MAX_CMDLINE_BYTES: usize = 128 * 1024;

/// Longest other file of `/proc/<pid>` read here.
const MAX_PROC_BYTES: usize = 64 * 1024;

/// The kernel cuts the name of a process to this many bytes (`TASK_COMM_LEN` less its NUL).
const COMM_BYTES: usize = 15;

/// Most processes returned for one name.
const MAX_PROCESSES: usize = 64;

/// One process of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProcess {
    /// Its number in the node's process namespace.
    pub pid: u32,
    /// Its arguments, the program first; bytes that are not UTF-8 are replaced.
    pub args: Vec<String>,
    /// Whether it runs in a pod, by its control group.
    pub in_pod: bool,
}

impl HostProcess {
    /// The value of `--name=value` or `--name value`; the last one, as flag parsers take it.
    pub fn flag(&self, name: &str) -> Option<&str> {
        let mut value = None;
        for (index, arg) in self.args.iter().enumerate().skip(1) {
            match arg.strip_prefix(name) {
                Some("") => value = self.args.get(index + 1).map(String::as_str),
                Some(rest) => value = rest.strip_prefix('=').or(value),
                None => {}
            }
        }
        value
    }
}

impl HostRoot {
    /// The processes whose program is called `program`, in the order of their numbers.
    ///
    /// Processes that end meanwhile, or that this process may not look at, are left out.
    pub fn processes(&self, program: &str) -> Result<Vec<HostProcess>, HostError> {
        let mut found = Vec::new();
        let proc = HostPath::new("/proc")?;
        let mut pids: Vec<u32> = self
            .read_dir(&proc)?
            .iter()
            .filter_map(|entry| entry.name.parse().ok())
            .collect();
        pids.sort_unstable();
        for pid in pids {
            let folder = proc.join(&pid.to_string())?;
            match self.process(pid, &folder, program) {
                Ok(Some(process)) => found.push(process),
                Ok(None) => {}
                Err(error) => tracing::debug!(pid, error = &error as &dyn std::error::Error, "Process left out."),
            }
            if found.len() == MAX_PROCESSES {
                break;
            }
        }
        Ok(found)
    }

    fn process(&self, pid: u32, folder: &HostPath, program: &str) -> Result<Option<HostProcess>, HostError> {
        let comm = self.read(&folder.join("comm")?, MAX_PROC_BYTES)?;
        let cut = &program.as_bytes()[..program.len().min(COMM_BYTES)];
        if comm.trim_ascii_end() != cut {
            return Ok(None);
        }
        let cmdline = self.read(&folder.join("cmdline")?, MAX_CMDLINE_BYTES)?;
        let args: Vec<String> = cmdline
            .strip_suffix(b"\0")
            .unwrap_or(&cmdline)
            .split(|byte| *byte == 0)
            .map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect();
        // A longer name that is cut to the same 15 bytes is another program.
        if args.first().and_then(|first| first.rsplit('/').next()) != Some(program) {
            return Ok(None);
        }
        let cgroup = self.read_text(&folder.join("cgroup")?, MAX_PROC_BYTES)?;
        Ok(Some(HostProcess {
            pid,
            args,
            in_pod: cgroup.contains("kubepods"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::equals(&["kubelet", "--hostname-override=a"], Some("a"))]
    #[case::next(&["kubelet", "--hostname-override", "b", "--v=2"], Some("b"))]
    #[case::last_wins(&["kubelet", "--hostname-override=a", "--hostname-override=b"], Some("b"))]
    #[case::longer_name(&["kubelet", "--hostname-override-x=a"], None)]
    #[case::nothing_after(&["kubelet", "--hostname-override"], None)]
    #[case::absent(&["kubelet"], None)]
    fn flags(#[case] args: &[&str], #[case] expected: Option<&str>) {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        assert_eq!(
            HostProcess {
                pid: 1,
                args,
                in_pod: false
            }
            .flag("--hostname-override"),
            expected
        );
    }
}
