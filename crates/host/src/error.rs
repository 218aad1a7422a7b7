//! What can go wrong with a file of the node, and the one table that says which kind of absence it is.
//!
//! It knows no manifest: an action maps [`Absence`] to the state of its item.

use std::io;

use rustix::io::Errno;
use thiserror::Error;

use crate::EntryKind;

/// A failed operation on a file of the node. `path` is the path on the node as it was asked for.
#[derive(Debug, Error)]
pub enum HostError {
    /// Nothing is there.
    #[error("{path} does not exist")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// Nothing can be said of it: this process runs in a pod, and what the pod has mounted of the node does not hold
    /// the path. The node may well have it.
    #[error("{path} of the node is not mounted into this pod; an installation that mounts the node's root sees it")]
    NotShown {
        /// The path asked for.
        path: String,
    },
    /// The kernel refused it to this process.
    #[error("{path} may not be read")]
    Denied {
        /// The path asked for.
        path: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// It is there, but is neither a regular file nor what the operation needs.
    #[error("{path} is {kind}, {expected} was expected")]
    WrongKind {
        /// The path asked for.
        path: String,
        /// What is there.
        kind: EntryKind,
        /// What the operation works on.
        expected: &'static str,
    },
    /// It lies on a file system whose server may not answer; nothing of it was touched.
    #[error("{path} is on a {fstype} mount")]
    RemoteFileSystem {
        /// The path asked for.
        path: String,
        /// The file system type as mountinfo names it, for example `nfs4` or `fuse.blobfuse2`.
        fstype: String,
    },
    /// A loop of links, more links than the kernel follows, or a link of `/proc` that leads into a process.
    #[error("{path} leads through too many links or through a link that leaves the node's root")]
    LinkRefused {
        /// The path asked for.
        path: String,
    },
    /// There is more than the caller allowed.
    #[error("{path} holds more than {limit} {unit}")]
    TooLarge {
        /// The path asked for.
        path: String,
        /// The most that was allowed.
        limit: usize,
        /// What `limit` counts: `bytes` or `entries`.
        unit: &'static str,
    },
    /// The path does not belong to the folders that configuration may name.
    #[error("{path} may not be collected")]
    Confined {
        /// The path asked for.
        path: String,
        /// Which rule says so.
        source: crate::ConfinementError,
    },
    /// A text that should name a path or a pattern does not.
    #[error("not a path on the node")]
    Path(#[from] crate::HostPathError),
    /// No folder could be taken for the root of the node.
    #[error("{path} cannot be the node's root folder")]
    Root {
        /// The folder of this process's own file system.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A socket is there, and its server takes no connection: it has ended, or its queue is full.
    #[error("{path} takes no connection")]
    Connect {
        /// The path asked for.
        path: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Any other answer of the kernel.
    #[error("{path} cannot be read")]
    Io {
        /// The path asked for.
        path: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Why something of the node was not had; the states of a collected item follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It does not exist on this node.
    NotPresent,
    /// This process may not have it, or is not shown whether it exists.
    Denied,
    /// It exists, but is nothing to collect: on a FUSE or network mount, or a FIFO where a log should be.
    NotApplicable,
    /// It should have been had, and something broke.
    Failed,
}

impl HostError {
    /// The kind of absence this error stands for.
    pub fn absence(&self) -> Absence {
        match self {
            Self::NotFound { .. } => Absence::NotPresent,
            Self::NotShown { .. } | Self::Denied { .. } | Self::Confined { .. } | Self::LinkRefused { .. } => {
                Absence::Denied
            }
            Self::RemoteFileSystem { .. } | Self::WrongKind { .. } => Absence::NotApplicable,
            Self::TooLarge { .. } | Self::Path(_) | Self::Root { .. } | Self::Connect { .. } | Self::Io { .. } => {
                Absence::Failed
            }
        }
    }

    pub(crate) fn from_io(path: &str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.raw_os_error().map(Errno::from_raw_os_error) {
            // ESRCH: a file of `/proc/<pid>` whose process has ended. ENOTDIR: a component is no folder.
            Some(Errno::NOENT | Errno::NOTDIR | Errno::SRCH) => Self::NotFound { path },
            Some(Errno::ACCESS | Errno::PERM) => Self::Denied { path, source },
            Some(Errno::LOOP) => Self::LinkRefused { path },
            _ => Self::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::missing(Errno::NOENT, Absence::NotPresent)]
    #[case::below_a_file(Errno::NOTDIR, Absence::NotPresent)]
    #[case::process_gone(Errno::SRCH, Absence::NotPresent)]
    #[case::no_access(Errno::ACCESS, Absence::Denied)]
    #[case::not_permitted(Errno::PERM, Absence::Denied)]
    #[case::loop_of_links(Errno::LOOP, Absence::Denied)]
    #[case::bad_disk(Errno::IO, Absence::Failed)]
    fn classes(#[case] errno: Errno, #[case] expected: Absence) {
        let error = HostError::from_io("/x", errno.into());
        assert_eq!(error.absence(), expected);
        assert!(
            error.to_string().starts_with("/x "),
            "the message names the path: {error}"
        );
    }
}
