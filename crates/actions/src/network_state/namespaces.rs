//! The network namespaces that have a process: found by what is below `/proc/<pid>/net`, named by the pod they belong
//! to. Namespaces that no process is in are not seen from there.

use std::collections::{BTreeMap, HashMap};

use periscope_documents::PodCgroup;
use periscope_host::{EntryKind, HostError, HostPath, HostRoot};

/// Most network namespaces that are looked at: above the pods that a node may have by default (110), below what hurts.
pub(super) const MAX_NAMESPACES: usize = 256;

/// Most processes that are looked at.
const MAX_PROCESSES: usize = 65_536;

/// Where the kubelet keeps the logs of pods, in folders `<namespace>_<name>_<uid>`.
const POD_LOGS: &str = "/var/log/pods";

/// A control group's path, or the name of a process.
const MAX_PROC_BYTES: usize = 16 * 1024;

/// What the node's own network is called.
pub(super) const NODE: &str = "node";

/// One network namespace.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    /// What it is called: `node`, a pod's `namespace/name`, or a process.
    pub(super) name: String,
    /// A process in it, the one with the least number.
    pub(super) pid: u32,
    /// All processes in it.
    pub(super) pids: Vec<u32>,
}

impl Namespace {
    /// A file below `/proc/<pid>/net`, which shows this namespace whoever reads it.
    pub(super) fn file(&self, name: &str) -> Result<HostPath, HostError> {
        Ok(HostPath::new(&format!("/proc/{}/net/{name}", self.pid))?)
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Namespaces {
    /// The node's first, then by their processes.
    pub(super) found: Vec<Namespace>,
    /// How many more there are than are looked at.
    pub(super) left_out: usize,
}

/// Finds the namespaces. Blocks.
///
/// # Errors
/// When `/proc` cannot be listed.
pub(super) fn find(root: &HostRoot) -> Result<Namespaces, HostError> {
    let mut pids: Vec<u32> = root
        .read_dir(&HostPath::new("/proc")?)?
        .iter()
        .filter_map(|entry| entry.name.parse().ok())
        .collect();
    pids.sort_unstable();
    // The number of a file below `net` belongs to one namespace (`proc_alloc_inum`), and needs no right to trace.
    let mut by_mark: BTreeMap<(u64, u64), Vec<u32>> = BTreeMap::new();
    for pid in pids.into_iter().take(MAX_PROCESSES) {
        let Ok(path) = HostPath::new(&format!("/proc/{pid}/net/dev")) else {
            continue;
        };
        // A process may have ended meanwhile; a kernel thread is in the node's.
        if let Ok(metadata) = root.metadata(&path) {
            by_mark.entry((metadata.dev, metadata.ino)).or_default().push(pid);
        }
    }
    let mut groups: Vec<Vec<u32>> = by_mark.into_values().collect();
    groups.sort_by_key(|pids| pids.first().copied());
    let left_out = groups.len().saturating_sub(MAX_NAMESPACES);
    groups.truncate(MAX_NAMESPACES);
    let named = pods(root);
    let found = groups
        .into_iter()
        .filter_map(|pids| {
            let pid = *pids.first()?;
            let name = if pid == 1 {
                NODE.to_owned()
            } else {
                name(root, pid, &named)
            };
            Some(Namespace { name, pid, pids })
        })
        .collect();
    Ok(Namespaces { found, left_out })
}

/// The pods of the node by uid, as `namespace/name`.
fn pods(root: &HostRoot) -> HashMap<String, String> {
    let folders = HostPath::new(POD_LOGS)
        .ok()
        .and_then(|path| root.read_dir(&path).ok())
        .unwrap_or_default();
    folders
        .iter()
        .filter(|entry| entry.kind == EntryKind::Dir)
        .filter_map(|entry| {
            let mut parts = entry.name.splitn(3, '_');
            let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
            Some((uid.to_owned(), format!("{namespace}/{name}")))
        })
        .collect()
}

fn name(root: &HostRoot, pid: u32, pods: &HashMap<String, String>) -> String {
    let uid = read(root, pid, "cgroup")
        .lines()
        .find_map(|line| PodCgroup::parse(line.rsplit(':').next()?))
        .map(|pod| pod.uid);
    match uid {
        Some(uid) => pods.get(&uid).cloned().unwrap_or_else(|| format!("pod {uid}")),
        None => format!("process {pid} ({})", comm(root, pid)),
    }
}

/// The name of a process; empty when it has ended.
pub(super) fn comm(root: &HostRoot, pid: u32) -> String {
    read(root, pid, "comm").trim_end().to_owned()
}

fn read(root: &HostRoot, pid: u32, name: &str) -> String {
    HostPath::new(&format!("/proc/{pid}/{name}"))
        .ok()
        .and_then(|path| root.read_text(&path, MAX_PROC_BYTES).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs::hard_link;

    use periscope_testkit::HostFixture;

    use super::find;

    #[test]
    fn processes_of_one_namespace_are_one_row_and_pods_have_their_names() {
        let node = HostFixture::new()
            .file("/proc/1/net/dev", "")
            .file("/proc/30/net/dev", "")
            .file(
                "/proc/30/cgroup",
                "0::/kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice/cri-containerd-x.scope\n",
            )
            .file("/proc/40/net/dev", "")
            .file("/proc/40/comm", "unshare\n")
            .dir("/proc/20/net")
            .dir("/var/log/pods/default_app-0_11111111-2222-3333-4444-555555555555");
        hard_link(node.real_path("/proc/1/net/dev"), node.real_path("/proc/20/net/dev")).unwrap();
        let found = find(&node.root()).unwrap().found;
        let seen: Vec<_> = found.iter().map(|n| (n.name.as_str(), n.pids.as_slice())).collect();
        assert_eq!(
            seen,
            [
                ("node", &[1, 20][..]),
                ("default/app-0", &[30]),
                ("process 40 (unshare)", &[40])
            ]
        );
    }
}
