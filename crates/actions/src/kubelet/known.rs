//! What other actions need to know of the kubelet; keeps no artifact and reports no failure: what is not found is
//! absent.

use periscope_documents::KubeletSettings;
use periscope_host::{HostPath, HostRoot};

use super::configuration;
use super::process;
use super::settings::{self, Source};

/// Largest configuration file or kubeconfig that is read.
const MAX_BYTES: usize = 1024 * 1024;

/// The kubelet of a node, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct KnownKubelet {
    /// Its settings in force, without drop-ins.
    pub(crate) settings: KubeletSettings,
    /// Its kubeconfig: path and text, credentials included. Never to be kept.
    pub(crate) kubeconfig: Option<(HostPath, String)>,
}

impl KnownKubelet {
    /// Where it is looked for: its process, and its configuration where no process names another one.
    pub(crate) const PLACES: [&str; 3] = [
        "/proc",
        configuration::CONFIGURATIONS[0],
        configuration::CONFIGURATIONS[1],
    ];

    /// Looks at the node. Blocks.
    pub(crate) fn look(root: &HostRoot) -> Self {
        let process = process::find(root).ok().flatten();
        let first = |paths: Vec<String>| {
            paths.into_iter().find_map(|path| {
                let path = HostPath::new(&path).ok()?;
                let text = root.read_text(&path, MAX_BYTES).ok()?;
                Some((path, text))
            })
        };
        let configuration = first(configuration::configurations(process.as_ref())).map(|(path, text)| Source {
            path: path.to_string(),
            text,
        });
        let (settings, _) = settings::in_force(configuration.as_slice(), process.as_ref());
        let kubeconfig = first(configuration::kubeconfigs(process.as_ref()));
        Self { settings, kubeconfig }
    }
}
