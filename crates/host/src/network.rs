//! Whether a network namespace is shown to be the node's.
//!
//! It compares; entering a namespace is [`HostCommands`](crate::HostCommands)' work.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use crate::{HostRoot, RootOrigin};

/// Whose network namespace this process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkNamespace {
    /// The node's, that of its process 1.
    Host,
    /// Another one, such as a pod's.
    Other,
    /// It could not be found out.
    Unknown,
}

/// Files whose inode number tells network namespaces apart, with the folder of a process before them.
///
/// The second is there because the first needs the right to trace process 1. A file below `net` belongs to one
/// namespace, and its number is unique in the kernel (`proc_alloc_inum`).
const MARKS: [&str; 2] = ["ns/net", "net/dev"];

impl HostRoot {
    /// Whose network namespace this process is in, by comparing it with that of the node's process 1.
    pub fn network_namespace(&self) -> NetworkNamespace {
        // Where `/proc` is a container's, its process 1 says nothing about the node.
        if self.origin() == RootOrigin::PodMounts && !self.shows("/proc") {
            return NetworkNamespace::Unknown;
        }
        for mark in MARKS {
            let theirs = inode(self.handle(), &format!("proc/1/{mark}"));
            let ours = inode(CWD, &format!("/proc/self/{mark}"));
            if let (Ok(theirs), Ok(ours)) = (theirs, ours) {
                return if theirs == ours {
                    NetworkNamespace::Host
                } else {
                    NetworkNamespace::Other
                };
            }
        }
        NetworkNamespace::Unknown
    }
}

fn inode(folder: BorrowedFd<'_>, path: &str) -> Result<u64, Errno> {
    Ok(rustix::fs::statat(folder, path, AtFlags::empty())?.st_ino)
}
