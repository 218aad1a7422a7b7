//! Artifacts of one node in memory, for the tests of analyzers.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use periscope_core::{ArtifactPath, Inputs, Place, State};

/// The artifacts of a node called `node1`.
#[derive(Default)]
pub(crate) struct Artifacts(BTreeMap<ArtifactPath, (State, Vec<u8>)>);

impl Artifacts {
    pub(crate) fn with(self, action: &str, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.ended(action, name, State::Collected, content)
    }

    pub(crate) fn without(self, action: &str, name: &str, state: State) -> Self {
        self.ended(action, name, state, "")
    }

    pub(crate) fn ended(mut self, action: &str, name: &str, state: State, content: impl Into<Vec<u8>>) -> Self {
        self.0
            .insert(Place::Node.path("node1", action, name), (state, content.into()));
        self
    }
}

impl Inputs for Artifacts {
    fn state(&self, path: &ArtifactPath) -> Option<State> {
        Some(self.0.get(path)?.0)
    }

    fn open(&self, path: &ArtifactPath) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        Ok(self
            .0
            .get(path)
            .map(|(_, content)| Box::new(content.as_slice()) as Box<dyn BufRead>))
    }

    fn list(&self, prefix: &str) -> Vec<ArtifactPath> {
        self.0
            .keys()
            .filter(|path| path.as_str().starts_with(prefix))
            .cloned()
            .collect()
    }

    fn node(&self) -> &'static str {
        "node1"
    }
}
