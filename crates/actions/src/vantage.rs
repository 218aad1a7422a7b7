//! Where this program stands beside the node: whether it has a file system or a network of its own, as in a pod.

use std::path::Path;

use periscope_documents::Network;
use periscope_host::{HostPath, HostRoot, NetworkNamespace};

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

/// Whose network this program is in. Blocks.
pub(crate) fn own_network(node: &HostRoot) -> Network {
    match node.network_namespace() {
        NetworkNamespace::Host => Network::Node,
        NetworkNamespace::Other => Network::Pod,
        NetworkNamespace::Unknown => Network::Unknown,
    }
}
