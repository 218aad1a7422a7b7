//! Whether this program has a file system of its own, as in a pod, and how to read it.

use std::path::Path;

use periscope_host::{HostPath, HostRoot};

/// Our own root folder, where it is another one than the node's. Blocks.
pub(crate) fn own_root(node: &HostRoot) -> Option<HostRoot> {
    let own = HostRoot::at(Path::new("/")).ok()?;
    let identity = |root: &HostRoot| {
        root.metadata(&HostPath::root())
            .map(|metadata| (metadata.dev, metadata.ino))
            .ok()
    };
    (identity(node) != identity(&own)).then_some(own)
}
