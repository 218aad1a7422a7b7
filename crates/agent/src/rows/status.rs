//! What a row says of a run. It is data only; how it comes about is the diary's matter.
//!
//! Readers take rows of older and newer agents: what is missing is empty, what is unknown is passed over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use periscope_core::{Severity, Verdict};
use serde::{Deserialize, Serialize};

/// The `status` of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The node.
    pub node: String,
    /// The agent's version.
    pub version: String,
    /// The node's own part of the run.
    #[serde(flatten)]
    pub run: RunStatus,
    /// What `kubectl wait --for=condition=…` can wait for: `Diagnosed`, `Collected`, `Uploaded`, `Healthy`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The cluster's part of the run, on the one row whose node does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<RunStatus>,
}

/// How one part of a run goes, or went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunStatus {
    /// The run.
    pub run_id: String,
    /// Where it stands.
    pub phase: Phase,
    /// The same in one sentence, with the first thing that went wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<RowProgress>,
    /// How many items ended in each state, by the state's word in the manifest as a field's name: `timedOut`. States
    /// without items are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<String, u64>,
    /// Where the archives are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<Archive>,
    /// What was found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Findings>,
    /// What failed or is missing, one line each; the first few of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It is under way.
    Running,
    /// Everything is there, or is rightly absent.
    Complete,
    /// Some of it is missing or cut.
    Partial,
    /// Nothing could be collected.
    Failed,
    /// It was ended early; what there was is kept.
    Cancelled,
    /// A word of a newer agent, or none.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// The word in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Partial => "Partial",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Unknown => "Unknown",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RowProgress {
    /// Ended and planned actions for readers of tables: `7/14`.
    pub actions: String,
    /// Actions that have ended.
    pub ended: u64,
    /// Actions in all.
    pub planned: u64,
    /// Actions under way, the first few of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<String>,
    /// Bytes gathered.
    pub bytes: u64,
}

impl RowProgress {
    /// Every action has ended.
    pub(super) fn complete(&mut self) {
        self.ended = self.planned;
        self.actions = format!("{}/{}", self.ended, self.planned);
    }
}

/// Where an archive is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Archive {
    /// What kind of place that is.
    pub at: StoredAt,
    /// Path as the agent's pod sees it, or URL without its signature.
    pub location: String,
    /// Its format's word.
    #[serde(default)]
    pub format: String,
    /// Its size.
    #[serde(default)]
    pub bytes: u64,
}

/// The kinds of places where archives are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredAt {
    /// The node's disk.
    Node,
    /// The storage.
    Storage,
    /// A place that only a newer agent knows.
    #[serde(other)]
    Elsewhere,
}

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Findings {
    /// What is wrong, counted, for readers of tables: `2 fail, 1 warn` or `none`.
    pub summary: String,
    /// How many say that something is broken.
    pub fail: u64,
    /// How many say that something is unusual.
    pub warn: u64,
    /// How many things could not be judged.
    pub unknown: u64,
    /// How many things are in order.
    pub pass: u64,
    /// The first of what is wrong, the gravest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gravest: Vec<GraveFinding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GraveFinding {
    /// `fail` or `warn`.
    pub verdict: Verdict,
    /// How much it hurts.
    pub impact: Severity,
    /// One sentence that names the fault and what has it.
    pub title: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

/// One of a row's conditions, in the shape of Kubernetes' own (`metav1.Condition`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is said.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in one sentence.
    #[serde(default)]
    pub message: String,
    /// Since when the status is what it is.
    pub last_transition_time: Timestamp,
}
