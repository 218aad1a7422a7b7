//! The kinds of faults that analyzers can find, as constant data: how grave each is, what usually causes it, what to
//! do. Whether one is there is for an [`Analyzer`](crate::Analyzer) to say.

use serde::{Deserialize, Serialize};

use crate::{Finding, Verdict};

/// How much a fault hurts the node and what runs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The node or most of its pods do not work.
    Critical,
    /// Some pods do not work, or the node is about to stop working.
    High,
    /// Something works badly.
    Medium,
    /// Worth knowing.
    Low,
}

impl Severity {
    /// The word for it in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A kind of fault. Stands beside the analyzer that finds it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Kebab-case name, the same for ever: people search for it.
    pub id: &'static str,
    /// One line: what is wrong when it is found.
    pub summary: &'static str,
    /// How much it hurts.
    pub severity: Severity,
    /// Ids of the faults that usually cause it, the likeliest first. One that is found too has this one grouped under
    /// it.
    pub caused_by: &'static [&'static str],
    /// What to do about it, in one sentence.
    pub remedy: &'static str,
}

impl Fault {
    /// It is there, and something is broken by it. `object` names what has it, such as `pod kube-system/coredns-x`;
    /// `title` is one sentence that names both.
    pub fn fail(&self, object: impl Into<String>, title: impl Into<String>) -> Finding {
        self.found(Verdict::Fail, object.into(), title.into())
    }

    /// It is there or near, and may be the cause of trouble. See [`Fault::fail`].
    pub fn warn(&self, object: impl Into<String>, title: impl Into<String>) -> Finding {
        self.found(Verdict::Warn, object.into(), title.into())
    }

    fn found(&self, verdict: Verdict, object: String, title: String) -> Finding {
        Finding {
            fault: self.id.to_owned(),
            severity: self.severity,
            object,
            remedy: self.remedy.to_owned(),
            caused_by: self.caused_by.iter().map(|&id| id.to_owned()).collect(),
            ..Finding::new(verdict, title)
        }
    }
}
