//! Findings as a SARIF log (OASIS, Static Analysis Results Interchange Format 2.1.0), which code scanning services and
//! editors show beside the files of an unpacked archive.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;
use periscope_analyzers::CATALOG;
use periscope_core::{Evidence, Finding, Manifest, Severity, Verdict};
use periscope_scan::RuleSet;
use serde_json::{Value, json};

/// What the paths of locations are relative to (section 3.14.14).
const BASE: &str = "ARCHIVE";
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log of one run.
pub(super) fn report(findings: &[Finding], manifest: &Manifest, rules: &RuleSet) -> Result<String> {
    let descriptors = descriptors(findings, rules);
    let places: BTreeMap<&str, usize> = descriptors
        .keys()
        .enumerate()
        .map(|(at, id)| (id.as_str(), at))
        .collect();
    let results: Vec<_> = findings.iter().map(|finding| result(finding, &places)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "aks-periscope",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": descriptors.into_values().collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": format!("{}/{}", manifest.node, manifest.run_id)},
            "invocations": [{
                "executionSuccessful": true,
                "startTimeUtc": manifest.started,
                "endTimeUtc": manifest.finished,
                "machine": manifest.node,
            }],
            "originalUriBaseIds": {BASE: {"description": {"text": "the top folder of the archive"}}},
            "results": results,
        }],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

/// What a finding is an instance of: its fault, else its analyzer.
fn rule_id(finding: &Finding) -> &str {
    if finding.fault.is_empty() {
        &finding.analyzer
    } else {
        &finding.fault
    }
}

/// Everything that can be found, by id: the faults of the analyzers and of the rules, and the analyzers themselves.
fn descriptors(findings: &[Finding], rules: &RuleSet) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for descriptor in CATALOG.iter().map(|analyzer| analyzer.descriptor()) {
        for fault in descriptor.faults {
            all.insert(
                fault.id.to_owned(),
                rule(fault.id, fault.summary, fault.remedy, fault.severity),
            );
        }
        let summary = json!({"id": descriptor.id, "shortDescription": {"text": descriptor.summary}});
        all.insert(descriptor.id.to_owned(), summary);
    }
    for known in rules.rules() {
        if let Some(form) = &known.finding {
            let described = || rule(&form.fault, &known.summary, &form.remedy, form.severity);
            all.entry(form.fault.clone()).or_insert_with(described);
        }
    }
    for finding in findings {
        let id = rule_id(finding);
        all.entry(id.to_owned()).or_insert_with(|| json!({"id": id}));
    }
    all
}

fn rule(id: &str, summary: &str, remedy: &str, severity: Severity) -> Value {
    json!({
        "id": id,
        "shortDescription": {"text": summary},
        "help": {"text": remedy},
        "defaultConfiguration": {"level": level(Verdict::Fail, severity)},
        "properties": {"severity": severity},
    })
}

/// Section 3.27.10: a level other than `none` belongs to what failed.
fn level(verdict: Verdict, severity: Severity) -> &'static str {
    match (verdict, severity) {
        (Verdict::Fail, _) => "error",
        (Verdict::Warn, Severity::Low) => "note",
        (Verdict::Warn, _) => "warning",
        (Verdict::Unknown | Verdict::Pass, _) => "none",
    }
}

/// Section 3.27.9: `open` is what could not be decided.
fn kind(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail | Verdict::Warn => "fail",
        Verdict::Unknown => "open",
        Verdict::Pass => "pass",
    }
}

fn result(finding: &Finding, places: &BTreeMap<&str, usize>) -> Value {
    let id = rule_id(finding);
    let mut message = finding.title.clone();
    if !finding.remedy.is_empty() {
        message += "\n";
        message += &finding.remedy;
    }
    let mut result = json!({
        "ruleId": id,
        "ruleIndex": places.get(id),
        "kind": kind(finding.verdict),
        "level": level(finding.verdict, finding.severity),
        "message": {"text": message},
        "locations": finding.evidence.iter().take(1).map(|evidence| location(evidence, finding)).collect::<Vec<_>>(),
        "properties": {
            "analyzer": finding.analyzer,
            "verdict": finding.verdict,
            "severity": finding.severity,
            "cause": finding.cause,
        },
    });
    let related: Vec<_> = finding
        .evidence
        .iter()
        .skip(1)
        .map(|evidence| location(evidence, finding))
        .collect();
    if let (Some(result), false) = (result.as_object_mut(), related.is_empty()) {
        result.insert("relatedLocations".to_owned(), related.into());
    }
    if let (Some(result), true) = (result.as_object_mut(), finding.is_trouble()) {
        // The same trouble of the same object in the next archive is the same result (section 3.27.17).
        let fingerprint = format!("{id}:{}", finding.object);
        result.insert("partialFingerprints".to_owned(), json!({"object/v1": fingerprint}));
    }
    result
}

fn location(evidence: &Evidence, finding: &Finding) -> Value {
    let mut physical = json!({"artifactLocation": {"uri": uri(&evidence.file), "uriBaseId": BASE}});
    if let (Some(line), Some(physical)) = (evidence.line, physical.as_object_mut()) {
        // Lines are counted from 1 in both.
        let region = json!({"startLine": line.max(1), "snippet": {"text": evidence.quote}});
        physical.insert("region".to_owned(), region);
    }
    let mut location = json!({"physicalLocation": physical});
    if let (Some(location), false) = (location.as_object_mut(), finding.object.is_empty()) {
        let logical = json!([{"fullyQualifiedName": finding.object, "kind": "resource"}]);
        location.insert("logicalLocations".to_owned(), logical);
    }
    location
}

/// A path as a relative reference (RFC 3986, section 4.2): a first name with a colon would be a scheme, but paths in an
/// archive have none.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            write!(uri, "%{byte:02X}").ok();
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use periscope_core::{AnalyzerDescriptor, Evidence, Fault, Severity};
    use periscope_scan::RuleSet;
    use rstest::rstest;
    use serde_json::Value;

    use super::{report, uri};
    use crate::analyze::tests::manifest;

    static DISK: Fault = Fault {
        id: "disk-full",
        summary: "A disk is full",
        severity: Severity::Low,
        caused_by: &[],
        remedy: "Make room.",
    };
    static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
        id: "disks",
        summary: "s",
        faults: &[&DISK],
    };

    #[test]
    fn each_verdict_has_the_kind_and_level_that_the_standard_allows() {
        let evidence = |line| Evidence {
            file: "nodes/n/a b.txt".to_owned(),
            line,
            quote: "<99 %>".to_owned(),
        };
        let findings = [
            DISK.fail("disk /", "Full.")
                .evidence(evidence(Some(7)))
                .evidence(evidence(None)),
            DISK.warn("disk /x", "Nearly full."),
            DESCRIPTOR.unknown("Nobody knows."),
            DESCRIPTOR.pass("Fine."),
        ];
        let log: Value = serde_json::from_str(&report(&findings, &manifest(), RuleSet::builtin()).unwrap()).unwrap();
        let run = &log["runs"][0];
        let kinds: Vec<_> = run["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| (result["kind"].as_str().unwrap(), result["level"].as_str().unwrap()))
            .collect();
        assert_eq!(
            kinds,
            [("fail", "error"), ("fail", "note"), ("open", "none"), ("pass", "none")]
        );
        let first = &run["results"][0];
        let place = &first["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "nodes/n/a%20b.txt");
        assert_eq!(
            (
                place["region"]["startLine"].as_u64(),
                &place["region"]["snippet"]["text"]
            ),
            (Some(7), &"<99 %>".into())
        );
        assert!(first["relatedLocations"][0]["physicalLocation"]["region"].is_null());
        assert_eq!(first["partialFingerprints"]["object/v1"], "disk-full:disk /");
        assert!(run["results"][3]["partialFingerprints"].is_null());
        for result in run["results"].as_array().unwrap() {
            let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][at]["id"], result["ruleId"]);
        }
    }

    #[rstest]
    #[case("nodes/n/0.log", "nodes/n/0.log")]
    #[case("a b%c#d?e", "a%20b%25c%23d%3Fe")]
    #[case("ü", "%C3%BC")]
    fn a_path_is_a_reference(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(uri(path), expected);
    }
}
