//! What a run over the cluster amounts to: per node what it reported and where its archive is, and the exit code. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use periscope_core::{Completeness, RunId};

use super::across::{Across, CLUSTER, Said, across};
use super::archives::Content;
use super::standing::{NodeView, Standing};
use crate::exit::Exit;

/// A run over the cluster that has ended.
pub(super) struct Outcome {
    pub(super) run_id: RunId,
    pub(super) server: String,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
    /// The nodes, in their order, and the cluster's part if somebody did it.
    pub(super) parts: Vec<Part>,
    /// Whether the user ended it.
    pub(super) is_interrupted: bool,
    /// The folder of this machine with the fetched archives.
    pub(super) folder: Option<PathBuf>,
    /// Where nodes uploaded to, fit to be shown to anybody.
    pub(super) storage: Option<String>,
    /// The page of all archives.
    pub(super) page: Option<PathBuf>,
    /// What could not be removed from the cluster.
    pub(super) left: Vec<String>,
}

/// What one node reported, or the one that did the cluster's part of that.
pub(super) struct Part {
    /// The node, or `cluster`.
    pub(super) name: String,
    pub(super) word: &'static str,
    pub(super) note: String,
    /// Whether nothing was asked of it.
    pub(super) is_excluded: bool,
    pub(super) content: Option<Content>,
    /// The fetched archive; nothing where none was to be fetched.
    pub(super) fetched: Option<Result<(PathBuf, u64), String>>,
    /// The archives in the storage; nothing where none was to be uploaded.
    pub(super) uploaded: Option<Result<Vec<(String, u64)>, String>>,
}

impl Part {
    pub(super) fn of_node(view: &NodeView) -> Self {
        Self {
            name: view.name.clone(),
            word: view.word(),
            note: view.note.clone(),
            is_excluded: view.standing == Standing::Excluded,
            content: None,
            fetched: None,
            uploaded: None,
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.name == CLUSTER
    }

    /// Whether everything that was wanted of it is where it should be.
    fn is_whole(&self) -> bool {
        let complete = self
            .content
            .as_ref()
            .is_some_and(|content| content.completeness == Completeness::Complete);
        complete && !matches!(self.fetched, Some(Err(_)))
    }

    /// Whether it has anything to show.
    fn has_something(&self) -> bool {
        self.content
            .as_ref()
            .is_some_and(|content| content.completeness != Completeness::Nothing)
    }
}

impl Outcome {
    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        let asked: Vec<_> = self.parts.iter().filter(|part| !part.is_excluded).collect();
        let upload_failed = |part: &&&Part| part.content.is_some() && matches!(part.uploaded, Some(Err(_)));
        let is_somewhere = |part: &&&Part| {
            let uploaded = matches!(&part.uploaded, Some(Ok(uploads)) if !uploads.is_empty());
            uploaded || matches!(part.fetched, Some(Ok(_)))
        };
        if !asked.iter().any(|part| part.has_something()) {
            Exit::Nothing
        } else if asked.iter().any(|part| upload_failed(&part)) {
            Exit::UploadFailed
        } else if !asked.iter().any(|part| is_somewhere(&part)) {
            Exit::Nothing
        } else if self.is_interrupted
            || !asked.iter().any(|part| part.is_cluster())
            || !asked.iter().all(|part| part.is_whole())
        {
            Exit::Partial
        } else {
            Exit::Complete
        }
    }

    /// The nodes without the cluster's part.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !part.is_cluster())
    }

    /// How many nodes reported.
    pub(super) fn reported(&self) -> usize {
        self.nodes().filter(|part| part.content.is_some()).count()
    }

    /// The findings over the whole cluster, in the order in which a person should read them.
    pub(super) fn findings(&self) -> Vec<Across> {
        let said = self.parts.iter().filter_map(|part| {
            let content = part.content.as_ref()?;
            Some(Said {
                by: part.name.clone(),
                findings: content.findings.clone(),
            })
        });
        across(said.collect())
    }

    /// What is missing in archives, what most lack first, with the nodes.
    pub(super) fn missing(&self) -> Vec<(String, BTreeSet<String>)> {
        let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for part in &self.parts {
            for line in part.content.iter().flat_map(|content| &content.missing) {
                // The same item stands below each node's own name.
                let line = line.replace(&part.name, "<node>");
                missing.entry(line).or_default().insert(part.name.clone());
            }
        }
        let mut missing: Vec<_> = missing.into_iter().collect();
        missing.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
        missing
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use jiff::Timestamp;
    use periscope_core::Completeness;
    use rstest::rstest;

    use super::{Outcome, Part};
    use crate::exit::Exit;
    use crate::kollect::archives::Content;

    pub(crate) fn part(name: &str, completeness: Option<Completeness>) -> Part {
        Part {
            name: name.to_owned(),
            word: "complete",
            note: String::new(),
            is_excluded: false,
            content: completeness.map(|completeness| Content {
                completeness,
                findings: Vec::new(),
                missing: Vec::new(),
            }),
            fetched: completeness.map(|_| Ok((PathBuf::from(format!("{name}.zip")), 1))),
            uploaded: None,
        }
    }

    pub(crate) fn outcome(parts: Vec<Part>) -> Outcome {
        Outcome {
            run_id: "r".parse().unwrap(),
            server: "a:443".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
            parts,
            is_interrupted: false,
            folder: Some(PathBuf::from("out/r")),
            storage: None,
            page: None,
            left: Vec::new(),
        }
    }

    const COMPLETE: Option<Completeness> = Some(Completeness::Complete);

    fn excluded() -> Part {
        Part {
            is_excluded: true,
            fetched: None,
            ..part("w", None)
        }
    }

    fn not_fetched() -> Part {
        Part {
            fetched: Some(Err("torn".to_owned())),
            ..part("b", COMPLETE)
        }
    }

    fn uploaded(result: Result<Vec<(String, u64)>, String>) -> Part {
        Part {
            fetched: None,
            uploaded: Some(result),
            ..part("b", COMPLETE)
        }
    }

    #[rstest]
    #[case::complete(vec![part("a", COMPLETE), part("cluster", COMPLETE), excluded()], Exit::Complete)]
    #[case::a_node_without_report(vec![part("a", COMPLETE), part("b", None), part("cluster", COMPLETE)], Exit::Partial)]
    #[case::no_cluster_part(vec![part("a", COMPLETE)], Exit::Partial)]
    #[case::cut(vec![part("a", Some(Completeness::Partial)), part("cluster", COMPLETE)], Exit::Partial)]
    #[case::not_fetched(vec![part("a", COMPLETE), not_fetched(), part("cluster", COMPLETE)], Exit::Partial)]
    #[case::none_fetched(vec![not_fetched()], Exit::Nothing)]
    #[case::nobody(vec![part("a", None), excluded()], Exit::Nothing)]
    #[case::no_node(vec![], Exit::Nothing)]
    #[case::uploaded(vec![uploaded(Ok(vec![("u".into(), 1)])), part("cluster", COMPLETE)], Exit::Complete)]
    #[case::not_uploaded(vec![part("a", COMPLETE), uploaded(Err("403".into())), part("cluster", COMPLETE)], Exit::UploadFailed)]
    fn the_exit_code(#[case] parts: Vec<Part>, #[case] expected: Exit) {
        assert_eq!(outcome(parts).exit(), expected);
    }

    #[test]
    fn a_run_that_was_ended_is_partial() {
        let mut outcome = outcome(vec![part("a", COMPLETE), part("cluster", COMPLETE)]);
        outcome.is_interrupted = true;
        assert_eq!(outcome.exit(), Exit::Partial);
    }

    #[test]
    fn what_many_lack_is_one_line() {
        let lacking = |name: &str, lines: &[&str]| {
            let mut part = part(name, Some(Completeness::Partial));
            part.content.as_mut().unwrap().missing = lines.iter().map(|line| line.replace('$', name)).collect();
            part
        };
        let parts = vec![
            lacking("n1", &["nodes/$/x: denied", "own"]),
            lacking("n2", &["nodes/$/x: denied"]),
        ];
        let missing = outcome(parts).missing();
        let counts: Vec<_> = missing
            .iter()
            .map(|(line, nodes)| (line.as_str(), nodes.len()))
            .collect();
        assert_eq!(counts, [("nodes/<node>/x: denied", 2), ("own", 1)]);
    }
}
