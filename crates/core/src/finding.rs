//! What an analyzer says: a verdict in one sentence, the evidence for it, and what to do about it.

use serde::{Deserialize, Serialize};

/// The judgement of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Something is broken.
    Fail,
    /// Something is unusual, and may be the cause of trouble.
    Warn,
    /// It could not be judged: the input is missing or incomplete.
    Unknown,
    /// It was looked at and is in order.
    Pass,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Pass => "pass",
        })
    }
}

/// A place in the archive that shows what a finding says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Path in the archive, below the top folder.
    pub file: String,
    /// Line, counted from 1; absent when the whole file is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The words themselves.
    pub quote: String,
}

/// One statement about the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The analyzer that says it.
    pub analyzer: String,
    /// The judgement.
    pub verdict: Verdict,
    /// One sentence that names the fault and the object.
    pub title: String,
    /// Where that can be seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What to do about it; empty for a pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}
