//! What is said about a run's artifacts, by everything that judges: at the end of `collect` and, of an archive, by
//! `analyze`.

use periscope_analyzers::{analysis_json, analyzers_of, scope_of};
use periscope_core::{Analyzer, Evidence, Finding, Inputs, Scope, analyze_all};
use periscope_redact::{ContentKind, Redactor, Rules, redact_str};
use periscope_scan::{Outcome, RuleFindings};

/// The findings about these artifacts, in whose logs rules found what `outcome` has.
pub(crate) fn judge(outcome: Outcome, inputs: &dyn Inputs) -> Vec<Finding> {
    let scope = scope_of(inputs);
    // The cluster's part has no logs by nature.
    let has_logs = scope == Scope::Node || outcome.lines > 0;
    let rules = RuleFindings::new(outcome);
    let of_logs = has_logs.then_some(&rules as &dyn Analyzer);
    let of_scope = analyzers_of(scope).map(|analyzer| analyzer as &dyn Analyzer);
    let findings = analyze_all(of_scope.chain(of_logs), inputs);
    findings.into_iter().map(redacted).collect()
}

/// What a finding says is put together from redacted pieces, which could make a secret again; it is shown in more
/// places than a document that passes the redactor.
fn redacted(finding: Finding) -> Finding {
    let clean = |text: String| redact_str(&text).into_owned();
    let evidence = finding.evidence.into_iter().map(|evidence| Evidence {
        quote: clean(evidence.quote),
        ..evidence
    });
    Finding {
        object: clean(finding.object),
        title: clean(finding.title),
        evidence: evidence.collect(),
        remedy: clean(finding.remedy),
        ..finding
    }
}

/// The findings as `analysis.json` holds them: like every artifact, the document has passed the redactor.
pub(crate) fn document(findings: &[Finding]) -> anyhow::Result<Vec<u8>> {
    let document = analysis_json(findings)?;
    let mut redactor = Redactor::new(Rules::shared(), ContentKind::Json);
    let mut clean = Vec::with_capacity(document.len());
    redactor.push(&document, &mut clean)?;
    redactor.finish(&mut clean)?;
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use periscope_analyzers::CATALOG;
    use periscope_scan::RuleSet;

    #[test]
    fn every_cause_is_a_fault_that_something_finds() {
        let rules = RuleSet::builtin();
        let forms: Vec<_> = rules.rules().iter().filter_map(|rule| rule.finding.as_ref()).collect();
        let faults: Vec<_> = CATALOG
            .iter()
            .flat_map(|analyzer| analyzer.descriptor().faults)
            .collect();
        let known: BTreeSet<&str> = faults
            .iter()
            .map(|fault| fault.id)
            .chain(forms.iter().map(|form| form.fault.as_str()))
            .collect();
        let causes = faults
            .iter()
            .flat_map(|fault| fault.caused_by.iter().copied())
            .chain(forms.iter().flat_map(|form| form.caused_by.iter().map(String::as_str)));
        let unknown: Vec<_> = causes.filter(|cause| !known.contains(cause)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
