//! The lines of logs that declarative rules found; how lines are found is not said here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ArtifactPath, Evidence};

/// One line of an artifact that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineHit {
    /// The rule.
    pub rule: String,
    /// The artifact.
    pub file: ArtifactPath,
    /// The line in it, counted from 1.
    pub line: u64,
    /// When it was written, where the line says so.
    pub time: Option<Timestamp>,
    /// The line, cut where it is very long.
    pub quote: String,
    /// What the named groups of the rule's expression matched.
    pub captures: BTreeMap<String, String>,
}

impl LineHit {
    /// The line as evidence.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            file: self.file.to_string(),
            line: Some(self.line),
            quote: self.quote.clone(),
        }
    }
}

/// What the rules found in the artifacts of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits(BTreeMap<String, RuleHits>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RuleHits {
    count: u64,
    kept: Vec<LineHit>,
}

impl Hits {
    /// Adds lines that a rule found: `count` in all, of which these are kept.
    pub fn add(&mut self, rule: &str, count: u64, kept: impl IntoIterator<Item = LineHit>) {
        let hits = self.0.entry(rule.to_owned()).or_default();
        hits.count += count;
        hits.kept.extend(kept);
        hits.kept
            .sort_by(|a, b| (a.time, &a.file, a.line).cmp(&(b.time, &b.file, b.line)));
    }

    /// The lines that were kept of those that the rule found, by time and then by file.
    pub fn of(&self, rule: &str) -> &[LineHit] {
        self.0.get(rule).map_or(&[], |hits| &hits.kept)
    }

    /// How many lines the rule found, kept or not.
    pub fn count(&self, rule: &str) -> u64 {
        self.0.get(rule).map_or(0, |hits| hits.count)
    }
}
