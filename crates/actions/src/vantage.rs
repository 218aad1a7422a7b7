//! Where this program stands beside the node: whether it has a file system or a network of its own, as in a pod, and
//! what actions have to go by that look at the network from there. What they look for is theirs to say.

use std::path::Path;

use periscope_cluster::ClusterAccess;
use periscope_core::{ActionError, State};
use periscope_documents::Network;
use periscope_host::{HostPath, HostRoot, NetworkNamespace};

use crate::Settings;
use crate::api_server::ApiServer;
use crate::catalog::Deps;
use crate::host_files::off_thread;
use crate::kubelet::KnownKubelet;

/// What an action has to go by that looks at the network from here.
#[derive(Clone)]
pub(crate) struct Vantage {
    /// The node's files.
    pub(crate) root: HostRoot,
    /// Our pod's root folder, when we run in one.
    pub(crate) own: Option<HostRoot>,
    /// The way to the API server, where there is one.
    pub(crate) access: Option<ClusterAccess>,
    /// What the user asked for.
    pub(crate) settings: Settings,
}

impl Vantage {
    /// The place of this program. Blocks for a moment.
    pub(crate) fn of(deps: &Deps) -> Self {
        Self {
            root: deps.root.clone(),
            own: own_root(&deps.root),
            access: deps.cluster.as_ref().ok().cloned(),
            settings: deps.settings.clone(),
        }
    }

    /// The files that this program itself goes by: our pod's, or the node's.
    pub(crate) fn own_files(&self) -> &HostRoot {
        self.own.as_ref().unwrap_or(&self.root)
    }

    /// The API server as the node's files, our own and our access to it name it. Blocks.
    pub(crate) fn api_server(&self, kubelet: &KnownKubelet) -> Option<ApiServer> {
        ApiServer::find(&self.root, self.own_files(), kubelet, self.access.as_ref())
    }

    /// Looks around where it may block.
    pub(crate) async fn look<T: Send + 'static>(&self, look: fn(&Self) -> T) -> Result<T, ActionError> {
        let here = self.clone();
        off_thread(move || look(&here))
            .await
            .map_err(|error| ActionError::new(State::Failed, "the node's files cannot be looked at").because(error))
    }
}

/// Our own root folder, where it is another one than the node's. Blocks.
fn own_root(node: &HostRoot) -> Option<HostRoot> {
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
