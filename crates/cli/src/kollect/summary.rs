//! What a person, or a machine, is told in the end: findings over the whole cluster first, then what is missing, then
//! where the archives are.

use anyhow::Result;
use periscope_core::Finding;
use serde_json::{Value, json};

use super::across::on_nodes;
use super::outcome::{Outcome, Part};
use crate::run::show_size;
use crate::screen::{Ink, push, push_findings, shortened};

/// Most nodes that are named with why they did not report.
const MAX_NODES: usize = 10;
/// Most lines about what is missing in archives.
const MAX_MISSING: usize = 6;
/// Most archives that are named one by one.
const MAX_ARCHIVES: usize = 5;

impl Outcome {
    /// For people.
    pub(super) fn as_text(&self, ink: Ink) -> String {
        let mut text = String::from("\n");
        let of = self.reported();
        let findings: Vec<_> = self
            .findings()
            .iter()
            .map(|across| at_archive(across.told(of), &across.by))
            .collect();
        push_findings(&mut text, &findings, ink);
        self.push_missing(&mut text, ink);
        self.push_archives(&mut text, ink);
        if !self.left.is_empty() {
            push(&mut text, format_args!("\n{}", ink.bold("Left in the cluster")));
            for line in &self.left {
                push(&mut text, format_args!("  {}", ink.alarm(&shortened(line))));
            }
        }
        text
    }

    fn push_missing(&self, text: &mut String, ink: Ink) {
        let silent: Vec<_> = self.parts.iter().filter(|part| part.content.is_none()).collect();
        let missing = self.missing();
        let no_cluster = !self.parts.iter().any(Part::is_cluster);
        if silent.is_empty() && missing.is_empty() && !no_cluster {
            return;
        }
        push(text, format_args!("\n{}", ink.bold("Missing or cut")));
        if no_cluster {
            push(
                text,
                format_args!(
                    "  {:<10} {}",
                    "cluster",
                    ink.dim("no node told of the cluster's part of the run")
                ),
            );
        }
        for part in silent.iter().take(MAX_NODES) {
            push(text, format_args!("  {:<10} {}", part.word, part.name));
            if !part.note.is_empty() {
                push(text, format_args!("  {:<10} {}", "", ink.dim(&shortened(&part.note))));
            }
        }
        if silent.len() > MAX_NODES {
            push(
                text,
                format_args!("  {:<10} and {} more nodes", "", silent.len() - MAX_NODES),
            );
        }
        for (line, nodes) in missing.iter().take(MAX_MISSING) {
            let on = on_nodes(nodes, self.reported());
            let on = if on.is_empty() {
                on
            } else {
                ink.dim(&format!("  ({on})"))
            };
            push(text, format_args!("  {}{on}", shortened(line)));
        }
        if missing.len() > MAX_MISSING {
            let more = missing.len() - MAX_MISSING;
            let place = if self.page.is_some() {
                "index.html"
            } else {
                "the archives"
            };
            push(text, format_args!("  and {more} more in {place}"));
        }
    }

    fn push_archives(&self, text: &mut String, ink: Ink) {
        let asked = self.nodes().filter(|part| !part.is_excluded).count();
        push(
            text,
            format_args!(
                "\n{}  {} of {asked} nodes reported",
                ink.bold("Archives"),
                self.reported()
            ),
        );
        if let Some(folder) = &self.folder {
            let fetched: Vec<_> = self
                .parts
                .iter()
                .filter_map(|part| part.fetched.as_ref()?.as_ref().ok())
                .collect();
            if fetched.len() <= MAX_ARCHIVES {
                for (path, bytes) in &fetched {
                    push(text, format_args!("  {}  ({})", path.display(), show_size(*bytes)));
                }
            } else {
                let bytes = fetched.iter().map(|(_, bytes)| bytes).sum();
                let count = fetched.len();
                push(
                    text,
                    format_args!("  {}/  ({count} archives, {})", folder.display(), show_size(bytes)),
                );
            }
            let failed = self
                .parts
                .iter()
                .filter_map(|part| Some((&part.name, part.fetched.as_ref()?.as_ref().err()?)));
            push_failed(text, "not fetched:", failed.collect(), ink);
        }
        if let Some(page) = &self.page {
            push(text, format_args!("  {}  (all of them in one page)", page.display()));
        }
        if let Some(storage) = &self.storage {
            let uploads: Vec<_> = self
                .parts
                .iter()
                .filter_map(|part| part.uploaded.as_ref()?.as_ref().ok())
                .flatten()
                .collect();
            let bytes = uploads.iter().map(|(_, bytes)| bytes).sum();
            push(
                text,
                format_args!(
                    "  {storage}/{}/  ({} archives, {})",
                    self.run_id,
                    uploads.len(),
                    show_size(bytes)
                ),
            );
            let failed = self
                .parts
                .iter()
                .filter_map(|part| Some((&part.name, part.uploaded.as_ref()?.as_ref().err()?)));
            push_failed(text, "not uploaded:", failed.collect(), ink);
        }
        if self.reported() > 0 {
            let copy = format!("a copy is on each node in /var/log/aks-periscope/{}", self.run_id);
            push(text, format_args!("  {}", ink.dim(&copy)));
        }
    }

    /// For machines.
    pub(super) fn as_json(&self) -> Result<String> {
        let findings = self.findings();
        let findings: Vec<_> = findings
            .iter()
            .map(|across| {
                let mut finding = serde_json::to_value(&across.finding)?;
                finding["nodes"] = json!(across.by);
                Ok(finding)
            })
            .collect::<Result<_>>()?;
        let missing: Vec<_> = self
            .missing()
            .into_iter()
            .map(|(what, nodes)| json!({"what": what, "nodes": nodes}))
            .collect();
        let document = json!({
            "runId": self.run_id,
            "server": self.server,
            "started": self.started,
            "finished": self.finished,
            "interrupted": self.is_interrupted,
            "exitCode": self.exit() as u8,
            "findings": findings,
            "nodes": self.parts.iter().map(part_json).collect::<Vec<_>>(),
            "missing": missing,
            "folder": self.folder,
            "page": self.page,
            "storage": self.storage,
            "leftInCluster": self.left,
        });
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }
}

/// Why archives are not where they should be: the same reason once.
fn push_failed(text: &mut String, what: &str, failed: Vec<(&String, &String)>, ink: Ink) {
    let mut reasons: std::collections::BTreeMap<&str, std::collections::BTreeSet<String>> =
        std::collections::BTreeMap::new();
    for (name, why) in failed {
        reasons.entry(why).or_default().insert(name.clone());
    }
    for (why, names) in reasons {
        let on = on_nodes(&names, usize::MAX);
        let on = if on.is_empty() { "cluster".to_owned() } else { on };
        push(text, format_args!("  {} {}  ({on})", ink.alarm(what), shortened(why)));
    }
}

fn part_json(part: &Part) -> Value {
    let archive = part.fetched.as_ref().and_then(|fetched| fetched.as_ref().ok());
    let uploads = part.uploaded.as_ref().and_then(|uploaded| uploaded.as_ref().ok());
    let uploads: Vec<_> = uploads
        .into_iter()
        .flatten()
        .map(|(location, bytes)| json!({"location": location, "bytes": bytes}))
        .collect();
    json!({
        "name": part.name,
        "state": part.word,
        "note": part.note,
        "completeness": part.content.as_ref().map(|content| content.completeness),
        "archive": archive.map(|(path, bytes)| json!({"location": path, "bytes": bytes})),
        "archiveError": part.fetched.as_ref().and_then(|fetched| fetched.as_ref().err()),
        "uploads": uploads,
        "uploadError": part.uploaded.as_ref().and_then(|uploaded| uploaded.as_ref().err()),
    })
}

/// The finding with its evidence as it is found from outside: in the archive of the first that has it.
fn at_archive(finding: Finding, by: &std::collections::BTreeSet<String>) -> Finding {
    let Some(name) = by.first() else { return finding };
    let mut finding = finding;
    for evidence in &mut finding.evidence {
        evidence.file = format!("{name}.zip: {}", evidence.file);
    }
    finding
}

#[cfg(test)]
mod tests {
    use periscope_core::{AnalyzerDescriptor, Completeness, Evidence, Fault, Severity};
    use serde_json::Value;

    use crate::kollect::outcome::Part;
    use crate::kollect::outcome::tests::{outcome, part};
    use crate::screen::Ink;

    static DISK: Fault = Fault {
        id: "disk-full",
        summary: "s",
        severity: Severity::High,
        caused_by: &[],
        remedy: "Make room.",
    };
    static CHECK: AnalyzerDescriptor = AnalyzerDescriptor {
        id: "disks",
        summary: "s",
        faults: &[&DISK],
    };

    fn cluster(nodes: usize) -> Vec<Part> {
        let mut parts: Vec<_> = (0..nodes)
            .map(|n| part(&format!("n{n}"), Some(Completeness::Partial)))
            .collect();
        for part in &mut parts {
            let evidence = Evidence {
                file: "system/disks.txt".to_owned(),
                line: Some(3),
                quote: "99 %".to_owned(),
            };
            let content = part.content.as_mut().unwrap();
            content.findings = vec![
                DISK.fail("disk /", "The disk / is full.").evidence(evidence),
                CHECK.pass("Fine."),
            ];
            content.missing = vec![format!("nodes/{}/x denied", part.name)];
        }
        parts.push(Part {
            word: "no report",
            note: "the node is not ready: kubelet stopped".to_owned(),
            fetched: None,
            ..part("down", None)
        });
        parts.push(part("cluster", Some(Completeness::Complete)));
        parts
    }

    #[test]
    fn a_few_nodes_are_told_in_full() {
        let mut outcome = outcome(cluster(2));
        outcome.left = vec!["not allowed to delete namespace x".to_owned()];
        outcome.parts[1].fetched = Some(Err("the stream broke".to_owned()));
        let expected = "
Findings  1 fail, 1 pass
  FAIL    The disk / is full. (on 2 nodes: n0, n1) (disk-full)
          n0.zip: system/disks.txt:3  99 %
          → Make room.

Missing or cut
  no report  down
             the node is not ready: kubelet stopped
  nodes/<node>/x denied  (on 2 nodes: n0, n1)

Archives  2 of 3 nodes reported
  n0.zip  (1 B)
  cluster.zip  (1 B)
  not fetched: the stream broke  (on n1)
  a copy is on each node in /var/log/aks-periscope/r

Left in the cluster
  not allowed to delete namespace x
";
        assert_eq!(outcome.as_text(Ink::none()), expected);
    }

    #[test]
    fn a_large_cluster_is_still_one_screen() {
        let text = outcome(cluster(500)).as_text(Ink::none());
        assert!(text.lines().count() < 40, "{text}");
        assert!(text.contains("(on 500 nodes: n0, n1, n10 and 497 more)"), "{text}");
        assert!(text.contains("out/r/  (501 archives, 501 B)"), "{text}");
    }

    #[test]
    fn machines_get_every_node() {
        let document: Value = serde_json::from_str(&outcome(cluster(2)).as_json().unwrap()).unwrap();
        assert_eq!(document["exitCode"], 3);
        assert_eq!(document["findings"][0]["nodes"], serde_json::json!(["n0", "n1"]));
        assert_eq!(document["nodes"][2]["state"], "no report");
        assert_eq!(document["nodes"][3]["archive"]["location"], "cluster.zip");
    }
}
