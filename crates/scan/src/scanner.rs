//! The scan of all logs of a run: hands out a scan for each artifact, and puts together what they found.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use periscope_core::{ArtifactObserver, ArtifactPath, Hits, Observer};

use crate::artifact::{ArtifactScan, Found};
use crate::kept::Kept;
use crate::rule_set::RuleSet;
use crate::shared::Shared;
use crate::source::{KINDS, Source, kind_of};
use crate::tally::Tally;
use crate::timeline::Timeline;

/// Scans the logs of one run, as many at once as one likes.
#[derive(Debug)]
pub struct Scanner {
    shared: Arc<Shared>,
    sum: Arc<Mutex<Sum>>,
}

/// What the artifacts that ended had.
#[derive(Debug, Default)]
struct Sum {
    /// By rule, source, and tier of the source.
    kept: BTreeMap<(usize, Source, u8), Kept>,
    /// The tiers of each source that have lines.
    tiers: BTreeSet<(Source, u8)>,
    tally: Tally,
    artifacts: u64,
    lines: u64,
    bytes: u64,
}

impl Scanner {
    /// A scan by these rules of the artifacts of a run that started then.
    pub fn new(rules: Arc<RuleSet>, started: Timestamp) -> Self {
        Self {
            shared: Arc::new(Shared::new(rules, started)),
            sum: Arc::default(),
        }
    }

    /// A scan of the artifact at this path; `None` when it is no log.
    pub fn artifact(&self, path: &ArtifactPath) -> Option<ArtifactScan> {
        ArtifactScan::new(&self.shared, path, kind_of(path)?)
    }

    /// Takes what the scan of an artifact found.
    pub fn finish(&self, scan: ArtifactScan) {
        finish(&self.sum, scan);
    }

    /// Scans an artifact from its start to its end, if it is a log.
    ///
    /// # Errors
    /// When it cannot be read; then nothing of it counts.
    pub fn read(&self, path: &ArtifactPath, reader: &mut dyn BufRead) -> io::Result<()> {
        let Some(mut scan) = self.artifact(path) else {
            return Ok(());
        };
        loop {
            let bytes = match reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                break;
            }
            scan.push(bytes);
            let len = bytes.len();
            reader.consume(len);
        }
        self.finish(scan);
        Ok(())
    }

    /// What the artifacts that ended so far had.
    pub fn outcome(&self) -> Outcome {
        let sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept: BTreeMap<usize, Kept> = BTreeMap::new();
        for ((rule, source, tier), part) in &sum.kept {
            let is_lowest = sum
                .tiers
                .range((*source, 0)..)
                .next()
                .is_some_and(|lowest| *lowest == (*source, *tier));
            if is_lowest {
                kept.entry(*rule).or_default().merge(part);
            }
        }
        Outcome {
            rules: Arc::clone(&self.shared.rules),
            kept,
            sources: sum.tiers.iter().map(|(source, _)| *source).collect(),
            timeline: sum.tally.to_timeline(),
            artifacts: sum.artifacts,
            lines: sum.lines,
            bytes: sum.bytes,
        }
    }
}

fn finish(sum: &Mutex<Sum>, scan: ArtifactScan) {
    let (kind, found) = scan.end();
    let Found {
        kept,
        tally,
        lines,
        bytes,
    } = found;
    let Some(kind) = KINDS.get(kind) else { return };
    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
    sum.artifacts += 1;
    sum.lines += lines;
    sum.bytes += bytes;
    sum.tally.merge(tally);
    if lines > 0 {
        sum.tiers
            .extend(kind.serves.iter().map(|serves| (serves.source, serves.tier)));
    }
    for ((rule, serves), part) in kept {
        let Some(serves) = kind.serves.get(serves) else {
            continue;
        };
        sum.kept
            .entry((rule, serves.source, serves.tier))
            .or_default()
            .merge(&part);
    }
}

impl Observer for Scanner {
    fn artifact(&self, path: &ArtifactPath) -> Option<Box<dyn ArtifactObserver>> {
        let scan = Self::artifact(self, path)?;
        Some(Box::new(Observed {
            scan,
            sum: Arc::clone(&self.sum),
        }))
    }
}

/// The scan of an artifact that is being kept.
struct Observed {
    scan: ArtifactScan,
    sum: Arc<Mutex<Sum>>,
}

impl ArtifactObserver for Observed {
    fn push(&mut self, bytes: &[u8]) {
        self.scan.push(bytes);
    }

    fn finish(self: Box<Self>) {
        finish(&self.sum, self.scan);
    }
}

/// What a scan found.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) kept: BTreeMap<usize, Kept>,
    /// The sources that have lines.
    pub(crate) sources: BTreeSet<Source>,
    timeline: Timeline,
    /// Artifacts that were scanned.
    pub artifacts: u64,
    /// Their lines.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Outcome {
    /// The lines that rules found, for analyzers.
    pub fn hits(&self) -> Hits {
        let mut hits = Hits::default();
        for (index, kept) in &self.kept {
            if let Some(rule) = self.rules.rules().get(*index) {
                hits.add(
                    &rule.id,
                    kept.count,
                    kept.lines().into_iter().map(|line| line.to_hit(&rule.id)),
                );
            }
        }
        hits
    }

    /// The errors and warnings of all logs.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }
}
