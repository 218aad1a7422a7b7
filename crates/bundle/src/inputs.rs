//! The artifacts of a run that is not packed yet, for the analyzers.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use jiff::Timestamp;
use periscope_core::{ArtifactPath, Hits, Inputs, ItemRecord, LineHit, NodeName, State};

use crate::SpoolStore;

/// The items of a run and their content.
pub struct StoredInputs {
    store: Arc<SpoolStore>,
    states: BTreeMap<ArtifactPath, State>,
    node: NodeName,
    started: Timestamp,
    hits: Hits,
}

impl StoredInputs {
    /// The items as they are now, of a run that began at `started`, and the lines that rules found in them.
    pub fn new(store: Arc<SpoolStore>, items: &[ItemRecord], node: NodeName, started: Timestamp, hits: Hits) -> Self {
        let states = items.iter().map(|item| (item.path.clone(), item.state)).collect();
        Self {
            store,
            states,
            node,
            started,
            hits,
        }
    }
}

impl Inputs for StoredInputs {
    fn state(&self, path: &ArtifactPath) -> Option<State> {
        self.states.get(path).copied()
    }

    fn open(&self, path: &ArtifactPath) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        if !self.states.contains_key(path) {
            return Ok(None);
        }
        Ok(self
            .store
            .artifact(path)
            .map(|artifact| Box::new(artifact.reader()) as Box<dyn BufRead>))
    }

    fn list(&self, prefix: &str) -> Vec<ArtifactPath> {
        let below = self.states.keys().filter(|path| path.as_str().starts_with(prefix));
        below
            .filter(|path| self.store.artifact(path).is_some())
            .cloned()
            .collect()
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
