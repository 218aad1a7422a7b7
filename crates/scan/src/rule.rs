//! A rule: which lines it finds, and what is said when it found some.

use std::collections::BTreeMap;
use std::time::Duration;

use memchr::memmem;
use periscope_core::{Severity, Verdict};
use regex::bytes::Regex;

use crate::source::Source;

/// Bytes of a line that rules look at; the rest of a longer line is not seen.
pub(crate) const MAX_LINE: usize = 8 * 1024;
/// Most bytes of a group that are kept.
const MAX_CAPTURE: usize = 200;

/// A rule, checked and compiled.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case name.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// One line: what it finds.
    pub summary: String,
    /// Whose lines it looks at.
    pub sources: Vec<Source>,
    /// A line is looked at when it has one of these.
    pub literals: Vec<String>,
    /// Lines older than this before the start of the run do not count.
    pub window: Duration,
    /// The group of the expression that names the object; lines are counted for each object.
    pub group_by: Option<String>,
    /// What is said of the lines; `None` for a signal, whose lines an analyzer judges.
    pub finding: Option<Form>,
    pub(crate) regex: Option<Regex>,
    pub(crate) not: Vec<String>,
}

/// What is said when a rule found lines.
#[derive(Debug)]
pub struct Form {
    /// The kind of fault.
    pub fault: String,
    /// The judgement.
    pub verdict: Verdict,
    /// How much it hurts.
    pub severity: Severity,
    /// The sentence, with places to fill.
    pub title: String,
    /// What has the fault, with places to fill.
    pub object: String,
    /// What to do about it.
    pub remedy: String,
    /// The faults that usually cause it.
    pub caused_by: Vec<String>,
    /// Fewer lines are no finding.
    pub min: u64,
}

/// What a rule makes of a line.
pub(crate) struct Match {
    /// Where the interesting part begins.
    pub(crate) start: usize,
    pub(crate) captures: BTreeMap<String, String>,
}

impl Rule {
    /// Looks at a line with one of its literals at `literal`; `None` when it is not what the rule means.
    pub(crate) fn verify(&self, line: &[u8], literal: usize) -> Option<Match> {
        if self.is_excluded(line) {
            return None;
        }
        let Some(regex) = &self.regex else {
            return Some(Match {
                start: literal,
                captures: BTreeMap::new(),
            });
        };
        let captures = regex.captures(line)?;
        let start = captures.get(0).map_or(literal, |whole| whole.start());
        let named = regex.capture_names().enumerate().filter_map(|(group, name)| {
            let value = captures.get(group)?.as_bytes();
            let value = String::from_utf8_lossy(value.get(..MAX_CAPTURE).unwrap_or(value));
            Some((name?.to_owned(), value.into_owned()))
        });
        Some(Match {
            start,
            captures: named.collect(),
        })
    }

    /// Whether a line with one of its literals is what it means: [`Rule::verify`] without saying what is in it.
    pub(crate) fn means(&self, line: &[u8]) -> bool {
        !self.is_excluded(line) && self.regex.as_ref().is_none_or(|regex| regex.is_match(line))
    }

    fn is_excluded(&self, line: &[u8]) -> bool {
        self.not.iter().any(|not| memmem::find(line, not.as_bytes()).is_some())
    }

    /// Whether it finds a line, wherever that stands.
    pub fn finds(&self, line: &str) -> bool {
        let line = line.as_bytes();
        let line = line.get(..MAX_LINE).unwrap_or(line);
        let literal = self
            .literals
            .iter()
            .find_map(|literal| memmem::find(line, literal.as_bytes()));
        literal.is_some() && self.means(line)
    }

    /// The names of the groups of its expression.
    pub(crate) fn groups(&self) -> Vec<&str> {
        let names = self.regex.iter().flat_map(|regex| regex.capture_names().flatten());
        names.collect()
    }
}
