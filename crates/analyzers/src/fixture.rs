//! Artifacts of one node in memory, for the tests of analyzers.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use jiff::Timestamp;
use periscope_core::{ArtifactPath, Hits, Inputs, LineHit, Place, State};

/// The artifacts of a node called `node1`, of a run that began at 2026-11-20T10:00:00Z.
#[derive(Default)]
pub(crate) struct Artifacts {
    artifacts: BTreeMap<ArtifactPath, (State, Vec<u8>)>,
    hits: Hits,
}

impl Artifacts {
    pub(crate) fn with(self, action: &str, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.ended(action, name, State::Collected, content)
    }

    pub(crate) fn without(self, action: &str, name: &str, state: State) -> Self {
        self.ended(action, name, state, "")
    }

    pub(crate) fn ended(mut self, action: &str, name: &str, state: State, content: impl Into<Vec<u8>>) -> Self {
        self.artifacts
            .insert(Place::Node.path("node1", action, name), (state, content.into()));
        self
    }

    /// An artifact anywhere in the archive.
    pub(crate) fn at(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.artifacts
            .insert(path.parse().unwrap(), (State::Collected, content.into()));
        self
    }

    /// A line of a log that a rule found. `captures` are names and what they matched.
    pub(crate) fn hit(
        mut self,
        rule: &str,
        (file, line): (&str, u64),
        time: Option<&str>,
        quote: &str,
        captures: &[(&str, &str)],
    ) -> Self {
        let hit = LineHit {
            rule: rule.to_owned(),
            file: file.parse().unwrap(),
            line,
            time: time.map(|time| time.parse().unwrap()),
            quote: quote.to_owned(),
            captures: captures
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        };
        self.hits.add(rule, 1, [hit]);
        self
    }
}

impl Inputs for Artifacts {
    fn state(&self, path: &ArtifactPath) -> Option<State> {
        Some(self.artifacts.get(path)?.0)
    }

    fn open(&self, path: &ArtifactPath) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        Ok(self
            .artifacts
            .get(path)
            .map(|(_, content)| Box::new(content.as_slice()) as Box<dyn BufRead>))
    }

    fn list(&self, prefix: &str) -> Vec<ArtifactPath> {
        self.artifacts
            .keys()
            .filter(|path| path.as_str().starts_with(prefix))
            .cloned()
            .collect()
    }

    fn node(&self) -> &'static str {
        "node1"
    }

    fn started(&self) -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    fn hits(&self, rule: &str) -> Vec<LineHit> {
        self.hits.of(rule).to_vec()
    }

    fn hit_count(&self, rule: &str) -> u64 {
        self.hits.count(rule)
    }
}

#[test]
fn hits_come_in_the_order_of_time() {
    let artifacts = Artifacts::default()
        .hit("r", ("a", 9), Some("2026-11-20T09:00:02Z"), "second", &[])
        .hit("r", ("b", 1), Some("2026-11-20T09:00:01Z"), "first", &[("pid", "1")]);
    let quotes: Vec<_> = artifacts.hits("r").into_iter().map(|hit| hit.quote).collect();
    assert_eq!(quotes, ["first", "second"]);
    assert_eq!((artifacts.hit_count("r"), artifacts.hit_count("s")), (2, 0));
}
