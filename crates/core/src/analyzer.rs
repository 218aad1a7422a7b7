//! What judges stored artifacts: pure functions over the archive's content, the same during a run and years later.

use std::io::BufRead;

use jiff::Timestamp;

use crate::{ArtifactPath, Fault, Finding, LineHit, Scope, State, Verdict, group, with_causes};

/// Everything that can be said about an analyzer without running it.
#[derive(Debug)]
pub struct AnalyzerDescriptor {
    /// Kebab-case name.
    pub id: &'static str,
    /// One line: what it judges.
    pub summary: &'static str,
    /// What it can find.
    pub faults: &'static [&'static Fault],
}

impl AnalyzerDescriptor {
    /// What it judges was looked at and is in order.
    pub fn pass(&self, title: impl Into<String>) -> Finding {
        Finding::new(Verdict::Pass, title.into())
    }

    /// What it judges could not be judged, for the reason that the sentence gives.
    pub fn unknown(&self, why: impl Into<String>) -> Finding {
        Finding::new(Verdict::Unknown, why.into())
    }
}

/// The artifacts of one node, for reading.
pub trait Inputs {
    /// How the item at this path ended; `None` when nothing of that name was planned.
    fn state(&self, path: &ArtifactPath) -> Option<State>;

    /// The artifact's content as a reader of the archive finds it; `None` when nothing was kept.
    ///
    /// # Errors
    /// When the archive cannot be read.
    fn open(&self, path: &ArtifactPath) -> std::io::Result<Option<Box<dyn BufRead + '_>>>;

    /// The paths of kept artifacts below `prefix`, sorted.
    fn list(&self, prefix: &str) -> Vec<ArtifactPath>;

    /// The name of the node.
    fn node(&self) -> &str;

    /// When the run started: what is "now" for a judgement.
    fn started(&self) -> Timestamp;

    /// The lines of logs that a declarative rule found, by time and then by file. Of very many only the oldest and the
    /// newest are kept.
    fn hits(&self, rule: &str) -> Vec<LineHit>;

    /// How many lines a declarative rule found, kept or not.
    fn hit_count(&self, rule: &str) -> u64;
}

/// Why an analyzer could not come to a verdict at all.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The archive could not be read.
    #[error("could not read {path}")]
    Read {
        /// The artifact.
        path: ArtifactPath,
        /// What the system said.
        source: std::io::Error,
    },
    /// An artifact is not what it should be.
    #[error("could not understand {path}: {what}")]
    Parse {
        /// The artifact.
        path: ArtifactPath,
        /// What was expected and found.
        what: String,
    },
}

/// Judges one thing. Sync and pure: it reads artifacts and nothing else.
pub trait Analyzer: Send + Sync + 'static {
    /// What is known about it beforehand.
    fn descriptor(&self) -> &'static AnalyzerDescriptor;

    /// Whose artifacts it has something to say about.
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Node]
    }

    /// Looks at the artifacts. An input that is not complete makes the verdict [`Verdict::Unknown`], never a pass.
    ///
    /// # Errors
    /// When no verdict is possible; [`analyze_all`] makes an `unknown` finding of it.
    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError>;
}

/// Runs all analyzers. One that fails, panics or says nothing yields an `unknown` finding; the others go on.
/// The findings come gravest first, each followed by those that it is the likeliest cause of.
pub fn analyze_all<'a>(analyzers: impl IntoIterator<Item = &'a dyn Analyzer>, inputs: &dyn Inputs) -> Vec<Finding> {
    let mut findings = Vec::new();
    for analyzer in analyzers {
        let descriptor = analyzer.descriptor();
        // An analyzer only reads: there is no state of ours that a panic could leave half-changed.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| analyzer.analyze(inputs)));
        let found = match result {
            Ok(Ok(found)) if !found.is_empty() => found,
            Ok(Ok(_)) => vec![descriptor.unknown("it came to no verdict")],
            Ok(Err(error)) => vec![descriptor.unknown(with_causes(&error))],
            Err(_) => vec![descriptor.unknown("the analyzer panicked")],
        };
        findings.extend(found.into_iter().map(|finding| Finding {
            analyzer: descriptor.id.to_owned(),
            ..finding
        }));
    }
    group(findings)
}

#[cfg(test)]
mod tests {
    use super::{AnalyzeError, Analyzer, AnalyzerDescriptor, Inputs, analyze_all};
    use crate::{ArtifactPath, Finding, LineHit, State, Verdict};

    struct NoInputs;
    impl Inputs for NoInputs {
        fn state(&self, _: &ArtifactPath) -> Option<State> {
            None
        }
        fn open(&self, _: &ArtifactPath) -> std::io::Result<Option<Box<dyn std::io::BufRead + '_>>> {
            Ok(None)
        }
        fn list(&self, _: &str) -> Vec<ArtifactPath> {
            Vec::new()
        }
        fn node(&self) -> &'static str {
            "n"
        }
        fn started(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
        fn hits(&self, _: &str) -> Vec<LineHit> {
            Vec::new()
        }
        fn hit_count(&self, _: &str) -> u64 {
            0
        }
    }

    static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
        id: "test",
        summary: "test",
        faults: &[],
    };
    struct Scripted(fn() -> Result<Vec<Finding>, AnalyzeError>);
    impl Analyzer for Scripted {
        fn descriptor(&self) -> &'static AnalyzerDescriptor {
            &DESCRIPTOR
        }
        fn analyze(&self, _: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
            (self.0)()
        }
    }

    #[test]
    fn no_analyzer_can_pass_by_failing() {
        let broken = Scripted(|| {
            let source = std::io::Error::other("disk on fire");
            Err(AnalyzeError::Read {
                path: "a".parse().unwrap(),
                source,
            })
        });
        let panics = Scripted(|| panic!("bug"));
        let silent = Scripted(|| Ok(Vec::new()));
        let findings = analyze_all([&broken as &dyn Analyzer, &panics, &silent], &NoInputs);
        assert!(
            findings
                .iter()
                .all(|f| f.verdict == Verdict::Unknown && f.analyzer == "test")
        );
        let titles: Vec<_> = findings.iter().map(|f| f.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "could not read a: disk on fire",
                "the analyzer panicked",
                "it came to no verdict"
            ]
        );
    }
}
