//! Whether the logs that rules look at were gathered.

use periscope_core::{Inputs, Place, State};

/// How the node's system log `name`, such as `journal/kubelet.log`, ended.
pub(crate) fn state(inputs: &dyn Inputs, name: &str) -> Option<State> {
    inputs.state(&Place::Node.path(inputs.node(), "system-logs", name))
}
