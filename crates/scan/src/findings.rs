//! Says what the lines mean that rules found. Signals say nothing here: they are for other analyzers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use periscope_core::{
    AnalyzeError, Analyzer, AnalyzerDescriptor, ArtifactPath, Evidence, Finding, Inputs, Place, State, Verdict,
};

use crate::kept::{Ends, Kept, Line};
use crate::rule::{Form, Rule};
use crate::scanner::Outcome;
use crate::source::Source;
use crate::template::fill;

/// Most objects of one rule that have a finding of their own.
const MAX_OBJECTS: usize = 5;
/// Most lines that a finding shows: the first one, and the last ones.
const MAX_EVIDENCE: usize = 3;

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "log-rules",
    summary: "lines of logs that rules know to mean trouble",
    faults: &[],
};

/// The journals whose absence or damage leaves rules without an answer, each with its source.
const JOURNALS: [(Source, &str); 3] = [
    (Source::Kernel, "journal/kernel.log"),
    (Source::Kubelet, "journal/kubelet.log"),
    (Source::Containerd, "journal/containerd.log"),
];

/// The analyzer of what the scan of a run found.
#[derive(Debug)]
pub struct RuleFindings {
    outcome: Outcome,
}

impl RuleFindings {
    /// Judges what was found.
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome }
    }

    fn of_rules(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, kept) in &self.outcome.kept {
            let Some(rule) = self.outcome.rules.rules().get(*index) else {
                continue;
            };
            if let Some(form) = &rule.finding {
                of_rule(rule, form, kept, &mut findings);
            }
        }
        findings
    }

    /// Whether rules that speak look at this source.
    fn is_asked(&self, source: Source) -> bool {
        let mut rules = self.outcome.rules.rules().iter();
        rules.any(|rule| rule.finding.is_some() && rule.sources.contains(&source))
    }

    fn of_missing(&self, inputs: &dyn Inputs) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (source, name) in JOURNALS {
            let path = Place::Node.path(inputs.node(), "system-logs", name);
            let why = match inputs.state(&path) {
                None | Some(State::Collected | State::NotPresent | State::NotApplicable) => continue,
                Some(State::Truncated) => "is cut".to_owned(),
                Some(state) => format!("is not complete ({state})"),
            };
            // What the journal lacks may be in syslog, or in the kernel's own buffer.
            let is_elsewhere = self.outcome.sources.contains(&source) && !is_kept(inputs, &path);
            if self.is_asked(source) && !is_elsewhere {
                let why = format!("{} {why}: rules may have missed lines of it", source.in_words());
                findings.push(DESCRIPTOR.unknown(why).evidence(Evidence {
                    file: path.to_string(),
                    line: None,
                    quote: String::new(),
                }));
            }
        }
        findings.extend(self.of_cut_containers(inputs));
        findings
    }

    fn of_cut_containers(&self, inputs: &dyn Inputs) -> Option<Finding> {
        if !self.is_asked(Source::Containers) {
            return None;
        }
        let folder = Place::Node.path(inputs.node(), "container-logs", "pods");
        let logs = inputs.list(&format!("{folder}/"));
        let is_cut =
            |path: &&ArtifactPath| !matches!(inputs.state(path), Some(State::Collected | State::NotApplicable));
        let cut = logs.iter().filter(is_cut).count();
        (cut > 0).then(|| {
            let logs = logs.len();
            DESCRIPTOR.unknown(format!(
                "{cut} of {logs} logs of containers are not complete: rules may have missed lines of them"
            ))
        })
    }
}

fn is_kept(inputs: &dyn Inputs, path: &ArtifactPath) -> bool {
    inputs.list(path.as_str()).iter().any(|kept| kept == path)
}

fn of_rule(rule: &Rule, form: &Form, kept: &Kept, findings: &mut Vec<Finding>) {
    if rule.group_by.is_none() {
        if kept.count >= form.min {
            findings.push(of_lines(rule, form, kept.count, &kept.ends, ""));
        }
        return;
    }
    let mut objects: Vec<_> = kept
        .objects
        .values()
        .filter(|object| object.count >= form.min)
        .collect();
    objects.sort_by_key(|object| Reverse(object.count));
    let others = objects.len().saturating_sub(MAX_OBJECTS);
    let shown = objects.len().min(MAX_OBJECTS);
    for (which, object) in objects.into_iter().take(MAX_OBJECTS).enumerate() {
        let more = if others > 0 && which + 1 == shown {
            let more = if kept.of_others > 0 { "more than " } else { "" };
            format!(", and so did {more}{others} others")
        } else {
            String::new()
        };
        findings.push(of_lines(rule, form, object.count, &object.ends, &more));
    }
}

fn of_lines(rule: &Rule, form: &Form, count: u64, ends: &Ends, more: &str) -> Finding {
    let lines = ends.lines();
    let nothing = BTreeMap::new();
    let captures = lines.last().map_or(&nothing, |line| &line.captures);
    let fill = |template: &str| fill(template, captures, count, rule.window);
    Finding {
        analyzer: DESCRIPTOR.id.to_owned(),
        fault: form.fault.clone(),
        verdict: form.verdict,
        severity: form.severity,
        object: fill(&form.object),
        title: fill(&form.title) + more,
        evidence: shown(&lines).map(evidence).collect(),
        remedy: fill(&form.remedy),
        cause: None,
        caused_by: form.caused_by.clone(),
    }
}

/// The first line and the last ones.
fn shown<'a>(lines: &'a BTreeSet<&'a Line>) -> impl Iterator<Item = &'a Line> {
    let skipped = lines.len().saturating_sub(MAX_EVIDENCE);
    let is_shown = move |(at, _): &(usize, &&Line)| *at == 0 || *at > skipped;
    lines.iter().enumerate().filter(is_shown).map(|(_, line)| *line)
}

fn evidence(line: &Line) -> Evidence {
    Evidence {
        file: line.file.to_string(),
        line: Some(line.number),
        quote: line.quote.clone(),
    }
}

impl Analyzer for RuleFindings {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let mut findings = self.of_rules();
        let is_quiet = !findings
            .iter()
            .any(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Warn));
        findings.extend(self.of_missing(inputs));
        if self.outcome.lines == 0 {
            findings.push(DESCRIPTOR.unknown("there are no logs that rules could look at"));
        } else if is_quiet {
            let rules = self
                .outcome
                .rules
                .rules()
                .iter()
                .filter(|rule| rule.finding.is_some())
                .count();
            let (lines, logs) = (self.outcome.lines, self.outcome.artifacts);
            findings.push(DESCRIPTOR.pass(format!(
                "none of {rules} rules found trouble in {lines} lines of {logs} logs"
            )));
        }
        Ok(findings)
    }
}
