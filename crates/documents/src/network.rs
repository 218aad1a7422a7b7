//! From whose network something was tried.

use serde::{Deserialize, Serialize};

/// The network that a try went out from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// The node's, shown to be so.
    Node,
    /// That of the pod in which the program runs.
    Pod,
    /// It could not be found out.
    Unknown,
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Unknown => "unknown",
        })
    }
}
