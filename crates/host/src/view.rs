//! Which folders of this process's file system make up the node's.
//!
//! Usually one folder is the whole node. In a pod that has only some folders of the node mounted, each of them is
//! shown at its place on the node, and the container's own files are hidden: they are not the node's.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::mounts::RemoteMounts;

/// The folders that path resolution starts from.
pub(crate) struct View {
    /// The folder that stands for `/`.
    pub(crate) base: OwnedFd,
    /// Folders mounted elsewhere: their path on the node, and a handle.
    pub(crate) overlays: Vec<(String, OwnedFd)>,
    /// The only folders of the node that are visible; `None` when everything below `base` is the node's.
    pub(crate) visible: Option<Vec<String>>,
    /// Mounts that are not entered.
    pub(crate) mounts: RemoteMounts,
}

impl View {
    /// The handle of the folder mounted elsewhere that belongs at `real`.
    pub(crate) fn overlay(&self, real: &[u8]) -> Option<BorrowedFd<'_>> {
        let found = self.overlays.iter().find(|(point, _)| point.as_bytes() == real);
        found.map(|(_, folder)| folder.as_fd())
    }

    /// Whether the file at `real`, a path without links, is the node's.
    pub(crate) fn shows(&self, real: &[u8]) -> bool {
        self.visible
            .as_ref()
            .is_none_or(|folders| folders.iter().any(|folder| is_within(real, folder)))
    }

    /// Whether the way to `real`, a path without links, is known: it is the node's, or above what is.
    pub(crate) fn leads_to(&self, real: &[u8]) -> bool {
        self.shows(real) || self.visible.iter().flatten().any(|folder| is_within(folder, real))
    }

    /// Whether the kernel alone can resolve a path: there is one folder, and no mount to keep out of.
    pub(crate) fn is_plain(&self) -> bool {
        self.overlays.is_empty() && self.visible.is_none() && self.mounts.is_empty()
    }
}

/// Whether a path is a folder's or of what lies in it.
pub(crate) fn is_within(path: impl AsRef<[u8]>, folder: impl AsRef<[u8]>) -> bool {
    let rest = path.as_ref().strip_prefix(folder.as_ref());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
