//! What an analyzer says: a verdict in one sentence, the evidence for it, and what to do about it.

use serde::{Deserialize, Serialize};

use crate::Severity;

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
    /// The analyzer that says it; set by [`analyze_all`](crate::analyze_all).
    pub analyzer: String,
    /// The kind of fault that was found ([`Fault::id`](crate::Fault)); empty for a pass and an unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fault: String,
    /// The judgement.
    pub verdict: Verdict,
    /// How much it hurts. Called `impact` in documents, where viewers of support bundles have another `severity`.
    #[serde(rename = "impact")]
    pub severity: Severity,
    /// What has the fault, such as `disk /var` or `pod kube-system/coredns-x`; empty where nothing is singled out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// One sentence that names the fault and the object.
    pub title: String,
    /// Where that can be seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What to do about it; empty for a pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The fault that was found too and is the likeliest cause of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The faults that usually cause this one, the likeliest first; what [`group`](crate::group()) chooses from.
    #[serde(skip)]
    pub caused_by: Vec<String>,
}

impl Finding {
    /// A finding with nothing but its sentence.
    pub(crate) fn new(verdict: Verdict, title: String) -> Self {
        Self {
            analyzer: String::new(),
            fault: String::new(),
            verdict,
            severity: Severity::Low,
            object: String::new(),
            title,
            evidence: Vec::new(),
            remedy: String::new(),
            cause: None,
            caused_by: Vec::new(),
        }
    }

    /// Whether it says that something is wrong.
    pub fn is_trouble(&self) -> bool {
        matches!(self.verdict, Verdict::Fail | Verdict::Warn)
    }

    /// Adds a place that shows it.
    #[must_use]
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Adds places that show it.
    #[must_use]
    pub fn evidences(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Says what to do about it in this case.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}
