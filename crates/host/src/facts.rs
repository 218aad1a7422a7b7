//! What the node says about itself: its name, distribution, kernel.
//!
//! Every fact is optional, because every file may be missing or unreadable. It asks no API server.

use crate::{HostPath, HostRoot};

/// These files are a few lines; the bound is for a file that is not what its name says.
const MAX_FACT_BYTES: usize = 64 * 1024;

/// Facts about the node, read once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// The name that Kubernetes knows the node by: kubelet's `--hostname-override`, else the host name, in lower case
    /// (kubelet's own rule, `GetHostname` in `k8s.io/kubernetes/pkg/util/node`).
    pub node_name: Option<String>,
    /// `/etc/hostname`, or the kernel's where this process is on the node itself.
    pub hostname: Option<String>,
    /// `PRETTY_NAME` of os-release(5).
    pub os: Option<String>,
    /// The kernel's release, for example `5.15.0-1073-azure`.
    pub kernel: Option<String>,
    /// Identifies one boot of the machine.
    pub boot_id: Option<String>,
    /// Processors that are online.
    pub cpus: Option<usize>,
}

impl NodeFacts {
    /// Reads the facts from the node's files.
    pub fn read(root: &HostRoot) -> Self {
        let line = |path| read_line(root, path);
        let mut hostname = line("/etc/hostname");
        if root.is_own_root() {
            // The kernel's is what kubelet sees, but it is that of the reader: of no use from within a pod.
            hostname = line("/proc/sys/kernel/hostname").or(hostname);
        }
        let kubelet = root.processes("kubelet").unwrap_or_default();
        let overridden = kubelet
            .iter()
            .filter(|process| !process.in_pod)
            .find_map(|k| k.flag("--hostname-override"));
        let name = overridden.or(hostname.as_deref());
        Self {
            node_name: name
                .map(|name| name.trim().to_lowercase())
                .filter(|name| !name.is_empty()),
            os: read(root, "/etc/os-release").as_deref().and_then(pretty_name),
            kernel: line("/proc/sys/kernel/osrelease"),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            cpus: line("/sys/devices/system/cpu/online").as_deref().and_then(count_cpus),
            hostname,
        }
    }
}

fn read(root: &HostRoot, path: &str) -> Option<String> {
    let path = HostPath::new(path).ok()?;
    match root.read_text(&path, MAX_FACT_BYTES) {
        Ok(text) => Some(text),
        Err(error) => {
            tracing::debug!(%path, error = &error as &dyn std::error::Error, "The node does not say.");
            None
        }
    }
}

/// The first line that is neither empty nor a comment, as hostname(5) has it.
fn read_line(root: &HostRoot, path: &str) -> Option<String> {
    let text = read(root, path)?;
    let mut lines = text.lines().map(str::trim);
    lines
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release
        .lines()
        .find_map(|line| line.trim().strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// Counts the list format of the kernel: `0-3,8`.
fn count_cpus(online: &str) -> Option<usize> {
    online.split(',').try_fold(0_usize, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one("0", Some(1))]
    #[case::range("0-63", Some(64))]
    #[case::list("0-3,8,10-11", Some(7))]
    #[case::backwards("3-0", None)]
    #[case::garbage("all", None)]
    #[case::huge("0-18446744073709551615", None)]
    fn cpus(#[case] online: &str, #[case] expected: Option<usize>) {
        assert_eq!(count_cpus(online), expected);
    }

    #[rstest]
    #[case::quoted("NAME=x\nPRETTY_NAME=\"Ubuntu 22.04.5 LTS\"\n", Some("Ubuntu 22.04.5 LTS"))]
    #[case::bare("PRETTY_NAME=Flatcar\n", Some("Flatcar"))]
    #[case::absent("NAME=x\n", None)]
    fn os_names(#[case] os_release: &str, #[case] expected: Option<&str>) {
        assert_eq!(pretty_name(os_release).as_deref(), expected);
    }
}
