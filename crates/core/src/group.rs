//! Puts findings into the order in which a person should read them: the gravest first, and what it explains below it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::{Finding, Verdict};

/// Most pieces of evidence of a finding that several analyzers came to.
const MAX_EVIDENCE: usize = 8;

/// Orders findings. One that two analyzers came to is told once; one whose usual cause was found too stands below that
/// cause, and names it in [`Finding::cause`].
pub fn group(findings: Vec<Finding>) -> Vec<Finding> {
    let mut findings = merge(findings);
    findings.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| by_name(a).cmp(&by_name(b))));
    find_causes(&mut findings);
    in_reading_order(findings)
}

/// What makes one finding graver than another.
fn rank(finding: &Finding) -> (Verdict, crate::Severity) {
    (finding.verdict, finding.severity)
}

fn by_name(finding: &Finding) -> (&str, &str, &str) {
    (&finding.analyzer, &finding.fault, &finding.object)
}

/// Makes one finding of those about the same fault of the same object.
fn merge(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut places = BTreeMap::new();
    for finding in findings {
        if !finding.is_trouble() || finding.fault.is_empty() || finding.object.is_empty() {
            merged.push(finding);
            continue;
        }
        let key = (finding.fault.clone(), finding.object.clone());
        let Some(&place) = places.get(&key) else {
            places.insert(key, merged.len());
            merged.push(finding);
            continue;
        };
        let Some(first) = merged.get_mut(place) else { continue };
        let (mut graver, other) = if rank(&finding) < rank(first) {
            (finding, first.clone())
        } else {
            (first.clone(), finding)
        };
        for evidence in other.evidence {
            if graver.evidence.len() < MAX_EVIDENCE && !graver.evidence.contains(&evidence) {
                graver.evidence.push(evidence);
            }
        }
        *first = graver;
    }
    merged
}

/// Says of each finding which fault that was found too is its likeliest cause.
fn find_causes(findings: &mut [Finding]) {
    // The cause of each fault that has one so far, to refuse a circle.
    let mut chosen: BTreeMap<String, String> = BTreeMap::new();
    for index in 0..findings.len() {
        let Some(finding) = findings.get(index).filter(|finding| finding.is_trouble()) else {
            continue;
        };
        let is_found = |cause: &&String| {
            **cause != finding.fault
                && findings
                    .iter()
                    .any(|other| other.is_trouble() && other.fault == **cause)
        };
        let cause = finding
            .caused_by
            .iter()
            .filter(is_found)
            .find(|cause| !leads_to(&chosen, cause, &finding.fault))
            .cloned();
        let fault = finding.fault.clone();
        if let Some(cause) = &cause {
            chosen.insert(fault, cause.clone());
        }
        if let Some(finding) = findings.get_mut(index) {
            finding.cause = cause;
        }
    }
}

/// Whether `fault` is among the causes of `from`.
fn leads_to(chosen: &BTreeMap<String, String>, from: &str, fault: &str) -> bool {
    let mut at = from;
    while let Some(next) = chosen.get(at) {
        if next == fault {
            return true;
        }
        at = next;
    }
    false
}

/// Puts each finding below its cause. A group stands where its gravest member would.
fn in_reading_order(findings: Vec<Finding>) -> Vec<Finding> {
    let mut below: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    let mut roots = Vec::new();
    for finding in findings {
        match &finding.cause {
            Some(cause) => below.entry(cause.clone()).or_default().push(finding),
            None => roots.push(finding),
        }
    }
    let mut groups: Vec<Vec<Finding>> = Vec::with_capacity(roots.len());
    for root in roots {
        let mut group = Vec::new();
        take_with_effects(root, &mut below, &mut group);
        groups.push(group);
    }
    // The sort is stable: groups of one rank keep the order of their first findings.
    groups.sort_by_key(|group| (group.iter().map(rank).min(), Reverse(group.len())));
    groups.into_iter().flatten().collect()
}

fn take_with_effects(finding: Finding, below: &mut BTreeMap<String, Vec<Finding>>, out: &mut Vec<Finding>) {
    let effects = if finding.is_trouble() {
        below.remove(&finding.fault)
    } else {
        None
    };
    out.push(finding);
    for effect in effects.unwrap_or_default() {
        take_with_effects(effect, below, out);
    }
}

#[cfg(test)]
mod tests {
    use super::group;
    use crate::{Evidence, Fault, Finding, Severity, Verdict};

    const fn fault(id: &'static str, severity: Severity, caused_by: &'static [&'static str]) -> Fault {
        Fault {
            id,
            summary: "s",
            severity,
            caused_by,
            remedy: "r",
        }
    }

    static DISK: Fault = fault("disk-full", Severity::High, &[]);
    static EVICTION: Fault = fault("eviction", Severity::Critical, &["memory-pressure", "disk-full"]);
    static PULL: Fault = fault("image-pull-disk", Severity::Medium, &["eviction"]);
    static CLOCK: Fault = fault("clock", Severity::High, &[]);
    static EGG: Fault = fault("egg", Severity::High, &["hen"]);
    static HEN: Fault = fault("hen", Severity::High, &["egg"]);

    fn order(findings: Vec<Finding>) -> Vec<(String, Option<String>)> {
        group(findings).into_iter().map(|f| (f.title, f.cause)).collect()
    }

    #[test]
    fn effects_stand_below_their_causes_and_the_gravest_group_first() {
        let pass = Finding::new(Verdict::Pass, "fine".to_owned());
        let found = order(vec![
            pass,
            PULL.fail("i", "pull"),
            CLOCK.fail("c", "clock"),
            EVICTION.fail("p", "eviction"),
            DISK.warn("d", "disk"),
        ]);
        let cause = |fault: &str| Some(fault.to_owned());
        assert_eq!(
            found,
            [
                ("disk".to_owned(), None),
                ("eviction".to_owned(), cause("disk-full")),
                ("pull".to_owned(), cause("eviction")),
                ("clock".to_owned(), None),
                ("fine".to_owned(), None),
            ]
        );
    }

    #[test]
    fn a_circle_of_causes_loses_no_finding() {
        let found = order(vec![EGG.fail("e", "egg"), HEN.fail("h", "hen")]);
        assert_eq!(found.len(), 2);
        assert_eq!(found.iter().filter(|(_, cause)| cause.is_none()).count(), 1);
    }

    #[test]
    fn effects_of_several_causes_of_one_kind_are_told_once() {
        let found = order(vec![
            DISK.fail("/", "root"),
            DISK.fail("/var", "var"),
            EVICTION.fail("p", "eviction"),
        ]);
        let titles: Vec<_> = found.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(titles, ["root", "eviction", "var"]);
    }

    #[test]
    fn what_two_analyzers_say_is_told_once_with_the_evidence_of_both() {
        let evidence = |file: &str| Evidence {
            file: file.to_owned(),
            line: Some(1),
            quote: "q".to_owned(),
        };
        let found = group(vec![
            DISK.warn("/", "nearly full").evidence(evidence("a")),
            DISK.fail("/", "full").evidence(evidence("b")),
            DISK.fail("/var", "var full"),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].title.as_str(), found[0].verdict), ("full", Verdict::Fail));
        let files: Vec<_> = found[0].evidence.iter().map(|e| e.file.as_str()).collect();
        assert_eq!(files, ["b", "a"]);
    }
}
