//! What a person, or a machine, is told at the end: findings first, then what is missing and why, then where the
//! archive is.

use std::collections::BTreeMap;

use anyhow::Result;
use periscope_core::{Completeness, Finding, Manifest, Missing, Receipt, State};
use serde_json::json;

use crate::exit::Exit;
use crate::run::show_size;
use crate::screen::{Ink, push, push_findings, shortened};

/// Most items of one action, state and reason that are named one by one.
const MAX_NAMED: usize = 3;
/// Most groups of missing items that are shown; the manifest has them all.
const MAX_GROUPS: usize = 6;

/// How a run ended.
pub(super) struct Outcome<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) findings: &'a [Finding],
    pub(super) archives: &'a [Receipt],
    pub(super) archive_error: Option<String>,
    pub(super) uploads: &'a [Receipt],
    pub(super) upload_error: Option<String>,
}

impl Outcome<'_> {
    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        if self.archive_error.is_some() && self.uploads.is_empty() {
            return Exit::Failed;
        }
        match self.manifest.completeness {
            _ if self.upload_error.is_some() => Exit::UploadFailed,
            Completeness::Nothing => Exit::Nothing,
            _ if self.archive_error.is_some() => Exit::Partial,
            Completeness::Partial => Exit::Partial,
            Completeness::Complete => Exit::Complete,
        }
    }

    /// For machines.
    pub(super) fn as_json(&self) -> Result<String> {
        let receipts = |receipts: &[Receipt]| {
            let row = |r: &Receipt| json!({"location": r.location, "format": r.format, "bytes": r.bytes});
            receipts.iter().map(row).collect::<Vec<_>>()
        };
        let counts: BTreeMap<_, _> = self
            .manifest
            .counts()
            .into_iter()
            .map(|(s, n)| (s.as_str(), n))
            .collect();
        let missing: Vec<_> = self
            .manifest
            .missing()
            .map(
                |Missing {
                     action,
                     path,
                     state,
                     reason,
                 }| { json!({"action": action, "path": path, "state": state, "reason": reason}) },
            )
            .collect();
        let document = json!({
            "runId": self.manifest.run_id,
            "node": self.manifest.node,
            "completeness": self.manifest.completeness,
            "exitCode": self.exit() as u8,
            "findings": self.findings,
            "counts": counts,
            "missing": missing,
            "archives": receipts(self.archives),
            "archiveError": self.archive_error,
            "uploads": receipts(self.uploads),
            "uploadError": self.upload_error,
        });
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }

    /// For people.
    pub(super) fn as_text(&self) -> String {
        let ink = Ink::of_stdout();
        let mut text = String::from("\n");
        push_findings(&mut text, self.findings, ink);
        self.push_missing(&mut text, ink);
        self.push_archives(&mut text, ink);
        text
    }

    fn push_missing(&self, text: &mut String, ink: Ink) {
        let mut groups: BTreeMap<(State, &str, &str), Vec<Missing<'_>>> = BTreeMap::new();
        for missing in self.manifest.missing() {
            let reason = missing.reason.unwrap_or_default();
            groups
                .entry((missing.state, missing.action, reason))
                .or_default()
                .push(missing);
        }
        if !groups.is_empty() {
            push(text, format_args!("\n{}", ink.bold("Missing or cut")));
        }
        let more = groups.len().saturating_sub(MAX_GROUPS);
        for ((state, action, reason), missing) in groups.into_iter().take(MAX_GROUPS) {
            push(text, format_args!("  {state:<12} {action:<17} {}", names(&missing)));
            if !reason.is_empty() {
                push(
                    text,
                    format_args!("  {:<12} {:<17} {}", "", "", ink.dim(&shortened(reason))),
                );
            }
        }
        if more > 0 {
            push(text, format_args!("  and {more} more reasons in manifest.json"));
        }
    }

    fn push_archives(&self, text: &mut String, ink: Ink) {
        let counts: Vec<_> = self
            .manifest
            .counts()
            .iter()
            .map(|(state, n)| format!("{n} {state}"))
            .collect();
        let word = match self.manifest.completeness {
            Completeness::Complete => "complete",
            Completeness::Partial => "partial",
            Completeness::Nothing => "nothing collected",
        };
        push(
            text,
            format_args!("\n{}  {word}: {} items", ink.bold("Archive"), counts.join(", ")),
        );
        for archive in self.archives {
            push(
                text,
                format_args!("  {}  ({})", archive.location, show_size(archive.bytes)),
            );
        }
        if let Some(error) = &self.archive_error {
            push(text, format_args!("  {} {error}", ink.alarm("not written:")));
        }
        for upload in self.uploads {
            push(
                text,
                format_args!("  uploaded to {}  ({})", upload.location, show_size(upload.bytes)),
            );
        }
        if let Some(error) = &self.upload_error {
            push(text, format_args!("  {} {error}", ink.alarm("not uploaded:")));
        }
    }
}

/// The names of a few items, and how many more there are.
fn names(missing: &[Missing<'_>]) -> String {
    let short = |missing: &Missing<'_>| {
        let path = missing.path.unwrap_or("(whole action)");
        path.split_once(&format!("/{}/", missing.action))
            .map_or(path, |(_, name)| name)
            .to_owned()
    };
    let mut names: Vec<_> = missing.iter().take(MAX_NAMED).map(short).collect();
    if missing.len() > MAX_NAMED {
        names.push(format!("and {} more", missing.len() - MAX_NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use periscope_core::{ActionRecord, Completeness, Manifest, State};
    use serde_json::{Value, json};

    use super::Outcome;

    #[test]
    fn an_action_that_ended_before_it_knew_its_items_is_told_of() {
        let action = |id: &str, state, reason: Option<&str>| ActionRecord {
            id: id.to_owned(),
            state,
            reason: reason.map(str::to_owned),
            started: jiff::Timestamp::UNIX_EPOCH,
            millis: 1,
        };
        let manifest = Manifest {
            schema: String::new(),
            run_id: "r".parse().unwrap(),
            node: "n".parse().unwrap(),
            os: String::new(),
            kernel: String::new(),
            version: String::new(),
            started: jiff::Timestamp::UNIX_EPOCH,
            finished: jiff::Timestamp::UNIX_EPOCH,
            completeness: Completeness::Partial,
            actions: vec![
                action("container-logs", State::Failed, Some("the action panicked: bug")),
                action("kube-objects", State::NotApplicable, Some("no API server")),
            ],
            items: Vec::new(),
        };
        let outcome = Outcome {
            manifest: &manifest,
            findings: &[],
            archives: &[],
            archive_error: None,
            uploads: &[],
            upload_error: None,
        };
        let document: Value = serde_json::from_str(&outcome.as_json().unwrap()).unwrap();
        assert_eq!(
            document["missing"],
            json!([{"action": "container-logs", "path": null, "state": "failed", "reason": "the action panicked: bug"}])
        );
        let text = outcome.as_text();
        assert!(text.contains("failed       container-logs    (whole action)"), "{text}");
        assert!(
            text.contains("the action panicked: bug") && !text.contains("no API server"),
            "{text}"
        );
    }
}
