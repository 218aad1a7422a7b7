//! Reads every line of text exactly once, for everything that looks at lines: the declarative rules and the timeline.
//! Files that are documents, such as JSON, are for the analyzers to read.
//!
//! A [`Scanner`] hands out an [`ArtifactScan`] for each log, whether the log is just being collected (it is an
//! [`Observer`](periscope_core::Observer) of the store) or comes out of an archive. Its [`Outcome`] has the lines that
//! rules found, which [`RuleFindings`] judges, and the [`Timeline`].

mod artifact;
mod builtin;
mod findings;
mod fingerprint;
mod glob;
mod kept;
mod line;
mod rule;
mod rule_file;
mod rule_set;
mod scanner;
mod search;
mod shared;
mod source;
mod tally;
mod template;
#[cfg(test)]
mod tests;
mod time;
mod timeline;
mod waiting;
mod words;

pub use artifact::ArtifactScan;
pub use findings::RuleFindings;
pub use rule::{Form, Rule};
pub use rule_file::{Problem, RuleFile};
pub use rule_set::{RuleErrors, RuleSet, read_dir};
pub use scanner::{Outcome, Scanner};
pub use source::{Source, patterns};
pub use timeline::{Level, Timeline, TimelineBucket, TimelineEntry};
