//! The rows of the run's record: what became of each item and of each action.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ArtifactPath, State};

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemRecord {
    /// The action that was to gather it.
    pub action: String,
    /// Where it stands in the archive, below the top folder.
    pub path: ArtifactPath,
    /// How it ended.
    pub state: State,
    /// Why it is not simply `collected`, or what should be known about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it comes from: a path on the node, a command, an API path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When the source was last written, where the node says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Bytes before redaction.
    #[serde(default)]
    pub raw_bytes: u64,
    /// Bytes as a reader of the archive finds them.
    #[serde(default)]
    pub stored_bytes: u64,
    /// Bytes it takes in the archive.
    #[serde(default)]
    pub compressed_bytes: u64,
    /// SHA-256 of what a reader of the archive finds; absent when nothing was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Hits of each redaction rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redactions: BTreeMap<String, u64>,
    /// The limit that cut it was set by the user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limit_by_user: bool,
}

impl ItemRecord {
    /// Whether the archive holds an entry for it.
    pub fn is_in_archive(&self) -> bool {
        self.sha256.is_some()
    }
}

/// What became of one action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRecord {
    /// The action.
    pub id: String,
    /// `collected` when it ran to its end, whatever became of its items.
    pub state: State,
    /// Why it did not run to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it started.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: u64,
}
