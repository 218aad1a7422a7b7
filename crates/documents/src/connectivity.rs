//! The shapes of what the agent's samples say of connections between runs: stretches of one status, as lines of
//! `samples.json`, and the times without a connection, as lines of `down-periods.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Connection;

/// A stretch of time in which every sample of a connection had one status. Samples try DNS and TCP only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStretch {
    /// What the target is to the node, such as `AKS API Server`: as in `connections.json`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Host name or address.
    pub host: String,
    /// TCP port; of a target that is only resolved, the port of name servers.
    pub port: u16,
    /// Whether a node can do its work without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// First sample.
    pub start: Timestamp,
    /// Last sample.
    pub end: Timestamp,
    /// How many samples.
    pub samples: u32,
    /// `Connected`, or `Error: ` and the phase that failed and why.
    pub status: String,
    /// How long a sample took on average, in milliseconds.
    pub mean_millis: u64,
    /// The longest that a sample took, in milliseconds.
    pub worst_millis: u32,
    /// The connection was sampled without a break since the stretch before this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
}

impl ConnectionStretch {
    /// Whether the target was reached.
    pub fn is_connected(&self) -> bool {
        self.status == Connection::CONNECTED
    }
}

/// A time in which no sample of a connection succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DownPeriod {
    /// What the target is to the node, such as `AKS API Server`: as in `connections.json`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Host name or address.
    pub host: String,
    /// TCP port; of a target that is only resolved, the port of name servers.
    pub port: u16,
    /// Whether a node can do its work without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// First sample that failed.
    pub start: Timestamp,
    /// First sample that succeeded again; absent while it is down, and where that was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// Last sample that failed.
    pub last_failure: Timestamp,
    /// Nobody sampled after the last failure, so that nobody knows how long it went on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_after: bool,
    /// The first error: the phase and why.
    pub error: String,
    /// Other errors that came after it; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_errors: Vec<String>,
    /// How many samples failed.
    pub samples: u64,
}

impl DownPeriod {
    /// Whether the connection is down still, as far as the samples go.
    pub fn is_down_still(&self) -> bool {
        self.end.is_none() && !self.unknown_after
    }
}
