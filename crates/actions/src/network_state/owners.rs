//! Which process has a socket open, by the links in `/proc/<pid>/fd`. Needs the right to trace other processes.

use std::collections::HashMap;

use periscope_host::{HostError, HostPath, HostRoot};

use super::namespaces::{Namespace, comm};

/// Most open files that are looked at: a minute's work would be more than it is worth.
const MAX_DESCRIPTORS: usize = 200_000;

/// The processes of sockets.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_inode: HashMap<u64, u32>,
    names: HashMap<u32, String>,
    /// Why some are not known.
    pub(super) problem: Option<String>,
}

impl Owners {
    /// Looks at the open files of the processes of all these namespaces. Blocks.
    pub(super) fn find(root: &HostRoot, namespaces: &[Namespace]) -> Self {
        let mut owners = Self::default();
        let mut seen = 0;
        let mut denied = 0_usize;
        for pid in namespaces.iter().flat_map(|namespace| &namespace.pids) {
            // A process that cannot be found has ended.
            if let Err(HostError::Denied { .. }) = owners.add(root, *pid, &mut seen) {
                denied += 1;
            }
            if seen >= MAX_DESCRIPTORS {
                owners.problem = Some(format!(
                    "owners of some sockets are missing: there are more than {MAX_DESCRIPTORS} open files"
                ));
                return owners;
            }
        }
        if denied > 0 {
            owners.problem = Some(format!(
                "owners of some sockets are missing: the open files of {denied} processes may not be looked at"
            ));
        }
        owners
    }

    fn add(&mut self, root: &HostRoot, pid: u32, seen: &mut usize) -> Result<(), HostError> {
        let folder = HostPath::new(&format!("/proc/{pid}/fd"))?;
        for entry in root.read_dir(&folder)? {
            *seen += 1;
            let Ok(target) = root.read_link(&folder.join(&entry.name)?) else {
                continue;
            };
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            if let Some(inode) = inode.and_then(|inode| inode.parse().ok()) {
                self.by_inode.entry(inode).or_insert(pid);
            }
        }
        Ok(())
    }

    /// The process that has the socket open, and its name. Blocks.
    pub(super) fn of(&mut self, root: &HostRoot, inode: u64) -> Option<(u32, String)> {
        let pid = *self.by_inode.get(&inode)?;
        let name = self.names.entry(pid).or_insert_with(|| comm(root, pid));
        Some((pid, name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;

    use super::super::namespaces::find;
    use super::Owners;

    #[test]
    fn the_process_that_has_a_socket_open_is_its_owner() {
        let node = HostFixture::new()
            .file("/proc/1/net/dev", "")
            .link("/proc/1/fd/0", "/dev/null")
            .link("/proc/1/fd/3", "socket:[17251]");
        let root = node.root();
        let mut owners = Owners::find(&root, &find(&root).unwrap().found);
        assert_eq!(owners.of(&root, 17251), Some((1, "init".to_owned())));
        assert_eq!(owners.of(&root, 1), None);
        assert_eq!(owners.problem, None);
    }
}
