//! The artifacts of an archive, for the analyzers: the same as they saw when it was made.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use jiff::Timestamp;
use periscope_core::{ArtifactPath, Hits, Inputs, ItemRecord, LineHit, NodeName, State};

use crate::OpenArchive;

/// An archive's items and their content.
pub struct ArchiveInputs {
    archive: OpenArchive,
    states: BTreeMap<ArtifactPath, State>,
    kept: Vec<ArtifactPath>,
    node: NodeName,
    started: Timestamp,
    hits: Hits,
}

impl ArchiveInputs {
    /// The archive of a run on `node` that began at `started` and had these items, and the lines that rules found in
    /// it. An archive whose files are not reached directly is read from its beginning for each of them: see
    /// [`OpenArchive::into_random`].
    pub fn new<'a>(
        archive: OpenArchive,
        items: impl IntoIterator<Item = &'a ItemRecord>,
        node: NodeName,
        started: Timestamp,
        hits: Hits,
    ) -> Self {
        let mut states = BTreeMap::new();
        let mut kept = Vec::new();
        for item in items {
            let is_there = archive.get(&item.path).is_some();
            // An item whose file was lost since is not what the manifest says.
            let state = if item.is_in_archive() && !is_there {
                State::Failed
            } else {
                item.state
            };
            states.insert(item.path.clone(), state);
            if is_there {
                kept.push(item.path.clone());
            }
        }
        kept.sort();
        Self {
            archive,
            states,
            kept,
            node,
            started,
            hits,
        }
    }

    /// The archive.
    pub fn archive(&self) -> &OpenArchive {
        &self.archive
    }
}

impl Inputs for ArchiveInputs {
    fn state(&self, path: &ArtifactPath) -> Option<State> {
        self.states.get(path).copied()
    }

    fn open(&self, path: &ArtifactPath) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        match self.archive.get(path) {
            Some(member) if self.states.contains_key(path) => self.archive.read(member).map(Some),
            _ => Ok(None),
        }
    }

    fn list(&self, prefix: &str) -> Vec<ArtifactPath> {
        let below = self.kept.iter().filter(|path| path.as_str().starts_with(prefix));
        below.cloned().collect()
    }

    fn node(&self) -> &str {
        self.node.as_str()
    }

    fn started(&self) -> Timestamp {
        self.started
    }

    fn hits(&self, rule: &str) -> Vec<LineHit> {
        self.hits.of(rule).to_vec()
    }

    fn hit_count(&self, rule: &str) -> u64 {
        self.hits.count(rule)
    }
}
