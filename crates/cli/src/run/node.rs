//! Which node this is: its root folder, its name, what it says of itself, its way to the API server.

use std::path::Path;

use anyhow::{Context, Result};
use periscope_cluster::{ClusterAccess, ConnectOptions};
use periscope_core::{NodeInfo, NodeName};
use periscope_host::{HostPath, HostRoot, NodeFacts};

use crate::exit::Ended;

/// The name of a node that has none.
const NAMELESS: &str = "node";
/// Longest kubeconfig or certificate that is read from the node.
const MAX_CREDENTIAL_BYTES: usize = 1024 * 1024;

/// Finds the node's root folder.
pub(crate) fn root(explicit: Option<&Path>) -> Result<HostRoot> {
    match explicit {
        Some(path) => HostRoot::discover(Some(path)).map_err(|error| {
            let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
            Ended::usage(format!(
                "invalid host root {}{}: expected the root folder of a node",
                path.display(),
                why.unwrap_or_default()
            ))
        }),
        None => HostRoot::discover(None).context("could not find the node's root folder"),
    }
}

/// What is known of the node. `name` is what the user calls it.
pub(crate) fn info(root: &HostRoot, name: Option<NodeName>) -> NodeInfo {
    let facts = NodeFacts::read(root);
    let own = || {
        [facts.node_name.as_deref(), Some(NAMELESS)]
            .into_iter()
            .flatten()
            .find_map(|name| name.parse().ok())
    };
    // The last candidate is a name.
    let name = name
        .or_else(own)
        .unwrap_or_else(|| unreachable!("{NAMELESS} is a legal name"));
    NodeInfo {
        name,
        os: facts.os.unwrap_or_default(),
        kernel: facts.kernel.unwrap_or_default(),
    }
}

/// The way to the API server. Only a kubeconfig that the user named must be usable.
pub(crate) async fn find_cluster(options: &ConnectOptions, root: &HostRoot) -> Result<Result<ClusterAccess, String>> {
    let read = |path: &str| root.read(&HostPath::new(path).ok()?, MAX_CREDENTIAL_BYTES).ok();
    match ClusterAccess::discover(options, &read).await {
        Err(error) if options.kubeconfig.is_some() => Err(Ended::usage(format!("{:#}", anyhow::Error::from(error)))),
        found => Ok(found.map_err(|error| format!("{:#}", anyhow::Error::from(error)))),
    }
}
