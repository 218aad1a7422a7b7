//! Findings as a person reads them in a terminal: what is wrong first, with its effects below it, and no more than a
//! screen of it. Everything stands in `analysis.json` and `index.html`.

use std::collections::BTreeMap;

use periscope_core::{Finding, Verdict};

use super::{Ink, push, shortened};

/// Most troubles that are told with evidence and remedy: with three lines each they leave room for the rest of a
/// screen.
const MAX_TOLD: usize = 6;
/// Most further troubles that are told in their sentence alone.
const MAX_NAMED: usize = 6;
/// Most pieces of evidence that are shown with one finding.
const MAX_EVIDENCE: usize = 2;
/// Most things that could not be judged and are named.
const MAX_UNKNOWN: usize = 3;

/// Adds the findings, which come in the order of [`periscope_core::group`].
pub(crate) fn push_findings(text: &mut String, findings: &[Finding], ink: Ink) {
    push(text, format_args!("{}  {}", ink.bold("Findings"), counts(findings)));
    let troubles: Vec<_> = findings.iter().filter(|finding| finding.is_trouble()).collect();
    for (index, finding) in troubles.iter().take(MAX_TOLD + MAX_NAMED).enumerate() {
        push_trouble(text, finding, index < MAX_TOLD, ink);
    }
    if troubles.len() > MAX_TOLD + MAX_NAMED {
        let more = troubles.len() - MAX_TOLD - MAX_NAMED;
        push(text, format_args!("  and {more} more in analysis.json and index.html"));
    }
    let unknown: Vec<_> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Unknown)
        .collect();
    for finding in unknown.iter().take(MAX_UNKNOWN) {
        let verdict = ink.verdict(Verdict::Unknown);
        let why = ink.dim(&shortened(&finding.title));
        push(text, format_args!("  {verdict} {}: {why}", finding.analyzer));
    }
    if unknown.len() > MAX_UNKNOWN {
        let names: Vec<_> = unknown.iter().skip(MAX_UNKNOWN).map(|f| f.analyzer.as_str()).collect();
        let more = shortened(&names.join(", "));
        push(text, format_args!("  {:<7} {}", "", ink.dim(&format!("and {more}"))));
    }
}

fn push_trouble(text: &mut String, finding: &Finding, whole: bool, ink: Ink) {
    let verdict = ink.verdict(finding.verdict);
    // An effect stands below its cause, and is told more briefly: the cause is what there is something to do about.
    let (branch, indent) = if finding.cause.is_some() {
        ("└ ", "  ")
    } else {
        ("", "")
    };
    let fault = match finding.fault.as_str() {
        "" => String::new(),
        fault => ink.dim(&format!(" ({fault})")),
    };
    push(
        text,
        format_args!("  {verdict} {branch}{}{fault}", finding.title.trim_end()),
    );
    if !whole {
        return;
    }
    let evidence = if finding.cause.is_some() { 1 } else { MAX_EVIDENCE };
    for evidence in finding.evidence.iter().take(evidence) {
        let line = evidence.line.map(|line| format!(":{line}")).unwrap_or_default();
        let quote = ink.dim(&shortened(evidence.quote.trim()));
        push(text, format_args!("          {indent}{}{line}  {quote}", evidence.file));
    }
    if !finding.remedy.is_empty() && finding.cause.is_none() {
        push(text, format_args!("          {indent}→ {}", finding.remedy));
    }
}

/// How many findings there are of each verdict, the gravest first.
fn counts(findings: &[Finding]) -> String {
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.verdict).or_default() += 1;
    }
    if counts.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<_> = counts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use periscope_core::{AnalyzerDescriptor, Evidence, Fault, Finding, Severity, group};

    use super::push_findings;
    use crate::screen::Ink;

    static DISK: Fault = Fault {
        id: "disk-full",
        summary: "s",
        severity: Severity::High,
        caused_by: &[],
        remedy: "Make room.",
    };
    static EVICTION: Fault = Fault {
        id: "eviction",
        summary: "s",
        severity: Severity::High,
        caused_by: &["disk-full"],
        remedy: "Wait.",
    };
    static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
        id: "disks",
        summary: "s",
        faults: &[&DISK],
    };

    fn shown(findings: Vec<Finding>) -> String {
        let mut text = String::new();
        push_findings(&mut text, &group(findings), Ink::none());
        text
    }

    #[test]
    fn a_fault_comes_first_with_its_evidence_its_remedy_and_its_effects() {
        let evidence = |line| Evidence {
            file: "nodes/n/system/disks.txt".to_owned(),
            line: Some(line),
            quote: " /  99 % ".to_owned(),
        };
        let text = shown(vec![
            DESCRIPTOR.pass("Fine."),
            EVICTION
                .fail("pod a/b", "The kubelet evicted pod a/b.")
                .evidence(evidence(7)),
            DISK.warn("disk /", "The disk of / is nearly full.")
                .evidence(evidence(3)),
            DESCRIPTOR.unknown("It was denied."),
        ]);
        let expected = "\
Findings  1 fail, 1 warn, 1 unknown, 1 pass
  WARN    The disk of / is nearly full. (disk-full)
          nodes/n/system/disks.txt:3  /  99 %
          → Make room.
  FAIL    └ The kubelet evicted pod a/b. (eviction)
            nodes/n/system/disks.txt:7  /  99 %
  UNKNOWN : It was denied.
";
        assert_eq!(text, expected);
    }

    #[test]
    fn very_many_findings_are_still_one_screen() {
        let disk = |n: usize| DISK.fail(format!("disk {n}"), format!("The disk {n} is full."));
        let text = shown((0..500).map(disk).collect());
        assert!(text.lines().count() < 40, "{text}");
        assert!(text.contains("and 488 more"), "{text}");
    }
}
