//! The command `analyze`: judges an archive offline, with the result that `collect` came to.

mod junit;
mod sarif;
mod scan;

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use periscope_bundle::{ArchiveInputs, OpenArchive};
use periscope_core::{Finding, Manifest, Verdict};

use crate::args::{AnalyzeArgs, Report};
use crate::exit::{Ended, Exit, in_one_line, print, tell};
use crate::run::DOCUMENTS_OWNER;
use crate::screen::{Ink, push_findings};
use crate::{inspect, judge, rules};

/// Runs the command.
pub(crate) fn run(args: &AnalyzeArgs) -> Result<Exit> {
    let AnalyzeArgs { archive, rules, output } = args;
    let rules = rules::load(rules.as_deref())?;
    let (archive, manifest) = open(archive)?;
    let mut is_damaged = archive.damage().is_some();

    // What the run made of its artifacts was not there when they were judged.
    let items: Vec<_> = manifest
        .items
        .iter()
        .filter(|item| item.action != DOCUMENTS_OWNER)
        .collect();
    let members: Vec<_> = items.iter().filter_map(|item| archive.get(&item.path)).collect();
    let (outcome, unread) = scan::scan(&archive, &members, std::sync::Arc::clone(&rules), manifest.started);
    for line in &unread {
        tell(&format!("warning: {line}"));
        is_damaged = true;
    }
    let hits = outcome.hits();
    let inputs = ArchiveInputs::new(archive, items, manifest.node.clone(), manifest.started, hits);
    let findings = judge::judge(outcome, &inputs);

    let report = match output {
        Report::Text => text(&findings, &manifest),
        Report::Json => String::from_utf8(judge::document(&findings)?).context("the findings are no text")?,
        Report::Sarif => sarif::report(&findings, &manifest, &rules)?,
        Report::Junit => junit::report(&findings, &manifest),
    };
    print(&report);
    Ok(exit(&findings, is_damaged))
}

/// Opens an archive of ours whose files can be read in any order.
fn open(path: &Path) -> Result<(OpenArchive, Manifest)> {
    let archive = inspect::open(path)?;
    let manifest = archive.manifest().map_err(|error| Ended::usage(in_one_line(&error)))?;
    let archive = archive
        .into_random()
        .context("could not unpack the archive into a temporary file")?;
    Ok((archive, manifest))
}

fn exit(findings: &[Finding], is_damaged: bool) -> Exit {
    if findings.iter().any(|finding| finding.verdict == Verdict::Fail) {
        Exit::Findings
    } else if is_damaged {
        Exit::Partial
    } else {
        Exit::Complete
    }
}

/// For people.
fn text(findings: &[Finding], manifest: &Manifest) -> String {
    let mut text = String::new();
    push_findings(&mut text, findings, Ink::of_stdout());
    let Manifest {
        node, run_id, started, ..
    } = manifest;
    // Writing into a string does not fail.
    writeln!(text, "\nNode {node} in run {run_id}, collected at {started:.0}").ok();
    text
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use periscope_core::{AnalyzerDescriptor, Completeness, Fault, Manifest, Severity};
    use rstest::rstest;

    use super::exit;
    use crate::exit::Exit;

    /// The manifest of an empty run.
    pub(super) fn manifest() -> Manifest {
        Manifest {
            schema: String::new(),
            run_id: "r".parse().unwrap(),
            node: "n".parse().unwrap(),
            os: String::new(),
            kernel: String::new(),
            version: String::new(),
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
            completeness: Completeness::Complete,
            actions: Vec::new(),
            items: Vec::new(),
        }
    }

    static FAULT: Fault = Fault {
        id: "f",
        summary: "s",
        severity: Severity::High,
        caused_by: &[],
        remedy: "r",
    };
    static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
        id: "a",
        summary: "s",
        faults: &[&FAULT],
    };

    #[rstest]
    #[case::in_order(DESCRIPTOR.pass("t"), false, Exit::Complete)]
    #[case::a_warning_fails_no_build(FAULT.warn("o", "t"), false, Exit::Complete)]
    #[case::broken(FAULT.fail("o", "t"), true, Exit::Findings)]
    #[case::unknown(DESCRIPTOR.unknown("t"), false, Exit::Complete)]
    #[case::damaged(DESCRIPTOR.pass("t"), true, Exit::Partial)]
    fn the_exit_code(#[case] finding: periscope_core::Finding, #[case] is_damaged: bool, #[case] expected: Exit) {
        assert_eq!(exit(&[finding], is_damaged), expected);
    }
}
