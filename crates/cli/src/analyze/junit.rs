//! Findings as a `JUnit` report, as build systems read it: a suite for each analyzer, a case for each finding. What
//! failed is a failure, what could not be judged is skipped, and a warning is told in the output of a case that passes.

use std::collections::BTreeMap;
use std::fmt::Write;

use periscope_core::{Finding, Manifest, Verdict};

/// The report of one run.
pub(super) fn report(findings: &[Finding], manifest: &Manifest) -> String {
    let mut suites: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        suites.entry(&finding.analyzer).or_default().push(finding);
    }
    let all: Vec<_> = findings.iter().collect();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    push(
        &mut xml,
        format_args!("<testsuites name=\"aks-periscope\" {}>", counts(&all)),
    );
    for (analyzer, findings) in &suites {
        push(
            &mut xml,
            format_args!(
                "  <testsuite name=\"{}\" {} hostname=\"{}\" timestamp=\"{:.0}\">",
                escaped(analyzer),
                counts(findings),
                escaped(manifest.node.as_str()),
                manifest.started
            ),
        );
        for finding in findings {
            push_case(&mut xml, finding);
        }
        push(&mut xml, format_args!("  </testsuite>"));
    }
    push(&mut xml, format_args!("</testsuites>"));
    xml
}

fn counts(findings: &[&Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"0\"",
        findings.len(),
        count(Verdict::Fail),
        count(Verdict::Unknown)
    )
}

fn push_case(xml: &mut String, finding: &Finding) {
    let name = match (finding.fault.as_str(), finding.object.as_str()) {
        ("", _) => finding.title.clone(),
        (fault, "") => fault.to_owned(),
        (fault, object) => format!("{fault}: {object}"),
    };
    let case = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
        escaped(&finding.analyzer),
        escaped(&name)
    );
    let title = escaped(&finding.title);
    let text = escaped(&text(finding));
    match finding.verdict {
        Verdict::Pass => push(xml, format_args!("{case}/>")),
        Verdict::Unknown => push(xml, format_args!("{case}><skipped message=\"{title}\"/></testcase>")),
        Verdict::Warn => push(
            xml,
            format_args!("{case}><system-out>warn: {text}</system-out></testcase>"),
        ),
        Verdict::Fail => {
            let severity = finding.severity;
            let failure = format!("<failure message=\"{title}\" type=\"{severity}\">{text}</failure>");
            push(xml, format_args!("{case}>{failure}</testcase>"));
        }
    }
}

/// The sentence, what shows it and what to do.
fn text(finding: &Finding) -> String {
    let mut text = format!("{}\n", finding.title);
    for evidence in &finding.evidence {
        let line = evidence.line.map(|line| format!(":{line}")).unwrap_or_default();
        push(&mut text, format_args!("{}{line}  {}", evidence.file, evidence.quote));
    }
    text + &finding.remedy
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    writeln!(text, "{line}").ok();
}

/// Text for an attribute or an element. What XML 1.0 cannot hold (section 2.2) is replaced.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            // In an attribute they would be read as blanks.
            '\n' | '\t' | '\r' => {
                write!(xml, "&#{};", u32::from(c)).ok();
            }
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use periscope_core::{AnalyzerDescriptor, Evidence, Fault, Finding, Severity};

    use super::{escaped, report};
    use crate::analyze::tests::manifest;

    static DISK: Fault = Fault {
        id: "disk-full",
        summary: "A disk is full",
        severity: Severity::High,
        caused_by: &[],
        remedy: "Make room.",
    };
    static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
        id: "disks",
        summary: "s",
        faults: &[&DISK],
    };

    #[test]
    fn a_report_has_a_suite_for_each_analyzer_and_a_case_for_each_finding() {
        let evidence = Evidence {
            file: "a".to_owned(),
            line: Some(7),
            quote: "<99 %>".to_owned(),
        };
        let of = |analyzer: &str, finding: Finding| Finding {
            analyzer: analyzer.to_owned(),
            ..finding
        };
        let findings = [
            of("disks", DISK.fail("disk /", "It is \"full\".").evidence(evidence)),
            of("other", DESCRIPTOR.unknown("Nobody knows.")),
            of("disks", DISK.warn("disk /x", "Nearly.")),
            of("other", DESCRIPTOR.pass("Fine.")),
        ];
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="aks-periscope" tests="4" failures="1" errors="0" skipped="1" time="0">
  <testsuite name="disks" tests="2" failures="1" errors="0" skipped="0" time="0" hostname="n" timestamp="1970-01-01T00:00:00Z">
    <testcase classname="disks" name="disk-full: disk /" time="0"><failure message="It is &quot;full&quot;." type="high">It is &quot;full&quot;.&#10;a:7  &lt;99 %&gt;&#10;Make room.</failure></testcase>
    <testcase classname="disks" name="disk-full: disk /x" time="0"><system-out>warn: Nearly.&#10;Make room.</system-out></testcase>
  </testsuite>
  <testsuite name="other" tests="2" failures="0" errors="0" skipped="1" time="0" hostname="n" timestamp="1970-01-01T00:00:00Z">
    <testcase classname="other" name="Nobody knows." time="0"><skipped message="Nobody knows."/></testcase>
    <testcase classname="other" name="Fine." time="0"/>
  </testsuite>
</testsuites>
"#;
        assert_eq!(report(&findings, &manifest()), expected);
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(escaped("\0\x1b[1m\u{ffff}ü"), "\u{fffd}\u{fffd}[1m\u{fffd}ü");
    }
}
