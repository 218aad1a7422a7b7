//! What is known of the network plugins of a node: their configuration, their programs, the addresses they gave away.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One configuration of the container network, as a line of `configurations.json`, in the order in which the runtime
/// looks at them: the first usable one is the node's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CniConfiguration {
    /// The file on the node.
    pub path: String,
    /// The file in the archive, below the action's folder.
    pub file: String,
    /// The network's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of the specification that it is written for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cni_version: Option<String>,
    /// The plugins that are called, in order, those for addresses included.
    pub plugins: Vec<String>,
    /// Why the runtime cannot use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One program of the plugins' folder, as a line of `plugins.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniPlugin {
    /// The file's name, by which a configuration names it.
    pub name: String,
    /// The folder.
    pub folder: String,
    /// Bytes.
    pub size: u64,
    /// Whether anybody may run it.
    pub executable: bool,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// The release of Go that built it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<String>,
    /// The module that it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The version that is written into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// One set of addresses of the plugin `host-local`, as a line of `addresses.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressRange {
    /// The network's name.
    pub network: String,
    /// The configuration that names the range.
    pub path: String,
    /// The subnets, or first and last address where they are given.
    pub ranges: Vec<String>,
    /// How many addresses it can give away; the highest number there is stands for more.
    pub usable: u64,
    /// How many of them are given away.
    pub in_use: u64,
    /// The folder with a file for each address that is given away.
    pub folder: String,
}
