//! `analysis.json`: the findings as viewers of support bundles read them, with what ours say beyond that.
//!
//! The shape is that of Troubleshoot's results (`replicatedhq/troubleshoot`, `pkg/convert/supportbundle.go`): an array
//! of
//! `{name, labels, insight: {name, labels, primary, detail, severity}, severity, analyzerSpec, error}`. Ours add the fields
//! of [`Finding`], from which they are read back.

use std::collections::BTreeMap;

use periscope_core::{Finding, Verdict};
use serde::{Deserialize, Serialize};

/// The file's name in the top folder of the archive.
pub const ANALYSIS_FILE: &str = "analysis.json";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    labels: BTreeMap<String, String>,
    insight: Insight,
    severity: String,
    analyzer_spec: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    finding: Finding,
}

#[derive(Serialize, Deserialize)]
struct Insight {
    name: String,
    labels: BTreeMap<String, String>,
    primary: String,
    detail: String,
    severity: String,
}

/// The document that holds these findings.
///
/// # Errors
/// When a finding cannot be written as JSON.
pub fn analysis_json(findings: &[Finding]) -> serde_json::Result<Vec<u8>> {
    let rows: Vec<Row> = findings.iter().map(row).collect();
    let mut document = serde_json::to_vec_pretty(&rows)?;
    document.push(b'\n');
    Ok(document)
}

/// The findings that a document holds.
///
/// # Errors
/// When it is not a document of [`analysis_json`].
pub fn read_analysis(document: &[u8]) -> serde_json::Result<Vec<Finding>> {
    let rows: Vec<Row> = serde_json::from_slice(document)?;
    Ok(rows.into_iter().map(|row| row.finding).collect())
}

fn row(finding: &Finding) -> Row {
    // Troubleshoot's names are words with dots between.
    let name = finding.analyzer.replace('-', ".");
    // Its readers know no unknown: `info` is the severity that is neither alarm nor all-clear.
    let severity = match finding.verdict {
        Verdict::Fail => "error",
        Verdict::Warn => "warn",
        Verdict::Unknown => "info",
        Verdict::Pass => "debug",
    };
    let detail = if finding.remedy.is_empty() {
        finding.title.clone()
    } else {
        format!("{}\n{}", finding.title, finding.remedy)
    };
    Row {
        labels: BTreeMap::from([("desiredPosition".to_owned(), "1".to_owned())]),
        insight: Insight {
            name: name.clone(),
            labels: BTreeMap::new(),
            primary: finding.analyzer.clone(),
            detail,
            severity: severity.to_owned(),
        },
        name,
        severity: severity.to_owned(),
        analyzer_spec: String::new(),
        error: (finding.verdict == Verdict::Fail).then(|| finding.title.clone()),
        finding: finding.clone(),
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Evidence, Finding, Severity, Verdict};

    use super::{analysis_json, read_analysis};

    fn finding(verdict: Verdict) -> Finding {
        Finding {
            analyzer: "custom-dns".to_owned(),
            fault: "dns-custom".to_owned(),
            verdict,
            severity: Severity::Medium,
            object: "the node".to_owned(),
            title: "It is so.".to_owned(),
            evidence: vec![Evidence {
                file: "a/b".to_owned(),
                line: Some(3),
                quote: "nameserver".to_owned(),
            }],
            remedy: "Do this.".to_owned(),
            cause: Some("dns-misconfigured".to_owned()),
            caused_by: Vec::new(),
        }
    }

    #[test]
    fn findings_are_read_back() {
        let all = [Verdict::Fail, Verdict::Warn, Verdict::Unknown, Verdict::Pass].map(finding);
        assert_eq!(read_analysis(&analysis_json(&all).unwrap()).unwrap(), all);
        assert_eq!(analysis_json(&[]).unwrap(), b"[]\n");
    }

    #[test]
    fn a_viewer_of_support_bundles_finds_its_fields() {
        let document = analysis_json(&[finding(Verdict::Fail)]).unwrap();
        let rows: serde_json::Value = serde_json::from_slice(&document).unwrap();
        let row = &rows[0];
        assert_eq!(row["name"], "custom.dns");
        assert_eq!(row["severity"], "error");
        assert_eq!(row["impact"], "medium");
        assert_eq!(row["analyzerSpec"], "");
        assert_eq!(row["error"], "It is so.");
        assert_eq!(row["insight"]["primary"], "custom-dns");
        assert_eq!(row["insight"]["detail"], "It is so.\nDo this.");
        assert_eq!(row["insight"]["severity"], "error");
    }
}
